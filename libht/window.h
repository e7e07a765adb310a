/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The costs of a part of a trace's run. Level 4.
 *
 * A window is [from, to) by the trace's clock. What it reports is about the
 * blocks born in it: how many, which of them were temporary or freed in it,
 * and `leaked` are those alive at its end. Only the peak is of all blocks: the
 * most that was live at any moment of the window, be it its first.
 *
 * Whether a dying block was born in the window, its age says. heaptrack's
 * files have no ages: there the youngest of its class is taken to die. So it is
 * for blocks born in the tick of a mark, where that is what opens the window.
 */
#ifndef HT_WINDOW_H
#define HT_WINDOW_H

#include "libht/base.h"
#include "libht/cost.h"
#include "libht/event.h"
#include "libht/pattern.h"
#include "libht/stack.h"

struct ht_window_class {
	uint64_t before; /* blocks allocated before the window */
	uint64_t live;	 /* blocks born in it and alive */
	uint64_t parts;	 /* of struct ht_class, of blocks born in it */
	bool inside;	 /* the last free was of such a block */
};

struct ht_window {
	/* ms; UINT64_MAX: to the end and including it. With a mark it is known
	 * once that has come. */
	uint64_t from, to;
	/* NULL, or what opens it, and then shuts it: the first that matches. */
	const struct ht_pattern *from_mark, *to_mark;
	enum { HT_WINDOW_AHEAD, HT_WINDOW_OPEN, HT_WINDOW_SHUT } state;
	struct ht_window_class *more; /* of classes, while open */
	size_t nmore, more_cap;
	/* What is known once it is shut: classes as in the tables, with
	 * allocs, live, temporary and peak of the window. Owned. */
	struct ht_class *cls;
	size_t ncls;
};

/* For a trace that begins. Keeps memory of the trace before, and what the marks
 * are. */
void ht_window_begin(struct ht_window *w, uint64_t from, uint64_t to);
/* In place of ht_cost_event, for every event of the trace, HT_EV_END too:
 * after that the window is shut. */
void ht_window_event(struct ht_window *w, struct ht_cost *k,
    struct ht_tables *t, const struct ht_event *ev);
void ht_window_release(struct ht_window *w);

#endif
