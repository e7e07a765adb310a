#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A thousand threads that come and go: what recording adds to the program's
# memory is bounded by 15 MB, the ring, and 80 bytes a node; it does not grow
# with the threads there have been.
. "${0%/*}/lib.sh"

# more THREADS AT-ONCE: bytes that recording adds, to $more.
more() {
	what="$1 threads, $2 at once"
	run "$PROG/crowd" $1 $2
	alone=$(said resident)
	record --buffer 1M "$PROG/crowd" $1 $2
	is $status 0 "$what: runs"
	is "$(grep -c '^#[UDL]' t.ht)" 0 "$what: no #U, #D, #L"
	more=$(($(said resident) - alone))
	# Each stack that the trace names has a node, and so do the others.
	nodes=$(grep -c '^t ' t.ht)
	note "$what: $((more / 1024)) KiB more, $nodes nodes"
	between 0 $more $((15000000 + 1048576 + 80 * nodes)) \
	    "$what: memory is bounded"
}

more 1000 50
few=$more
more 6000 50
# What a thread left behind (a prefix, frames) would be 100 MB.
between 0 $more $((few + 4000000)) 'six times the threads: no more memory'
more 1000 200
done_testing
