/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "ht-top/rows.h"
#include "libht/mem.h"

/* What rows are merged by. */
static uint32_t
row_of(struct rows *r, uint32_t id)
{
	struct ht_place place = ht_place(r->p, id);
	uint64_t key[4];
	uint32_t row;
	bool fresh;

	key[0] = (uint64_t)place.module << 32 | place.function;
	key[1] = (uint64_t)place.file << 32 | place.line;
	key[2] = place.function == 0 ? place.offset : 0;
	key[3] = place.known;
	row = ht_intern_add(&r->keys, (const char *)key, sizeof key, &fresh);
	/* Of places that differ in it, one that is not inlined stands for the
	 * row: whichever came first must not matter. */
	if (fresh) {
		HT_GROW(r->row, r->cap, row);
		memset(&r->row[row - 1], 0, sizeof *r->row);
		r->row[row - 1].place = id;
		r->nrow = row;
	} else if (!place.inlined) {
		r->row[row - 1].place = id;
	}
	return row;
}

void
rows_init(struct rows *r, const struct ht_prof *p, const struct ht_query *query)
{
	size_t i;

	memset(r, 0, sizeof *r);
	r->p = p;
	ht_walk_init(&r->walk, p, &query->alloc_fn, query->all_frames);
	r->next = ht_calloc(p->nrow + 1, sizeof *r->next);
	for (i = 0; i < p->nrow; i++) {
		struct ht_sum sum = ht_row_sum(&p->row[i]);
		struct row *row;
		uint32_t id;

		ht_walk_stack(&r->walk, p->row[i].stack);
		id = row_of(r, r->walk.place[0]);
		row = &r->row[id - 1];
		ht_sum_add(&row->sum, &sum);
		r->next[i + 1] = row->first;
		row->first = (uint32_t)(i + 1);
	}
}

void
rows_release(struct rows *r)
{
	free(r->row);
	free(r->next);
	free(r->sub);
	ht_walk_release(&r->walk);
	ht_intern_release(&r->keys);
	ht_intern_release(&r->chains);
	memset(r, 0, sizeof *r);
}

void
rows_subs(struct rows *r, const struct row *row)
{
	uint32_t i;
	size_t k;

	ht_intern_clear(&r->chains);
	r->nsub = 0;
	for (i = row->first; i; i = r->next[i]) {
		struct ht_sum sum = ht_row_sum(&r->p->row[i - 1]);
		uint32_t id;
		bool fresh;

		ht_walk_stack(&r->walk, r->p->row[i - 1].stack);
		id = ht_intern_add(&r->chains, (char *)(r->walk.place + 1),
		    (r->walk.n - 1) * sizeof *r->walk.place, &fresh);
		if (fresh) {
			HT_GROW(r->sub, r->sub_cap, id);
			memset(&r->sub[id - 1], 0, sizeof *r->sub);
			r->nsub = id;
		}
		ht_sum_add(&r->sub[id - 1].sum, &sum);
	}
	for (k = 0; k < r->nsub; k++) {
		struct sub *s = &r->sub[k];

		s->chain = ht_intern_get(&r->chains, (uint32_t)(k + 1));
		s->len = ht_intern_len(&r->chains, (uint32_t)(k + 1)) /
			 sizeof(uint32_t);
	}
}
