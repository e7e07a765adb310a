#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Oracle for stacks: with HT_VERIFY=1 every captured stack is compared with what
# libunwind's unw_backtrace finds at the same point. Not one differs.
. "${0%/*}/lib.sh"
need jq sqlite3 cppcheck clang /usr/bin/python3

# verified NAME LEAST COMMAND…: at least so many were compared.
verified() {
	t_name=$1 least=$2
	shift 2
	LIMIT=200
	run -s "$@"
	plain=$status
	cp out plain.out
	run -s env HT_VERIFY=1 "$BIN/ht-record" -o t.ht "$@"
	is $status $plain "$t_name: status"
	[ "$t_name" = racers ] || [ "$t_name" = forker ] ||
	    same out plain.out "$t_name: output"
	line=$(err | grep -a '^verified: ' | tail -n 1 | tr -d ,)
	like "$line" '[0-9]' "$t_name: says what it compared"
	n=$(echo "$line" | sed -n 's/[^0-9]*\([0-9][0-9]*\).*/\1/p')
	ok "[ ${n:-0} -ge $least ]" "$t_name: ${n:-0} stacks compared"
	like "$line" '(^|[^0-9])0 diff|no diff' "$t_name: none differs: $line"
}

verified counts 3000 "$PROG/counts"
verified racers 10000 "$PROG/racers" 8 2000
verified throw 1000 "$PROG/throw"
verified sigalt 50 "$PROG/sigalt"
verified deep 20 "$PROG/deep" 2000
verified life 50 "$PROG/life"
verified churn 1000 "$PROG/churn" 200 20
verified forker 1000 "$PROG/forker"
awk 'BEGIN { print "["; for (i = 1; i <= 2000; i++) printf "%s{\"id\":%d,\"name\":\"item %d\"}\n", (i > 1 ? "," : ""), i, i; print "]" }' >in.json
verified jq 10000 jq -c 'map(.name) | sort | length' in.json
verified sqlite3 10000 sqlite3 :memory: 'with recursive c(n) as (select 1 union all select n + 1 from c where n < 5000) select sum(length(hex(n))) from c;'
mkdir src
cp "$T"/prog/churn.c "$T"/prog/truth.h src
verified cppcheck 10000 cppcheck -q --enable=all src/churn.c
verified clang 5000 clang -fsyntax-only -w src/churn.c
PYTHONMALLOC=malloc PYTHONHASHSEED=0
export PYTHONMALLOC PYTHONHASHSEED
verified python3 10000 /usr/bin/python3 -S -c \
    'import json; print(len(json.dumps(list(range(999)))))'
done_testing
