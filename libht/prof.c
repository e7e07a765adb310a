/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "libht/mem.h"
#include "libht/prof.h"
#include "libht/str.h"

/* One trace on its way into the profile: its ids to the profile's. */
struct merge {
	struct ht_prof *p;
	const struct ht_tables *t;
	uint32_t *text, *frame, *stack;
	struct ht_str key;
};

static uint32_t
map_text(struct merge *m, uint32_t id)
{
	if (id == 0)
		return 0;
	if (m->text[id] == 0)
		m->text[id] =
		    ht_intern_add(&m->p->text, ht_intern_get(&m->t->text, id),
			ht_intern_len(&m->t->text, id), NULL);
	return m->text[id];
}

/* The frame with its texts mapped, and its key. Where the address is not all
 * that is known, it is no part of it. */
static struct ht_frame
make_key(struct merge *m, const struct ht_frame *from)
{
	struct ht_frame f = {.symbolised = from->symbolised};
	uint32_t i;

	f.module = map_text(m, from->module);
	if (f.module == 0 && from->count == 0)
		f.offset = from->ip;
	else if (!f.symbolised)
		f.offset = from->offset;
	f.count = from->count;
	ht_str_clear(&m->key);
	ht_str_add(&m->key, &f.module, sizeof f.module);
	ht_str_add(&m->key, &f.offset, sizeof f.offset);
	for (i = 0; i < from->count; i++) {
		struct ht_frame_fn fn = m->t->fn[from->first + i];

		fn.function = map_text(m, fn.function);
		fn.file = map_text(m, fn.file);
		ht_str_add(&m->key, &fn, sizeof fn);
	}
	return f;
}

static uint32_t
map_frame(struct merge *m, uint32_t id)
{
	struct ht_prof *p = m->p;
	struct ht_frame f;
	size_t head = sizeof f.module + sizeof f.offset;
	uint32_t to;
	bool fresh;

	if (id == 0)
		return 0;
	if (m->frame[id])
		return m->frame[id];
	f = make_key(m, &m->t->frame[id - 1]);
	to = ht_intern_add(&p->keys, m->key.data, m->key.len, &fresh);
	if (fresh) {
		HT_GROW(p->fn, p->fn_cap, p->nfn + f.count);
		f.first = (uint32_t)p->nfn;
		if (f.count > 0)
			memcpy(p->fn + p->nfn, m->key.data + head,
			    m->key.len - head);
		p->nfn += f.count;
		HT_GROW(p->frame, p->frame_cap, to);
		p->frame[to - 1] = f;
		p->nframe = to;
	}
	m->frame[id] = to;
	return to;
}

static void
map_stack(struct merge *m, uint32_t id)
{
	struct ht_prof *p = m->p;
	const struct ht_stack *from = &m->t->stack[id - 1];
	uint32_t frame = map_frame(m, from->frame);
	uint32_t parent = from->parent ? m->stack[from->parent] : 0;
	struct ht_prof_stack *s;
	uint64_t *to;
	bool fresh;

	to = ht_map_put(&p->children, (uint64_t)parent << 32 | frame, &fresh);
	if (fresh) {
		HT_GROW(p->stack, p->stack_cap, p->nstack + 1);
		s = &p->stack[p->nstack++];
		memset(s, 0, sizeof *s);
		s->frame = frame;
		s->parent = parent;
		*to = p->nstack;
	}
	p->stack[*to - 1].cut |= from->cut;
	m->stack[id] = (uint32_t)*to;
}

/* The stacks that classes name, and all their parents, in order. */
static void
map_stacks(struct merge *m)
{
	const struct ht_tables *t = m->t;
	uint8_t *used = ht_calloc(t->nstack + 1, 1);
	size_t i;

	for (i = 0; i < t->ncls; i++)
		if (t->cls[i].allocs > 0)
			used[t->cls[i].stack] = 1;
	for (i = t->nstack; i > 0; i--)
		if (used[i])
			used[t->stack[i - 1].parent] = 1;
	for (i = 1; i <= t->nstack; i++)
		if (used[i])
			map_stack(m, (uint32_t)i);
	free(used);
}

static struct ht_sum *
sum_of(struct ht_prof *p, uint32_t stack)
{
	uint32_t cost = stack ? p->stack[stack - 1].cost : p->unknown;

	if (cost == 0) {
		HT_GROW(p->cost, p->cost_cap, p->ncost + 1);
		memset(&p->cost[p->ncost], 0, sizeof *p->cost);
		p->cost[p->ncost++].stack = stack;
		cost = (uint32_t)p->ncost;
		if (stack)
			p->stack[stack - 1].cost = cost & 0x7fffffff;
		else
			p->unknown = cost;
	}
	return &p->cost[cost - 1].sum;
}

static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void
merge_header(struct merge *m, const struct ht_cost *k)
{
	struct ht_prof *p = m->p;
	const struct ht_tables *t = m->t;
	uint64_t rss, own;

	if (p->traces == 0 || k->peak > p->largest_peak) {
		p->largest_peak = k->peak;
		p->peak_ms = k->peak_ms;
	}
	p->traces++;
	p->truncated += t->end == HT_END_TRUNCATED;
	p->runtime_ms += t->ms;
	if (__builtin_mul_overflow(t->peak_rss, t->page_size, &rss))
		rss = UINT64_MAX;
	if (__builtin_mul_overflow(t->own_rss, t->page_size, &own))
		own = UINT64_MAX;
	p->peak_rss = larger(p->peak_rss, rss);
	p->own_rss = larger(p->own_rss, own);
	p->lost += t->lost;
	p->unseen += t->unseen;
	p->missed += t->missed;
	p->attached |= t->attached;
	p->sampled |= t->sampled != 0;
	p->overflow |= k->overflow;
	p->command = map_text(m, t->command ? t->command : t->exe);
	p->end = t->end;
	p->end_value = t->end_value;
}

void
ht_prof_merge(struct ht_prof *p, struct ht_tables *t, struct ht_cost *k)
{
	struct merge m = {.p = p, .t = t};
	size_t i;

	m.text = ht_calloc(t->text.count + 1, sizeof *m.text);
	m.frame = ht_calloc(t->nframe + 1, sizeof *m.frame);
	m.stack = ht_calloc(t->nstack + 1, sizeof *m.stack);
	ht_cost_finish(k, t);
	map_stacks(&m);
	for (i = 0; i < t->ncls; i++) {
		if (t->cls[i].allocs == 0)
			continue;
		ht_sum_class(sum_of(p, m.stack[t->cls[i].stack]), &t->cls[i]);
		ht_sum_class(&p->sum, &t->cls[i]);
	}
	merge_header(&m, k);
	free(m.text);
	free(m.frame);
	free(m.stack);
	ht_str_release(&m.key);
}

void
ht_prof_release(struct ht_prof *p)
{
	ht_intern_release(&p->text);
	ht_intern_release(&p->keys);
	ht_map_release(&p->children);
	free(p->frame);
	free(p->fn);
	free(p->stack);
	free(p->cost);
	memset(p, 0, sizeof *p);
}
