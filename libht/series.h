/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values over time, in buckets of a power of two of ms. Level 2. However long
 * a trace runs there are at most HT_SERIES_BUCKETS: when they do not suffice
 * the buckets become twice as wide. To merge two series, or to merge them and
 * then widen the buckets, or the other way round, is the same. `struct
 * ht_series s = {0}` is an empty one.
 */
#ifndef HT_SERIES_H
#define HT_SERIES_H

#include "libht/base.h"

#define HT_SERIES_BUCKETS 1024
/* The narrowest bucket: 16 ms, the first above the recorder's clock tick. */
#define HT_SERIES_SHIFT 4

struct ht_bucket {
	uint64_t max; /* live bytes, the most; of several traces the largest */
	uint64_t end; /* live bytes at its end; of several traces the sum,
		       * where a trace that has ended counts with what it
		       * leaked */
	uint64_t allocs, temporary; /* blocks; of several traces the sum */
	uint64_t rss; /* bytes, the most; of several traces the largest */
};

struct ht_series {
	unsigned shift; /* a bucket is 1 << shift ms wide */
	struct ht_bucket *bucket;
	size_t n, cap;
};

/* The bucket of a moment, made if it is the last one so far or later; live
 * bytes stayed the same in between. Valid until the next call. */
struct ht_bucket *ht_series_at(struct ht_series *s, uint64_t ms);
/* Buckets of at least 1 << shift ms. */
void ht_series_widen(struct ht_series *s, unsigned shift);
void ht_series_merge(struct ht_series *to, const struct ht_series *from);
void ht_series_clear(struct ht_series *s);
void ht_series_release(struct ht_series *s);

#endif
