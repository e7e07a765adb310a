#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# An allocator that is not there is not shown to who asks for one; and where one
# cannot be reached, a sentence says so.
. "${0%/*}/lib.sh"
need objcopy strip

[ "$(uname -m)" = x86_64 ] || {
	skip 'unreached' 'for x86-64 only'
	done_testing
}

# --- probes ------------------------------------------------------------------
cat >probe.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
extern int mallctl(void) __attribute__((weak));
extern void *je_malloc(size_t) __attribute__((weak));
extern void *tc_malloc(size_t) __attribute__((weak));
extern void *mi_malloc(size_t) __attribute__((weak));
extern void *GC_malloc(size_t) __attribute__((weak));
int main(void)
{
	static const char *const name[] = {"mallocx", "rallocx", "xallocx",
	    "sdallocx", "mallctl", "je_malloc", "_rjem_malloc", "tc_malloc",
	    "tc_new", "mi_malloc", "mi_heap_malloc", "GC_malloc", "_Znwm",
	    "_ZdlPv", "_ZnwmSt11align_val_t", "MallocExtension_GetStats"};
	for (size_t i = 0; i < sizeof name / sizeof *name; i++)
		printf("%s %d %d\n", name[i], !!dlsym(RTLD_DEFAULT, name[i]),
		    !!dlsym(RTLD_NEXT, name[i]));
	printf("weak %d %d %d %d %d\n", !!mallctl, !!je_malloc, !!tc_malloc,
	    !!mi_malloc, !!GC_malloc);
	Dl_info at;
	void *real = dlsym(RTLD_NEXT, "malloc");
	printf("malloc %d\n", real && dladdr(real, &at));
	free(malloc(1));
	return 0;
}
END
gcc -O1 -w -fno-builtin -o probe probe.c -ldl || fail 'builds probe'
for so in '' jemalloc tcmalloc_minimal mimalloc; do
	path=$(ldconfig -p | awk -v l="lib${so:-no}.so" '
		index($1, l) == 1 && $1 != l { print $NF; exit }')
	run env LD_PRELOAD="$path" ./probe
	mv out plain
	run env LD_PRELOAD="$path" "$BIN/ht-record" -q -o t.ht ./probe
	is "$status $(err)" '0 ' "${so:-no allocator}: a program that probes"
	same out plain "${so:-no allocator}: finds what there is, and no more"
done

# --- within, and stripped ----------------------------------------------------
pic=$(gcc -print-file-name=libjemalloc_pic.a)
nm "$pic" 2>/dev/null | awk '$2 == "T" && $3 !~ /^_Z/ {
	print $3, "_rjem_" $3 }' | sort -u >names
objcopy --redefine-syms=names "$pic" librjem.a
echo '{ local: *; };' >local.map
gcc -O2 -w -fno-builtin -o rjem -DP=_rjem_ "$T/prog/entries.c" \
    -Wl,-u,_rjem_malloc librjem.a -Wl,--version-script=local.map -lstdc++ \
    -lpthread -ldl -lm || fail 'builds rjem'
strip -o stripped rjem
run "$BIN/ht-record" -o t.ht ./rjem
unlike "$(err)" 'not all|within' 'with symbols: nothing is to be said'
ok '[ "$(said allocations)" -gt 2000 ]' 'with symbols: it allocates'
replay t.ht
is "$(re allocations)" "$(said allocations)" 'with symbols: and that is seen'
run "$BIN/ht-record" -q -o t.ht ./stripped
is $status 0 'stripped: runs'
is "$(err)" 'ht-record: stripped has jemalloc within, and is stripped, so the functions of that were not found: what it allocates by them is missing' \
    'stripped: it is said'
mkfifo lines
./stripped wait <lines >prog.out &
pid=$!
background $pid
exec 9>lines
wait_for 10 'grep -q ready prog.out'
run "$BIN/ht-record" -q -p $pid -o t.ht --duration 50ms
like "$(err)" '^ht-record: stripped has jemalloc within' \
    'stripped: and when it is attached to'
exec 9>&-
wait $pid

# malloc itself is exported by whoever replaces it, stripped or not.
g++ -std=c++17 -O2 -w -fno-builtin -o operators "$T/prog/operators.cc" \
    "$(g++ -print-file-name=libjemalloc.a)" -lpthread -ldl -lm
strip operators
MALLOC_CONF=narenas:1,tcache:false run "$BIN/ht-record" -q -o t.ht \
    ./operators nothrow
is "$status $(err)" '0 ' 'stripped, but exported: nothing is to be said'
replay t.ht
ok '[ "$(re allocations)" -ge "$(said its_allocations)" ] &&
    [ "$(said its_allocations)" = "$(said allocations)" ]' \
    'stripped, but exported: all is seen'

# --- a function that cannot be hooked ----------------------------------------
# It jumps back to its second instruction.
cat >odd.c <<'END'
#include <stdlib.h>
void *mi_malloc(size_t n);
void *mi_new(size_t n);
__asm__(".globl mi_malloc\n.type mi_malloc, @function\nmi_malloc:\n"
	"xor %eax, %eax\n0: inc %eax\ncmp $3, %eax\njne 0b\njmp malloc@plt\n"
	".size mi_malloc, . - mi_malloc\n");
void *mi_new(size_t n) { return calloc(n, 1); }
END
gcc -O2 -w -fno-builtin -fno-optimize-sibling-calls -shared -fPIC -o odd.so \
    odd.c || fail 'builds odd.so'
cat >user.c <<'END'
#include <stdlib.h>
void *mi_malloc(size_t n);
void *mi_new(size_t n);
int main(void)
{
	for (int i = 0; i < 10; i++)
		free(mi_malloc(10)), free(mi_new(20));
	return 0;
}
END
gcc -O1 -w -fno-builtin -o user user.c ./odd.so -Wl,-rpath,. || fail 'builds'
run "$BIN/ht-record" -q -o t.ht ./user
like "$(err)" "^ht-record: not all of user was recorded: 'mi_malloc' of .*odd.so cannot be hooked: it jumps to where the hook would be\$" \
    'a function that cannot be hooked is named'
replay t.ht
is "$(re allocations) $(re total_bytes) $(re unknown_frees)" '20 300 0' \
    'and what it calls is seen, as are the others'

# --- nothing at all ----------------------------------------------------------
printf '#include <unistd.h>\nint main(void) { _exit(0); }\n' >none.c
gcc -o none none.c
run "$BIN/ht-record" -o t.ht ./none
like "$(err)" 'allocations +0 .*called no function that is known to allocate' \
    'no call of any function that is known: it is said'

# --- children ----------------------------------------------------------------
so=$(ldconfig -p | awk 'index($1, "libjemalloc.so") == 1 &&
	$1 != "libjemalloc.so" { print $NF; exit }')
g++ -std=c++17 -O2 -w -fno-builtin -o op "$T/prog/operators.cc"
MALLOC_CONF=narenas:1,tcache:false LD_PRELOAD=$so run "$BIN/ht-record" -q \
    --follow -o 'c.%n.%p.ht' sh -c './op >one; ./op >two; :'
is "$status $(err)" '0 ' '--follow: children with jemalloc'
is "$(ls c.op.*.ht | wc -l)" 2 '--follow: two of them'
for f in c.op.*.ht; do
	replay "$f"
	ok '[ "$(re allocations)" -gt 2800 ]' '--follow: all that they have'
	is "$(re unknown_frees) $(re doubles)" '0 0' '--follow: every free meets'
done

# And what is said of a program is said of a child, once.
run "$BIN/ht-record" -q --follow -o 'd.%n.%p.ht' \
    sh -c './stripped </dev/null; ./stripped </dev/null; ./user; :'
is "$status $(grep -c 'stripped has jemalloc within' err) $(grep -c 'not all of user was recorded' err)" \
    '0 1 1' '--follow: what of children is missing is said once of each'
done_testing
