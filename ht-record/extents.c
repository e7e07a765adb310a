/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "ht-record/extents.h"
#include "libht/mem.h"

size_t
ht_extents_find(const struct ht_extents *e, uint64_t address)
{
	size_t low = 0, high = e->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (e->at[mid].end > address)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

void
ht_extents_insert(struct ht_extents *e, size_t place, struct ht_extent new)
{
	HT_GROW(e->at, e->cap, e->count + 1);
	memmove(e->at + place + 1, e->at + place,
	    (e->count - place) * sizeof *e->at);
	e->at[place] = new;
	e->count++;
}

void
ht_extents_remove(struct ht_extents *e, size_t place)
{
	e->count--;
	memmove(e->at + place, e->at + place + 1,
	    (e->count - place) * sizeof *e->at);
}

void
ht_extents_release(struct ht_extents *e)
{
	free(e->at);
	*e = (struct ht_extents){0};
}
