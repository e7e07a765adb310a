#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# ht-record --usable: what rounding up costs, held against the sums that the
# program itself makes of malloc_usable_size(3).
. "${0%/*}/lib.sh"
need jq

# told NAME: bytes usable beyond those asked for, as the program says.
told() {
	awk -v n="$1" '$1 == n { print $3 - $2 }' told
}

check() {
	ok '[ "$(told peak)" -gt "$(told end)" ]' "$1: the program tells"
	run "$BIN/ht-top" --totals u.ht
	is "$(awk '$1 == "rounding" { print $2 }' out)" "$(told peak)" \
	    "$1: at the peak"
	is "$(awk '$1 == "rounding_leaked" { print $2 }' out)" "$(told end)" \
	    "$1: at the end"
	symbolize u.ht
	run "$BIN/ht-top" --by function --sort rounding --format json t.sym
	for f in small large; do
		is "$(jq ".sections[0].rows[] | select(.function == \"$f\") |
		    .rounding" out)" "$(told $f)" "$1: of $f"
	done
}

run "$BIN/ht-record" --usable -q -o u.ht "$PROG/usable"
is "$status$(err)" 0 'recorded'
cp out told
is "$(awk '$1 == "peak" { print ($2 > 40000000), ($3 > $2) }' told)" '1 1' \
    'the program has something to say'
check launched

# Each class by itself; `u` is what it was, not what is asked for.
awk '/^a / { print $2, $NF }' u.ht | grep -qx '0 u18'
is $? 0 'nothing at all is 24 bytes'
is "$(grep -c '^a .* u' u.ht)" "$(grep -c '^a ' u.ht)" 'no class is without'

# The reports.
run "$BIN/ht-top" t.sym
like "$(out)" '^rounding up costs [0-9.]+ kB at the peak \([0-9.]+ %\) .* at the end$' \
    'text: the header'
run "$BIN/ht-top" --by function --sort rounding t.sym
like "$(out)" '^MOST LOST TO ROUNDING AT THE PEAK ' 'text: a section'
run "$BIN/ht-top" --format tsv --by function --sort rounding t.sym
is "$(awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
    $at["function"] == "small" { print $at["rounding"] }' out)" \
    "$(told small)" 'TSV'
run "$BIN/ht-top" --format json t.sym
is "$(jq .totals.rounding out)" "$(told peak)" 'JSON'
if [ -x "$BIN/ht-html" ]; then
	run "$BIN/ht-html" -o page.html t.sym
	perl "$T/prog/page.pl" page.html >data.json
	is "$(jq '.now.rounding, .now.rounding_leaked' data.json | tr '\n' ' ')" \
	    "$(told peak) $(told end) " 'ht-html'
else
	skip 'ht-html' 'it is not built'
fi
"$BIN/ht-aggregate" t.sym >p
"$BIN/ht-aggregate" p t.sym >twice
run "$BIN/ht-top" --totals twice
is "$(awk '$1 == "rounding" { print $2 }' out)" $((2 * $(told peak))) \
    'profiles add up'
run "$BIN/ht-top" --totals --diff p twice
is "$(awk '$1 == "rounding" { print $2 }' out)" "$(told peak)" 'a difference'
run "$BIN/ht-top" --totals --filter 'function=small' t.sym
is "$(awk '$1 == "rounding" { print $2 }' out)" "$(told small)" 'a selection'

# --- allocators other than the libc's ----------------------------------------
# other NAME TRACE OPTION…: with this one, by what it calls its functions.
other() {
	name=$1
	shift
	gcc -O1 -w -fno-builtin -o $name "$T/prog/usable.c" "$@" 2>cc.err ||
	    fail "builds $name" "$(head -n 5 cc.err)"
	run "$BIN/ht-record" --usable -q -o u.ht ./$name
	is "$status$(err)" 0 "$name: recorded"
	cp out told
	# libstdc++ has a block of its own, which the program cannot know.
	run "$BIN/ht-top" --totals --filter "module=$PWD/$name" u.ht
	is "$(said rounding out) $(said rounding_leaked out)" \
	    "$(told peak) $(told end)" "$name: as it says itself"
}
# hooked NAME OPTION…: where it is no function of the libc's name.
hooked() {
	[ "$(uname -m)" != x86_64 ] || other "$@"
}
GLIBC_TUNABLES=glibc.rtld.optional_static_tls=20000
export GLIBC_TUNABLES
other jemalloc -ljemalloc
hooked operators -Dmalloc=_Znwm -Dfree=_ZdlPv -ljemalloc
hooked tcmalloc -Dmalloc=tc_malloc -Dfree=tc_free -Dcalloc=tc_calloc \
    -Drealloc=tc_realloc -Daligned_alloc=tc_memalign \
    -Dmalloc_usable_size=tc_malloc_size -ltcmalloc_minimal
hooked mimalloc -Dmalloc=mi_malloc -Dfree=mi_free -Dcalloc=mi_calloc \
    -Drealloc=mi_realloc -Daligned_alloc=mi_aligned_alloc \
    -Dmalloc_usable_size=mi_usable_size -lmimalloc
unset GLIBC_TUNABLES

# --- with samples ------------------------------------------------------------
# Which blocks are recorded the seed decides; what each of them stands for is
# known. The last that is allocated, the largest, makes the peak.
run "$BIN/ht-record" --usable --sample 1K -q -o u.ht "$PROG/usable"
is "$status$(err)" 0 'sampled: recorded'
is "$(grep -c '^a .* u' u.ht)" "$(grep -c '^a ' u.ht)" \
    'sampled: no class is without'
perl -ne '
	if (/^a (\w+) .* u(\w+)$/) { push @c, [hex $1, hex $2] }
	elsif (/^\+ (\w+)/) { $live{hex $1}++; %peak = %live }
	elsif (/^- (\w+)/) { $live{hex $1}-- }
	END {
		for (keys %peak) {
			my ($size, $usable) = @{$c[$_]};
			my $p = 1 - exp(-($size || 1) / 1024);
			$sum += $peak{$_} * ($usable - $size) / $p;
		}
		printf "%d\n", $sum;
	}' u.ht >want
run "$BIN/ht-top" --totals u.ht
ok '[ "$(cat want)" -gt 3000 ]' 'sampled: there is something'
between $(($(cat want) - 1)) "$(said rounding out)" \
    $(($(cat want) + 1)) 'sampled: what each stands for'
run "$BIN/ht-top" --sort rounding u.ht
like "$(out)" 'rounding +% +of peak' 'sampled: there is no interval of it'

# --- the program's own ---------------------------------------------------------
# What a program calls a block need not be one.
run "$BIN/ht-record" --usable -q -o u.ht "$PROG/usespool" "$PROG/heaptracked"
is "$status$(err)" 0 'annotated blocks: recorded'

# Without it nothing is said of it, and the trace is as ever.
run "$BIN/ht-record" -q -o n.ht "$PROG/usable"
run "$BIN/ht-top" n.ht
unlike "$(out)" rounding 'without --usable: not a word'
is "$(grep -c '^a .* u' n.ht)" 0 'nor a u'

# --- a program that runs already ---------------------------------------------
rm -f u.ht t.sym
"$PROG/usable" wait >told 2>prog.err &
pid=$!
background $pid
wait_for 10 'grep -q ready told'
"$BIN/ht-record" -q --usable -p $pid -o u.ht 2>rec.err &
rec=$!
background $rec
wait $pid
wait $rec
is "$?$(cat rec.err)" 0 'attached'
check attached
done_testing
