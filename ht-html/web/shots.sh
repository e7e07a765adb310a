#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
#     sh ht-html/web/shots.sh [DIR]
#
# Pictures of every view of the page, in light and dark, 1280 and 390 pixels
# wide: of a small C program (jq), of cppcheck and what has changed between two
# runs of it, and of a server with threads (redis). Into DIR (shots). HT_OUT is
# where `make OUT=…` built; needs what `make deps-test` installs.

set -eu
src=$(cd "${0%/*}/../.." && pwd -P)
HT_OUT=$(cd "${HT_OUT:-$src}" && pwd -P)
mkdir -p "${1:-shots}"
dir=$(cd "${1:-shots}" && pwd -P)
bin=$HT_OUT/bin
cd "$dir"

# recorded NAME PROGRAM…
recorded() {
	name=$1
	shift
	echo "recording $1"
	"$bin/ht-record" -q -o raw.ht "$@" >/dev/null 2>&1 || :
	"$bin/ht-symbolize" raw.ht | gzip -1 >"$name.gz"
	"$bin/ht-html" -o "$name.html" "$name.gz"
	rm raw.ht
}

recorded jq jq -n '[range(300000) | {a: ., b: "x\(.)"}] | length'
recorded base cppcheck -q --enable=all "$src/libht/out.c" "$src/libht/in.c"
recorded cppcheck cppcheck -q --enable=all "$src/libht/in.c" \
    "$src/libht/suppress.c"
"$bin/ht-html" -o compared.html --diff base.gz cppcheck.gz

(
	while [ ! -S redis.sock ]; do sleep 0.1; done
	redis-benchmark -s redis.sock -q -n 20000 -r 20000 \
	    -t set,get,lpush,hset,sadd
	redis-cli -s redis.sock shutdown nosave
) >/dev/null 2>&1 &
recorded redis redis-server --port 0 --unixsocket "$dir/redis.sock" \
    --save '' --io-threads 2 --io-threads-do-reads yes
wait

WEB=$HT_OUT/obj/ht-html/web node "$src/ht-html/web/shots.mjs" "$dir" \
    jq.html cppcheck.html compared.html redis.html
