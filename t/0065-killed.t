#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A program that counts its own calls in shared memory dies at random moments:
# by SIGKILL, abort, _exit, a segfault. What it counted was recorded; at most
# one call more for each thread, which it had made and not yet counted.
. "${0%/*}/lib.sh"

threads=3
seed=$$
next() {
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
}

# one WAY MICROSECONDS: true if all is as it has to be; else $why.
one() {
	timeout -k 5 30 "$BIN/ht-record" -q -o t.ht \
	    "$PROG/killme" counted $threads "$2" "$1" >out 2>err
	status=$?
	case $1 in
	kill)	want=137 end='signal 9' ;;
	abort)	want=134 end='signal 6' ;;
	exit)	want=7 end='exit 7' ;;
	segv)	want=139 end='signal b' ;;
	esac
	why="status $status"
	[ $status = $want ] || return 1
	set -- $(od -An -v -td8 -w64 -N $((threads * 64)) counted |
	    awk '{ a += $1; f += $2 } END { printf "%d %d\n", a, f }')
	why='replay failed'
	perl "$T/prog/replay.pl" --strict t.ht >re 2>re.err ||
	    { why="replay: $(cat re.err)"; return 1; }
	why="end: $(re end)"
	[ "$(re end)" = "$end" ] || return 1
	# The workers are all threads but the first.
	set -- "$@" $(re others_allocations) $(re others_frees)
	why="counted $1 allocations and $2 frees, recorded $3 and $4"
	why="$why of $(re allocations) and $(re frees), $(re nodes) nodes"
	[ $1 -le $3 ] && [ $3 -le $(($1 + threads)) ] &&
	    [ $2 -le $4 ] && [ $4 -le $(($2 + threads)) ] || return 1
	why="lost $(re lost), unknown $(re unknown_frees), $(re doubles)"
	[ "$(re lost) $(re unknown_frees) $(re doubles)" = '0 0 0' ] || return 1
	events=$((events + $3 + $4))
}

for way in kill abort exit segv; do
	bad=0 events=0 first=
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 \
	    24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 \
	    46 47 48 49 50; do
		next
		us=$((seed / 65536 % 5000))
		one $way $us && continue
		bad=$((bad + 1))
		first=${first:-"after $us us: $why"}
	done
	t_ran=
	if [ $bad = 0 ]; then
		pass "50 deaths by $way, $events events: none lost, none made up"
	else
		fail "50 deaths by $way" "$bad of them wrong, the first: $first"
	fi
	ok "[ $events -gt 5000 ]" "$way: there was something to record"
done
done_testing
