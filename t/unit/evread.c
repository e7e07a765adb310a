/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "libht/evread.h"
#include "libht/str.h"

#define OURS "v 100 3\n#H f ht-record 0.1.0\nx 6 /bin/x\n"

static struct ht_evread *
from(const char *text)
{
	char path[] = "/tmp/ht-unit-evread.XXXXXX";
	int fd = mkstemp(path);
	size_t len = strlen(text);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, text, len), len);
	lseek(fd, 0, SEEK_SET);
	return ht_evread_new(ht_in_fd(fd, "file"));
}

/* The next event that is not a definition; its kind, or -1, or -2 the end. */
static int
next(struct ht_evread *r, struct ht_event *ev)
{
	int rc = ht_evread_next(r, ev);

	return rc < 0 ? -1 : rc == 0 ? -2 : (int)ev->kind;
}

/* All events as letters, errors as '!'. */
static void
letters(const char *text, const char *want)
{
	static const char letter[] = {[HT_EV_ALLOC] = '+',
	    [HT_EV_FREE] = '-',
	    [HT_EV_UNFREE] = 'F',
	    [HT_EV_TIME] = 'c',
	    [HT_EV_RSS] = 'R',
	    [HT_EV_VERSION] = 'v',
	    [HT_EV_END] = '.',
	    [HT_EV_EXE] = 'x',
	    [HT_EV_COMMAND] = 'X',
	    [HT_EV_SYSTEM] = 'I',
	    [HT_EV_ATTACHED] = 'A',
	    [HT_EV_SUPPRESSION] = 'S',
	    [HT_EV_MODULE] = 'm',
	    [HT_EV_NO_MODULES] = '0',
	    [HT_EV_STRING] = 's',
	    [HT_EV_FRAME] = 'i',
	    [HT_EV_STACK] = 't',
	    [HT_EV_CLASS] = 'a',
	    [HT_EV_TOOL] = 'H',
	    [HT_EV_BUILD_ID] = 'B',
	    [HT_EV_PROCESS] = 'P',
	    [HT_EV_THREAD] = 'T',
	    [HT_EV_KIND] = 'K',
	    [HT_EV_CUT] = 'C',
	    [HT_EV_LOST] = 'L',
	    [HT_EV_UNSEEN] = 'U',
	    [HT_EV_MISSED] = 'D',
	    [HT_EV_MARK] = 'M',
	    [HT_EV_PAUSE] = 'Q',
	    [HT_EV_SAMPLED] = 'Z',
	    [HT_EV_OWN_RSS] = 'O',
	    [HT_EV_COMMENT] = '#'};
	struct ht_evread *r = from(text);
	struct ht_event ev;
	char got[200];
	size_t n = 0;
	int k;

	while ((k = next(r, &ev)) != -2 && n < sizeof got - 1)
		got[n++] = k == -1 ? '!' : letter[k];
	got[n] = '\0';
	assert_string_equal(got, want);
	ht_evread_close(r);
}

static void
ids(void **state)
{
	/* Eight bytes can be read behind each. */
	static const struct {
		const char *text;
		unsigned n;
		uint32_t id;
	} good[] = {{"0\n.......", 1, 0}, {"a\n.......", 1, 10},
	    {"9f2 o3....", 3, 0x9f2}, {"abcdef0\n..", 7, 0xabcdef0},
	    {"0012\n.....", 4, 0x12}, {"fffffff\n..", 7, 0xfffffff}};
	static const char *const bad[] = {"\n.........", " .........",
	    "g\n........", "A\n........", "12345678\n.", "1`\n.......",
	    "1:\n.......", "1?\n.......", "\xff\n........", "1@\n.......",
	    "7p\n.......", "\x11\n........", "p\n........"};
	uint32_t id;
	unsigned v;
	size_t i;

	(void)state;
	for (i = 0; i < HT_LEN(good); i++) {
		assert_int_equal(ht_evread_id(good[i].text, &id), good[i].n);
		assert_int_equal(id, good[i].id);
	}
	for (i = 0; i < HT_LEN(bad); i++)
		assert_int_equal(ht_evread_id(bad[i], &id), 0);
	for (v = 0; v < 0x10000000; v += 997) {
		char text[32];
		int n = snprintf(text, sizeof text, "%x\n        ", v) - 9;

		assert_int_equal(ht_evread_id(text, &id), n);
		assert_int_equal(id, v);
	}
	/* Every byte in every place. */
	for (v = 0; v < 256 * 3; v++) {
		char text[] = "abc\n.......";
		char c = (char)(v & 255);
		bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');

		text[v >> 8] = c;
		if ((c & 0x50) == 0)
			assert_int_equal(ht_evread_id(text, &id), v >> 8);
		else
			assert_int_equal(
			    ht_evread_id(text, &id), digit ? 3 : 0);
	}
}

static void
fields(void **state)
{
	struct ht_evread *r = from(OURS "#T 2 63\n"
					"t 10 0\n"
					"a 64 1\n"
					"a 20 1 2 u28\n"
					"+ 0 @7f00\n"
					"+ 1\n"
					"- 1\n"
					"+ 1\n"
					"- 0 o3e8 w2 t @7f00\n"
					"- 1 x\n"
					"#F 0 @7f00\n"
					"#E exit 2a\n");
	struct ht_event ev;

	(void)state;
	while (next(r, &ev) != HT_EV_CLASS)
		;
	assert_int_equal(next(r, &ev), HT_EV_CLASS);
	assert_int_equal(r->t.cls[1].thread, 2);
	assert_int_equal(r->t.cls[1].usable, 0x28);
	assert_int_equal(next(r, &ev), HT_EV_ALLOC);
	assert_int_equal(ev.address, 0x7f00);
	assert_int_equal(next(r, &ev), HT_EV_ALLOC);
	assert_int_equal(ev.address, 0);
	assert_int_equal(next(r, &ev), HT_EV_FREE);
	assert_true(ev.temporary);
	assert_int_equal(next(r, &ev), HT_EV_ALLOC);
	assert_int_equal(next(r, &ev), HT_EV_FREE);
	assert_int_equal(ev.cls, 0);
	assert_true(ev.temporary);
	assert_int_equal(ev.age, 1000);
	assert_int_equal(ev.thread, 2);
	assert_int_equal(ev.address, 0x7f00);
	assert_int_equal(next(r, &ev), HT_EV_FREE);
	assert_false(ev.temporary);
	assert_int_equal(next(r, &ev), HT_EV_UNFREE);
	assert_true(ev.temporary);
	assert_int_equal(ev.address, 0x7f00);
	assert_int_equal(r->t.cls[0].live, 1);
	assert_int_equal(next(r, &ev), HT_EV_END);
	assert_int_equal(ev.end, HT_END_EXIT);
	assert_int_equal(ev.value, 42);
	assert_int_equal(next(r, &ev), -2);
	assert_int_equal(ht_evread_close(r), 0);
}

static void
records(void **state)
{
	(void)state;
	letters(OURS "X a b\nI 1000 10\n#S 400\n#P 1 0 6553f100\n#T 2 3 1 a\n"
		     "#B 2 ab 3 /so\nm 3 /so 10 0 10\nm 1 -\nt 10 0\n"
		     "#K 1 mmap\n#C 1\na 1 1\n+ 0\n- 0\nc a\nR 1\n#L 1\n#U 2\n"
		     "#D 1\n#M 2 hi\n#Q 0\n#Q 1\n#R 4\nS leak:x\n"
		     "#Z what\n# remark\nA\n#E detached\n",
	    "vHxXIZPTBm0tKCa+-cRLUDMQQOS##A.");
	/* Lines behind the end, and a trace after it. */
	letters(
	    OURS "#E exec\n# remark\nc 1\n" OURS "#E exit 0\n", "vHx.#!vHx.");
	/* Without its end. */
	letters(OURS "t 1 0\n", "vHxt!.");
	letters(OURS OURS "#E exit 0\n", "vHx!.vHx.");
	/* heaptrack's has none. */
	letters("v 10400 3\nX a\nA\n# strings: 0\n\n", "vXA#.");
}

static void
cut_lines(void **state)
{
	static const char *const cut[] = {"+ 1", "+ ", "+", "- 0", "- 0 o",
	    "- 0 o5", "a 6", "a 64 1", "t 10 ", "t 10 0", "c 1", "c", "R 3e8",
	    "#E exit 0", "#E exi", "#L 3", "s 4 ma", "#T 2 5 3 ab", "S leak",
	    "X a b c", "m 3 /so 10 0 1", "m 3 /s", "#", "# rema", "#P 1 2"};
	size_t i;

	(void)state;
	for (i = 0; i < HT_LEN(cut); i++) {
		char text[400];
		struct ht_evread *r;
		struct ht_event ev;
		int ends = 0, errors = 0, versions = 0, k;

		snprintf(text, sizeof text,
		    OURS "t 10 0\na 64 1\na 65 1\n+ 0\n%s" OURS "#E exit 0\n",
		    cut[i]);
		r = from(text);
		while ((k = next(r, &ev)) != -2) {
			errors += k == -1;
			versions += k == HT_EV_VERSION;
			if (k == HT_EV_END)
				assert_int_equal(ev.end, ++ends == 1
							     ? HT_END_TRUNCATED
							     : HT_END_EXIT);
		}
		if (ends != 2 || errors != 1 || versions != 2)
			fail_msg("'%s': %d ends, %d errors, %d versions",
			    cut[i], ends, errors, versions);
		assert_int_equal(ht_evread_close(r), -1);
	}
	/* These are what they seem. */
	letters(OURS "X tool -v 100 3\nI 1000 1\n#E exit 0\n", "vHxXI.");
	letters("v 100 3\n#H f ht-record 0.1.0 p -v 100 3\nx 1 a\n#E exec\n",
	    "vHx.");
}

static void
pointer_form(void **state)
{
	struct ht_evread *r = from("v 10400 3\nx 6 /bin/x\nX x\n"
				   "m 1 x 1000 0 100\nt 1010 0\nt 1020 1\n"
				   "+ 10 2 5000\n+ 10 2 6000\n- 5000\n"
				   "- 7777\n- 6000\n+ 10 1 5000\n- 5000\n");
	struct ht_event ev;
	const struct ht_frame *f;

	(void)state;
	while (next(r, &ev) != HT_EV_ALLOC)
		;
	assert_int_equal(ev.cls, 0);
	assert_int_equal(ev.address, 0x5000);
	f = &r->t.frame[r->t.stack[1].frame - 1];
	assert_int_equal(f->offset, 0x20);
	assert_string_equal(ht_intern_get(&r->t.text, f->module), "/bin/x");
	assert_int_equal(next(r, &ev), HT_EV_ALLOC);
	assert_int_equal(ev.cls, 0);
	/* By classes, the first of the two is temporary. */
	assert_int_equal(next(r, &ev), HT_EV_FREE);
	assert_true(ev.temporary);
	/* The free of 7777 is nothing. */
	assert_int_equal(next(r, &ev), HT_EV_FREE);
	assert_false(ev.temporary);
	assert_int_equal(next(r, &ev), HT_EV_ALLOC);
	assert_int_equal(ev.cls, 1);
	assert_int_equal(next(r, &ev), HT_EV_FREE);
	assert_true(ev.temporary);
	assert_int_equal(next(r, &ev), HT_EV_END);
	assert_int_equal(ev.end, HT_END_NONE);
	assert_int_equal(next(r, &ev), -2);
	assert_int_equal(ht_evread_close(r), 0);
}

/* Version 0 compares addresses, has strings without lengths. */
static void
version_0(void **state)
{
	struct ht_evread *r = from("X app with args\ns a name\ni 10 1 1\n"
				   "t 1 0\n+ 10 1 5000\n+ 10 1 6000\n- 5000\n"
				   "+ 10 1 5000\n- 5000\n");
	struct ht_event ev;

	(void)state;
	while (next(r, &ev) != HT_EV_FREE)
		;
	assert_int_equal(r->t.format, 0);
	assert_string_equal(
	    ht_intern_get(&r->t.text, r->t.string[0]), "a name");
	assert_false(ev.temporary);
	assert_int_equal(next(r, &ev), HT_EV_ALLOC);
	assert_int_equal(next(r, &ev), HT_EV_FREE);
	assert_true(ev.temporary);
	assert_int_equal(next(r, &ev), HT_EV_END);
	assert_int_equal(ht_evread_close(r), 0);
}

/* What is broken takes its number all the same. */
static void
numbers_stay(void **state)
{
	struct ht_evread *r = from("v 10400 3\ns 1 a\ns zz\ns 1 c\ni 1 9\n"
				   "i 2 3\nt 7 0\nt 2 0\na q\na 8 2\n+ 1\n");
	struct ht_event ev;
	int errors = 0, k;

	(void)state;
	while ((k = next(r, &ev)) != HT_EV_ALLOC)
		errors += k == -1;
	assert_int_equal(errors, 4);
	assert_int_equal(r->t.cls[1].size, 8);
	assert_int_equal(r->t.cls[1].stack, 2);
	assert_int_equal(r->t.stack[1].frame, 2);
	assert_string_equal(
	    ht_intern_get(&r->t.text, r->t.frame[1].module), "c");
	assert_int_equal(ht_evread_close(r), -1);
}

/* Twenty messages and one that counts the others. */
static void
many_errors(void **state)
{
	struct ht_str text = {0};
	struct ht_evread *r;
	struct ht_event ev;
	int errors = 0, k, i;

	(void)state;
	ht_str_addz(&text, OURS "a 1 0\n");
	for (i = 0; i < 100000; i++)
		ht_str_addz(&text, i % 2 ? "- 0\n" : "- 0 o1\n");
	ht_str_addz(&text, "+ 0\n#E exit 0\n");
	r = from(text.data);
	while ((k = next(r, &ev)) != -2) {
		errors += k == -1;
		if (k == HT_EV_ALLOC)
			assert_int_equal(errors, HT_EVREAD_ERRORS);
	}
	assert_int_equal(errors, HT_EVREAD_ERRORS + 1);
	assert_string_equal(
	    ht_evread_error(r), "file: 99980 more errors are not shown");
	assert_int_equal(ht_evread_close(r), -1);
	ht_str_release(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ids),
	    cmocka_unit_test(fields),
	    cmocka_unit_test(records),
	    cmocka_unit_test(cut_lines),
	    cmocka_unit_test(pointer_form),
	    cmocka_unit_test(version_0),
	    cmocka_unit_test(numbers_stay),
	    cmocka_unit_test(many_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
