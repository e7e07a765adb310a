#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# ht-record --mmap: maps and the break, held against what strace sees of the
# same program, replayed by page.
. "${0%/*}/lib.sh"
need strace perl

# kinds FILE: the numbers that $want has, of the trace.
kinds() {
	for kind in brk mmap; do
		"$BIN/ht-top" --totals --disable-builtin-suppressions \
		    --filter kind=$kind "$1" | sed "s/^/$kind /; s/	/ /"
	done | grep -E "^($(cut -d ' ' -f 1,2 want | tr '\n' '|')-) " | sort
}

# oracle ARG…: into want.
oracle() {
	strace -f -o s -e trace=mmap,munmap,mremap,brk,getppid \
	    "$PROG/mapper" "$@" >prog.out 2>&1
	is $? 0 "strace: $*"
	perl "$T/prog/strace.pl" s >want 2>want.err
	is "$?$(cat want.err)" 0 "what it saw is replayed: $*"
}

for seed in 1 2 3 4 5; do
	oracle $seed 400
	run "$BIN/ht-record" --mmap --addresses -q -o m.ht "$PROG/mapper" $seed 400
	is "$status$(err)" 0 "seed $seed: recorded"
	kinds m.ht >got
	same got want "seed $seed: as strace has it"
	is "$(grep -cE '^#[DUL] ' m.ht)" 0 "seed $seed: nothing was missed"
	ok '[ "$(grep -c "^#N " m.ht)" -gt 20 ]' "seed $seed: maps in parts"
	# A profile, where they are rows without a call.
	"$BIN/ht-aggregate" m.ht >p
	kinds p >got
	same got want "seed $seed: so has the profile"
done

# Threads that race for addresses. When is not known; what is, adds up.
oracle 7 400 4
# Failed calls may have left a map in two.
grep -vE ' (peak|leaked_blocks) ' want >w && mv w want
run "$BIN/ht-record" --mmap -q -o m.ht "$PROG/mapper" 7 400 4
is "$status$(err)" 0 'threads: recorded'
kinds m.ht >got
same got want 'threads: as strace has it'
is "$(grep -cE '^#[DUL] ' m.ht)" 0 'threads: nothing was missed'

# A program that runs already.
oracle 3 400
"$PROG/mapper" 3 400 0 wait >prog.out 2>prog.err &
pid=$!
background $pid
wait_for 10 'grep -q ready prog.out'
"$BIN/ht-record" --mmap -q -p $pid -o m.ht 2>rec.err &
rec=$!
background $rec
wait $pid
is $? 0 'attached: the program ends well'
wait $rec
is "$?$(cat rec.err)" 0 'attached: recorded'
kinds m.ht >got
same got want 'attached: as strace has it'

# Maps are not sampled, and what is beside them is.
oracle 2 400
for rate in 1K 1G; do
	run "$BIN/ht-record" --mmap --usable --sample $rate -q -o m.ht \
	    "$PROG/mapper" 2 400
	is "$status$(err)" 0 "sampled: recorded, $rate"
	kinds m.ht >got
	same got want "sampled: as strace has it, $rate"
done
# What an allocator maps in calls that are not sampled is no map, either.
gcc -O1 -w -o jemalloc "$T/prog/usable.c" -ljemalloc
for sample in '' '--sample 1G'; do
	run "$BIN/ht-record" --mmap $sample -q -o m.ht ./jemalloc
	is "$status$(err)" 0 "jemalloc: recorded $sample"
	run "$BIN/ht-top" --totals --filter kind=mmap,function=main \
	    --disable-builtin-suppressions m.ht
	is "$(said allocations)" 0 "jemalloc: none of its maps $sample"
done

# What malloc maps for itself is the heap's, and without --mmap nothing is said.
run "$BIN/ht-record" --mmap -q -o m.ht "$PROG/usable"
is "$(grep -c '^#K' m.ht)" 0 "malloc's own maps are not counted"
run "$BIN/ht-record" -q -o m.ht "$PROG/mapper" 1 50
is "$(grep -c '^#K' m.ht)" 0 'without --mmap: none'
done_testing
