#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every captured stack against libunwind's, at the same point (HT_VERIFY=1).
. "${0%/*}/lib.sh"

export HT_VERIFY=1 PYTHONMALLOC=malloc

# differences: of the last run; "" when it did not verify anything.
differences() {
	sed -n 's/^verified: [1-9][0-9]* stacks, \([0-9]*\) differences.*/\1/p' err
}

# agrees NAME CMD…
agrees() {
	name=$1
	shift
	run "$BIN/ht-record" -o t.ht "$@"
	is "$status" 0 "$name: status"
	is "$(differences)" 0 "$name: every stack is libunwind's"
}

awk 'BEGIN { printf "["; for (i = 0; i < 20000; i++)
	printf "%s{\"id\":%d,\"name\":\"n%d\"}", i ? "," : "", i, i * 7
	print "]" }' >in.json
agrees jq jq -c 'map(select(.id % 3 == 0)) | group_by(.name[1:2]) | length' \
    in.json
agrees python3 /usr/bin/python3 -c '
import json, re
x = json.dumps([{"a": i, "b": str(i)} for i in range(20000)])
print(len(json.loads(x)), len(re.findall("9+", x)))'
agrees sqlite3 sqlite3 :memory: '
	create table t(a, b);
	with recursive c(x) as (select 1 union all select x + 1 from c
	    where x < 20000) insert into t select x, hex(x * 7919) from c;
	select count(*), max(b) from t group by a % 7 order by 2;'
agrees cppcheck cppcheck -q --enable=style "$SRC/libht/num.c"
agrees clang clang -fsyntax-only -I"$SRC" -x c "$SRC/libht/num.c"
mkdir repo
(cd repo && git init -q && cp "$SRC"/libht/*.c . && git add . &&
    git -c user.name=t -c user.email=t@t commit -qm one)
agrees git git -C repo log -p --stat
agrees gdb gdb -nx -batch -ex 'info line main' "$PROG/grow"
agrees xz xz -k -c in.json
agrees torture "$PROG/unwind-torture"
# Its sections "cut…" alone have frames that nobody can unwind.
between 100 "$(sed -n 's/^verified.*(\([0-9]*\) compared up to.*/\1/p' err)" 900 \
    'torture: what is cut is what cannot be unwound'

# The same with clang at -O3 and link-time optimisation, without frame
# pointers throughout, and with control-flow protection.
while read -r name cc; do
	if ! $cc -g -w -I"$T/prog" -fno-builtin -o torture \
	    "$T/prog/unwind-torture.c" -Wl,-z,lazy -lpthread -ldl; then
		fail "$name: builds"
		continue
	fi
	agrees "torture, $name" ./torture
done <<'END'
lto clang -O3 -flto -fuse-ld=lld
nofp gcc -O2 -fomit-frame-pointer
cf gcc -O2 -fcf-protection
END

# The check has power: a remembered prefix that is believed without a look at
# the stack is found out.
export HT_UNPROVED=1
run "$BIN/ht-record" -o t.ht cppcheck -q --enable=style "$SRC/libht/num.c"
ok '[ "$(differences)" -gt 100 ]' 'an unproved prefix shows differences'
unset HT_UNPROVED

# Threads, each with a memory of its own.
agrees racers "$PROG/racers"

done_testing
