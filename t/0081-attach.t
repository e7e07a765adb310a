#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Attaching to programs that run, and leaving them as they were: busy, asleep,
# stopped, executing, ending, in namespaces of their own.
. "${0%/*}/lib.sh"
need unshare

R=$BIN/ht-record

# start PROGRAM [ARG…]: in the background, to $pid; its output to prog.out.
start() {
	rm -f prog.out
	"$@" >prog.out 2>prog.err &
	pid=$!
	background $pid
	wait_for 10 'grep -q ready prog.out'
}

# ends_well NAME: the program's own checks.
ends_well() {
	wait $pid
	is $? 0 "$1: ends as it would"
	is "$(tail -n 1 prog.out)" ok "$1: and finds nothing wrong"
	is "$(cat prog.err)" '' "$1: and says nothing"
}

attach() {
	rm -f t.ht
	run "$R" -q -p $pid -o t.ht "$@"
}

# What an attach may leave behind, and no more: entries of the memory map.
shape() {
	(ls /proc/$pid/fd; ls /proc/$pid/task) | tr '\n' ' '
}
# The code of all its modules, as it is in memory.
code() {
	code_of $pid '.*\.so'
}

child_of() {
	ps -o pid= --ppid "$1" | tr -d ' '
}

# --- a busy program ---------------------------------------------------------
start "$PROG/steady" 4
code >before
shape=$(shape)
maps=$(wc -l </proc/$pid/maps)
attach --duration 50ms
is $status 0 'busy: attach and detach'
is "$(err)" '' 'busy: without a word'
like "$(cat t.ht)" '^A$' 'busy: A'
like "$(head -n 8 t.ht)" "^#P $(printf %x $pid) " 'busy: #P'
is "$(tail -n 1 t.ht)" '#E detached' 'busy: #E detached'
replay t.ht
ok '[ "$(re allocations)" -gt 1000 ]' 'busy: a lot was recorded'
ok '[ "$(re unknown_frees)" -gt 0 ]' 'busy: blocks from before are freed'
is "$(re doubles) $(re lost)" '0 0' 'busy: nothing is missed'
code >after
same after before 'busy: its code is what it was'
is "$(shape)" "$shape" 'busy: so are its descriptors and threads'
between 0 $(($(wc -l </proc/$pid/maps) - maps)) 6 'busy: a few mappings stay'
maps=$(wc -l </proc/$pid/maps)
for i in 1 2 3 4 5 6 7 8 9 10; do
	attach --duration 10ms
	[ $status = 0 ] || break
done
is $status 0 'busy: ten times more'
is "$(wc -l </proc/$pid/maps)" "$maps" 'busy: and no mapping more'
code >after
same after before 'busy: its code is what it was'
HT_VERIFY=1 run "$R" -p $pid -o t.ht --duration 50ms
like "$(err)" '^verified: [0-9]+ stacks, 0 differences$' \
    'busy: its stacks are those that libunwind finds'
like "$(err)" 'longest stop [0-9]+\.[0-9] ms' 'busy: the stop is told'

# Told to leave, by each of the ways.
for sig in INT TERM HUP; do
	rm -f t.ht
	"$R" -q -p $pid -o t.ht 2>err &
	recorder=$!
	background $recorder
	wait_for 10 '[ -s t.ht ]'
	run "$R" -q -p $pid -o twice.ht
	is "$status $(err)" "1 ht-record: process $pid is recorded already" \
	    "SIG$sig: nobody else may meanwhile"
	kill -$sig $recorder
	wait $recorder
	is $? 0 "SIG$sig: status 0"
	is "$(tail -n 1 t.ht)" '#E detached' "SIG$sig: #E detached"
done
{ timeout 60 "$R" -q -p $pid 2>err; echo $? >st; } | head -c 1000 >/dev/null
ok '[ -s err ] || [ "$(cat st)" = 1 ] || [ "$(cat st)" = 0 ]' \
    'nobody reads it: detached'
# HT_VERIFY has loaded a library more.
code | grep -Ff before >after
same after before 'and its code is what it was'
"$R" -q -p $pid -o t.ht --delay 200ms --duration 250ms
is "$(grep -a '^#Q' t.ht | tr '\n' ' ')" '#Q 0 #Q 1 ' '--delay: #Q'
like "$(sed '/^#Q 1/q' t.ht)" '^#U' '--delay: frees go on'
unlike "$(sed '/^#Q 1/q' t.ht)" '^\+' '--delay: allocations do not'
kill $pid
ends_well 'busy'

# --- nothing lost ----------------------------------------------------------
mkfifo lines
rm -f prog.out
"$PROG/between" <lines >prog.out 2>prog.err &
pid=$!
background $pid
exec 4>lines
wait_for 10 'grep -q ready prog.out'
code >before
HT_VERIFY=1 "$R" -p $pid -o t.ht 2>err &
recorder=$!
background $recorder
wait_for 20 '! code | cmp -s - before'
echo >&4
wait_for 60 'grep -q done prog.out'
kill -INT $recorder
wait $recorder
is $? 0 'counted: attach and detach'
replay --strict t.ht
for what in allocations frees total_bytes; do
	is "$(re $what)" "$(said $what prog.out)" \
	    "counted: $what as the program counts them"
done
is "$(re doubles) $(re lost) $(re leaked)" '0 0 0' \
    'counted: nothing else'
like "$(cat err)" '^verified: [0-9]+ stacks, 0 differences' \
    'counted: every stack is that of libunwind'
echo >&4
exec 4>&-
ends_well 'counted'

# --- asleep -----------------------------------------------------------------
start "$PROG/asleep" 1
for i in 1 2 3; do
	attach --duration 20ms
	[ $status = 0 ] || break
done
is $status 0 'asleep in every system call: three times'
ends_well 'asleep'

start "$PROG/steady" 2
kill -STOP $pid
attach --duration 20ms
is $status 0 'stopped: attach and detach'
wait_for 2 'grep -q "^State:.T" /proc/$pid/status'
like "$(cat /proc/$pid/status)" '^State:.T' 'stopped: it still is'
kill -CONT $pid
# All descriptors in use.
prlimit --pid $pid --nofile=3:
attach --duration 20ms
is $status 0 'no descriptor left: attach and detach'
like "$(cat /proc/$pid/limits)" '^Max open files +3 ' \
    'no descriptor left: the limit is what it was'
kill $pid
ends_well 'stopped'

# --- its end ----------------------------------------------------------------
start "$PROG/steady" 4 3
attach
is $status 0 'it ends: status 0'
like "$(tail -n 1 t.ht)" '^#E (exit 0|stopped)$' 'it ends: so does the trace'
ends_well 'it ends'
rm -f prog.out
sh -c 'echo ready; sleep 1; exec sleep 1' >prog.out &
pid=$!
wait_for 10 'grep -q ready prog.out'
attach
is $status 0 'it executes another program: status 0'
is "$(tail -n 1 t.ht)" '#E exec' 'it executes another program: #E exec'
wait $pid
is $? 0 'which ends as it would'

# --- namespaces -------------------------------------------------------------
mkdir -p root/lib64 root/proc root/lib/x86_64-linux-gnu
cp "$PROG/steady" root/app
ldd root/app | grep -o '/[^ ]*' | while read -r f; do
	mkdir -p "root$(dirname "$f")"
	cp "$f" "root$f"
done
find root | sort >before
rm -f prog.out
unshare --user --map-root-user --mount --pid --fork --kill-child --net \
    chroot root /app 3 >prog.out 2>prog.err &
outer=$!
background $outer
if wait_for 10 'grep -q ready prog.out'; then
	pid=$(child_of $outer)
	background $pid
	attach --duration 50ms
	is $status 0 'namespaces: attach and detach'
	"$BIN/ht-symbolize" --sysroot /proc/$pid/root t.ht >t.sym 2>err
	is "$?$(cat err)" 0 'namespaces: symbolised through /proc/PID/root'
	like "$("$BIN/ht-top" --totals t.sym)" '^allocations' \
	    'namespaces: and reported'
	like "$(cat t.sym)" '^s [0-9a-f]+ .*steady\.c$' \
	    'namespaces: files are found'
	like "$(cat t.sym)" "^#T [0-9a-f]+ [0-9a-f]{3,} 3 app" \
	    'namespaces: threads have their names and ids'
	find root | sort >after
	same after before 'namespaces: no file is left'
	kill $pid
	wait $outer
	is "$? $(tail -n 1 prog.out)" '0 ok' 'namespaces: ends as it would'
else
	skip 'namespaces' "this machine's user may not have them"
fi
done_testing
