/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Histograms of a report, by powers of two: how large blocks are, and how long
 * they lived. */
#ifndef HT_TOP_BUCKETS_H
#define HT_TOP_BUCKETS_H

#include "ht-top/top.h"
#include "libht/hist.h"

struct bucket {
	uint64_t blocks, bytes;		  /* of the later profile */
	uint64_t base_blocks, base_bytes; /* of the base */
	uint32_t rest, base_rest;	  /* of blocks, in 2^-32 */
};

struct buckets {
	struct bucket bucket[HT_HIST_BUCKETS];
	/* Of lifetimes: what was never freed, and what is not known to. */
	struct bucket never, unknown;
	struct bucket total;
};

/* Calls and their bytes by the size asked for. */
void buckets_sizes(struct buckets *b, const struct report *r);
/* Blocks and their bytes by the age at their free, ms. */
void buckets_lifetimes(struct buckets *b, const struct report *r);
bool bucket_is_empty(const struct bucket *b);
/* The largest value of a bucket of ht_hist. */
uint64_t bucket_last(unsigned i);

#endif
