#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs of musl: by the library as it is built for musl, and by the one that
# is built for this system's libc. musl has no _dl_find_object, no unwind
# information of its own, and another dlsym, malloc and dlclose.
. "${0%/*}/lib.sh"

if ! command -v musl-gcc >/dev/null; then
	skip 'programs of musl' 'there is no musl-gcc'
	done_testing
fi

run make -s -C "$SRC" CC=musl-gcc OUT="$TMP/musl" lib
is "$status $(err)" '0 ' 'the library builds with musl-gcc'
is "$(readelf -d musl/lib/libht-preload.so |
    sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')" libc.so 'it needs musl alone'
mkdir musl/bin
cp "$BIN/ht-record" musl/bin

# build SOURCE [FLAG…], with the table of unwind information, for which this
# wrapper, unlike every other gcc, does not ask.
build() {
	source=$T/prog/$1
	shift
	musl-gcc -O2 -g -w -Wl,--eh-frame-hdr -fno-builtin \
	    -fno-optimize-sibling-calls "$source" "$@" || fail "builds $source"
}
for name in grow life churn deep sigalt; do
	build $name.c -o $name
done
build host.c -o host
for name in one two; do
	build plugin.c -shared -fPIC -DFUNCTION=in_$name -o $name.so
done

# recorded CUT COMMAND…: every free meets its block, and CUT stacks go no
# further than into musl.
recorded() {
	cut=$1
	shift
	name="$built, $1"
	run "$R" -q -o t.ht "$@"
	is "$status $(err)" '0 ' "$name: runs"
	symbolize t.ht
	replay --strict --functions --stacks t.sym
	is "$(re unknown_frees) $(re doubles) $(re lost)" '0 0 0' \
	    "$name: every free meets"
	is "$(grep -c '^#C' t.ht)" "$cut" "$name: stacks without a root"
}

# Each function as it counted itself.
as_counted() {
	grep '^function' out | while read -r _ f counts; do
		echo "$f $(awk -F '\t' -v n="$f" '$1 == "function" && $2 == n {
			print $3, $4, $5 }' re) $counts"
	done | tr '\t' ' ' >both
	ok '[ -s both ]' "$name: it says what it did"
	is "$(awk '$2 != $5 || $3 != $6 || $4 != $7' both)" '' \
	    "$name: every function as it counted itself"
}

for R in "$TMP/musl/bin/ht-record" "$BIN/ht-record"; do
	built='built for musl'
	[ "$R" = "$BIN/ht-record" ] && built='built for glibc'
	recorded 0 ./churn 200 20
	as_counted
	recorded 0 ./deep 3000
	as_counted
	# Constructors and destructors are called by musl.
	recorded 4 ./life
	as_counted
	# A signal in the middle of raise, which is musl's.
	recorded 1 ./sigalt
	recorded 0 ./host ./one.so ./two.so ./one.so
	for f in in_one:4:2:308 in_two:2:1:154; do
		is "$(awk -F '\t' -v n="${f%%:*}" '$1 == "function" &&
		    $2 == n { print $3 ":" $4 ":" $5 }' re)" "${f#*:}" \
		    "$name: ${f%%:*}"
	done
done

# env is a program of glibc.
recorded 0 env -i ./churn 20 10
as_counted
done_testing
