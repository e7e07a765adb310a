/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "libht/cost.h"
#include "libht/mem.h"

void
ht_plus_rest(uint64_t *to, uint32_t *rest, uint64_t whole, uint32_t more)
{
	*rest += more;
	ht_plus(to, whole);
	ht_plus(to, *rest < more);
}

static void
minus_rest(uint64_t *to, uint32_t *rest, uint64_t whole, uint32_t less)
{
	*to -= whole + (*rest < less);
	*rest -= less;
}

uint64_t
ht_cost_bytes(const struct ht_cost *k, const struct ht_class *c)
{
	return ht_weight(c->size, k->sampled).bytes;
}

void
ht_cost_count(struct ht_cost *k, const struct ht_class *c)
{
	uint64_t w = ht_weight(c->size, k->sampled).blocks;

	ht_plus_rest(&k->allocs, &k->allocs_rest, w >> 32, (uint32_t)w);
}

void
ht_cost_temporary(struct ht_cost *k, struct ht_class *c, int by)
{
	uint64_t w = ht_weight(c->size, k->sampled).blocks;

	c->temporary += (uint64_t)by;
	if (by > 0)
		ht_plus_rest(
		    &k->temporary, &k->temporary_rest, w >> 32, (uint32_t)w);
	else if (by < 0)
		minus_rest(
		    &k->temporary, &k->temporary_rest, w >> 32, (uint32_t)w);
}

void
ht_cost_aged(
    struct ht_cost *k, const struct ht_class *c, const struct ht_event *ev)
{
	struct ht_life *l;

	HT_GROW(k->life, k->nlife, (size_t)ev->cls + 1);
	l = &k->life[ev->cls];
	l->last_free = ht_class_frees(c);
	l->last_age = ev->age;
	l->last_other = ev->thread != 0;
	if (ev->age)
		ht_hist_add(&l->age, ht_hist_bucket(ev->age), 1);
	if (ev->thread)
		l->others++;
}

void
ht_cost_unaged(
    struct ht_cost *k, const struct ht_class *c, const struct ht_event *ev)
{
	struct ht_life *l;
	bool told;

	if (ev->cls >= k->nlife)
		return;
	l = &k->life[ev->cls];
	told = l->last_free == ht_class_frees(c) + 1;
	l->last_free = 0; /* one undoing of one free */
	if (!told)
		return;
	if (l->last_age)
		ht_hist_sub(&l->age, ht_hist_bucket(l->last_age), 1);
	l->others -= l->last_other;
}

/* What happened up to now goes into its bucket. */
static void
flush(struct ht_cost *k)
{
	struct ht_bucket *b = ht_series_at(&k->series, k->ms);

	b->max = k->high > b->max ? k->high : b->max;
	b->end = k->now;
	b->allocs += k->allocs - k->series_allocs;
	k->series_allocs = k->allocs;
	/* Frees that were undone may have been in a bucket before. */
	while (k->temporary < k->series_temporary) {
		uint64_t n = k->series_temporary - k->temporary;

		n = n < b->temporary ? n : b->temporary;
		b->temporary -= n;
		k->series_temporary -= n;
		b -= b > k->series.bucket;
	}
	b->temporary += k->temporary - k->series_temporary;
	k->series_temporary = k->temporary;
	k->high = k->now;
}

void
ht_cost_time(struct ht_cost *k, uint64_t ms)
{
	flush(k);
	k->ms = ms;
	/* A peak that lasts is in every bucket it lasts into. */
	ht_series_at(&k->series, ms);
}

void
ht_cost_rss(struct ht_cost *k, uint64_t bytes)
{
	struct ht_bucket *b = ht_series_at(&k->series, k->ms);

	b->rss = bytes > b->rss ? bytes : b->rss;
}

void
ht_explain(struct ht_explained *to, const struct ht_explained *more)
{
	if (more->rss != to->rss     ? more->rss > to->rss
	    : more->heap != to->heap ? more->heap > to->heap
				     : more->maps > to->maps)
		*to = *more;
}

struct ht_explained
ht_explained_parts(const struct ht_explained *e, uint64_t *rest)
{
	struct ht_explained parts = *e;

	if (parts.heap > e->rss - e->maps)
		parts.heap = e->rss - e->maps;
	*rest = e->rss - e->maps - parts.heap;
	return parts;
}

void
ht_cost_maps(struct ht_cost *k, uint64_t rss, uint64_t maps)
{
	struct ht_explained now = {rss, k->now, maps};

	ht_explain(&k->explained, &now);
}

/* --- other kinds --------------------------------------------------------- */

static struct ht_cost_kind *
kind_of(struct ht_cost *k, const struct ht_tables *t, const struct ht_class *c)
{
	uint32_t n = t->stack[c->stack - 1].kind;

	HT_GROW(k->kind, k->nkind, n);
	return &k->kind[n - 1];
}

/* What a class's peak is to be of. */
static uint64_t
epoch_of(struct ht_cost *k, const struct ht_tables *t, const struct ht_class *c)
{
	return c->other ? kind_of(k, t, c)->epoch : k->epoch;
}

static void
other_comes(struct ht_cost *k, struct ht_cost_kind *kind, struct ht_class *c)
{
	ht_cost_touch(kind->epoch, c, c->live - 1);
	if (__builtin_add_overflow(kind->now, c->size, &kind->now))
		k->overflow = true;
	if (kind->now > kind->peak) {
		kind->peak = kind->now;
		kind->peak_ms = k->ms;
		kind->epoch++;
	}
}

void
ht_cost_other(struct ht_cost *k, struct ht_tables *t, const struct ht_event *ev)
{
	struct ht_class *c = &t->cls[ev->cls];
	struct ht_cost_kind *kind = kind_of(k, t, c);

	if (ev->kind == HT_EV_FREE) {
		ht_cost_touch(kind->epoch, c, c->live + 1);
		kind->now -= c->size;
		c->temporary += ev->temporary;
	} else {
		other_comes(k, kind, c);
		if (ev->kind == HT_EV_UNFREE)
			c->temporary -= ev->temporary;
	}
}

const struct ht_cost_kind *
ht_cost_kind(const struct ht_cost *k, const struct ht_tables *t, uint32_t name)
{
	const uint64_t *n = ht_map_get(&t->kinds, name);

	return n && *n <= k->nkind ? &k->kind[*n - 1] : NULL;
}

/* --- the whole ----------------------------------------------------------- */

void
ht_cost_finish(struct ht_cost *k, struct ht_tables *t)
{
	size_t i;

	flush(k);
	for (i = 0; i < t->ncls; i++)
		ht_cost_touch(
		    epoch_of(k, t, &t->cls[i]), &t->cls[i], t->cls[i].live);
}

static void
forget_lives(struct ht_cost *k)
{
	size_t i;

	for (i = 0; i < k->nlife; i++)
		ht_hist_release(&k->life[i].age);
	free(k->life);
	k->life = NULL;
	k->nlife = 0;
}

void
ht_cost_restart(struct ht_cost *k, const struct ht_tables *t)
{
	size_t i;

	k->high = k->peak = k->now;
	k->explained = (struct ht_explained){0};
	k->peak_ms = k->ms;
	k->allocs = k->temporary = k->series_allocs = k->series_temporary = 0;
	k->allocs_rest = k->temporary_rest = 0;
	k->epoch++;
	ht_series_clear(&k->series);
	forget_lives(k);
	for (i = 0; i < k->nkind; i++) {
		k->kind[i].peak = k->kind[i].now;
		k->kind[i].peak_ms = k->ms;
		k->kind[i].epoch++;
	}
	for (i = 0; i < t->ncls; i++) {
		t->cls[i].temporary = 0;
		t->cls[i].peak = t->cls[i].live;
		t->cls[i].seen = epoch_of(k, t, &t->cls[i]);
	}
}

void
ht_cost_reset(struct ht_cost *k, const struct ht_tables *t)
{
	/* The reader has forgotten the blocks that were live. */
	k->now = 0;
	for (size_t i = 0; i < k->nkind; i++)
		k->kind[i].now = 0;
	ht_cost_restart(k, t);
}

void
ht_cost_clear(struct ht_cost *k)
{
	forget_lives(k);
	ht_series_release(&k->series);
	free(k->kind);
	memset(k, 0, sizeof *k);
}

void
ht_plus(uint64_t *to, uint64_t v)
{
	if (__builtin_add_overflow(*to, v, to))
		*to = UINT64_MAX;
}

uint64_t
ht_times(uint64_t blocks, uint64_t size)
{
	uint64_t v;

	return __builtin_mul_overflow(blocks, size, &v) ? UINT64_MAX : v;
}

static void
add_variance(ht_wide *to, ht_wide v)
{
	if (__builtin_add_overflow(*to, v, to))
		*to = ~(ht_wide)0;
}

/* What only estimates have. */
static void
add_estimate(struct ht_sum *sum, const struct ht_sum *more)
{
	struct ht_rests *r = &sum->rest;
	struct ht_variances *v = &sum->variance;

	sum->estimate = true;
	ht_plus_rest(&sum->allocs, &r->allocs, 0, more->rest.allocs);
	ht_plus_rest(&sum->temporary, &r->temporary, 0, more->rest.temporary);
	ht_plus_rest(&sum->leaked_blocks, &r->leaked_blocks, 0,
	    more->rest.leaked_blocks);
	ht_plus_rest(
	    &sum->peak_blocks, &r->peak_blocks, 0, more->rest.peak_blocks);
	ht_plus_rest(&sum->others, &r->others, 0, more->rest.others);
	ht_plus_rest(&sum->age, &r->age, 0, more->rest.age);
	ht_plus_rest(&sum->rounding, &r->rounding, 0, more->rest.rounding);
	ht_plus_rest(&sum->rounding_leaked, &r->rounding_leaked, 0,
	    more->rest.rounding_leaked);
	add_variance(&v->allocs, more->variance.allocs);
	add_variance(&v->bytes, more->variance.bytes);
	add_variance(&v->temporary, more->variance.temporary);
	add_variance(&v->leaked, more->variance.leaked);
	add_variance(&v->leaked_blocks, more->variance.leaked_blocks);
	add_variance(&v->peak, more->variance.peak);
	add_variance(&v->peak_blocks, more->variance.peak_blocks);
}

static void
stay_at_largest(uint64_t whole, uint32_t *rest, ht_wide *variance)
{
	if (whole != UINT64_MAX)
		return;
	if (rest)
		*rest = UINT32_MAX;
	if (variance)
		*variance = ~(ht_wide)0;
}

void
ht_sum_settle(struct ht_sum *s)
{
	struct ht_rests *r = &s->rest;
	struct ht_variances *v = &s->variance;

	stay_at_largest(s->allocs, &r->allocs, &v->allocs);
	stay_at_largest(s->bytes, NULL, &v->bytes);
	stay_at_largest(s->temporary, &r->temporary, &v->temporary);
	stay_at_largest(s->leaked, NULL, &v->leaked);
	stay_at_largest(s->leaked_blocks, &r->leaked_blocks, &v->leaked_blocks);
	stay_at_largest(s->peak, NULL, &v->peak);
	stay_at_largest(s->peak_blocks, &r->peak_blocks, &v->peak_blocks);
	stay_at_largest(s->others, &r->others, NULL);
	stay_at_largest(s->age, &r->age, NULL);
	stay_at_largest(s->rounding, &r->rounding, NULL);
	stay_at_largest(s->rounding_leaked, &r->rounding_leaked, NULL);
}

void
ht_sum_add(struct ht_sum *sum, const struct ht_sum *more)
{
	ht_plus(&sum->allocs, more->allocs);
	ht_plus(&sum->bytes, more->bytes);
	ht_plus(&sum->temporary, more->temporary);
	ht_plus(&sum->leaked, more->leaked);
	ht_plus(&sum->leaked_blocks, more->leaked_blocks);
	ht_plus(&sum->peak, more->peak);
	ht_plus(&sum->peak_blocks, more->peak_blocks);
	ht_plus(&sum->others, more->others);
	ht_plus(&sum->age, more->age);
	ht_plus(&sum->held, more->held);
	ht_plus(&sum->rounding, more->rounding);
	ht_plus(&sum->rounding_leaked, more->rounding_leaked);
	if (more->estimate)
		add_estimate(sum, more);
	if (sum->estimate)
		ht_sum_settle(sum);
}
