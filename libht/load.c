/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "libht/err.h"
#include "libht/load.h"
#include "libht/mem.h"
#include "libht/profread.h"
#include "libht/window.h"

#define PROGRESS_MS 1000

/* What is read, all inputs after each other. */
struct loading {
	struct ht_load *l;
	struct ht_prof *p;
	const char *path;
	struct ht_merge merge;
	struct ht_cost cost;
	struct ht_window window;
	struct ht_evread *r;
	bool open; /* a trace has begun and not ended */
	/* Of a window, where a trace has no such mark. */
	const struct ht_moment *missing;
	uint64_t shown_ms, shown; /* the last progress: when, of what */
	/* How long the traces of this input run: for windows in percent. */
	uint64_t *runtime;
	size_t nruntime, cap, trace;
};

/* --- percentages
 * -------------------------------------------------------------- */

/* Reads the input once for nothing but the run times. Its errors are told the
 * second time. */
static int
find_runtimes(struct loading *g)
{
	const char *path =
	    g->path && strcmp(g->path, "-") ? g->path : "/dev/stdin";
	struct ht_error err = {""};
	struct ht_evread *r;
	struct ht_event ev;
	struct stat st;
	int rc;

	g->nruntime = 0;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		ht_warn("%s: a window in percent needs a file, which can be"
			" read twice",
		    strcmp(path, "/dev/stdin") ? path : "stdin");
		return -1;
	}
	r = ht_evread_open(path, &err);
	if (r == NULL)
		return 0;
	while ((rc = ht_evread_next(r, &ev)) != 0) {
		if (rc < 0 || ev.kind != HT_EV_END)
			continue;
		HT_GROW(g->runtime, g->cap, g->nruntime + 1);
		g->runtime[g->nruntime++] = r->t.ms;
	}
	ht_evread_close(r);
	return 0;
}

/* --- events
 * -------------------------------------------------------------------- */

static void
begin_trace(struct loading *g, struct ht_tables *t)
{
	const struct ht_query *q = g->l->query;
	uint64_t ms = g->trace < g->nruntime ? g->runtime[g->trace] : 0;
	uint64_t from, to;

	g->trace++;
	g->open = true;
	ht_cost_clear(&g->cost);
	ht_merge_begin(&g->merge, g->p, t);
	ht_query_window(q, ms, &from, &to);
	g->window.from_mark = q->from.mark ? &q->from.pattern : NULL;
	g->window.to_mark = q->to.mark ? &q->to.pattern : NULL;
	ht_window_begin(&g->window, from, to);
}

static struct ht_load_trace
this_trace(struct loading *g, struct ht_tables *t)
{
	return (struct ht_load_trace){.merge = &g->merge,
	    .t = t,
	    .cost = &g->cost,
	    .window = ht_query_windowed(g->l->query) ? &g->window : NULL};
}

/* Whether the marks have come that the window is between. */
static void
note_marks(struct loading *g)
{
	const struct ht_window *w = &g->window;

	if (!ht_query_windowed(g->l->query))
		return;
	if (w->from_mark && w->from == UINT64_MAX)
		g->missing = &g->l->query->from;
	else if (w->to_mark && w->to == UINT64_MAX)
		g->missing = &g->l->query->to;
}

static void
end_trace(struct loading *g, struct ht_tables *t, const struct ht_event *ev)
{
	const struct ht_query *q = g->l->query;
	struct ht_load_trace trace = this_trace(g, t);
	const struct ht_class *cls = t->cls;
	size_t ncls = t->ncls;

	g->open = false;
	if (ev->end == HT_END_EXEC && !q->all_images) {
		g->l->left_out++;
		return;
	}
	note_marks(g);
	if (trace.window) {
		cls = g->window.cls;
		ncls = g->window.ncls;
	} else {
		ht_cost_finish(&g->cost, t);
	}
	if (g->l->end)
		g->l->end(g->l->arg, &trace, cls, ncls);
	ht_merge_end(&g->merge, &g->cost, cls, ncls);
}

/* What is not an event of a block: they are most, and cost nothing more. */
static void
other_event(struct loading *g, struct ht_tables *t, const struct ht_event *ev)
{
	if (ev->kind == HT_EV_VERSION)
		begin_trace(g, t);
	else if (ev->kind == HT_EV_MARK)
		ht_prof_mark(g->p, ht_intern_get(&t->text, ev->id),
		    ht_intern_len(&t->text, ev->id), t->ms);
	else if (ev->kind == HT_EV_SUPPRESSION)
		ht_prof_suppression(g->p, ev->text, ev->len);
	else if (ev->kind == HT_EV_END)
		end_trace(g, t, ev);
}

static inline bool
is_block(const struct ht_event *ev)
{
	return ev->kind <= HT_EV_UNFREE;
}

/* Whether the trace has come to its end, if it was followed. */
static bool
is_over(const struct loading *g, const struct ht_event *ev)
{
	return g->l->query->follow && ev->kind == HT_EV_END &&
	       ev->end > HT_END_TRUNCATED && ev->end != HT_END_EXEC;
}

/* The events of an input as they are, which must be fast. */
static void
read_plain(struct loading *g, struct ht_evread *r)
{
	struct ht_event ev;
	int rc;

	while ((rc = ht_evread_next(r, &ev)) != 0) {
		if (ht_unlikely(rc < 0)) {
			ht_warn("%s", ht_evread_error(r));
			continue;
		}
		ht_cost_event(&g->cost, &r->t, &ev);
		if (ht_likely(is_block(&ev)))
			continue;
		other_event(g, &r->t, &ev);
		if (is_over(g, &ev))
			break;
	}
}

/* The same in a window, or for one who wants each event. */
static void
read_each(struct loading *g, struct ht_evread *r)
{
	struct ht_load_trace trace = this_trace(g, &r->t);
	struct ht_event ev;
	int rc;

	while ((rc = ht_evread_next(r, &ev)) != 0) {
		if (rc < 0) {
			ht_warn("%s", ht_evread_error(r));
			continue;
		}
		if (ev.kind == HT_EV_VERSION)
			begin_trace(g, &r->t);
		if (trace.window)
			ht_window_event(&g->window, &g->cost, &r->t, &ev);
		else
			ht_cost_event(&g->cost, &r->t, &ev);
		if (g->l->event)
			g->l->event(g->l->arg, &trace, &ev);
		if (ev.kind != HT_EV_VERSION && !is_block(&ev))
			other_event(g, &r->t, &ev);
		if (is_over(g, &ev))
			break;
	}
}

/* --- progress -----------------------------------------------------------
 */

static uint64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* What the trace that is being read has cost so far. */
static void
add_unfinished(struct loading *g, struct ht_prof *so_far)
{
	struct ht_tables *t = &g->r->t;
	struct ht_merge merge = {0};

	ht_merge_begin(&merge, so_far, t);
	ht_cost_finish(&g->cost, t);
	ht_merge_end(&merge, &g->cost, t->cls, t->ncls);
	ht_merge_release(&merge);
}

static void
show_progress(void *arg)
{
	struct loading *g = arg;
	struct ht_query *q = g->l->query;
	struct ht_prof so_far = {0};
	uint64_t now = clock_ms(), events;
	size_t n = q->suppress.n;

	if (g->r == NULL || now - g->shown_ms < PROGRESS_MS)
		return;
	events = ht_evread_events(g->r) + g->p->sum.allocs;
	if (events == g->shown && g->shown_ms)
		return;
	g->shown = events;
	ht_prof_add(&so_far, g->p);
	if (g->open)
		add_unfinished(g, &so_far);
	ht_query_apply(q, &so_far);
	g->l->progress(g->l->arg, &so_far);
	ht_suppress_restart(&q->suppress, n);
	ht_prof_release(&so_far);
	g->shown_ms = clock_ms();
}

/* --- inputs
 * --------------------------------------------------------------------- */

static int
read_profiles(struct loading *g, struct ht_in *in)
{
	struct ht_profread r = {.in = in};
	struct ht_error err = {""};
	struct ht_prof p;
	int rc, failed = 0;

	while ((rc = ht_profread_next(&r, &p, &err)) != 0) {
		if (rc > 0)
			ht_prof_add(g->p, &p);
		else
			ht_warn("%s", err.text);
		failed |= rc < 0;
		ht_prof_release(&p);
		/* More than its end is not to be waited for. */
		if (rc > 0 && g->l->query->follow)
			break;
	}
	ht_profread_release(&r);
	return failed ? -1 : 0;
}

static int
load_profiles(struct loading *g, struct ht_in *in)
{
	int rc = -1;

	if (g->l->event && !g->l->profiles)
		ht_warn("%s: this is a profile, and %s needs the trace: its"
			" events are not in a profile",
		    ht_in_name(in), ht_name());
	else if (ht_query_windowed(g->l->query))
		ht_warn("%s: this is a profile, and --from, --to and --at need"
			" the trace: its events are not in a profile",
		    ht_in_name(in));
	else
		rc = read_profiles(g, in);
	ht_in_close(in);
	return rc;
}

static int
load_input(struct loading *g)
{
	const struct ht_query *q = g->l->query;
	struct ht_error err = {""};
	struct ht_evread *r;
	struct ht_in *in;

	if (ht_query_percent(q) && find_runtimes(g) < 0)
		return -1;
	in = ht_in_open(g->path, &err);
	if (in == NULL) {
		ht_warn("%s", err.text);
		return -1;
	}
	if (q->follow)
		ht_in_follow(in);
	if (g->l->progress && !ht_query_windowed(q))
		ht_in_on_wait(in, show_progress, g);
	if (ht_in_starts(in, HT_PROFILE_MARK))
		return load_profiles(g, in);
	r = ht_evread_new(in);
	g->r = r;
	g->trace = 0;
	if (ht_query_windowed(q) || g->l->event)
		read_each(g, r);
	else
		read_plain(g, r);
	g->r = NULL;
	return ht_evread_close(r);
}

int
ht_load(struct ht_load *l, char *const *path, struct ht_prof *p)
{
	struct loading g = {.l = l, .p = p};
	int rc = 0;

	if (*path == NULL)
		rc = load_input(&g);
	for (; *path; path++) {
		g.path = *path;
		rc |= load_input(&g);
	}
	if (g.missing) {
		ht_warn("the program set no such mark: '%s'", g.missing->given);
		rc = -1;
	}
	if (p->overflow) {
		ht_warn("the sum of live bytes does not fit in 64 bits");
		rc = -1;
	}
	ht_merge_release(&g.merge);
	ht_cost_clear(&g.cost);
	ht_window_release(&g.window);
	free(g.runtime);
	ht_query_apply(l->query, p);
	return rc;
}
