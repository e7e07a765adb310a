/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random profiles: any order and grouping of merges gives the same; trees and
 * differences against sums over rows, path by path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libht/diff.h"
#include "libht/mem.h"
#include "libht/prof.h"
#include "libht/str.h"
#include "libht/tree.h"
#include "libht/weight.h"

static uint64_t seed;

static uint64_t
rnd(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

static uint32_t
text(struct ht_prof *p, const char *prefix, uint64_t n)
{
	char s[40];

	snprintf(s, sizeof s, "%s%llu", prefix, (unsigned long long)n);
	return ht_intern_add(&p->text, s, strlen(s), NULL);
}

static uint32_t
random_frame(struct ht_prof *p)
{
	struct ht_frame f = {.symbolised = true, .count = (uint32_t)rnd(4)};
	struct ht_frame_fn fn[3];
	uint32_t i;

	f.module = text(p, "m", rnd(2));
	if (f.count == 0) {
		f.symbolised = false;
		f.offset = rnd(3);
	}
	for (i = 0; i < f.count; i++)
		fn[i] = (struct ht_frame_fn){
		    text(p, "f", rnd(5)), text(p, "s", rnd(2)), 1};
	return ht_prof_frame(p, f, fn);
}

static void
random_series(struct ht_series *s, struct ht_prof *p)
{
	uint64_t ms = 0, n = rnd(30);

	for (; n > 0; n--) {
		struct ht_bucket *b;

		ms += rnd(rnd(5) ? 50 : 40000);
		b = ht_series_at(s, ms);
		b->end = rnd(1000);
		b->max = b->end + rnd(100);
		b->allocs += rnd(10);
		b->temporary += rnd(5);
		b->rss = rnd(10000);
	}
	p->runtime_ms = p->longest_ms = ms;
}

static void
random_profile(struct ht_prof *p)
{
	struct ht_prof_origin o = {.traces = 1, .end = HT_END_EXIT};
	uint64_t n = rnd(25);

	memset(p, 0, sizeof *p);
	while (n--) {
		uint32_t stack = 0, kind, id;
		uint64_t depth = rnd(6);
		struct ht_prof_row more = {.allocs = rnd(100),
		    .temporary = rnd(10),
		    .leaked = rnd(10),
		    .peak = rnd(20),
		    .others = rnd(5)};

		while (depth--)
			stack = ht_prof_stack(p, stack, random_frame(p));
		if (stack && rnd(9) == 0)
			p->stack[stack - 1].cut = 1;
		kind = rnd(5) ? 0 : text(p, "k", rnd(2));
		if (kind)
			ht_prof_kind(p, kind, rnd(5), rnd(100));
		id = ht_prof_row(p, stack, rnd(3),
		    rnd(3) ? text(p, "t", rnd(2)) : 0, kind,
		    rnd(3) ? 0 : UINT64_C(1024) << rnd(4));
		if (rnd(2))
			ht_hist_add(&more.life, (unsigned)rnd(65), rnd(99));
		ht_row_add(&p->row[id - 1], &more);
		ht_hist_release(&more.life);
	}
	ht_prof_sum(p);
	o.command = text(p, "c", rnd(2));
	o.end_value = rnd(2);
	ht_prof_origin(p, &o);
	random_series(&p->series, p);
	p->traces = 1;
	p->largest_peak = rnd(5);
	p->peak_ms = rnd(100);
	p->peak_rss = rnd(100);
	p->lost = rnd(3);
	p->first_start = p->last_start = rnd(3);
	if (rnd(2))
		ht_intern_add(&p->suppression, "leak:x", 6, NULL);
}

/* --- what is in a profile, as sorted text -----------------------------------
 */

static const char *
name(const struct ht_prof *p, uint32_t id)
{
	return id ? ht_intern_get(&p->text, id) : "-";
}

/* Innermost first: `f1,f2;m0+2`. */
static void
put_stack(struct ht_str *s, const struct ht_prof *p, uint32_t id)
{
	for (; id; id = p->stack[id - 1].parent) {
		const struct ht_frame *f =
		    &p->frame[p->stack[id - 1].frame - 1];
		uint32_t i;

		for (i = f->first; i < f->first + f->count; i++)
			ht_str_addf(s, "%s(%s:%u)", name(p, p->fn[i].function),
			    name(p, p->fn[i].file), p->fn[i].line);
		ht_str_addf(s, "%s+%llu%s;", name(p, f->module),
		    (unsigned long long)f->offset,
		    p->stack[id - 1].cut ? "!" : "");
	}
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
put_row(struct ht_str *s, const struct ht_prof *p, const struct ht_prof_row *r)
{
	unsigned b;

	ht_str_addf(s, "%llu %s %s | %llu %llu %llu %llu %llu |",
	    (unsigned long long)r->size, name(p, r->thread), name(p, r->kind),
	    (unsigned long long)r->allocs, (unsigned long long)r->temporary,
	    (unsigned long long)r->leaked, (unsigned long long)r->peak,
	    (unsigned long long)r->others);
	for (b = 0; b < HT_HIST_BUCKETS; b++)
		if (ht_hist_get(&r->life, b))
			ht_str_addf(s, " %u:%llu", b,
			    (unsigned long long)ht_hist_get(&r->life, b));
	ht_str_addz(s, " | ");
	put_stack(s, p, r->stack);
}

static void
put_header(struct ht_str *s, const struct ht_prof *p)
{
	const uint64_t v[] = {p->traces, p->sum.allocs, p->sum.bytes,
	    p->sum.peak, p->sum.leaked, p->runtime_ms, p->longest_ms,
	    p->largest_peak, p->peak_ms, p->peak_rss, p->lost, p->first_start,
	    p->last_start, p->suppression.count, p->series.shift, p->series.n};
	size_t i;

	for (i = 0; i < HT_LEN(v); i++)
		ht_str_addf(s, "%llu ", (unsigned long long)v[i]);
	for (i = 0; i < p->series.n; i++) {
		const struct ht_bucket *b = &p->series.bucket[i];

		ht_str_addf(s, "\n%llu %llu %llu %llu %llu",
		    (unsigned long long)b->max, (unsigned long long)b->end,
		    (unsigned long long)b->allocs,
		    (unsigned long long)b->temporary,
		    (unsigned long long)b->rss);
	}
}

static char *
dump(const struct ht_prof *p)
{
	size_t n = p->nrow + p->norigin, i;
	char **line = ht_calloc(n + 1, sizeof *line);
	struct ht_str all = {0};

	for (i = 0; i < n; i++) {
		struct ht_str s = {0};

		if (i < p->nrow) {
			put_row(&s, p, &p->row[i]);
		} else {
			const struct ht_prof_origin *o =
			    &p->origin[i - p->nrow];

			ht_str_addf(&s, "origin %s %llu %llu",
			    name(p, o->command),
			    (unsigned long long)o->end_value,
			    (unsigned long long)o->traces);
		}
		line[i] = s.data;
	}
	qsort(line, n, sizeof *line, compare);
	for (i = 0; i < n; i++) {
		ht_str_addf(&all, "%s\n", line[i]);
		free(line[i]);
	}
	free(line);
	put_header(&all, p);
	return all.data;
}

static void
merges_in_any_order(void **state)
{
	int round, i;

	(void)state;
	for (round = 1; round <= 300; round++) {
		struct ht_prof a[4], left = {0}, right = {0}, pair = {0};
		char *x, *y;

		seed = (uint64_t)round * 104729;
		for (i = 0; i < 4; i++)
			random_profile(&a[i]);
		for (i = 0; i < 4; i++)
			ht_prof_add(&left, &a[i]);
		/* d + ((c + a) + b) */
		ht_prof_add(&pair, &a[2]);
		ht_prof_add(&pair, &a[0]);
		ht_prof_add(&right, &a[3]);
		ht_prof_add(&pair, &a[1]);
		ht_prof_add(&right, &pair);
		x = dump(&left);
		y = dump(&right);
		assert_string_equal(x, y);
		free(x);
		free(y);
		for (i = 0; i < 4; i++)
			ht_prof_release(&a[i]);
		ht_prof_release(&left);
		ht_prof_release(&right);
		ht_prof_release(&pair);
	}
}

/* --- trees
 * -------------------------------------------------------------------- */

#define DEPTH 32

/* A row's whole backtrace: what a place reads as by function, innermost
 * first. */
static size_t
backtrace(const struct ht_prof *p, uint32_t stack, char out[DEPTH][40])
{
	size_t n = 0;

	for (; stack; stack = p->stack[stack - 1].parent) {
		const struct ht_frame *f =
		    &p->frame[p->stack[stack - 1].frame - 1];
		uint32_t i;

		for (i = f->first; i < f->first + f->count; i++)
			snprintf(out[n++], 40, "%s/%s", name(p, f->module),
			    name(p, p->fn[i].function));
		if (f->count == 0)
			snprintf(out[n++], 40, "%s+%llu", name(p, f->module),
			    (unsigned long long)f->offset);
	}
	return n;
}

static bool
is_cut(const struct ht_prof *p, uint32_t stack)
{
	for (; stack; stack = p->stack[stack - 1].parent)
		if (p->stack[stack - 1].cut)
			return true;
	return false;
}

static size_t
whole(const struct ht_prof *p, uint32_t stack, char out[DEPTH][40])
{
	size_t n = backtrace(p, stack, out);

	if (n == 0)
		strcpy(out[n++], "?");
	if (is_cut(p, stack))
		strcpy(out[n++], "cut");
	return n;
}

static bool
is_target(const char *place)
{
	const char *f = strchr(place, '/');

	return f && strcmp(f, "/f1") == 0;
}

/* The path that the row has in a tree: `a;b;c;`, or nothing. */
static void
path_of(struct ht_str *s, const struct ht_prof *p, uint32_t stack,
    enum ht_direction d)
{
	char place[DEPTH][40];
	size_t n = whole(p, stack, place), i, from = 0, to = n;

	ht_str_clear(s);
	ht_str_addz(s, ";");
	if (d == HT_TREE_FLAT)
		to = 1;
	if (d == HT_TREE_CALLERS)
		while (from < n && !is_target(place[from]))
			from++;
	if (d == HT_TREE_CALLEES)
		while (to > 0 && !is_target(place[to - 1]))
			to--;
	if (d == HT_TREE_TOP_DOWN || d == HT_TREE_CALLEES)
		for (i = to; i > from; i--)
			ht_str_addf(s, "%s;", place[i - 1]);
	else
		for (i = from; i < to; i++)
			ht_str_addf(s, "%s;", place[i]);
}

static void
node_path(struct ht_str *s, const struct ht_tree *t, uint32_t id)
{
	const struct ht_prof *p = t->walk->p;
	struct ht_place place;

	if (id == 0) {
		ht_str_clear(s);
		ht_str_addz(s, ";");
		return;
	}
	node_path(s, t, t->node[id - 1].parent);
	place = ht_place(p, t->node[id - 1].place);
	if (!place.known)
		ht_str_addz(s, place.cut ? "cut;" : "?;");
	else if (place.function)
		ht_str_addf(s, "%s/%s;", name(p, place.module),
		    name(p, place.function));
	else
		ht_str_addf(s, "%s+%llu;", name(p, place.module),
		    (unsigned long long)place.offset);
}

/* The allocations that a row stands for, in 2^-32. */
static uint64_t
allocations(const struct ht_prof_row *row)
{
	return row->sampled
		   ? row->allocs * ht_weight(row->size, row->sampled).blocks
		   : row->allocs << 32;
}

static uint64_t
sum_below(const struct ht_prof *p, const struct ht_prof_row *row,
    const char *prefix, enum ht_direction d, bool exactly)
{
	struct ht_str s = {0};
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < p->nrow; i++) {
		path_of(&s, p, row[i].stack, d);
		if (s.len > 1 && strncmp(s.data, prefix, strlen(prefix)) == 0 &&
		    (!exactly || strlen(prefix) == s.len))
			sum += allocations(&row[i]);
	}
	ht_str_release(&s);
	return sum >> 32;
}

static void
check_tree(const struct ht_diff *d, enum ht_direction direction)
{
	struct ht_pattern f1;
	struct ht_walk walk;
	struct ht_tree t;
	struct ht_str path = {0};
	uint64_t all = 0, roots = 0, rests = 0;
	uint32_t id;

	assert_int_equal(ht_pattern_init(&f1, "f1", NULL), 0);
	ht_walk_init(&walk, &d->both, NULL, true);
	ht_tree_init(&t, &walk, HT_BY_FUNCTION, direction, &f1);
	ht_tree_add(&t, d->both.row, d->both.nrow, false);
	ht_tree_add(&t, d->base, d->both.nrow, true);
	for (id = 1; id <= t.nnode; id++) {
		const struct ht_node *n = &t.node[id - 1];

		node_path(&path, &t, id);
		assert_int_equal(
		    n->sum.allocs, sum_below(&d->both, d->both.row, path.data,
				       direction, false));
		assert_int_equal(
		    n->self.allocs, sum_below(&d->both, d->both.row, path.data,
					direction, true));
		assert_int_equal(n->base.allocs,
		    sum_below(&d->both, d->base, path.data, direction, false));
		assert_int_equal(n->base_self.allocs,
		    sum_below(&d->both, d->base, path.data, direction, true));
	}
	for (id = t.root; id; id = t.node[id - 1].sibling)
		roots += t.node[id - 1].sum.allocs,
		    rests += t.node[id - 1].sum.rest.allocs;
	all = sum_below(&d->both, d->both.row, ";", direction, false);
	assert_int_equal(roots + (rests >> 32), all);
	ht_str_release(&path);
	ht_tree_release(&t);
	ht_walk_release(&walk);
	ht_pattern_release(&f1);
}

static void
trees(void **state)
{
	int round, i;

	(void)state;
	for (round = 1; round <= 60; round++) {
		struct ht_prof a, b;
		struct ht_diff d;
		uint64_t sum = 0, base = 0;

		seed = (uint64_t)round * 7919;
		random_profile(&a);
		random_profile(&b);
		ht_diff_make(&d, &a, &b);
		for (i = 0; (size_t)i < d.both.nrow; i++) {
			sum += allocations(&d.both.row[i]);
			base += allocations(&d.base[i]);
		}
		assert_int_equal(sum >> 32, b.sum.allocs);
		assert_int_equal(base >> 32, a.sum.allocs);
		for (i = HT_TREE_FLAT; i <= HT_TREE_CALLEES; i++)
			check_tree(&d, (enum ht_direction)i);
		ht_diff_release(&d);
		ht_prof_release(&a);
		ht_prof_release(&b);
	}
}

/* A profile and itself differ in nothing. */
static void
no_difference(void **state)
{
	struct ht_prof a;
	struct ht_diff d;
	size_t i;

	(void)state;
	seed = 4711;
	random_profile(&a);
	ht_diff_make(&d, &a, &a);
	assert_int_equal(d.both.nrow, a.nrow);
	for (i = 0; i < a.nrow; i++)
		assert_int_equal(
		    ht_diff(d.base[i].allocs, d.both.row[i].allocs), 0);
	ht_diff_release(&d);
	ht_prof_release(&a);
	assert_int_equal(ht_diff(5, 3), -2);
	assert_int_equal(ht_diff(3, 5), 2);
	assert_true(ht_diff(UINT64_MAX, 0) == INT64_MIN);
	assert_true(ht_diff(0, UINT64_MAX) == INT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(merges_in_any_order),
	    cmocka_unit_test(trees),
	    cmocka_unit_test(no_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
