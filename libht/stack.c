/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "libht/err.h"
#include "libht/mem.h"
#include "libht/stack.h"

void
ht_tables_clear(struct ht_tables *t)
{
	struct ht_tables old = *t;

	memset(t, 0, sizeof *t);
	ht_intern_clear(&old.text);
	ht_map_clear(&old.by_ip);
	t->text = old.text;
	ht_map_clear(&old.kinds);
	t->by_ip = old.by_ip;
	t->kinds = old.kinds;
	t->kind = old.kind;
	t->kind_cap = old.kind_cap;
	t->string = old.string;
	t->string_cap = old.string_cap;
	t->frame = old.frame;
	t->frame_cap = old.frame_cap;
	t->fn = old.fn;
	t->fn_cap = old.fn_cap;
	t->stack = old.stack;
	t->stack_cap = old.stack_cap;
	t->cls = old.cls;
	t->cls_cap = old.cls_cap;
	t->thread = old.thread;
	t->thread_cap = old.thread_cap;
	t->range = old.range;
	t->range_cap = old.range_cap;
}

void
ht_tables_release(struct ht_tables *t)
{
	ht_intern_release(&t->text);
	ht_map_release(&t->by_ip);
	ht_map_release(&t->kinds);
	free(t->kind);
	free(t->string);
	free(t->frame);
	free(t->fn);
	free(t->stack);
	free(t->cls);
	free(t->thread);
	free(t->range);
	memset(t, 0, sizeof *t);
}

uint32_t
ht_tables_kind(struct ht_tables *t, uint32_t text)
{
	bool fresh;
	uint64_t *n = ht_map_put(&t->kinds, text, &fresh);

	if (fresh) {
		HT_GROW(t->kind, t->kind_cap, t->nkind + 1);
		t->kind[t->nkind++] = text;
		*n = t->nkind;
	}
	return (uint32_t)*n;
}

uint32_t
ht_tables_class_kind(const struct ht_tables *t, const struct ht_class *c)
{
	return c->other ? t->kind[t->stack[c->stack - 1].kind - 1] : 0;
}

struct ht_class *
ht_tables_class(struct ht_tables *t)
{
	struct ht_class *c;

	if (t->ncls == t->cls_cap) {
		size_t cap = t->cls_cap ? 2 * t->cls_cap : 256;
		/* Not realloc: a class is to be one cache line. */
		struct ht_class *a = aligned_alloc(64, cap * sizeof *a);

		if (a == NULL)
			ht_die(HT_FAILED, "out of memory: %zu bytes wanted",
			    cap * sizeof *a);
		if (t->ncls > 0)
			memcpy(a, t->cls, t->ncls * sizeof *a);
		free(t->cls);
		t->cls = a;
		t->cls_cap = cap;
	}
	c = &t->cls[t->ncls++];
	memset(c, 0, sizeof *c);
	return c;
}

static void
forget_addresses(struct ht_tables *t)
{
	if (t->by_ip.count > 0)
		ht_map_clear(&t->by_ip);
}

void
ht_tables_range(struct ht_tables *t, uint64_t start, uint64_t end,
    uint64_t bias, uint32_t module)
{
	struct ht_range *r;

	if (start >= end)
		return;
	HT_GROW(t->range, t->range_cap, t->nrange + 1);
	r = &t->range[t->nrange];
	r->start = start;
	r->end = end;
	r->bias = bias;
	r->module = module;
	r->order = (uint32_t)t->nrange++;
	t->range_sorted = false;
	forget_addresses(t);
}

void
ht_tables_no_modules(struct ht_tables *t)
{
	t->nrange = 0;
	forget_addresses(t);
}

static int
by_start(const void *a, const void *b)
{
	const struct ht_range *x = a, *y = b;

	if (x->start != y->start)
		return (x->start > y->start) - (x->start < y->start);
	return (x->order > y->order) - (x->order < y->order);
}

/* The last range that starts at or below `ip`, if `ip` lies in it. */
static const struct ht_range *
find_range(struct ht_tables *t, uint64_t ip)
{
	size_t lo = 0, hi = t->nrange;

	if (!t->range_sorted) {
		if (t->nrange > 0)
			qsort(t->range, t->nrange, sizeof *t->range, by_start);
		t->range_sorted = true;
	}
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->range[mid].start <= ip)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || t->range[lo - 1].end <= ip)
		return NULL;
	return &t->range[lo - 1];
}

uint32_t
ht_tables_frame(struct ht_tables *t, uint64_t ip)
{
	const struct ht_range *r;
	struct ht_frame *f;
	uint64_t *id;
	bool fresh;

	if (ip == 0)
		return 0;
	id = ht_map_put(&t->by_ip, ip, &fresh);
	if (!fresh)
		return (uint32_t)*id;
	HT_GROW(t->frame, t->frame_cap, t->nframe + 1);
	f = &t->frame[t->nframe++];
	*id = t->nframe;
	memset(f, 0, sizeof *f);
	f->ip = ip;
	r = find_range(t, ip);
	if (r) {
		f->module = r->module;
		f->offset = ip - r->bias;
	}
	return (uint32_t)t->nframe;
}
