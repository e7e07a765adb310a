#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Plugins found by the host's own RUNPATH; one unloaded and another in its
# place: each allocation names the plugin that made it.
. "${0%/*}/lib.sh"

plugin() {
	gcc -O2 -g -shared -fPIC -fno-builtin -fno-optimize-sibling-calls \
	    -DFUNCTION="$2" -o "$1" "$T/prog/plugin.c" || fail "builds $1"
}
mkdir plugins
cp "$PROG/host" .
plugin plugins/one.so in_one
plugin plugins/two.so in_two
plugin plugins/six.so in_six

run ./host one.so two.so
is $status 0 'the host finds its plugins'
like "$(readelf -d host)" 'RUNPATH.*\$ORIGIN/plugins' 'by its RUNPATH'
run "$BIN/ht-record" -q -o t.ht ./host one.so two.so six.so one.so
is "$status $(err)" '0 ' 'and does when it is recorded'
same_place=$(sort out | awk '/^at/ { n[$2]++ } END { for (a in n) if (n[a] > 1) print "yes" }' |
    head -n 1)
is "$same_place" yes 'one came to lie where another had been'
symbolize t.ht
replay --strict --functions --stacks t.sym
for f in in_one:4:2:308 in_two:2:1:154 in_six:2:1:154; do
	want=$(echo "${f#*:}" | tr : ' ')
	is "$(awk -F '\t' -v n="${f%%:*}" '$1 == "function" && $2 == n {
		print $3, $4, $5 }' re)" "$want" "${f%%:*}: its allocations"
done
like "$(cat re)" '^stack	([^;]*;)*main;entry;in_two	2	1	154	' 'whole stacks'
unlike "$(cat re)" '^stack	.*\?' 'every frame has its name'
is "$(re unknown_frees) $(re doubles) $(re cut)" '0 0 0' 'every free meets'

# Many times, so that everything that is kept by address is hit.
args=
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	args="$args one.so two.so six.so"
done

# Others call a plugin all the while. Once more as if the loader could not be
# asked which object has a pc, as before glibc 2.35: then its list is read while
# it changes.
for by in loader list; do
	HT_LINK_MAP=$([ $by = list ] && echo 1)
	export HT_LINK_MAP
	LIMIT=200 run env HT_VERIFY=1 "$BIN/ht-record" -o t.ht "$PROG/reload" \
	    60 "$TMP/plugins/one.so" "$TMP/plugins/two.so" \
	    "$TMP/plugins/six.so"
	is $status 0 "by the $by: while others call a plugin"
	like "$(err)" 'verified: .* 0 differences' "by the $by: no stack differs"
	calls=$(said calls)
	symbolize t.ht
	replay --strict --functions t.sym
	for f in in_one:$calls in_two:60 in_six:60; do
		n=${f#*:}
		is "$(awk -F '\t' -v n="${f%%:*}" '$1 == "function" &&
			$2 == n { print $3, $4, $5 }' re)" \
		    "$n $n $((n * 77))" "by the $by: ${f%%:*}, $n times"
	done
	is "$(re cut) $(re unknown_frees) $(re doubles)" '0 0 0' \
	    "by the $by: whole stacks, every free meets"

	run "$BIN/ht-record" -q -o t.ht ./host $args
	is $status 0 "by the $by: sixty times"
	symbolize t.ht
	replay --strict --functions t.sym
	for f in in_one in_two in_six; do
		is "$(awk -F '\t' -v n="$f" '$1 == "function" && $2 == n {
			print $3, $4, $5 }' re)" '40 20 3080' \
		    "by the $by: $f, sixty times"
	done
done
unset HT_LINK_MAP

# The file behind a name is replaced while the program runs: the build ids in
# the trace say that these are two.
cat >swap.sh <<'END'
cp plugins/one.so plugins/cur.so
exec ./host cur.so
END
plugin plugins/cur.so in_cur
run "$BIN/ht-record" -q -o t.ht ./host cur.so
rm plugins/cur.so
plugin plugins/cur.so in_another
run "$BIN/ht-symbolize" t.ht
unlike "$(out)" 'in_another' 'a file that was replaced does not lend its names'
like "$(err)" 'cur\.so.*build id' 'and that is said'
is "$(err | grep -c cur.so)" 1 'once'

# A plugin of a plugin, constructors, RTLD_GLOBAL: what a real host does.
run python3 -c 'import json, sqlite3, ctypes, decimal; print(decimal.Decimal(2) ** 99)'
plain=$(out)
run "$BIN/ht-record" -q -o t.ht /usr/bin/python3 -c \
    'import json, sqlite3, ctypes, decimal; print(decimal.Decimal(2) ** 99)'
is "$(out)" "$plain" 'python3 loads its extensions'
replay --strict t.ht
is "$(re unknown_frees) $(re doubles)" '0 0' 'python3: every free meets'
done_testing
