#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# `make demo`: records a real program on real input and prints the report.
# HT_OUT names the build (default: this tree); HT_DEMO the directory to work in
# (default: a new temporary one).

set -eu
SRC=$(cd "$(dirname "$0")/.." && pwd -P)
HT_OUT=${HT_OUT:-$SRC}
PATH=$HT_OUT/bin:$PATH
if [ -n "${HT_DEMO:-}" ]; then
	mkdir -p "$HT_DEMO"
	dir=$HT_DEMO
else
	dir=$(mktemp -d "${TMPDIR:-/tmp}/ht-demo.XXXXXX")
fi
cd "$dir"

say() {
	printf '\n== %s\n' "$*"
}

say "20 MB of JSON, made here: orders.json"
# The numbers come from a small generator of our own, so that every awk writes
# the same file.
awk 'function rnd(n) { x = (x * 16807) % 2147483647; return x % n }
BEGIN {
	x = 4711
	split("anvil,rope,lamp,kettle,saw,brush,clock,stove", item, ",")
	split("open,paid,sent,returned", state, ",")
	print "["
	for (i = 1; i <= 96000; i++) {
		printf("%s{\"id\":%d,\"customer\":\"c%05d\",", i > 1 ? ",\n" : "",
		    i, rnd(20000))
		printf("\"state\":\"%s\",\"items\":[", state[1 + rnd(4)])
		n = 1 + rnd(4)
		for (j = 1; j <= n; j++)
			printf("%s{\"what\":\"%s\",\"count\":%d,\"price\":%d.%02d}",
			    j > 1 ? "," : "", item[1 + rnd(8)], 1 + rnd(9),
			    rnd(300), rnd(100))
		printf("],\"note\":\"order %d, packed by %d on day %d\"}", i,
		    rnd(40), rnd(365))
	}
	print "\n]"
}' >orders.json
ls -l orders.json

filter='map(select(.state != "returned"))
	| group_by(.customer)
	| map({customer: .[0].customer,
	       total: ([.[].items[] | .count * .price] | add)})
	| sort_by(-.total) | .[0:5]'

say "jq asks for the best customers, recorded:"
echo "   ht-record jq FILTER orders.json | ht-symbolize | gzip > jq.ht.gz"
ht-record jq -c "$filter" orders.json 2>jq.out | ht-symbolize | gzip >jq.ht.gz
cat jq.out
ls -l jq.ht.gz

say "The report: ht-top -n 3 jq.ht.gz"
ht-top -n 3 jq.ht.gz

say "What to type next"
cat <<END
   PATH=$HT_OUT/bin:\$PATH; cd $dir
   ht-top --leaks jq.ht.gz          where is the memory that was never freed?
   ht-top --totals jq.ht.gz         the totals, for scripts
   zcat jq.ht.gz | less             the trace itself: ht-events(5)
   ht-record PROGRAM ARGUMENTS      record a program of yours
END
