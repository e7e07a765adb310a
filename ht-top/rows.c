/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "ht-top/labels.h"
#include "ht-top/rows.h"
#include "libht/mem.h"

static struct costs
costs_at(const struct report *r, size_t i)
{
	struct costs c = {.sum = ht_row_sum(&r->p->row[i])};

	if (r->base_row)
		c.base = ht_row_sum(&r->base_row[i]);
	return c;
}

void
rows_init(struct rows *rows, const struct report *r)
{
	const struct ht_prof *p = r->p;
	uint32_t *end = ht_calloc(p->nrow + 1, sizeof *end);
	size_t i;

	memset(rows, 0, sizeof *rows);
	rows->r = r;
	ht_walk_init(
	    &rows->walk, p, &r->top->query.alloc_fn, r->top->query.all_frames);
	ht_tree_init(&rows->tree, &rows->walk, r->top->by, HT_TREE_FLAT, NULL);
	for (i = 0; i < p->nrow; i++)
		end[i] = ht_tree_end(&rows->tree, &p->row[i]);
	rows->nrow = rows->tree.nnode;
	rows->row = ht_calloc(rows->nrow + 1, sizeof *rows->row);
	rows->next = ht_calloc(p->nrow + 1, sizeof *rows->next);
	for (i = 0; i < p->nrow; i++) {
		struct row *row = &rows->row[end[i] - 1];
		const struct ht_node *node = &rows->tree.node[end[i] - 1];
		struct costs c = costs_at(r, i);

		row->place = node->place;
		row->value = node->value;
		row->node = end[i];
		costs_add(&row->costs, &c);
		rows->next[i + 1] = row->first;
		row->first = (uint32_t)(i + 1);
	}
	free(end);
}

void
rows_release(struct rows *rows)
{
	free(rows->row);
	free(rows->next);
	free(rows->sub);
	ht_tree_release(&rows->tree);
	ht_walk_release(&rows->walk);
	ht_intern_release(&rows->chains);
	memset(rows, 0, sizeof *rows);
}

/* How many places at the start of a backtrace its row stands for. */
static size_t
places_of_row(enum ht_by by)
{
	return by == HT_BY_FUNCTION || by == HT_BY_LINE || by == HT_BY_STACK;
}

void
rows_subs(struct rows *rows, const struct row *row)
{
	const struct ht_prof *p = rows->r->p;
	size_t skip = places_of_row(rows->r->top->by), k;
	uint32_t i;

	ht_intern_clear(&rows->chains);
	rows->nsub = 0;
	for (i = row->first; i; i = rows->next[i]) {
		struct costs c = costs_at(rows->r, i - 1);
		uint32_t id;
		bool fresh;

		ht_walk_stack(&rows->walk, p->row[i - 1].stack);
		id = ht_intern_add(&rows->chains,
		    (char *)(rows->walk.place + skip),
		    (rows->walk.n - skip) * sizeof *rows->walk.place, &fresh);
		if (fresh) {
			HT_GROW(rows->sub, rows->sub_cap, id);
			memset(&rows->sub[id - 1], 0, sizeof *rows->sub);
			rows->sub[id - 1].stack = p->row[i - 1].stack;
			rows->nsub = id;
		}
		costs_add(&rows->sub[id - 1].costs, &c);
	}
	for (k = 0; k < rows->nsub; k++) {
		struct sub *s = &rows->sub[k];

		s->chain = ht_intern_get(&rows->chains, (uint32_t)(k + 1));
		s->len = ht_intern_len(&rows->chains, (uint32_t)(k + 1)) /
			 sizeof(uint32_t);
	}
}

/* --- sorting ------------------------------------------------------------ */

struct order {
	const struct rows *rows;
	enum cost sort;
};

static int
compare_ids(const struct rows *rows, enum ht_by by, uint32_t a, uint32_t b)
{
	const struct ht_prof *p = rows->r->p;
	struct ht_place x = place_by(p, by, a), y = place_by(p, by, b);

	return compare_places(p, &x, &y);
}

static int
compare_values(const struct rows *rows, uint64_t a, uint64_t b)
{
	const struct ht_intern *text = &rows->r->p->text;

	if (rows->r->top->by == HT_BY_THREAD)
		return strcmp(ht_intern_get(text, (uint32_t)a),
		    ht_intern_get(text, (uint32_t)b));
	if (rows->r->top->by == HT_BY_KIND)
		return strcmp(ht_kind_name(rows->r->p, (uint32_t)a),
		    ht_kind_name(rows->r->p, (uint32_t)b));
	return (a > b) - (a < b);
}

static int
compare_stacks(const struct rows *rows, uint32_t a, uint32_t b)
{
	struct ht_walk *walk = (struct ht_walk *)&rows->walk;
	uint32_t *mine;
	size_t i, n;
	int c = 0;

	ht_walk_stack(walk, a);
	n = walk->n;
	mine = ht_malloc((n + 1) * sizeof *mine);
	memcpy(mine, walk->place, n * sizeof *mine);
	ht_walk_stack(walk, b);
	for (i = 0; c == 0 && i < n && i < walk->n; i++)
		c = compare_ids(rows, HT_BY_LINE, mine[i], walk->place[i]);
	if (c == 0)
		c = (n > walk->n) - (n < walk->n);
	free(mine);
	return c;
}

static int
compare_rows(const void *a, const void *b, void *arg)
{
	const struct order *o = arg;
	const struct row *const *x = a, *const *y = b;
	int c = amount_compare(
	    amount_of(o->sort, &(*x)->costs), amount_of(o->sort, &(*y)->costs));

	if (c)
		return c;
	switch (o->rows->r->top->by) {
	case HT_BY_THREAD:
	case HT_BY_KIND:
	case HT_BY_SIZE:
		return compare_values(o->rows, (*x)->value, (*y)->value);
	case HT_BY_STACK:
		return compare_stacks(
		    o->rows, (uint32_t)(*x)->value, (uint32_t)(*y)->value);
	default:
		return compare_ids(
		    o->rows, o->rows->r->top->by, (*x)->place, (*y)->place);
	}
}

static int
compare_subs(const void *a, const void *b, void *arg)
{
	const struct order *o = arg;
	const struct sub *const *x = a, *const *y = b;
	int c = amount_compare(
	    amount_of(o->sort, &(*x)->costs), amount_of(o->sort, &(*y)->costs));
	size_t i;

	for (i = 0; c == 0 && i < (*x)->len && i < (*y)->len; i++)
		c = compare_ids(
		    o->rows, HT_BY_LINE, sub_place(*x, i), sub_place(*y, i));
	return c ? c : ((*x)->len > (*y)->len) - ((*x)->len < (*y)->len);
}

struct row **
rows_sorted(struct rows *rows, enum cost sort, size_t *n)
{
	struct row **row = ht_malloc((rows->nrow + 1) * sizeof(struct row *));
	struct order o = {rows, sort};
	size_t i;

	*n = 0;
	for (i = 0; i < rows->nrow; i++)
		if (amount_of(sort, &rows->row[i].costs).n > 0)
			row[(*n)++] = &rows->row[i];
	qsort_r(row, *n, sizeof(struct row *), compare_rows, &o);
	return row;
}

struct sub **
subs_sorted(struct rows *rows, enum cost sort, size_t *n)
{
	struct sub **sub = ht_malloc((rows->nsub + 1) * sizeof(struct sub *));
	struct order o = {rows, sort};
	size_t i;

	*n = 0;
	for (i = 0; i < rows->nsub; i++)
		if (amount_of(sort, &rows->sub[i].costs).n > 0)
			sub[(*n)++] = &rows->sub[i];
	qsort_r(sub, *n, sizeof(struct sub *), compare_subs, &o);
	return sub;
}
