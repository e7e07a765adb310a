#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What allocators offer beside malloc's family, in programs that are linked with
# them, have them within, or load them; and redis-server with its jemalloc.
. "${0%/*}/lib.sh"
need redis-server redis-benchmark redis-cli objcopy

[ "$(uname -m)" = x86_64 ] || {
	skip 'allocators' 'for x86-64 only'
	done_testing
}
MALLOC_CONF=narenas:1,tcache:false
GLIBC_TUNABLES=glibc.rtld.optional_static_tls=20000
export MALLOC_CONF GLIBC_TUNABLES

renamed_jemalloc
echo '{ global: entry; drop; local: *; };' >plugin.map

# --- by function -------------------------------------------------------------
# family NAME GROUPS OPTION…
family() {
	name=$1 groups=$2
	shift 2
	gcc -O2 -g -w -fno-builtin -fno-optimize-sibling-calls -o $name \
	    "$T/prog/entries.c" -Wl,--no-as-needed "$@" 2>cc.err ||
	    fail "builds $name" "$(head -n 5 cc.err)"
	HT_VERIFY=1 run "$BIN/ht-record" -o t.ht ./$name
	is $status 0 "$name: runs as ever"
	like "$(err)" 'verified: .* 0 differences' "$name: no stack differs"
	unlike "$(err)" 'not all' "$name: all is hooked"
	symbolize t.ht
	replay --strict --functions t.sym
	is "$(grep -c '^function' out)" $groups "$name: all that it has"
	grep '^function' out >want
	while read -r _ function allocations frees bytes; do
		is "$(awk -F '\t' -v n="$function" '
			$1 == "function" && $2 == n { print $3, $4, $5 }' re)" \
		    "$allocations $frees $bytes" "$name: $function"
	done <want
	is "$(re unknown_frees) $(re doubles) $(re lost)" '0 0 0' \
	    "$name: every free meets its block, none twice"
	case $name in
	*jem*)	is "$(said its_live)" 0 "$name: and so it says itself" ;;
	esac
}
family jemalloc 3 -ljemalloc
family tcmalloc 2 -ltcmalloc_minimal
family mimalloc 2 -lmimalloc
family gc 1 -lgc
family rjem 4 -DP=_rjem_ -Wl,-u,_rjem_malloc librjem.a \
    -Wl,--version-script=plugin.map -lstdc++ -lpthread -ldl -lm
is "$(nm -D rjem | grep -c _rjem_)" 0 'rjem: nothing of it is exported'

# What the collector takes nobody frees: a block ends where another begins.
cat >garbage.c <<'END'
#include <gc.h>
int main(void)
{
	GC_INIT();
	for (int i = 0; i < 20000; i++) {
		void *volatile p = GC_malloc(1000);
		p = 0;
	}
	return 0;
}
END
gcc -O1 -o garbage garbage.c -lgc || fail 'builds garbage'
run "$BIN/ht-record" -o t.ht ./garbage
symbolize t.ht
replay --functions t.sym
is "$(awk -F '\t' '$2 == "main" { print $3, $5 }' re)" '20000 20000000' \
    'gc: what it gave is counted'
between 1000 "$(re doubles)" 20000 'gc: what it took back too, when it is given'

# A timer's handler allocates wherever it interrupts, so on the way between such
# a function and its hook, too. The allocator has no lock.
other='-Dmalloc=mi_malloc -Dfree=mi_free -Drealloc=mi_realloc
    -Dcalloc=mi_calloc -O2 -g -w -fno-builtin -fno-optimize-sibling-calls'
gcc $other -shared -fPIC -o bump.so "$T/prog/bump.c" -ldl &&
    gcc $other -o handler "$T/prog/handler.c" ./bump.so -Wl,-rpath,. \
        -lpthread -lrt || fail 'builds handler'
for i in 1 2 3; do
	run "$BIN/ht-record" -q -o t.ht ./handler
	is "$status $(err)" '0 ' "handler, $i: runs as ever"
	symbolize t.ht
	replay --strict --functions t.sym
	for f in on_timer loop; do
		is "$(awk -F '\t' -v n=$f '$2 == n { print $3, $4, $5 }' re)" \
		    "$(awk -v n=$f '$2 == n { print $3, $4, $5 }' out)" \
		    "handler, $i: $f"
	done
	is "$(re cut) $(re unknown_frees) $(re doubles)" '0 0 0' \
	    "handler, $i: every stack is whole, every free meets"
done

# --- loaded later ------------------------------------------------------------
plugin() {
	so=$1 function=$2
	shift 2
	gcc -O2 -g -w -shared -fPIC -fno-builtin -fno-optimize-sibling-calls \
	    -DFUNCTION=$function -o $so "$T/prog/plugin.c" "$@" ||
	    fail "builds $so"
}
plugin one.so in_one
plugin mi.so in_mi -Dmalloc=mi_malloc -Dfree=mi_free -lmimalloc
plugin rj.so in_rj -Dmalloc=_rjem_malloc -Dfree=_rjem_free librjem.a \
    -Wl,--version-script=plugin.map -lstdc++ -lm
HT_VERIFY=1 run "$BIN/ht-record" -o t.ht "$PROG/reload" 40 "$TMP/one.so" \
    "$TMP/mi.so" "$TMP/rj.so"
is $status 0 'plugins that bring an allocator come and go'
like "$(err)" 'verified: .* 0 differences' 'while other threads allocate'
symbolize t.ht
replay --strict --functions t.sym
for f in in_mi in_rj; do
	is "$(awk -F '\t' -v n=$f '$2 == n { print $3, $4, $5 }' re)" \
	    '40 40 3080' "$f: each time all is seen"
done
is "$(awk -F '\t' '$2 == "in_one" { print $3 }' re)" "$(said calls)" \
    'and what the others do'
is "$(re unknown_frees) $(re doubles) $(re lost)" '0 0 0' 'every free meets'

# A C++ extension in a python3 that has no C++ itself.
cat >ext.cc <<'END'
#include <new>
extern "C" void *make(long n) { return ::operator new(n); }
extern "C" void drop(void *p) { ::operator delete(p); }
END
g++ -O1 -g -shared -fPIC -fno-builtin -o ext.so ext.cc -Wl,--no-as-needed \
    -ltcmalloc_minimal || fail 'builds ext.so'
run "$BIN/ht-record" -o t.ht /usr/bin/python3 -c '
import ctypes
lib = ctypes.CDLL("./ext.so", mode=0)
lib.make.restype = ctypes.c_void_p
lib.drop.argtypes = [ctypes.c_void_p]
for i in range(1000):
    lib.drop(lib.make(1234))'
is $status 0 'python3: takes an extension in C++'
symbolize t.ht
replay --functions t.sym
is "$(awk -F '\t' '$2 == "make" { print $3, $4, $5 }' re)" \
    '1000 1000 1234000' 'python3: its operators are seen'

# --- redis -------------------------------------------------------------------
like "$(ldd "$(command -v redis-server)")" libjemalloc 'redis-server has jemalloc'
"$BIN/ht-record" -o t.ht redis-server --port 0 --unixsocket "$TMP/s" \
    --unixsocketperm 700 --save '' --dir "$TMP" >redis.out 2>redis.err &
redis=$!
background $redis
wait_for 10 '[ -S s ]'
run redis-benchmark -s s -n 5000 -q -t set,get,lpush,lpop,sadd,hset,zadd \
    -d 100 -r 2000
is $status 0 'redis: benchmark'
run redis-cli -s s memory malloc-stats
set -- $(awk '$1 == "total:" { print $3, $5; exit }' out)
pid=$(pgrep -P $redis redis-server)
# The kill leaves all as it is.
kill -KILL "$pid"
wait $redis
t_rc=$?
is $t_rc 137 'redis: ends'
symbolize t.ht
totals t.sym
live=$((${1:-0} - ${2:-0}))
note "jemalloc: ${1:-0} allocated, $live live; we: $(total allocations)," \
    "$(total leaked_blocks) live"
ok "[ $live -gt 5000 ]" 'redis: jemalloc says what is live'
# The client that asked has gone since.
between $((live - 40)) "$(total leaked_blocks)" $((live + 40)) \
    'redis: and so many are'
is "$(total lost)" 0 'redis: none was lost'
unlike "$(cat redis.err)" missed 'redis: every free meets'
done_testing
