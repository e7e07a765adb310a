/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ht-top/costs.h"

const char *const cost_names[] = {"peak", "calls", "temporary", "leaked",
    "total", "lifetime", "others", "rounding", NULL};

static const struct {
	const char *name;
	size_t at;
} fields[] = {
    {"calls", offsetof(struct ht_sum, allocs)},
    {"total", offsetof(struct ht_sum, bytes)},
    {"temporary", offsetof(struct ht_sum, temporary)},
    {"leaked", offsetof(struct ht_sum, leaked)},
    {"leaked_blocks", offsetof(struct ht_sum, leaked_blocks)},
    {"peak", offsetof(struct ht_sum, peak)},
    {"peak_blocks", offsetof(struct ht_sum, peak_blocks)},
    {"lifetime", offsetof(struct ht_sum, held)},
    {"age", offsetof(struct ht_sum, age)},
    {"freed_by_others", offsetof(struct ht_sum, others)},
    {"rounding", offsetof(struct ht_sum, rounding)},
    {"rounding_leaked", offsetof(struct ht_sum, rounding_leaked)},
};
const size_t field_count = HT_LEN(fields);

const char *
field_name(size_t i)
{
	return fields[i].name;
}

struct amount
field_of(size_t i, const struct costs *c)
{
	uint64_t later, base;

	memcpy(&later, (const char *)&c->sum + fields[i].at, sizeof later);
	memcpy(&base, (const char *)&c->base + fields[i].at, sizeof base);
	return amount_between(base, later);
}

static const struct {
	const char *name;
	size_t at;
	bool blocks;
} halves[] = {
    {"calls_95", offsetof(struct ht_variances, allocs), true},
    {"total_95", offsetof(struct ht_variances, bytes), false},
    {"temporary_95", offsetof(struct ht_variances, temporary), true},
    {"leaked_95", offsetof(struct ht_variances, leaked), false},
    {"leaked_blocks_95", offsetof(struct ht_variances, leaked_blocks), true},
    {"peak_95", offsetof(struct ht_variances, peak), false},
    {"peak_blocks_95", offsetof(struct ht_variances, peak_blocks), true},
};

const char *
half_name(size_t i)
{
	return i < HT_LEN(halves) ? halves[i].name : NULL;
}

uint64_t
half_field(size_t i, const struct costs *c)
{
	ht_wide a, b;

	memcpy(&a, (const char *)&c->sum.variance + halves[i].at, sizeof a);
	memcpy(&b, (const char *)&c->base.variance + halves[i].at, sizeof b);
	if (__builtin_add_overflow(a, b, &a))
		a = ~(ht_wide)0;
	return halves[i].blocks ? ht_weight_95_blocks(a) : ht_weight_95(a);
}

bool
has_half(enum cost cost)
{
	return cost <= COST_TOTAL;
}

uint64_t
half_of(enum cost cost, const struct costs *c)
{
	static const size_t field[COSTS] = {[COST_PEAK] = 5,
	    [COST_CALLS] = 0,
	    [COST_TEMPORARY] = 2,
	    [COST_LEAKED] = 3,
	    [COST_TOTAL] = 1};

	return has_half(cost) ? half_field(field[cost], c) : 0;
}

uint64_t
cost_of(enum cost cost, const struct ht_sum *sum)
{
	switch (cost) {
	case COST_PEAK:
		return sum->peak;
	case COST_CALLS:
		return sum->allocs;
	case COST_TEMPORARY:
		return sum->temporary;
	case COST_LEAKED:
		return sum->leaked;
	case COST_TOTAL:
		return sum->bytes;
	case COST_LIFETIME:
		return sum->held;
	case COST_OTHERS:
		return sum->others;
	case COST_ROUNDING:
		return sum->rounding;
	case COSTS:
		break;
	}
	return 0;
}

struct amount
amount_between(uint64_t base, uint64_t later)
{
	return later >= base ? (struct amount){later - base, false}
			     : (struct amount){base - later, true};
}

struct amount
amount_of(enum cost cost, const struct costs *c)
{
	return amount_between(cost_of(cost, &c->base), cost_of(cost, &c->sum));
}

void
costs_add(struct costs *to, const struct costs *more)
{
	ht_sum_add(&to->sum, &more->sum);
	ht_sum_add(&to->base, &more->base);
}

int
amount_compare(struct amount a, struct amount b)
{
	if (a.n != b.n)
		return (a.n < b.n) - (a.n > b.n);
	return a.minus - b.minus;
}

struct ht_fmt
amount_text(struct amount a, enum unit unit, bool sign)
{
	struct ht_fmt f = {""}, n;

	switch (unit) {
	case UNIT_BYTES:
		n = ht_fmt_bytes(a.n);
		break;
	case UNIT_BYTE_MS:
		n = ht_fmt_bytes(a.n / 1000);
		break;
	case UNIT_MS:
		n = ht_fmt_ms(a.n);
		break;
	default:
		n = ht_fmt_count(a.n);
		break;
	}
	snprintf(f.s, sizeof f.s, "%s%.30s%s",
	    a.minus	       ? "-"
	    : sign && a.n != 0 ? "+"
			       : "",
	    n.s, unit == UNIT_BYTE_MS ? "\xc2\xb7s" : "");
	return f;
}

struct ht_fmt
amount_percent(struct amount a, uint64_t whole, bool sign)
{
	struct ht_fmt f = {""}, n = ht_fmt_percent(a.n, whole);

	if (n.s[0])
		snprintf(f.s, sizeof f.s, "%s%.30s",
		    a.minus	       ? "-"
		    : sign && a.n != 0 ? "+"
				       : "",
		    n.s);
	return f;
}
