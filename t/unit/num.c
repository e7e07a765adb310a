/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "libht/num.h"

static void
hex_puts(void **state)
{
	static const struct {
		uint64_t v;
		const char *text;
	} t[] = {{0, "0"}, {1, "1"}, {15, "f"}, {16, "10"}, {0xabc, "abc"},
	    {0x100000000, "100000000"}, {UINT64_MAX, "ffffffffffffffff"},
	    {UINT64_C(1) << 60, "1000000000000000"}};
	char buf[17];

	(void)state;
	for (size_t i = 0; i < HT_LEN(t); i++) {
		*ht_hex_put(buf, t[i].v) = '\0';
		assert_string_equal(buf, t[i].text);
	}
}

static int
hex(const char *s, uint64_t *v, size_t *used)
{
	const char *p = s;
	int rc = ht_hex_parse(&p, s + strlen(s), v);

	*used = (size_t)(p - s);
	return rc;
}

static void
hex_parses(void **state)
{
	uint64_t v;
	size_t used;

	(void)state;
	assert_int_equal(hex("1f 2", &v, &used), 0);
	assert_true(v == 0x1f && used == 2);
	assert_int_equal(hex("0000000000000000000a", &v, &used), 0);
	assert_true(v == 10);
	assert_int_equal(hex("ffffffffffffffff", &v, &used), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(hex("10000000000000000", &v, &used), -1);
	assert_int_equal(hex("", &v, &used), -1);
	assert_int_equal(hex("A", &v, &used), -1);
	assert_int_equal(hex("-1", &v, &used), -1);
	assert_int_equal(hex(" 1", &v, &used), -1);
}

static void
thousandths(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t v;
		const char *end;
	} t[] = {{"1", 0, 1000, ""}, {"1.5s", 0, 1500, "s"},
	    {"0.125%", 0, 125, "%"}, {".5", 0, 500, ""}, {"3.", 0, 3000, ""},
	    {"1.2.3", 0, 1200, ".3"}, {"1.2345", -1, 0, ""}, {"", -1, 0, ""},
	    {"x", -1, 0, ""}, {"-1", -1, 0, ""},
	    {"99999999999999999999", -1, 0, ""}};

	(void)state;
	for (size_t i = 0; i < HT_LEN(t); i++) {
		const char *end;
		uint64_t v;

		assert_int_equal(
		    ht_num_thousandths(t[i].text, &end, &v), t[i].rc);
		if (t[i].rc < 0)
			continue;
		assert_true(v == t[i].v);
		assert_string_equal(end, t[i].end);
	}
}

static void
decimal_with_units(void **state)
{
	static const struct {
		const char *text;
		enum ht_unit unit;
		int rc;
		uint64_t v;
	} t[] = {{"0", HT_UNIT_NONE, 0, 0}, {"42", HT_UNIT_NONE, 0, 42},
	    {"18446744073709551615", HT_UNIT_NONE, 0, UINT64_MAX},
	    {"18446744073709551616", HT_UNIT_NONE, -1, 0},
	    {"", HT_UNIT_NONE, -1, 0}, {"4k", HT_UNIT_NONE, -1, 0},
	    {"-1", HT_UNIT_NONE, -1, 0}, {" 1", HT_UNIT_NONE, -1, 0},
	    {"1 ", HT_UNIT_NONE, -1, 0}, {"0x10", HT_UNIT_NONE, -1, 0},
	    {"4k", HT_UNIT_SIZE, 0, 4096}, {"4K", HT_UNIT_SIZE, 0, 4096},
	    {"4kB", HT_UNIT_SIZE, 0, 4096}, {"4KiB", HT_UNIT_SIZE, 0, 4096},
	    {"1M", HT_UNIT_SIZE, 0, 1 << 20},
	    {"2G", HT_UNIT_SIZE, 0, UINT64_C(2) << 30},
	    {"1T", HT_UNIT_SIZE, 0, UINT64_C(1) << 40},
	    {"16777216T", HT_UNIT_SIZE, -1, 0}, {"1X", HT_UNIT_SIZE, -1, 0},
	    {"1kk", HT_UNIT_SIZE, -1, 0}, {"10", HT_UNIT_TIME, 0, 10},
	    {"10ms", HT_UNIT_TIME, 0, 10}, {"2s", HT_UNIT_TIME, 0, 2000},
	    {"3m", HT_UNIT_TIME, 0, 180000}, {"1h", HT_UNIT_TIME, 0, 3600000},
	    {"5000us", HT_UNIT_TIME, 0, 5}, {"500us", HT_UNIT_TIME, -1, 0},
	    {"1d", HT_UNIT_TIME, -1, 0}};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < HT_LEN(t); i++) {
		v = 77;
		assert_int_equal(
		    ht_num_parse(t[i].text, t[i].unit, 0, UINT64_MAX, &v),
		    t[i].rc);
		assert_true(v == (t[i].rc ? 77 : t[i].v));
	}
	assert_int_equal(ht_num_parse("5", HT_UNIT_NONE, 6, 10, &v), -1);
	assert_int_equal(ht_num_parse("11", HT_UNIT_NONE, 6, 10, &v), -1);
	assert_int_equal(ht_num_parse("10", HT_UNIT_NONE, 6, 10, &v), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hex_puts),
	    cmocka_unit_test(hex_parses),
	    cmocka_unit_test(thousandths),
	    cmocka_unit_test(decimal_with_units),
	};

	return cmocka_run_group_tests_name("num", tests, NULL, NULL);
}
