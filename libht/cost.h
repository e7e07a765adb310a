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
 * (prof.h), so nothing else is done for each event. Only a free that tells the
 * block's age, or another thread, costs more: it is counted by them.
 *
 * In a trace that was sampled classes count the blocks that were recorded, and
 * everything else here is an estimate (weight.h): what they stand for. So is
 * the moment of the peak.
 */
#ifndef HT_COST_H
#define HT_COST_H

#include "libht/base.h"
#include "libht/event.h"
#include "libht/hist.h"
#include "libht/series.h"
#include "libht/stack.h"
#include "libht/weight.h"

/* Sums and products that do not fit are the largest number. */
void ht_plus(uint64_t *to, uint64_t v);
/* The same of numbers with a rest, in 2^-32: blocks that samples stand for. */
void ht_plus_rest(uint64_t *to, uint32_t *rest, uint64_t whole, uint32_t more);
uint64_t ht_times(uint64_t blocks, uint64_t size);

/* What only frees that say more than their class add to: no line of it is
 * touched by others. */
struct ht_life {
	struct ht_hist age; /* ms, by their power of two; none of 0 */
	uint64_t others;    /* frees by another thread */
	/* Of the last such free, for one that is undone: which it was. */
	uint64_t last_free, last_age;
	bool last_other;
};

/* What a resident set consisted of, bytes; rss 0: not known. */
struct ht_explained {
	uint64_t rss;
	uint64_t heap; /* live, so at most this */
	uint64_t maps; /* resident */
};
/* The one of the larger set stays; of two that are equal, the one with more. */
void ht_explain(struct ht_explained *to, const struct ht_explained *more);
/* The resident set in three: what is live of the heap may not all have been
 * touched, so it is at most what maps leave; *rest is what is left then. */
struct ht_explained ht_explained_parts(
    const struct ht_explained *e, uint64_t *rest);

/* The live bytes of a kind of allocations that is not the heap. */
struct ht_cost_kind {
	uint64_t now, peak, epoch, peak_ms; /* as below */
};

/* Bytes, the peak and the series are the heap's: memory that a pool hands out
 * it has from the heap, or from mmap, and is counted once. Every other kind
 * has a peak of its own. */
struct ht_cost {
	uint64_t now;  /* live bytes */
	uint64_t high; /* their largest value since the clock went on */
	uint64_t peak; /* their largest value */
	uint64_t epoch;
	uint64_t ms, peak_ms; /* the clock, and at the peak's first moment */
	uint64_t allocs, temporary; /* blocks */
	/* How many of these the series has. */
	uint64_t series_allocs, series_temporary;
	uint64_t sampled; /* mean bytes between samples, or 0 */
	/* Of an estimate the rest of `allocs` and `temporary`, in 2^-32. */
	uint32_t allocs_rest, temporary_rest;
	struct ht_series series;
	struct ht_life *life; /* of classes; may be shorter than their table */
	size_t nlife;
	struct ht_cost_kind *kind; /* as in the tables; may be shorter */
	size_t nkind;
	bool overflow; /* a sum did not fit: a trace of lies */
	struct ht_explained explained;
};

/* Live bytes rose above k->high. */
static inline void
ht_cost_high(struct ht_cost *k)
{
	k->high = k->now;
	if (k->now > k->peak) {
		k->peak = k->now;
		k->peak_ms = k->ms;
		k->epoch++;
	}
}

/* What a class's block stands for. */
uint64_t ht_cost_bytes(const struct ht_cost *k, const struct ht_class *c);
/* Counts an allocation, and adds to the temporary blocks, or takes away. */
void ht_cost_count(struct ht_cost *k, const struct ht_class *c);
void ht_cost_temporary(struct ht_cost *k, struct ht_class *c, int by);

HT_HOT uint64_t
ht_cost_size(const struct ht_cost *k, const struct ht_class *c)
{
	return ht_unlikely(k->sampled) ? ht_cost_bytes(k, c) : c->size;
}

/* `struct ht_cost k = {0}` is a new one. Each takes the class as the reader
 * left it, after the event. */
HT_HOT void
ht_cost_touch(uint64_t epoch, struct ht_class *c, uint64_t live_before)
{
	c->peak = c->seen == epoch ? c->peak : live_before;
	c->seen = epoch;
}

HT_HOT void
ht_cost_add(struct ht_cost *k, struct ht_class *c)
{
	uint64_t size = ht_cost_size(k, c);

	ht_cost_touch(k->epoch, c, c->live - 1);
	k->now += size;
	if (ht_unlikely(k->now < size))
		k->overflow = true;
	if (ht_unlikely(k->now > k->high))
		ht_cost_high(k);
}

HT_HOT void
ht_cost_alloc(struct ht_cost *k, struct ht_class *c)
{
	ht_cost_add(k, c);
	if (ht_unlikely(k->sampled))
		ht_cost_count(k, c);
	else
		k->allocs++;
}

HT_HOT void
ht_cost_free(struct ht_cost *k, struct ht_class *c, bool temporary)
{
	ht_cost_touch(k->epoch, c, c->live + 1);
	k->now -= ht_cost_size(k, c);
	if (ht_unlikely(k->sampled)) {
		ht_cost_temporary(k, c, temporary);
		return;
	}
	c->temporary += temporary;
	k->temporary += temporary;
}

/* #F: a free is undone. The block counts again from here on; between the two
 * lines it did not. */
static inline void
ht_cost_unfree(struct ht_cost *k, struct ht_class *c, bool temporary)
{
	ht_cost_add(k, c);
	if (ht_unlikely(k->sampled)) {
		ht_cost_temporary(k, c, -(int)temporary);
		return;
	}
	c->temporary -= temporary;
	k->temporary -= temporary;
}

/* The rest of a free that says more than its class, and its undoing. */
void ht_cost_aged(
    struct ht_cost *k, const struct ht_class *c, const struct ht_event *ev);
void ht_cost_unaged(
    struct ht_cost *k, const struct ht_class *c, const struct ht_event *ev);

/* A block of a kind that is not the heap comes or goes. */
void ht_cost_other(
    struct ht_cost *k, struct ht_tables *t, const struct ht_event *ev);
/* Such a kind, by the intern id of its name; NULL: nothing is known of it. */
const struct ht_cost_kind *ht_cost_kind(
    const struct ht_cost *k, const struct ht_tables *t, uint32_t name);

/* The clock goes on. */
void ht_cost_time(struct ht_cost *k, uint64_t ms);
void ht_cost_rss(struct ht_cost *k, uint64_t bytes);
void ht_cost_maps(struct ht_cost *k, uint64_t rss, uint64_t maps);

/* Totals start here: nothing before counts, the clock goes on. */
void ht_cost_reset(struct ht_cost *k, const struct ht_tables *t);
/* The same, but blocks that are live stay so: the peak starts with them. */
void ht_cost_restart(struct ht_cost *k, const struct ht_tables *t);

/* Any event of the trace that `t` is of; those that cost nothing do nothing. */
HT_HOT void
ht_cost_event(struct ht_cost *k, struct ht_tables *t, const struct ht_event *ev)
{
	switch (ev->kind) {
	case HT_EV_ALLOC:
		if (ht_unlikely(t->cls[ev->cls].other))
			ht_cost_other(k, t, ev);
		else
			ht_cost_alloc(k, &t->cls[ev->cls]);
		break;
	case HT_EV_FREE:
		if (ht_unlikely(t->cls[ev->cls].other))
			ht_cost_other(k, t, ev);
		else
			ht_cost_free(k, &t->cls[ev->cls], ev->temporary);
		if (ht_unlikely(ev->age | ev->thread) && !ev->part)
			ht_cost_aged(k, &t->cls[ev->cls], ev);
		break;
	case HT_EV_UNFREE:
		if (ht_unlikely(t->cls[ev->cls].other))
			ht_cost_other(k, t, ev);
		else
			ht_cost_unfree(k, &t->cls[ev->cls], ev->temporary);
		if (!ev->part)
			ht_cost_unaged(k, &t->cls[ev->cls], ev);
		break;
	case HT_EV_TIME:
		ht_cost_time(k, ev->value);
		break;
	case HT_EV_RSS:
		ht_cost_rss(k, ht_times(ev->value, t->page_size));
		if (ev->maps)
			ht_cost_maps(k, ht_times(ev->value, t->page_size),
			    ht_times(ev->maps - 1, t->page_size));
		break;
	case HT_EV_SAMPLED:
		k->sampled = ev->value;
		break;
	case HT_EV_ATTACHED:
		ht_cost_reset(k, t);
		break;
	default:
		break;
	}
}

/* Settles every class, once, at the trace's end (or at a moment in between:
 * events may follow). */
void ht_cost_finish(struct ht_cost *k, struct ht_tables *t);
/* A new one again. */
void ht_cost_clear(struct ht_cost *k);

/* Costs of anything: a stack, a function, a trace, many traces. */
struct ht_sum {
	uint64_t allocs, bytes; /* blocks and bytes ever */
	uint64_t temporary;	/* blocks */
	uint64_t leaked;	/* bytes */
	uint64_t leaked_blocks;
	uint64_t peak; /* bytes at the peak */
	uint64_t peak_blocks;
	uint64_t others; /* frees by another thread than the allocating one */
	/* How long blocks that were freed had lived, in block times ms and in
	 * byte times ms: of each age the least of its power of two (hist.h). */
	uint64_t age, held;
	/* What was usable beyond the bytes asked for, of the blocks at the peak
	 * and of those leaked; 0 where that is not recorded. */
	uint64_t rounding, rounding_leaked;
	bool estimate; /* blocks were sampled */
	/* Of estimates, the rest of those that are not bytes, in 2^-32, and of
	 * those bytes that do not follow from a size. */
	struct ht_rests {
		uint32_t allocs, temporary, leaked_blocks, peak_blocks;
		uint32_t others, age, rounding, rounding_leaked;
	} rest;
	/* And their variances; 0: exact. Those of blocks are in 2^-32. */
	struct ht_variances {
		ht_wide allocs, bytes, temporary, leaked, leaked_blocks, peak,
		    peak_blocks;
	} variance;
};

/* Of an estimate: where a number does not fit, all of it is the largest. */
void ht_sum_settle(struct ht_sum *sum);
void ht_sum_add(struct ht_sum *sum, const struct ht_sum *more);

#endif
