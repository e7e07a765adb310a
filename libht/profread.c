/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libht/mem.h"
#include "libht/num.h"
#include "libht/profread.h"
#include "libht/profwrite.h"
#include "libht/str.h"

/* The widest bucket: as many as a series may have reach to the last ms. */
#define SHIFT_MAX 54

/* Lines that may be there once. */
enum {
	SEEN_TRACES = 1,
	SEEN_TIMES = 2,
	SEEN_PEAK = 4,
	SEEN_RSS = 8,
	SEEN_LOST = 16,
	SEEN_STARTS = 32,
	SEEN_SERIES = 64
};

struct cursor {
	const char *p, *end;
};

/* --- fields: 0, or -1 --------------------------------------------------------
 */

static int
get_hex(struct cursor *c, uint64_t *v)
{
	return ht_hex_parse(&c->p, c->end, v);
}

/* One space, then a number. */
static int
get_num(struct cursor *c, uint64_t *v)
{
	if (c->p == c->end || *c->p != ' ')
		return -1;
	c->p++;
	return get_hex(c, v);
}

/* Exactly these numbers and the end of the line. */
static int
get_nums(struct cursor *c, uint64_t *const v[], size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (get_num(c, v[i]) < 0)
			return -1;
	return c->p == c->end ? 0 : -1;
}

/* An id that is defined, or 0, as the profile's. */
static int
get_id(struct cursor *c, const uint32_t *map, size_t n, uint32_t *id)
{
	uint64_t v;

	if (get_num(c, &v) < 0 || v > n)
		return -1;
	*id = v ? map[v - 1] : 0;
	return 0;
}

/* Text with its escapes undone, in r->string. */
static void
unescape(struct ht_profread *r, const char *text, size_t len)
{
	size_t i;

	ht_str_clear(&r->string);
	ht_str_add(&r->string, "", 0);
	for (i = 0; i < len; i++) {
		char next = i + 1 < len ? text[i + 1] : ' ';

		if (text[i] != '\\' || !strchr("n0\\", next) || !next) {
			ht_str_addc(&r->string, text[i]);
			continue;
		}
		i++;
		ht_str_addc(&r->string, next == 'n'   ? '\n'
					: next == '0' ? '\0'
						      : '\\');
	}
}

static int
get_sized(struct ht_profread *r, struct cursor *c, uint32_t *id)
{
	uint64_t n;

	if (get_num(c, &n) < 0 || c->p == c->end || *c->p != ' ')
		return -1;
	c->p++;
	if (n > (uint64_t)(c->end - c->p))
		return -1;
	unescape(r, c->p, (size_t)n);
	c->p += n;
	*id = ht_prof_text(r->p, r->string.data, r->string.len);
	return 0;
}

/* --- lines: 0, or -1 ---------------------------------------------------------
 */

static int
once(struct ht_profread *r, unsigned line)
{
	if (r->seen & line)
		return -1;
	r->seen |= line;
	return 0;
}

static int
read_traces(struct ht_profread *r, struct cursor *c)
{
	struct ht_prof *p = r->p;
	uint64_t overflow = 0;

	if (get_nums(c,
		(uint64_t *const[]){&p->traces, &p->truncated, &p->attached,
		    &p->sampled, &overflow},
		5) < 0 ||
	    overflow > 1)
		return -1;
	p->overflow = overflow;
	return once(r, SEEN_TRACES);
}

static int
read_pair(struct ht_profread *r, struct cursor *c, unsigned line, uint64_t *a,
    uint64_t *b)
{
	if (get_nums(c, (uint64_t *const[]){a, b}, 2) < 0)
		return -1;
	return once(r, line);
}

static int
read_rss(struct ht_profread *r, struct cursor *c)
{
	struct ht_prof *p = r->p;
	struct ht_explained *e = &p->explained;

	if (get_num(c, &p->peak_rss) < 0 || get_num(c, &p->own_rss) < 0)
		return -1;
	if (c->p != c->end &&
	    (get_nums(c, (uint64_t *const[]){&e->rss, &e->heap, &e->maps}, 3) <
		    0 ||
		e->maps > e->rss))
		return -1;
	return once(r, SEEN_RSS);
}

static int
read_lost(struct ht_profread *r, struct cursor *c)
{
	struct ht_prof *p = r->p;

	if (get_nums(c, (uint64_t *const[]){&p->lost, &p->unseen, &p->missed},
		3) < 0)
		return -1;
	return once(r, SEEN_LOST);
}

static int
get_end(struct cursor *c, struct ht_prof_origin *o)
{
	static const struct {
		const char *name;
		enum ht_end end;
		bool value;
	} ends[] = {
	    {" none", HT_END_NONE, false},
	    {" truncated", HT_END_TRUNCATED, false},
	    {" exit", HT_END_EXIT, true},
	    {" signal", HT_END_SIGNAL, true},
	    {" exec", HT_END_EXEC, false},
	    {" detached", HT_END_DETACHED, false},
	    {" stopped", HT_END_STOPPED, false},
	};
	size_t i, n, left = (size_t)(c->end - c->p);

	for (i = 0; i < HT_LEN(ends); i++) {
		n = strlen(ends[i].name);
		if (left < n || memcmp(c->p, ends[i].name, n) != 0)
			continue;
		c->p += n;
		o->end = ends[i].end;
		return get_nums(
		    c, (uint64_t *const[]){&o->end_value}, ends[i].value);
	}
	return -1;
}

static int
read_origin(struct ht_profread *r, struct cursor *c)
{
	struct ht_prof_origin o = {0};

	if (get_num(c, &o.traces) < 0 || get_sized(r, c, &o.tool) < 0 ||
	    get_sized(r, c, &o.command) < 0 || get_end(c, &o) < 0)
		return -1;
	ht_prof_origin(r->p, &o);
	return 0;
}

static int
read_suppression(struct ht_profread *r, struct cursor *c)
{
	if (c->p == c->end || *c->p != ' ')
		return -1;
	unescape(r, c->p + 1, (size_t)(c->end - c->p - 1));
	ht_prof_suppression(r->p, r->string.data, r->string.len);
	return 0;
}

static int
read_series(struct ht_profread *r, struct cursor *c)
{
	struct ht_series *s = &r->p->series;
	uint64_t shift, n;

	if (get_nums(c, (uint64_t *const[]){&shift, &n}, 2) < 0 ||
	    shift < HT_SERIES_SHIFT || shift > SHIFT_MAX || n == 0 ||
	    n > HT_SERIES_BUCKETS)
		return -1;
	s->shift = (unsigned)shift;
	r->buckets = n;
	return once(r, SEEN_SERIES);
}

static int
read_bucket(struct ht_profread *r, struct cursor *c)
{
	struct ht_series *s = &r->p->series;
	struct ht_bucket b;

	if (r->buckets == 0 || get_nums(c,
				   (uint64_t *const[]){&b.max, &b.end,
				       &b.allocs, &b.temporary, &b.rss},
				   5) < 0)
		return -1;
	r->buckets--;
	HT_GROW(s->bucket, s->cap, s->n + 1);
	s->bucket[s->n++] = b;
	return 0;
}

static int
read_string(struct ht_profread *r, struct cursor *c)
{
	uint32_t id;

	if (get_sized(r, c, &id) < 0 || c->p != c->end)
		return -1;
	HT_GROW(r->text, r->text_cap, r->ntext + 1);
	r->text[r->ntext++] = id;
	return 0;
}

static void
add_frame(struct ht_profread *r, struct ht_frame f)
{
	HT_GROW(r->frame, r->frame_cap, r->nframe + 1);
	r->frame[r->nframe++] = ht_prof_frame(r->p, f, r->fn);
}

static int
read_frame(struct ht_profread *r, struct cursor *c)
{
	struct ht_frame f = {.symbolised = true};

	if (get_num(c, &f.offset) < 0 ||
	    get_id(c, r->text, r->ntext, &f.module) < 0)
		return -1;
	while (c->p != c->end) {
		struct ht_frame_fn *fn;
		uint64_t line = 0;

		HT_GROW(r->fn, r->fn_cap, (size_t)f.count + 1);
		fn = &r->fn[f.count++];
		fn->file = 0;
		if (get_id(c, r->text, r->ntext, &fn->function) < 0)
			return -1;
		if (c->p == c->end && f.count > 1)
			return -1;
		if (c->p != c->end &&
		    (get_id(c, r->text, r->ntext, &fn->file) < 0 ||
			get_num(c, &line) < 0 || line > UINT32_MAX))
			return -1;
		/* A line of no file says nothing. */
		fn->line = fn->file ? (uint32_t)line : 0;
	}
	add_frame(r, f);
	return 0;
}

static int
read_address(struct ht_profread *r, struct cursor *c)
{
	struct ht_frame f = {0};

	if (get_num(c, &f.offset) < 0 ||
	    get_id(c, r->text, r->ntext, &f.module) < 0 || c->p != c->end)
		return -1;
	add_frame(r, f);
	return 0;
}

static int
read_stack(struct ht_profread *r, struct cursor *c)
{
	uint32_t frame, parent = r->nstack ? r->stack[r->nstack - 1] : 0;

	if (get_id(c, r->frame, r->nframe, &frame) < 0)
		return -1;
	if (c->p != c->end && get_id(c, r->stack, r->nstack, &parent) < 0)
		return -1;
	if (c->p != c->end)
		return -1;
	HT_GROW(r->stack, r->stack_cap, r->nstack + 1);
	r->here = ht_prof_stack(r->p, parent, frame);
	r->stack[r->nstack++] = r->here;
	return 0;
}

static int
read_cut(struct ht_profread *r, struct cursor *c)
{
	if (c->p != c->end || r->here == 0)
		return -1;
	r->p->stack[r->here - 1].cut = 1;
	return 0;
}

static int
read_thread(struct ht_profread *r, struct cursor *c)
{
	r->kind = 0;
	if (get_id(c, r->text, r->ntext, &r->thread) < 0)
		return -1;
	if (c->p != c->end && get_id(c, r->text, r->ntext, &r->kind) < 0)
		return -1;
	if (r->kind && !ht_map_get(&r->p->kinds, r->kind))
		return -1;
	return c->p == c->end ? 0 : -1;
}

static int
read_kind(struct ht_profread *r, struct cursor *c)
{
	uint64_t peak, ms;
	uint32_t name;

	if (get_id(c, r->text, r->ntext, &name) < 0 || name == 0 ||
	    get_nums(c, (uint64_t *const[]){&peak, &ms}, 2) < 0)
		return -1;
	ht_prof_kind(r->p, name, peak, ms);
	return 0;
}

/* `<bucket>:<count>` */
static int
get_age(struct cursor *c, struct ht_hist *life)
{
	uint64_t bucket, count;

	if (get_hex(c, &bucket) < 0 || bucket >= HT_HIST_BUCKETS ||
	    c->p == c->end || *c->p++ != ':' || get_hex(c, &count) < 0)
		return -1;
	ht_hist_add(life, (unsigned)bucket, count);
	return 0;
}

/* What may follow the calls of a row: the letters in this order, then ages. */
static int
get_costs(struct cursor *c, struct ht_prof_row *row)
{
	const struct {
		char letter;
		uint64_t *to;
	} cost[] = {{'t', &row->temporary}, {'l', &row->leaked},
	    {'p', &row->peak}, {'w', &row->others}, {'r', &row->rounding},
	    {'R', &row->rounding_leaked}, {'s', &row->sampled}};
	size_t i = 0;

	while (c->p != c->end) {
		if (*c->p++ != ' ' || c->p == c->end)
			return -1;
		while (i < HT_LEN(cost) && cost[i].letter != *c->p)
			i++;
		if (i < HT_LEN(cost)) {
			c->p++;
			if (get_hex(c, cost[i++].to) < 0)
				return -1;
		} else if (get_age(c, &row->life) < 0) {
			return -1;
		}
	}
	return 0;
}

static int
read_row(struct ht_profread *r, struct cursor *c)
{
	struct ht_prof_row more = {0};
	uint64_t size;
	uint32_t id;
	int rc = -1;

	if (get_num(c, &size) == 0 && get_num(c, &more.allocs) == 0 &&
	    get_costs(c, &more) == 0 &&
	    (more.allocs || more.peak || more.leaked || more.life.n) &&
	    (more.sampled == 0 || ht_weight_is_rate(more.sampled))) {
		id = ht_prof_row(
		    r->p, r->here, size, r->thread, r->kind, more.sampled);
		ht_row_add(&r->p->row[id - 1], &more);
		rc = 0;
	}
	ht_hist_release(&more.life);
	return rc;
}

static int
read_line(struct ht_profread *r, char kind, struct cursor *c)
{
	struct ht_prof *p = r->p;

	switch (kind) {
	case 'a':
		return read_row(r, c);
	case 't':
		return read_stack(r, c);
	case 'i':
		return read_frame(r, c);
	case 's':
		return read_string(r, c);
	case 'm':
		return read_address(r, c);
	case 'b':
		return read_bucket(r, c);
	case 'k':
		return read_thread(r, c);
	case 'C':
		return read_cut(r, c);
	case 'K':
		return read_kind(r, c);
	case 'n':
		return read_traces(r, c);
	case 'r':
		return read_pair(
		    r, c, SEEN_TIMES, &p->runtime_ms, &p->longest_ms);
	case 'p':
		return read_pair(
		    r, c, SEEN_PEAK, &p->largest_peak, &p->peak_ms);
	case 'R':
		return read_rss(r, c);
	case 'P':
		return read_pair(
		    r, c, SEEN_STARTS, &p->first_start, &p->last_start);
	case 'L':
		return read_lost(r, c);
	case 'O':
		return read_origin(r, c);
	case 'S':
		return read_suppression(r, c);
	case 'c':
		return read_series(r, c);
	default:
		return -1;
	}
}

/* --- a profile ---------------------------------------------------------------
 */

static void
begin(struct ht_profread *r, struct ht_prof *p)
{
	memset(p, 0, sizeof *p);
	r->p = p;
	r->ntext = r->nframe = r->nstack = 0;
	r->here = r->thread = r->kind = 0;
	r->lines = r->buckets = 0;
	r->seen = 0;
}

static int
wrong(struct ht_profread *r, struct ht_error *err, const char *what)
{
	r->lost = true;
	return ht_error_set(err, "%s:%" PRIu64 ": %s: the profile is left out",
	    ht_in_name(r->in), ht_in_lineno(r->in), what);
}

static bool
starts(const char *line, size_t len, const char *with)
{
	return len >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

/* Every trace has an origin: reports of a single one show it. */
static bool
has_origins(const struct ht_prof *p)
{
	uint64_t traces = 0;
	size_t i;

	for (i = 0; i < p->norigin; i++)
		ht_plus(&traces, p->origin[i].traces);
	return traces == p->traces;
}

/* The `E` line, after which all must be there. */
static int
finish(struct ht_profread *r, struct cursor *c, struct ht_error *err)
{
	uint64_t lines;

	if (get_nums(c, (uint64_t *const[]){&lines}, 1) < 0)
		return wrong(r, err, "strange 'E' line");
	if (lines != r->lines || r->buckets || !(r->seen & SEEN_TRACES))
		return wrong(r, err, "lines are missing");
	if (!has_origins(r->p))
		return wrong(r, err, "not as many traces as 'O' lines say");
	ht_prof_sum(r->p);
	return 1;
}

static int
truncated(struct ht_profread *r, struct ht_error *err)
{
	return ht_error_set(err,
	    "%s: the profile ends in mid-air (no E line): it is left out",
	    ht_in_name(r->in));
}

/* A line that begins a profile. 0, or -1: another version. */
static int
read_mark(
    struct ht_profread *r, const char *line, size_t len, struct ht_error *err)
{
	struct cursor c = {line + strlen(HT_PROFILE_MARK), line + len};
	uint64_t version;

	if (get_hex(&c, &version) < 0 || c.p != c.end)
		return wrong(r, err, "strange '# ht-profile' line");
	if (version != HT_PROFILE_FORMAT)
		return wrong(r, err, "a profile of a later format");
	return 0;
}

/* Up to the line that begins the next profile. 1, 0 at the end, -1. */
static int
seek(struct ht_profread *r, struct ht_error *err)
{
	char *line;
	size_t len;
	int rc;

	while ((rc = ht_in_line(r->in, &line, &len)) != 0) {
		if (rc < 0) {
			ht_error_set(err, "%s: the profile is left out",
			    ht_in_error(r->in)->text);
			ht_in_clear_error(r->in);
			return -1;
		}
		if (starts(line, len, HT_PROFILE_MARK)) {
			r->lost = false;
			return read_mark(r, line, len, err) < 0 ? -1 : 1;
		}
		if (r->lost || len == 0 || *line == '#')
			continue;
		return wrong(r, err,
		    starts(line, len, "v ") ? "a trace needs a file of its own"
					    : "this is no profile");
	}
	return 0;
}

/* One line of the profile. 0: go on; else what ht_profread_next returns. */
static int
take(struct ht_profread *r, const char *line, size_t len, struct ht_error *err)
{
	struct cursor c = {line + 1, line + len};
	char what[48];

	if (starts(line, len, HT_PROFILE_MARK)) {
		truncated(r, err);
		r->begun = read_mark(r, line, len, err) == 0;
		return -1;
	}
	if (len > 0 && *line == '#')
		return 0;
	if (len > 0 && *line == 'E')
		return finish(r, &c, err);
	r->lines++;
	if (len > 0 && !memchr(line, '\0', len) && read_line(r, *line, &c) == 0)
		return 0;
	snprintf(what, sizeof what, "strange '%.1s' line", len ? line : "");
	return wrong(r, err, what);
}

int
ht_profread_next(struct ht_profread *r, struct ht_prof *p, struct ht_error *err)
{
	char *line;
	size_t len;
	int rc;

	begin(r, p);
	err->text[0] = '\0';
	if (r->ended)
		return 0;
	if (!r->begun && (rc = seek(r, err)) <= 0)
		return rc;
	r->begun = false;
	while ((rc = ht_in_line(r->in, &line, &len)) > 0)
		if ((rc = take(r, line, len, err)) != 0)
			return rc;
	if (rc < 0) {
		r->lost = true;
		ht_error_set(err, "%s: the profile is left out",
		    ht_in_error(r->in)->text);
		ht_in_clear_error(r->in);
		return -1;
	}
	r->ended = true;
	return truncated(r, err);
}

void
ht_profread_release(struct ht_profread *r)
{
	free(r->text);
	free(r->frame);
	free(r->stack);
	free(r->fn);
	ht_str_release(&r->string);
}
