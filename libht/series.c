/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "libht/mem.h"
#include "libht/series.h"

static uint64_t
plus(uint64_t a, uint64_t b)
{
	return __builtin_add_overflow(a, b, &a) ? UINT64_MAX : a;
}

static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Two neighbours, or twins of two traces, as one. */
static struct ht_bucket
join(const struct ht_bucket *a, const struct ht_bucket *b, uint64_t end)
{
	return (struct ht_bucket){
	    .max = larger(a->max, b->max),
	    .end = end,
	    .allocs = plus(a->allocs, b->allocs),
	    .temporary = plus(a->temporary, b->temporary),
	    .rss = larger(a->rss, b->rss),
	};
}

void
ht_series_widen(struct ht_series *s, unsigned shift)
{
	size_t i;

	if (s->shift < HT_SERIES_SHIFT)
		s->shift = HT_SERIES_SHIFT;
	for (; s->shift < shift; s->shift++) {
		for (i = 0; i + 1 < s->n; i += 2)
			s->bucket[i / 2] = join(&s->bucket[i],
			    &s->bucket[i + 1], s->bucket[i + 1].end);
		if (i < s->n)
			s->bucket[i / 2] = s->bucket[i];
		s->n = (s->n + 1) / 2;
	}
}

struct ht_bucket *
ht_series_at(struct ht_series *s, uint64_t ms)
{
	ht_series_widen(s, HT_SERIES_SHIFT);
	while (ms >> s->shift >= HT_SERIES_BUCKETS)
		ht_series_widen(s, s->shift + 1);
	HT_GROW(s->bucket, s->cap, (size_t)(ms >> s->shift) + 1);
	for (; s->n <= ms >> s->shift; s->n++) {
		uint64_t live = s->n ? s->bucket[s->n - 1].end : 0;

		s->bucket[s->n] = (struct ht_bucket){.max = live, .end = live};
	}
	return &s->bucket[ms >> s->shift];
}

void
ht_series_merge(struct ht_series *to, const struct ht_series *from)
{
	unsigned shift = from->shift > to->shift ? from->shift : to->shift;
	struct ht_series copy = {.shift = from->shift, .n = from->n};
	uint64_t to_end, from_end;
	size_t i;

	if (from->n == 0)
		return;
	HT_GROW(copy.bucket, copy.cap, from->n);
	memcpy(copy.bucket, from->bucket, from->n * sizeof *copy.bucket);
	ht_series_widen(&copy, shift);
	ht_series_widen(to, shift);
	to_end = to->n ? to->bucket[to->n - 1].end : 0;
	from_end = copy.bucket[copy.n - 1].end;
	HT_GROW(to->bucket, to->cap, copy.n);
	for (; to->n < copy.n; to->n++)
		to->bucket[to->n] = (struct ht_bucket){.end = to_end};
	for (i = 0; i < to->n; i++) {
		struct ht_bucket *b = &to->bucket[i];
		struct ht_bucket none = {0};
		const struct ht_bucket *more =
		    i < copy.n ? &copy.bucket[i] : &none;

		*b = join(
		    b, more, plus(b->end, i < copy.n ? more->end : from_end));
	}
	free(copy.bucket);
}

void
ht_series_clear(struct ht_series *s)
{
	s->n = 0;
	s->shift = 0;
}

void
ht_series_release(struct ht_series *s)
{
	free(s->bucket);
	memset(s, 0, sizeof *s);
}
