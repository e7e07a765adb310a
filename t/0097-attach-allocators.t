#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Attaching to programs that bring their own allocator: their operators, their
# exceptions, their other entry points; and leaving them as they were.
. "${0%/*}/lib.sh"
need redis-server redis-benchmark redis-cli objcopy

[ "$(uname -m)" = x86_64 ] || {
	skip 'attach' 'for x86-64 only'
	done_testing
}
MALLOC_CONF=narenas:1,tcache:false
export MALLOC_CONF
flags='-O2 -g -w -fno-builtin -fno-optimize-sibling-calls'
no="-Wl,--no-as-needed"
renamed_jemalloc
echo '{ local: *; };' >local.map

# The code of all its modules, as it is in memory.
code() {
	code_of $pid '\S+ \S+ [1-9]'
}

# from_outside NAME FUNCTIONS COMMAND…: attaches to a program that waits, lets
# it go on, and compares what it says with what was recorded.
mkfifo lines
from_outside() {
	name=$1 functions=$2
	shift 2
	: >prog.out
	"$@" wait <lines >prog.out 2>prog.err &
	pid=$!
	background $pid
	exec 9>lines
	wait_for 10 'grep -q ready prog.out'
	code >before
	HT_VERIFY=$verify "$BIN/ht-record" -p $pid -o t.ht 2>rec.err &
	recorder=$!
	background $recorder
	wait_for 20 '! code | cmp -s - before'
	echo go >&9
	exec 9>&-
	wait $pid
	is $? 0 "$name: ends as it would"
	is "$(cat prog.err)" '' "$name: says nothing"
	wait $recorder
	[ $verify = 0 ] || like "$(cat rec.err)" \
	    'verified: .* 0 differences' "$name: no stack differs"
	unlike "$(cat rec.err)" 'cannot be hooked' "$name: all is hooked"
	symbolize t.ht
	replay --strict --functions t.sym
	functions_as prog.out "$name"
	is "$(wc -l <want)" $functions "$name: all that it has"
	is "$(re unknown_frees) $(re lost)" '0 0' "$name: every free meets"
}

# To verify, libunwind is loaded, which counts.
verify=0
for lib in jemalloc tcmalloc_minimal; do
	g++ -std=c++17 $flags -o $lib "$T/prog/operators.cc" $no -l$lib ||
	    fail "builds $lib"
	from_outside $lib 13 ./$lib
	is "$(said throws prog.out)" 1 "$lib: exceptions pass"
	is "$(said its_allocations prog.out) $(said its_frees prog.out)" \
	    "$(said allocations prog.out) $(said frees prog.out)" \
	    "$lib: its own counts are these"
done
verify=1
g++ -std=c++17 $flags -o within "$T/prog/operators.cc" "$pic" \
    -Wl,--version-script=local.map -lpthread -ldl -lm || fail 'builds within'
from_outside within 13 ./within
is "$(said throws prog.out)" 1 'within: exceptions pass'

entries() {
	name=$1 functions=$2
	shift 2
	gcc $flags -o x$name "$T/prog/entries.c" $no "$@" || fail "builds $name"
	from_outside $name $functions ./x$name
}
entries mallocx 3 -ljemalloc
entries tc 2 -ltcmalloc_minimal
entries mi 2 -lmimalloc
entries gc 1 -lgc
entries rjem 4 -DP=_rjem_ -Wl,-u,_rjem_malloc librjem.a \
    -Wl,--version-script=local.map -lstdc++ -lpthread -ldl -lm

# --- loaded later ------------------------------------------------------------
# Once it is on the loader's list it takes a moment until it is hooked.
cat >ext.cc <<'END'
#include <new>
extern "C" void *make(long n) { return ::operator new(n); }
extern "C" void drop(void *p) { ::operator delete(p); }
END
g++ -O1 -g -shared -fPIC -fno-builtin -o ext.so ext.cc $no \
    -ltcmalloc_minimal || fail 'builds ext.so'
cat >later.py <<'END'
import ctypes, os, sys
print("ready", flush=True)
sys.stdin.readline()
for i in 1, 2:
    lib = ctypes.CDLL("./ext.so", mode=0)
    lib.make.restype = ctypes.c_void_p
    lib.drop.argtypes = [ctypes.c_void_p]
    print("loaded", flush=True)
    sys.stdin.readline()
    for i in range(1000):
        lib.drop(lib.make(1234))
    print("ok", flush=True)
END
: >prog.out
GLIBC_TUNABLES=glibc.rtld.optional_static_tls=20000 /usr/bin/python3 later.py \
    <lines >prog.out 2>prog.err &
pid=$!
background $pid
exec 9>lines
wait_for 10 'grep -q ready prog.out'
code >before
"$BIN/ht-record" -p $pid -o t.ht 2>rec.err &
recorder=$!
background $recorder
wait_for 20 '! code | cmp -s - before'
echo load >&9
wait_for 20 'grep -q loaded prog.out'
# The allocator's first page of code is not what its file has.
so=$(grep -o '/.*libtcmalloc_minimal[^ ]*' /proc/$pid/maps | head -n 1)
hooked() {
	perl -e '
		open M, "<", "/proc/$ARGV[0]/maps" or die;
		open C, "<:raw", "/proc/$ARGV[0]/mem" or die;
		for (<M>) {
			next unless m{^(\w+)-(\w+) r-xp (\w+).*\Q$ARGV[1]\E$};
			open F, "<:raw", $ARGV[1] or die;
			seek F, hex $3, 0;
			seek C, hex $1, 0;
			read F, my $was, hex($2) - hex($1);
			read C, my $is, length $was;
			exit 0 if $is ne $was;
		}
		exit 1' $pid "$so"
}
wait_for 20 hooked
echo go >&9
wait_for 20 'grep -q ok prog.out'
echo go >&9
exec 9>&-
wait $pid
is "$? $(cat prog.err)" '0 ' 'loaded later: the program ends as it would'
wait $recorder
unlike "$(cat rec.err)" 'not all' 'loaded later: all is hooked'
symbolize t.ht
replay --functions t.sym
is "$(awk -F '\t' '$2 == "make" { print $3, $4, $5 }' re)" \
    '2000 2000 2468000' 'loaded later: its operators are seen'

# --- busy ones ---------------------------------------------------------------
# Threads that allocate all the while, in an allocator that none of them knows.
for lib in jemalloc tcmalloc_minimal mimalloc; do
	so=$(ldconfig -p | awk -v l="lib$lib.so" '
		index($1, l) == 1 && $1 != l { print $NF; exit }')
	: >prog.out
	LD_PRELOAD=$so "$PROG/steady" 4 >prog.out 2>prog.err &
	pid=$!
	background $pid
	wait_for 10 'grep -q ready prog.out'
	code >before
	for i in 1 2 3 4 5 6; do
		run "$BIN/ht-record" -q -p $pid -o t.ht --duration 30ms
		[ $status = 0 ] && ! [ -s err ] || break
	done
	is "$status$(err)" 0 "$lib: attached to and left, six times"
	replay t.ht
	ok '[ "$(re allocations)" -gt 100 ]' "$lib: a lot was recorded"
	is "$(re doubles) $(re lost)" '0 0' "$lib: nothing is missed"
	code >after
	same after before "$lib: its code is what it was"
	kill $pid
	wait $pid
	is "$? $(tail -n 1 prog.out) $(cat prog.err)" '0 ok ' "$lib: ends well"
done

# --- redis -------------------------------------------------------------------
redis-server --port 0 --unixsocket "$TMP/s" --unixsocketperm 700 --save '' \
    --dir "$TMP" >redis.out 2>&1 &
pid=$!
background $pid
wait_for 10 '[ -S s ]'
live() {
	redis-cli -s s memory malloc-stats |
	    awk '$1 == "total:" { print $3 - $5; exit }'
}
run redis-cli -s s ping
code >before
"$BIN/ht-record" -p $pid -o t.ht 2>rec.err &
recorder=$!
background $recorder
wait_for 20 '! code | cmp -s - before'
first=$(live)
run redis-benchmark -s s -n 5000 -q -t set,get,lpush,sadd,hset,zadd -d 100 \
    -r 2000
is $status 0 'redis: benchmark'
last=$(live)
kill -INT $recorder
wait $recorder
is "$? $(tail -n 1 t.ht)" '0 #E detached' 'redis: left again'
code >after
same after before 'redis: its code is what it was'
is "$(redis-cli -s s ping)" PONG 'redis: and it lives'
# What is live more is what we have seen live, less what was there before.
replay t.ht
grown=$((last - first))
ours=$(($(re leaked_blocks) - $(re unknown_frees)))
note "jemalloc: $grown blocks more are live; we: $ours"
ok "[ $grown -gt 5000 ]" 'redis: jemalloc says what is live'
between $((grown - 40)) $ours $((grown + 40)) 'redis: and so many more are'
kill $pid
done_testing
