/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <sys/mman.h>

#include "ht-record/blocks.h"
#include "libht/mem.h"

#define TOP_SIZE  (sizeof(uint64_t *) << (HT_ADDRESS_BITS - HT_LEAF_BITS))
#define LEAF_SIZE (sizeof(uint64_t) << (HT_LEAF_BITS - HT_GRAIN_BITS))

static void *
sparse(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void
ht_blocks_init(struct ht_blocks *b)
{
	*b = (struct ht_blocks){0};
	b->leaf = sparse(TOP_SIZE);
	if (b->leaf)
		b->limit = UINT64_C(1) << HT_ADDRESS_BITS;
}

uint64_t *
ht_blocks_new_leaf(struct ht_blocks *b, uint64_t address)
{
	uint64_t *leaf = sparse(LEAF_SIZE);

	if (!leaf)
		return NULL; /* the map will do */
	b->leaf[address >> HT_LEAF_BITS] = leaf;
	HT_GROW(b->made, b->cap, b->leaves + 1);
	b->made[b->leaves++] = leaf;
	return ht_blocks_word(leaf, address);
}

void
ht_blocks_put_other(struct ht_blocks *b, uint64_t address, uint64_t word)
{
	*ht_map_put(&b->others, address, NULL) = word;
}

bool
ht_blocks_take_other(struct ht_blocks *b, uint64_t address, uint64_t *word)
{
	return ht_map_del(&b->others, address, word);
}

void
ht_blocks_release(struct ht_blocks *b)
{
	for (size_t i = 0; i < b->leaves; i++)
		munmap(b->made[i], LEAF_SIZE);
	free(b->made);
	if (b->leaf)
		munmap(b->leaf, TOP_SIZE);
	ht_map_release(&b->others);
}
