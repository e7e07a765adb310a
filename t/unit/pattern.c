/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns, and suppressions against regular expressions of the same sense. */
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "libht/pattern.h"
#include "libht/suppress.h"

static void
patterns(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool match, is;
	} t[] = {
	    {"foo", "foo", true, true},
	    {"foo", "a::foo(int)", true, false},
	    {"foo", "foo(int)", true, true},
	    {"foo(int)", "foo(int)", true, true},
	    {"foo", "foobar", true, false},
	    {"foo", "fo", false, false},
	    {"/^fo+$/", "fooo", true, true},
	    {"/^fo+$/", "xfooo", false, false},
	    {"/a|b/", "cb", true, true},
	    {"/usr/lib", "/usr/lib/libc.so", true, false},
	    {"/", "a/b", true, false},
	    {".", "ab", false, false},
	};
	struct ht_error err = {""};
	struct ht_pattern p;
	size_t i;

	(void)state;
	for (i = 0; i < HT_LEN(t); i++) {
		assert_int_equal(ht_pattern_init(&p, t[i].pattern, &err), 0);
		assert_int_equal(ht_pattern_match(&p, t[i].name), t[i].match);
		assert_int_equal(ht_pattern_is(&p, t[i].name), t[i].is);
		ht_pattern_release(&p);
	}
	assert_int_equal(ht_pattern_init(&p, "", &err), -1);
	assert_int_equal(ht_pattern_init(&p, "/(/", &err), -1);
	assert_non_null(strstr(err.text, "empty"));
}

/* `^` and `$` at the ends, `*` anywhere, the letters a and b. */
static void
to_regex(char *out, const char *pattern)
{
	for (; *pattern; pattern++) {
		if (*pattern == '*')
			*out++ = '.';
		*out++ = *pattern;
	}
	*out = '\0';
}

static void
suppressions(void **state)
{
	static const char letters[] = "ab*";
	char pattern[8], expression[20], name[8];
	unsigned n, k, i, ends;
	regex_t re;

	(void)state;
	/* All patterns of up to four letters, all names of up to five. */
	for (n = 1; n < 4 * 81; n++) {
		for (ends = 0; ends < 4; ends++) {
			char *p = pattern;

			if (ends & 1)
				*p++ = '^';
			for (k = n % 81, i = 0; i < 1 + n / 81; i++, k /= 3)
				*p++ = letters[k % 3];
			if (ends & 2)
				*p++ = '$';
			*p = '\0';
			to_regex(expression, pattern);
			assert_int_equal(
			    regcomp(&re, expression, REG_EXTENDED), 0);
			for (k = 2; k < 64; k++) {
				unsigned bits = k;

				for (p = name; bits > 1; bits /= 2)
					*p++ = letters[bits % 2];
				*p = '\0';
				assert_int_equal(
				    ht_suppress_match(pattern, name),
				    regexec(&re, name, 0, NULL, 0) == 0);
			}
			regfree(&re);
		}
	}
	assert_false(ht_suppress_match("*", ""));
	/* Names of lambdas have such letters. */
	assert_true(ht_suppress_match("$_0::op", "main::$_0::operator()"));
	assert_false(ht_suppress_match("a^b", "ab"));
}

static void
lines(void **state)
{
	static const char *const good[] = {
	    "", "  ", "# x", "leak:a", " leak:a", "leak:a \t", "leak:a\r"};
	static const char *const bad[] = {"leak", "leak:", "race:a", "a"};
	struct ht_suppress s = {0};
	size_t i;

	(void)state;
	for (i = 0; i < HT_LEN(good); i++)
		assert_int_equal(ht_suppress_line(&s, good[i], strlen(good[i]),
				     HT_SUPPRESS_FILE),
		    0);
	for (i = 0; i < HT_LEN(bad); i++)
		assert_int_equal(ht_suppress_line(&s, bad[i], strlen(bad[i]),
				     HT_SUPPRESS_FILE),
		    -1);
	assert_int_equal(ht_suppress_line(&s, "leak:a\0b", 8, 0), -1);
	/* Four times the same is one. */
	assert_int_equal(s.n, 1);
	assert_string_equal(s.item[0].pattern, "a");
	ht_suppress_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(patterns),
	    cmocka_unit_test(suppressions),
	    cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
