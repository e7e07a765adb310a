/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A line as what users write: numbers with units, limits, names to look for.
 * What is taken says what strtoull and strstr do. */
#include <errno.h>

#include "ht-top/limits.h"
#include "libht/num.h"
#include "libht/pattern.h"
#include "t/fuzz/fuzz.h"

static void
check_number(const char *s)
{
	static const enum ht_unit units[] = {
	    HT_UNIT_NONE, HT_UNIT_SIZE, HT_UNIT_TIME};
	uint64_t v, plain;
	const char *end;
	char *last;
	size_t i;

	errno = 0;
	plain = strtoull(s, &last, 10);
	for (i = 0; i < HT_LEN(units); i++) {
		if (ht_num_parse(s, units[i], 5, UINT64_MAX, &v) < 0)
			continue;
		check(*s >= '0' && *s <= '9' && v >= 5);
		if (*last == '\0')
			check(errno == 0 && v == plain);
		else
			check(units[i] != HT_UNIT_NONE);
	}
	if (ht_num_thousandths(s, &end, &v) == 0)
		check(end > s && (*end < '0' || *end > '9' || *last == '.'));
}

static void
check_limits(const char *s)
{
	struct limits l = {0}, again = {0};
	struct ht_error err = {""};
	size_t i;

	if (limits_add(&l, s, &err) < 0) {
		check(err.text[0]);
	} else {
		check(l.n > 0);
		for (i = 0; i < l.n; i++) {
			struct limit *a = &l.limit[i], *b;

			check(limits_add(&again, a->text, &err) == 0);
			b = &again.limit[again.n - 1];
			check(again.n == i + 1 && a->value_of == b->value_of &&
			      a->op == b->op && a->value == b->value &&
			      a->minus == b->minus && a->percent == b->percent);
		}
	}
	limits_release(&l);
	limits_release(&again);
}

/* Regexes are the C library's. */
static void
check_pattern(const char *s, const char *name)
{
	struct ht_error err = {""};
	struct ht_pattern p;

	if (*s == '/' || ht_pattern_init(&p, s, &err) < 0)
		return;
	check(ht_pattern_match(&p, name) == (strstr(name, s) != NULL));
	if (ht_pattern_is(&p, name))
		check(strncmp(s, name, strlen(s)) == 0);
	ht_pattern_release(&p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = ht_memdup(data, size), *name = strchr(text, '\n');

	if (name)
		*name++ = '\0';
	check_number(text);
	check_limits(text);
	check_pattern(text, name ? name : "");
	free(text);
	return 0;
}
