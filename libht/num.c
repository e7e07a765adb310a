/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "libht/num.h"

/* A unit's factor; 0: unknown. Time counts in us here, so that `1us` can be
 * told from nothing. */
static uint64_t
size_factor(const char *unit)
{
	static const char prefix[] = "kMGT";
	const char *p;
	uint64_t factor = 1;

	if (!*unit || !strcmp(unit, "B"))
		return 1;
	p = *unit == 'K' ? prefix : strchr(prefix, *unit);
	if (!p || (unit[1] && strcmp(unit + 1, "B") && strcmp(unit + 1, "iB")))
		return 0;
	for (ptrdiff_t i = 0; i <= p - prefix; i++)
		factor *= 1024;
	return factor;
}

static uint64_t
time_factor(const char *unit)
{
	static const struct {
		const char *unit;
		uint64_t us;
	} known[] = {
	    {"", 1000},
	    {"us", 1},
	    {"ms", 1000},
	    {"s", 1000000},
	    {"m", 60000000},
	    {"h", UINT64_C(3600000000)},
	};

	for (size_t i = 0; i < HT_LEN(known); i++)
		if (!strcmp(unit, known[i].unit))
			return known[i].us;
	return 0;
}

int
ht_num_parse(
    const char *s, enum ht_unit unit, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v = 0, factor = 1;
	const char *p = s;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return -1;
	if (p == s)
		return -1;
	if (unit == HT_UNIT_SIZE)
		factor = size_factor(p);
	else if (unit == HT_UNIT_TIME)
		factor = time_factor(p);
	else if (*p)
		return -1;
	if (!factor || __builtin_mul_overflow(v, factor, &v))
		return -1;
	if (unit == HT_UNIT_TIME) {
		if (v % 1000)
			return -1;
		v /= 1000;
	}
	if (v < min || v > max)
		return -1;
	*out = v;
	return 0;
}

static inline unsigned
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	return 16;
}

int
ht_hex_parse(const char **p, const char *end, uint64_t *out)
{
	const char *s = *p;
	uint64_t v = 0;
	unsigned d;

	for (; s < end && (d = hex_value(*s)) < 16; s++) {
		if (v >> 60)
			return -1;
		v = v << 4 | d;
	}
	if (s == *p)
		return -1;
	*p = s;
	*out = v;
	return 0;
}

char *
ht_hex_put(char *p, uint64_t v)
{
	static const char digit[] = "0123456789abcdef";
	unsigned n = (67 - (unsigned)__builtin_clzll(v | 1)) / 4;

	for (unsigned i = n; i-- > 0; v >>= 4)
		p[i] = digit[v & 15];
	return p + n;
}

int
ht_num_thousandths(const char *s, const char **end, uint64_t *out)
{
	uint64_t v = 0;
	int digits = 0, decimals = -1;

	for (; (*s >= '0' && *s <= '9') || (*s == '.' && decimals < 0); s++) {
		if (*s == '.') {
			decimals = 0;
			continue;
		}
		if (decimals == 3 || v > UINT64_MAX / 100000)
			return -1;
		v = 10 * v + (uint64_t)(*s - '0');
		digits++;
		decimals += decimals >= 0;
	}
	for (decimals = decimals < 0 ? 0 : decimals; decimals < 3; decimals++)
		v *= 10;
	*end = s;
	*out = v;
	return digits ? 0 : -1;
}
