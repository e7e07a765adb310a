/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ht-top/columns.h"
#include "libht/fmt.h"

#define INDENT_MAX 24 /* columns: what is deeper is not shown as deeper */
#define NAME_MIN   12 /* a name gets at least so many */

static const struct layout layouts[COSTS] = {
    [COST_PEAK] = {"PEAK MEMORY CONSUMERS", "bytes", "calls", UNIT_BYTES,
	UNIT_COUNT, false, "nothing was allocated"},
    [COST_CALLS] = {"MOST CALLS TO ALLOCATION FUNCTIONS", "calls", "peak",
	UNIT_COUNT, UNIT_BYTES, false, "nothing was allocated"},
    [COST_TEMPORARY] = {"MOST TEMPORARY ALLOCATIONS", "temporary", "of calls",
	UNIT_COUNT, UNIT_COUNT, true, "no allocation was temporary"},
    [COST_LEAKED] = {"MEMORY LEAKS", "bytes", "blocks", UNIT_BYTES, UNIT_COUNT,
	false, "nothing was leaked"},
    [COST_TOTAL] = {"MOST BYTES ALLOCATED", "bytes", "calls", UNIT_BYTES,
	UNIT_COUNT, false, "nothing was allocated"},
    [COST_LIFETIME] = {"MOST MEMORY OVER TIME", "bytes\xc2\xb7s", "mean age",
	UNIT_BYTE_MS, UNIT_MS, false,
	"no block that was freed is known to have lived for a clock tick"},
    [COST_OTHERS] = {"MOST BLOCKS FREED BY ANOTHER THREAD", "by others",
	"of calls", UNIT_COUNT, UNIT_COUNT, true,
	"no block was freed by another thread"},
    [COST_ROUNDING] = {"MOST LOST TO ROUNDING AT THE PEAK", "rounding",
	"of peak", UNIT_BYTES, UNIT_BYTES, true,
	"nothing was rounded up, or usable sizes were not recorded"},
};
/* Of a part of the run, what is leaked is what was alive at its end. */
static const struct layout alive = {"ALIVE AT THE END OF THE WINDOW", "bytes",
    "blocks", UNIT_BYTES, UNIT_COUNT, false, "nothing was alive"};

const struct layout *
layout_of(const struct report *r, enum cost sort)
{
	if (sort == COST_LEAKED && ht_query_windowed(&r->top->query))
		return &alive;
	return &layouts[sort];
}

void
put_ink(const struct report *r, enum ink ink, const char *text)
{
	static const char *const codes[] = {[INK_TITLE] = "1",
	    [INK_FAINT] = "2",
	    [INK_WARNING] = "1;31",
	    [INK_MORE] = "31",
	    [INK_LESS] = "32"};

	if (r->top->colour && ink != INK_NONE)
		ht_out_printf(r->out, "\033[%sm%s\033[m", codes[ink], text);
	else
		ht_out_write(r->out, text, strlen(text));
}

/* --- numbers ------------------------------------------------------------ */

/* What is left of a map that was unmapped in part may be more blocks than were
 * ever allocated. */
static uint64_t
less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static struct amount
mean_age(const struct costs *c)
{
	uint64_t freed = less(c->sum.allocs, c->sum.leaked_blocks);
	uint64_t before = less(c->base.allocs, c->base.leaked_blocks);

	return amount_between(
	    before ? c->base.age / before : 0, freed ? c->sum.age / freed : 0);
}

static struct amount
other_of(enum cost sort, const struct costs *c)
{
	switch (sort) {
	case COST_CALLS:
	case COST_ROUNDING:
		return amount_of(COST_PEAK, c);
	case COST_LEAKED:
		return amount_between(
		    c->base.leaked_blocks, c->sum.leaked_blocks);
	case COST_LIFETIME:
		return mean_age(c);
	default:
		return amount_of(COST_CALLS, c);
	}
}

struct line
line_of(const struct columns *c, const struct costs *costs,
    const struct costs *self)
{
	return (struct line){
	    *costs, self ? amount_of(c->sort, self) : other_of(c->sort, costs)};
}

static struct ht_fmt
cost_text(const struct columns *c, const struct line *line)
{
	return amount_text(
	    amount_of(c->sort, &line->costs), c->l->unit, c->r->base != NULL);
}

static struct ht_fmt
other_text(const struct columns *c, const struct line *line)
{
	if (c->halves)
		return amount_text(
		    (struct amount){half_of(c->sort, &line->costs), false},
		    c->l->unit, false);
	return amount_text(line->other, c->tree ? c->l->unit : c->l->other_unit,
	    c->r->base != NULL);
}

/* A difference is a percentage of what there was in the base. */
static struct ht_fmt
percent_text(const struct columns *c, const struct line *line)
{
	const struct costs *whole =
	    c->l->of_other && !c->tree ? &line->costs : &c->r->total;
	const struct ht_sum *sum = c->r->base ? &whole->base : &whole->sum;
	uint64_t n = !c->l->of_other || c->tree ? cost_of(c->sort, sum)
		     : c->sort == COST_ROUNDING ? sum->peak
						: sum->allocs;

	return amount_percent(
	    amount_of(c->sort, &line->costs), n, c->r->base != NULL);
}

static int
wider(int width, const char *text)
{
	int n = (int)ht_fmt_width(text, strlen(text));

	return n > width ? n : width;
}

void
columns_init(struct columns *c, const struct report *r, enum cost sort)
{
	*c = (struct columns){.r = r,
	    .sort = sort,
	    .by = r->top->by,
	    .tree = r->top->direction != HT_TREE_FLAT,
	    .l = layout_of(r, sort)};
	c->cost_width = wider(c->l->unit == UNIT_COUNT ? 0 : 8, c->l->head);
	c->percent_width = 5;
	c->halves = is_estimated(r) && !c->tree && has_half(sort);
	c->other_width = c->tree
			     ? wider(c->l->unit == UNIT_COUNT ? 0 : 8, "self")
			     : wider(c->l->other_unit == UNIT_COUNT ? 0 : 8,
				   c->l->other_head);
}

void
columns_fit(struct columns *c, const struct line *line)
{
	c->cost_width = wider(c->cost_width, cost_text(c, line).s);
	c->percent_width = wider(c->percent_width, percent_text(c, line).s);
	c->other_width = wider(c->other_width, other_text(c, line).s);
}

/* printf counts bytes, columns count characters. */
static void
put_right(const struct columns *c, int width, enum ink ink, const char *text)
{
	int gap = width - (int)ht_fmt_width(text, strlen(text));

	ht_out_printf(c->r->out, "%*s", gap > 0 ? gap : 0, "");
	put_ink(c->r, ink, text);
}

static enum ink
ink_of(const struct columns *c, struct amount a)
{
	if (c->r->base == NULL || a.n == 0)
		return INK_NONE;
	return a.minus ? INK_LESS : INK_MORE;
}

void
put_numbers(const struct columns *c, const struct line *line, bool percent)
{
	struct amount cost;

	if (line == NULL) {
		ht_out_printf(c->r->out, "%*s", (int)c->name_at, "");
		return;
	}
	cost = amount_of(c->sort, &line->costs);
	put_right(c, c->cost_width, ink_of(c, cost), cost_text(c, line).s);
	put_right(c, c->percent_width + 1, INK_NONE,
	    percent ? percent_text(c, line).s : "");
	put_right(c, c->other_width + 1, INK_NONE, other_text(c, line).s);
	ht_out_printf(c->r->out, "  ");
}

/* --- titles ------------------------------------------------------------- */

static void
add_blocks(struct ht_str *s, uint64_t blocks)
{
	ht_str_addf(s, " in %s block%s", ht_fmt_count(blocks).s,
	    blocks == 1 ? "" : "s");
}

/* The right end of a section's title. */
static void
add_summary(struct ht_str *s, const struct report *r, enum cost sort)
{
	const struct ht_prof *p = r->later;
	const struct layout *l = layout_of(r, sort);
	struct amount a = amount_of(sort, &r->total);
	struct ht_prof_kind peak;

	if (r->base) {
		ht_str_addz(s, amount_text(a, l->unit, true).s);
		if (l->unit == UNIT_COUNT)
			ht_str_addf(s, " %s", l->head);
		return;
	}
	ht_str_addz(s, amount_text(a, l->unit, false).s);
	if (sort == COST_PEAK && !ht_prof_peak(p, &peak))
		ht_str_addz(s, ", the sum of the kinds' peaks");
	else if (sort == COST_PEAK && p->traces == 1)
		ht_str_addf(s, " held at %s", ht_fmt_ms(peak.peak_ms).s);
	else if (sort == COST_PEAK)
		ht_str_addf(
		    s, ", the sum of %s peaks", ht_fmt_count(p->traces).s);
	else if (sort == COST_CALLS)
		ht_str_addz(s, a.n == 1 ? " call" : " calls");
	else if (sort == COST_TEMPORARY)
		ht_str_addz(s, " temporary");
	else if (sort == COST_OTHERS)
		ht_str_addz(s, " freed by others");
	else if (sort == COST_LEAKED)
		add_blocks(s, r->total.sum.leaked_blocks);
	else if (sort == COST_TOTAL)
		add_blocks(s, r->total.sum.allocs);
}

void
put_title(const struct report *r, enum cost sort, const char *title)
{
	struct ht_str right = {0};
	size_t left = strlen(title), gap = 3, n;

	add_summary(&right, r, sort);
	n = ht_fmt_width(right.data, right.len);
	if (r->top->width > left + n + 5)
		gap = r->top->width - 2 - left - n;
	ht_out_printf(r->out, "\n");
	put_ink(r, INK_TITLE, title);
	ht_out_printf(r->out, "%*s%s\n", (int)gap, "", right.data);
	ht_str_release(&right);
}

void
columns_ready(struct columns *c, const char *title)
{
	put_title(c->r, c->sort, title ? title : c->l->title);
	put_right(c, c->cost_width, INK_NONE, c->l->head);
	put_right(c, c->percent_width + 1, INK_NONE, "%");
	put_right(c, c->other_width + 1, INK_NONE,
	    c->halves ? "\xc2\xb1 95 %"
	    : c->tree ? "self"
		      : c->l->other_head);
	ht_out_printf(c->r->out, "  by\n");
	c->name_at = (size_t)(c->cost_width + 1 + c->percent_width + 1 +
			      c->other_width + 2);
}

/* --- names -------------------------------------------------------------- */

static void
add_right(struct ht_str *s, struct columns *c, const struct ht_place *p,
    size_t folded)
{
	bool module = p->file == 0;

	if (folded && c->r->top->width) {
		ht_str_addf(s, "+%zu frame%s", folded, folded == 1 ? "" : "s");
		c->module = 0;
	} else if (!module || c->r->top->width == 0 || p->module != c->module) {
		add_location(s, c->r, c->by, p);
		c->module = module ? p->module : 0;
	}
}

/* What is left of a line for a name and its location; 0: no limit. */
static size_t
room_for(const struct columns *c, size_t taken)
{
	size_t width = c->r->top->width;

	taken += c->name_at;
	if (width == 0)
		return 0;
	return taken + NAME_MIN < width ? width - taken : NAME_MIN;
}

/* Whether a name had to lose more than its arguments. */
static bool
is_cut(const struct ht_str *name)
{
	return strstr(name->data, "\xe2\x80\xa6") != NULL;
}

void
put_place(
    struct columns *c, uint32_t id, size_t indent, size_t times, size_t folded)
{
	struct ht_place p = place_by(c->r->p, c->by, id);
	struct ht_str name = {0}, right = {0};
	size_t room, n, width = c->r->top->width, used;
	char again[32] = "";

	if (times > 1)
		snprintf(again, sizeof again, " \xc3\x97%zu", times);
	n = ht_fmt_width(again, strlen(again));
	if (width && indent > INDENT_MAX)
		indent = INDENT_MAX;
	add_right(&right, c, &p, folded);
	used = ht_fmt_width(right.data, right.len);
	/* Two columns for the mark of an inlined frame. */
	room = room_for(c, 2 + indent + n);
	/* Where there is little room the name matters more. */
	if (room && used + 2 + NAME_MIN > room)
		used = 0;
	add_name(&name, c->r, c->by, &p, room && used ? room - used - 2 : room);
	if (room && used && p.file == 0 && !folded && is_cut(&name)) {
		used = 0;
		ht_str_clear(&name);
		add_name(&name, c->r, c->by, &p, room);
	}
	ht_str_addz(&name, again);
	ht_out_printf(c->r->out, "%*s%s", (int)indent, "", name.data);
	if (used) {
		if (width)
			room += n - ht_fmt_width(name.data, name.len) - used;
		else
			room = 2;
		ht_out_printf(c->r->out, "%*s", (int)room, "");
		put_ink(c->r, INK_FAINT, right.data);
	}
	ht_out_printf(c->r->out, "%s\n", p.inlined && !folded ? " i" : "");
	ht_str_release(&name);
	ht_str_release(&right);
}

void
put_note(const struct columns *c, size_t indent, const char *fmt, ...)
{
	char text[80];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (c->r->top->width && indent > INDENT_MAX)
		indent = INDENT_MAX;
	ht_out_printf(c->r->out, "%*s%s\n", (int)indent, "", text);
}

void
put_value(const struct columns *c, uint64_t value)
{
	struct ht_str name = {0};

	add_value(&name, c->r, value, room_for(c, 0));
	ht_out_printf(c->r->out, "%s\n", name.data);
	ht_str_release(&name);
}
