/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A sparse histogram of powers of two. Level 2. Bucket 0 counts zeros, bucket
 * b > 0 the values from 2^(b-1) to below 2^b. `struct ht_hist h = {0}` is an
 * empty one. Counts that do not fit stay at the largest number.
 */
#ifndef HT_HIST_H
#define HT_HIST_H

#include "libht/base.h"

#define HT_HIST_BUCKETS 65

struct ht_hist {
	uint64_t zeros;	  /* bucket 0, which most have only */
	uint64_t *count;  /* of bucket `first` and those after it; owned */
	uint8_t first, n; /* n 0: there are none */
};

static inline unsigned
ht_hist_bucket(uint64_t value)
{
	return value ? 64 - (unsigned)__builtin_clzll(value) : 0;
}

/* The smallest value of a bucket. */
static inline uint64_t
ht_hist_start(unsigned bucket)
{
	return bucket ? UINT64_C(1) << (bucket - 1) : 0;
}

void ht_hist_add(struct ht_hist *h, unsigned bucket, uint64_t count);
/* Of a bucket that holds as many. */
void ht_hist_sub(struct ht_hist *h, unsigned bucket, uint64_t count);
uint64_t ht_hist_get(const struct ht_hist *h, unsigned bucket);
/* The sum of all buckets. */
uint64_t ht_hist_total(const struct ht_hist *h);
void ht_hist_merge(struct ht_hist *to, const struct ht_hist *from);
void ht_hist_release(struct ht_hist *h);

#endif
