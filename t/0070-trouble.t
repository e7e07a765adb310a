#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# ht-record dies, stops, or cannot write: the program does not notice.
. "${0%/*}/lib.sh"

R=$BIN/ht-record

# start OPTION… PROGRAM: in the background; $pid is ht-record's, its stdout
# and stderr go to got and got.err.
start() {
	rm -f got got.err t.ht
	t_ran="ht-record $*"
	"$R" "$@" >got 2>got.err &
	pid=$!
	background $pid
}

truth_of() {
	awk -F '\t' '$1 == "function" { print $3, $4, $5 }' "$1"
}

# --- killed ----------------------------------------------------------------
for options in '' '--buffer 64k'; do
	start -q -o t.ht $options "$PROG/racers" 8 300000
	wait_for 10 '[ -s t.ht ]'
	child=$(cat "/proc/$pid/task/$pid/children")
	kill -KILL $pid
	wait $pid 2>/dev/null
	ok '[ ! -s got ]' "the recorder is killed in mid-run $options"
	wait_for 60 '[ -s got ]'
	like "$(cat got)" '^function	race	[0-9]+	' \
	    "the program runs to its end $options"
	is "$(cat got.err)" '' "and says nothing $options"
	wait_for 5 '[ ! -e /proc/${child%% *} ]'
	ok '[ ! -e /proc/${child%% *} ]' "and ends $options"
done
# What was written is read, as a trace that ends early.
run "$BIN/ht-top" --totals t.ht
is $status 1 'what there is can be read: status 1'
like "$(err)" '^ht-top: t\.ht' 'and that it is not whole is said'
ok '[ "$(said allocations)" -gt 0 ]' 'with what there was'
run "$BIN/ht-symbolize" t.ht
is $status 1 'ht-symbolize: the same'

# --- stopped ---------------------------------------------------------------
start -q -o t.ht --buffer 256k "$PROG/racers" 4 150000
sleep 0.1
kill -STOP $pid
sleep 10
kill -CONT $pid
wait $pid
status=$?
is $status 0 'the recorder stops for ten seconds: the program ends well'
replay --strict t.ht
is "$(re lost) $(re unknown_frees) $(re doubles)" '0 0 0' 'nothing was lost'
symbolize t.ht
replay --functions t.sym
is "$(awk -F '\t' '$1 == "function" && $2 == "race" { print $3, $4, $5 }' re)" \
    "$(truth_of got)" 'all of it is there'

# --- nobody reads ----------------------------------------------------------
# Behind a pipe on purpose: that is what is tested; the status goes to a file.
{ "$R" -q "$PROG/racers" 8 30000 2>got; echo $? >st; } | head -c 1000 >/dev/null
is "$(cat st)" 0 'a reader that goes away: the program'\''s status'
like "$(cat got)" '^function	race	' 'the program ran to its end'
unlike "$(cat got)" 'ht-record' 'an ordinary end of a pipe is no matter'
{ "$R" "$PROG/grow" 5 2>got; echo $? >st; } | true
is "$(cat st)" 5 'a reader that never was: the program'\''s status'

# A reader that is slow: the clock goes on, and nothing is lost.
mkfifo slow
(sleep 3; exec cat >slow.ht) <slow &
background $!
start -q -o slow --buffer 1M "$PROG/killme" counted 2 1500000 end
wait $pid
is $? 0 'a reader that is slow: the program'\''s status'
wait_for 20 'tail -n 1 slow.ht 2>/dev/null | grep -q "^#E"'
replay --strict slow.ht
is "$(re lost) $(re unknown_frees) $(re doubles)" '0 0 0' 'nothing is lost'
set -- $(od -An -v -td8 -w64 -N 128 counted |
    awk '{ a += $1; f += $2 } END { printf "%d %d\n", a, f }')
between "$1" "$(re allocations)" $(($1 + 20)) 'all of it is there'
ok '[ "$(re runtime_ms)" -ge 1450 ]' "and it took its time: $(re runtime_ms) ms"

# One that does not read at all: what is sent to us reaches the program.
mkfifo shut
sleep 30 <shut &
reader=$!
background $reader
start -q -o shut --buffer 64k "$PROG/racers" 8 300000
wait_for 10 'grep -q "[0-9]" /proc/$pid/task/$pid/children'
read -r child rest <"/proc/$pid/task/$pid/children"
sleep 0.5 # the pipe is full long before
kill -TERM $pid
wait_for 10 '! grep -q "^State:.[^ZX]" /proc/$child/status 2>/dev/null'
ok '! grep -q "^State:.[^ZX]" /proc/$child/status 2>/dev/null' \
    'a reader that does not read: SIGTERM reaches the program'
kill $reader
wait $pid
is $? 143 'and its status is passed on'

# --- no room ---------------------------------------------------------------
run "$R" -o /dev/full "$PROG/counts"
is $status 0 'a full disk: the program'\''s status'
like "$(err)" '^ht-record: .*No space left on device' 'said'
is "$(grep -c '^function' out)" 12 'the program did all it had to'
run "$R" -q -o /dev/full "$PROG/racers" 4 50000
is $status 0 'a full disk, a long run: the program'\''s status'
like "$(err)" '^ht-record: .*No space left on device' '-q does not hide it'
is "$(err | wc -l)" 1 'once'
# A limit on file sizes stands in the way of the ring too: either it is met or
# it is said, but nobody is killed by a signal that was meant for the program.
run -s sh -c "ulimit -S -f 100; exec '$R' -q -o t.ht '$PROG/racers' 4 50000"
if [ $status = 0 ]; then
	replay --strict t.ht
	is "$(re end)" 'exit 0' 'a limit on file sizes is met'
else
	is $status 125 'a limit on file sizes stands in the way'
	like "$(err)" '^ht-record: .*File too large' 'said'
fi

if [ "$(id -u)" = 0 ] && mkdir tiny &&
    mount -t tmpfs -o size=64k tmpfs tiny 2>/dev/null; then
	run "$R" -q -o tiny/t.ht "$PROG/racers" 4 50000
	is $status 0 'a tiny file system: the program'\''s status'
	like "$(err)" '^ht-record: .*No space left on device' 'said'
	umount tiny
else
	skip 'a tiny file system' 'cannot mount one here'
fi

# No shared memory to be had: nothing is started, and that is said.
if [ $sanitized = no ]; then
	run sh -c "ulimit -v 30000; exec '$R' -q -o t.ht touch ran"
	is $status 125 'no memory for the ring: 125'
	like "$(err)" '^ht-record: cannot ' 'said'
	ok '[ ! -e ran ]' 'the program is not run'
fi
# No descriptors.
run sh -c "ulimit -n 4; exec '$R' -q -o t.ht touch ran"
is $status 125 'no descriptors: 125'
like "$(err)" '^ht-record: cannot .*Too many open files' 'said'
ok '[ ! -e ran ]' 'the program is not run'

# --- dropping rather than waiting ------------------------------------------
start -q -o t.ht --lossy --buffer 64k "$PROG/racers" 4 150000
sleep 0.1
kill -STOP $pid
wait_for 30 '[ -s got ]'
like "$(cat got)" '^function' '--lossy: the program waits for nobody'
kill -CONT $pid
wait $pid
replay t.ht
ok '[ "$(re lost)" -gt 1000 ]' "and what was dropped is counted: $(re lost)"
set -- $(truth_of got)
# Frees of blocks that were never seen, and their like, are in the trace too.
ok "[ \$(re allocations) -lt $1 ]" 'so the trace has less'
is "$(awk '/^#L/ { n++ } END { print (n > 0) }' t.ht)" 1 'in #L lines'
totals t.ht
is "$(total lost)" "$(re lost)" 'ht-top says how much'
run "$BIN/ht-top" t.ht
like "$(out)$(err)" '[0-9] .*(lost|LOST)|(lost|LOST).* [0-9]' 'in its report too'
done_testing
