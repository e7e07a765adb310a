#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Where ht-symbolize finds the names: debug files by build id, by debuglink,
# shared by dwz, compressed, split, inside .gnu_debugdata; --sysroot,
# --debug-path, --extra-path. And what it must not open.

. "${0%/*}/lib.sh"
need gcc objcopy strip readelf objdump dwz xz perl

cat >prog.c <<'END'
#include <stdlib.h>
void *volatile keep;
static inline __attribute__((always_inline)) void inner(int n)
{
	keep = malloc(n + 1);
}
__attribute__((noinline)) void outer(int n)
{
	inner(n);
	keep = 0;
}
int main(int argc, char **argv)
{
	(void)argv;
	outer(argc);
	return 0;
}
END
full='inner prog.c:5 < outer prog.c:9'

# trace FILE PATH [ID]: one address, that of the call in outer() of FILE, in a
# module called PATH.
call=
trace() {
	[ -n "$call" ] || call=$(objdump -d --no-show-raw-insn "$1" |
	    sed -n '/<outer>:/,/^$/s/^ *\([0-9a-f]*\):.call.*/\1/p' | head -n 1)
	id=${3-$(readelf -n "$1" | sed -n 's/^ *Build ID: //p')}
	printf 'v 100 3\n#H f ht-record 0.1.0\n'
	[ -z "$id" ] || printf '#B %x %s %x %s\n' ${#id} "$id" ${#2} "$2"
	printf 'm %x %s 0 0 10000000\n' ${#2} "$2"
	printf 't %x 0\n#E exit 0\n' $((0x$call + 4))
}

# names [OPTION…] TRACE
names() {
	LIMIT=20 run "$BIN/ht-symbolize" "$@"
	perl "$T/prog/frames.pl" "$TMP/out" >"$TMP/names"
}

# all: the whole answer, and nothing else said.
full() {
	is "$(cat names)" "$full" "$1"
	is "$status:$(err)" "0:" "$1: nothing to say"
}

build() {
	call=
	gcc -g -O2 -Wl,--build-id=sha1 "$@" -o prog prog.c || fail "prog.c compiles with $*"
	trace prog "$PWD/prog" >t.ht
}

build
names t.ht
full "debug information in the module itself"

# --- separate debug files ---
objcopy --only-keep-debug prog prog.dbg
id=$(readelf -n prog | sed -n 's/^ *Build ID: //p')
dir=${id%"${id#??}"}
mkdir -p "dbg/.build-id/$dir"
cp prog.dbg "dbg/.build-id/$dir/${id#??}.debug"
strip prog
names t.ht
is "$(cat names)" "prog+0x$(printf %x $((0x$call + 4)))" \
    "stripped: the module and the offset"
names --debug-path "/nonexistent:$PWD/dbg" t.ht
full "a debug file by its build id"
mv prog prog.gone
names --debug-path "$PWD/dbg" t.ht
full "a debug file by its build id, the module being gone"
names t.ht
is "$(cat names)" "prog+0x$(printf %x $((0x$call + 4)))" \
    "a module that is gone: its name and the offset"
is "$(err)" \
    "ht-symbolize: $PWD/prog is not here: its names are left out" \
    "a module that is gone is mentioned"
names -q t.ht
is "$(err)" "" "-q: it is not"
mv prog.gone prog

for where in . .debug glob; do
	rm -rf .debug prog.debug glob
	objcopy --remove-section .gnu_debuglink prog
	cp prog.dbg prog.debug
	objcopy --add-gnu-debuglink=prog.debug prog
	case $where in
	.debug)	mkdir .debug; mv prog.debug .debug ;;
	glob)	mkdir -p "glob$PWD"; mv prog.debug "glob$PWD" ;;
	esac
	names --debug-path "$PWD/glob" t.ht
	full "a debug file by debuglink in $where"
done
rm -rf glob .debug

# Without a build id the checksum decides.
build -Wl,--build-id=none
objcopy --only-keep-debug prog prog.debug
strip prog
objcopy --add-gnu-debuglink=prog.debug prog
names t.ht
full "a debug file by debuglink, without build ids"
printf x >>prog.debug
names t.ht
is "$(cat names)" "prog+0x$(printf %x $((0x$call + 4)))" \
    "a debug file with another checksum is not used"
rm prog.debug

# --- forms of debug information ---
build -gz=zlib
ok 'readelf -SW prog | grep -A1 debug_info | grep -q C' "sections are compressed"
names t.ht
full "compressed sections"
for v in 4 5; do
	build "-gdwarf-$v" -gsplit-dwarf
	ok 'ls *.dwo >/dev/null' "DWARF $v is split"
	names t.ht
	full "split DWARF $v"
	rm -f *.dwo
	names t.ht
	like "$(cat names)" '^outer( prog.c:[59])?$' \
	    "split DWARF $v without its .dwo file: what is left"
done
build
cp prog two
dwz -m common prog two 2>/dev/null || fail "dwz shares what is common"
ok 'readelf -SW prog | grep -q gnu_debugaltlink' "dwz moved some of it"
names t.ht
full "dwz"
rm -f two common
names t.ht
is $status 0 "dwz, its file being gone: no matter"

build
nm -D prog --format=posix --defined-only | awk '{ print $1 }' | sort >dyn
nm prog --format=posix --defined-only |
    awk '$2 == "T" || $2 == "t" { print $1 }' | sort | comm -13 dyn - >keep
objcopy --only-keep-debug prog prog.dbg
objcopy -S --remove-section .gdb_index --remove-section .comment \
    --keep-symbols=keep prog.dbg mini
strip prog
xz mini
objcopy --add-section .gnu_debugdata=mini.xz prog
names t.ht
is "$(cat names)" outer "the symbols in .gnu_debugdata"
build -g0
names t.ht
is "$(cat names)" outer "the symbol table"
build -g0 -rdynamic
strip prog
names t.ht
is "$(cat names)" outer "the dynamic symbol table"

# --- places ---
build
mkdir -p sysroot/opt/x
trace prog /opt/x/prog >o.ht
mv prog sysroot/opt/x/prog
names --sysroot "$PWD/sysroot" o.ht
full "--sysroot"
names --extra-path "$PWD/nowhere:$PWD/sysroot/opt/x" o.ht
full "--extra-path"
strip -o sysroot/s sysroot/opt/x/prog
objcopy --only-keep-debug sysroot/opt/x/prog d
mv sysroot/s sysroot/opt/x/prog
id=$(readelf -n sysroot/opt/x/prog | sed -n 's/^ *Build ID: //p')
dir=${id%"${id#??}"}
mkdir -p "sysroot/usr/lib/debug/.build-id/$dir"
cp d "sysroot/usr/lib/debug/.build-id/$dir/${id#??}.debug"
names --sysroot "$PWD/sysroot" o.ht
full "a debug file below --sysroot"

# --- another file than the recorded one ---
build
trace prog "$PWD/prog" 0123456789abcdef >w.ht
sed -n '/^[#m][Bb]* /p; /^t /p; /^v/p' w.ht >w2.ht
names w.ht
is "$(cat names)" "prog+0x$(printf %x $((0x$call + 4)))" \
    "another build id: no names"
is "$(err)" "ht-symbolize: prog has another build id than the recorded one: its names are left out" \
    "another build id: said"
cat w.ht w.ht >ww.ht
names ww.ht
is "$(err | wc -l)" 1 "another build id: said once"

# --- of what a trace names only regular files are opened ---
mkfifo fifo
for path in "$PWD/fifo" /dev/zero /dev/tty "$PWD" /proc/self/mem; do
	trace prog "$path" '' >f.ht
	names f.ht
	is $status 0 "not opened: $path"
done

# Nor what a module names, when it is there but no regular file.
build
objcopy --only-keep-debug prog prog.debug
strip prog
objcopy --add-gnu-debuglink=prog.debug prog
rm -f prog.debug
mkfifo prog.debug
names t.ht
is $status 0 "not opened: a debuglink to a FIFO"
for v in 4 5; do
	build "-gdwarf-$v" -gsplit-dwarf
	for f in *.dwo; do
		rm -f "$f"
		mkfifo "$f"
	done
	names t.ht
	is $status 0 "not opened: a .dwo file that is a FIFO (DWARF $v)"
	rm -f *.dwo
done
build
cp prog two
dwz -m common prog two 2>/dev/null || fail "dwz shares what is common"
rm -f common
mkfifo common
names t.ht
is $status 0 "not opened: a shared file that is a FIFO"

trace prog "$PWD/nobody" >n.ht
sed 's/^t .*//' n.ht >nn.ht
if command -v strace >/dev/null; then
	trace prog /opt/never >n.ht
	sed '/^t /d' n.ht >nn.ht
	ASAN_OPTIONS=detect_leaks=0 strace -f -o st "$BIN/ht-symbolize" nn.ht >/dev/null
	ok '! grep -q /opt/never st' \
	    "a module without an address in the trace is not opened"
else
	ln -s /proc/self/mem link
	trace prog "$PWD/link" '' >n.ht
	sed '/^t /d' n.ht >nn.ht
	names nn.ht
	is "$(err)" "" \
	    "a module without an address in the trace is not looked for"
fi

done_testing
