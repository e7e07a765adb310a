#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# ht-record --sample: intervals hold the true values as often as promised, frees
# of sampled blocks are exact, and samples merge with anything.
. "${0%/*}/lib.sh"

R=$BIN/ht-record

# --- against the exact record of the same program ---------------------------
by_line='--by line --format tsv --sort calls -n 1000'
run "$R" -q -o exact.ht "$PROG/mixture"
is "$status" 0 'all blocks'
"$BIN/ht-top" --totals exact.ht >exact.all
"$BIN/ht-top" $by_line exact.ht >exact.by
seed=1
while [ $seed -le 200 ]; do
	HT_SEED=$seed "$R" -q --sample 4K -o s.ht "$PROG/mixture" || break
	"$BIN/ht-top" --totals s.ht >$seed.all || break
	"$BIN/ht-top" $by_line s.ht >$seed.by || break
	seed=$((seed + 1))
done
is $seed 201 '200 seeds'
run perl "$T/prog/intervals.pl" exact.all *[0-9].all
is "$status" 0 '95 % intervals of totals hold them, without bias'
run perl "$T/prog/intervals.pl" exact.by *[0-9].by
is "$status" 0 'and those of functions'
HT_SEED=7 "$R" -q --sample 4K -o a.ht "$PROG/mixture"
HT_SEED=7 "$R" -q --sample 4K -o b.ht "$PROG/mixture"
is "$(grep -c '^+' a.ht)" "$(grep -c '^+' b.ht)" 'a seed, a sample'
like "$(cat a.ht)" '^#S 1000$' 'the rate is in the trace'

# Blocks much larger than the rate are all there, and exact.
HT_SEED=1 "$R" -q --sample 1K -o large.ht "$PROG/big" >/dev/null
"$R" -q -o large-all.ht "$PROG/big" >/dev/null
is "$("$BIN/ht-top" --totals large.ht | grep '^peak	')" \
    "$("$BIN/ht-top" --totals large-all.ht | grep '^peak	')" 'large blocks'

# --- threads that pass blocks on, and realloc them --------------------------
HT_SEED=1 run "$R" -q --sample 1K -o t.ht "$PROG/mixture" threads
is "$status" 0 'threads'
is "$(grep -c '^#[UDL]' t.ht)" 0 'no free is of another block, none is missed'
# What a thread's stack needs is not freed.
ok '[ "$("$BIN/ht-top" --totals t.ht | sed -n "s/^leaked_blocks	//p")" -lt 20 ]' \
    'all blocks are freed'

# --- families, handlers, jumps, forks: harmless -----------------------------
for prog in counts forker churn; do
	run "$R" -q --sample 1K -o p.ht "$PROG/$prog"
	is "$status" 0 "$prog"
done
# An allocator that may be left, and entered again while it is at work.
for prog in handler jump; do
	run "$R" -q --sample 1K -o p.ht env LD_PRELOAD="$PROG/bump" \
	    "$PROG/$prog" 150
	is "$status" 0 "$prog"
done
run "$R" -q --follow --sample 1K -o 'g.%p.ht' "$PROG/family"
is "$status" 7 'a family of processes'
# The count of a forked child is its own, however far its parent's is from 0.
shells='(x=$PWD; echo $x); (y=$(echo a)$PWD; echo $y)'
run "$R" -q --follow -o 'all.%p.ht' sh -c "$shells"
run "$R" -q --follow --sample 1G -o 'few.%p.ht' sh -c "$shells"
is "$(ls few.*.ht | wc -l)" "$(ls all.*.ht | wc -l)" \
    'children that have no sample are there'
run "$R" -q --follow --sample 1K -o 'f.%p.ht' \
    sh -c "'$PROG/mixture'; '$PROG/mixture' threads"
is "$status" 0 '--follow'
is "$(grep -l '^#S 400$' f.*.ht | wc -l)" "$(ls f.*.ht | wc -l)" \
    'each process is sampled'
"$PROG/steady" 2 >steady.out 2>&1 &
pid=$!
background $pid
wait_for 10 'grep -q ready steady.out'
run "$R" -q -p $pid --sample 4K --duration 100ms -o attached.ht
is "$status" 0 '-p'
ok '[ "$(grep -c "^+" attached.ht)" -gt 10 ]' 'has samples'
is "$(grep -c '^#[UDL]' attached.ht)" 0 'and only their frees'
kill $pid
wait $pid
is "$? $(tail -n 1 steady.out)" '0 ok' 'the program goes on, unharmed'

# --- merging ----------------------------------------------------------------
HT_SEED=3 "$R" -q --sample 64K -o c.ht "$PROG/mixture"
"$BIN/ht-aggregate" a.ht >a.p
"$BIN/ht-aggregate" c.ht >c.p
"$BIN/ht-aggregate" exact.ht >e.p
"$BIN/ht-aggregate" a.ht c.ht exact.ht >all.p
"$BIN/ht-aggregate" c.p e.p >ce.p
"$BIN/ht-aggregate" ce.p a.p >cea.p
"$BIN/ht-aggregate" e.p a.ht >ea.p
"$BIN/ht-aggregate" ea.p c.ht >eac.p
ok 'cmp all.p cea.p && cmp all.p eac.p' \
    'two rates and an exact trace merge the same in any order'
is "$("$BIN/ht-top" --totals a.p)" "$("$BIN/ht-top" --totals a.ht)" \
    'a profile says what its trace does'

# --- what is shown ----------------------------------------------------------
run "$R" --sample 4K -o n.ht "$PROG/mixture"
like "$(err)" 'estimated from one block in 4 KiB' 'ht-record says so'
run "$BIN/ht-top" a.ht
like "$(out)" '^ESTIMATED from one block in 4 KiB' 'ht-top says so'
like "$(out)" '± 95 %' 'and has intervals of rows'
like "$("$BIN/ht-top" --format json a.ht)" '"peak_95"' 'JSON'
like "$("$BIN/ht-massif" a.ht | head -n 1)" 'ESTIMATED' 'ht-massif'
like "$("$BIN/ht-fold" a.ht 2>&1 >/dev/null)" 'estimate' 'ht-fold'

# --- what cannot be ---------------------------------------------------------
for wrong in 0 1023 2G x 5m; do
	run "$R" --sample $wrong true
	is "$status" 2 "--sample $wrong"
done
printf 'v 100 3\n#H f ht-record 0.1.0\nt 10 0\na 8 1\n#S 400\n#E exit 0\n' >late
run "$BIN/ht-top" late
is "$status" 1 'a rate after a class'
like "$(err)" 'late:5: the rate of samples comes after a class' 'is named'
done_testing
