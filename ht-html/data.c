/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ht-html/data.h"
#include "ht-html/pack.h"
#include "ht-html/spool.h"
#include "libht/json.h"
#include "libht/mem.h"

#define LAYOUT 1 /* raised when what is there had to change */

static const char *const side_key[SHEET_SIDES] = {
    [SHEET_NOW] = "now", [SHEET_BASE] = "base"};
static const char *const side_group[SHEET_SIDES] = {
    [SHEET_NOW] = "now.", [SHEET_BASE] = "base."};
static const char *const side_series[SHEET_SIDES] = {
    [SHEET_NOW] = "now.series.", [SHEET_BASE] = "base.series."};
static const char *const side_time[SHEET_SIDES] = {
    [SHEET_NOW] = "now.time.", [SHEET_BASE] = "base.time."};

/* Bytes beyond those that so many blocks of the group's size have. */
static uint64_t
rest(const struct sheet_group *g, uint64_t bytes, uint64_t blocks)
{
	return bytes - blocks * g->unit;
}

/* One member of each of `n` structs, `width` bytes of an unsigned type. */
static void
pack_member(struct pack *p, const void *array, size_t n, size_t stride,
    size_t at, size_t width)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const char *v = (const char *)array + i * stride + at;
		uint32_t v32;
		uint64_t v64;

		if (width == sizeof v64) {
			memcpy(&v64, v, width);
		} else if (width == sizeof v32) {
			memcpy(&v32, v, width);
			v64 = v32;
		} else {
			v64 = *(const uint8_t *)v;
		}
		pack_add(p, v64);
	}
}

#define PACK(p, group, coding, array, n, member)                               \
	(pack_begin(p, group, #member, coding),                                \
	    pack_member(p, array, n, sizeof *(array),                          \
		offsetof(__typeof__(*(array)), member),                        \
		sizeof(array)->member))

/* --- symbols and stacks ------------------------------------------------- */

static void
pack_frames(struct pack *p, const struct sheet *s)
{
	PACK(p, "frame.", 'u', s->frame, s->nframe, function);
	PACK(p, "frame.", 'u', s->frame, s->nframe, file);
	PACK(p, "frame.", 'u', s->frame, s->nframe, line);
	PACK(p, "frame.", 'u', s->frame, s->nframe, module);
	PACK(p, "frame.", 'u', s->frame, s->nframe, symbol);
	PACK(p, "frame.", 'u', s->frame, s->nframe, flags);
}

static void
pack_nodes(struct pack *p, const struct sheet *s)
{
	uint32_t *depth = ht_calloc(s->nnode, sizeof *depth);
	size_t i;

	pack_begin(p, "node.", "up", 'u');
	pack_add(p, 0);
	for (i = 1; i < s->nnode; i++) {
		depth[i] = depth[s->node[i].parent] + 1;
		pack_add(p, depth[i - 1] + 1 - depth[i]);
	}
	free(depth);
	PACK(p, "node.", 'u', s->node, s->nnode, frame);
	pack_begin(p, "smaller.", "node", 'd');
	for (i = 0; i < s->nnode; i++)
		if (s->node[i].smaller)
			pack_add(p, i);
	pack_begin(p, "smaller.", "stacks", 'u');
	for (i = 0; i < s->nnode; i++)
		if (s->node[i].smaller)
			pack_add(p, s->node[i].smaller);
}

static void
pack_groups(struct pack *p, const struct sheet *s)
{
	PACK(p, "group.", 'd', s->group, s->ngroup, node);
	PACK(p, "group.", 'u', s->group, s->ngroup, thread);
	PACK(p, "group.", 'u', s->group, s->ngroup, kind);
	PACK(p, "group.", 'u', s->group, s->ngroup, size);
	PACK(p, "group.", 'u', s->group, s->ngroup, suppressed);
	PACK(p, "group.", 'u', s->group, s->ngroup, unit);
}

/* --- costs -------------------------------------------------------------- */

static uint64_t
field(const struct ht_sum *sum, size_t at)
{
	uint64_t v;

	memcpy(&v, (const char *)sum + at, sizeof v);
	return v;
}

static void
pack_sums(struct pack *p, const struct sheet *s, int side)
{
	/* `blocks`: those whose bytes these are, or 0. */
	static const struct {
		const char *name;
		size_t at, blocks;
	} column[] = {
	    {"calls", offsetof(struct ht_sum, allocs), 0},
	    {"total", offsetof(struct ht_sum, bytes),
		offsetof(struct ht_sum, allocs) + 1},
	    {"temporary", offsetof(struct ht_sum, temporary), 0},
	    {"leaked_blocks", offsetof(struct ht_sum, leaked_blocks), 0},
	    {"leaked", offsetof(struct ht_sum, leaked),
		offsetof(struct ht_sum, leaked_blocks) + 1},
	    {"peak_blocks", offsetof(struct ht_sum, peak_blocks), 0},
	    {"peak", offsetof(struct ht_sum, peak),
		offsetof(struct ht_sum, peak_blocks) + 1},
	    {"others", offsetof(struct ht_sum, others), 0},
	};
	size_t i, k;

	for (k = 0; k < HT_LEN(column); k++) {
		size_t of = column[k].blocks;

		pack_begin(p, side_group[side], column[k].name, of ? 's' : 'u');
		for (i = 0; i < s->ngroup; i++) {
			const struct ht_sum *sum = &s->side[side].cost[i].sum;
			uint64_t v = field(sum, column[k].at);

			if (of)
				v = rest(&s->group[i], v, field(sum, of - 1));
			pack_add(p, v);
		}
	}
}

/* What of the ages of a group's freed blocks a column has. */
enum life_part { LIFE_AGE, LIFE_BLOCKS, LIFE_BYTES };

static void
pack_life(struct pack *p, const struct sheet *s, int side, const char *name,
    char coding, enum life_part part)
{
	size_t i;
	unsigned age;

	pack_begin(p, side_group[side], name, coding);
	for (i = 0; i < s->ngroup; i++) {
		const struct sheet_cost *c = &s->side[side].cost[i];

		for (age = 0; age < HT_HIST_BUCKETS; age++) {
			uint64_t blocks = ht_hist_get(&c->lives, age);
			uint64_t bytes = ht_hist_get(&c->bytes, age);

			if (blocks == 0)
				continue;
			if (part == LIFE_AGE)
				pack_add(p, age);
			else if (part == LIFE_BLOCKS)
				pack_add(p, blocks);
			else
				pack_add(p, rest(&s->group[i], bytes, blocks));
		}
	}
}

static void
pack_lives(struct pack *p, const struct sheet *s, int side)
{
	size_t i;
	unsigned age;

	pack_begin(p, side_group[side], "life.count", 'u');
	for (i = 0; i < s->ngroup; i++) {
		const struct ht_hist *h = &s->side[side].cost[i].lives;
		uint64_t n = 0;

		for (age = 0; age < HT_HIST_BUCKETS; age++)
			n += ht_hist_get(h, age) != 0;
		pack_add(p, n);
	}
	pack_life(p, s, side, "life.age", 'u', LIFE_AGE);
	pack_life(p, s, side, "life.blocks", 'u', LIFE_BLOCKS);
	pack_life(p, s, side, "life.bytes", 's', LIFE_BYTES);
}

/* --- over time ---------------------------------------------------------- */

static void
pack_series(struct pack *p, const struct ht_series *s, const char *group)
{
	PACK(p, group, 'u', s->bucket, s->n, max);
	PACK(p, group, 'u', s->bucket, s->n, end);
	PACK(p, group, 'u', s->bucket, s->n, allocs);
	PACK(p, group, 'u', s->bucket, s->n, temporary);
	PACK(p, group, 'u', s->bucket, s->n, rss);
}

static void
pack_buckets(struct pack *p, const struct timeline *t, const char *group)
{
	PACK(p, group, 'u', t->bucket, t->n, max);
	PACK(p, group, 'd', t->bucket, t->n, max_ms);
}

static void
pack_before(
    struct pack *p, const struct sheet *s, const struct cells *c, int side)
{
	struct cell none = {0};
	size_t i, k;

	if (c->n == 0)
		return;
	pack_begin(p, side_group[side], "before.blocks", 'u');
	for (i = k = 0; i < s->ngroup; i++) {
		bool here = k < c->n && c->cell[k].group == i;

		pack_add(p, here ? c->cell[k].blocks : 0);
		k += here;
	}
	pack_begin(p, side_group[side], "before.bytes", 's');
	for (i = k = 0; i < s->ngroup; i++) {
		bool here = k < c->n && c->cell[k].group == i;
		const struct cell *cell = here ? &c->cell[k] : &none;

		pack_add(p, rest(&s->group[i], cell->bytes, cell->blocks));
		k += here;
	}
}

/* Cells by group, each with its bucket. */
struct sorted {
	struct sorted_cell {
		const struct cell *cell;
		size_t bucket;
	} * of;
	size_t *end; /* of groups */
	size_t n;
};

static struct sorted
sort_cells(const struct cells *c, size_t nbucket, size_t ngroup)
{
	struct sorted s = {.n = c->n};
	size_t b, i, *next = ht_calloc(ngroup + 2, sizeof *next);

	s.of = ht_malloc((c->n + 1) * sizeof *s.of);
	for (i = 0; i < c->n; i++)
		next[c->cell[i].group + 1]++;
	for (i = 0; i < ngroup; i++)
		next[i + 1] += next[i];
	for (b = i = 0; b < nbucket; b++)
		for (; i < c->end[b]; i++)
			s.of[next[c->cell[i].group]++] =
			    (struct sorted_cell){&c->cell[i], b};
	/* What was the start of a group is its end now. */
	s.end = next;
	return s;
}

/* What of a cell a column has. */
enum part { PART_BUCKET, PART_AGO, PART_HOW, PART_BLOCKS, PART_BYTES };

static uint64_t
part_of(const struct sheet *s, const struct sorted_cell *c,
    const struct sorted_cell *before, enum part part)
{
	const struct cell *cell = c->cell;

	switch (part) {
	case PART_BUCKET:
		return c->bucket - (before ? before->bucket : 0);
	case PART_AGO:
		return c->bucket - (size_t)(int64_t)cell->birth;
	case PART_HOW:
		return cell->how;
	case PART_BLOCKS:
		return cell->blocks;
	case PART_BYTES:
		break;
	}
	return rest(&s->group[cell->group], cell->bytes, cell->blocks);
}

static void
pack_part(struct pack *p, const struct sheet *s, const struct sorted *sorted,
    const char *group, const char *name, char coding, enum part part)
{
	size_t g, i = 0, start;

	pack_begin(p, group, name, coding);
	for (g = 0; g < s->ngroup; g++)
		for (start = i; i < sorted->end[g]; i++)
			pack_add(p,
			    part_of(s, &sorted->of[i],
				i > start ? &sorted->of[i - 1] : NULL, part));
}

/* `blocks` is the coding of their number. */
static void
pack_cells(struct pack *p, const struct sheet *s, int side,
    const struct cells *c, const char *what, char blocks, bool died)
{
	struct sorted sorted =
	    sort_cells(c, s->side[side].timeline->n, s->ngroup);
	struct ht_str group = {0};
	size_t g, start = 0;

	ht_str_addf(&group, "%s%s.", side_group[side], what);
	pack_begin(p, group.data, "count", 'u');
	for (g = 0; g < s->ngroup; start = sorted.end[g++])
		pack_add(p, sorted.end[g] - start);
	pack_part(p, s, &sorted, group.data, "bucket", 'u', PART_BUCKET);
	if (died) {
		pack_part(p, s, &sorted, group.data, "ago", 'u', PART_AGO);
		pack_part(p, s, &sorted, group.data, "how", 'u', PART_HOW);
	}
	pack_part(p, s, &sorted, group.data, "blocks", blocks, PART_BLOCKS);
	pack_part(p, s, &sorted, group.data, "bytes", 's', PART_BYTES);
	ht_str_release(&group);
	free(sorted.of);
	free(sorted.end);
}

static void
pack_side(struct pack *p, const struct sheet *s, int side)
{
	const struct sheet_side *of = &s->side[side];
	const struct timeline *t = of->timeline;

	if (of->prof == NULL)
		return;
	pack_sums(p, s, side);
	pack_lives(p, s, side);
	pack_series(p, &of->prof->series, side_series[side]);
	if (t == NULL)
		return;
	pack_buckets(p, t, side_time[side]);
	pack_before(p, s, &t->before, side);
	pack_cells(p, s, side, &t->born, "born", 'u', false);
	pack_cells(p, s, side, &t->died, "died", 's', true);
	pack_cells(p, s, side, &t->top, "top", 's', false);
}

/* --- the rest ----------------------------------------------------------- */

static void
put_end(struct ht_json *j, const struct ht_prof *p)
{
	static const char *const names[] = {[HT_END_TRUNCATED] = "truncated",
	    [HT_END_EXIT] = "exit",
	    [HT_END_SIGNAL] = "signal",
	    [HT_END_EXEC] = "exec",
	    [HT_END_DETACHED] = "detached",
	    [HT_END_STOPPED] = "stopped"};
	bool one = p->traces == 1 && p->origin[0].end != HT_END_NONE;

	if (one)
		ht_json_textz(j, "end", names[p->origin[0].end]);
	else
		ht_json_null(j, "end");
	ht_json_uint(j, "end_value", one ? p->origin[0].end_value : 0);
}

static void
put_text(
    struct ht_json *j, const struct ht_prof *p, const char *key, uint32_t id)
{
	if (id)
		ht_json_text(j, key, ht_intern_get(&p->text, id),
		    ht_intern_len(&p->text, id));
	else
		ht_json_null(j, key);
}

static void
put_strings(struct ht_json *j, const char *key, char *const *text)
{
	ht_json_open_line(j, key, '[');
	for (; text && *text; text++)
		ht_json_textz(j, NULL, *text);
	ht_json_close(j, ']');
}

static void
put_suppressed(struct ht_json *j, const struct ht_suppress *s)
{
	static const char *const origins[] = {[HT_SUPPRESS_FILE] = "file",
	    [HT_SUPPRESS_EMBEDDED] = "embedded",
	    [HT_SUPPRESS_BUILTIN] = "builtin"};
	size_t i;

	ht_json_open(j, "suppressed", '{');
	ht_json_uint(j, "bytes", s->bytes);
	ht_json_uint(j, "blocks", s->blocks);
	ht_json_open(j, "by", '[');
	for (i = 0; i < s->n; i++) {
		ht_json_open_line(j, NULL, '{');
		ht_json_textz(j, "pattern", s->item[i].pattern);
		ht_json_textz(j, "origin", origins[s->item[i].origin]);
		ht_json_uint(j, "bytes", s->item[i].bytes);
		ht_json_uint(j, "blocks", s->item[i].blocks);
		ht_json_close(j, '}');
	}
	ht_json_close(j, ']');
	ht_json_close(j, '}');
}

static void
put_numbers(struct ht_json *j, const struct ht_prof *p)
{
	const struct ht_total more[] = {
	    {"start", p->first_start},
	    {"traces", p->traces},
	    {"longest_ms", p->longest_ms},
	    {"peak_blocks", p->sum.peak_blocks},
	    {"own_rss", p->own_rss},
	    {"truncated", p->truncated},
	    {"attached", p->attached},
	    {"sampled", p->sampled},
	    {"unseen_frees", p->unseen},
	    {"missed_frees", p->missed},
	};
	struct ht_total total[HT_TOTALS];
	struct ht_prof_kind peak;
	size_t i;

	ht_prof_totals(p, total);
	for (i = 0; i < HT_TOTALS; i++)
		ht_json_uint(j, total[i].name, total[i].value);
	for (i = 0; i < HT_LEN(more); i++)
		ht_json_uint(j, more[i].name, more[i].value);
	ht_prof_peak(p, &peak);
	ht_json_uint(j, "largest_peak", peak.largest_peak);
}

/* When the first mark was from `after` on that this is; else what it is if it
 * is none. */
static uint64_t
mark_ms(const struct ht_prof *p, const struct ht_moment *m, uint64_t after,
    uint64_t otherwise)
{
	size_t i;

	for (i = 0; m->mark && i < p->nmark; i++)
		if (p->mark[i].ms >= after &&
		    ht_pattern_match(
			&m->pattern, ht_intern_get(&p->text, p->mark[i].text)))
			return p->mark[i].ms;
	return otherwise;
}

/* What part of the run was asked for. */
static void
put_window(struct ht_json *j, const struct ht_query *q, const struct ht_prof *p)
{
	uint64_t from, to;

	ht_query_window(q, p->longest_ms, &from, &to);
	from = mark_ms(p, &q->from, 0, from);
	to = mark_ms(p, &q->to, q->has_from ? from : 0, to);
	if (q->has_from)
		ht_json_uint(j, "from_ms", from);
	else
		ht_json_null(j, "from_ms");
	if (to != UINT64_MAX)
		ht_json_uint(j, "to_ms", to);
	else
		ht_json_null(j, "to_ms");
	ht_json_bool(j, "at", q->at);
}

static void
put_time(struct ht_json *j, const struct sheet_side *side)
{
	const struct ht_series *s = &side->prof->series;
	const struct timeline *t = side->timeline;

	if (s->n == 0) {
		ht_json_null(j, "series");
	} else {
		ht_json_open_line(j, "series", '{');
		ht_json_uint(j, "shift", s->shift);
		ht_json_uint(j, "n", s->n);
		ht_json_close(j, '}');
	}
	if (t == NULL) {
		ht_json_null(j, "time");
		return;
	}
	ht_json_open_line(j, "time", '{');
	ht_json_uint(j, "shift", t->shift);
	ht_json_uint(j, "first", t->first);
	ht_json_uint(j, "n", t->n);
	ht_json_bool(j, "ages", t->ages);
	ht_json_close(j, '}');
}

static void
put_side(struct ht_json *j, const struct data *d, int side)
{
	char dash[] = "-", *const standard_input[] = {dash, NULL};
	const struct sheet_side *of = &d->sheet->side[side];
	const struct ht_prof *p = of->prof;
	char *const *file = d->file[side];
	bool one;

	if (p == NULL) {
		ht_json_null(j, side_key[side]);
		return;
	}
	one = p->traces == 1;
	ht_json_open(j, side_key[side], '{');
	put_strings(j, "files", file && *file ? file : standard_input);
	put_text(j, p, "command", one ? p->origin[0].command : 0);
	put_text(j, p, "tool", one ? p->origin[0].tool : 0);
	put_end(j, p);
	ht_json_uint(j, "launchers", d->launchers[side]);
	put_numbers(j, p);
	ht_json_bool(j, "overflow", p->overflow);
	put_suppressed(j, &of->suppress);
	put_window(j, d->sheet->query, p);
	put_time(j, of);
	ht_json_close(j, '}');
}

static void
put_columns(struct ht_json *j, const struct pack *p)
{
	size_t i;

	ht_json_open(j, "columns", '{');
	for (i = 0; i < p->n; i++) {
		const struct pack_column *c = &p->column[i];
		char coding[2] = {c->coding, '\0'};

		ht_json_open_line(j, c->name, '[');
		ht_json_textz(j, NULL, coding);
		ht_json_uint(j, NULL, c->start);
		ht_json_uint(j, NULL, pack_end(p, i) - c->start);
		ht_json_uint(j, NULL, c->count);
		ht_json_close(j, ']');
	}
	ht_json_close(j, '}');
}

static void
put_json(struct ht_out *out, const struct data *d, const struct pack *p)
{
	const struct sheet *s = d->sheet;
	struct ht_json j = {.out = out};
	uint32_t i;
	int side;

	ht_json_open(&j, NULL, '{');
	ht_json_uint(&j, "layout", LAYOUT);
	ht_json_textz(&j, "tool", "ht-html " HT_VERSION);
	ht_json_textz(&j, "title", d->title ? d->title : "");
	put_strings(&j, "selection", d->selection);
	ht_json_uint(&j, "stacks", s->stacks);
	for (side = 0; side < SHEET_SIDES; side++)
		put_side(&j, d, side);
	put_columns(&j, p);
	ht_json_open(&j, "strings", '[');
	for (i = 0; i <= s->text.count; i++)
		ht_json_text(&j, NULL, ht_intern_get(&s->text, i),
		    ht_intern_len(&s->text, i));
	ht_json_close(&j, ']');
	ht_json_close(&j, '}');
}

int
data_write(const struct data *d, struct ht_out *out, struct ht_error *err)
{
	struct spool json;
	struct pack p = {0};
	int side, rc = -1;

	pack_frames(&p, d->sheet);
	pack_nodes(&p, d->sheet);
	pack_groups(&p, d->sheet);
	for (side = 0; side < SHEET_SIDES; side++)
		pack_side(&p, d->sheet, side);
	if (spool_begin(&json, HT_PLAIN, 0, err) == 0) {
		put_json(json.out, d, &p);
		rc = spool_end(&json, err);
	}
	if (rc == 0) {
		/* The JSON ends in LF. */
		ht_out_printf(
		    out, "ht-html %d %" PRIu64 "\n", LAYOUT, json.size - 1);
		rc = spool_copy(&json, out, err);
		ht_out_write(out, p.bytes.data, p.bytes.len);
	}
	spool_release(&json);
	pack_release(&p);
	return rc;
}
