/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "ht-massif/snapshots.h"
#include "libht/mem.h"

const char *const time_units[] = {"ms", "B", "i", NULL};

/* Room for the peak and the last one. */
#define EXTRA 2

void
snapshots_init(struct snapshots *s, const struct ht_prof *p)
{
	ht_select_init(&s->select, s->query, p);
	heaptree_init(&s->tree, p, s->query, s->threshold, s->depth);
}

static void
forget(struct snapshots *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->snapshot[i].tree);
	s->n = 0;
}

void
snapshots_release(struct snapshots *s)
{
	forget(s);
	free(s->snapshot);
	free(s->chosen);
	ht_str_release(&s->command);
	ht_select_release(&s->select);
	heaptree_release(&s->tree);
}

/* --- what is live --------------------------------------------------------- */

static bool
is_chosen(struct snapshots *s, const struct ht_load_trace *trace, uint32_t cls)
{
	const struct ht_prof *p = trace->merge->p;

	HT_GROW(s->chosen, s->chosen_cap, (size_t)cls + 1);
	if (s->chosen[cls] == 0) {
		uint32_t row = ht_merge_row(trace->merge, cls);

		s->chosen[cls] =
		    ht_select_row(&s->select, &p->row[row - 1]) ? 2 : 1;
	}
	return s->chosen[cls] == 2;
}

/* The tree of what classes hold: at the peak, or now. Its total. */
static uint64_t
make_tree(struct snapshots *s, const struct ht_load_trace *trace,
    const struct ht_class *cls, size_t ncls, bool peak, char **text)
{
	const struct ht_prof *p = trace->merge->p;
	struct ht_str out = {0};
	uint64_t total = 0;
	uint32_t i;

	heaptree_begin(&s->tree);
	for (i = 0; i < ncls; i++) {
		uint64_t blocks = peak ? cls[i].peak : cls[i].live;
		uint64_t bytes = ht_times(blocks, cls[i].size);
		uint32_t row;

		if (bytes == 0 || !is_chosen(s, trace, i))
			continue;
		row = ht_merge_row(trace->merge, i);
		heaptree_add(&s->tree, &p->row[row - 1], bytes);
		ht_plus(&total, bytes);
	}
	*text = NULL;
	if (total) {
		heaptree_write(&s->tree, trace->merge, &out);
		*text = out.data;
	}
	return total;
}

static void
make_detailed(struct snapshots *s, const struct ht_load_trace *trace,
    struct snapshot *snapshot)
{
	make_tree(
	    s, trace, trace->t->cls, trace->t->ncls, false, &snapshot->tree);
}

/* --- when ------------------------------------------------------------------
 */

static uint64_t
time_now(const struct snapshots *s, const struct ht_load_trace *trace)
{
	const struct ht_window *w = trace->window;
	uint64_t ms = trace->t->ms;

	if (s->unit == TIME_BYTES)
		return s->moved;
	if (s->unit == TIME_EVENTS)
		return s->events;
	/* The clock ticks: it is first seen behind the window's start or end.
	 */
	if (w && s->state == AHEAD && ms > w->from)
		return w->from;
	return w && ms > w->to ? w->to : ms;
}

/* Every detailed_freq-th is detailed; as many less now as there are less. */
static void
thin_detailed(struct snapshots *s)
{
	size_t i, since = 0;

	for (i = 0; i < s->n; i++) {
		struct snapshot *x = &s->snapshot[i];

		since++;
		if (x->tree == NULL)
			continue;
		if (since < s->detailed_freq) {
			free(x->tree);
			x->tree = NULL;
		} else {
			since = 0;
		}
	}
}

/* Doubles the interval; one stays of those in the same, the first or the
 * first detailed one. The start stays as well. */
static void
widen(struct snapshots *s)
{
	size_t i, n = 1;

	s->interval *= 2;
	for (i = 1; i < s->n; i++) {
		struct snapshot *x = &s->snapshot[i], *last = x;

		if (n > 1)
			last = &s->snapshot[n - 1];
		if (n == 1 ||
		    last->time / s->interval != x->time / s->interval) {
			s->snapshot[n++] = *x;
		} else if (last->tree == NULL && x->tree) {
			*last = *x;
		} else {
			free(x->tree);
		}
	}
	s->n = n;
	thin_detailed(s);
}

static size_t
since_detailed(const struct snapshots *s)
{
	size_t n = 0;

	while (n < s->n && s->snapshot[s->n - 1 - n].tree == NULL)
		n++;
	return n;
}

static struct snapshot *
add_snapshot(struct snapshots *s, uint64_t time)
{
	HT_GROW(s->snapshot, s->cap, s->n + 1);
	s->snapshot[s->n] =
	    (struct snapshot){.time = time, .event = s->seen, .bytes = s->live};
	return &s->snapshot[s->n++];
}

static void
take(struct snapshots *s, const struct ht_load_trace *trace, uint64_t time)
{
	while (s->n >= s->max - EXTRA && s->interval < UINT64_MAX / 4)
		widen(s);
	s->next = (time / s->interval + 1) * s->interval;
	/* It may now be too close itself. */
	if (s->n > 1 && s->snapshot[s->n - 1].time >= s->next - s->interval)
		return;
	add_snapshot(s, time);
	if (since_detailed(s) >= s->detailed_freq)
		make_detailed(s, trace, &s->snapshot[s->n - 1]);
}

/* The last one is detailed: what is left at the end is of interest. */
static void
take_last(struct snapshots *s, const struct ht_load_trace *trace)
{
	uint64_t time = time_now(s, trace);
	struct snapshot *last = &s->snapshot[s->n - 1];

	if (last->event != s->seen || last->time != time)
		last = add_snapshot(s, time);
	if (last->tree == NULL)
		make_detailed(s, trace, last);
	s->state = OVER;
}

/* --- events -----------------------------------------------------------------
 */

static void
begin_trace(struct snapshots *s)
{
	forget(s);
	s->state = AHEAD;
	s->events = s->moved = s->seen = s->live = 0;
	s->interval = 1;
	s->epoch = 0;
	if (s->chosen_cap)
		memset(s->chosen, 0, s->chosen_cap);
}

/* Raised by every new peak of what is reported. */
static uint64_t
epoch_now(const struct snapshots *s, const struct ht_load_trace *trace)
{
	uint64_t epoch;

	ht_query_live(s->select.q, trace->cost, trace->t, &epoch);
	return epoch;
}

static void
count(struct snapshots *s, const struct ht_load_trace *trace,
    const struct ht_event *ev)
{
	uint64_t size = trace->t->cls[ev->cls].size;
	bool chosen = is_chosen(s, trace, ev->cls);

	/* Time goes on with what the heap does, as massif has it. */
	if (trace->t->cls[ev->cls].other && s->select.heap_only)
		return;
	s->seen++;
	if (ev->kind != HT_EV_UNFREE) {
		s->events++;
		s->moved += size;
	}
	if (chosen)
		s->live += ev->kind == HT_EV_FREE ? -size : size;
}

/* Begins with what is live where the window does. */
static void
start(struct snapshots *s, const struct ht_load_trace *trace)
{
	uint64_t time = time_now(s, trace);

	s->state = RUNNING;
	s->epoch = epoch_now(s, trace);
	s->peak_time = time;
	s->peak_event = s->seen;
	add_snapshot(s, time);
	s->next = time + 1;
}

static void
run_on(struct snapshots *s, const struct ht_load_trace *trace)
{
	uint64_t time = time_now(s, trace), epoch = epoch_now(s, trace);

	if (epoch != s->epoch) {
		s->epoch = epoch;
		s->peak_time = time;
		s->peak_event = s->seen;
	}
	if (time >= s->next)
		take(s, trace, time);
}

void
snapshots_event(
    void *arg, const struct ht_load_trace *trace, const struct ht_event *ev)
{
	struct snapshots *s = arg;
	const struct ht_window *w = trace->window;

	if (s->kept || (s->wanted && s->wanted != s->traces + 1))
		return;
	if (ev->kind == HT_EV_VERSION)
		begin_trace(s);
	if (ev->kind <= HT_EV_UNFREE)
		count(s, trace, ev);
	if (ev->kind == HT_EV_ATTACHED) {
		/* Totals start here, with nothing. */
		forget(s);
		s->live = 0;
		s->state = AHEAD;
	}
	if (s->state == AHEAD && (w == NULL || w->state == HT_WINDOW_OPEN))
		start(s, trace);
	else if (s->state == RUNNING &&
		 (ev->kind == HT_EV_END || (w && w->state == HT_WINDOW_SHUT)))
		take_last(s, trace);
	else if (s->state == RUNNING)
		run_on(s, trace);
}

/* --- the end
 * ------------------------------------------------------------------ */

static bool
is_after_peak(const struct snapshots *s, const struct snapshot *x)
{
	if (x->event != s->peak_event)
		return x->event > s->peak_event;
	return x->time > s->peak_time;
}

/* Puts the peak among the others; one of the same moment becomes it. */
static void
insert_peak(struct snapshots *s, const struct snapshot *peak)
{
	size_t i = s->n;

	while (i > 0 && is_after_peak(s, &s->snapshot[i - 1]))
		i--;
	if (i > 0 && s->snapshot[i - 1].event == peak->event &&
	    s->snapshot[i - 1].time == peak->time) {
		free(s->snapshot[i - 1].tree);
		s->snapshot[i - 1] = *peak;
		return;
	}
	HT_GROW(s->snapshot, s->cap, s->n + 1);
	memmove(s->snapshot + i + 1, s->snapshot + i,
	    (s->n - i) * sizeof *s->snapshot);
	s->snapshot[i] = *peak;
	s->n++;
}

static void
keep_header(struct snapshots *s, const struct ht_tables *t)
{
	uint32_t command = t->command ? t->command : t->exe;

	heaptree_safe(&s->command, ht_intern_get(&t->text, command),
	    ht_intern_len(&t->text, command));
	s->lost = t->lost;
	s->truncated = t->end == HT_END_TRUNCATED;
	s->attached = t->attached;
	s->sampled = t->sampled != 0;
}

void
snapshots_end(void *arg, const struct ht_load_trace *trace,
    const struct ht_class *cls, size_t ncls)
{
	struct snapshots *s = arg;
	struct snapshot peak = {0};

	s->traces++;
	if (s->kept || (s->wanted && s->wanted != s->traces))
		return;
	/* A run that was over before the window. */
	if (s->n == 0)
		add_snapshot(s, time_now(s, trace));
	peak.bytes = make_tree(s, trace, cls, ncls, true, &peak.tree);
	if (peak.bytes) {
		peak.peak = true;
		peak.time = s->peak_time;
		peak.event = s->peak_event;
		insert_peak(s, &peak);
	}
	keep_header(s, trace->t);
	s->kept = true;
}
