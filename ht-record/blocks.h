/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The live blocks: address -> class and birth. A shadow of the address space:
 * 8 bytes for each 32 of heap, glibc's smallest chunk, in leaves of 1 MiB of
 * addresses that exist where there are blocks. Blocks that the shadow cannot
 * tell apart or hold (two in 32 bytes, odd or huge addresses) are in a hash
 * map beside it.
 */
#ifndef HT_BLOCKS_H
#define HT_BLOCKS_H

#include "libht/base.h"
#include "libht/map.h"

struct ht_block {
	uint32_t cls;
	uint32_t birth; /* ms since the start, at most HT_BIRTH_MAX */
};

#define HT_BIRTH_MAX ((1u << 30) - 1)

struct ht_blocks {
	uint64_t **leaf; /* by address >> 20; sparse */
	uint64_t **made; /* the leaves there are */
	size_t leaves, cap;
	struct ht_map others;
};

/* 0, or -1 when the kernel has no address space for it. */
int ht_blocks_init(struct ht_blocks *b);
/* Puts the block; true if there was one at the address: *old is it. */
bool ht_blocks_put(struct ht_blocks *b, uint64_t address, struct ht_block new,
    struct ht_block *old);
/* Takes the block out; false if there is none. */
bool ht_blocks_take(struct ht_blocks *b, uint64_t address,
    struct ht_block *old);
void ht_blocks_release(struct ht_blocks *b);

#endif
