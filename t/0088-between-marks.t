#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What 8 threads allocate between two marks, in the heap and in a pool, is what
# the program itself counted, launched and attached to, with every stack
# compared with libunwind's; after the recording the program is alone again. And
# programs annotated with heaptrack_api.h, as they are.

. "${0%/*}/lib.sh"
need gcc perl /usr/include/heaptrack_api.h

HT_VERIFY=1
export HT_VERIFY

# counted NAME: of t.ht, whose program said ./said.
counted() {
	"$BIN/ht-symbolize" t.ht >t.sym
	for kind in heap pool; do
		run "$BIN/ht-top" --totals --from mark=begin --to mark=end \
		    --filter kind=$kind t.sym
		is "$status $(awk '$1 == "allocations" { print $2 }' out)" \
		    "0 $(awk -v k=$kind '$1 == k { print $2 }' said)" \
		    "$1: allocations of the $kind"
	done
	# By the trace itself, too: `+` lines between the marks.
	is "$(perl -ne '
	    if (/^#M \w+ (.*)/) { $on = $1 eq "begin" }
	    elsif (/^#K (\w+)/) { $k{$1} = 1 }
	    elsif (/^a \w+ (\w+)/) { push @pool, $k{$1} ? 1 : 0 }
	    elsif ($on && /^\+ (\w+)/) { $n[$pool[hex $1]]++ }
	    END { print "heap $n[0]\npool $n[1]\n" }' t.ht)" \
	    "$(grep -E '^(heap|pool)' said)" "$1: and in the stream"
	like "$(cat record.err)" '^verified: [0-9]+ stacks, 0 differences$' \
	    "$1: all stacks as libunwind has them"
	for kind in heap 'pool objects'; do
		replay --strict --kind "$kind" t.ht
	done
}

"$BIN/ht-record" --addresses -o t.ht "$PROG/pools" 8 300 >said 2>record.err
is $? 0 'launched'
counted launched
is "$(re doubles)" 0 'no block twice'

# The code of the C library, as it is in memory: another while it is hooked.
code() {
	code_of $t_pid '.*libc\.so'
}

# attached COMMAND…: the command, which waits on its stdin for a line before it
# works and another before it ends, is recorded in between: ./a.ht. What it says
# is in ./said.
attached() {
	rm -f in t.ht
	mkfifo in
	"$@" <in >said &
	t_pid=$!
	background $t_pid
	exec 7>in
	wait_for 10 'grep -q ready said'
	code >before
	"$BIN/ht-record" -p $t_pid -o t.ht 2>record.err &
	t_recorder=$!
	background $t_recorder
	wait_for 20 '! code | cmp -s - before'
	echo >&7
	wait_for 20 'grep -Eq "pool|done" said'
	kill -INT $t_recorder
	wait $t_recorder
	is $? 0 "attached: ${1##*/}"
	echo >&7
	exec 7>&-
	wait $t_pid
	is $? 0 'the program runs on to its end'
}
for again in attached 'attached again'; do
	attached "$PROG/pools" 8 300 wait
	counted "$again"
	is "$(tail -n 1 said)" alone 'then nothing of it is in the way'
done
unset HT_VERIFY

# --- heaptrack_api.h -------------------------------------------------------
# 1,000 blocks in a static pool, 500 of them reallocated, all but one freed.
pooled() {
	perl "$T/prog/replay.pl" --functions t.sym |
	    awk -F '\t' '$2 ~ /^pooled(\(int\))?$/ { print $3, $4, $5 }'
}
want='1500 1499 70000'
record "$PROG/usespool" "$PROG/heaptracked"
symbolize t.ht
is "$(pooled)" "$want" 'its weak symbols: launched'
gcc -DHEAPTRACK_API_DLSYM -DMAIN -O1 -g -w -o lazy -xc - -ldl <<END
#include "$T/prog/heaptracked.c"
int main(void) { pooled(1000); return 0; }
END
record ./lazy
symbolize t.ht
is "$(pooled)" "$want" 'by dlsym: launched'
for how in -Wl,-z,lazy -Wl,-z,now -fno-plt; do
	gcc $how -shared -fPIC -O1 -g -w "$T/prog/heaptracked.c" -o how.so
	attached "$PROG/usespool" ./how.so wait
	symbolize t.ht
	is "$(pooled)" "$want" "its weak symbols, $how: attached"
done
# It looks its functions up before anybody has attached, and once only.
for x in c c++; do
	gcc -DHEAPTRACK_API_DLSYM -shared -fPIC -O1 -g -w -x $x \
	    -o how.so - -ldl <<END
#include "$T/prog/heaptracked.c"
#ifdef __cplusplus
extern "C" void started(void) __attribute__((constructor));
#else
void started(void) __attribute__((constructor));
#endif
void started(void) { pooled(1); }
END
	name=pooled
	[ $x = c ] || name=_Z6pooledi
	attached "$PROG/usespool" ./how.so wait $name
	symbolize t.ht
	is "$(pooled)" "$want" "by dlsym, $x: attached"
done

done_testing
