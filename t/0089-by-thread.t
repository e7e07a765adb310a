#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What each thread allocates, by its name, and what of it other threads free:
# in every report as the program counted it itself.
. "${0%/*}/lib.sh"
need perl

# What is made by produce(): nothing of libc's own for a thread.
only="--filter produce --filter taker"

run "$PROG/handover"
sort out >plain
record "$PROG/handover"
is $status 0 'handover: runs'
sort out >want
same want plain 'and does as ever'
symbolize t.ht
perl -F'\t' -lane '$n += $F[4]; END { print $n }' want >crossed
ok '[ "$(cat crossed)" -gt 5000 ]' "blocks change hands: $(cat crossed)"

# rows FILE: what ht-top says, in the program's words.
rows() {
	"$BIN/ht-top" --by thread --filter function='/^(produce|taker)$/' \
	    --sort calls --format tsv "$@" |
	    perl -F'\t' -lane 'if ($. == 1) { @h = @F; next }
		@c{@h} = @F;
		print join "\t", "thread", @c{qw(thread calls total
		    freed_by_others)}' | sort
}
rows t.sym >got
same got want 'ht-top --by thread: calls, bytes, frees by others'
"$BIN/ht-aggregate" -q t.sym >t.prof
rows t.prof >got
same got want 'the same of a profile'

# Of the whole program, whatever libc allocates besides.
replay t.sym
is "$("$BIN/ht-top" --totals t.sym | awk '$1 == "freed_by_others" {
	print $2 }')" "$(re freed_by_others)" 'totals: freed_by_others'
run "$BIN/ht-top" --sort others -n 1 -s 0 --filter produce t.sym
like "$(out)" "MOST BLOCKS FREED BY ANOTHER THREAD .*[0-9,]* freed by others" \
    'a section for them'
like "$(out)" "$(perl -pe '1 while s/(\d)(\d{3})\b/$1,$2/' crossed) +[0-9.]+ +[0-9,]+ +produce" \
    'with the number, its part of the calls, the function'
run "$BIN/ht-top" -q --totals --fail-if "others>=$(cat crossed)" \
    --filter produce t.sym
is $status 3 'a limit'
run "$BIN/ht-top" -q --totals --fail-if "freed_by_others>$(cat crossed)" \
    --filter produce t.sym
is $status 0 'that is not exceeded'

# fold COST FIELD: sums by thread of the folded stacks of produce and taker.
fold() {
	"$BIN/ht-fold" --by-thread --cost "$1" t.sym |
	    perl -ne '/^([^;]*);(?:.*;)?(?:produce|taker) (\d+)$/ or next;
		$n{$1} += $2; END { print "$_\t$n{$_}\n" for sort keys %n }'
}
for cost in calls:3 total:4 others:5; do
	fold ${cost%:*} >got
	cut -f 2,${cost#*:} want | awk -F '\t' '$2' >wanted
	same got wanted "ht-fold --by-thread --cost ${cost%:*}"
done

run "$BIN/ht-html" -q -o page.html --filter function='/^(produce|taker)$/' t.sym
perl "$T/prog/view.pl" page.html by=thread |
    perl -F'\t' -lane 'print join "\t", "thread", @F[0 .. 2], $F[10]' >got
same got want "ht-html: the page's data, by thread"

# A window: what is born and dies in it.
end=$("$BIN/ht-top" --totals t.sym | awk '$1 == "runtime_ms" { print $2 }')
"$BIN/ht-top" --by thread --to "$((end + 1))ms" --sort calls --format tsv \
    t.sym >all
"$BIN/ht-top" --by thread --sort calls --format tsv t.sym >got
same got all 'a window that holds the run'
# --- threads that are gone before anybody asks for their names --------------
record "$PROG/makers" 4 1
symbolize t.ht
"$BIN/ht-fold" --by-thread --filter make t.sym | cut -d ';' -f 1 | sort -u >got
printf 'maker_%d\n' 1 2 3 4 >want
same got want 'short threads have their names'
done_testing
