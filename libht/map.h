/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hash map from 64-bit keys to 64-bit values. Level 2.
 * `struct ht_map m = {0}` is an empty one. Any key is allowed. */
#ifndef HT_MAP_H
#define HT_MAP_H

#include "libht/base.h"

struct ht_map_slot {
	uint64_t key, value;
};

struct ht_map {
	struct ht_map_slot *slot; /* power of two, open addressing */
	uint8_t *used;
	size_t count, cap;
};

/* The value of `key`, or NULL. Valid until the next put or delete. */
uint64_t *ht_map_get(const struct ht_map *m, uint64_t key);
/* The value of `key`, made 0 when it was not there; *fresh (may be NULL) says
 * whether it was made. */
uint64_t *ht_map_put(struct ht_map *m, uint64_t key, bool *fresh);
/* Removes; true if it was there (then *old, may be NULL, is its value). */
bool ht_map_del(struct ht_map *m, uint64_t key, uint64_t *old);
void ht_map_clear(struct ht_map *m);
void ht_map_release(struct ht_map *m);

static inline uint64_t
ht_hash64(uint64_t x)
{
	/* The finaliser of MurmurHash3 (Appleby, public domain). */
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

#endif
