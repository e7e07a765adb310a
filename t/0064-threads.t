#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Threads: eight racing through realloc, a thousand coming and going. Every
# number against the program's own, every address against a replay.
. "${0%/*}/lib.sh"

# function_is NAME: as the program said.
function_is() {
	got=$(awk -F '\t' -v n="$2" '$1 == "function" && $2 == n {
		print $3, $4, $5 }' re)
	want=$(awk -F '\t' -v n="$2" '$1 == "function" && $2 == n {
		print $3, $4, $5 }' out)
	is "$got" "$want" "$1: $2 as it counted itself"
}

for try in 1 2 3; do
	record --addresses "$PROG/racers" 8 5000
	is $status 0 "racers, $try: runs"
	symbolize t.ht
	replay --strict --functions t.sym
	function_is "racers, $try" race
	is "$(re unknown_frees) $(re doubles) $(re lost) $(re cut)" '0 0 0 0' \
	    "racers, $try: every free meets its block, in an order that could be"
	is "$(re threads)" 9 "racers, $try: nine threads"
	ok '[ "$(re freed_by_others)" -gt 100 ]' \
	    "racers, $try: freed by others: $(re freed_by_others)"
done

record --buffer 64k "$PROG/racers" 8 20000
is $status 0 'racers with a small ring: runs'
symbolize t.ht
replay --strict --functions t.sym
function_is 'racers with a small ring' race
is "$(re unknown_frees) $(re doubles) $(re lost)" '0 0 0' \
    'racers with a small ring: nothing lost'

record --addresses "$PROG/churn" 1000 50
is $status 0 'churn: runs'
symbolize t.ht
replay --strict --functions t.sym
function_is churn visit
is "$(re unknown_frees) $(re doubles) $(re lost) $(re cut)" '0 0 0 0' \
    'churn: every free meets its block'
between 3 "$(re threads)" 1001 'churn: numbers of threads'

# More threads at once than most, and more over time than the numbers there are.
record --addresses "$PROG/churn" 6000 200
is $status 0 'churn 6000: runs'
symbolize t.ht
replay --strict --functions t.sym
function_is 'churn 6000' visit
is "$(re unknown_frees) $(re doubles) $(re lost)" '0 0 0' \
    'churn 6000: every free meets its block'
between 3 "$(re threads)" 4096 'churn 6000: numbers are used again'
done_testing
