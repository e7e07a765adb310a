#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What cannot be attached to: one clear sentence, status 1, and nothing done.
. "${0%/*}/lib.sh"
need gdb

R=$BIN/ht-record

# refused PID PATTERN NAME
refused() {
	echo precious >kept.ht
	run "$R" -p "$1" -o kept.ht
	is $status 1 "$3: status 1"
	is "$(err | wc -l)" 1 "$3: one line"
	like "$(err)" "^ht-record: $2" "$3: which says it"
	is "$(cat kept.ht)" precious "$3: an older trace is kept"
}

usage() {
	run "$R" "$@"
	is $status 2 "usage: $*"
}
usage -p
usage -p 0
usage -p x
usage -p 12 program
usage --duration 3 true
usage -p 1 --unwind libunwind

sh -c 'exit 0' &
gone=$!
wait $gone
refused $gone "there is no process $gone" 'no process'
perl -e 'if (my $p = fork) { print "$p\n"; close STDOUT; sleep 20 }' >zombie &
background $!
wait_for 10 '[ -s zombie ]'
zombie=$(cat zombie)
wait_for 10 'grep -q "^State:.Z" /proc/$zombie/status'
refused $zombie "cannot record process $zombie: it has ended already" zombie
if [ -e /proc/2/status ] && grep -q kthreadd /proc/2/comm; then
	refused 2 'cannot record process 2: it is a thread of the kernel' \
	    'kernel thread'
else
	skip 'kernel thread' 'none is to be seen here'
fi

"$PROG/steady" 2 >prog.out &
pid=$!
background $pid
wait_for 10 'grep -q ready prog.out'
tid=$(ls /proc/$pid/task | tail -n 1)
refused $tid "$tid is a thread of process $pid: ht-record -p $pid" thread

# Another tracer.
mkfifo go
gdb -q -n -batch -p $pid -ex 'shell echo there >there' -ex 'shell cat go' \
    -ex detach >gdb.out 2>&1 &
gdb=$!
background $gdb
wait_for 30 '[ -s there ]'
refused $pid "cannot record process $pid: it is being traced by process [0-9]+ \\(gdb\\)" \
    'a tracer'
echo >go
wait $gdb

# Another user's.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	cp -r "$BIN" bin && mkdir lib && cp "$LIB"/*.so lib
	chmod -R a+rX . && chmod a+w .
	user() {
		run setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
	}
	user bin/ht-record -p $pid -o nobody.ht
	is $status 1 'another user: status 1'
	like "$(err)" "^ht-record: cannot record process $pid: it is of user root, so become that user, or root: sudo ht-record -p $pid\$" \
	    'another user: which says it'
	setpriv --reuid 65534 --regid 65534 --clear-groups \
	    "$PROG/steady" 1 >user.out 2>/dev/null &
	theirs=$!
	background $theirs
	if wait_for 5 'grep -q ready user.out'; then
		user bin/ht-record -q -p $theirs -o nobody.ht --duration 50ms
		like "$status $(err)" '^(0 |1 .*(Yama|only root))' \
		    'the same user: may, unless the system forbids it'
	else
		skip 'the same user' 'the program is out of its reach'
	fi
	kill $theirs
else
	skip 'another user' 'root only'
fi

# What it is.
cat >s.c <<'E'
#include <stdio.h>
#include <unistd.h>
int main(void) { puts("ready"); fflush(stdout); pause(); return 0; }
E
started() {
	rm -f prog.out
	"$@" >prog.out 2>/dev/null &
	other=$!
	background $other
	wait_for 10 'grep -q ready prog.out'
}
gcc -w -static -o static s.c
started ./static
refused $other "cannot record process $other: it is statically linked" static
gcc -w -fsanitize=address -o asan s.c
ASAN_OPTIONS=detect_leaks=0 started ./asan
refused $other "cannot record process $other: it is built with AddressSanitizer" \
    'AddressSanitizer'
gcc -w -o plain s.c
started "$R" -q -o launched.ht ./plain
child=$(ps -o pid= --ppid $other | tr -d ' ')
refused $child "process $child is recorded already" 'launched by ht-record'
kill $child

kill $pid
wait $pid
is $? 0 'and the program runs on, untouched'
done_testing
