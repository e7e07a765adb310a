/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libht/intern.h"

static void
each_text_once(void **state)
{
	struct ht_intern t = {0};
	const char *first;
	char text[32];
	bool fresh;

	(void)state;
	assert_int_equal(ht_intern_find(&t, "x", 1), 0);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 20000; i++) {
			int n = snprintf(text, sizeof(text), "name %d", i);

			assert_int_equal(
			    ht_intern_add(&t, text, (size_t)n, &fresh), i + 1);
			assert_true(fresh == !round);
		}
	}
	first = ht_intern_get(&t, 1);
	assert_string_equal(first, "name 0");
	assert_int_equal(ht_intern_find(&t, "name 19999", 10), 20000);
	assert_int_equal(ht_intern_find(&t, "name 20000", 10), 0);
	/* Lengths and NULs count; the empty text is one too. */
	assert_int_equal(ht_intern_add(&t, "a\0b", 3, NULL), 20001);
	assert_int_equal(ht_intern_add(&t, "a\0c", 3, NULL), 20002);
	assert_int_equal(ht_intern_add(&t, "a", 1, NULL), 20003);
	assert_int_equal(ht_intern_add(&t, "", 0, NULL), 20004);
	assert_int_equal(ht_intern_len(&t, 20001), 3);
	assert_int_equal(ht_intern_len(&t, 20004), 0);
	assert_ptr_equal(ht_intern_get(&t, 1), first);
	assert_string_equal(ht_intern_get(&t, 0), "");
	assert_string_equal(ht_intern_get(&t, 99999), "");
	ht_intern_clear(&t);
	assert_int_equal(ht_intern_add(&t, "name 7", 6, &fresh), 1);
	assert_true(fresh);
	ht_intern_release(&t);
}

static void
longer_than_a_chunk(void **state)
{
	struct ht_intern t = {0};
	size_t n = 200000;
	char *big = malloc(n);

	(void)state;
	memset(big, 'x', n);
	assert_int_equal(ht_intern_add(&t, big, n, NULL), 1);
	assert_int_equal(ht_intern_add(&t, big, n - 1, NULL), 2);
	assert_int_equal(ht_intern_add(&t, big, n, NULL), 1);
	assert_memory_equal(ht_intern_get(&t, 1), big, n);
	ht_intern_release(&t);
	free(big);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_text_once),
	    cmocka_unit_test(longer_than_a_chunk),
	};

	return cmocka_run_group_tests_name("intern", tests, NULL, NULL);
}
