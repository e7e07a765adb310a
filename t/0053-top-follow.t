#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ht-top --follow: painted again and again on a terminal, one report elsewhere;
# an interrupt ends the waiting. Growing files and pipes, plain and compressed.

. "${0%/*}/lib.sh"
need tmux perl gzip zstd

perl "$T/prog/random.pl" 5 8000 >r.ht
half=$(($(wc -l <r.ht) / 2))
head -n $half r.ht >first
sed "1,${half}d" r.ht >second
run "$BIN/ht-top" r.ht
cp out whole

# --- elsewhere: one report -----------------------------------------------------

for stop in INT TERM; do
	cp first growing
	"$BIN/ht-top" --follow growing >got 2>err &
	pid=$!
	background $pid
	sleep 0.5
	ok 'kill -0 $pid && [ ! -s got ]' "waits, and says nothing"
	kill -s $stop $pid
	wait $pid
	status=$?
	run "$BIN/ht-top" first
	mv out want
	is "$status" 1 "SIG$stop ends the waiting: status 1, as of any part"
	same got want "with a report of what was read"
	like "$(err)" 'ends in mid-air' "and says that it is a part"
done
for pack in cat "gzip -c" "zstd -qc"; do
	: >growing
	"$BIN/ht-top" --follow growing >got 2>err &
	pid=$!
	background $pid
	$pack <first >>growing
	sleep 0.2
	$pack <second >>growing
	wait $pid
	is "$? $(cat err)" "0 " "the trace's end is the end: $pack"
	same got whole "one whole report: $pack"
done

# --- on a terminal -------------------------------------------------------------

socket=0
tm() {
	tmux -S "$TMP/sock.$socket" -f /dev/null "$@"
}
screen() {
	tm capture-pane -p >screen
	cat screen
}
# start COMMAND: in a terminal of 80 columns and 20 rows.
start() {
	[ $socket = 0 ] || tm kill-server
	socket=$((socket + 1))
	tm new-session -d -x 80 -y 20 "$1; echo status \$?; exec sleep 60"
}
cp first growing
start "'$BIN/ht-top' --follow --sort calls growing 2>err"
ok 'wait_for 10 "screen | grep -q MOST.CALLS"' "painted while it waits"
calls() {
	screen | sed -n 's/^\([0-9,]*\) allocations.*/\1/p' | tr -d ,
}
before=$(calls)
is "$(screen | head -n 1 | cut -c 1-5)" "./app" "from the first line on"
is "$(sed -n '19s/..*/text/p; 20p' screen)" "text" "as much as fits"
head -n 1000 second >>growing
ok 'wait_for 10 "[ \$(calls) -gt $before ]"' "painted again with more"
tm send-keys C-c
ok 'wait_for 10 "screen | grep -q status"' "Ctrl-C ends it"
like "$(cat screen)" '^status 1$' "with status 1"
like "$(tm capture-pane -p -S -1000)" '^TRUNCATED' \
    "and a last report, which says that it is a part"

cp first growing
start "'$BIN/ht-top' --follow --sort calls growing"
ok 'wait_for 10 "screen | grep -q MOST.CALLS"' "painted"
cat second >>growing
ok 'wait_for 10 "screen | grep -q status"' "the trace's end is the end"
like "$(cat screen)" '^status 0$' "with status 0"

# A pipe that is slow.
start "(cat first; sleep 2; cat second) | '$BIN/ht-top' --follow --sort calls"
ok 'wait_for 10 "screen | grep -q MOST.CALLS"' "a pipe is painted, too"
ok 'wait_for 10 "screen | grep -q status.0"' "and ends with status 0"

# With a base, the differences are followed.
cp first growing
start "'$BIN/ht-top' --follow --sort calls --diff r.ht growing"
ok 'wait_for 10 "screen | grep -q ^against"' "differences are painted"
tm send-keys C-c
ok 'wait_for 10 "screen | grep -q status"' "and end"
tm kill-server

done_testing
