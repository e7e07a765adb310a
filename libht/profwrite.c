/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "libht/evwrite.h"
#include "libht/mem.h"
#include "libht/profwrite.h"

/* What is written, in the order it is written in. Ranks are the ids of the
 * file: rank[id] of an id of the profile, 0 for what is not needed; order[]
 * has the ids by rank. */
struct ranks {
	uint32_t *rank, *order;
	size_t n;
};

struct writer {
	struct ht_out *out;
	const struct ht_prof *p;
	struct ranks text, frame, stack;
	uint32_t *row; /* indices, by stack, kind, thread and size */
	size_t nrow;
	uint64_t lines;
};

/* --- what is needed ---------------------------------------------------------
 */

static void
ranks_init(struct ranks *r, size_t n)
{
	r->rank = ht_calloc(n + 1, sizeof *r->rank);
	r->order = ht_calloc(n + 1, sizeof *r->order);
}

static void
ranks_release(struct ranks *r)
{
	free(r->rank);
	free(r->order);
}

/* True the first time. */
static bool
need(struct ranks *r, uint32_t id)
{
	if (id == 0 || r->rank[id])
		return false;
	r->rank[id] = 1;
	r->order[r->n++] = id;
	return true;
}

static void
need_frame(struct writer *w, uint32_t id)
{
	const struct ht_frame *f;
	uint32_t i;

	if (!need(&w->frame, id))
		return;
	f = &w->p->frame[id - 1];
	need(&w->text, f->module);
	for (i = f->first; i < f->first + f->count; i++) {
		need(&w->text, w->p->fn[i].function);
		need(&w->text, w->p->fn[i].file);
	}
}

static void
find_needed(struct writer *w)
{
	const struct ht_prof *p = w->p;
	uint32_t i, id;

	for (i = 0; i < p->nkind; i++)
		need(&w->text, p->kind[i].name);
	for (i = 0; i < p->nrow; i++) {
		const struct ht_prof_row *row = &p->row[i];

		if (row->allocs == 0 && row->peak == 0 && row->leaked == 0 &&
		    row->life.n == 0)
			continue;
		w->row[w->nrow++] = i;
		need(&w->text, row->thread);
		need(&w->text, row->kind);
		for (id = row->stack; need(&w->stack, id);
		     id = p->stack[id - 1].parent)
			need_frame(w, p->stack[id - 1].frame);
	}
}

/* --- sorting ----------------------------------------------------------------
 */

static int
compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int
compare_texts(const struct ht_intern *t, uint32_t a, uint32_t b)
{
	size_t m = ht_intern_len(t, a), n = ht_intern_len(t, b);
	int c = memcmp(ht_intern_get(t, a), ht_intern_get(t, b), m < n ? m : n);

	return c ? c : compare_numbers(m, n);
}

static int
by_text(const void *a, const void *b, void *arg)
{
	const struct writer *w = arg;
	const uint32_t *x = a, *y = b;

	return compare_texts(&w->p->text, *x, *y);
}

/* Texts have their ranks by now. */
static int
by_frame(const void *a, const void *b, void *arg)
{
	const struct writer *w = arg;
	const uint32_t *rank = w->text.rank;
	const struct ht_frame *x = &w->p->frame[*(const uint32_t *)a - 1];
	const struct ht_frame *y = &w->p->frame[*(const uint32_t *)b - 1];
	int c = compare_numbers(rank[x->module], rank[y->module]);
	uint32_t i;

	if (c == 0)
		c = compare_numbers(x->symbolised, y->symbolised);
	if (c == 0)
		c = compare_numbers(x->offset, y->offset);
	for (i = 0; c == 0 && i < x->count && i < y->count; i++) {
		const struct ht_frame_fn *f = &w->p->fn[x->first + i];
		const struct ht_frame_fn *g = &w->p->fn[y->first + i];

		c = compare_numbers(rank[f->function], rank[g->function]);
		if (c == 0)
			c = compare_numbers(rank[f->file], rank[g->file]);
		if (c == 0)
			c = compare_numbers(f->line, g->line);
	}
	return c ? c : compare_numbers(x->count, y->count);
}

/* Stacks under their parents, the first frame last, as they are taken off a
 * pile. */
static int
by_parent(const void *a, const void *b, void *arg)
{
	const struct writer *w = arg;
	const struct ht_stack *x = &w->p->stack[*(const uint32_t *)a - 1];
	const struct ht_stack *y = &w->p->stack[*(const uint32_t *)b - 1];
	int c = compare_numbers(x->parent, y->parent);

	return c ? c
		 : compare_numbers(
		       w->frame.rank[y->frame], w->frame.rank[x->frame]);
}

static int
by_row(const void *a, const void *b, void *arg)
{
	const struct writer *w = arg;
	const struct ht_prof_row *x = &w->p->row[*(const uint32_t *)a];
	const struct ht_prof_row *y = &w->p->row[*(const uint32_t *)b];
	int c =
	    compare_numbers(w->stack.rank[x->stack], w->stack.rank[y->stack]);

	if (c == 0)
		c = compare_numbers(
		    w->text.rank[x->kind], w->text.rank[y->kind]);
	if (c == 0)
		c = compare_numbers(
		    w->text.rank[x->thread], w->text.rank[y->thread]);
	if (c == 0)
		c = compare_numbers(x->size, y->size);
	return c ? c : compare_numbers(x->sampled, y->sampled);
}

static void
sort(struct writer *w, struct ranks *r,
    int (*compare)(const void *, const void *, void *))
{
	size_t i;

	qsort_r(r->order, r->n, sizeof *r->order, compare, w);
	for (i = 0; i < r->n; i++)
		r->rank[r->order[i]] = (uint32_t)(i + 1);
}

/* A parent before its children, each with all that is below it before the
 * next, so that most lines follow upon their parent's. */
static void
sort_stacks(struct writer *w)
{
	struct ranks *r = &w->stack;
	uint32_t *child = ht_malloc((r->n + 1) * sizeof *child);
	uint32_t *pile = ht_malloc((r->n + 1) * sizeof *pile);
	/* child[start[id]] …: the children of a stack, start[id + 1] ends. */
	uint32_t *start = ht_calloc(w->p->nstack + 2, sizeof *start);
	size_t i, n = 0, done = 0;

	qsort_r(r->order, r->n, sizeof *r->order, by_parent, w);
	if (r->n)
		memcpy(child, r->order, r->n * sizeof *child);
	for (i = 0; i < r->n; i++)
		start[w->p->stack[child[i] - 1].parent + 1]++;
	for (i = 1; i <= w->p->nstack + 1; i++)
		start[i] += start[i - 1];
	for (i = start[0]; i < start[1]; i++)
		pile[n++] = child[i];
	while (n > 0) {
		uint32_t id = pile[--n];

		r->order[done++] = id;
		r->rank[id] = (uint32_t)done;
		for (i = start[id]; i < start[id + 1]; i++)
			pile[n++] = child[i];
	}
	free(child);
	free(pile);
	free(start);
}

static void
put_in_order(struct writer *w)
{
	const struct ht_prof *p = w->p;

	ranks_init(&w->text, p->text.count);
	ranks_init(&w->frame, p->nframe);
	ranks_init(&w->stack, p->nstack);
	w->row = ht_malloc((p->nrow + 1) * sizeof *w->row);
	find_needed(w);
	sort(w, &w->text, by_text);
	sort(w, &w->frame, by_frame);
	sort_stacks(w);
	qsort_r(w->row, w->nrow, sizeof *w->row, by_row, w);
}

/* --- lines of the whole ------------------------------------------------------
 */

static void
put_line(struct writer *w, const char *kind, unsigned n, uint64_t a, uint64_t b,
    uint64_t c)
{
	ht_evwrite_line(w->out, kind, n, a, b, c, 0);
	w->lines++;
}

static void
put_text(struct writer *w, const struct ht_intern *t, uint32_t id)
{
	ht_out_sized(
	    w->out, ht_intern_get(t, id), ht_intern_len(t, id), HT_TEXT_MAX);
}

static void
put_totals(struct writer *w)
{
	const struct ht_prof *p = w->p;

	put_line(w, "n", 3, p->traces, p->truncated, p->attached);
	w->out->p--;
	ht_evwrite_line(w->out, "", 2, p->sampled, p->overflow, 0, 0);
	put_line(w, "r", 2, p->runtime_ms, p->longest_ms, 0);
	put_line(w, "p", 2, p->largest_peak, p->peak_ms, 0);
	put_line(w, "R", 2, p->peak_rss, p->own_rss, 0);
	if (p->explained.rss) {
		w->out->p--;
		ht_evwrite_line(w->out, "", 3, p->explained.rss,
		    p->explained.heap, p->explained.maps, 0);
	}
	put_line(w, "L", 3, p->lost, p->unseen, p->missed);
	put_line(w, "P", 2, p->first_start, p->last_start, 0);
}

static int
by_origin(const void *a, const void *b, void *arg)
{
	const struct writer *w = arg;
	const struct ht_prof_origin *x = a, *y = b;
	int c = compare_texts(&w->p->text, x->command, y->command);

	if (c == 0)
		c = compare_texts(&w->p->text, x->tool, y->tool);
	if (c == 0)
		c = compare_numbers(x->end, y->end);
	return c ? c : compare_numbers(x->end_value, y->end_value);
}

static void
put_origins(struct writer *w)
{
	static const char *const how[] = {"none", "truncated", "exit", "signal",
	    "exec", "detached", "stopped"};
	const struct ht_prof *p = w->p;
	struct ht_prof_origin *o = ht_malloc((p->norigin + 1) * sizeof *o);
	size_t i;

	if (p->norigin)
		memcpy(o, p->origin, p->norigin * sizeof *o);
	qsort_r(o, p->norigin, sizeof *o, by_origin, w);
	for (i = 0; i < p->norigin; i++) {
		put_line(w, "O", 1, o[i].traces, 0, 0);
		w->out->p[-1] = ' ';
		put_text(w, &p->text, o[i].tool);
		ht_out_char(w->out, ' ');
		put_text(w, &p->text, o[i].command);
		ht_out_printf(w->out, " %s", how[o[i].end]);
		if (o[i].end == HT_END_EXIT || o[i].end == HT_END_SIGNAL) {
			ht_out_char(w->out, ' ');
			ht_out_hex(w->out, o[i].end_value);
		}
		ht_out_char(w->out, '\n');
	}
	free(o);
}

static int
by_suppression(const void *a, const void *b, void *arg)
{
	const struct writer *w = arg;
	const uint32_t *x = a, *y = b;

	return compare_texts(&w->p->suppression, *x, *y);
}

static void
put_suppressions(struct writer *w)
{
	const struct ht_intern *t = &w->p->suppression;
	uint32_t *id = ht_malloc((t->count + 1) * sizeof *id);
	size_t i;

	for (i = 0; i < t->count; i++)
		id[i] = (uint32_t)(i + 1);
	qsort_r(id, t->count, sizeof *id, by_suppression, w);
	for (i = 0; i < t->count; i++) {
		ht_evwrite_suppression(
		    w->out, ht_intern_get(t, id[i]), ht_intern_len(t, id[i]));
		w->lines++;
	}
	free(id);
}

static void
put_series(struct writer *w)
{
	const struct ht_series *s = &w->p->series;
	size_t i;

	if (s->n == 0)
		return;
	put_line(w, "c", 2, s->shift, s->n, 0);
	for (i = 0; i < s->n; i++) {
		const struct ht_bucket *b = &s->bucket[i];

		put_line(w, "b", 3, b->max, b->end, b->allocs);
		w->out->p--;
		ht_evwrite_line(w->out, "", 2, b->temporary, b->rss, 0, 0);
	}
}

static int
by_kind(const void *a, const void *b, void *arg)
{
	const struct writer *w = arg;
	const struct ht_prof_kind *x = a, *y = b;

	return compare_numbers(w->text.rank[x->name], w->text.rank[y->name]);
}

static void
put_kinds(struct writer *w)
{
	const struct ht_prof *p = w->p;
	struct ht_prof_kind *k = ht_malloc((p->nkind + 1) * sizeof *k);
	size_t i;

	if (p->nkind)
		memcpy(k, p->kind, p->nkind * sizeof *k);
	qsort_r(k, p->nkind, sizeof *k, by_kind, w);
	for (i = 0; i < p->nkind; i++)
		put_line(w, "K", 3, w->text.rank[k[i].name], k[i].largest_peak,
		    k[i].peak_ms);
	free(k);
}

/* --- stacks and their costs --------------------------------------------------
 */

static void
put_frame(struct writer *w, uint32_t id)
{
	const struct ht_frame *f = &w->p->frame[id - 1];
	const uint32_t *rank = w->text.rank;
	struct ht_frame_fn *fn;
	uint32_t i;

	w->lines++;
	if (!f->symbolised) {
		ht_evwrite_line(
		    w->out, "m", 2, f->offset, rank[f->module], 0, 0);
		return;
	}
	fn = ht_malloc((f->count + 1) * sizeof *fn);
	for (i = 0; i < f->count; i++) {
		fn[i] = w->p->fn[f->first + i];
		fn[i].function = rank[fn[i].function];
		fn[i].file = rank[fn[i].file];
	}
	ht_evwrite_frame(w->out, f->offset, rank[f->module], fn, f->count);
	free(fn);
}

/* ` <letter><number>`, unless it is 0. */
static void
put_more(struct ht_out *out, char letter, uint64_t v)
{
	if (v == 0)
		return;
	ht_out_need(out, 24);
	*out->p++ = ' ';
	*out->p++ = letter;
	out->p = ht_evwrite_hex(out->p, v);
}

static void
put_row(struct writer *w, const struct ht_prof_row *row)
{
	struct ht_out *out = w->out;
	unsigned i;

	put_line(w, "a", 2, row->size, row->allocs, 0);
	out->p--;
	put_more(out, 't', row->temporary);
	put_more(out, 'l', row->leaked);
	put_more(out, 'p', row->peak);
	put_more(out, 'w', row->others);
	put_more(out, 'r', row->rounding);
	put_more(out, 'R', row->rounding_leaked);
	put_more(out, 's', row->sampled);
	for (i = 0; i < HT_HIST_BUCKETS; i++) {
		uint64_t n = ht_hist_get(&row->life, i);

		if (n == 0)
			continue;
		ht_out_char(out, ' ');
		ht_out_hex(out, i);
		ht_out_char(out, ':');
		ht_out_hex(out, n);
	}
	ht_out_char(out, '\n');
}

/* The rows from w->row[*i] on that are of this stack, which is the last that
 * was written. Thread and kind are told where they change. */
static void
put_rows(struct writer *w, uint32_t stack, size_t *i, uint32_t *thread,
    uint32_t *kind)
{
	for (; *i < w->nrow; ++*i) {
		const struct ht_prof_row *row = &w->p->row[w->row[*i]];

		if (row->stack != stack)
			return;
		if (row->thread != *thread || row->kind != *kind) {
			*thread = row->thread;
			*kind = row->kind;
			put_line(w, "k", *kind ? 2 : 1, w->text.rank[*thread],
			    w->text.rank[*kind], 0);
		}
		put_row(w, row);
	}
}

static void
put_stacks(struct writer *w)
{
	uint32_t thread = 0, kind = 0, last = 0;
	size_t i, row = 0;

	put_rows(w, 0, &row, &thread, &kind);
	for (i = 0; i < w->stack.n; i++) {
		uint32_t id = w->stack.order[i];
		const struct ht_stack *s = &w->p->stack[id - 1];

		put_line(w, "t", s->parent == last ? 1 : 2,
		    w->frame.rank[s->frame], w->stack.rank[s->parent], 0);
		if (s->cut)
			put_line(w, "C", 0, 0, 0, 0);
		put_rows(w, id, &row, &thread, &kind);
		last = id;
	}
}

void
ht_profwrite(struct ht_out *out, const struct ht_prof *p)
{
	struct writer w = {.out = out, .p = p};
	size_t i;

	put_in_order(&w);
	ht_out_printf(out, "# ht-profile %d\n", HT_PROFILE_FORMAT);
	put_totals(&w);
	put_origins(&w);
	put_suppressions(&w);
	put_series(&w);
	for (i = 0; i < w.text.n; i++, w.lines++) {
		uint32_t id = w.text.order[i];

		ht_evwrite_string(out, ht_intern_get(&p->text, id),
		    ht_intern_len(&p->text, id));
	}
	put_kinds(&w);
	for (i = 0; i < w.frame.n; i++)
		put_frame(&w, w.frame.order[i]);
	put_stacks(&w);
	ht_evwrite_line(out, "E", 1, w.lines, 0, 0, 0);
	ranks_release(&w.text);
	ranks_release(&w.frame);
	ranks_release(&w.stack);
	free(w.row);
}
