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
	uint64_t limit;	 /* addresses below it have a place in `leaf` */
	uint64_t **made; /* the leaves there are */
	size_t leaves, cap;
	struct ht_map others;
};

/* Where address space is too limited for the shadow, the map does it all. */
void ht_blocks_init(struct ht_blocks *b);
void ht_blocks_release(struct ht_blocks *b);

/* Puts the block; true if there was one at the address: *old is it. */
static inline bool ht_blocks_put(struct ht_blocks *b, uint64_t address,
    struct ht_block new, struct ht_block *old);
/* Takes the block out; false if there is none. */
static inline bool ht_blocks_take(
    struct ht_blocks *b, uint64_t address, struct ht_block *old);
/* Fetches what the two will need of this address into the cache. */
static inline void ht_blocks_prefetch(
    const struct ht_blocks *b, uint64_t address);

/* ---- how it is done --------------------------------------------------- */

#define HT_ADDRESS_BITS 47
#define HT_LEAF_BITS	20 /* of the address, in a leaf */
#define HT_GRAIN_BITS	5

/* The slow sides: a place in a leaf that is not there yet, or NULL; the hash
 * map. */
uint64_t *ht_blocks_new_leaf(struct ht_blocks *b, uint64_t address);
void ht_blocks_put_other(struct ht_blocks *b, uint64_t address, uint64_t word);
bool ht_blocks_take_other(
    struct ht_blocks *b, uint64_t address, uint64_t *word);

/* A word of the shadow: 0 free, else class 32 | birth 30 | upper half of the
 * 32 bytes 1 | used 1. */
static inline uint64_t
ht_block_pack(uint64_t address, struct ht_block k)
{
	uint32_t birth = k.birth < HT_BIRTH_MAX ? k.birth : HT_BIRTH_MAX;

	return (uint64_t)k.cls << 32 | (uint64_t)birth << 2 |
	       (address >> 3 & 2) | 1;
}

static inline struct ht_block
ht_block_unpack(uint64_t word)
{
	return (struct ht_block){
	    .cls = (uint32_t)(word >> 32),
	    .birth = (uint32_t)word >> 2,
	};
}

static inline bool
ht_blocks_in_shadow(const struct ht_blocks *b, uint64_t address)
{
	return !(address & 15) && address < b->limit;
}

static inline uint64_t *
ht_blocks_word(uint64_t *leaf, uint64_t address)
{
	return &leaf[(address & ((1u << HT_LEAF_BITS) - 1)) >> HT_GRAIN_BITS];
}

/* The word that an address shares with its neighbour at most; NULL: what is
 * at the address is not in the shadow. */
static inline uint64_t *
ht_blocks_place(const struct ht_blocks *b, uint64_t address)
{
	uint64_t *leaf;

	if (ht_unlikely(!ht_blocks_in_shadow(b, address)))
		return NULL;
	leaf = b->leaf[address >> HT_LEAF_BITS];
	return ht_likely(leaf) ? ht_blocks_word(leaf, address) : NULL;
}

/* Whether the word is of the block at this very address. */
static inline bool
ht_block_is_at(uint64_t word, uint64_t address)
{
	return (word & 3) == ((address >> 3 & 2) | 1);
}

static inline bool
ht_blocks_take(struct ht_blocks *b, uint64_t address, struct ht_block *old)
{
	uint64_t *w = ht_blocks_place(b, address), word;

	if (ht_likely(w && ht_block_is_at(*w, address))) {
		*old = ht_block_unpack(*w);
		*w = 0;
		return true;
	}
	if (ht_likely(b->others.count == 0) ||
	    !ht_blocks_take_other(b, address, &word))
		return false;
	*old = ht_block_unpack(word);
	return true;
}

static inline bool
ht_blocks_put(struct ht_blocks *b, uint64_t address, struct ht_block new,
    struct ht_block *old)
{
	bool was = ht_blocks_take(b, address, old);
	uint64_t *w = ht_blocks_place(b, address);

	if (ht_unlikely(!w && ht_blocks_in_shadow(b, address)))
		w = ht_blocks_new_leaf(b, address);
	if (ht_likely(w && !*w))
		*w = ht_block_pack(address, new);
	else
		ht_blocks_put_other(b, address, ht_block_pack(address, new));
	return was;
}

static inline void
ht_blocks_prefetch(const struct ht_blocks *b, uint64_t address)
{
	__builtin_prefetch(ht_blocks_place(b, address), 1);
}

#endif
