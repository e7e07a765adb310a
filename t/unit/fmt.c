/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libht/fmt.h"

static void
numbers(void **state)
{
	(void)state;
	assert_string_equal(ht_fmt_count(0).s, "0");
	assert_string_equal(ht_fmt_count(999).s, "999");
	assert_string_equal(ht_fmt_count(8507622).s, "8,507,622");
	assert_string_equal(
	    ht_fmt_count(UINT64_MAX).s, "18,446,744,073,709,551,615");
	assert_string_equal(ht_fmt_bytes(0).s, "0 B");
	assert_string_equal(ht_fmt_bytes(999).s, "999 B");
	assert_string_equal(ht_fmt_bytes(1000).s, "1.00 kB");
	assert_string_equal(ht_fmt_bytes(73149).s, "73.1 kB");
	assert_string_equal(ht_fmt_bytes(9994).s, "9.99 kB");
	assert_string_equal(ht_fmt_bytes(9996).s, "10.0 kB");
	assert_string_equal(ht_fmt_bytes(99950).s, "100 kB");
	assert_string_equal(ht_fmt_bytes(999499).s, "999 kB");
	assert_string_equal(ht_fmt_bytes(999500).s, "1.00 MB");
	assert_string_equal(ht_fmt_bytes(8310000).s, "8.31 MB");
	assert_string_equal(ht_fmt_bytes(UINT64_C(1) << 60).s, "1153 PB");
	assert_string_equal(ht_fmt_bytes(UINT64_MAX).s, "18447 PB");
	assert_string_equal(ht_fmt_percent(1, 3).s, "33.3");
	assert_string_equal(ht_fmt_percent(2, 3).s, "66.7");
	assert_string_equal(ht_fmt_percent(UINT64_MAX, UINT64_MAX).s, "100.0");
	assert_string_equal(ht_fmt_percent(1, 0).s, "");
	assert_string_equal(ht_fmt_ms(0).s, "0.00 s");
	assert_string_equal(ht_fmt_ms(1264).s, "1.26 s");
	assert_string_equal(ht_fmt_ms(75300).s, "75.3 s");
	assert_string_equal(ht_fmt_ms(725000).s, "12 min 5 s");
	assert_string_equal(ht_fmt_ms(10920000).s, "3 h 2 min");
}

/* The name in so many columns. */
static void
function(const char *name, size_t width, const char *want)
{
	struct ht_str s = {0};

	ht_fmt_function(&s, name, strlen(name), width);
	assert_string_equal(s.data, want);
	ht_str_release(&s);
}

static void
names(void **state)
{
	(void)state;
	function("std::vector<int>::push_back(int&&)", 0,
	    "std::vector<int>::push_back(int&&)");
	function("std::vector<int>::push_back(int&&)", 34,
	    "std::vector<int>::push_back(int&&)");
	function("std::vector<int>::push_back(int&&)", 33,
	    "std::vector<>::push_back(int&&)");
	function("std::vector<int>::push_back(int&&)", 30,
	    "std::vector<>::push_back");
	function("std::vector<int>::push_back(int&&)", 18,
	    "std::\xe2\x80\xa6>::push_back");
}

/* Angle brackets and parentheses that are no arguments. */
static void
operators(void **state)
{
	(void)state;
	function("A<B>::operator<(A<B> const&)", 20, "A<>::operator<");
	function("A<B>::operator<<(A<B> const&)", 20, "A<>::operator<<");
	function("A<B>::operator->(A<B> const&)", 20, "A<>::operator->");
	function(
	    "A<B, C<D>>::operator()(A<B> const&) const", 20, "A<>::operator()");
	function(
	    "(anonymous namespace)::f(int)", 27, "(anonymous namespace)::f");
	function("f(int)::{lambda(int)#1}::operator()(int) const", 40,
	    "f(int)::{lambda(int)#1}::operator()");
	/* Not closed: left as it is. */
	function("a<b", 2,
	    "\xe2\x80\xa6"
	    "b");
}

static void
escapes(void **state)
{
	struct ht_str s = {0};

	(void)state;
	function("\033[31m", 0, "\\x1b[31m");
	ht_fmt_text(&s, "\xc3\xa4\xc3\xb6\xc3\xbc", 6, 3);
	assert_string_equal(s.data, "\xc3\xa4\xc3\xb6\xc3\xbc");
	ht_str_clear(&s);
	ht_fmt_text(&s, "\xc3\xa4\xc3\xb6\xc3\xbc", 6, 2);
	assert_string_equal(s.data, "\xc3\xa4\xe2\x80\xa6");
	assert_int_equal(ht_fmt_width(s.data, s.len), 2);
	ht_str_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers),
	    cmocka_unit_test(names),
	    cmocka_unit_test(operators),
	    cmocka_unit_test(escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
