/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A timeline that has room for next to nothing: its windows against a
 * brute-force replay of random traces, whose events are kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TIMELINE_CELLS	     400
#define TIMELINE_BUCKETS_MIN 8
#include "ht-html/cells.c"
#include "ht-html/timeline.c"

#define CLASSES 20
#define EVENTS	6000

struct past {
	uint64_t ms, birth, size;
	bool alloc, temporary;
};

struct block {
	unsigned cls;
	uint64_t birth;
};

static struct past past[EVENTS];
static size_t npast;
static uint64_t seed;

static uint64_t
rnd(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

static uint64_t
size_of(unsigned cls)
{
	return 10 + 7 * (uint64_t)cls;
}

static void
write_head(FILE *f)
{
	unsigned i;

	fprintf(f, "v 100 3\n#H f ht-record 0.1.0\nX ./app\n");
	for (i = 0; i < CLASSES; i++)
		fprintf(f, "s 3 f%02u\ni %x 1 %x\nt %x 0\na %llx %x\n", i,
		    i + 1, i + 1, i + 1, (unsigned long long)size_of(i), i + 1);
}

/* Bursts, pauses, blocks of any age. */
static void
write_trace(FILE *f, uint64_t step)
{
	static struct block live[EVENTS];
	uint64_t ms = 0;
	size_t n = 0;
	long last = -1;

	write_head(f);
	for (npast = 0; npast < EVENTS;) {
		struct past *p = &past[npast];

		if (rnd(50) == 0) {
			ms += 1 + rnd(rnd(20) ? step : 40 * step);
			fprintf(f, "c %llx\n", (unsigned long long)ms);
			continue;
		}
		npast++;
		if (n == 0 || rnd(100) < 45 + 10 * (npast / 1000 % 2)) {
			live[n].cls = (unsigned)rnd(CLASSES);
			live[n].birth = ms;
			*p = (struct past){
			    ms, ms, size_of(live[n].cls), true, false};
			last = live[n].cls;
			fprintf(f, "+ %x\n", live[n++].cls);
		} else {
			size_t i = rnd(3) ? n - 1 : rnd(n);
			struct block b = live[i];

			live[i] = live[--n];
			*p = (struct past){ms, b.birth, size_of(b.cls), false,
			    last == (long)b.cls};
			last = -1;
			fprintf(f, "- %x", b.cls);
			if (ms > b.birth)
				fprintf(f, " o%llx",
				    (unsigned long long)(ms - b.birth));
			fprintf(f, "\n");
		}
	}
	fprintf(f, "#E exit 0\n");
}

struct sums {
	uint64_t calls, total, temporary, leaked, peak, peak_ms;
};

/* [from, to) ms by the events. */
static struct sums
sums_by_events(uint64_t from, uint64_t to)
{
	struct sums s = {.peak_ms = from};
	uint64_t now = 0;
	bool open = false;
	size_t i;

	for (i = 0; i < npast && past[i].ms < to; i++) {
		const struct past *p = &past[i];

		if (p->ms >= from && !open) {
			open = true;
			s.peak = now;
		}
		now += p->alloc ? p->size : -p->size;
		if (!open)
			continue;
		if (now > s.peak) {
			s.peak = now;
			s.peak_ms = p->ms;
		}
		if (p->alloc) {
			s.calls++;
			s.total += p->size;
			s.leaked += p->size;
		} else if (p->birth >= from) {
			s.leaked -= p->size;
			s.temporary += p->temporary;
		}
	}
	if (!open)
		s.peak = now;
	return s;
}

static uint64_t
bytes_before(const struct cells *c, size_t bucket)
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < cells_start(c, bucket); i++)
		bytes += c->cell[i].bytes;
	return bytes;
}

/* Buckets [a, b) of the timeline. */
static struct sums
sums_by_buckets(const struct timeline *t, size_t a, size_t b)
{
	struct sums s = {0};
	size_t i, max = a;

	for (i = cells_start(&t->born, a); i < cells_start(&t->born, b); i++) {
		s.calls += t->born.cell[i].blocks;
		s.total += t->born.cell[i].bytes;
	}
	s.leaked = s.total;
	for (i = cells_start(&t->died, a); i < cells_start(&t->died, b); i++) {
		const struct cell *c = &t->died.cell[i];

		if (c->birth < (int64_t)a)
			continue;
		s.leaked -= c->bytes;
		s.temporary += c->how & 1 ? c->blocks : 0;
	}
	for (i = a; i < b; i++)
		if (t->bucket[i].max > t->bucket[max].max)
			max = i;
	s.peak = bytes_before(&t->born, max) - bytes_before(&t->died, max) +
		 bytes_before(&t->top, max + 1) - bytes_before(&t->top, max);
	s.peak_ms = t->bucket[max].max_ms;
	assert_int_equal(s.peak, t->bucket[max].max);
	return s;
}

static void
check_windows(const struct timeline *t)
{
	int i;

	for (i = 0; i < 60; i++) {
		size_t a = rnd(t->n), b = a + 1 + rnd(t->n - a);
		struct sums got = sums_by_buckets(t, a, b);
		struct sums want =
		    sums_by_events(bucket_start(t, a), bucket_start(t, b));

		assert_int_equal(got.calls, want.calls);
		assert_int_equal(got.total, want.total);
		assert_int_equal(got.temporary, want.temporary);
		assert_int_equal(got.leaked, want.leaked);
		assert_int_equal(got.peak, want.peak);
		assert_int_equal(got.peak_ms, want.peak_ms);
	}
}

static void
test_windows(void **state)
{
	char path[] = "/tmp/ht-timeline.XXXXXX";
	char *const paths[] = {path, NULL};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (seed = 1; seed <= 40 * UINT64_C(977); seed += 977) {
		struct ht_query q;
		struct ht_prof p = {0};
		struct timeline t;
		struct ht_load load = {.query = &q,
		    .event = timeline_event,
		    .end = timeline_end,
		    .arg = &t};
		uint64_t was = seed;
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		write_trace(f, 2 + 2 * (seed / 977));
		assert_int_equal(fclose(f), 0);
		ht_query_init(&q);
		timeline_init(&t, &q, &p);
		assert_int_equal(ht_load(&load, paths, &p), 0);
		assert_true(timeline_known(&t));
		assert_in_range(t.n, TIMELINE_BUCKETS_MIN, TIMELINE_BUCKETS);
		check_windows(&t);
		/* No less is known of wider buckets. */
		timeline_widen(&t, t.shift + 1);
		check_windows(&t);
		timeline_release(&t);
		ht_prof_release(&p);
		ht_query_release(&q);
		seed = was;
	}
	close(fd);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_windows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
