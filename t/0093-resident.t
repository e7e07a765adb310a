#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What of the resident set the heap explains, and what maps do, of a program
# that knows.
. "${0%/*}/lib.sh"
need jq

mkfifo go
"$BIN/ht-record" --mmap -q -o m.ht "$PROG/touched" <go >told 2>err &
rec=$!
background $rec
exec 3>go
wait_for 20 'grep -q pages told'
ok 'wait_for 20 "grep -q \"^R [0-9a-f]* m$(said pages told)\$\" m.ht"' \
    'the maps are looked at, and are as large as the program says'
exec 3>&-
wait $rec
is "$?$(cat err)" 0 'recorded'

run "$BIN/ht-top" --totals m.ht
cp out totals
is "$(total rss_maps)" "$(said maps told)" 'maps'
# What stdio wants is all that there is more.
between "$(said heap told)" "$(total rss_heap)" $(($(said heap told) + 8192)) \
    'the heap'
is $(($(total rss_maps) + $(total rss_heap) + $(total rss_rest))) \
    "$(total rss_explained)" 'it adds up'
between $(($(total rss_explained) / 65 * 64)) "$(total rss_explained)" \
    "$(total peak_rss)" 'to the peak, or nearly'
between $(($(total peak_rss) / 65 * 64)) "$(total rss_explained)" \
    "$(total peak_rss)" 'not much less'
run "$BIN/ht-top" m.ht
like "$(out)" '^of [0-9.]+ MB resident the heap explains 10\.5 MB .* maps 10\.5 MB .* the rest [0-9.]+ MB$' \
    'text'
run "$BIN/ht-top" --format json m.ht
is "$(jq .totals.rss_maps out)" "$(said maps told)" 'JSON'
if [ -x "$BIN/ht-html" ]; then
	run "$BIN/ht-html" -o page.html m.ht
	perl "$T/prog/page.pl" page.html >data.json
	is "$(jq '.now.rss_maps' data.json)" "$(said maps told)" 'ht-html'
	is "$(jq '.now | .rss_maps + .rss_heap + .rss_rest - .rss_explained' \
	    data.json)" 0 'ht-html: it adds up'
else
	skip 'ht-html' 'it is not built'
fi
"$BIN/ht-aggregate" m.ht >p
"$BIN/ht-aggregate" p m.ht >q
run "$BIN/ht-top" --totals q
is "$(grep rss_ out)" "$(grep rss_ totals)" 'profiles: the larger counts'
done_testing
