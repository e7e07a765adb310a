#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Threads that stop, die or jump away in the middle of a hook leave no hole:
# the stream goes on, the program too, and nothing that was done is missing.
# The allocator behind (bump) holds no lock, so that all this is allowed.
. "${0%/*}/lib.sh"

# holes [OPTION…] PROGRAM [ARG…]
holes() {
	t_options=
	while :; do
		case $1 in
		--buffer)	t_options="$t_options $1 $2"; shift 2 ;;
		--*)	t_options="$t_options $1"; shift ;;
		*)	break ;;
		esac
	done
	t_name=$1
	shift
	rm -f t.ht
	run -s "$BIN/ht-record" -q -o t.ht $t_options \
	    env LD_PRELOAD="$PROG/bump" "$PROG/$t_name" "$@"
	what="$t_name$t_options"
	is $status 0 "$what: runs to its end"
	symbolize t.ht
	replay --strict --functions t.sym
	is "$(re traces) $(re end)" '1 exit 0' "$what: a whole trace"
	is "$(re lost) $(re doubles)" '0 0' "$what: nothing lost"
}

f() {
	awk -F '\t' -v n="$1" -v k="$2" \
	    '$1 == "function" && $2 == n { print $k }' re
}

# cut_off WORD: what the program counted, and at most one more for each time.
cut_off() {
	a=$(said allocations) fr=$(said frees) k=$(said $1)
	between "${a:-x}" "$(f loop 3)" $((a + k)) \
	    "$what: allocations, of which $k may have been cut off"
	between "${fr:-x}" "$(f loop 4)" $((fr + k)) "$what: frees"
	is "$(f afterwards 3)" 1000 "$what: what came after is all there"
}

for options in '' '--buffer 64k'; do
	# How often; a small ring gets the most of it.
	n=1
	[ -z "$options" ] || n=2
	holes $options jump $((n * 150))
	is "$(said jumps)" $((n * 150)) 'jump: it jumped'
	cut_off jumps
	holes $options cancel $((n * 80))
	cut_off cancelled
	holes $options vforker $((n * 40))
	cut_off killed

	# A handler that comes back: nothing may be missing at all.
	for alt in '' alt; do
		holes $options handler $alt
		for name in loop on_timer; do
			is "$(f $name 3) $(f $name 4) $(f $name 5)" \
			    "$(awk -F '\t' -v n=$name '$2 == n {
				print $3, $4, $5 }' out)" "$what $alt: $name"
		done
		is "$(re unknown_frees)" 0 "$what $alt: every free meets"
	done

	holes $options suspend $((n * 15)) $((n * 60000))
	k=$(said suspended)
	set -- $(awk -F '\t' '$2 == "loop" { print $3, $4 }' out)
	between "$1" "$(f loop 3)" $(($1 + k)) "$what: allocations"
	between "$2" "$(f loop 4)" $(($2 + k)) "$what: frees"
	is "$(f afterwards 3) $(f afterwards 4)" "$((n * 60000)) $((n * 45000))" \
	    "$what: what came after is all there"
done
done_testing
