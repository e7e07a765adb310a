#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# <ht.h>: C and C++, executables and libraries, of either libc, static ones, and
# that nothing is linked; marks, pauses and pools in the trace.

. "${0%/*}/lib.sh"
need perl jq

api=$SRC/ht-record/preload

# What is in a trace: marks, and blocks of each pool as the trace has them.
told() {
	perl -ne 'if (/^#M \w+ (.*)/) { print "mark $1\n" }
	    elsif (/^#K (\w+) (.*)/) { $k{$1} = $2 }
	    elsif (/^a (\w+) (\w+)/) { push @c, $k{$2} && "$k{$2} " . hex $1 }
	    elsif (/^\+ (\w+)/) { print "$c[hex $1]\n" if $c[hex $1] }
	    elsif (/^- (\w+)/) { print "free $c[hex $1]\n" if $c[hex $1] }
	    elsif (/^#Q (.)/) { print "recording $1\n" }' t.ht
}

cat >want.program <<'END'
mark program
pool arena 10
pool arena 20
mark end
END
cat >want.both <<'END'
mark program
pool arena 10
pool arena 20
mark library
pool arena 40
free pool arena 40
mark end
END

record "$PROG/annotated" "$PROG/annotation"
told >got
same got want.both 'a program in C++, and a library loaded later, in C'
run "$BIN/ht-top" --by kind t.ht
like "$(out)" '^marks: program at .* s, library at .* s, end at' 'marks in a report'
run "$BIN/ht-top" --format json t.ht
is "$(jq -r '.marks[].mark' out)" 'program
library
end' 'in JSON, too'
run "$BIN/ht-top" --totals --filter kind=arena --from mark=library t.ht
like "$(out)" '^allocations	1$' 'from a mark on'
run "$BIN/ht-top" --totals --filter kind=arena --to mark=library t.ht
like "$(out)" '^allocations	2$' 'before a mark'
run "$BIN/ht-top" --totals --from mark=nowhere t.ht
is "$status $(err)" "1 ht-top: the program set no such mark: 'mark=nowhere'" \
    'a mark that is not there'
run "$BIN/ht-top" --from mark=end --bucket 64ms t.ht
is "$status" 2 'a bucket has no mark'

# built NAME COMPILER…: the program and the library, in every way that there is.
built() {
	t_name=$1
	shift
	run "$@"
	is "$status $(err)" '0 ' "$t_name: builds, in silence"
}
for std in c89 c99 c11 gnu17; do
	built "$std" gcc -std=$std -pedantic -Wall -Wextra -Wmissing-prototypes \
	    -Wshadow -Werror -fsyntax-only -x c "$api/ht.h" -Wno-unused
done
for std in c++98 c++11 c++20; do
	built "$std" g++ -std=$std -pedantic -Wall -Wextra -Werror -fsyntax-only \
	    -x c++ "$api/ht.h" -Wno-unused
done
run sh -c "echo '#include \"$api/ht.h\"
int main(void) { ht_mark(\"x\"); return 0; }' | gcc -DHT_NO_API -O1 -xc - -o no &&
    nm no | grep -c ht_api"
is "$(out)" 0 'HT_NO_API takes it all out'

while read -r name flags; do
	g++ $flags -O2 -g -w "$T/prog/annotated.cc" -o p -ldl || fail "$name"
	record ./p
	told >got
	same got want.program "recorded: $name"
done <<'END'
no-pie -fno-pie -no-pie
O0 -O0
lto -flto
lld -fuse-ld=lld -Wl,--gc-sections -ffunction-sections -fdata-sections
END
clang++ -O2 -w "$T/prog/annotated.cc" -o p -ldl
record ./p
told >got
same got want.program 'recorded: clang'

# Two files of one program have one pointer; what is static has none to fill.
cat >two.c <<END
#include "$api/ht.h"
static char room[8];
void two(void) { ht_mark("program"); ht_pool_alloc("two", room, 8); }
END
cat >one.c <<END
#include "$api/ht.h"
void two(void);
int main(void) { two(); ht_mark("end"); return 0; }
END
for static in '' -static -static-pie; do
	gcc -O2 -g one.c two.c -o p $static || fail "builds: $static"
	run ./p
	is "$status$(err)" 0 "runs: $static"
	is "$(nm p | grep -c ' ht_api_$')" 1 "one pointer: $static"
	[ "$static" ] && continue
	record ./p
	told >got
	printf 'mark program\npool two 8\nmark end\n' >want
	same got want 'two files of a program'
	symbolize t.ht
	replay --stacks --kind 'pool two' t.sym
	like "$(cat re)" '^stack	.*main;two;ht_pool_alloc	1	' 'the caller is on the stack'
done

# musl.
if command -v musl-gcc >/dev/null; then
	musl-gcc -O2 -g one.c two.c -o p
	record ./p
	told >got
	same got want 'a program of musl'
	musl-gcc -static -O2 -g one.c two.c -o p
	run ./p
	is "$status$(err)" 0 'a static one'
else
	skip 'musl' 'there is no musl-gcc'
fi

# More marks than there is room for at a time, each one there and in order.
cat >marks.c <<END
#include <stdio.h>
#include "$api/ht.h"
int main(void)
{
	char text[32];

	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof text, "mark %d", i);
		ht_mark(text);
	}
	return 0;
}
END
gcc -O2 -g marks.c -o p
record ./p
told >got
perl -e 'print "mark mark $_\n" for 0 .. 4999' >want
same got want '5000 marks'

# Installed.
run make -s -C "$SRC" install OUT="$HT_OUT" NPM= DESTDIR="$TMP/i" PREFIX=/usr
is "$status $(err)" '0 ' 'make install'
ok '[ -f i/usr/include/ht.h ] && [ -f i/usr/share/man/man3/ht-api.3 ]' \
    'has the header and its page'
run gcc -I i/usr/include -xc - -o p <<'END'
#include <ht.h>
int main(void) { ht_pause(); ht_resume(); return 0; }
END
is "$status$(err)" 0 'which is all that it takes'

done_testing
