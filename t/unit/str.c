/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "libht/err.h"
#include "libht/str.h"

static void
grows(void **state)
{
	struct ht_str s = {0};

	(void)state;
	ht_str_addz(&s, "");
	assert_string_equal(s.data, "");
	for (int i = 0; i < 1000; i++)
		ht_str_addf(&s, "%d,", i);
	ht_str_addc(&s, '!');
	ht_str_add(&s, "a\0b", 3);
	assert_int_equal(s.len, 10 * 2 + 90 * 3 + 900 * 4 + 4);
	assert_memory_equal(s.data + s.len - 8, "999,!a\0b", 9);
	ht_str_clear(&s);
	assert_int_equal(s.len, 0);
	assert_string_equal(s.data, "");
	ht_str_release(&s);
	assert_null(s.data);
}

static void
escapes(void **state)
{
	static const struct {
		const char *text, *want;
	} t[] = {{"plain text~", "plain text~"},
	    {"a\nb\tc\\d", "a\\nb\\tc\\\\d"},
	    {"\x1b[31m\x7f", "\\x1b[31m\\x7f"},
	    {"gr\xc3\xbc\xc3\x9f \xe2\x80\xa6 \xf0\x9f\x98\x80",
		"gr\xc3\xbc\xc3\x9f \xe2\x80\xa6 \xf0\x9f\x98\x80"},
	    {"\xff\xc3", "\\xff\\xc3"},		 /* no UTF-8; cut */
	    {"\xc0\xaf", "\\xc0\\xaf"},		 /* overlong */
	    {"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* a surrogate */
	    {"\xc2\x9b", "\\xc2\\x9b"},		 /* C1: CSI */
	    {"\xe2\x80\xae", "\\xe2\\x80\\xae"}, /* right-to-left override */
	    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}};
	char out[64];

	(void)state;
	for (size_t i = 0; i < HT_LEN(t); i++) {
		size_t n =
		    ht_escape(out, sizeof(out), t[i].text, strlen(t[i].text));

		assert_string_equal(out, t[i].want);
		assert_int_equal(n, strlen(t[i].want));
	}
	assert_int_equal(ht_escape(out, sizeof(out), "\0x", 2), 5);
	assert_string_equal(out, "\\x00x");
	/* Never half an escape. */
	assert_int_equal(ht_escape(out, 7, "ab\x01\x02", 4), 6);
	assert_string_equal(out, "ab\\x01");
}

static void
first_error_stays(void **state)
{
	struct ht_error e = {0};

	(void)state;
	assert_int_equal(ht_error_set(&e, "line %d", 1), -1);
	assert_int_equal(ht_error_set(&e, "line %d", 2), -1);
	assert_string_equal(e.text, "line 1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(grows),
	    cmocka_unit_test(escapes),
	    cmocka_unit_test(first_error_stays),
	};

	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
