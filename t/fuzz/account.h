/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The costs of a trace, counted again and simply: at each new peak all classes
 * are copied. Sums that do not fit in 64 bits end the comparison. */
#ifndef HT_FUZZ_ACCOUNT_H
#define HT_FUZZ_ACCOUNT_H

#include "t/fuzz/fuzz.h"

struct account_class {
	uint64_t size, live, allocs, temporary, peak;
	uint32_t kind;
};

struct account_kind {
	unsigned __int128 now, peak;
};

struct account {
	struct account_class *cls;
	size_t ncls, cap;
	struct account_kind *kind; /* [0]: the heap */
	size_t nkind;
};

static inline void
account_new(struct account *a)
{
	free(a->cls);
	free(a->kind);
	memset(a, 0, sizeof *a);
}

static inline void
account_alloc(struct account *a, struct account_class *c)
{
	struct account_kind *k = &a->kind[c->kind];
	size_t i;

	c->live++;
	k->now += c->size;
	if (k->now <= k->peak)
		return;
	k->peak = k->now;
	for (i = 0; i < a->ncls; i++)
		if (a->cls[i].kind == c->kind)
			a->cls[i].peak = a->cls[i].live;
}

/* One event, and whether it may be there. */
static inline void
account_event(
    struct account *a, const struct ht_tables *t, const struct ht_event *ev)
{
	struct account_class *c;
	uint32_t stack;
	size_t i;

	if (ev->kind == HT_EV_ATTACHED) {
		for (i = 0; i < a->ncls; i++)
			a->cls[i].live = a->cls[i].allocs =
			    a->cls[i].temporary = a->cls[i].peak = 0;
		for (i = 0; i < a->nkind; i++)
			a->kind[i].now = a->kind[i].peak = 0;
	}
	if (ev->kind > HT_EV_UNFREE)
		return;
	check(ev->cls < t->ncls);
	HT_GROW(a->cls, a->cap, t->ncls);
	a->ncls = t->ncls;
	c = &a->cls[ev->cls];
	c->size = t->cls[ev->cls].size;
	stack = t->cls[ev->cls].stack;
	c->kind = stack ? t->stack[stack - 1].kind : 0;
	HT_GROW(a->kind, a->nkind, t->nkind + 1);
	switch (ev->kind) {
	case HT_EV_ALLOC:
		c->allocs++;
		account_alloc(a, c);
		break;
	case HT_EV_UNFREE:
		c->temporary -= ev->temporary;
		account_alloc(a, c);
		break;
	default:
		check(c->live > 0);
		check(ev->thread == 0 || t->thread[ev->thread - 1].tid);
		c->live--;
		c->temporary += ev->temporary;
		a->kind[c->kind].now -= c->size;
	}
}

/* At the end of a trace: the reader's and the costs' numbers are these. */
static inline void
account_check(
    const struct account *a, const struct ht_tables *t, const struct ht_cost *k)
{
	bool over = false;
	size_t i;

	for (i = 0; i < a->nkind; i++)
		over |= a->kind[i].peak > UINT64_MAX;
	check(k->overflow == over);
	if (over)
		return;
	if (a->nkind)
		check(k->now == a->kind[0].now && k->peak == a->kind[0].peak);
	for (i = 1; i < a->nkind && i <= k->nkind; i++)
		check(k->kind[i - 1].now == a->kind[i].now &&
		      k->kind[i - 1].peak == a->kind[i].peak);
	for (i = 0; i < a->ncls; i++) {
		check(t->cls[i].live == a->cls[i].live);
		check(t->cls[i].allocs == a->cls[i].allocs);
		check(t->cls[i].temporary == a->cls[i].temporary);
		check(t->cls[i].peak == a->cls[i].peak);
	}
}

/* Ids in the tables can be followed. */
static inline void
account_tables(const struct ht_tables *t)
{
	size_t i;
	uint32_t k;

	for (i = 0; i < t->ncls; i++)
		check(t->cls[i].stack <= t->nstack &&
		      t->cls[i].thread <= t->nthread && t->cls[i].thread > 0);
	for (i = 0; i < t->nstack; i++)
		check(t->stack[i].parent <= i &&
		      t->stack[i].frame <= t->nframe &&
		      t->stack[i].kind <= t->nkind);
	for (i = 0; i < t->nframe; i++) {
		const struct ht_frame *f = &t->frame[i];

		check(f->module <= t->text.count &&
		      f->first + f->count <= t->nfn);
		for (k = f->first; k < f->first + f->count; k++)
			check(t->fn[k].function <= t->text.count &&
			      t->fn[k].file <= t->text.count);
	}
}

static inline uint64_t
fuzz_text(const char *text, size_t len)
{
	uint64_t sum = len;

	while (len > 0)
		sum = sum * 31 + (unsigned char)text[--len];
	return sum;
}

/* A number that depends on what the event, or the message, says. */
static inline uint64_t
fuzz_event(struct ht_evread *r, int rc, const struct ht_event *ev)
{
	const char *error = ht_evread_error(r);

	if (rc < 0) {
		check(*error);
		return fuzz_text(error, strlen(error));
	}
	if (ev->kind > HT_EV_UNFREE)
		return ev->kind + ev->id * 7 + ev->value * 11 +
		       (ev->text ? fuzz_text(ev->text, ev->len) : 0);
	return ev->kind + ev->cls * 7 + ev->address * 11 +
	       (ev->kind == HT_EV_FREE
		       ? ev->age * 3 + ev->thread * 5 + ev->temporary
		       : 0);
}

/* Reads all of the input with all that a report does, and looks at it. Returns
 * a number that depends on every event and message. */
static inline uint64_t
account_input(struct ht_in *in, size_t size)
{
	struct ht_evread *r = ht_evread_new(in);
	struct ht_merge merge = {0};
	struct ht_prof p = {0};
	struct ht_cost cost = {0};
	struct account a = {0};
	struct ht_event ev;
	uint64_t sum = 0, calls = 0, errors = 0;
	bool open = false;
	int rc;

	while ((rc = ht_evread_next(r, &ev)) != 0) {
		check(++calls <= 3 * size + 100);
		sum = ht_hash64(sum ^ fuzz_event(r, rc, &ev));
		if (rc < 0) {
			errors++;
			continue;
		}
		if (ev.kind == HT_EV_VERSION) {
			check(!open);
			open = true;
			account_new(&a);
			ht_cost_clear(&cost);
			ht_merge_begin(&merge, &p, &r->t);
		}
		check(open || ev.kind == HT_EV_COMMENT);
		account_event(&a, &r->t, &ev);
		ht_cost_event(&cost, &r->t, &ev);
		if (ev.kind != HT_EV_END)
			continue;
		open = false;
		ht_cost_finish(&cost, &r->t);
		account_check(&a, &r->t, &cost);
		account_tables(&r->t);
		ht_merge_end(&merge, &cost, r->t.cls, r->t.ncls);
	}
	check(!open);
	check(ht_evread_close(r) == (errors ? -1 : 0));
	fuzz_round(&p);
	account_new(&a);
	ht_cost_clear(&cost);
	ht_merge_release(&merge);
	ht_prof_release(&p);
	return sum;
}

#endif
