/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libht/evwrite.h"
#include "libht/mem.h"
#include "libht/prof.h"
#include "libht/str.h"

/* --- what is in it ---------------------------------------------------------
 */

static uint32_t
add_cut(struct ht_intern *to, const char *text, size_t len)
{
	size_t n = ht_out_cut(text, len, HT_TEXT_MAX);
	struct ht_str s = {0};
	uint32_t id;

	if (len == 0)
		return 0;
	if (n == len)
		return ht_intern_add(to, text, len, NULL);
	ht_str_add(&s, text, n);
	ht_str_addz(&s, "\xe2\x80\xa6");
	id = ht_intern_add(to, s.data, s.len, NULL);
	ht_str_release(&s);
	return id;
}

uint32_t
ht_prof_text(struct ht_prof *p, const char *text, size_t len)
{
	return add_cut(&p->text, text, len);
}

void
ht_prof_suppression(struct ht_prof *p, const char *text, size_t len)
{
	add_cut(&p->suppression, text, len);
}

void
ht_prof_mark(struct ht_prof *p, const char *text, size_t len, uint64_t ms)
{
	if (p->nmark == HT_PROF_MARKS)
		return;
	HT_GROW(p->mark, p->mark_cap, p->nmark + 1);
	p->mark[p->nmark++] =
	    (struct ht_prof_mark){ht_prof_text(p, text, len), ms};
}

/* What makes two frames one. */
struct frame_key {
	uint64_t offset;
	uint32_t module;
	uint32_t symbolised;
};

uint32_t
ht_prof_frame(
    struct ht_prof *p, struct ht_frame f, const struct ht_frame_fn *fn)
{
	struct frame_key head = {f.offset, f.module, f.symbolised};
	struct ht_str key = {0};
	uint32_t id;
	bool fresh;

	if (f.count > HT_PROF_FUNCTIONS)
		f.count = HT_PROF_FUNCTIONS;
	ht_str_add(&key, &head, sizeof head);
	if (f.count > 0)
		ht_str_add(&key, fn, f.count * sizeof *fn);
	id = ht_intern_add(&p->keys, key.data, key.len, &fresh);
	ht_str_release(&key);
	if (!fresh)
		return id;
	f.ip = 0;
	f.first = (uint32_t)p->nfn;
	HT_GROW(p->fn, p->fn_cap, p->nfn + f.count);
	if (f.count > 0)
		memcpy(p->fn + p->nfn, fn, f.count * sizeof *fn);
	p->nfn += f.count;
	HT_GROW(p->frame, p->frame_cap, id);
	p->frame[id - 1] = f;
	p->nframe = id;
	return id;
}

uint32_t
ht_prof_stack(struct ht_prof *p, uint32_t parent, uint32_t frame)
{
	uint64_t *id;
	bool fresh;

	id = ht_map_put(&p->children, (uint64_t)parent << 32 | frame, &fresh);
	if (fresh) {
		HT_GROW(p->stack, p->stack_cap, p->nstack + 1);
		p->stack[p->nstack++] =
		    (struct ht_stack){.frame = frame, .parent = parent};
		*id = p->nstack;
	}
	return (uint32_t)*id;
}

/* Where the id of a row with this key is, or is to be: *fresh. */
static uint64_t *
row_slot(struct ht_prof *p, const struct ht_prof_row *key, bool *fresh)
{
	uint64_t hash = ht_hash64(ht_hash64(key->size) + key->stack);

	hash = ht_hash64(hash + ((uint64_t)key->thread << 32 | key->kind));
	hash += key->sampled;
	for (;; hash++) {
		uint64_t *id = ht_map_put(&p->rows, hash, fresh);
		const struct ht_prof_row *row;

		if (*fresh)
			return id;
		row = &p->row[*id - 1];
		if (row->stack == key->stack && row->size == key->size &&
		    row->thread == key->thread && row->kind == key->kind &&
		    row->sampled == key->sampled)
			return id;
	}
}

uint32_t
ht_prof_row(struct ht_prof *p, uint32_t stack, uint64_t size, uint32_t thread,
    uint32_t kind, uint64_t sampled)
{
	struct ht_prof_row row = {.stack = stack,
	    .thread = thread,
	    .kind = kind,
	    .size = size,
	    .sampled = sampled};
	bool fresh;
	uint64_t *id = row_slot(p, &row, &fresh);

	if (fresh) {
		HT_GROW(p->row, p->row_cap, p->nrow + 1);
		p->row[p->nrow++] = row;
		*id = p->nrow;
	}
	return (uint32_t)*id;
}

void
ht_prof_keep(struct ht_prof *p,
    bool (*keep)(void *arg, const struct ht_prof_row *row), void *arg)
{
	size_t i, n = 0;
	bool fresh;

	ht_map_clear(&p->rows);
	for (i = 0; i < p->nrow; i++) {
		struct ht_prof_row *row = &p->row[i];

		if (!keep(arg, row)) {
			ht_hist_release(&row->life);
			continue;
		}
		*row_slot(p, row, &fresh) = n + 1;
		p->row[n++] = *row;
	}
	p->nrow = n;
	ht_prof_sum(p);
}

void
ht_row_add(struct ht_prof_row *to, const struct ht_prof_row *more)
{
	ht_plus(&to->allocs, more->allocs);
	ht_plus(&to->temporary, more->temporary);
	ht_plus(&to->leaked, more->leaked);
	ht_plus(&to->peak, more->peak);
	ht_plus(&to->others, more->others);
	ht_plus(&to->rounding, more->rounding);
	ht_plus(&to->rounding_leaked, more->rounding_leaked);
	ht_hist_merge(&to->life, &more->life);
}

/* What the ages of its blocks add up to. */
static uint64_t
sum_of_ages(const struct ht_hist *h)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = h->first; i < (unsigned)h->first + h->n; i++)
		ht_plus(&sum, ht_times(ht_hist_get(h, i), ht_hist_start(i)));
	return sum;
}

static ht_wide
variance_of(uint64_t blocks, ht_wide one)
{
	ht_wide v;

	return __builtin_mul_overflow(one, blocks, &v) ? ~(ht_wide)0 : v;
}

static struct ht_sum
estimate(const struct ht_prof_row *row, uint64_t age)
{
	struct ht_weight w = ht_weight(row->size, row->sampled);
	struct ht_sum s = {.estimate = true,
	    .bytes = ht_times(row->allocs, w.bytes),
	    .leaked = ht_times(row->leaked, w.bytes),
	    .peak = ht_times(row->peak, w.bytes),
	    .held = ht_times(age, w.bytes),
	    .variance = {
		.allocs = variance_of(row->allocs, w.blocks_var),
		.bytes = variance_of(row->allocs, w.bytes_var),
		.temporary = variance_of(row->temporary, w.blocks_var),
		.leaked = variance_of(row->leaked, w.bytes_var),
		.leaked_blocks = variance_of(row->leaked, w.blocks_var),
		.peak = variance_of(row->peak, w.bytes_var),
		.peak_blocks = variance_of(row->peak, w.blocks_var),
	    }};

	s.allocs = ht_weight_times(row->allocs, &w, &s.rest.allocs);
	s.temporary = ht_weight_times(row->temporary, &w, &s.rest.temporary);
	s.leaked_blocks =
	    ht_weight_times(row->leaked, &w, &s.rest.leaked_blocks);
	s.peak_blocks = ht_weight_times(row->peak, &w, &s.rest.peak_blocks);
	s.others = ht_weight_times(row->others, &w, &s.rest.others);
	s.age = ht_weight_times(age, &w, &s.rest.age);
	s.rounding = ht_weight_times(row->rounding, &w, &s.rest.rounding);
	s.rounding_leaked =
	    ht_weight_times(row->rounding_leaked, &w, &s.rest.rounding_leaked);
	ht_sum_settle(&s);
	return s;
}

struct ht_sum
ht_row_sum(const struct ht_prof_row *row)
{
	uint64_t age = row->life.n ? sum_of_ages(&row->life) : 0;

	if (row->sampled)
		return estimate(row, age);

	return (struct ht_sum){
	    .allocs = row->allocs,
	    .bytes = ht_times(row->allocs, row->size),
	    .temporary = row->temporary,
	    .leaked = ht_times(row->leaked, row->size),
	    .leaked_blocks = row->leaked,
	    .peak = ht_times(row->peak, row->size),
	    .peak_blocks = row->peak,
	    .others = row->others,
	    .age = age,
	    .held = ht_times(age, row->size),
	    .rounding = row->rounding,
	    .rounding_leaked = row->rounding_leaked,
	};
}

void
ht_prof_sum(struct ht_prof *p)
{
	size_t i;

	p->sum = (struct ht_sum){0};
	for (i = 0; i < p->nrow; i++) {
		struct ht_sum sum = ht_row_sum(&p->row[i]);

		ht_sum_add(&p->sum, &sum);
	}
}

void
ht_prof_kind(struct ht_prof *p, uint32_t name, uint64_t peak, uint64_t peak_ms)
{
	bool fresh;
	uint64_t *n = ht_map_put(&p->kinds, name, &fresh);
	struct ht_prof_kind *k;

	if (fresh) {
		HT_GROW(p->kind, p->kind_cap, p->nkind + 1);
		p->kind[p->nkind++] =
		    (struct ht_prof_kind){name, peak, peak_ms};
		*n = p->nkind;
		return;
	}
	k = &p->kind[*n - 1];
	if (peak > k->largest_peak ||
	    (peak == k->largest_peak && peak_ms < k->peak_ms)) {
		k->largest_peak = peak;
		k->peak_ms = peak_ms;
	}
}

bool
ht_prof_peak(const struct ht_prof *p, struct ht_prof_kind *peak)
{
	uint32_t kind = p->nrow ? p->row[0].kind : 0;
	size_t i;

	*peak = (struct ht_prof_kind){0, p->largest_peak, p->peak_ms};
	for (i = 1; i < p->nrow; i++)
		if (p->row[i].kind != kind)
			return false;
	if (kind)
		*peak = p->kind[*ht_map_get(&p->kinds, kind) - 1];
	return true;
}

void
ht_prof_totals(const struct ht_prof *p, struct ht_total total[HT_TOTALS])
{
	struct ht_prof_kind peak;
	bool one = ht_prof_peak(p, &peak);
	uint64_t rest;
	struct ht_explained e = ht_explained_parts(&p->explained, &rest);
	const struct ht_total field[HT_TOTALS] = {
	    {"runtime_ms", p->runtime_ms},
	    {"allocations", p->sum.allocs},
	    {"temporary", p->sum.temporary},
	    {"leaked", p->sum.leaked},
	    {"leaked_blocks", p->sum.leaked_blocks},
	    {"total_bytes", p->sum.bytes},
	    {"peak", p->sum.peak},
	    {"peak_ms", one ? peak.peak_ms : 0},
	    {"peak_rss", p->peak_rss},
	    {"lost", p->lost},
	    {"freed_by_others", p->sum.others},
	    {"rounding", p->sum.rounding},
	    {"rounding_leaked", p->sum.rounding_leaked},
	    {"rss_explained", e.rss},
	    {"rss_heap", e.heap},
	    {"rss_maps", e.maps},
	    {"rss_rest", rest},
	};

	memcpy(total, field, sizeof field);
}

const char *
ht_kind_name(const struct ht_prof *p, uint32_t kind)
{
	return kind ? ht_intern_get(&p->text, kind) : HT_KIND_HEAP;
}

void
ht_prof_origin(struct ht_prof *p, const struct ht_prof_origin *o)
{
	const uint64_t key[] = {o->command, o->tool, o->end, o->end_value};
	uint32_t id;
	bool fresh;

	id = ht_intern_add(&p->origins, (const char *)key, sizeof key, &fresh);
	if (!fresh) {
		ht_plus(&p->origin[id - 1].traces, o->traces);
		return;
	}
	HT_GROW(p->origin, p->origin_cap, id);
	p->origin[id - 1] = *o;
	p->norigin = id;
}

void
ht_prof_release(struct ht_prof *p)
{
	size_t i;

	for (i = 0; i < p->nrow; i++)
		ht_hist_release(&p->row[i].life);
	ht_intern_release(&p->text);
	ht_intern_release(&p->keys);
	ht_intern_release(&p->suppression);
	ht_intern_release(&p->origins);
	ht_map_release(&p->children);
	ht_map_release(&p->rows);
	ht_map_release(&p->kinds);
	free(p->kind);
	ht_series_release(&p->series);
	free(p->frame);
	free(p->fn);
	free(p->stack);
	free(p->row);
	free(p->origin);
	free(p->mark);
	memset(p, 0, sizeof *p);
}

/* --- numbers of the whole --------------------------------------------------
 */

static void
raise_to(uint64_t *to, uint64_t v)
{
	*to = v > *to ? v : *to;
}

static void
add_peak(struct ht_prof *p, uint64_t peak, uint64_t ms)
{
	if (p->traces == 0 || peak > p->largest_peak ||
	    (peak == p->largest_peak && ms < p->peak_ms)) {
		p->largest_peak = peak;
		p->peak_ms = ms;
	}
}

static void
add_start(struct ht_prof *p, uint64_t first, uint64_t last)
{
	if (first && (p->first_start == 0 || first < p->first_start))
		p->first_start = first;
	raise_to(&p->last_start, last);
}

static void
add_suppressions(struct ht_prof *p, const struct ht_intern *from)
{
	uint32_t i;

	for (i = 1; i <= from->count; i++)
		ht_prof_suppression(
		    p, ht_intern_get(from, i), ht_intern_len(from, i));
}

/* --- a trace ----------------------------------------------------------------
 */

void
ht_merge_begin(struct ht_merge *m, struct ht_prof *p, struct ht_tables *t)
{
	m->p = p;
	m->t = t;
	if (m->text_cap)
		memset(m->text, 0, m->text_cap * sizeof *m->text);
	if (m->frame_cap)
		memset(m->frame, 0, m->frame_cap * sizeof *m->frame);
	if (m->stack_cap)
		memset(m->stack, 0, m->stack_cap * sizeof *m->stack);
	if (m->row_cap)
		memset(m->row, 0, m->row_cap * sizeof *m->row);
}

void
ht_merge_release(struct ht_merge *m)
{
	free(m->text);
	free(m->frame);
	free(m->stack);
	free(m->row);
	memset(m, 0, sizeof *m);
}

static uint32_t
map_text(struct ht_merge *m, uint32_t id)
{
	const struct ht_intern *from = &m->t->text;

	if (id == 0)
		return 0;
	HT_GROW(m->text, m->text_cap, from->count + 1);
	if (m->text[id] == 0)
		m->text[id] = ht_prof_text(
		    m->p, ht_intern_get(from, id), ht_intern_len(from, id));
	return m->text[id];
}

/* Where the address is not all that is known, it is no part of it. */
static uint32_t
map_frame(struct ht_merge *m, uint32_t id)
{
	const struct ht_tables *t = m->t;
	const struct ht_frame *from;
	struct ht_frame f = {0};
	struct ht_frame_fn *fn;
	uint32_t i;

	if (id == 0)
		return 0;
	HT_GROW(m->frame, m->frame_cap, t->nframe + 1);
	if (m->frame[id])
		return m->frame[id];
	from = &t->frame[id - 1];
	f.symbolised = from->symbolised;
	f.module = map_text(m, from->module);
	f.count = from->count;
	if (f.module == 0 && f.count == 0)
		f.offset = from->ip;
	else if (!f.symbolised)
		f.offset = from->offset;
	fn = ht_malloc((f.count + 1) * sizeof *fn);
	for (i = 0; i < f.count; i++) {
		fn[i] = t->fn[from->first + i];
		fn[i].function = map_text(m, fn[i].function);
		fn[i].file = map_text(m, fn[i].file);
		/* A line of no file says nothing. */
		fn[i].line = fn[i].file ? fn[i].line : 0;
	}
	m->frame[id] = ht_prof_frame(m->p, f, fn);
	free(fn);
	return m->frame[id];
}

/* Its callers that are not known yet come first, from the root on. */
static uint32_t
map_stack(struct ht_merge *m, uint32_t id)
{
	const struct ht_stack *s = m->t->stack;
	uint32_t top = 0, below, parent;

	HT_GROW(m->stack, m->stack_cap, m->t->nstack + 1);
	/* The way back is kept where the answers will be. */
	while (id && !m->stack[id]) {
		m->stack[id] = top;
		top = id;
		id = s[id - 1].parent;
	}
	parent = id ? m->stack[id] : 0;
	for (; top; top = below) {
		below = m->stack[top];
		parent =
		    ht_prof_stack(m->p, parent, map_frame(m, s[top - 1].frame));
		m->p->stack[parent - 1].cut |= s[top - 1].cut;
		m->stack[top] = parent;
	}
	return parent;
}

static uint32_t
map_thread(struct ht_merge *m, uint32_t thread)
{
	const struct ht_tables *t = m->t;
	char name[32];
	uint32_t id = 0;

	if (!t->ours)
		return 0;
	if (thread > 1)
		id = map_text(m, t->thread[thread - 1].name);
	if (id)
		return id;
	snprintf(name, sizeof name, thread == 1 ? "main" : "thread %u", thread);
	return ht_prof_text(m->p, name, strlen(name));
}

uint32_t
ht_merge_row(struct ht_merge *m, uint32_t cls)
{
	const struct ht_class *c = &m->t->cls[cls];
	uint32_t stack, kind;

	HT_GROW(m->row, m->row_cap, m->t->ncls);
	if (m->row[cls])
		return m->row[cls];
	stack = map_stack(m, c->stack);
	kind = map_text(m, ht_tables_class_kind(m->t, c));
	m->row[cls] = ht_prof_row(m->p, stack, c->size,
	    map_thread(m, c->thread), kind, ht_tables_class_rate(m->t, c));
	return m->row[cls];
}

/* The ages of a class's blocks: those that a free does not tell are 0. */
static void
merge_life(struct ht_merge *m, struct ht_prof_row *row, const struct ht_cost *k,
    uint32_t cls, const struct ht_class *c)
{
	uint64_t frees = ht_class_frees(c), aged = 0;

	if (cls < k->nlife) {
		ht_plus(&row->others, k->life[cls].others);
		ht_hist_merge(&row->life, &k->life[cls].age);
		aged = ht_hist_total(&k->life[cls].age);
	}
	if (m->t->ours && frees > aged)
		ht_hist_add(&row->life, 0, frees - aged);
}

/* A class is of a kind that is not the heap: the kind's peak, too. */
static void
merge_kind(
    struct ht_merge *m, const struct ht_cost *k, const struct ht_class *c)
{
	uint32_t name = ht_tables_class_kind(m->t, c);
	const struct ht_cost_kind *kind = ht_cost_kind(k, m->t, name);

	if (kind)
		ht_prof_kind(
		    m->p, map_text(m, name), kind->peak, kind->peak_ms);
}

static void
merge_header(struct ht_merge *m, const struct ht_cost *k)
{
	struct ht_prof *p = m->p;
	const struct ht_tables *t = m->t;
	struct ht_prof_origin o = {.end = t->end,
	    .end_value = t->end_value,
	    .traces = 1,
	    .command = map_text(m, t->command ? t->command : t->exe),
	    .tool = map_text(m, t->tool)};

	add_peak(p, k->peak, k->peak_ms);
	add_start(p, t->start, t->start);
	ht_prof_origin(p, &o);
	ht_series_merge(&p->series, &k->series);
	p->traces++;
	p->truncated += t->end == HT_END_TRUNCATED;
	p->attached += t->attached;
	p->sampled += t->sampled != 0;
	ht_plus(&p->runtime_ms, t->ms);
	raise_to(&p->longest_ms, t->ms);
	raise_to(&p->peak_rss, ht_times(t->peak_rss, t->page_size));
	raise_to(&p->own_rss, ht_times(t->own_rss, t->page_size));
	ht_explain(&p->explained, &k->explained);
	ht_plus(&p->lost, t->lost);
	ht_plus(&p->unseen, t->unseen);
	ht_plus(&p->missed, t->missed);
	p->overflow |= k->overflow;
}

void
ht_merge_end(struct ht_merge *m, const struct ht_cost *k,
    const struct ht_class *cls, size_t ncls)
{
	struct ht_prof *p = m->p;
	uint32_t i;

	for (i = 0; i < ncls; i++) {
		const struct ht_class *c = &cls[i];
		struct ht_prof_row more = {.size = c->size,
		    .sampled = ht_tables_class_rate(m->t, c),
		    .allocs = c->allocs,
		    .temporary = c->temporary,
		    .leaked = c->live,
		    .peak = c->peak};
		struct ht_sum sum;
		uint32_t id;

		if (c->allocs == 0 && c->peak == 0 && c->live == 0 &&
		    ht_class_frees(c) == 0)
			continue;
		merge_life(m, &more, k, i, c);
		if (c->usable > c->size) {
			more.rounding = ht_times(c->peak, c->usable - c->size);
			more.rounding_leaked =
			    ht_times(c->live, c->usable - c->size);
		}
		if (c->other)
			merge_kind(m, k, c);
		id = ht_merge_row(m, i);
		ht_row_add(&p->row[id - 1], &more);
		sum = ht_row_sum(&more);
		ht_sum_add(&p->sum, &sum);
		ht_hist_release(&more.life);
	}
	for (i = 1; i < m->stack_cap && i <= m->t->nstack; i++)
		if (m->stack[i])
			p->stack[m->stack[i] - 1].cut |= m->t->stack[i - 1].cut;
	merge_header(m, k);
}

/* --- a profile --------------------------------------------------------------
 */

/* The texts, or the frames, or the stacks of `more`, as ids of `p`. */
static uint32_t *
add_texts(struct ht_prof *p, const struct ht_intern *from)
{
	uint32_t *to = ht_calloc(from->count + 1, sizeof *to);
	uint32_t i;

	for (i = 1; i <= from->count; i++)
		to[i] = ht_intern_add(&p->text, ht_intern_get(from, i),
		    ht_intern_len(from, i), NULL);
	return to;
}

static uint32_t *
add_frames(struct ht_prof *p, const struct ht_prof *more, const uint32_t *text)
{
	uint32_t *to = ht_calloc(more->nframe + 1, sizeof *to);
	struct ht_frame_fn *fn = NULL;
	size_t i, cap = 0;
	uint32_t k;

	for (i = 0; i < more->nframe; i++) {
		struct ht_frame f = more->frame[i];

		HT_GROW(fn, cap, f.count);
		for (k = 0; k < f.count; k++) {
			fn[k] = more->fn[f.first + k];
			fn[k].function = text[fn[k].function];
			fn[k].file = text[fn[k].file];
		}
		f.module = text[f.module];
		to[i + 1] = ht_prof_frame(p, f, fn);
	}
	free(fn);
	return to;
}

static uint32_t *
add_stacks(struct ht_prof *p, const struct ht_prof *more, const uint32_t *frame)
{
	uint32_t *to = ht_calloc(more->nstack + 1, sizeof *to);
	size_t i;

	for (i = 0; i < more->nstack; i++) {
		const struct ht_stack *s = &more->stack[i];

		to[i + 1] = ht_prof_stack(p, to[s->parent], frame[s->frame]);
		p->stack[to[i + 1] - 1].cut |= s->cut;
	}
	return to;
}

uint32_t *
ht_prof_rows(struct ht_prof *p, const struct ht_prof *more)
{
	uint32_t *row = ht_calloc(more->nrow + 1, sizeof *row);
	uint32_t *text = add_texts(p, &more->text);
	uint32_t *frame = add_frames(p, more, text);
	uint32_t *stack = add_stacks(p, more, frame);
	size_t i;

	for (i = 0; i < more->nrow; i++) {
		const struct ht_prof_row *r = &more->row[i];

		row[i] = ht_prof_row(p, stack[r->stack], r->size,
		    text[r->thread], text[r->kind], r->sampled);
	}
	free(text);
	free(frame);
	free(stack);
	return row;
}

static uint32_t
add_text(struct ht_prof *p, const struct ht_prof *more, uint32_t id)
{
	return id ? ht_intern_add(&p->text, ht_intern_get(&more->text, id),
			ht_intern_len(&more->text, id), NULL)
		  : 0;
}

static void
add_header(struct ht_prof *p, const struct ht_prof *more)
{
	size_t i;

	for (i = 0; i < more->norigin; i++) {
		struct ht_prof_origin o = more->origin[i];

		o.command = add_text(p, more, o.command);
		o.tool = add_text(p, more, o.tool);
		ht_prof_origin(p, &o);
	}
	if (more->traces > 0)
		add_peak(p, more->largest_peak, more->peak_ms);
	for (i = 0; i < more->nkind; i++)
		ht_prof_kind(p, add_text(p, more, more->kind[i].name),
		    more->kind[i].largest_peak, more->kind[i].peak_ms);
	add_start(p, more->first_start, more->last_start);
	add_suppressions(p, &more->suppression);
	ht_series_merge(&p->series, &more->series);
	ht_plus(&p->traces, more->traces);
	ht_plus(&p->truncated, more->truncated);
	ht_plus(&p->attached, more->attached);
	ht_plus(&p->sampled, more->sampled);
	ht_plus(&p->runtime_ms, more->runtime_ms);
	raise_to(&p->longest_ms, more->longest_ms);
	raise_to(&p->peak_rss, more->peak_rss);
	raise_to(&p->own_rss, more->own_rss);
	ht_explain(&p->explained, &more->explained);
	ht_plus(&p->lost, more->lost);
	ht_plus(&p->unseen, more->unseen);
	ht_plus(&p->missed, more->missed);
	p->overflow |= more->overflow;
}

void
ht_prof_add(struct ht_prof *p, const struct ht_prof *more)
{
	uint32_t *row = ht_prof_rows(p, more);
	size_t i;

	for (i = 0; i < more->nrow; i++)
		ht_row_add(&p->row[row[i] - 1], &more->row[i]);
	free(row);
	ht_sum_add(&p->sum, &more->sum);
	add_header(p, more);
}
