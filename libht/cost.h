/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a trace costs: totals, and for each class its temporary blocks and its
 * blocks at the peak, exact, in one pass and constant time an event. Level 4.
 *
 * Whenever the live bytes make a new maximum the epoch is raised. Before a
 * class's live blocks change, if what it last stored is of an older epoch, it
 * stores them: what a class held at the last maximum is what it held when it
 * was first touched after it. ht_cost_finish does the same for all.
 *
 * Everything else, by stack, function, thread or size, is a sum over classes
 * (ht_sum_class), so nothing else is done for each event.
 */
#ifndef HT_COST_H
#define HT_COST_H

#include "libht/base.h"
#include "libht/event.h"
#include "libht/stack.h"

struct ht_cost {
	uint64_t now;  /* live bytes */
	uint64_t peak; /* their largest value */
	uint64_t epoch;
	uint64_t ms, peak_ms; /* the clock, and at the peak's first moment */
	bool overflow;	      /* a sum did not fit: a trace of lies */
};

/* `struct ht_cost k = {0}` is a new one. Each takes the class as the reader
 * left it, after the event. */
static inline void
ht_cost_touch(struct ht_cost *k, struct ht_class *c, uint64_t live_before)
{
	c->peak = c->seen == k->epoch ? c->peak : live_before;
	c->seen = k->epoch;
}

static inline void
ht_cost_add(struct ht_cost *k, struct ht_class *c)
{
	ht_cost_touch(k, c, c->live - 1);
	k->now += c->size;
	if (ht_unlikely(k->now < c->size))
		k->overflow = true;
	if (ht_unlikely(k->now > k->peak)) {
		k->peak = k->now;
		k->peak_ms = k->ms;
		k->epoch++;
	}
}

static inline void
ht_cost_alloc(struct ht_cost *k, struct ht_class *c)
{
	ht_cost_add(k, c);
}

static inline void
ht_cost_free(struct ht_cost *k, struct ht_class *c, bool temporary)
{
	ht_cost_touch(k, c, c->live + 1);
	k->now -= c->size;
	c->temporary += temporary;
}

/* #F: a free is undone. The block counts again from here on; between the two
 * lines it did not. */
static inline void
ht_cost_unfree(struct ht_cost *k, struct ht_class *c, bool temporary)
{
	ht_cost_add(k, c);
	c->temporary -= temporary;
}

/* Totals start here: nothing before counts, the clock goes on. */
void ht_cost_reset(struct ht_cost *k, struct ht_tables *t);

/* Any event of the trace that `t` is of; those that cost nothing do nothing. */
static inline void
ht_cost_event(struct ht_cost *k, struct ht_tables *t, const struct ht_event *ev)
{
	if (ev->kind == HT_EV_ALLOC)
		ht_cost_alloc(k, &t->cls[ev->cls]);
	else if (ev->kind == HT_EV_FREE)
		ht_cost_free(k, &t->cls[ev->cls], ev->temporary);
	else if (ev->kind == HT_EV_TIME)
		k->ms = ev->value;
	else if (ev->kind == HT_EV_UNFREE)
		ht_cost_unfree(k, &t->cls[ev->cls], ev->temporary);
	else if (ev->kind == HT_EV_ATTACHED)
		ht_cost_reset(k, t);
}

/* Settles every class, once, at the trace's end (or at a moment in between:
 * events may follow). */
void ht_cost_finish(struct ht_cost *k, struct ht_tables *t);

/* Costs of anything: a stack, a function, a trace, many traces. */
struct ht_sum {
	uint64_t allocs, bytes; /* blocks and bytes ever */
	uint64_t temporary;	/* blocks */
	uint64_t leaked;	/* bytes */
	uint64_t leaked_blocks;
	uint64_t peak; /* bytes at the peak */
	uint64_t peak_blocks;
};

/* Sums that do not fit stay at the largest number. */
void ht_sum_class(struct ht_sum *sum, const struct ht_class *c);
void ht_sum_add(struct ht_sum *sum, const struct ht_sum *more);

#endif
