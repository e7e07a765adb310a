#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# `make bench` runs from end to end and what it leaves can be read. That any
# figure is good is not looked at: it is never a matter of passing.
. "${0%/*}/lib.sh"
need heaptrack make perl zstd

HT_BENCH_RUNS=1 HT_BENCH_SCALE=0.02 HT_BENCH_DIR=$TMP/b
export HT_BENCH_RUNS HT_BENCH_SCALE HT_BENCH_DIR
what='setops true'
# What is built with a sanitizer does not run under valgrind.
[ $sanitized = yes ] || what="$what instructions"
run env -u MAKEFLAGS make -s -C "$SRC" OUT="$HT_OUT" BENCH="$what" bench
is $status 0 'make bench'
like "$(out)" '^  setops +[0-9.]+ [kM] +1[0-9]\.[0-9] ' 'a line of the table'
like "$(out)" 'start-up: recording true, ht-record' 'the start-up cost'

cd "$TMP/b" || exit 1
for file in bench.txt bench.tsv bench.svg raw.tsv; do
	ok "[ -s $file ]" "there is $file"
done
is "$(head -n 1 bench.tsv | tr '\t' ' ')" \
    'section name what value low high unit budget met' 'a head for machines'
is "$(awk -F '\t' 'NF != 9' bench.tsv)" '' 'nine fields a line'
is "$(awk -F '\t' 'NR > 1 && $1 != "machine" &&
    (($4 + 0) != $4 || $5 > $4 + 0.001 * $4 || $6 < $4 - 0.001 * $4) &&
    $4 > 0' bench.tsv)" '' 'the median lies between least and largest'
for what in heaptrack ht; do
	is "$(awk -F '\t' -v w=$what '$1 == "wall" && $3 == w && $4 > 0 { n++ }
	    END { print n + 0 }' bench.tsv)" 1 "the ratio of $what"
done
ok "perl -ne 'print if /^<svg/ .. /^<.svg>/' bench.svg | cmp -s - bench.svg" \
    'the plot is one svg'
unlike "$(sed 's/ xmlns="[^"]*"//' bench.svg)" 'https?:|href|url\(' \
    'that needs nothing from elsewhere'

# Every process is counted for itself: the recorder's CPU is not the program's.
is "$(awk -F '\t' '$2 == "setops" && $3 == "ht" && $4 == "proc" { print $5 }' \
    raw.tsv | sort | tr '\n' ' ')" 'ht-record ht-symbolize setops sh zstd ' \
    'the processes of a pipeline, each once'
if [ $sanitized = no ]; then
	pairs=$(awk -F '\t' '$3 == "pair-24" && $4 == "each" {
	    print int($5) }' raw.tsv)
	between 50 "${pairs:-0}" 5000 'instructions of a malloc and a free'
fi

run env HT_BENCH_RUNS=0 sh "$T/bench/bench.sh"
is $status 1 'no rounds are no measurement'
run env BENCH=no-such sh "$T/bench/bench.sh"
is $status 1 'an unknown name is an error'
like "$(err)" 'cppcheck' 'that says which there are'
done_testing
