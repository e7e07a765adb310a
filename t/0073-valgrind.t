#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Oracle: valgrind memcheck's "total heap usage" of real programs. Allocations,
# frees and bytes asked for are equal, the whole run long.
. "${0%/*}/lib.sh"
need valgrind jq sqlite3 xz cppcheck /usr/bin/python3

# valgrind adds to the environment, and some programs copy theirs: what it adds
# is there too when we record, with a variable as long in place of LD_PRELOAD.
env | sort >plain.env
valgrind -q --log-file=/dev/null env 2>/dev/null | sort >vg.env
added=$(comm -13 plain.env vg.env | sed 's/^LD_PRELOAD=/HT_STANDIN=/')
like "$added" '^HT_STANDIN=/' 'what valgrind adds to the environment'

# oracle NAME COMMAND…
oracle() {
	t_name=$1
	shift
	LIMIT=200
	# What libc gives back only when valgrind asks it to is not the
	# program's doing.
	run valgrind --run-libc-freeres=no --run-cxx-freeres=no \
	    --log-file=vg.log "$@"
	plain=$status
	cp out vg.out
	# shellcheck disable=SC2086 (one word a line, none with a space)
	run env $added "$BIN/ht-record" -q -o t.ht "$@"
	is $status $plain "$t_name: status"
	same out vg.out "$t_name: output"
	totals t.ht
	set -- $(sed -n 's/.*total heap usage: \(.*\) allocs, \(.*\) frees, \(.*\) bytes.*/\1 \2 \3/p' \
	    vg.log | tr -d ,)
	is "$(total allocations)" "$1" "$t_name: allocations"
	is $(($(total allocations) - $(total leaked_blocks))) "$2" \
	    "$t_name: frees"
	if [ "$t_name" = python3 ]; then
		# An int that holds an address (id(), hash() of an object) has
		# one digit of 4 bytes more where addresses are large, as they
		# are not under valgrind. t/0072 compares these bytes exactly.
		more=$(($(total total_bytes) - $3))
		between 0 $more 2000 "$t_name: bytes, but for ints of addresses"
		is $((more % 4)) 0 "$t_name: $((more / 4)) digits"
	else
		is "$(total total_bytes)" "$3" "$t_name: bytes"
	fi
	is "$(total lost)" 0 "$t_name: nothing lost"
	ok "[ $1 -ge ${t_least:-1000} ]" "$t_name: there was something to count"
}

awk 'BEGIN { print "["; for (i = 1; i <= 3000; i++) printf "%s{\"id\":%d,\"name\":\"item %d\",\"tags\":[\"a%d\",\"b%d\"],\"price\":%d.%02d}\n", (i > 1 ? "," : ""), i, i, i % 7, i % 11, i % 300, i % 100; print "]" }' >in.json
oracle jq jq -c 'group_by(.tags[0]) | map({k: .[0].tags[0], n: length, sum: (map(.price) | add)})' in.json

cat >in.sql <<'END'
create table t(id integer primary key, name text, x real);
with recursive c(n) as (select 1 union all select n + 1 from c where n < 5000)
insert into t select n, 'row ' || (n * 7919 % 5003), n * 1.5 from c;
create index i on t(name);
select count(*), sum(x), group_concat(substr(name, 1, 5)) from
    (select * from t where name like 'row 1%' order by name);
delete from t where id % 3 = 0;
select name, count(*) from t group by substr(name, 5, 1) order by 2;
END
oracle sqlite3 sqlite3 :memory: '.read in.sql'

cat >in.py <<'END'
import json, re, collections
words = re.findall(r"\w+", "the quick brown fox jumps over the lazy dog " * 200)
tree = collections.defaultdict(list)
for i, w in enumerate(words):
    tree[w].append((i, w.upper(), {"n": i * i}))
text = json.dumps(tree, sort_keys=True)
back = json.loads(text)
print(len(text), sum(len(v) for v in back.values()))
END
PYTHONMALLOC=malloc PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
export PYTHONMALLOC PYTHONHASHSEED PYTHONDONTWRITEBYTECODE
oracle python3 /usr/bin/python3 -S in.py

awk 'BEGIN { for (i = 0; i < 60000; i++) print i * 7919 % 65537, "line", i }' >in.txt
t_least=10
oracle xz xz -k -c -1 -T1 in.txt
xz -k -1 -T1 in.txt
oracle 'xz -d' xz -dc in.txt.xz
t_least=1000

mkdir src
cp "$T"/prog/churn.c "$T"/prog/truth.h src
oracle cppcheck cppcheck -q --enable=all src/churn.c
done_testing
