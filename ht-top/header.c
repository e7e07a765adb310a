/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first lines of a report: what was recorded, the totals, and why they are
 * not the whole truth. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ht-top/columns.h"
#include "libht/fmt.h"
#include "libht/mem.h"

#define DOT "\xc2\xb7" /* · */

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
put_what(const struct report *r, const struct ht_prof *p, const char *before)
{
	struct ht_str what = {0}, rest = {0};
	size_t room = 0;

	ht_str_addf(&rest, " " DOT " %s", ht_fmt_ms(p->runtime_ms).s);
	if (p->traces != 1)
		ht_str_addf(&what, "%s traces", ht_fmt_count(p->traces).s);
	else
		add_end(&rest, p);
	if (r->top->width)
		room = r->top->width - strlen(before) -
		       ht_fmt_width(rest.data, rest.len);
	if (p->traces == 1)
		ht_fmt_text(&what, ht_intern_get(&p->text, p->origin->command),
		    ht_intern_len(&p->text, p->origin->command), room);
	if (what.len == 0)
		ht_str_addz(&what, "a program without a name");
	ht_out_printf(r->out, "%s", before);
	put_ink(r, INK_TITLE, what.data);
	ht_out_printf(r->out, "%s\n", rest.data);
	ht_str_release(&what);
	ht_str_release(&rest);
}

/* --- notices ------------------------------------------------------------ */

static void
warning(const struct report *r, const char *what, const char *text)
{
	put_ink(r, INK_WARNING, what);
	ht_out_printf(r->out, "%s\n", text);
}

static void
add_moment(struct ht_str *s, const struct ht_moment *m)
{
	if (m->mark)
		ht_fmt_text(s, m->given, strlen(m->given), 0);
	else if (!m->percent)
		ht_str_addz(s, ht_fmt_ms(m->value).s);
	else if (m->value % 1000)
		ht_str_addf(s, "%" PRIu64 ".%03" PRIu64 " %%", m->value / 1000,
		    m->value % 1000);
	else
		ht_str_addf(s, "%" PRIu64 " %%", m->value / 1000);
}

static void
put_window(const struct report *r)
{
	const struct ht_query *q = &r->top->query;
	struct ht_str s = {0};

	if (!ht_query_windowed(q))
		return;
	if (q->has_from) {
		ht_str_addz(&s, " from ");
		add_moment(&s, &q->from);
	}
	if (q->has_to || q->at) {
		ht_str_addz(&s, " before ");
		add_moment(&s, &q->to);
	}
	ht_out_printf(r->out, "only what was allocated%s\n", s.data);
	ht_str_release(&s);
}

/* The filters, as they were given. */
static void
put_filters(const struct report *r)
{
	const struct ht_query *q = &r->top->query;
	struct ht_str all = {0}, line = {0};
	size_t i;

	for (i = 0; i < q->nfilter; i++)
		ht_str_addf(&all, " %s %s",
		    q->filter[i].exclude ? "--exclude" : "--filter",
		    q->filter[i].given);
	if (q->ignore_fn.n)
		ht_str_addz(&all, " --ignore-fn");
	if (all.len) {
		ht_str_addz(&line, "selected by");
		ht_fmt_text(&line, all.data, all.len,
		    r->top->width ? r->top->width - line.len : 0);
		ht_out_printf(r->out, "%s\n", line.data);
	}
	ht_str_release(&all);
	ht_str_release(&line);
}

static int
by_name(const void *a, const void *b, void *prof)
{
	return strcmp(ht_kind_name(prof, *(const uint32_t *)a),
	    ht_kind_name(prof, *(const uint32_t *)b));
}

size_t
kinds_left_out(const struct report *r, uint32_t **kind)
{
	const struct ht_prof *p = r->later;
	size_t i, n = ht_query_heap_only(&r->top->query) ? p->nkind : 0;

	*kind = ht_malloc((n + 1) * sizeof **kind);
	for (i = 0; i < n; i++)
		(*kind)[i] = p->kind[i].name;
	qsort_r(*kind, n, sizeof **kind, by_name, (void *)p);
	return n;
}

/* What else there is than the heap. */
static void
put_kinds(const struct report *r)
{
	struct ht_str names = {0}, line = {0};
	uint32_t *kind;
	size_t i, n = kinds_left_out(r, &kind), room = r->top->width;
	static const char before[] = "the heap only; also recorded: ";
	static const char after[] = " (--by kind)";

	for (i = 0; i < n; i++)
		ht_str_addf(&names, "%s%s", i ? ", " : "",
		    ht_kind_name(r->later, kind[i]));
	if (n > 0) {
		ht_fmt_text(&line, names.data, names.len,
		    room ? room - strlen(before) - strlen(after) : 0);
		ht_out_printf(r->out, "%s%s%s\n", before, line.data, after);
	}
	free(kind);
	ht_str_release(&names);
	ht_str_release(&line);
}

static void
put_suppressed(const struct report *r)
{
	const struct ht_suppress *s = &r->top->query.suppress;

	if (s->blocks == 0)
		return;
	ht_out_printf(r->out, "%s in %s block%s of known leaks %s left out%s\n",
	    ht_fmt_bytes(s->bytes).s, ht_fmt_count(s->blocks).s,
	    s->blocks == 1 ? "" : "s", s->blocks == 1 ? "is" : "are",
	    r->top->suppressions ? "" : " (--show-suppressions)");
}

/* When the program set its marks. */
static void
put_marks(const struct report *r)
{
	const struct ht_prof *p = r->later;
	size_t i, room = r->top->width;
	struct ht_str all = {0}, line = {0};

	if (p->traces != 1 || p->nmark == 0)
		return;
	for (i = 0; i < p->nmark; i++)
		ht_str_addf(&all, "%s%s at %s", i ? ", " : " ",
		    ht_intern_get(&p->text, p->mark[i].text),
		    ht_fmt_ms(p->mark[i].ms).s);
	ht_str_addz(&line, "marks:");
	ht_fmt_text(&line, all.data, all.len, room ? room - line.len : 0);
	ht_out_printf(r->out, "%s\n", line.data);
	ht_str_release(&all);
	ht_str_release(&line);
}

/* Why the numbers are not the whole truth. */
static void
put_notices(const struct report *r, const struct ht_prof *p)
{
	if (p->truncated)
		warning(r, "TRUNCATED",
		    p->traces == 1
			? ": the trace is without an end: what follows is its"
			  " start only"
			: ": traces are without an end: what follows is their"
			  " start only");
	if (p->lost) {
		put_ink(r, INK_WARNING, "LOST");
		ht_out_printf(r->out,
		    ": %s events are missing: the numbers are too low\n",
		    ht_fmt_count(p->lost).s);
	}
	if (p->overflow)
		warning(r, "WRONG", ": the live bytes do not fit in 64 bits");
	if (p->missed)
		ht_out_printf(r->out,
		    "%s frees were missed: their blocks ended when the address"
		    " came again\n",
		    ht_fmt_count(p->missed).s);
	if (p->attached)
		ht_out_printf(r->out,
		    "recorded from the middle on: earlier blocks do not"
		    " count\n");
}

/* Adds an item to the header's line, or begins the next one. */
static void
put_item(const struct report *r, size_t *column, const char *item)
{
	size_t n = ht_fmt_width(item, strlen(item)), width = r->top->width;

	if (*column && width && *column + 3 + n > width) {
		ht_out_char(r->out, '\n');
		*column = 0;
	}
	ht_out_printf(r->out, "%s%s", *column ? " " DOT " " : "", item);
	*column += n + (*column ? 3 : 0);
}

/* How many bytes there are to a sample: of all rows. */
static void
put_rates(const struct report *r, const struct ht_prof *p)
{
	uint64_t least = UINT64_MAX, most = 0;
	size_t i;

	for (i = 0; i < p->nrow; i++) {
		uint64_t rate = p->row[i].sampled;

		if (rate) {
			least = rate < least ? rate : least;
			most = rate > most ? rate : most;
		}
	}
	if (most == 0)
		return;
	ht_out_printf(r->out, " from one block in %s", ht_fmt_binary(least).s);
	if (most != least)
		ht_out_printf(r->out, " to %s", ht_fmt_binary(most).s);
}

/* The totals of sampled traces, with 95 % intervals. */
static void
put_estimates(const struct report *r, const struct ht_prof *p)
{
	const struct ht_sum *s = &p->sum;
	const struct ht_variances *v = &s->variance;
	const struct {
		const char *name;
		struct ht_fmt half;
	} item[] = {
	    {"allocations", ht_fmt_count(ht_weight_95_blocks(v->allocs))},
	    {"temporary", ht_fmt_count(ht_weight_95_blocks(v->temporary))},
	    {"asked for", ht_fmt_bytes(ht_weight_95(v->bytes))},
	    {"peak", ht_fmt_bytes(ht_weight_95(v->peak))},
	    {"leaked", ht_fmt_bytes(ht_weight_95(v->leaked))},
	};
	size_t i, column = 0;
	char text[160];

	if (!p->sampled)
		return;
	put_ink(r, INK_WARNING, "ESTIMATED");
	put_rates(r, p);
	ht_out_printf(r->out, ", the peak's moment too. 95 %% intervals:\n");
	for (i = 0; i < HT_LEN(item); i++) {
		snprintf(text, sizeof text, "%s \xc2\xb1 %s", item[i].name,
		    item[i].half.s);
		put_item(r, &column, text);
	}
	ht_out_char(r->out, '\n');
}

/* --- totals ------------------------------------------------------------- */

static void
put_leaked(const struct report *r, size_t *column)
{
	const struct ht_sum *s = &r->later->sum;
	bool windowed = ht_query_windowed(&r->top->query);
	char item[160];

	if (s->leaked_blocks)
		snprintf(item, sizeof item, "%s %s in %s block%s",
		    windowed ? "alive at the end" : "leaked",
		    ht_fmt_bytes(s->leaked).s, ht_fmt_count(s->leaked_blocks).s,
		    s->leaked_blocks == 1 ? "" : "s");
	else
		snprintf(item, sizeof item, "nothing %s",
		    windowed ? "alive at the end" : "leaked");
	put_item(r, column, item);
}

static void
put_numbers_of(const struct report *r, const struct ht_prof *p)
{
	const struct ht_sum *s = &p->sum;
	size_t column = 0;
	char item[160];
	struct ht_prof_kind peak;

	snprintf(item, sizeof item, "%s allocation%s, %s %% temporary",
	    ht_fmt_count(s->allocs).s, s->allocs == 1 ? "" : "s",
	    s->allocs ? ht_fmt_percent(s->temporary, s->allocs).s : "0");
	put_item(r, &column, item);
	snprintf(
	    item, sizeof item, "%s asked for in all", ht_fmt_bytes(s->bytes).s);
	put_item(r, &column, item);
	ht_out_char(r->out, '\n');
	column = 0;
	if (!ht_prof_peak(p, &peak))
		snprintf(item, sizeof item, "sum of the kinds' peaks %s",
		    ht_fmt_bytes(s->peak).s);
	else if (p->traces == 1)
		snprintf(item, sizeof item, "peak %s at %s",
		    ht_fmt_bytes(s->peak).s, ht_fmt_ms(peak.peak_ms).s);
	else
		snprintf(item, sizeof item, "sum of peaks %s, the largest %s",
		    ht_fmt_bytes(s->peak).s, ht_fmt_bytes(peak.largest_peak).s);
	put_item(r, &column, item);
	if (p->peak_rss) {
		snprintf(item, sizeof item, "peak RSS %s",
		    ht_fmt_bytes(p->peak_rss).s);
		put_item(r, &column, item);
	}
	put_leaked(r, &column);
	ht_out_char(r->out, '\n');
}

bool
has_rounding(const struct report *r)
{
	const struct ht_sum *s = &r->later->sum,
			    *b = r->base ? &r->base->sum : s;

	return s->rounding || s->rounding_leaked || b->rounding ||
	       b->rounding_leaked;
}

static void
put_explained(const struct report *r)
{
	uint64_t rest;
	struct ht_explained e = ht_explained_parts(&r->later->explained, &rest);
	size_t column = 0;
	char item[160];

	snprintf(item, sizeof item, "of %s resident the heap explains %s",
	    ht_fmt_bytes(e.rss).s, ht_fmt_bytes(e.heap).s);
	put_item(r, &column, item);
	snprintf(item, sizeof item, "maps %s", ht_fmt_bytes(e.maps).s);
	put_item(r, &column, item);
	snprintf(item, sizeof item, "the rest %s", ht_fmt_bytes(rest).s);
	put_item(r, &column, item);
	ht_out_char(r->out, '\n');
}

/* What it costs that allocators round up. */
static void
put_rounding(const struct report *r)
{
	const struct ht_sum *s = &r->later->sum;
	size_t column = 0;
	char item[160];

	snprintf(item, sizeof item, "rounding up costs %s%s%s%s%s",
	    ht_fmt_bytes(s->rounding).s,
	    r->later->traces == 1 ? " at the peak" : " at the peaks",
	    s->peak ? " (" : "",
	    s->peak ? ht_fmt_percent(s->rounding, s->peak).s : "",
	    s->peak ? " %)" : "");
	put_item(r, &column, item);
	snprintf(item, sizeof item, "%s at the end",
	    ht_fmt_bytes(s->rounding_leaked).s);
	put_item(r, &column, item);
	ht_out_char(r->out, '\n');
}

/* The totals of the base and of the later one, and what is between them. */
static void
put_comparison(const struct report *r)
{
	static const struct {
		const char *name;
		enum unit unit;
		size_t at;
	} line[] = {
	    {"allocations", UNIT_COUNT, offsetof(struct ht_sum, allocs)},
	    {"temporary", UNIT_COUNT, offsetof(struct ht_sum, temporary)},
	    {"asked for", UNIT_BYTES, offsetof(struct ht_sum, bytes)},
	    {"peak", UNIT_BYTES, offsetof(struct ht_sum, peak)},
	    {"leaked", UNIT_BYTES, offsetof(struct ht_sum, leaked)},
	};
	size_t i;

	ht_out_printf(r->out, "%-11s %15s %15s %15s %9s\n", "", "base", "now",
	    "change", "%");
	for (i = 0; i < HT_LEN(line); i++) {
		uint64_t was, is;
		struct amount a;

		memcpy(&was, (char *)&r->base->sum + line[i].at, sizeof was);
		memcpy(&is, (char *)&r->later->sum + line[i].at, sizeof is);
		a = amount_between(was, is);
		ht_out_printf(r->out, "%-11s %15s %15s %15s %9s\n",
		    line[i].name,
		    amount_text((struct amount){was, 0}, line[i].unit, 0).s,
		    amount_text((struct amount){is, 0}, line[i].unit, 0).s,
		    amount_text(a, line[i].unit, true).s,
		    amount_percent(a, was, true).s);
	}
}

void
print_header(const struct report *r)
{
	put_what(r, r->later, "");
	if (r->base) {
		put_what(r, r->base, "against ");
		put_comparison(r);
		put_notices(r, r->base);
		put_estimates(r, r->base);
	} else {
		put_numbers_of(r, r->later);
		if (r->later->explained.rss)
			put_explained(r);
		if (has_rounding(r))
			put_rounding(r);
	}
	put_notices(r, r->later);
	put_estimates(r, r->later);
	put_marks(r);
	put_window(r);
	put_filters(r);
	if (r->left_out)
		ht_out_printf(r->out,
		    "%s launcher%s left out (--all-images shows %s)\n",
		    ht_fmt_count(r->left_out).s, r->left_out == 1 ? "" : "s",
		    r->left_out == 1 ? "it" : "them");
	put_kinds(r);
	put_suppressed(r);
}

bool
is_estimated(const struct report *r)
{
	return r->later->sampled || (r->base && r->base->sampled);
}

const char *
total_half(const struct ht_prof *p, size_t i, uint64_t *half)
{
	const struct ht_variances *v = &p->sum.variance;
	const struct {
		const char *name;
		ht_wide variance;
		bool blocks;
	} field[] = {
	    {"allocations_95", v->allocs, true},
	    {"temporary_95", v->temporary, true},
	    {"leaked_95", v->leaked, false},
	    {"leaked_blocks_95", v->leaked_blocks, true},
	    {"total_bytes_95", v->bytes, false},
	    {"peak_95", v->peak, false},
	};

	if (!p->sampled || i >= HT_LEN(field))
		return NULL;
	*half = field[i].blocks ? ht_weight_95_blocks(field[i].variance)
				: ht_weight_95(field[i].variance);
	return field[i].name;
}

void
print_totals(const struct report *r)
{
	struct ht_total total[HT_TOTALS], base[HT_TOTALS] = {0};
	const char *name;
	uint64_t v;
	size_t i;

	ht_prof_totals(r->later, total);
	if (r->base)
		ht_prof_totals(r->base, base);
	for (i = 0; i < HT_TOTALS; i++) {
		struct amount a = amount_between(base[i].value, total[i].value);

		if (i < TOTALS_ALWAYS || total[i].value || base[i].value)
			ht_out_printf(r->out, "%s\t%s%" PRIu64 "\n",
			    total[i].name, a.minus ? "-" : "", a.n);
	}
	if (r->base)
		return;
	for (i = 0; (name = total_half(r->later, i, &v)) != NULL; i++)
		ht_out_printf(r->out, "%s\t%" PRIu64 "\n", name, v);
}
