#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Ten million allocations of eight threads that free and resize each other's
# blocks: what was recorded is what the program counted, and no free is of a
# block that is not known.
. "${0%/*}/lib.sh"
LIMIT=120

# recorded PROGRAM [ARG…]: the trace's totals.
recorded() {
	what=$*
	record "$PROG/$@"
	is $status 0 "$what: runs"
	grep -a '^#[UDLE]' t.ht >notes
	is "$(cat notes)" '#E exit 0' "$what: no #U, #D, #L"
	totals t.ht
}

# frees: in the totals too.
frees() {
	echo $(($(total allocations) - $(total leaked_blocks)))
}

# What the threads themselves cost: the same without a round.
recorded millions 8 0
allocations=$(total allocations) bytes=$(total total_bytes) frees=$(frees)

recorded millions 8 1250000
is "$(said allocations)" 10000000 "$what: as many as were asked for"
is "$(total lost)" 0 "$what: nothing lost"
is $(($(total allocations) - allocations)) "$(said allocations)" \
    "$what: allocations"
is $(($(total total_bytes) - bytes)) "$(said total_bytes)" "$what: bytes"
is $(($(frees) - frees)) "$(said frees)" "$what: frees"
is "$(total leaked_blocks)" $((allocations - frees)) \
    "$what: nothing of it is left"
done_testing
