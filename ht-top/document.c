/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A report as one JSON document. ht-top(1) describes it, field by field; what
 * is there stays, more may come. */
#include <stdlib.h>
#include <string.h>

#include "ht-top/buckets.h"
#include "ht-top/forest.h"
#include "ht-top/labels.h"
#include "ht-top/rows.h"
#include "ht-top/suppressions.h"
#include "libht/json.h"

#define LAYOUT 1 /* raised when what is there had to change */

static void
put_text(
    struct ht_json *j, const struct report *r, const char *key, uint32_t id)
{
	if (id)
		ht_json_text(j, key, ht_intern_get(&r->p->text, id),
		    ht_intern_len(&r->p->text, id));
}

static void
put_costs(struct ht_json *j, const struct costs *c)
{
	size_t i;

	for (i = 0; i < field_count; i++) {
		struct amount a = field_of(i, c);

		if (i >= FIELDS_ALWAYS && a.n == 0)
			continue;
		ht_json_int(j, field_name(i), a.minus, a.n);
	}
	for (i = 0; c->sum.estimate + c->base.estimate && half_name(i); i++)
		ht_json_uint(j, half_name(i), half_field(i, c));
}

/* What of a place is known. */
static void
put_place(struct ht_json *j, const struct report *r, enum ht_by by, uint32_t id)
{
	struct ht_place p = place_by(r->p, by, id);
	struct ht_str name = {0};

	if (p.function) {
		add_function(&name, r, p.function);
		ht_json_text(
		    j, "function", name.data ? name.data : "", name.len);
		ht_str_release(&name);
	}
	put_text(j, r, "file", p.file);
	if (p.line)
		ht_json_uint(j, "line", p.line);
	put_text(j, r, "module", p.module);
	if (p.offset && !p.symbolised)
		ht_json_uint(j, p.module ? "offset" : "address", p.offset);
	if (p.inlined)
		ht_json_bool(j, "inlined", true);
	if (p.cut)
		ht_json_bool(j, "cut", true);
}

static void
put_frames(
    struct ht_json *j, const struct report *r, const uint32_t *place, size_t n)
{
	size_t i;

	ht_json_open(j, "frames", '[');
	for (i = 0; i < n; i++) {
		ht_json_open_line(j, NULL, '{');
		put_place(j, r, HT_BY_LINE, place[i]);
		ht_json_close(j, '}');
	}
	ht_json_close(j, ']');
}

/* --- sections ----------------------------------------------------------- */

static void
put_subs(
    struct ht_json *j, struct rows *rows, const struct row *row, enum cost sort)
{
	const struct report *r = rows->r;
	struct sub **sub;
	size_t i, n;

	rows_subs(rows, row);
	sub = subs_sorted(rows, sort, &n);
	ht_json_open(j, "backtraces", '[');
	for (i = 0; i < n && i < r->top->subs; i++) {
		ht_json_open(j, NULL, '{');
		put_costs(j, &sub[i]->costs);
		ht_walk_stack(&rows->walk, sub[i]->stack);
		put_frames(j, r, rows->walk.place, rows->walk.n);
		ht_json_close(j, '}');
	}
	ht_json_close(j, ']');
	free(sub);
}

static void
put_kind(
    struct ht_json *j, const struct ht_prof *p, const char *key, uint32_t kind)
{
	const char *name = ht_kind_name(p, kind);

	ht_json_text(
	    j, key, name, kind ? ht_intern_len(&p->text, kind) : strlen(name));
}

static void
put_row(
    struct ht_json *j, struct rows *rows, const struct row *row, enum cost sort)
{
	const struct report *r = rows->r;

	ht_json_open(j, NULL, '{');
	if (r->top->by == HT_BY_SIZE)
		ht_json_uint(j, "size", row->value);
	else if (r->top->by == HT_BY_THREAD)
		put_text(j, r, "thread", (uint32_t)row->value);
	else if (r->top->by == HT_BY_KIND)
		put_kind(j, r->p, "kind", (uint32_t)row->value);
	else
		put_place(j, r, r->top->by, row->place);
	put_costs(j, &row->costs);
	if (r->top->subs)
		put_subs(j, rows, row, sort);
	ht_json_close(j, '}');
}

static void
put_section(struct ht_json *j, struct rows *rows, enum cost sort)
{
	const struct report *r = rows->r;
	struct row **row;
	size_t i, n;

	ht_json_open(j, NULL, '{');
	ht_json_textz(j, "sort", cost_names[sort]);
	ht_json_textz(j, "by", ht_by_names[r->top->by]);
	row = rows_sorted(rows, sort, &n);
	ht_json_uint(j, "count", n);
	ht_json_open(j, "rows", '[');
	for (i = 0; i < n && (i < r->top->rows || !r->top->all_rows); i++)
		put_row(j, rows, row[i], sort);
	ht_json_close(j, ']');
	ht_json_close(j, '}');
	free(row);
}

static void
put_sections(struct ht_json *j, const struct report *r)
{
	struct rows rows;
	size_t i;

	rows_init(&rows, r);
	ht_json_open(j, "sections", '[');
	for (i = 0; i < r->top->nsort; i++)
		put_section(j, &rows, r->top->sort[i]);
	ht_json_close(j, ']');
	rows_release(&rows);
}

/* --- trees -------------------------------------------------------------- */

/* Nodes are a list, not nested: stacks are deeper than parsers like. */
static void
put_tree(struct ht_json *j, const struct forest *f, enum cost sort)
{
	struct visit v = {.f = f, .sort = sort};

	ht_json_open(j, "nodes", '[');
	while (visit_next(&v)) {
		const struct ht_node *node = &f->tree.node[v.node - 1];
		struct costs costs = node_costs(node), self = node_self(node);

		ht_json_open(j, NULL, '{');
		ht_json_uint(j, "id", v.node);
		ht_json_uint(j, "parent", node->parent);
		ht_json_uint(j, "depth", v.depth);
		put_place(j, f->r, f->tree.by, node->place);
		put_costs(j, &costs);
		ht_json_open_line(j, "self", '{');
		put_costs(j, &self);
		ht_json_close(j, '}');
		ht_json_close(j, '}');
	}
	ht_json_close(j, ']');
	visit_release(&v);
}

static void
put_trees(struct ht_json *j, const struct report *r)
{
	static const char *const names[] = {[HT_TREE_TOP_DOWN] = "top-down",
	    [HT_TREE_BOTTOM_UP] = "bottom-up",
	    [HT_TREE_CALLERS] = "callers",
	    [HT_TREE_CALLEES] = "callees"};
	struct forest f;
	size_t i;

	forest_init(&f, r);
	ht_json_open(j, "trees", '[');
	for (i = 0; i < r->top->nsort; i++) {
		ht_json_open(j, NULL, '{');
		ht_json_textz(j, "sort", cost_names[r->top->sort[i]]);
		ht_json_textz(j, "by", ht_by_names[r->top->by]);
		ht_json_textz(j, "direction", names[r->top->direction]);
		if (r->top->function)
			ht_json_textz(j, "of", r->top->function);
		put_tree(j, &f, r->top->sort[i]);
		ht_json_close(j, '}');
	}
	ht_json_close(j, ']');
	forest_release(&f);
}

/* --- histograms --------------------------------------------------------- */

static void
put_bucket(struct ht_json *j, const struct bucket *b)
{
	struct amount n = amount_between(b->base_blocks, b->blocks);
	struct amount bytes = amount_between(b->base_bytes, b->bytes);

	ht_json_int(j, "calls", n.minus, n.n);
	ht_json_int(j, "bytes", bytes.minus, bytes.n);
}

static void
put_buckets(struct ht_json *j, const char *key, const struct buckets *b)
{
	unsigned i;

	ht_json_open(j, key, '[');
	for (i = 0; i < HT_HIST_BUCKETS; i++) {
		if (bucket_is_empty(&b->bucket[i]))
			continue;
		ht_json_open_line(j, NULL, '{');
		ht_json_uint(j, "from", ht_hist_start(i));
		ht_json_uint(j, "to", bucket_last(i));
		put_bucket(j, &b->bucket[i]);
		ht_json_close(j, '}');
	}
	ht_json_close(j, ']');
}

static void
put_one_bucket(struct ht_json *j, const char *key, const struct bucket *b)
{
	ht_json_open_line(j, key, '{');
	put_bucket(j, b);
	ht_json_close(j, '}');
}

static void
put_histograms(struct ht_json *j, const struct report *r)
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
put_profile(struct ht_json *j, const char *key, const struct ht_prof *p)
{
	struct ht_total total[HT_TOTALS];
	const char *name;
	uint64_t v;
	size_t i;

	ht_json_open(j, key, '{');
	if (p->traces == 1 && p->origin->command)
		ht_json_text(j, "command",
		    ht_intern_get(&p->text, p->origin->command),
		    ht_intern_len(&p->text, p->origin->command));
	ht_json_uint(j, "traces", p->traces);
	ht_prof_totals(p, total);
	for (i = 0; i < HT_TOTALS; i++)
		if (i < TOTALS_ALWAYS || total[i].value)
			ht_json_uint(j, total[i].name, total[i].value);
	for (i = 0; (name = total_half(p, i, &v)) != NULL; i++)
		ht_json_uint(j, name, v);
	ht_json_uint(j, "truncated", p->truncated);
	ht_json_uint(j, "attached", p->attached);
	ht_json_uint(j, "sampled", p->sampled);
	ht_json_uint(j, "missed_frees", p->missed);
	ht_json_bool(j, "overflow", p->overflow);
	ht_json_close(j, '}');
}

static void
put_marks(struct ht_json *j, const struct report *r)
{
	const struct ht_prof *p = r->later;
	size_t i;

	if (p->traces != 1 || p->nmark == 0)
		return;
	ht_json_open(j, "marks", '[');
	for (i = 0; i < p->nmark; i++) {
		ht_json_open_line(j, NULL, '{');
		ht_json_text(j, "mark",
		    ht_intern_get(&p->text, p->mark[i].text),
		    ht_intern_len(&p->text, p->mark[i].text));
		ht_json_uint(j, "ms", p->mark[i].ms);
		ht_json_close(j, '}');
	}
	ht_json_close(j, ']');
}

/* Those that were not asked for. */
static void
put_kinds(struct ht_json *j, const struct report *r)
{
	uint32_t *kind;
	size_t i, n = kinds_left_out(r, &kind);

	ht_json_open(j, "kinds_left_out", '[');
	for (i = 0; i < n; i++)
		put_kind(j, r->later, NULL, kind[i]);
	ht_json_close(j, ']');
	free(kind);
}

static void
put_suppressed(struct ht_json *j, const struct report *r)
{
	const struct ht_suppress *s = &r->top->query.suppress;
	const struct ht_suppression **used;
	size_t i, n;

	ht_json_open_line(j, "suppressed", '{');
	ht_json_uint(j, "leaked", s->bytes);
	ht_json_uint(j, "leaked_blocks", s->blocks);
	ht_json_close(j, '}');
	if (!r->top->suppressions)
		return;
	used = suppressions_used(s, &n);
	ht_json_open(j, "suppressions", '[');
	for (i = 0; i < n; i++) {
		ht_json_open_line(j, NULL, '{');
		ht_json_textz(j, "pattern", used[i]->pattern);
		ht_json_textz(j, "origin", suppression_origin(used[i]));
		ht_json_uint(j, "leaked", used[i]->bytes);
		ht_json_uint(j, "leaked_blocks", used[i]->blocks);
		ht_json_close(j, '}');
	}
	ht_json_close(j, ']');
	free(used);
}

static void
put_limits(struct ht_json *j, const struct report *r)
{
	const struct limits *l = &r->top->limits;
	size_t i;

	if (l->n == 0)
		return;
	ht_json_open(j, "limits", '[');
	for (i = 0; i < l->n; i++) {
		ht_json_open_line(j, NULL, '{');
		ht_json_textz(j, "limit", l->limit[i].text);
		ht_json_bool(j, "exceeded", l->limit[i].exceeded);
		ht_json_close(j, '}');
	}
	ht_json_close(j, ']');
}

void
print_json(const struct report *r)
{
	struct ht_json j = {.out = r->out};

	ht_json_open(&j, NULL, '{');
	ht_json_uint(&j, "ht_top", LAYOUT);
	put_profile(&j, "totals", r->later);
	if (r->base)
		put_profile(&j, "base", r->base);
	ht_json_uint(&j, "launchers_left_out", r->left_out);
	put_marks(&j, r);
	put_kinds(&j, r);
	put_suppressed(&j, r);
	put_limits(&j, r);
	if (!r->top->totals && r->top->nsort > 0) {
		if (r->top->direction == HT_TREE_FLAT)
			put_sections(&j, r);
		else
			put_trees(&j, r);
	}
	put_histograms(&j, r);
	ht_json_close(&j, '}');
}
