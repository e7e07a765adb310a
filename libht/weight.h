/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a recorded block stands for where blocks were sampled. Level 1.
 *
 * A block of s bytes is recorded with the probability p = 1 - exp(-s / rate),
 * independently of all others; one of 0 bytes as if it had 1. To count each
 * that is recorded 1 / p times gives, over all that might have been recorded,
 * exactly the true number on average (Horvitz and Thompson, "A generalization
 * of sampling without replacement from a finite universe", 1952):
 *
 *	estimate = sum of x / p         x: 1 for blocks, s for bytes
 *	variance = sum of x^2 (1 - p)   over all blocks,
 *	                        -----
 *	                          p
 * which itself is estimated, without bias, from those recorded:
 *
 *	         = sum of x^2 (1 - p) / p^2
 *
 * All of that depends on size and rate of a block alone. So traces and profiles
 * count recorded blocks, and merge by adding them, exactly; what they stand for
 * is worked out when a report reads them. Numbers here are integers so that
 * their sums do not depend on an order either.
 */
#ifndef HT_WEIGHT_H
#define HT_WEIGHT_H

#include "libht/base.h"

/* The rates that there are: mean bytes between samples. */
#define HT_SAMPLE_MIN (UINT64_C(1) << 10)
#define HT_SAMPLE_MAX (UINT64_C(1) << 30)

static inline bool
ht_weight_is_rate(uint64_t rate)
{
	return rate >= HT_SAMPLE_MIN && rate <= HT_SAMPLE_MAX;
}

typedef unsigned __int128 ht_wide;

#define HT_WEIGHT_ONE (UINT64_C(1) << 32) /* of blocks */

/* Of one recorded block: how many it stands for, in 2^-32; how many bytes; and
 * what it adds to the variances of both, in 2^-32 and in squares of bytes. */
struct ht_weight {
	uint64_t blocks;
	uint64_t bytes;
	ht_wide blocks_var;
	ht_wide bytes_var;
};

/* Rate 0: all blocks were recorded. */
struct ht_weight ht_weight(uint64_t size, uint64_t rate);

/* How many blocks so many stand for; *rest in 2^-32. */
uint64_t ht_weight_times(
    uint64_t blocks, const struct ht_weight *w, uint32_t *rest);
/* Bytes that so many stand for, and blocks to the nearest whole one. */
uint64_t ht_weight_bytes(uint64_t blocks, uint64_t size, uint64_t rate);
uint64_t ht_weight_blocks(uint64_t blocks, uint64_t size, uint64_t rate);

/* Half the width of the interval that holds the true value of 95 of 100
 * estimates with this variance (1.96 standard deviations), rounded up. */
uint64_t ht_weight_95(ht_wide variance);
/* The same of a number of blocks. */
uint64_t ht_weight_95_blocks(ht_wide variance);

#endif
