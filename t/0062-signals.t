#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Signals to ht-record, and what the program knows of them.
. "${0%/*}/lib.sh"

cat >loop.sh <<'END'
trap 'echo TERM; exit 9' TERM
trap 'echo HUP; exit 8' HUP
trap 'echo USR1' USR1
echo ready
while :; do sleep 0.02; done
END

# start: ht-record in the background, $pid; the program is ready.
start() {
	rm -f t.ht got
	"$BIN/ht-record" -q -o t.ht "$@" >got 2>got.err &
	pid=$!
	background $pid
	t_ran="ht-record -q -o t.ht $*"
	wait_for 20 'grep -q ready got'
}

for sig in TERM HUP; do
	start sh loop.sh
	kill -$sig $pid
	wait $pid
	status=$?
	want=9
	[ $sig = HUP ] && want=8
	is $status $want "SIG$sig is passed on: the program'\''s status"
	like "$(cat got)" "^$sig\$" "SIG$sig: the program had it"
	is "$(grep -c "^$sig" got)" 1 "SIG$sig: once"
	replay --strict t.ht
	is "$(re end)" "exit $want" "SIG$sig: the trace is whole"
done

start sh -c 'echo ready; exec sleep 100'
kill -TERM $pid
wait $pid
status=$?
is $status 143 'a program that SIGTERM kills: 143'
replay --strict t.ht
is "$(re end)" 'signal f' 'and the trace says signal 15'

# The signals of the shell that started us are the program's too, those that
# the libc keeps to itself included.
run -s sh -c "trap '' INT; '$BIN/ht-record' -q -o t.ht \
    sh -c 'grep SigIgn /proc/self/status'"
got=$(out)
run sh -c "trap '' INT; sh -c 'grep SigIgn /proc/self/status'"
is "$got" "$(out)" 'an ignored signal stays ignored'
like "$got" '2$' 'and it is SIGINT'
run -s "$BIN/ht-record" -q -o t.ht grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status
got=$(out)
run grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status
is "$got" "$(out)" 'no signal is blocked, ignored or caught on our account'

# Stopped and continued.
start sh -c 'echo ready; sleep 0.3; kill -STOP $$; echo on; exit 5'
child=$(cat /proc/$pid/task/$pid/children 2>/dev/null)
child=${child%% *}
wait_for 20 "grep -q '^State:.T' /proc/$child/status"
like "$(grep State /proc/$child/status)" 'T \(stopped\)' 'a program that stops'
kill -CONT $child
wait $pid
status=$?
is "$status" 5 'goes on when continued'
like "$(cat got)" '^on$' 'and ends'
done_testing
