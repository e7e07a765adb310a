/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <sys/mman.h>

#include "ht-record/blocks.h"
#include "libht/mem.h"

#define ADDRESS_BITS 47
#define LEAF_BITS    20 /* of the address, in a leaf */
#define GRAIN_BITS   5
#define TOP_SIZE     (sizeof(uint64_t *) << (ADDRESS_BITS - LEAF_BITS))
#define LEAF_SIZE    (sizeof(uint64_t) << (LEAF_BITS - GRAIN_BITS))

/* A word of the shadow: 0 free, else class 32 | birth 30 | upper half of the
 * 32 bytes 1 | used 1. */
#define USED UINT64_C(1)

static void *
sparse(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int
ht_blocks_init(struct ht_blocks *b)
{
	*b = (struct ht_blocks){0};
	b->leaf = sparse(TOP_SIZE);
	return b->leaf ? 0 : -1;
}

static uint64_t
pack(uint64_t address, struct ht_block k)
{
	uint32_t birth = k.birth < HT_BIRTH_MAX ? k.birth : HT_BIRTH_MAX;

	return (uint64_t)k.cls << 32 | (uint64_t)birth << 2 |
	       (address >> 4 & 1) << 1 | USED;
}

static struct ht_block
unpack(uint64_t word)
{
	return (struct ht_block){
	    .cls = (uint32_t)(word >> 32),
	    .birth = (uint32_t)word >> 2,
	};
}

static bool
is_half(uint64_t word, uint64_t address)
{
	return word & USED && (word >> 1 & 1) == (address >> 4 & 1);
}

/* The shadow's word for `address`; NULL if the shadow cannot hold it, or
 * there is no leaf and none is to be made. */
static uint64_t *
word_of(struct ht_blocks *b, uint64_t address, bool make)
{
	uint64_t **leaf;

	if (address & 15 || address >> ADDRESS_BITS)
		return NULL;
	leaf = &b->leaf[address >> LEAF_BITS];
	if (ht_unlikely(!*leaf)) {
		if (!make || !(*leaf = sparse(LEAF_SIZE)))
			return NULL;
		HT_GROW(b->made, b->cap, b->leaves + 1);
		b->made[b->leaves++] = *leaf;
	}
	return &(*leaf)[(address & ((1u << LEAF_BITS) - 1)) >> GRAIN_BITS];
}

bool
ht_blocks_put(struct ht_blocks *b, uint64_t address, struct ht_block new,
    struct ht_block *old)
{
	bool was = ht_blocks_take(b, address, old);
	uint64_t *w = word_of(b, address, true);

	if (ht_likely(w && !*w))
		*w = pack(address, new);
	else
		*ht_map_put(&b->others, address, NULL) = pack(address, new);
	return was;
}

bool
ht_blocks_take(struct ht_blocks *b, uint64_t address, struct ht_block *old)
{
	uint64_t *w = word_of(b, address, false);
	uint64_t word;

	if (ht_likely(w && is_half(*w, address))) {
		word = *w;
		*w = 0;
	} else if (b->others.count == 0 ||
	           !ht_map_del(&b->others, address, &word)) {
		return false;
	}
	*old = unpack(word);
	return true;
}

void
ht_blocks_release(struct ht_blocks *b)
{
	if (!b->leaf)
		return;
	for (size_t i = 0; i < b->leaves; i++)
		munmap(b->made[i], LEAF_SIZE);
	free(b->made);
	munmap(b->leaf, TOP_SIZE);
	ht_map_release(&b->others);
	b->leaf = NULL;
}
