/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "libht/mem.h"
#include "libht/window.h"

void
ht_window_begin(struct ht_window *w, uint64_t from, uint64_t to)
{
	w->from = from;
	w->to = to;
	w->state = HT_WINDOW_AHEAD;
	w->nmore = w->ncls = 0;
}

void
ht_window_release(struct ht_window *w)
{
	free(w->more);
	free(w->cls);
	memset(w, 0, sizeof *w);
}

static struct ht_window_class *
more_of(struct ht_window *w, uint32_t cls)
{
	if (cls >= w->nmore) {
		HT_GROW(w->more, w->more_cap, (size_t)cls + 1);
		memset(w->more + w->nmore, 0,
		    (cls + 1 - w->nmore) * sizeof *w->more);
		w->nmore = (size_t)cls + 1;
	}
	return &w->more[cls];
}

static void
open_window(struct ht_window *w, struct ht_cost *k, const struct ht_tables *t)
{
	size_t i;

	ht_cost_time(k, t->ms);
	ht_cost_restart(k, t);
	/* The clock ticks: it is seen behind the window's start. */
	k->peak_ms = w->from;
	for (i = 0; i < k->nkind; i++)
		k->kind[i].peak_ms = w->from;
	w->state = HT_WINDOW_OPEN;
	for (i = 0; i < t->ncls; i++)
		more_of(w, (uint32_t)i)->before = t->cls[i].allocs;
}

static void
shut_window(struct ht_window *w, struct ht_cost *k, struct ht_tables *t)
{
	size_t i;

	ht_cost_finish(k, t);
	w->state = HT_WINDOW_SHUT;
	free(w->cls);
	w->cls = ht_malloc((t->ncls + 1) * sizeof *w->cls);
	w->ncls = t->ncls;
	for (i = 0; i < t->ncls; i++) {
		const struct ht_window_class *m = more_of(w, (uint32_t)i);

		w->cls[i] = t->cls[i];
		w->cls[i].allocs -= m->before;
		w->cls[i].live = m->live;
		w->cls[i].parts = m->parts;
	}
}

/* The run is over before the window: nothing is in it. */
static void
shut_empty(struct ht_window *w, struct ht_cost *k)
{
	ht_cost_clear(k);
	w->state = HT_WINDOW_SHUT;
	w->ncls = 0;
}

static bool
born_inside(const struct ht_window *w, const struct ht_window_class *m,
    const struct ht_tables *t, const struct ht_event *ev)
{
	if (m->live == 0 && ev->kind == HT_EV_FREE)
		return false;
	return !t->ours || (ev->age <= t->ms && t->ms - ev->age >= w->from);
}

/* A block comes or goes. What dies and was born before the window counts for
 * the live bytes only. */
static void
one_block(struct ht_window *w, struct ht_cost *k, struct ht_tables *t,
    const struct ht_event *ev)
{
	struct ht_window_class *m = more_of(w, ev->cls);
	struct ht_event e = *ev;
	bool inside = true;

	if (ev->kind == HT_EV_ALLOC) {
		m->live++;
	} else if (ev->kind == HT_EV_FREE) {
		inside = m->inside = born_inside(w, m, t, ev);
		m->live -= inside;
		m->parts -= ev->part && inside;
	} else if (ev->part) {
		inside = born_inside(w, m, t, ev);
		m->live += inside;
		m->parts += inside;
	} else {
		inside = m->inside;
		m->live += inside;
		m->inside = false;
	}
	if (!inside) {
		e.temporary = false;
		e.age = 0;
		e.thread = 0;
	}
	ht_cost_event(k, t, &e);
}

static bool
is_mark(const struct ht_pattern *p, const struct ht_tables *t,
    const struct ht_event *ev)
{
	return p && ev->kind == HT_EV_MARK &&
	       ht_pattern_match(p, ht_intern_get(&t->text, ev->id));
}

/* Whether it opens with this event: before it, if it is one of a block. */
static bool
begins(
    struct ht_window *w, const struct ht_tables *t, const struct ht_event *ev)
{
	if (!w->from_mark)
		return t->ms >= w->from;
	if (!is_mark(w->from_mark, t, ev))
		return false;
	w->from = t->ms;
	return true;
}

void
ht_window_event(struct ht_window *w, struct ht_cost *k, struct ht_tables *t,
    const struct ht_event *ev)
{
	if (w->state == HT_WINDOW_AHEAD && begins(w, t, ev))
		open_window(w, k, t);
	else if (w->state == HT_WINDOW_OPEN && is_mark(w->to_mark, t, ev))
		w->to = t->ms;
	if (w->state == HT_WINDOW_SHUT)
		return;
	if (t->ms >= w->to && w->to != UINT64_MAX) {
		if (w->state == HT_WINDOW_OPEN)
			shut_window(w, k, t);
		return;
	}
	switch (ev->kind) {
	case HT_EV_ALLOC:
	case HT_EV_FREE:
	case HT_EV_UNFREE:
		if (w->state == HT_WINDOW_OPEN)
			one_block(w, k, t, ev);
		else
			ht_cost_event(k, t, ev);
		break;
	case HT_EV_END:
		if (w->state == HT_WINDOW_OPEN)
			shut_window(w, k, t);
		else
			shut_empty(w, k);
		break;
	case HT_EV_ATTACHED:
		w->nmore = 0;
		/* fallthrough */
	default:
		ht_cost_event(k, t, ev);
		break;
	}
}
