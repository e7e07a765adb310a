#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A signal at each instruction of the hooks, put there by a tracer, and at any
# instruction, by timers at the rate that the kernel can do: its handler
# allocates, frees and resizes, and returns or jumps away. Nothing hangs, and
# the program's own events are all there. The allocator behind (bump) holds no
# lock, so that all this is allowed.
. "${0%/*}/lib.sh"

# f FUNCTION FIELD: as recorded; told FUNCTION: as the program says.
f() {
	awk -F '\t' -v n="$1" -v k="$2" \
	    '$1 == "function" && $2 == n { print $k }' re
}

told() {
	awk -F '\t' -v n="$1" '$1 == "function" && $2 == n {
		print $3, $4, $5 }' out
}

exact() {
	is "$(f $1 3) $(f $1 4) $(f $1 5)" "$(told $1)" "$what: $1"
}

# recorded PROGRAM [ARG…]: over bump, replayed; the whole trace.
recorded() {
	what=$*
	record --addresses env LD_PRELOAD="$PROG/bump" "$PROG/$@"
	is $status 0 "$what: runs to its end"
	is "$(grep -c '^#[UDL]' t.ht)" 0 "$what: no #U, #D, #L"
	symbolize t.ht
	replay --strict --functions --stacks t.sym
	is "$(re traces) $(re end) $(re lost)" '1 exit 0 0' \
	    "$what: a whole trace"
}

# stepped LEAST [ARG…]: so many signals, almost all of them where they were to
# come: two calls are not always the same to the last instruction.
stepped() {
	least=$1
	shift
	recorded step "$@"
	signals=$(said signals) missed=$(said missed)
	note "$what: $(said malloc) + $(said free) + $(said realloc)" \
	    "instructions, $signals signals, $missed missed"
	ok "[ $signals -ge $least ]" "$what: $signals signals"
	exact on_signal
	exact allocate_after
}

# strays: stacks that are none of what the source says, by their functions.
strays() {
	awk -F '\t' '$1 == "stack" && $2 !~ ("^" start "main;" own "$") {
		print $2 }' start='([^;]*;)*' own="$1" re
}

# The whole of each call, from a stack seen before.
by_step='each_instruction;one_call;(allocate_below;)?(allocate_after|'\
'call_once;a_call(;.*;__restore_rt;on_signal|;__restore_rt;on_signal)?)'
for alt in '' alt; do
	stepped 2000 $alt
	ok '[ $((missed * 10)) -le $signals ]' "$what: few were missed"
	exact a_call
	is "$(re unknown_frees)" 0 "$what: every free meets its block"
	is "$(strays "$by_step")" '' "$what: every stack as it was"
done
# The long way through new nodes.
stepped 100 fresh 41
exact a_call
is "$(re unknown_frees)" 0 "$what: every free meets its block"

# What a jump cut off may have been recorded: one event of each call.
for mode in jump 'jump alt 3' 'jump fresh 41'; do
	stepped 100 $mode
	set -- $(told a_call)
	between $1 "$(f a_call 3)" $(($1 + signals)) "$what: allocations"
	between $2 "$(f a_call 4)" $(($2 + signals)) "$what: frees"
done

# By timers, on one thread and on four: handlers on both kinds of stack.
for n in 1 4; do
	recorded storm $n 1000
	ok "[ $(said signals) -ge 5000 ]" "$what: $(said signals) signals"
	exact loop
	exact on_timer
	is "$(re unknown_frees)" 0 "$what: every free meets its block"
done

# The stacks, against libunwind's.
for program in 'step 11' 'step alt 23' 'storm 4 1000'; do
	run -s env HT_VERIFY=1 "$BIN/ht-record" -o t.ht \
	    env LD_PRELOAD="$PROG/bump" "$PROG/"$program
	is $status 0 "verified $program: runs"
	like "$(err)" '^verified: [0-9]{4,} stacks, 0 differences' \
	    "verified $program: no difference"
done
done_testing
