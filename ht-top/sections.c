/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A section in text: rows, and under each its largest backtraces as a tree,
 * the caller first. */
#include <stdlib.h>
#include <string.h>

#include "ht-top/columns.h"
#include "ht-top/rows.h"
#include "libht/mem.h"

struct section {
	struct rows rows;
	struct columns c;
	uint64_t total; /* of the section's cost, or of its base */
};

/* A part of the backtraces of a row which begin alike. */
struct group {
	struct sub **sub;
	size_t n;
	size_t at; /* so many places are printed */
};

static struct costs
group_sum(const struct group *g)
{
	struct costs sum = {0};
	size_t i;

	for (i = 0; i < g->n; i++)
		costs_add(&sum, &g->sub[i]->costs);
	return sum;
}

/* Up to where all go on alike. */
static size_t
common_end(const struct group *g)
{
	size_t at, i;

	for (at = g->at; at < g->sub[0]->len; at++)
		for (i = 1; i < g->n; i++)
			if (g->sub[i]->len == at ||
			    sub_place(g->sub[i], at) !=
				sub_place(g->sub[0], at))
				return at;
	return at;
}

static void
put_costs(struct section *s, const struct costs *costs, bool percent)
{
	struct line line;

	if (costs)
		line = line_of(&s->c, costs, NULL);
	put_numbers(&s->c, costs ? &line : NULL, percent);
}

/* Frames of a backtrace before it parts: all of them where the backtraces are
 * what is looked at. */
static size_t
depth_of(const struct top *top)
{
	return top->query.all_frames ? 0 : top->depth;
}

static void put_branches(
    struct section *s, const struct group *g, size_t indent);

/* What the backtraces have in common, then their branches. `sum` is printed on
 * the first line, unless NULL. */
static void
put_group(
    struct section *s, struct group g, size_t indent, const struct costs *sum)
{
	size_t depth = depth_of(s->c.r->top);
	size_t end = common_end(&g), printed = 0, next;

	if (g.at == end && sum) {
		put_costs(s, sum, false);
		ht_out_printf(s->c.r->out, "%*s(here)\n", (int)indent, "");
	}
	for (; g.at < end && (depth == 0 || printed < depth); g.at = next) {
		uint32_t place = sub_place(g.sub[0], g.at);
		bool last = depth && printed + 1 == depth;

		next = g.at + 1;
		while (next < end && sub_place(g.sub[0], next) == place)
			next++;
		put_costs(s, printed == 0 ? sum : NULL, false);
		put_place(
		    &s->c, place, indent, next - g.at, last ? end - next : 0);
		printed++;
	}
	g.at = end;
	if (g.n > 1)
		put_branches(s, &g, indent);
}

/* One branch for each place that the backtraces go on with. */
struct branch {
	struct group group;
	struct costs sum;
	struct amount cost;
	size_t order; /* of the first of its backtraces */
};

static int
compare_branches(const void *a, const void *b)
{
	const struct branch *x = a, *y = b;
	int c = amount_compare(x->cost, y->cost);

	return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* Splits the group: branches, whose subs lie in `sub` after each other. */
static size_t
split(const struct group *g, struct branch *branch, struct sub **sub,
    enum cost sort)
{
	bool *taken = ht_calloc(g->n, sizeof *taken);
	size_t i, j, n = 0, branches = 0;

	for (i = 0; i < g->n; i++) {
		bool ended = g->sub[i]->len == g->at;
		uint32_t place = ended ? 0 : sub_place(g->sub[i], g->at);
		struct branch *b = &branch[branches];

		if (taken[i])
			continue;
		b->group = (struct group){sub + n, 0, g->at};
		for (j = i; j < g->n; j++) {
			if (taken[j] || (g->sub[j]->len == g->at) != ended ||
			    (!ended && sub_place(g->sub[j], g->at) != place))
				continue;
			taken[j] = true;
			sub[n++] = g->sub[j];
			b->group.n++;
		}
		b->sum = group_sum(&b->group);
		b->cost = amount_of(sort, &b->sum);
		b->order = branches++;
	}
	free(taken);
	return branches;
}

static void
put_branches(struct section *s, const struct group *g, size_t indent)
{
	struct sub **sub = ht_malloc(g->n * sizeof(struct sub *));
	struct branch *branch = ht_malloc(g->n * sizeof *branch);
	size_t i, n = split(g, branch, sub, s->c.sort);

	qsort(branch, n, sizeof *branch, compare_branches);
	for (i = 0; i < n; i++) {
		s->c.module = 0;
		put_group(s, branch[i].group, indent + 2, &branch[i].sum);
	}
	free(sub);
	free(branch);
}

/* --- rows --------------------------------------------------------------- */

/* How many of the backtraces are shown: as many as asked for, else those that
 * matter, and one in any case. */
static size_t
shown_subs(const struct section *s, struct sub *const *sub, size_t n)
{
	const struct top *top = s->c.r->top;
	size_t shown = n < top->subs ? n : top->subs;

	while (!top->all_subs && shown > 1 &&
	       amount_of(s->c.sort, &sub[shown - 1]->costs).n < s->total / 100)
		shown--;
	return shown;
}

/* The largest backtraces of a row, and what the others add up to. */
static void
put_subs(struct section *s, const struct row *row)
{
	struct costs sum, rest = {0};
	struct sub **sub;
	struct group g;
	size_t i, n;

	rows_subs(&s->rows, row);
	sub = subs_sorted(&s->rows, s->c.sort, &n);
	g = (struct group){sub, shown_subs(s, sub, n), 0};
	for (i = g.n; i < n; i++)
		costs_add(&rest, &sub[i]->costs);
	/* A sum is printed where it is not the row's. */
	if (n == 0)
		;
	else if (g.n < n && common_end(&g) == 0)
		put_branches(s, &g, 0);
	else if (g.n > 1 || sub[0]->len > 0) {
		sum = group_sum(&g);
		put_group(s, g, 2, g.n < n ? &sum : NULL);
	}
	if (g.n < n) {
		put_costs(s, &rest, false);
		ht_out_printf(s->c.r->out, "  %s other backtrace%s\n",
		    ht_fmt_count(n - g.n).s, n - g.n == 1 ? "" : "s");
	}
	free(sub);
}

/* How many rows are shown: as above. */
static size_t
shown_rows(const struct section *s, struct row *const *row, size_t n)
{
	const struct top *top = s->c.r->top;
	size_t shown = n < top->rows ? n : top->rows;

	while (!top->all_rows && shown > 1 &&
	       amount_of(s->c.sort, &row[shown - 1]->costs).n < s->total / 1000)
		shown--;
	return shown;
}

static void
put_row(struct section *s, const struct row *row)
{
	put_costs(s, &row->costs, true);
	s->c.module = 0;
	if (s->c.by >= HT_BY_THREAD && s->c.by <= HT_BY_SIZE)
		put_value(&s->c, row->value);
	else
		put_place(&s->c, row->place, 0, 1, 0);
	/* Backtraces have lines, whatever the row is. */
	s->c.by = HT_BY_LINE;
	if (s->c.r->top->subs)
		put_subs(s, row);
	s->c.by = s->c.r->top->by;
}

/* What the rows that are not shown are called. */
static const char *
other_rows(enum ht_by by, bool one)
{
	static const char *const many[] = {"functions", "places", "files",
	    "modules", "threads", "kinds", "sizes", "backtraces"};
	static const char *const single[] = {"function", "place", "file",
	    "module", "thread", "kind", "size", "backtrace"};

	return one ? single[by] : many[by];
}

static void
put_rows(struct section *s, struct row **row, size_t n)
{
	struct costs rest = {0};
	size_t i, shown = shown_rows(s, row, n);

	for (i = shown; i < n; i++)
		costs_add(&rest, &row[i]->costs);
	for (i = 0; i <= shown; i++) {
		struct line line =
		    line_of(&s->c, i < shown ? &row[i]->costs : &rest, NULL);

		columns_fit(&s->c, &line);
	}
	columns_ready(&s->c, NULL);
	for (i = 0; i < shown; i++)
		put_row(s, row[i]);
	if (shown < n) {
		put_costs(s, &rest, true);
		ht_out_printf(s->c.r->out, "%s other %s\n",
		    ht_fmt_count(n - shown).s,
		    other_rows(s->c.by, n - shown == 1));
	}
}

static void
print_section(struct section *s)
{
	const struct report *r = s->rows.r;
	enum cost sort = s->c.sort;
	struct row **row;
	size_t n;

	s->total = cost_of(sort, r->base ? &r->total.base : &r->total.sum);
	row = rows_sorted(&s->rows, sort, &n);
	if (n == 0) {
		put_title(r, sort, s->c.l->title);
		ht_out_printf(
		    r->out, "%s\n", r->base ? "no difference" : s->c.l->none);
	} else {
		put_rows(s, row, n);
	}
	free(row);
}

void
print_sections(const struct report *r)
{
	struct section s;
	size_t i;

	rows_init(&s.rows, r);
	for (i = 0; i < r->top->nsort; i++) {
		columns_init(&s.c, r, r->top->sort[i]);
		print_section(&s);
	}
	rows_release(&s.rows);
}
