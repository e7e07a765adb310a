/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A profile: the costs of stacks, of one trace or of many. Level 4.
 *
 * Symbols identify a frame, not addresses: module, functions, files and
 * lines; in a trace that is not symbolised, module and offset. So traces of
 * different runs, or of rebuilt programs, add up.
 */
#ifndef HT_PROF_H
#define HT_PROF_H

#include "libht/base.h"
#include "libht/cost.h"
#include "libht/intern.h"
#include "libht/map.h"
#include "libht/stack.h"

/* A node of the tree of all stacks. */
struct ht_prof_stack {
	uint32_t frame;	    /* frame[frame - 1]; 0 unknown */
	uint32_t parent;    /* smaller than its own id; 0 at the root */
	uint32_t cost : 31; /* cost[cost - 1]; 0: nothing was allocated by it */
	uint32_t cut : 1;
};

struct ht_prof_cost {
	uint32_t stack; /* 0: the stack is not known at all */
	struct ht_sum sum;
};

struct ht_prof {
	struct ht_intern text;
	struct ht_frame *frame; /* ids of texts are of `text` here; no ip */
	size_t nframe, frame_cap;
	struct ht_frame_fn *fn;
	size_t nfn, fn_cap;
	struct ht_prof_stack *stack;
	size_t nstack, stack_cap;
	struct ht_prof_cost *cost;
	size_t ncost, cost_cap;
	struct ht_intern keys;	/* of frames */
	struct ht_map children; /* (parent, frame) to stack */
	uint32_t unknown;	/* the cost of stack 0 */

	/* Over all traces; `sum.peak` is the sum of their peaks. */
	uint64_t traces, truncated;
	struct ht_sum sum;
	uint64_t runtime_ms;		/* the sum */
	uint64_t largest_peak, peak_ms; /* of the trace with the largest */
	uint64_t peak_rss, own_rss;	/* bytes, the largest */
	uint64_t lost, unseen, missed;
	bool attached, sampled, overflow;

	/* Of the trace merged last. */
	uint32_t command; /* a text, 0 none */
	enum ht_end end;
	uint64_t end_value;
};

/* Adds a trace, once it has ended (HT_EV_END). Settles the cost. */
void ht_prof_merge(struct ht_prof *p, struct ht_tables *t, struct ht_cost *k);
void ht_prof_release(struct ht_prof *p);

#endif
