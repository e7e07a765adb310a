#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Oracle: heaptrack. The same programs recorded by both, both read by
# heaptrack_print: the same calls by the same functions. And heaptrack_print
# on what ht-symbolize wrote says what ht-top says.
. "${0%/*}/lib.sh"
need heaptrack heaptrack_print jq sqlite3 xz cppcheck /usr/bin/python3 zstd

# table FILE: function<TAB>calls out of heaptrack_print's text. What has no name
# is summed up by module: heaptrack gives one address for all of it, we each
# one's offset.
calls_by_function() {
	perl -ne '
		$on = 1 if /^MOST CALLS/;
		$on = 0 if /^(PEAK|MOST TEMP|MEMORY LEAKS)/;
		next unless $on;
		if (defined $n && !defined $f) { chomp; $f = $_; next }
		if (defined $n) {
			chomp;
			s/^ *(in|at) //;
			$f = "? in $_" if $f =~ /^(0x[0-9a-f]+|.*\+0x[0-9a-f]+)$/;
			$f =~ s/\(.*\)$// if $ENV{STRIP};
			$sum{$f} += $n;
			undef $n;
		}
		($n, $f) = ($1) if /^(\d+) calls? to allocation functions? with/;
		END { print "$_\t$sum{$_}\n" for sort keys %sum }' "$1"
}

value() {
	sed -n "s/^$1: \([0-9.a-zA-Z]*\).*/\1/p" "$2" | tail -n 1
}

# both NAME EXTRA COMMAND…: EXTRA is 1 where the program itself does not load
# libstdc++: heaptrack's library does, and its constructor allocates once.
both() {
	t_name=$1 extra=$2
	shift 2
	rm -f ht.zst hp.zst
	LIMIT=120
	run heaptrack -o "$TMP/hp" "$@"
	plain=$status
	[ -e hp.zst ] || { mv hp.gz hp.zst; }
	run heaptrack_print -f hp.zst -n 100000 -s 0
	cp out hp.txt
	run "$BIN/ht-record" -q -o t.ht "$@"
	is $status 0 "$t_name: runs"
	symbolize t.ht
	run heaptrack_print --disable-builtin-suppressions \
	    -f t.sym -n 100000 -s 0
	is $status 0 "$t_name: heaptrack_print reads what ht-symbolize wrote"
	is "$(err)" '' "$t_name: without a word"
	cp out our.txt
	calls_by_function hp.txt >hp.table
	calls_by_function our.txt >our.table
	# Its own extra call, by the name that it has here.
	if [ $extra = 1 ]; then
		awk -F '\t' 'NR == FNR { our[$1] = $2; next }
		    $2 == 1 && !($1 in our) && !done { done = 1; next }
		    { print }' our.table hp.table >x
		mv x hp.table
	fi
	same our.table hp.table "$t_name: each function as many calls"
	ok '[ $(wc -l <our.table) -ge 1 ]' "$t_name: there is something to compare"
	is $(($(value 'calls to allocation functions' hp.txt) - extra)) \
	    "$(value 'calls to allocation functions' our.txt)" "$t_name: in all"

	# And ht-top says the same as heaptrack_print of our stream.
	totals t.sym
	is "$(total allocations)" \
	    "$(value 'calls to allocation functions' our.txt)" \
	    "$t_name: ht-top: calls"
	# heaptrack_print rounds to three digits.
	for pair in 'peak:peak heap memory consumption' \
	    'leaked:total memory leaked' \
	    'peak_rss:peak RSS (including heaptrack overhead)'; do
		what=$(total ${pair%%:*})
		is "$(perl -e 'my $v = shift; my @u = ("B", "K", "M", "G");
			my $i = 0; while ($v >= 1000 && $i < 3) { $v /= 1000; $i++ }
			printf $i ? "%.2f%s" : "%d%s", $v, $u[$i]' "$what")" \
		    "$(value "${pair#*:}" our.txt)" "$t_name: ht-top: ${pair%%:*}"
	done
	# Temporaries: its rule is a free of the class that was allocated last,
	# with class 0 for "none"; ours are exact.
	replay --strict t.ht
	is "$(total temporary)" "$(re temporary)" "$t_name: ht-top: temporary"
	rule=$(perl -ne 'BEGIN { $p = "0" } if (/^\+ ([0-9a-f]+)/) { $p = $1 }
		elsif (/^- ([0-9a-f]+)/) { $n++ if $p eq $1; $p = "0" }
		END { print $n + 0 }' t.sym)
	is "$(value 'temporary memory allocations' our.txt)" "$rule" \
	    "$t_name: heaptrack_print: temporary by its rule"
}

awk 'BEGIN { print "["; for (i = 1; i <= 3000; i++) printf "%s{\"id\":%d,\"name\":\"item %d\"}\n", (i > 1 ? "," : ""), i, i; print "]" }' >in.json
both jq 1 jq -c 'map(.name) | sort | length' in.json
both sqlite3 1 sqlite3 :memory: 'with recursive c(n) as (select 1 union all select n + 1 from c where n < 9999) select sum(length(hex(n))) from c;'
mkdir src
cp "$T"/prog/churn.c "$T"/prog/truth.h src
both cppcheck 0 cppcheck -q --enable=all src/churn.c
PYTHONMALLOC=malloc PYTHONHASHSEED=0
export PYTHONMALLOC PYTHONHASHSEED
both python3 1 /usr/bin/python3 -S -c \
    'import json; print(len(json.dumps(list(range(9999)))))'
both churn 1 "$PROG/churn" 100 10
both deep 1 "$PROG/deep" 1000
both xz 1 xz -k -c in.json
mkdir repo
(cd repo && git init -q && cp "$SRC"/libht/*.c . && git add . &&
    git -c user.name=t -c user.email=t@t commit -qm one)
both git 1 git -C repo log -p --stat
both clang 0 clang -fsyntax-only -w src/churn.c
# heaptrack names C++ functions of a program by their symbol table without
# arguments where DWARF has them, so those are left out here.
STRIP=1
export STRIP
both throw 0 "$PROG/throw"
unset STRIP

# heaptrack 1.4 has no hook for memalign and pvalloc; all else is equal.
LIMIT=120
run heaptrack -o "$TMP/hp" "$PROG/counts"
run heaptrack_print -f hp.zst -n 100000 -s 0
cp out hp.txt
run "$BIN/ht-record" -q -o t.ht "$PROG/counts"
symbolize t.ht
run heaptrack_print -f t.sym -n 100000 -s 0
calls_by_function hp.txt | grep '^f_' >hp.table
calls_by_function out >our.table
is "$(grep -c -e '^f_memalign	100$' -e '^f_pvalloc	10$' our.table)" 2 \
    'counts: memalign and pvalloc are ours alone'
grep '^f_' our.table | grep -v -e '^f_memalign' -e '^f_pvalloc' >x
same x hp.table 'counts: all others are as many'
done_testing
