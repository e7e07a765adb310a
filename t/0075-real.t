#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Real programs, recorded end to end: their output and status are as without
# recording, and the report names what it has to.
. "${0%/*}/lib.sh"
need jq sqlite3 cppcheck clang g++ xz git gdb redis-server redis-benchmark \
    /usr/bin/python3

R=$BIN/ht-record

# end_to_end NAME FUNCTION-PATTERN COMMAND…: the whole pipeline, as a user has
# it; FUNCTION-PATTERN is one that the symbolised trace names.
end_to_end() {
	t_name=$1 pattern=$2
	shift 2
	LIMIT=120
	run -s "$@"
	plain=$status
	cp out plain.out
	cp err plain.err
	run -s "$R" -q -o t.ht.gz "$@"
	is $status $plain "$t_name: status"
	same out plain.out "$t_name: stdout"
	same err plain.err "$t_name: stderr"
	symbolize t.ht.gz
	totals t.sym
	ok '[ "$(total allocations)" -gt 10 ]' \
	    "$t_name: $(total allocations) allocations"
	is "$(total lost)" 0 "$t_name: none lost"
	grep -a '^s ' t.sym >names
	like "$(grep -aE -e "$pattern" names | head -n 1)" "$pattern" \
	    "$t_name: names $pattern"
	is "$(grep -ac '^#[UD]' t.sym)" 0 "$t_name: every free meets its block"
	run "$BIN/ht-top" t.sym
	is $status 0 "$t_name: the report"
	is "$(err)" '' "$t_name: without a complaint"
}

# 20 MB of JSON.
awk 'BEGIN { print "["; for (i = 1; i <= 220000; i++) printf "%s{\"id\":%d,\"name\":\"item number %d\",\"tags\":[\"a%d\",\"b%d\"],\"price\":%d.%02d,\"x\":null}\n", (i > 1 ? "," : ""), i, i, i % 7, i % 11, i % 300, i % 100; print "]" }' >big.json
ok '[ $(wc -c <big.json) -gt 18000000 ]' 'a JSON file of 20 MB'
end_to_end jq 'jv_' jq -c 'map(select(.id % 1000 == 0)) | length' big.json
rm -f big.json t.sym

end_to_end sqlite3 'sqlite3' sqlite3 :memory: \
    'create table t(a, b); with recursive c(n) as (select 1 union all select n + 1 from c where n < 20000) insert into t select n, hex(n) from c; create index i on t(b); select count(*), min(b) from t where b > 3;'
PYTHONMALLOC=malloc PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
export PYTHONMALLOC PYTHONHASHSEED PYTHONDONTWRITEBYTECODE
end_to_end python3 '_PyEval_EvalFrameDefault|PyObject_Malloc' \
    /usr/bin/python3 -c 'import json, re, argparse, decimal
print(len(json.dumps({str(i): [i] * 3 for i in range(9999)})))'

mkdir src
cp "$T"/prog/*.c "$T"/prog/*.h "$T"/prog/*.cc src
end_to_end cppcheck 'Token|std::' cppcheck -q src/racers.c src/killme.c
end_to_end clang 'clang::|llvm::' clang -fsyntax-only -w src/counts.c
end_to_end 'clang, with an error' 'clang::|llvm::' clang -fsyntax-only -w \
    -DN=nonsense src/counts.c
end_to_end g++ 'main|xmalloc|obstack' g++ -O2 -w -S -o - src/throw.cc
end_to_end xz 'lzma_' xz -k -c -2 src/counts.c
# Debian's git has no symbols: module and offset.
end_to_end git 'xmalloc|strbuf|git\+0x' git -C "$SRC" -c safe.directory='*' log \
    --stat -n 30
end_to_end gdb 'xmalloc|gdb' gdb -q -nx -batch -ex 'info line main' \
    -ex 'info functions race' -ex 'list race' "$PROG/racers"
end_to_end sh 'memalloc|ckmalloc|dash|sh' sh -c 'for i in 1 2 3; do echo $i; done'
end_to_end ls 'ls' ls -lR /usr/include
end_to_end 'perl' 'Perl_' perl -e 'my %h = map { $_ => [1 .. 5] } 1 .. 9999; print scalar(keys %h), "\n"'

# --- a server under load ---------------------------------------------------
port=$((20000 + $$ % 20000))
t_ran='redis-server'
"$R" -q -o redis.ht.zst redis-server --port $port --save '' --appendonly no \
    --daemonize no >redis.out 2>redis.err &
pid=$!
background $pid
wait_for 20 'redis-cli -p $port ping 2>/dev/null | grep -q PONG'
LIMIT=60
run redis-benchmark -q -p $port -n 5000 -c 10 -d 100 -t set,get,lpush,lrange_100
is $status 0 'redis-server: serves the benchmark'
like "$(out)" 'SET:.*requests per second' 'with answers'
run redis-cli -p $port dbsize
like "$(out)" '^[1-9]' 'and has what was put into it'
redis-cli -p $port shutdown nosave >/dev/null 2>&1
wait $pid
is $? 0 'redis-server: shuts down as asked'
symbolize redis.ht.zst
totals t.sym
ok '[ "$(total allocations)" -gt 10000 ]' \
    "redis-server: $(total allocations) allocations"
is "$(total lost)" 0 'redis-server: none lost'
is "$(grep -c '^#[UD]' t.sym)" 0 'redis-server: every free meets its block'
done_testing
