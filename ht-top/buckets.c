/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "ht-top/buckets.h"

static void
add(struct bucket *b, uint64_t recorded, const struct ht_prof_row *row,
    bool base)
{
	struct ht_weight w = ht_weight(row->size, row->sampled);
	uint32_t rest;
	uint64_t blocks = ht_weight_times(recorded, &w, &rest);
	uint64_t bytes = ht_times(recorded, w.bytes);

	if (base) {
		ht_plus_rest(&b->base_blocks, &b->base_rest, blocks, rest);
		ht_plus(&b->base_bytes, bytes);
	} else {
		ht_plus_rest(&b->blocks, &b->rest, blocks, rest);
		ht_plus(&b->bytes, bytes);
	}
}

static void
add_size(struct buckets *b, const struct ht_prof_row *row, bool base)
{
	add(&b->bucket[ht_hist_bucket(row->size)], row->allocs, row, base);
	add(&b->total, row->allocs, row, base);
}

static void
add_lives(struct buckets *b, const struct ht_prof_row *row, bool base)
{
	/* What is left of a map may be more blocks than were allocated. */
	uint64_t freed =
	    row->allocs > row->leaked ? row->allocs - row->leaked : 0;
	uint64_t known = ht_hist_total(&row->life);
	unsigned i;

	add(&b->total, row->allocs, row, base);
	add(&b->never, row->leaked, row, base);
	if (freed > known)
		add(&b->unknown, freed - known, row, base);
	add(&b->bucket[0], row->life.zeros, row, base);
	for (i = 0; i < row->life.n; i++)
		add(&b->bucket[row->life.first + i], row->life.count[i], row,
		    base);
}

static void
add_rows(struct buckets *b, const struct report *r,
    void (*one)(struct buckets *, const struct ht_prof_row *, bool))
{
	size_t i;

	memset(b, 0, sizeof *b);
	for (i = 0; i < r->p->nrow; i++) {
		one(b, &r->p->row[i], false);
		if (r->base_row)
			one(b, &r->base_row[i], true);
	}
}

void
buckets_sizes(struct buckets *b, const struct report *r)
{
	add_rows(b, r, add_size);
}

void
buckets_lifetimes(struct buckets *b, const struct report *r)
{
	add_rows(b, r, add_lives);
}

bool
bucket_is_empty(const struct bucket *b)
{
	return b->blocks == 0 && b->base_blocks == 0;
}

uint64_t
bucket_last(unsigned i)
{
	return i + 1 < HT_HIST_BUCKETS ? ht_hist_start(i + 1) - 1 : UINT64_MAX;
}
