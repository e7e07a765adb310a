/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random profiles, written and read: nothing is lost, and what is equal is
 * equal byte for byte, whatever its ids and its order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "libht/evwrite.h"
#include "libht/mem.h"
#include "libht/profread.h"
#include "libht/profwrite.h"

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
text(struct ht_prof *p)
{
	static const struct {
		const char *text;
		size_t len;
	} texts[] = {{"", 0}, {"main", 4}, {"a\nb", 3}, {"a\0b", 3}, {"\\n", 2},
	    {"\\", 1}, {"\xff\x80", 2}, {" ", 1}, {"a", 1}, {"a b", 3}};
	size_t i = rnd(HT_LEN(texts));

	return ht_prof_text(p, texts[i].text, texts[i].len);
}

static uint32_t
random_stack(struct ht_prof *p)
{
	uint32_t stack = 0;
	uint64_t depth = rnd(6);

	while (depth--) {
		struct ht_frame f = {.symbolised = rnd(2)};
		struct ht_frame_fn fn[3];
		uint32_t i;

		f.module = text(p);
		f.count = f.symbolised ? (uint32_t)rnd(4) : 0;
		f.offset = f.symbolised && (f.module || f.count) ? 0 : rnd(3);
		for (i = 0; i < f.count; i++) {
			fn[i].function = text(p);
			fn[i].file = text(p);
			fn[i].line = fn[i].file ? (uint32_t)rnd(3) : 0;
		}
		stack = ht_prof_stack(p, stack, ht_prof_frame(p, f, fn));
	}
	return stack;
}

static uint64_t
number(void)
{
	return rnd(20) ? rnd(100) : UINT64_MAX - rnd(2);
}

static void
random_rows(struct ht_prof *p)
{
	uint64_t n = rnd(40);

	while (n--) {
		struct ht_prof_row more = {.allocs = number(),
		    .temporary = rnd(5),
		    .leaked = rnd(5),
		    .peak = number(),
		    .others = rnd(5)};
		uint32_t stack = random_stack(p), kind, id;

		if (stack && rnd(9) == 0)
			p->stack[stack - 1].cut = 1;
		kind = rnd(5) ? 0 : text(p);
		if (kind)
			ht_prof_kind(p, kind, number(), rnd(99));
		id = ht_prof_row(p, stack, number(), text(p), kind);
		if (rnd(2))
			ht_hist_add(&more.life, (unsigned)rnd(65), rnd(99));
		ht_row_add(&p->row[id - 1], &more);
		ht_hist_release(&more.life);
	}
	ht_prof_sum(p);
}

static void
random_profile(struct ht_prof *p)
{
	struct ht_prof_origin o = {.traces = 1 + rnd(3)};
	uint64_t n = rnd(20), ms = 0;

	memset(p, 0, sizeof *p);
	random_rows(p);
	o.command = text(p);
	o.tool = text(p);
	o.end = (enum ht_end)rnd(7);
	if (o.end == HT_END_EXIT || o.end == HT_END_SIGNAL)
		o.end_value = rnd(9);
	ht_prof_origin(p, &o);
	while (n--) {
		struct ht_bucket *b = ht_series_at(&p->series, ms);

		*b = (struct ht_bucket){
		    number(), number(), rnd(9), rnd(9), number()};
		ms += rnd(rnd(5) ? 50 : 400000);
	}
	p->traces = o.traces;
	p->truncated = rnd(2);
	p->attached = rnd(2);
	p->sampled = rnd(2);
	p->overflow = rnd(9) == 0;
	p->runtime_ms = p->longest_ms = ms;
	p->largest_peak = rnd(5);
	p->peak_ms = rnd(100);
	p->peak_rss = number();
	p->own_rss = number();
	p->lost = rnd(3);
	p->unseen = rnd(3);
	p->missed = rnd(3);
	p->first_start = rnd(3);
	p->last_start = p->first_start + rnd(3);
	if (rnd(2))
		ht_prof_suppression(p, "leak:a\\", 7);
}

/* The profile as a file: a temporary one, open for reading. */
static FILE *
write_file(const struct ht_prof *p)
{
	FILE *f = tmpfile();
	struct ht_out *out;

	assert_non_null(f);
	out = ht_out_fd(dup(fileno(f)), "temporary", HT_PLAIN, 0);
	ht_profwrite(out, p);
	assert_int_equal(ht_out_close(out, NULL), 0);
	rewind(f);
	return f;
}

static void
read_file(FILE *f, struct ht_prof *p)
{
	struct ht_profread r = {.in = ht_in_fd(dup(fileno(f)), "temporary")};
	struct ht_error err = {""};
	struct ht_prof none;
	int rc = ht_profread_next(&r, p, &err);

	assert_string_equal(err.text, "");
	assert_int_equal(rc, 1);
	assert_int_equal(ht_profread_next(&r, &none, &err), 0);
	ht_profread_release(&r);
	ht_in_close(r.in);
}

static char *
bytes(const struct ht_prof *p, size_t *n)
{
	FILE *f = write_file(p);
	char *s;

	fseek(f, 0, SEEK_END);
	*n = (size_t)ftell(f);
	rewind(f);
	s = ht_malloc(*n + 1);
	assert_int_equal(fread(s, 1, *n, f), *n);
	s[*n] = '\0';
	fclose(f);
	return s;
}

static void
assert_same(const struct ht_prof *a, const struct ht_prof *b)
{
	size_t n, m;
	char *x = bytes(a, &n), *y = bytes(b, &m);

	if (n != m || memcmp(x, y, n) != 0)
		fail_msg("--- one\n%s--- other\n%s", x, y);
	free(x);
	free(y);
}

static void
test_round(void **state)
{
	(void)state;
	for (seed = 1; seed < 3000; seed += 7) {
		uint64_t keep = seed;
		struct ht_prof p, q;
		FILE *f;

		random_profile(&p);
		f = write_file(&p);
		read_file(f, &q);
		fclose(f);
		assert_memory_equal(&p.sum, &q.sum, sizeof p.sum);
		assert_int_equal(p.peak_rss, q.peak_rss);
		assert_int_equal(p.series.n, q.series.n);
		if (p.series.n)
			assert_memory_equal(p.series.bucket, q.series.bucket,
			    p.series.n * sizeof *p.series.bucket);
		assert_same(&p, &q);
		ht_prof_release(&p);
		ht_prof_release(&q);
		seed = keep;
	}
}

/* To merge what was read, or what was written, is the same, in both orders. */
static void
test_merge(void **state)
{
	(void)state;
	for (seed = 5; seed < 2000; seed += 9) {
		uint64_t keep = seed;
		struct ht_prof a, b, read_a, read_b, ab = {0}, ba = {0};
		FILE *f;

		random_profile(&a);
		random_profile(&b);
		f = write_file(&a);
		read_file(f, &read_a);
		fclose(f);
		f = write_file(&b);
		read_file(f, &read_b);
		fclose(f);
		ht_prof_add(&ab, &a);
		ht_prof_add(&ab, &b);
		ht_prof_add(&ba, &read_b);
		ht_prof_add(&ba, &read_a);
		assert_same(&ab, &ba);
		ht_prof_release(&a);
		ht_prof_release(&b);
		ht_prof_release(&read_a);
		ht_prof_release(&read_b);
		ht_prof_release(&ab);
		ht_prof_release(&ba);
		seed = keep;
	}
}

/* A text that is cut stays as it is. */
static void
test_cut(void **state)
{
	size_t len = HT_TEXT_MAX + 100, at;
	char *s = ht_malloc(len);
	struct ht_prof p = {0}, q;
	uint32_t id, again;
	FILE *f;

	(void)state;
	memset(s, 'x', len);
	/* A character of two or three bytes at the cut. */
	for (at = HT_TEXT_MAX - 3; at <= HT_TEXT_MAX; at++) {
		memcpy(s + at, "\xe2\x82\xac", 3);
		id = ht_prof_text(&p, s, len);
		again = ht_prof_text(
		    &p, ht_intern_get(&p.text, id), ht_intern_len(&p.text, id));
		assert_int_equal(id, again);
		assert_true(ht_intern_len(&p.text, id) <= HT_TEXT_MAX + 3);
		ht_prof_row(&p, 0, 1, id, 0);
		p.row[p.nrow - 1].allocs = 1;
		memset(s + at, 'x', 3);
	}
	assert_int_equal(ht_prof_text(&p, "", 0), 0);
	f = write_file(&p);
	read_file(f, &q);
	fclose(f);
	assert_same(&p, &q);
	ht_prof_release(&p);
	ht_prof_release(&q);
	free(s);
}

/* A stack of 200,000 frames: nothing recurses. */
static void
test_deep(void **state)
{
	struct ht_frame f = {.offset = 1};
	struct ht_prof p = {0}, q;
	uint32_t stack = 0, i;
	FILE *file;

	(void)state;
	for (i = 0; i < 200000; i++) {
		f.offset = i % 3;
		stack = ht_prof_stack(&p, stack, ht_prof_frame(&p, f, NULL));
	}
	ht_prof_row(&p, stack, 8, 0, 0);
	p.row[0].allocs = 1;
	file = write_file(&p);
	read_file(file, &q);
	fclose(file);
	assert_int_equal(q.nstack, 200000);
	assert_same(&p, &q);
	ht_prof_release(&p);
	ht_prof_release(&q);
}

/* What no row needs is not written. */
static void
test_needless(void **state)
{
	struct ht_prof p = {0}, none = {0};

	(void)state;
	seed = 77;
	while (random_stack(&p) == 0)
		;
	ht_prof_row(&p, 1, 8, text(&p), 0);
	assert_same(&p, &none);
	ht_prof_release(&p);
	ht_prof_release(&none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round),
	    cmocka_unit_test(test_merge),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_deep),
	    cmocka_unit_test(test_needless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
