/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "ht-symbolize/spans.h"
#include "libht/mem.h"

void
spans_add(struct spans *s, uint64_t start, uint64_t end, uint32_t id)
{
	if (start >= end)
		return;
	HT_GROW(s->span, s->cap, s->count + 1);
	s->span[s->count++] = (struct span){start, end, 0, id};
	s->sorted = false;
}

static int
by_start(const void *pa, const void *pb)
{
	const struct span *a = pa, *b = pb;

	if (a->start != b->start)
		return (a->start > b->start) - (a->start < b->start);
	if (a->end != b->end)
		return (a->end < b->end) - (a->end > b->end);
	return (a->id > b->id) - (a->id < b->id);
}

static void
sort(struct spans *s)
{
	uint64_t reach = 0;

	if (s->count)
		qsort(s->span, s->count, sizeof(*s->span), by_start);
	for (size_t i = 0; i < s->count; i++) {
		if (s->span[i].end > reach)
			reach = s->span[i].end;
		s->span[i].reach = reach;
	}
	s->sorted = true;
}

/* How many ranges start at or below addr. */
static size_t
below(struct spans *s, uint64_t addr)
{
	size_t low = 0, high = s->count;

	if (!s->sorted)
		sort(s);
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->span[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct span *
spans_next(struct spans *s, uint64_t addr, size_t *at)
{
	if (*at == SIZE_MAX)
		*at = below(s, addr);
	while (*at && s->span[*at - 1].reach > addr) {
		const struct span *p = &s->span[--*at];

		if (p->end > addr)
			return p;
	}
	*at = 0;
	return NULL;
}

const struct span *
spans_find(struct spans *s, uint64_t addr)
{
	size_t at = SIZE_MAX;

	return spans_next(s, addr, &at);
}

uint64_t
spans_above(struct spans *s, uint64_t addr)
{
	size_t i = below(s, addr);

	return i < s->count ? s->span[i].start : UINT64_MAX;
}

void
spans_clear(struct spans *s)
{
	s->count = 0;
	s->sorted = false;
}

void
spans_release(struct spans *s)
{
	free(s->span);
	*s = (struct spans){0};
}
