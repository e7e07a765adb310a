#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# ht-record killed at any moment of an attach, a recording or a detach: the
# program lives on, unhooked, and can be attached to again.
. "${0%/*}/lib.sh"

R=$BIN/ht-record
"$PROG/steady" 4 >prog.out 2>prog.err &
pid=$!
background $pid
wait_for 10 'grep -q ready prog.out'
"$R" -q -p $pid -o t.ht --duration 10ms
maps=$(wc -l </proc/$pid/maps)

i=0 again=0
while [ $i -lt 24 ]; do
	i=$((i + 1))
	"$R" -q -p $pid -o killed.ht --duration 40ms 2>/dev/null &
	recorder=$!
	sleep "0.$(printf %03d $((i * 7)))"
	kill -KILL $recorder 2>/dev/null
	wait $recorder
	kill -0 $pid || break
	timeout 60 "$R" -q -p $pid -o t.ht --duration 5ms 2>err &&
	    again=$((again + 1)) || diag "$i: $(cat err)"
done
is $i 24 'killed 24 times: the program lives'
is $again 24 'and is attached to again each time'

# Left alone, the guardian puts everything back.
"$R" -q -p $pid -o killed.ht 2>/dev/null &
recorder=$!
wait_for 10 '[ -s killed.ht ]'
kill -KILL $recorder
wait $recorder
ok 'wait_for 10 "! grep -q ht-ring /proc/$pid/maps"' \
    'the guardian undoes what was done'
is "$(wc -l </proc/$pid/maps)" "$maps" 'no mapping more than after the first'
kill $pid
wait $pid
is "$?" 0 'it ends as it would'
is "$(tail -n 1 prog.out)" ok 'and finds nothing wrong'
done_testing
