/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random streams, written, read and costed, against a brute-force replay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "libht/cost.h"
#include "libht/evread.h"
#include "libht/evwrite.h"
#include "libht/prof.h"

#define CLASSES 40
#define STACKS	12
#define KINDS	3
#define MS	60000 /* no trace is longer */

/* One trace, replayed the slow way: at each new maximum everything is copied.
 */
struct model {
	size_t n;
	uint64_t size[CLASSES];
	uint32_t stack[CLASSES];
	uint64_t blocks[CLASSES], allocs[CLASSES], temporary[CLASSES];
	uint64_t peak[CLASSES];
	bool undo_temporary[CLASSES];
	uint64_t age[CLASSES][HT_HIST_BUCKETS], others[CLASSES];
	uint64_t undo_age[CLASSES];
	bool undo_other[CLASSES];
	/* Of each ms, carried into the buckets of a series at the end. */
	uint64_t high[MS], live[MS], allocs_at[MS];
	uint64_t now[KINDS], max[KINDS], ms, max_ms[KINDS]; /* 0: the heap */
	uint32_t kind[CLASSES];
	long last;
};

static const char *const names[KINDS] = {"heap", "mmap", "pool"};
static uint64_t seed;

static uint64_t
rnd(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

static void
up(struct model *m, size_t c)
{
	uint32_t kind = m->kind[c];
	size_t i;

	m->blocks[c]++;
	m->now[kind] += m->size[c];
	if (m->now[0] > m->high[m->ms])
		m->high[m->ms] = m->now[0];
	if (m->now[kind] <= m->max[kind])
		return;
	m->max[kind] = m->now[kind];
	m->max_ms[kind] = m->ms;
	for (i = 0; i < m->n; i++)
		if (m->kind[i] == kind)
			m->peak[i] = m->blocks[i];
}

static void
one_event(struct model *m, struct ht_out *out)
{
	size_t c = rnd(m->n);
	bool rule, temporary;
	uint64_t what = rnd(100);

	if (what < 2) {
		uint64_t ms = m->ms + rnd(rnd(4) ? 30 : 9000);

		for (; m->ms < ms && m->ms < MS - 1; m->high[m->ms] = *m->now)
			m->live[m->ms++] = *m->now;
		ht_evwrite_time(out, m->ms);
		return;
	}
	if (what < 52) {
		m->allocs[c]++;
		m->allocs_at[m->ms] += m->kind[c] == 0;
		up(m, c);
		m->last = (long)c;
		ht_evwrite_alloc(out, (uint32_t)c, rnd(9) ? 0 : rnd(1 << 30));
		return;
	}
	if (what < 55 && m->blocks[c] < m->allocs[c]) {
		m->temporary[c] -= m->undo_temporary[c];
		m->undo_temporary[c] = false;
		if (m->undo_age[c])
			m->age[c][ht_hist_bucket(m->undo_age[c])]--;
		m->others[c] -= m->undo_other[c];
		m->undo_age[c] = m->undo_other[c] = 0;
		m->last = -1;
		up(m, c);
		ht_evwrite_unfree(
		    out, (uint32_t)c, rnd(2) ? 0 : 1 + rnd(1 << 30));
		return;
	}
	if (what < 80 && m->last >= 0)
		c = (size_t)m->last;
	if (m->blocks[c] == 0)
		return;
	rule = m->last == (long)c;
	temporary = rnd(4) ? rule : !rule;
	m->blocks[c]--;
	m->now[m->kind[c]] -= m->size[c];
	m->temporary[c] += temporary;
	m->undo_temporary[c] = temporary;
	m->last = -1;
	m->undo_age[c] = rnd(3) ? 0 : rnd(1 << 20);
	m->undo_other[c] = rnd(5) == 0;
	if (m->undo_age[c])
		m->age[c][ht_hist_bucket(m->undo_age[c])]++;
	m->others[c] += m->undo_other[c];
	ht_evwrite_free(out, (uint32_t)c, m->undo_age[c], m->undo_other[c],
	    temporary == rule ? HT_TEMP_RULE
	    : temporary	      ? HT_TEMP_YES
			      : HT_TEMP_NO,
	    rnd(9) ? 0 : rnd(1 << 30));
}

static void
write_trace(struct model *m, struct ht_out *out, size_t events, enum ht_end end)
{
	uint32_t kind[STACKS];
	size_t i;

	memset(m, 0, sizeof *m);
	m->last = -1;
	ht_evwrite_version(out, 0x100);
	ht_evwrite_tool(out, "ht-record 0.1.0", NULL);
	ht_evwrite_exe(out, "/bin/x", 6);
	for (i = 0; i < STACKS; i++) {
		ht_evwrite_stack(out, 0x1000 + i, (uint32_t)rnd(i + 1));
		kind[i] = rnd(3) ? 0 : (uint32_t)rnd(KINDS);
		if (kind[i])
			ht_evwrite_kind(
			    out, (uint32_t)i + 1, names[kind[i]], 4);
	}
	for (i = 0; i < CLASSES; i++) {
		m->size[i] = rnd(5) ? rnd(5000) : 0;
		m->stack[i] = 1 + (uint32_t)rnd(STACKS);
		m->kind[i] = kind[m->stack[i] - 1];
		ht_evwrite_class(out, m->size[i], m->stack[i], 1, 0);
	}
	m->n = CLASSES;
	for (i = 0; i < events; i++)
		one_event(m, out);
	ht_evwrite_end(out, end, 0);
}

/* Every bucket of the series is what the ms in it say. */
static void
check_series(const struct model *m, const struct ht_series *s)
{
	uint64_t i, k;

	assert_int_equal(s->n, (m->ms >> s->shift) + 1);
	for (i = 0; i < s->n; i++) {
		uint64_t from = i << s->shift, to = (i + 1) << s->shift;
		uint64_t max = from ? m->live[from - 1] : 0, allocs = 0;

		for (k = from; k < to && k <= m->ms; k++) {
			max = m->high[k] > max ? m->high[k] : max;
			allocs += m->allocs_at[k];
		}
		assert_int_equal(s->bucket[i].max, max);
		assert_int_equal(s->bucket[i].allocs, allocs);
		assert_int_equal(s->bucket[i].end,
		    to - 1 < m->ms ? m->live[to - 1] : *m->now);
	}
}

static void
check_lives(const struct model *m, const struct ht_cost *k, size_t c)
{
	static const struct ht_life none;
	const struct ht_life *l = c < k->nlife ? &k->life[c] : &none;
	unsigned b;

	assert_int_equal(l->others, m->others[c]);
	for (b = 0; b < HT_HIST_BUCKETS; b++)
		assert_int_equal(ht_hist_get(&l->age, b), m->age[c][b]);
}

static void
check_kind(
    const struct model *m, struct ht_tables *t, struct ht_cost *k, size_t kind)
{
	static const struct ht_cost_kind none;
	uint32_t name = ht_intern_add(&t->text, names[kind], 4, NULL);
	const struct ht_cost_kind *c = ht_cost_kind(k, t, name);

	c = c ? c : &none;
	assert_int_equal(c->now, m->now[kind]);
	assert_int_equal(c->peak, m->max[kind]);
	assert_int_equal(c->peak_ms, m->max_ms[kind]);
}

static void
check(const struct model *m, struct ht_tables *t, struct ht_cost *k)
{
	size_t i;

	ht_cost_finish(k, t);
	assert_int_equal(t->ncls, m->n);
	assert_int_equal(k->now, *m->now);
	assert_int_equal(k->peak, *m->max);
	assert_int_equal(k->peak_ms, *m->max_ms);
	for (i = 1; i < KINDS; i++)
		check_kind(m, t, k, i);
	for (i = 0; i < m->n; i++) {
		assert_int_equal(t->cls[i].size, m->size[i]);
		assert_int_equal(t->cls[i].live, m->blocks[i]);
		assert_int_equal(t->cls[i].allocs, m->allocs[i]);
		assert_int_equal(t->cls[i].temporary, m->temporary[i]);
		assert_int_equal(t->cls[i].peak, m->peak[i]);
		check_lives(m, k, i);
	}
	check_series(m, &k->series);
}

static uint64_t
sum_of(const uint64_t v[KINDS])
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < KINDS; i++)
		sum += v[i];
	return sum;
}

static void
random_streams(void **state)
{
	char path[] = "/tmp/ht-unit-cost.XXXXXX";
	static struct model m[3];
	int round, i;

	(void)state;
	close(mkstemp(path));
	for (round = 1; round <= 300; round++) {
		struct ht_out *out = ht_out_open(path, HT_PLAIN, 0, NULL);
		struct ht_evread *r;
		struct ht_cost k = {0};
		struct ht_prof p = {0};
		struct ht_merge merge = {0};
		struct ht_event ev;
		uint64_t peak = 0;
		int rc, n = 0;

		seed = (uint64_t)round * 7919;
		for (i = 0; i < 3; i++)
			write_trace(&m[i], out, rnd(3000), HT_END_EXIT);
		assert_int_equal(ht_out_close(out, NULL), 0);
		r = ht_evread_open(path, NULL);
		while ((rc = ht_evread_next(r, &ev)) != 0) {
			assert_int_equal(rc, 1);
			if (ev.kind == HT_EV_VERSION)
				ht_merge_begin(&merge, &p, &r->t);
			ht_cost_event(&k, &r->t, &ev);
			/* To settle in between must change nothing. */
			if (rnd(50) == 0)
				ht_cost_finish(&k, &r->t);
			if (ev.kind != HT_EV_END)
				continue;
			assert_int_equal(ev.end, HT_END_EXIT);
			peak += sum_of(m[n].max);
			check(&m[n++], &r->t, &k);
			ht_merge_end(&merge, &k, r->t.cls, r->t.ncls);
			ht_cost_clear(&k);
		}
		assert_int_equal(n, 3);
		assert_int_equal(p.traces, 3);
		assert_int_equal(p.sum.peak, peak);
		assert_int_equal(ht_evread_close(r), 0);
		ht_merge_release(&merge);
		ht_prof_release(&p);
	}
	unlink(path);
}

/* A sum that does not fit stays at the largest number. */
static void
large_sums(void **state)
{
	struct ht_prof_row row = {.size = UINT64_C(1) << 55, .allocs = 1 << 12};
	struct ht_sum sum;

	(void)state;
	sum = ht_row_sum(&row);
	assert_true(sum.bytes == UINT64_MAX);
	ht_sum_add(&sum, &sum);
	assert_true(sum.bytes == UINT64_MAX);
	assert_int_equal(sum.allocs, 2 << 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_streams),
	    cmocka_unit_test(large_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
