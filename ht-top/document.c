/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A report as one JSON document. ht-top(1) describes it, field by field; what
 * is there stays, more may come. */
#include <stdlib.h>
#include <string.h>

#include "ht-top/buckets.h"
#include "ht-top/forest.h"
#include "ht-top/json.h"
#include "ht-top/labels.h"
#include "ht-top/rows.h"
#include "ht-top/suppressions.h"

#define LAYOUT 1 /* raised when what is there had to change */

static void
put_text(struct json *j, const struct report *r, const char *key, uint32_t id)
{
	if (id)
		json_text(j, key, ht_intern_get(&r->p->text, id),
		    ht_intern_len(&r->p->text, id));
}

static void
put_costs(struct json *j, const struct costs *c)
{
	size_t i;

	for (i = 0; i < field_count; i++) {
		struct amount a = field_of(i, c);

		json_int(j, field_name(i), a.minus, a.n);
	}
}

/* What of a place is known. */
static void
put_place(struct json *j, const struct report *r, enum ht_by by, uint32_t id)
{
	struct ht_place p = place_by(r->p, by, id);
	struct ht_str name = {0};

	if (p.function) {
		add_function(&name, r, p.function);
		json_text(j, "function", name.data ? name.data : "", name.len);
		ht_str_release(&name);
	}
	put_text(j, r, "file", p.file);
	if (p.line)
		json_uint(j, "line", p.line);
	put_text(j, r, "module", p.module);
	if (p.offset && !p.symbolised)
		json_uint(j, p.module ? "offset" : "address", p.offset);
	if (p.inlined)
		json_bool(j, "inlined", true);
	if (p.cut)
		json_bool(j, "cut", true);
}

static void
put_frames(
    struct json *j, const struct report *r, const uint32_t *place, size_t n)
{
	size_t i;

	json_open(j, "frames", '[');
	for (i = 0; i < n; i++) {
		json_open_line(j, NULL, '{');
		put_place(j, r, HT_BY_LINE, place[i]);
		json_close(j, '}');
	}
	json_close(j, ']');
}

/* --- sections ----------------------------------------------------------- */

static void
put_subs(
    struct json *j, struct rows *rows, const struct row *row, enum cost sort)
{
	const struct report *r = rows->r;
	struct sub **sub;
	size_t i, n;

	rows_subs(rows, row);
	sub = subs_sorted(rows, sort, &n);
	json_open(j, "backtraces", '[');
	for (i = 0; i < n && i < r->top->subs; i++) {
		json_open(j, NULL, '{');
		put_costs(j, &sub[i]->costs);
		ht_walk_stack(&rows->walk, sub[i]->stack);
		put_frames(j, r, rows->walk.place, rows->walk.n);
		json_close(j, '}');
	}
	json_close(j, ']');
	free(sub);
}

static void
put_row(
    struct json *j, struct rows *rows, const struct row *row, enum cost sort)
{
	const struct report *r = rows->r;

	json_open(j, NULL, '{');
	if (r->top->by == HT_BY_SIZE)
		json_uint(j, "size", row->value);
	else if (r->top->by == HT_BY_THREAD)
		put_text(j, r, "thread", (uint32_t)row->value);
	else
		put_place(j, r, r->top->by, row->place);
	put_costs(j, &row->costs);
	if (r->top->subs)
		put_subs(j, rows, row, sort);
	json_close(j, '}');
}

static void
put_section(struct json *j, struct rows *rows, enum cost sort)
{
	const struct report *r = rows->r;
	struct row **row;
	size_t i, n;

	json_open(j, NULL, '{');
	json_textz(j, "sort", cost_names[sort]);
	json_textz(j, "by", ht_by_names[r->top->by]);
	row = rows_sorted(rows, sort, &n);
	json_uint(j, "count", n);
	json_open(j, "rows", '[');
	for (i = 0; i < n && (i < r->top->rows || !r->top->all_rows); i++)
		put_row(j, rows, row[i], sort);
	json_close(j, ']');
	json_close(j, '}');
	free(row);
}

static void
put_sections(struct json *j, const struct report *r)
{
	struct rows rows;
	size_t i;

	rows_init(&rows, r);
	json_open(j, "sections", '[');
	for (i = 0; i < r->top->nsort; i++)
		put_section(j, &rows, r->top->sort[i]);
	json_close(j, ']');
	rows_release(&rows);
}

/* --- trees -------------------------------------------------------------- */

/* Nodes are a list, not nested: stacks are deeper than parsers like. */
static void
put_tree(struct json *j, const struct forest *f, enum cost sort)
{
	struct visit v = {.f = f, .sort = sort};

	json_open(j, "nodes", '[');
	while (visit_next(&v)) {
		const struct ht_node *node = &f->tree.node[v.node - 1];
		struct costs costs = node_costs(node), self = node_self(node);

		json_open(j, NULL, '{');
		json_uint(j, "id", v.node);
		json_uint(j, "parent", node->parent);
		json_uint(j, "depth", v.depth);
		put_place(j, f->r, f->tree.by, node->place);
		put_costs(j, &costs);
		json_open_line(j, "self", '{');
		put_costs(j, &self);
		json_close(j, '}');
		json_close(j, '}');
	}
	json_close(j, ']');
	visit_release(&v);
}

static void
put_trees(struct json *j, const struct report *r)
{
	static const char *const names[] = {[HT_TREE_TOP_DOWN] = "top-down",
	    [HT_TREE_BOTTOM_UP] = "bottom-up",
	    [HT_TREE_CALLERS] = "callers",
	    [HT_TREE_CALLEES] = "callees"};
	struct forest f;
	size_t i;

	forest_init(&f, r);
	json_open(j, "trees", '[');
	for (i = 0; i < r->top->nsort; i++) {
		json_open(j, NULL, '{');
		json_textz(j, "sort", cost_names[r->top->sort[i]]);
		json_textz(j, "by", ht_by_names[r->top->by]);
		json_textz(j, "direction", names[r->top->direction]);
		if (r->top->function)
			json_textz(j, "of", r->top->function);
		put_tree(j, &f, r->top->sort[i]);
		json_close(j, '}');
	}
	json_close(j, ']');
	forest_release(&f);
}

/* --- histograms --------------------------------------------------------- */

static void
put_bucket(struct json *j, const struct bucket *b)
{
	struct amount n = amount_between(b->base_blocks, b->blocks);
	struct amount bytes = amount_between(b->base_bytes, b->bytes);

	json_int(j, "calls", n.minus, n.n);
	json_int(j, "bytes", bytes.minus, bytes.n);
}

static void
put_buckets(struct json *j, const char *key, const struct buckets *b)
{
	unsigned i;

	json_open(j, key, '[');
	for (i = 0; i < HT_HIST_BUCKETS; i++) {
		if (bucket_is_empty(&b->bucket[i]))
			continue;
		json_open_line(j, NULL, '{');
		json_uint(j, "from", ht_hist_start(i));
		json_uint(j, "to", bucket_last(i));
		put_bucket(j, &b->bucket[i]);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void
put_one_bucket(struct json *j, const char *key, const struct bucket *b)
{
	json_open_line(j, key, '{');
	put_bucket(j, b);
	json_close(j, '}');
}

static void
put_histograms(struct json *j, const struct report *r)
{
	struct buckets b;

	if (r->top->sizes) {
		buckets_sizes(&b, r);
		put_buckets(j, "sizes", &b);
	}
	if (r->top->lifetimes) {
		buckets_lifetimes(&b, r);
		put_buckets(j, "lifetimes", &b);
		put_one_bucket(j, "not_freed", &b.never);
		put_one_bucket(j, "lifetime_unknown", &b.unknown);
	}
}

/* --- the whole ---------------------------------------------------------- */

static void
put_profile(struct json *j, const char *key, const struct ht_prof *p)
{
	const char *name;
	uint64_t v;
	size_t i;

	json_open(j, key, '{');
	if (p->traces == 1 && p->origin->command)
		json_text(j, "command",
		    ht_intern_get(&p->text, p->origin->command),
		    ht_intern_len(&p->text, p->origin->command));
	json_uint(j, "traces", p->traces);
	for (i = 0; (name = total_field(p, i, &v)) != NULL; i++)
		json_uint(j, name, v);
	json_uint(j, "truncated", p->truncated);
	json_uint(j, "attached", p->attached);
	json_uint(j, "sampled", p->sampled);
	json_uint(j, "missed_frees", p->missed);
	json_bool(j, "overflow", p->overflow);
	json_close(j, '}');
}

static void
put_suppressed(struct json *j, const struct report *r)
{
	const struct ht_suppress *s = &r->top->query.suppress;
	const struct ht_suppression **used;
	size_t i, n;

	json_open_line(j, "suppressed", '{');
	json_uint(j, "leaked", s->bytes);
	json_uint(j, "leaked_blocks", s->blocks);
	json_close(j, '}');
	if (!r->top->suppressions)
		return;
	used = suppressions_used(s, &n);
	json_open(j, "suppressions", '[');
	for (i = 0; i < n; i++) {
		json_open_line(j, NULL, '{');
		json_textz(j, "pattern", used[i]->pattern);
		json_textz(j, "origin", suppression_origin(used[i]));
		json_uint(j, "leaked", used[i]->bytes);
		json_uint(j, "leaked_blocks", used[i]->blocks);
		json_close(j, '}');
	}
	json_close(j, ']');
	free(used);
}

static void
put_limits(struct json *j, const struct report *r)
{
	const struct limits *l = &r->top->limits;
	size_t i;

	if (l->n == 0)
		return;
	json_open(j, "limits", '[');
	for (i = 0; i < l->n; i++) {
		json_open_line(j, NULL, '{');
		json_textz(j, "limit", l->limit[i].text);
		json_bool(j, "exceeded", l->limit[i].exceeded);
		json_close(j, '}');
	}
	json_close(j, ']');
}

void
print_json(const struct report *r)
{
	struct json j = {.out = r->out};

	json_open(&j, NULL, '{');
	json_uint(&j, "ht_top", LAYOUT);
	put_profile(&j, "totals", r->later);
	if (r->base)
		put_profile(&j, "base", r->base);
	json_uint(&j, "launchers_left_out", r->left_out);
	put_suppressed(&j, r);
	put_limits(&j, r);
	if (!r->top->totals && r->top->nsort > 0) {
		if (r->top->direction == HT_TREE_FLAT)
			put_sections(&j, r);
		else
			put_trees(&j, r);
	}
	put_histograms(&j, r);
	json_close(&j, '}');
}
