/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "libht/hist.h"
#include "libht/mem.h"

/* Makes room for the bucket. */
static void
include(struct ht_hist *h, unsigned bucket)
{
	unsigned first = bucket, last = bucket;
	uint64_t *count;

	if (h->n > 0) {
		first = h->first < bucket ? h->first : bucket;
		last = h->first + h->n - 1u;
		last = last > bucket ? last : bucket;
	}
	if (h->n == last - first + 1)
		return;
	count = ht_calloc(last - first + 1, sizeof *count);
	if (h->n > 0)
		memcpy(
		    count + (h->first - first), h->count, h->n * sizeof *count);
	free(h->count);
	h->count = count;
	h->first = (uint8_t)first;
	h->n = (uint8_t)(last - first + 1);
}

void
ht_hist_add(struct ht_hist *h, unsigned bucket, uint64_t count)
{
	uint64_t *to = &h->zeros;

	if (bucket > 0) {
		if (bucket - h->first >= h->n)
			include(h, bucket);
		to = &h->count[bucket - h->first];
	}
	if (__builtin_add_overflow(*to, count, to))
		*to = UINT64_MAX;
}

void
ht_hist_sub(struct ht_hist *h, unsigned bucket, uint64_t count)
{
	if (bucket == 0)
		h->zeros -= count;
	else
		h->count[bucket - h->first] -= count;
}

uint64_t
ht_hist_get(const struct ht_hist *h, unsigned bucket)
{
	if (bucket == 0)
		return h->zeros;
	return bucket - h->first < h->n ? h->count[bucket - h->first] : 0;
}

uint64_t
ht_hist_total(const struct ht_hist *h)
{
	uint64_t sum = h->zeros;
	unsigned i;

	for (i = 0; i < h->n; i++)
		if (__builtin_add_overflow(sum, h->count[i], &sum))
			return UINT64_MAX;
	return sum;
}

void
ht_hist_merge(struct ht_hist *to, const struct ht_hist *from)
{
	unsigned i;

	if (from->zeros)
		ht_hist_add(to, 0, from->zeros);
	for (i = 0; i < from->n; i++)
		if (from->count[i])
			ht_hist_add(to, from->first + i, from->count[i]);
}

void
ht_hist_release(struct ht_hist *h)
{
	free(h->count);
	memset(h, 0, sizeof *h);
}
