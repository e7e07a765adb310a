/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A report as tables of tab-separated values, each with a line of the names of
 * its columns, an empty line between two. ht-top(1) lists the columns, whose
 * order stays; more may come at the end. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ht-top/buckets.h"
#include "ht-top/forest.h"
#include "ht-top/labels.h"
#include "ht-top/rows.h"
#include "ht-top/suppressions.h"
#include "libht/mem.h"

struct tsv {
	const struct report *r;
	bool more;   /* a table stands before */
	bool column; /* a column stands before in this line */
};

/* The line of names of a table; names ends with NULL. */
static void
begin_table(struct tsv *t)
{
	if (t->more)
		ht_out_char(t->r->out, '\n');
	t->more = true;
}

static void
put_raw(struct tsv *t, const char *text, size_t len)
{
	if (t->column)
		ht_out_char(t->r->out, '\t');
	ht_out_write(t->r->out, text, len);
	t->column = true;
}

static void
put_word(struct tsv *t, const char *text)
{
	put_raw(t, text, strlen(text));
}

static void
put_text(struct tsv *t, const char *text, size_t len)
{
	char *p = ht_malloc(4 * len + 1);

	put_raw(t, p, ht_escape(p, 4 * len + 1, text, len));
	free(p);
}

static void
put_id(struct tsv *t, uint32_t id)
{
	put_text(t, ht_intern_get(&t->r->p->text, id),
	    ht_intern_len(&t->r->p->text, id));
}

static void
put_int(struct tsv *t, bool minus, uint64_t v)
{
	struct ht_str s = {0};

	ht_str_addf(&s, "%s%" PRIu64, minus ? "-" : "", v);
	put_raw(t, s.data, s.len);
	ht_str_release(&s);
}

static void
put_amount(struct tsv *t, struct amount a)
{
	put_int(t, a.minus, a.n);
}

static void
end_line(struct tsv *t)
{
	ht_out_char(t->r->out, '\n');
	t->column = false;
}

static void
put_costs(struct tsv *t, const struct costs *c)
{
	size_t i;

	for (i = 0; i < FIELDS_ALWAYS; i++)
		put_amount(t, field_of(i, c));
}

/* Columns that came later, and only where they say something. */
static void
put_more_names(struct tsv *t)
{
	size_t i;

	for (i = FIELDS_ALWAYS; has_rounding(t->r) && i < field_count; i++)
		put_word(t, field_name(i));
}

static void
put_more_costs(struct tsv *t, const struct costs *c)
{
	size_t i;

	for (i = FIELDS_ALWAYS; has_rounding(t->r) && i < field_count; i++)
		put_amount(t, field_of(i, c));
}

/* At the end of a line, of estimates. */
static void
put_halves(struct tsv *t, const struct costs *c)
{
	size_t i;

	for (i = 0; is_estimated(t->r) && half_name(i); i++)
		put_int(t, false, half_field(i, c));
}

/* Where nothing is known the column is empty. */
static void
put_place(struct tsv *t, uint32_t id)
{
	struct ht_place p = place_by(t->r->p, t->r->top->by, id);
	struct ht_str s = {0};

	add_function(&s, t->r, p.function);
	put_text(t, s.data ? s.data : "", s.len);
	put_id(t, p.file);
	if (p.line)
		put_int(t, false, p.line);
	else
		put_word(t, "");
	put_id(t, p.module);
	if (p.offset && !p.symbolised)
		put_int(t, false, p.offset);
	else
		put_word(t, "");
	put_word(t, p.inlined ? "1" : "0");
	put_word(t, p.cut ? "1" : "0");
	ht_str_release(&s);
}

/* The names of functions, the root first, as in folded stacks: what has none
 * is named as in text, and a `;` in a name is escaped. */
static void
put_stack(struct tsv *t, struct ht_walk *walk, uint32_t stack)
{
	struct ht_str all = {0}, name = {0};
	size_t i, k;

	ht_walk_stack(walk, stack);
	for (i = walk->n; i > 0; i--) {
		struct ht_place p =
		    place_by(t->r->p, HT_BY_LINE, walk->place[i - 1]);

		ht_str_clear(&name);
		add_name(&name, t->r, HT_BY_LINE, &p, 0);
		if (i < walk->n)
			ht_str_addc(&all, ';');
		for (k = 0; k < name.len; k++)
			if (name.data[k] == ';')
				ht_str_addz(&all, "\\x3b");
			else
				ht_str_addc(&all, name.data[k]);
	}
	put_raw(t, all.data ? all.data : "", all.len);
	ht_str_release(&all);
	ht_str_release(&name);
}

static void
put_names(struct tsv *t, const char *const *names)
{
	for (; *names; names++)
		put_word(t, *names);
}

static void
put_cost_names(struct tsv *t)
{
	size_t i;

	for (i = 0; i < FIELDS_ALWAYS; i++)
		put_word(t, field_name(i));
}

static void
put_half_names(struct tsv *t)
{
	size_t i;

	for (i = 0; is_estimated(t->r) && half_name(i); i++)
		put_word(t, half_name(i));
}

static const char *const place_names[] = {
    "function", "file", "line", "module", "offset", "inlined", "cut", NULL};

/* --- sections ----------------------------------------------------------- */

static void
put_key(struct tsv *t, struct rows *rows, const struct row *row)
{
	switch (t->r->top->by) {
	case HT_BY_SIZE:
		put_int(t, false, row->value);
		break;
	case HT_BY_THREAD:
		put_id(t, (uint32_t)row->value);
		break;
	case HT_BY_KIND:
		if (row->value)
			put_id(t, (uint32_t)row->value);
		else
			put_word(t, ht_kind_name(t->r->p, 0));
		break;
	case HT_BY_STACK:
		put_stack(t, &rows->walk, (uint32_t)row->value);
		break;
	default:
		put_place(t, row->place);
		break;
	}
}

static void
put_section(struct tsv *t, struct rows *rows, enum cost sort)
{
	const struct top *top = t->r->top;
	struct row **row;
	size_t i, n;

	row = rows_sorted(rows, sort, &n);
	for (i = 0; i < n && (i < top->rows || !top->all_rows); i++) {
		put_word(t, cost_names[sort]);
		put_costs(t, &row[i]->costs);
		put_key(t, rows, row[i]);
		put_halves(t, &row[i]->costs);
		put_more_costs(t, &row[i]->costs);
		end_line(t);
	}
	free(row);
}

static void
put_sections(struct tsv *t)
{
	enum ht_by by = t->r->top->by;
	struct rows rows;
	size_t i;

	begin_table(t);
	put_word(t, "sort");
	put_cost_names(t);
	if (by > HT_BY_MODULE)
		put_word(t, ht_by_names[by]);
	else
		put_names(t, place_names);
	put_half_names(t);
	put_more_names(t);
	end_line(t);
	rows_init(&rows, t->r);
	for (i = 0; i < t->r->top->nsort; i++)
		put_section(t, &rows, t->r->top->sort[i]);
	rows_release(&rows);
}

/* --- trees -------------------------------------------------------------- */

static void
put_tree(struct tsv *t, const struct forest *f, enum cost sort)
{
	struct visit v = {.f = f, .sort = sort};

	while (visit_next(&v)) {
		const struct ht_node *node = &f->tree.node[v.node - 1];
		struct costs costs = node_costs(node), self = node_self(node);

		put_word(t, cost_names[sort]);
		put_int(t, false, v.depth);
		put_amount(t, amount_of(sort, &self));
		put_costs(t, &costs);
		put_place(t, node->place);
		put_halves(t, &costs);
		put_more_costs(t, &costs);
		end_line(t);
	}
	visit_release(&v);
}

static void
put_trees(struct tsv *t)
{
	struct forest f;
	size_t i;

	begin_table(t);
	put_word(t, "sort");
	put_word(t, "depth");
	put_word(t, "self");
	put_cost_names(t);
	put_names(t, place_names);
	put_half_names(t);
	put_more_names(t);
	end_line(t);
	forest_init(&f, t->r);
	for (i = 0; i < t->r->top->nsort; i++)
		put_tree(t, &f, t->r->top->sort[i]);
	forest_release(&f);
}

/* --- histograms, suppressions, totals ----------------------------------- */

static void
put_bucket(struct tsv *t, const char *what, const char *from, const char *to,
    const struct bucket *b)
{
	if (bucket_is_empty(b))
		return;
	put_word(t, what);
	put_word(t, from);
	put_word(t, to);
	put_amount(t, amount_between(b->base_blocks, b->blocks));
	put_amount(t, amount_between(b->base_bytes, b->bytes));
	end_line(t);
}

static void
put_buckets(struct tsv *t, const char *what, const struct buckets *b)
{
	static const char *const names[] = {
	    "histogram", "from", "to", "calls", "bytes", NULL};
	unsigned i;

	begin_table(t);
	put_names(t, names);
	end_line(t);
	for (i = 0; i < HT_HIST_BUCKETS; i++) {
		struct ht_str from = {0}, to = {0};

		ht_str_addf(&from, "%" PRIu64, ht_hist_start(i));
		ht_str_addf(&to, "%" PRIu64, bucket_last(i));
		put_bucket(t, what, from.data, to.data, &b->bucket[i]);
		ht_str_release(&from);
		ht_str_release(&to);
	}
	put_bucket(t, what, "unknown", "unknown", &b->unknown);
	put_bucket(t, what, "never", "never", &b->never);
}

static void
put_suppressions(struct tsv *t)
{
	static const char *const names[] = {
	    "origin", "leaked", "leaked_blocks", "pattern", NULL};
	size_t n, i;
	const struct ht_suppression **used =
	    suppressions_used(&t->r->top->query.suppress, &n);

	begin_table(t);
	put_names(t, names);
	end_line(t);
	for (i = 0; i < n; i++) {
		put_word(t, suppression_origin(used[i]));
		put_int(t, false, used[i]->bytes);
		put_int(t, false, used[i]->blocks);
		put_text(t, used[i]->pattern, strlen(used[i]->pattern));
		end_line(t);
	}
	free(used);
}

void
print_tsv(const struct report *r)
{
	const struct top *top = r->top;
	struct tsv t = {.r = r};
	struct buckets b;

	if (top->nsort > 0 && top->direction == HT_TREE_FLAT)
		put_sections(&t);
	else if (top->nsort > 0)
		put_trees(&t);
	if (top->sizes) {
		buckets_sizes(&b, r);
		put_buckets(&t, "sizes", &b);
	}
	if (top->lifetimes) {
		buckets_lifetimes(&b, r);
		put_buckets(&t, "lifetimes", &b);
	}
	if (top->suppressions)
		put_suppressions(&t);
}
