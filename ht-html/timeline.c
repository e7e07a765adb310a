/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "ht-html/timeline.h"
#include "libht/hist.h"
#include "libht/mem.h"
#include "libht/series.h"

#define NOT_CHOSEN UINT32_MAX /* a class's group: a filter leaves it out */

/* A class of the trace: what groups do not know. */
struct known_class {
	uint32_t group; /* plus 1; 0: not known yet */
	uint16_t how;	/* its last free, should it be undone, */
	uint64_t birth; /* and when that block was born, ms */
};

/* Blocks of a class that are live, of a trace without ages: the youngest is
 * taken to die. The last is of the youngest. */
struct pile {
	struct {
		int64_t bucket; /* absolute; -1: before the first */
		uint64_t blocks;
	} * birth;
	size_t n, cap;
};

/* What a group did in the bucket that is open. */
struct now {
	uint64_t serial; /* of the bucket: else this is of an older one */
	uint64_t epoch;	 /* `top` is of it */
	uint64_t blocks, bytes; /* more are live than at the bucket's start */
	uint64_t top_blocks, top_bytes; /* the same at its maximum */
	uint64_t born_blocks, born_bytes;
	/* Died in the bucket of their birth, in the same tick. */
	uint64_t died_blocks[2], died_bytes[2]; /* [1]: temporary ones */
};

struct timeline_reading {
	struct ht_select select;
	bool running;	 /* the trace, or its window, is open */
	uint64_t from;	 /* ms */
	uint64_t ms;	 /* the clock */
	uint64_t serial; /* of the open bucket: 1 and up, whatever is joined */
	uint64_t epoch;	 /* raised when the bucket has a new maximum */
	struct timeline_bucket open;
	struct known_class *cls;
	size_t ncls, cls_cap;
	struct pile *pile; /* of classes */
	size_t npile, pile_cap;
	struct now *now; /* of groups */
	size_t nnow, now_cap;
	uint32_t *touched; /* groups */
	size_t ntouched, touched_cap;
	/* Deaths in the open bucket that are not in `now`. */
	struct cell *death;
	size_t ndeath, death_cap;
	struct ht_map deaths; /* group, birth, how to one of these, plus 1 */
};

void
timeline_init(
    struct timeline *t, const struct ht_query *query, const struct ht_prof *p)
{
	memset(t, 0, sizeof *t);
	t->query = query;
	t->reading = ht_calloc(1, sizeof *t->reading);
	ht_select_init(&t->reading->select, query, p);
}

static void
forget_reading(struct timeline *t)
{
	struct timeline_reading *r = t->reading;
	size_t i;

	if (r == NULL)
		return;
	for (i = 0; i < r->npile; i++)
		free(r->pile[i].birth);
	free(r->pile);
	free(r->cls);
	free(r->now);
	free(r->touched);
	free(r->death);
	ht_map_release(&r->deaths);
	ht_select_release(&r->select);
	free(r);
	t->reading = NULL;
}

static void
forget_cells(struct timeline *t)
{
	cells_release(&t->born);
	cells_release(&t->died);
	cells_release(&t->top);
	cells_release(&t->before);
	t->n = 0;
}

void
timeline_release(struct timeline *t)
{
	forget_reading(t);
	forget_cells(t);
	free(t->bucket);
	ht_intern_release(&t->keys);
	memset(t, 0, sizeof *t);
}

bool
timeline_known(const struct timeline *t)
{
	return t->traces == 1 && t->n > 0;
}

/* --- wider buckets ------------------------------------------------------ */

/* The bucket, or two of them, that buckets become when they are twice as wide:
 * [*a, *b). The first may be the later half of its pair. */
static void
pair(const struct timeline *t, size_t wide, size_t *a, size_t *b)
{
	size_t odd = t->first & 1;

	*a = wide ? 2 * wide - odd : 0;
	*b = 2 * wide + 2 - odd;
	if (*b > t->n)
		*b = t->n;
}

/* At the maximum of two buckets more was live than at their start: by the
 * first, or by all that the first did and the second up to its own. */
static void
widen_top(struct timeline *t, size_t n)
{
	struct cells top = {0};
	size_t i, a, b;

	for (i = 0; i < n; i++) {
		pair(t, i, &a, &b);
		if (b - a == 2 && t->bucket[b - 1].max > t->bucket[a].max) {
			cells_add_bucket(&top, &t->born, a);
			cells_take_bucket(&top, &t->died, a);
			a++;
		}
		cells_add_bucket(&top, &t->top, a);
		cells_end_bucket(&top, i);
	}
	cells_release(&t->top);
	t->top = top;
}

static int16_t
wider_birth(const struct timeline *t, int16_t birth)
{
	if (birth == TIMELINE_BEFORE)
		return birth;
	return (int16_t)(((size_t)birth + (t->first & 1)) / 2);
}

/* In place: two buckets' cells do not become more. */
static void
widen_cells(struct timeline *t, struct cells *c, size_t n)
{
	size_t i, k, a, b, start = 0, to = 0;

	for (i = 0; i < n; i++) {
		size_t end;

		pair(t, i, &a, &b);
		end = cells_start(c, b);
		for (k = start; k < end; k++)
			c->cell[k].birth = wider_birth(t, c->cell[k].birth);
		to = cells_settle(c, to, start, end);
		c->end[i] = to;
		start = end;
	}
	c->n = to;
}

static void
widen_piles(struct timeline_reading *r)
{
	size_t i, k, n;

	for (i = 0; i < r->npile; i++) {
		struct pile *p = &r->pile[i];

		for (k = n = 0; k < p->n; k++) {
			p->birth[k].bucket >>= 1; /* -1 stays */
			if (n && p->birth[n - 1].bucket == p->birth[k].bucket)
				p->birth[n - 1].blocks += p->birth[k].blocks;
			else
				p->birth[n++] = p->birth[k];
		}
		p->n = n;
	}
}

/* No bucket is open. */
static void
widen(struct timeline *t)
{
	size_t n = (t->n + (t->first & 1) + 1) / 2, i, a, b;

	widen_top(t, n);
	widen_cells(t, &t->born, n);
	for (i = 0; i < n; i++) {
		pair(t, i, &a, &b);
		t->bucket[i] = t->bucket[b - 1].max > t->bucket[a].max
				   ? t->bucket[b - 1]
				   : t->bucket[a];
	}
	widen_cells(t, &t->died, n);
	t->n = n;
	t->first >>= 1;
	t->shift++;
	if (t->reading)
		widen_piles(t->reading);
}

void
timeline_widen(struct timeline *t, unsigned shift)
{
	while (t->n > 0 && t->shift < shift)
		widen(t);
}

/* --- groups ------------------------------------------------------------- */

size_t
timeline_groups(const struct timeline *t)
{
	return t->keys.count;
}

struct timeline_group
timeline_group(const struct timeline *t, size_t group)
{
	struct timeline_group g;

	memcpy(&g, ht_intern_get(&t->keys, (uint32_t)group + 1), sizeof g);
	return g;
}

static void
renumber(struct timeline *t, struct cells *c, const uint32_t *to, bool ends)
{
	size_t i, n = ends ? t->n : 1, to_end = 0, start = 0;

	for (i = 0; i < c->n; i++)
		c->cell[i].group = to[c->cell[i].group];
	for (i = 0; i < n; i++) {
		size_t end = ends ? c->end[i] : c->n;

		to_end = cells_settle(c, to_end, start, end);
		start = end;
		if (ends)
			c->end[i] = to_end;
	}
	c->n = to_end;
}

void
timeline_renumber(struct timeline *t, const uint32_t *to)
{
	renumber(t, &t->born, to, true);
	renumber(t, &t->died, to, true);
	renumber(t, &t->top, to, true);
	renumber(t, &t->before, to, false);
}

/* The group of a class that is new, plus 1. */
static uint32_t
find_group(struct timeline *t, const struct ht_load_trace *trace, uint32_t cls)
{
	uint32_t row = ht_merge_row(trace->merge, cls);
	const struct ht_prof_row *of = &trace->merge->p->row[row - 1];
	struct timeline_group g = {.stack = of->stack,
	    .thread = of->thread,
	    .kind = of->kind,
	    .size = ht_hist_bucket(of->size)};

	if (!ht_select_row(&t->reading->select, of))
		return NOT_CHOSEN;
	return ht_intern_add(&t->keys, (char *)&g, sizeof g, NULL);
}

static struct known_class *
class_of(struct timeline *t, const struct ht_load_trace *trace, uint32_t cls)
{
	struct timeline_reading *r = t->reading;
	struct known_class *c;

	if (ht_unlikely(cls >= r->ncls)) {
		HT_GROW(r->cls, r->cls_cap, (size_t)cls + 1);
		memset(
		    r->cls + r->ncls, 0, (cls + 1 - r->ncls) * sizeof *r->cls);
		r->ncls = (size_t)cls + 1;
	}
	c = &r->cls[cls];
	if (ht_unlikely(c->group == 0))
		c->group = find_group(t, trace, cls);
	return c;
}

/* --- buckets ------------------------------------------------------------ */

static struct now *
touch_first(struct timeline_reading *r, uint32_t group)
{
	struct now *now;

	if (group >= r->nnow) {
		HT_GROW(r->now, r->now_cap, (size_t)group + 1);
		memset(r->now + r->nnow, 0,
		    (group + 1 - r->nnow) * sizeof *r->now);
		r->nnow = (size_t)group + 1;
	}
	now = &r->now[group];
	memset(now, 0, sizeof *now);
	now->serial = r->serial;
	now->epoch = r->epoch;
	HT_GROW(r->touched, r->touched_cap, r->ntouched + 1);
	r->touched[r->ntouched++] = group;
	return now;
}

/* Before the group changes: what it was at the maximum so far is kept. */
static struct now *
touch(struct timeline *t, uint32_t group)
{
	struct timeline_reading *r = t->reading;
	struct now *now;

	if (group >= r->nnow || r->now[group].serial != r->serial)
		return touch_first(r, group);
	now = &r->now[group];
	if (now->epoch != r->epoch) {
		now->top_blocks = now->blocks;
		now->top_bytes = now->bytes;
		now->epoch = r->epoch;
	}
	return now;
}

static uint64_t
bucket_start(const struct timeline *t, size_t bucket)
{
	return (t->first + bucket) << t->shift;
}

static void
open_bucket(struct timeline *t, uint64_t live)
{
	struct timeline_reading *r = t->reading;
	uint64_t start = bucket_start(t, t->n);

	r->open.max = live;
	r->open.max_ms = start > r->from ? start : r->from;
	r->epoch++;
	r->serial++;
}

static void
close_group(struct timeline *t, uint32_t group)
{
	const struct now *now = touch(t, group);
	struct cell cell = {.group = group};
	int temporary;

	cell.blocks = now->top_blocks;
	cell.bytes = now->top_bytes;
	cells_add(&t->top, cell);
	cell.blocks = now->born_blocks;
	cell.bytes = now->born_bytes;
	cells_add(&t->born, cell);
	cell.birth = (int16_t)t->n;
	for (temporary = 0; temporary < 2; temporary++) {
		cell.how = (uint16_t)temporary;
		cell.blocks = now->died_blocks[temporary];
		cell.bytes = now->died_bytes[temporary];
		if (cell.blocks || cell.bytes)
			cells_add(&t->died, cell);
	}
}

static void
close_bucket(struct timeline *t)
{
	struct timeline_reading *r = t->reading;
	size_t i;

	for (i = 0; i < r->ntouched; i++)
		close_group(t, r->touched[i]);
	for (i = 0; i < r->ndeath; i++)
		cells_add(&t->died, r->death[i]);
	if (r->ndeath)
		ht_map_clear(&r->deaths);
	r->ntouched = r->ndeath = 0;
	cells_end_bucket(&t->top, t->n);
	cells_end_bucket(&t->born, t->n);
	cells_end_bucket(&t->died, t->n);
	HT_GROW(t->bucket, t->bucket_cap, t->n + 1);
	t->bucket[t->n++] = r->open;
}

static bool
too_many(const struct timeline *t, uint64_t bucket)
{
	/* From an even one on, so that whole pairs are joined. */
	return bucket - (t->first & ~UINT64_C(1)) >= TIMELINE_BUCKETS ||
	       (t->born.n + t->died.n + t->top.n > TIMELINE_CELLS &&
		   t->n >= 2 * TIMELINE_BUCKETS_MIN);
}

/* The clock has left the open bucket; it goes on in another. */
static void
next_bucket(struct timeline *t, uint64_t ms, uint64_t live)
{
	close_bucket(t);
	while (too_many(t, ms >> t->shift)) {
		/* The last pair has to be whole. */
		if ((t->first + t->n) & 1) {
			if (ms >> t->shift == t->first + t->n)
				break;
			open_bucket(t, live);
			close_bucket(t);
		}
		widen(t);
	}
	for (; t->first + t->n < ms >> t->shift; close_bucket(t))
		open_bucket(t, live);
	open_bucket(t, live);
}

static void
set_clock(struct timeline *t, uint64_t ms, uint64_t live)
{
	struct timeline_reading *r = t->reading;

	r->ms = ms;
	if (ms >> t->shift != t->first + t->n)
		next_bucket(t, ms, live);
}

/* --- a trace ------------------------------------------------------------ */

static void
begin(struct timeline *t)
{
	struct timeline_reading *r = t->reading;
	size_t i;

	forget_cells(t);
	ht_intern_clear(&t->keys);
	t->shift = HT_SERIES_SHIFT;
	t->first = 0;
	r->running = false;
	r->ms = r->from = 0;
	r->ncls = r->nnow = r->ntouched = r->ndeath = 0;
	ht_map_clear(&r->deaths);
	for (i = 0; i < r->npile; i++)
		r->pile[i].n = 0;
}

static struct pile *
pile_of(struct timeline_reading *r, uint32_t cls)
{
	if (cls >= r->npile) {
		HT_GROW(r->pile, r->pile_cap, (size_t)cls + 1);
		memset(r->pile + r->npile, 0,
		    (cls + 1 - r->npile) * sizeof *r->pile);
		r->npile = (size_t)cls + 1;
	}
	return &r->pile[cls];
}

static void
pile_up(struct pile *p, int64_t bucket, uint64_t blocks)
{
	if (p->n == 0 || p->birth[p->n - 1].bucket != bucket) {
		HT_GROW(p->birth, p->cap, p->n + 1);
		p->birth[p->n].bucket = bucket;
		p->birth[p->n++].blocks = 0;
	}
	p->birth[p->n - 1].blocks += blocks;
}

/* What is live where the window opens. */
static void
add_before(struct timeline *t, const struct ht_load_trace *trace)
{
	const struct ht_tables *tables = trace->t;
	struct cell cell = {0};
	uint32_t i;

	for (i = 0; i < tables->ncls; i++) {
		const struct ht_class *c = &tables->cls[i];
		const struct known_class *known;
		uint64_t rate;

		if (c->live == 0)
			continue;
		known = class_of(t, trace, i);
		if (!tables->ours)
			pile_up(pile_of(t->reading, i), -1, c->live);
		if (known->group == NOT_CHOSEN)
			continue;
		cell.group = known->group - 1;
		rate = ht_tables_class_rate(tables, c);
		cell.blocks = ht_weight_blocks(c->live, c->size, rate);
		cell.bytes = ht_weight_bytes(c->live, c->size, rate);
		cells_add(&t->before, cell);
	}
	t->before.n = cells_settle(&t->before, 0, 0, t->before.n);
}

static uint64_t
live_now(const struct timeline *t, const struct ht_load_trace *trace)
{
	uint64_t epoch;

	return ht_query_live(t->query, trace->cost, trace->t, &epoch);
}

static void
start(struct timeline *t, const struct ht_load_trace *trace)
{
	struct timeline_reading *r = t->reading;

	r->running = true;
	if (trace->window) {
		r->from = trace->window->from;
		add_before(t, trace);
	}
	t->first = r->from >> t->shift;
	open_bucket(t, live_now(t, trace));
	set_clock(t, trace->t->ms, live_now(t, trace));
}

/* What is not an event of a block. */
static void
other_event(struct timeline *t, const struct ht_load_trace *trace,
    const struct ht_event *ev)
{
	const struct ht_window *w = trace->window;
	struct timeline_reading *r = t->reading;

	if (ev->kind == HT_EV_VERSION)
		begin(t);
	if (ev->kind == HT_EV_ATTACHED) {
		/* Totals start here, with nothing. */
		begin(t);
		r->ms = trace->t->ms;
	}
	if (w && w->state != HT_WINDOW_OPEN)
		return;
	if (!r->running)
		start(t, trace);
	else if (ev->kind == HT_EV_TIME)
		set_clock(t, ev->value, live_now(t, trace));
}

/* --- blocks ------------------------------------------------------------- */

static void
add_death(struct timeline *t, uint32_t group, int64_t birth, uint16_t how,
    uint64_t blocks, uint64_t bytes)
{
	struct timeline_reading *r = t->reading;
	uint64_t key =
	    (uint64_t)group << 32 | (uint64_t)(birth + 1) << 16 | how;
	bool fresh;
	uint64_t *at = ht_map_put(&r->deaths, key, &fresh);
	struct cell *cell;

	if (fresh) {
		HT_GROW(r->death, r->death_cap, r->ndeath + 1);
		r->death[r->ndeath] = (struct cell){
		    .group = group, .birth = (int16_t)birth, .how = how};
		*at = r->ndeath++;
	}
	cell = &r->death[*at];
	cell->blocks += blocks;
	cell->bytes += bytes;
}

/* Which bucket a block was born in. */
static int64_t
birth_bucket(const struct timeline *t, uint64_t ms)
{
	if (ms < t->reading->from)
		return TIMELINE_BEFORE;
	/* No birth is before the first bucket, then. */
	return (int64_t)((ms >> t->shift) - t->first);
}

/* The bucket in which the block of a class was born that dies now. */
static int64_t
youngest(struct timeline *t, uint32_t cls)
{
	struct pile *p = pile_of(t->reading, cls);
	int64_t bucket;

	if (p->n == 0)
		return (int64_t)t->n; /* not in a trace that is right */
	bucket = p->birth[p->n - 1].bucket;
	if (--p->birth[p->n - 1].blocks == 0)
		p->n--;
	return bucket < 0 ? bucket : bucket - (int64_t)t->first;
}

/* A free, or its undoing, of a block of this birth. */
static void
add_free(struct timeline *t, uint32_t group, struct now *now, int64_t birth,
    uint16_t how, uint64_t blocks, uint64_t bytes)
{
	if (how <= 1 && birth == (int64_t)t->n) {
		now->died_blocks[how] += blocks;
		now->died_bytes[how] += bytes;
	} else {
		add_death(t, group, birth, how, blocks, bytes);
	}
	now->blocks -= blocks;
	now->bytes -= bytes;
}

static uint16_t
how_of(const struct ht_event *ev)
{
	return (uint16_t)(2 * ht_hist_bucket(ev->age) +
			  (ev->temporary ? CELL_TEMPORARY : 0) +
			  (ev->thread ? CELL_BY_OTHER : 0));
}

static void
one_free(struct timeline *t, const struct ht_load_trace *trace,
    const struct ht_event *ev, struct known_class *c)
{
	struct timeline_reading *r = t->reading;
	const struct ht_class *cls = &trace->t->cls[ev->cls];
	uint64_t rate = ht_tables_class_rate(trace->t, cls);
	uint64_t blocks = ht_weight_blocks(1, cls->size, rate);
	uint64_t bytes = ht_weight_bytes(1, cls->size, rate);
	uint32_t group = c->group - 1;
	int64_t birth;

	if (trace->t->ours) {
		c->birth = ev->age <= r->ms ? r->ms - ev->age : 0;
		c->how = how_of(ev);
		birth = birth_bucket(t, c->birth);
	} else {
		birth = youngest(t, ev->cls);
		c->how = ev->temporary;
	}
	if (c->group != NOT_CHOSEN)
		add_free(
		    t, group, touch(t, group), birth, c->how, blocks, bytes);
}

static void
one_alloc(struct timeline *t, const struct ht_load_trace *trace,
    const struct ht_event *ev, struct known_class *c)
{
	const struct ht_class *cls = &trace->t->cls[ev->cls];
	uint64_t rate = ht_tables_class_rate(trace->t, cls);
	uint64_t blocks = ht_weight_blocks(1, cls->size, rate);
	uint64_t bytes = ht_weight_bytes(1, cls->size, rate);
	struct now *now;

	if (!trace->t->ours)
		pile_up(pile_of(t->reading, ev->cls),
		    (int64_t)(t->first + t->n), 1);
	if (c->group == NOT_CHOSEN)
		return;
	now = touch(t, c->group - 1);
	now->born_blocks += blocks;
	now->born_bytes += bytes;
	now->blocks += blocks;
	now->bytes += bytes;
}

/* A block goes or comes as parts of one do. Only our own traces have these. */
static void
one_part(struct timeline *t, const struct ht_load_trace *trace,
    const struct ht_event *ev, const struct known_class *c)
{
	const struct ht_class *cls = &trace->t->cls[ev->cls];
	uint64_t ms = t->reading->ms, n = ev->kind == HT_EV_FREE ? 1 : -1;
	uint32_t group = c->group - 1;

	if (c->group != NOT_CHOSEN)
		add_free(t, group, touch(t, group),
		    birth_bucket(t, ev->age <= ms ? ms - ev->age : 0),
		    CELL_PART, n, n * cls->size);
}

/* Nor others these. */
static void
one_unfree(struct timeline *t, const struct ht_load_trace *trace,
    const struct ht_event *ev, const struct known_class *c)
{
	const struct ht_class *cls = &trace->t->cls[ev->cls];
	uint64_t rate = ht_tables_class_rate(trace->t, cls);
	uint64_t blocks = ht_weight_blocks(1, cls->size, rate);
	uint64_t bytes = ht_weight_bytes(1, cls->size, rate);
	uint32_t group = c->group - 1;

	if (c->group != NOT_CHOSEN)
		add_free(t, group, touch(t, group), birth_bucket(t, c->birth),
		    c->how, -blocks, -bytes);
}

void
timeline_event(
    void *arg, const struct ht_load_trace *trace, const struct ht_event *ev)
{
	struct timeline *t = arg;
	struct timeline_reading *r = t->reading;
	struct known_class *c;
	uint64_t live;

	if (t->traces > 0)
		return;
	if (ht_unlikely(ev->kind > HT_EV_UNFREE)) {
		other_event(t, trace, ev);
		return;
	}
	if (trace->window && trace->window->state != HT_WINDOW_OPEN)
		return;
	c = class_of(t, trace, ev->cls);
	if (ev->kind == HT_EV_ALLOC)
		one_alloc(t, trace, ev, c);
	else if (ht_unlikely(ev->part))
		one_part(t, trace, ev, c);
	else if (ev->kind == HT_EV_FREE)
		one_free(t, trace, ev, c);
	else
		one_unfree(t, trace, ev, c);
	live = live_now(t, trace);
	if (ht_unlikely(live > r->open.max)) {
		r->open.max = live;
		r->open.max_ms = r->ms;
		r->epoch++;
	}
}

void
timeline_end(void *arg, const struct ht_load_trace *trace,
    const struct ht_class *cls, size_t ncls)
{
	struct timeline *t = arg;

	(void)cls;
	(void)ncls;
	if (t->traces++ > 0) {
		forget_cells(t);
		return;
	}
	if (t->reading->running)
		close_bucket(t);
	t->ages = trace->t->ours;
	forget_reading(t);
}
