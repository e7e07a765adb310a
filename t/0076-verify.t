#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Oracle for stacks: with HT_VERIFY=1 every captured stack is compared with what
# libunwind's unw_backtrace finds at the same point. Not one differs.
. "${0%/*}/lib.sh"
need jq sqlite3 cppcheck clang git gdb xz ld.lld /usr/bin/python3

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
	case $t_name in
	racers|forker*)	;;
	*)	same out plain.out "$t_name: output" ;;
	esac
	ok "[ $(found ' \([0-9]*\) stacks') -ge $least ]" \
	    "$t_name: $(found ' \([0-9]*\) stacks') stacks compared"
	is "$(found ' \([0-9]*\) differences')" 0 "$t_name: none differs"
}

# found PATTERN: a number out of what ht-record said of the last comparison.
found() {
	err | sed -n "s/^verified:.*$1.*/\\1/p" | grep . || echo 0
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
mkdir repo
(cd repo && git init -q && cp "$SRC"/libht/*.c . && git add . &&
    git -c user.name=t -c user.email=t@t commit -qm one)
verified git 1000 git -C repo log -p --stat
verified gdb 5000 gdb -nx -batch -ex 'info line main' "$PROG/grow"
verified xz 10 xz -k -c in.json

# Every kind of frame that a stack can have; then the same as clang makes them
# at -O3 with link-time optimisation, without frame pointers throughout, and
# with control-flow protection. Only the sections "cut..." have frames that
# nobody can unwind.
verified torture 8000 "$PROG/unwind-torture"
ok "[ $(found '(\([0-9]*\) compared up to') -le 900 ]" \
    'torture: what is cut is what cannot be unwound'
while read -r name cc; do
	if $cc -g -w -I"$T/prog" -fno-builtin -o torture \
	    "$T/prog/unwind-torture.c" -Wl,-z,lazy -lpthread -ldl; then
		verified "torture, $name" 8000 ./torture
	else
		fail "torture, $name: builds"
	fi
done <<'END'
lto clang -O3 -flto -fuse-ld=lld
nofp gcc -O2 -fomit-frame-pointer
cf gcc -O2 -fcf-protection
END

# As if the loader could not be asked which object has a pc: before glibc 2.35.
HT_LINK_MAP=1
export HT_LINK_MAP
verified 'jq, by the list' 10000 jq -c 'map(.name) | sort | length' in.json
verified 'python3, by the list' 10000 /usr/bin/python3 -S -c \
    'import json, ctypes, decimal; print(len(json.dumps(list(range(999)))))'
verified 'torture, by the list' 8000 "$PROG/unwind-torture"
verified 'forker, by the list' 1000 "$PROG/forker"
unset HT_LINK_MAP

# The check has power: a remembered stack that is believed without a look is
# found out.
run -s env HT_VERIFY=1 HT_UNPROVED=1 "$BIN/ht-record" -o t.ht \
    cppcheck -q --enable=all src/churn.c
ok "[ $(found ' \([0-9]*\) differences') -gt 100 ]" \
    'unproved prefixes: differences are seen'
done_testing
