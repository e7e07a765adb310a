/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "libht/diff.h"
#include "libht/mem.h"

void
ht_diff_make(
    struct ht_diff *d, const struct ht_prof *base, const struct ht_prof *later)
{
	uint32_t *row;
	size_t i;

	memset(d, 0, sizeof *d);
	ht_prof_add(&d->both, later);
	row = ht_prof_rows(&d->both, base);
	d->base = ht_calloc(d->both.nrow + 1, sizeof *d->base);
	for (i = 0; i < d->both.nrow; i++) {
		d->base[i] = d->both.row[i];
		d->base[i].allocs = d->base[i].temporary = 0;
		d->base[i].leaked = d->base[i].peak = d->base[i].others = 0;
		d->base[i].life = (struct ht_hist){0};
	}
	for (i = 0; i < base->nrow; i++)
		ht_row_add(&d->base[row[i] - 1], &base->row[i]);
	free(row);
}

void
ht_diff_release(struct ht_diff *d)
{
	size_t i;

	for (i = 0; i < d->both.nrow; i++)
		ht_hist_release(&d->base[i].life);
	free(d->base);
	ht_prof_release(&d->both);
}

int64_t
ht_diff(uint64_t base, uint64_t later)
{
	if (later >= base)
		return later - base > INT64_MAX ? INT64_MAX
						: (int64_t)(later - base);
	return base - later > INT64_MAX ? INT64_MIN : -(int64_t)(base - later);
}
