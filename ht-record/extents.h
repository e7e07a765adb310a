/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The live maps of a process: extents of its address space, which do not
 * overlap, each with its block. Sorted by address; to put one in or take one
 * out moves those behind it, of which a process has thousands at most, as each
 * is a system call of its own.
 */
#ifndef HT_EXTENTS_H
#define HT_EXTENTS_H

#include "ht-record/blocks.h"

struct ht_extent {
	uint64_t start, end; /* half-open */
	struct ht_block block;
};

struct ht_extents {
	struct ht_extent *at;
	size_t count, cap;
};

/* The first that reaches beyond `address`: its place, or the number of them. */
size_t ht_extents_find(const struct ht_extents *e, uint64_t address);
/* Puts one in at this place, which the order has for it. */
void ht_extents_insert(
    struct ht_extents *e, size_t place, struct ht_extent new);
void ht_extents_remove(struct ht_extents *e, size_t place);
void ht_extents_release(struct ht_extents *e);

#endif
