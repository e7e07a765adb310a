/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as an event stream, plain or compressed: the costs are those of a
 * simple count, and in whatever pieces the bytes come, they mean the same. */
#include "t/fuzz/account.h"

/* Where the libraries find broken data, and what they call it, depends on the
 * pieces. */
static bool
is_compressed(const uint8_t *data, size_t size)
{
	return size > 0 &&
	       (data[0] == 0x1f || data[0] == 0x28 || data[0] >> 4 == 5);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t whole = account_input(fuzz_in(data, size), size);
	uint64_t pieces = account_input(fuzz_in_pieces(data, size), size);

	check(pieces == whole || is_compressed(data, size));
	return 0;
}
