/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "ht-html/cells.h"
#include "libht/mem.h"

void
cells_release(struct cells *c)
{
	free(c->cell);
	free(c->end);
	memset(c, 0, sizeof *c);
}

size_t
cells_start(const struct cells *c, size_t bucket)
{
	return bucket ? c->end[bucket - 1] : 0;
}

void
cells_add(struct cells *c, struct cell cell)
{
	HT_GROW(c->cell, c->cap, c->n + 1);
	c->cell[c->n++] = cell;
}

static int
compare(const void *a, const void *b)
{
	const struct cell *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->birth != y->birth)
		return x->birth < y->birth ? -1 : 1;
	return (x->how > y->how) - (x->how < y->how);
}

/* How many are left. */
static size_t
settle(struct cell *cell, size_t n)
{
	size_t i, k, left = 0;

	for (i = 1; i < n && compare(&cell[i - 1], &cell[i]) < 0; i++)
		;
	if (i < n)
		qsort(cell, n, sizeof *cell, compare);
	for (i = 0; i < n; i = k) {
		struct cell sum = cell[i];

		for (k = i + 1; k < n && compare(&cell[k], &sum) == 0; k++) {
			sum.blocks += cell[k].blocks;
			sum.bytes += cell[k].bytes;
		}
		if (sum.blocks || sum.bytes)
			cell[left++] = sum;
	}
	return left;
}

size_t
cells_settle(struct cells *c, size_t to, size_t start, size_t end)
{
	size_t n;

	if (start == end)
		return to;
	n = settle(c->cell + start, end - start);
	memmove(c->cell + to, c->cell + start, n * sizeof *c->cell);
	return to + n;
}

void
cells_end_bucket(struct cells *c, size_t bucket)
{
	size_t start = cells_start(c, bucket);

	c->n = cells_settle(c, start, start, c->n);
	HT_GROW(c->end, c->end_cap, bucket + 1);
	c->end[bucket] = c->n;
}

void
cells_add_bucket(struct cells *to, const struct cells *from, size_t bucket)
{
	size_t i;

	for (i = cells_start(from, bucket); i < from->end[bucket]; i++)
		cells_add(to, from->cell[i]);
}

void
cells_take_bucket(struct cells *to, const struct cells *from, size_t bucket)
{
	size_t i;

	for (i = cells_start(from, bucket); i < from->end[bucket]; i++)
		cells_add(to, (struct cell){.group = from->cell[i].group,
				  .blocks = -from->cell[i].blocks,
				  .bytes = -from->cell[i].bytes});
}
