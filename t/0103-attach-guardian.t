#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The guardian killed at any of the steps of an attach or a detach: what holds
# the program is gone then, in the middle of what a thread of it does for us.
# It lives on, as it was, and can be attached to again.
. "${0%/*}/lib.sh"
need strace

R=$BIN/ht-record

# start NAME PROGRAM [ARG…]: its pid to $pid; its output to NAME.out.
start() {
	name=$1
	shift
	"$@" >$name.out 2>$name.err &
	pid=$!
	background $pid
	wait_for 10 "grep -q ready $name.out"
}

# kill_at CALL N: attaches to $pid, the guardian being killed at its Nth system
# call CALL. False: the program did not survive it, or not well.
kill_at() {
	ASAN_OPTIONS=detect_leaks=0 timeout 60 strace -f -qq -o /dev/null \
	    -e trace=$1 --inject=$1:signal=KILL:when=$2 \
	    "$R" -q -p $pid -o killed.ht --duration 5ms >strace.out 2>&1
	st=$?
	[ $st = 0 ] || killed=$((killed + 1))
	kill -0 $pid || return 1
	timeout 60 "$R" -q -p $pid -o t.ht --duration 2ms 2>err
}

# sweep CALL STEP NAME: all of the steps of one attach and detach.
sweep() {
	i=1 bad= killed=0 st=1
	while [ $st != 0 ] && [ $i -lt 400 ]; do
		kill_at $1 $i || {
			bad="$bad $i"
			diag "$1 $i: $(cat err)"
			[ -e /proc/$pid/stat ] || break
		}
		i=$((i + $2))
	done
	is "$bad" '' "$3: it lives, and is attached to again"
	ok "[ $killed -gt 3 ]" "$3: killed"
	note "$killed times at $1"
}

start registers "$PROG/registers"
sweep ptrace 6 'registers'
kill $pid
wait $pid
is "$? $(tail -n 1 registers.out)" '0 ok' 'registers: they are what they were'

start steady "$PROG/steady" 2
sweep pwrite64 5 'busy'
kill $pid
wait $pid
is "$? $(tail -n 1 steady.out)" '0 ok' 'busy: ends as it would'

# The first attach of all, when nothing of ours is there yet.
i=1 lives=0
while [ $i -lt 60 ]; do
	start first "$PROG/steady" 2
	kill_at ptrace $i && lives=$((lives + 1))
	kill $pid
	wait $pid || lives=$((lives - 1))
	i=$((i + 9))
done
is $lives 7 'the first attach: it lives, and is attached to again'

# Nobody drains the ring any more: nobody waits for that.
rm t.ht
start full "$PROG/steady" 2
"$R" -q -p $pid -o t.ht --buffer 64K 2>err &
recorder=$!
wait_for 10 '[ -s t.ht ]'
guardian=$(ps -o pid= --ppid $recorder | tr -d ' ')
kill -KILL $guardian
wait $recorder
is "$? $(cat err)" '1 ht-record: the guardian process was killed' \
    'killed while it records: ht-record says so'
unlike "$(cat /proc/$pid/maps)" 'ht-ring' 'and undoes itself what was done'

# A ring that is never empty, as the program writes without a pause.
i=0 ends=0
while [ $i -lt 12 ]; do
	rm t.ht
	"$R" -q -p $pid -o t.ht 2>err &
	recorder=$!
	wait_for 10 '[ -s t.ht ]'
	sleep 0.0$((i % 4))
	kill -KILL $(ps -o pid= --ppid $recorder)
	wait_for 20 "! kill -0 $recorder" 2>/dev/null || kill -KILL $recorder
	wait $recorder
	[ $? = 1 ] && ! grep -q ht-ring /proc/$pid/maps && ends=$((ends + 1))
	i=$((i + 1))
done
is $ends 12 'killed while it records at full speed: ht-record ends'
kill $pid
ok 'wait_for 20 "! [ -e /proc/$pid ] || grep -q ^ok full.out"' \
    'and the program does not wait for it'
grep -q ^ok full.out || kill -KILL $pid
wait $pid
is "$? $(tail -n 1 full.out)" '0 ok' 'but ends as it would'
done_testing
