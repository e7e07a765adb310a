/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ht-top/rows.h"
#include "libht/fmt.h"
#include "libht/mem.h"

#define DOT "\xc2\xb7" /* · */
/* A name gets at least so many columns; a location no more than the next. */
#define NAME_MIN     16
#define LOCATION_MAX 26

/* What the sections differ in. */
struct layout {
	const char *title;
	const char *head[3]; /* of cost, percent, and the other number */
	bool bytes;	     /* the cost is bytes, else a count */
	bool other_bytes;
	bool of_other; /* percent of the other number, else of the total */
	const char *none;
};

static const struct layout layouts[SECTIONS] = {
    [SECTION_PEAK] = {"PEAK MEMORY CONSUMERS", {"bytes", "%", "calls"}, true,
	false, false, "nothing was allocated"},
    [SECTION_CALLS] = {"MOST CALLS TO ALLOCATION FUNCTIONS",
	{"calls", "%", "peak"}, false, true, false, "nothing was allocated"},
    [SECTION_TEMPORARY] = {"MOST TEMPORARY ALLOCATIONS",
	{"temporary", "%", "of calls"}, false, false, true,
	"no allocation was temporary"},
    [SECTION_LEAKS] = {"MEMORY LEAKS", {"bytes", "%", "blocks"}, true, false,
	false, "nothing was leaked"},
};

struct table {
	struct ht_out *out;
	const struct top *top;
	struct rows *rows;
	enum section section;
	const struct layout *l;
	uint64_t total;
	int cost_width, other_width;
	size_t name_at;	 /* the column where names begin */
	uint32_t module; /* shown last as a location: not said again */
};

static uint64_t
cost_of(enum section s, const struct ht_sum *sum)
{
	switch (s) {
	case SECTION_PEAK:
		return sum->peak;
	case SECTION_CALLS:
		return sum->allocs;
	case SECTION_TEMPORARY:
		return sum->temporary;
	case SECTION_LEAKS:
		return sum->leaked;
	}
	return 0;
}

static uint64_t
other_of(enum section s, const struct ht_sum *sum)
{
	switch (s) {
	case SECTION_PEAK:
	case SECTION_TEMPORARY:
		return sum->allocs;
	case SECTION_CALLS:
		return sum->peak;
	case SECTION_LEAKS:
		return sum->leaked_blocks;
	}
	return 0;
}

static struct ht_fmt
number(uint64_t v, bool bytes)
{
	return bytes ? ht_fmt_bytes(v) : ht_fmt_count(v);
}

/* --- names -------------------------------------------------------------- */

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* `file:line`, or the module where no file is known. */
static void
add_location(struct ht_str *s, const struct table *t, const struct ht_place *p)
{
	const struct ht_intern *text = &t->rows->p->text;
	uint32_t id = p->file ? p->file : p->module;
	const char *path = ht_intern_get(text, id), *shown = path;
	size_t limit = t->top->width ? LOCATION_MAX : 0;
	char line[16] = "";

	/* Without a function the module is the name. */
	if (id == 0 || (p->file == 0 && p->function == 0))
		return;
	if (t->top->width)
		shown = base_name(path);
	/* Nor next to a name that ht-symbolize made of module and offset. */
	if (p->file == 0 && strncmp(ht_intern_get(text, p->function),
				base_name(path), strlen(base_name(path))) == 0)
		return;
	if (p->file && p->line)
		snprintf(line, sizeof line, ":%" PRIu32, p->line);
	ht_fmt_text(s, shown, ht_intern_len(text, id) - (size_t)(shown - path),
	    limit ? limit - strlen(line) : 0);
	ht_str_addz(s, line);
}

static void
add_name(struct ht_str *s, const struct table *t, const struct ht_place *p,
    size_t width)
{
	const struct ht_intern *text = &t->rows->p->text;
	const char *path;
	struct ht_str whole = {0};

	if (p->cut) {
		ht_str_addz(s, "(cut: no unwind information)");
	} else if (p->function) {
		ht_fmt_function(s, ht_intern_get(text, p->function),
		    ht_intern_len(text, p->function), width);
	} else if (p->module == 0) {
		if (p->known && p->offset)
			ht_str_addf(s, "0x%" PRIx64, p->offset);
		else
			ht_str_addz(s, "(unknown)");
	} else {
		path = base_name(ht_intern_get(text, p->module));
		ht_str_addz(&whole, path);
		if (!p->symbolised)
			ht_str_addf(&whole, "+0x%" PRIx64, p->offset);
		else
			ht_str_addz(&whole, " (no symbol)");
		ht_fmt_function(s, whole.data, whole.len, width);
		ht_str_release(&whole);
	}
}

/* The right end of a place's line: its location, or how many frames are folded
 * away below it. */
static void
add_right(
    struct ht_str *s, struct table *t, const struct ht_place *p, size_t folded)
{
	bool module = p->file == 0;

	if (folded && t->top->width) {
		ht_str_addf(s, "+%zu frame%s", folded, folded == 1 ? "" : "s");
		t->module = 0;
	} else if (!module || t->top->width == 0 || p->module != t->module) {
		add_location(s, t, p);
		t->module = module ? p->module : 0;
	}
}

/* The rest of a line, from the column of names on: a name, indented, how often
 * it follows upon itself, and what add_right says. */
static void
put_place(
    struct table *t, uint32_t id, size_t indent, size_t times, size_t folded)
{
	struct ht_place p = ht_place(t->rows->p, id);
	struct ht_str name = {0}, right = {0};
	size_t room, n, width = t->top->width, used;
	char again[32] = "";

	if (times > 1)
		snprintf(again, sizeof again, " \xc3\x97%zu", times);
	n = ht_fmt_width(again, strlen(again));
	add_right(&right, t, &p, folded);
	used = ht_fmt_width(right.data, right.len);
	/* Two columns for the mark of an inlined frame. */
	room = width ? width - 2 - t->name_at - indent - n : 0;
	add_name(&name, t, &p, room && used ? room - used - 2 : room);
	ht_str_addz(&name, again);
	ht_out_printf(t->out, "%*s%s", (int)indent, "", name.data);
	if (used) {
		if (width)
			room += n - ht_fmt_width(name.data, name.len) - used;
		else
			room = 2;
		ht_out_printf(t->out, "%*s%s", (int)room, "", right.data);
	}
	ht_out_printf(t->out, "%s\n", p.inlined && !folded ? " i" : "");
	ht_str_release(&name);
	ht_str_release(&right);
}

/* The numbers at the left; sum NULL: blank. */
static void
put_numbers(const struct table *t, const struct ht_sum *sum, bool percent)
{
	uint64_t cost, other;

	if (sum == NULL) {
		ht_out_printf(t->out, "%*s", (int)t->name_at, "");
		return;
	}
	cost = cost_of(t->section, sum);
	other = other_of(t->section, sum);
	ht_out_printf(t->out, "%*s %5s %*s  ", t->cost_width,
	    number(cost, t->l->bytes).s,
	    percent ? ht_fmt_percent(cost, t->l->of_other ? other : t->total).s
		    : "",
	    t->other_width, number(other, t->l->other_bytes).s);
}

/* --- backtraces --------------------------------------------------------- */

/* A part of the backtraces of a row which begin alike. */
struct group {
	struct sub **sub;
	size_t n;
	size_t at; /* so many places are printed */
};

static struct ht_sum
group_sum(const struct group *g)
{
	struct ht_sum sum = {0};
	size_t i;

	for (i = 0; i < g->n; i++)
		ht_sum_add(&sum, &g->sub[i]->sum);
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

static void put_branches(struct table *t, const struct group *g, size_t indent);

/* What the backtraces have in common, then their branches. `sum` is printed on
 * the first line, unless NULL. */
static void
put_group(
    struct table *t, struct group g, size_t indent, const struct ht_sum *sum)
{
	size_t depth = t->top->query.all_frames ? 0 : t->top->depth;
	size_t end = common_end(&g), printed = 0, next;

	if (g.at == end && sum) {
		put_numbers(t, sum, false);
		ht_out_printf(t->out, "%*s(here)\n", (int)indent, "");
	}
	for (; g.at < end && (depth == 0 || printed < depth); g.at = next) {
		uint32_t place = sub_place(g.sub[0], g.at);
		bool last = depth && printed + 1 == depth;

		next = g.at + 1;
		while (next < end && sub_place(g.sub[0], next) == place)
			next++;
		put_numbers(t, printed == 0 ? sum : NULL, false);
		put_place(t, place, indent, next - g.at, last ? end - next : 0);
		printed++;
	}
	g.at = end;
	if (g.n > 1)
		put_branches(t, &g, indent);
}

/* One group for each place that the backtraces go on with, in the order of
 * the first of each, which is that of their costs. */
static void
put_branches(struct table *t, const struct group *g, size_t indent)
{
	struct sub **sub = ht_malloc(g->n * sizeof(struct sub *));
	struct group *part = ht_malloc(g->n * sizeof *part);
	struct ht_sum *sums = ht_malloc(g->n * sizeof *sums);
	bool *taken = ht_calloc(g->n, sizeof *taken);
	size_t i, j, parts = 0, n = 0;

	for (i = 0; i < g->n; i++) {
		bool ended = g->sub[i]->len == g->at;
		uint32_t place = ended ? 0 : sub_place(g->sub[i], g->at);

		if (taken[i])
			continue;
		part[parts] = (struct group){sub + n, 0, g->at};
		for (j = i; j < g->n; j++) {
			if (taken[j] || (g->sub[j]->len == g->at) != ended ||
			    (!ended && sub_place(g->sub[j], g->at) != place))
				continue;
			taken[j] = true;
			sub[n++] = g->sub[j];
			part[parts].n++;
		}
		sums[parts] = group_sum(&part[parts]);
		parts++;
	}
	for (i = 0; i < parts; i++) {
		size_t best = i;

		for (j = i + 1; j < parts; j++)
			if (cost_of(t->section, &sums[j]) >
			    cost_of(t->section, &sums[best]))
				best = j;
		struct group g2 = part[best];
		struct ht_sum s2 = sums[best];

		memmove(part + i + 1, part + i, (best - i) * sizeof *part);
		memmove(sums + i + 1, sums + i, (best - i) * sizeof *sums);
		part[i] = g2;
		sums[i] = s2;
		t->module = 0;
		put_group(t, g2, indent + 2, &s2);
	}
	free(sub);
	free(part);
	free(sums);
	free(taken);
}

/* --- sorting ------------------------------------------------------------ */

static int
by_text(const struct ht_intern *text, uint32_t a, uint32_t b)
{
	return a == b ? 0
		      : strcmp(ht_intern_get(text, a), ht_intern_get(text, b));
}

static int
compare_places(const struct rows *r, uint32_t a, uint32_t b)
{
	const struct ht_intern *text = &r->p->text;
	struct ht_place x = ht_place(r->p, a), y = ht_place(r->p, b);
	int c = by_text(text, x.function, y.function);

	if (c == 0)
		c = by_text(text, x.file, y.file);
	if (c == 0)
		c = (x.line > y.line) - (x.line < y.line);
	if (c == 0)
		c = by_text(text, x.module, y.module);
	if (c == 0)
		c = (x.offset > y.offset) - (x.offset < y.offset);
	if (c == 0)
		c = x.inlined - y.inlined;
	return c;
}

static int
compare_rows(const void *a, const void *b, void *arg)
{
	const struct table *t = arg;
	const struct row *const *x = a, *const *y = b;
	uint64_t cx = cost_of(t->section, &(*x)->sum);
	uint64_t cy = cost_of(t->section, &(*y)->sum);

	if (cx != cy)
		return (cx < cy) - (cx > cy);
	return compare_places(t->rows, (*x)->place, (*y)->place);
}

static int
compare_subs(const void *a, const void *b, void *arg)
{
	const struct table *t = arg;
	const struct sub *const *x = a, *const *y = b;
	uint64_t cx = cost_of(t->section, &(*x)->sum);
	uint64_t cy = cost_of(t->section, &(*y)->sum);
	size_t i;

	if (cx != cy)
		return (cx < cy) - (cx > cy);
	for (i = 0; i < (*x)->len && i < (*y)->len; i++) {
		int c =
		    compare_places(t->rows, sub_place(*x, i), sub_place(*y, i));

		if (c)
			return c;
	}
	return ((*x)->len > (*y)->len) - ((*x)->len < (*y)->len);
}

/* --- rows and sections -------------------------------------------------- */

/* How many of the backtraces are shown: as many as asked for, else those that
 * matter, and one in any case. */
static size_t
shown_subs(const struct table *t, struct sub *const *sub, size_t n)
{
	size_t shown = n < t->top->subs ? n : t->top->subs;

	while (!t->top->all_subs && shown > 1 &&
	       cost_of(t->section, &sub[shown - 1]->sum) < t->total / 100)
		shown--;
	return shown;
}

/* The largest backtraces of a row, and what the others add up to. */
static void
put_subs(struct table *t, const struct row *row)
{
	struct rows *r = t->rows;
	struct sub **sub;
	struct ht_sum sum, rest = {0};
	struct group g;
	size_t i, n = 0;

	rows_subs(r, row);
	sub = ht_malloc((r->nsub + 1) * sizeof(struct sub *));
	for (i = 0; i < r->nsub; i++)
		if (cost_of(t->section, &r->sub[i].sum) > 0)
			sub[n++] = &r->sub[i];
	qsort_r(sub, n, sizeof(struct sub *), compare_subs, t);
	g = (struct group){sub, shown_subs(t, sub, n), 0};
	for (i = g.n; i < n; i++)
		ht_sum_add(&rest, &sub[i]->sum);
	/* A sum is printed where it is not the row's. */
	if (g.n < n && common_end(&g) == 0)
		put_branches(t, &g, 0);
	else if (g.n > 1 || sub[0]->len > 0) {
		sum = group_sum(&g);
		put_group(t, g, 2, g.n < n ? &sum : NULL);
	}
	if (g.n < n) {
		put_numbers(t, &rest, false);
		ht_out_printf(t->out, "  %s other backtrace%s\n",
		    ht_fmt_count(n - g.n).s, n - g.n == 1 ? "" : "s");
	}
	free(sub);
}

/* How many rows are shown: as above. */
static size_t
shown_rows(const struct table *t, struct row *const *row, size_t n)
{
	size_t shown = n < t->top->rows ? n : t->top->rows;

	while (!t->top->all_rows && shown > 1 &&
	       cost_of(t->section, &row[shown - 1]->sum) < t->total / 1000)
		shown--;
	return shown;
}

static int
wider(int width, const char *text)
{
	int n = (int)strlen(text);

	return n > width ? n : width;
}

/* The right end of a section's title. */
static struct ht_str
summary(const struct table *t, const struct ht_prof *p)
{
	struct ht_str s = {0};

	switch (t->section) {
	case SECTION_PEAK:
		ht_str_addz(&s, ht_fmt_bytes(p->sum.peak).s);
		if (p->traces == 1)
			ht_str_addf(&s, " held at %s", ht_fmt_ms(p->peak_ms).s);
		else
			ht_str_addf(&s, ", the sum of %s peaks",
			    ht_fmt_count(p->traces).s);
		break;
	case SECTION_CALLS:
		ht_str_addf(&s, "%s call%s", ht_fmt_count(p->sum.allocs).s,
		    p->sum.allocs == 1 ? "" : "s");
		break;
	case SECTION_TEMPORARY:
		ht_str_addf(
		    &s, "%s temporary", ht_fmt_count(p->sum.temporary).s);
		break;
	case SECTION_LEAKS:
		ht_str_addf(&s, "%s in %s block%s",
		    ht_fmt_bytes(p->sum.leaked).s,
		    ht_fmt_count(p->sum.leaked_blocks).s,
		    p->sum.leaked_blocks == 1 ? "" : "s");
		break;
	}
	return s;
}

static void
put_title(const struct table *t, const struct ht_prof *p)
{
	struct ht_str right = summary(t, p);
	size_t left = strlen(t->l->title), gap = 3;

	if (t->top->width > left + right.len + 5)
		gap = t->top->width - 2 - left - right.len;
	ht_out_printf(
	    t->out, "\n%s%*s%s\n", t->l->title, (int)gap, "", right.data);
	ht_str_release(&right);
}

static void
put_rows(struct table *t, struct row **row, size_t n)
{
	struct ht_sum rest = {0};
	size_t i, shown = shown_rows(t, row, n);

	t->cost_width = wider(t->l->bytes ? 8 : 0, t->l->head[0]);
	t->other_width = wider(t->l->other_bytes ? 8 : 0, t->l->head[2]);
	for (i = shown; i < n; i++)
		ht_sum_add(&rest, &row[i]->sum);
	for (i = 0; i <= shown; i++) {
		const struct ht_sum *sum = i < shown ? &row[i]->sum : &rest;

		t->cost_width = wider(t->cost_width,
		    number(cost_of(t->section, sum), t->l->bytes).s);
		t->other_width = wider(t->other_width,
		    number(other_of(t->section, sum), t->l->other_bytes).s);
	}
	t->name_at = (size_t)(t->cost_width + 1 + 5 + 1 + t->other_width + 2);
	ht_out_printf(t->out, "%*s %5s %*s  by\n", t->cost_width, t->l->head[0],
	    t->l->head[1], t->other_width, t->l->head[2]);
	for (i = 0; i < shown; i++) {
		put_numbers(t, &row[i]->sum, true);
		t->module = 0;
		put_place(t, row[i]->place, 0, 1, 0);
		if (t->top->subs)
			put_subs(t, row[i]);
	}
	if (shown < n) {
		put_numbers(t, &rest, true);
		ht_out_printf(t->out, "%s other place%s\n",
		    ht_fmt_count(n - shown).s, n - shown == 1 ? "" : "s");
	}
}

static void
put_section(struct table *t)
{
	struct rows *r = t->rows;
	struct row **row = ht_malloc((r->nrow + 1) * sizeof(struct row *));
	size_t i, n = 0;

	t->l = &layouts[t->section];
	t->total = cost_of(t->section, &r->p->sum);
	put_title(t, r->p);
	for (i = 0; i < r->nrow; i++)
		if (cost_of(t->section, &r->row[i].sum) > 0)
			row[n++] = &r->row[i];
	qsort_r(row, n, sizeof(struct row *), compare_rows, t);
	if (n == 0)
		ht_out_printf(t->out, "%s\n", t->l->none);
	else
		put_rows(t, row, n);
	free(row);
}

/* --- the header --------------------------------------------------------- */

static void
add_end(struct ht_str *s, const struct ht_prof *p)
{
	const struct ht_prof_origin *o = &p->origin[0];

	switch (o->end) {
	case HT_END_EXIT:
		ht_str_addf(s, " " DOT " exit %" PRIu64, o->end_value);
		break;
	case HT_END_SIGNAL:
		ht_str_addf(
		    s, " " DOT " killed by signal %" PRIu64, o->end_value);
		break;
	case HT_END_EXEC:
		ht_str_addz(s, " " DOT " exec");
		break;
	case HT_END_DETACHED:
		ht_str_addz(s, " " DOT " detached");
		break;
	case HT_END_STOPPED:
		ht_str_addz(s, " " DOT " recording stopped");
		break;
	case HT_END_TRUNCATED:
		ht_str_addz(s, " " DOT " truncated");
		break;
	case HT_END_NONE:
		break;
	}
}

static void
put_what(struct ht_out *out, const struct top *top, const struct ht_prof *p)
{
	struct ht_str what = {0}, rest = {0};
	size_t room = 0;

	ht_str_addf(&rest, " " DOT " %s", ht_fmt_ms(p->runtime_ms).s);
	if (p->traces != 1)
		ht_str_addf(&what, "%s traces", ht_fmt_count(p->traces).s);
	else
		add_end(&rest, p);
	if (top->width)
		room = top->width - ht_fmt_width(rest.data, rest.len);
	if (p->traces == 1)
		ht_fmt_text(&what, ht_intern_get(&p->text, p->origin->command),
		    ht_intern_len(&p->text, p->origin->command), room);
	if (what.len == 0)
		ht_str_addz(&what, "a program without a name");
	ht_out_printf(out, "%s%s\n", what.data, rest.data);
	ht_str_release(&what);
	ht_str_release(&rest);
}

/* Why the numbers are not the whole truth. */
static void
put_notices(struct ht_out *out, const struct top *top, const struct ht_prof *p)
{
	if (p->truncated)
		ht_out_printf(out,
		    "TRUNCATED: %s without an end: what follows is its start"
		    " only\n",
		    p->traces == 1 ? "the trace is" : "traces are");
	if (p->lost)
		ht_out_printf(out,
		    "LOST: %s events are missing: the numbers are too low\n",
		    ht_fmt_count(p->lost).s);
	if (p->overflow)
		ht_out_printf(
		    out, "WRONG: the live bytes do not fit in 64 bits\n");
	if (p->missed)
		ht_out_printf(out,
		    "%s frees were missed: their blocks ended when the address"
		    " came again\n",
		    ht_fmt_count(p->missed).s);
	if (p->attached)
		ht_out_printf(out,
		    "recorded from the middle on: earlier blocks do not"
		    " count\n");
	if (p->sampled)
		ht_out_printf(out, "sampled: not every block is recorded\n");
	if (top->left_out)
		ht_out_printf(out,
		    "%s launcher%s left out (--all-images shows %s)\n",
		    ht_fmt_count(top->left_out).s,
		    top->left_out == 1 ? "" : "s",
		    top->left_out == 1 ? "it" : "them");
}

/* Adds an item to the header's line, or begins the next one. */
static void
put_item(
    struct ht_out *out, const struct top *top, size_t *column, const char *item)
{
	size_t n = ht_fmt_width(item, strlen(item));

	if (*column && top->width && *column + 3 + n > top->width) {
		ht_out_char(out, '\n');
		*column = 0;
	}
	ht_out_printf(out, "%s%s", *column ? " " DOT " " : "", item);
	*column += n + (*column ? 3 : 0);
}

static void
put_header(struct ht_out *out, const struct top *top, const struct ht_prof *p)
{
	const struct ht_sum *s = &p->sum;
	size_t column = 0;
	char item[160];

	put_what(out, top, p);
	snprintf(item, sizeof item, "%s allocation%s, %s %% temporary",
	    ht_fmt_count(s->allocs).s, s->allocs == 1 ? "" : "s",
	    s->allocs ? ht_fmt_percent(s->temporary, s->allocs).s : "0");
	put_item(out, top, &column, item);
	snprintf(
	    item, sizeof item, "%s asked for in all", ht_fmt_bytes(s->bytes).s);
	put_item(out, top, &column, item);
	ht_out_char(out, '\n');
	column = 0;
	if (p->traces == 1)
		snprintf(item, sizeof item, "peak %s at %s",
		    ht_fmt_bytes(s->peak).s, ht_fmt_ms(p->peak_ms).s);
	else
		snprintf(item, sizeof item, "sum of peaks %s, the largest %s",
		    ht_fmt_bytes(s->peak).s, ht_fmt_bytes(p->largest_peak).s);
	put_item(out, top, &column, item);
	if (p->peak_rss) {
		snprintf(item, sizeof item, "peak RSS %s",
		    ht_fmt_bytes(p->peak_rss).s);
		put_item(out, top, &column, item);
	}
	snprintf(item, sizeof item, "leaked %s in %s block%s",
	    ht_fmt_bytes(s->leaked).s, ht_fmt_count(s->leaked_blocks).s,
	    s->leaked_blocks == 1 ? "" : "s");
	put_item(out, top, &column, s->leaked_blocks ? item : "nothing leaked");
	ht_out_char(out, '\n');
	put_notices(out, top, p);
}

void
print_report(struct ht_out *out, const struct top *top, const struct ht_prof *p)
{
	struct rows rows;
	struct table t = {.out = out, .top = top, .rows = &rows};
	int i;

	put_header(out, top, p);
	rows_init(&rows, p, &top->query);
	for (i = 0; i < SECTIONS; i++) {
		t.section = (enum section)i;
		if (top->section[i])
			put_section(&t);
	}
	rows_release(&rows);
}

void
print_totals(struct ht_out *out, const struct ht_prof *p)
{
	const struct {
		const char *name;
		uint64_t value;
	} line[] = {
	    {"runtime_ms", p->runtime_ms},
	    {"allocations", p->sum.allocs},
	    {"temporary", p->sum.temporary},
	    {"leaked", p->sum.leaked},
	    {"leaked_blocks", p->sum.leaked_blocks},
	    {"total_bytes", p->sum.bytes},
	    {"peak", p->sum.peak},
	    {"peak_ms", p->peak_ms},
	    {"peak_rss", p->peak_rss},
	    {"lost", p->lost},
	};
	size_t i;

	for (i = 0; i < HT_LEN(line); i++)
		ht_out_printf(
		    out, "%s\t%" PRIu64 "\n", line[i].name, line[i].value);
}
