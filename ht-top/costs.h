/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Costs as the reports sort and print them. Every number may be the difference
 * of two profiles: it is kept as both, and subtracted when it is shown, so sums
 * of differences are exact.
 */
#ifndef HT_TOP_COSTS_H
#define HT_TOP_COSTS_H

#include "libht/base.h"
#include "libht/cost.h"
#include "libht/fmt.h"

/* What a report can be sorted by, in the order of its sections. */
enum cost {
	COST_PEAK,
	COST_CALLS,
	COST_TEMPORARY,
	COST_LEAKED,
	COST_TOTAL,
	COST_LIFETIME, /* bytes times ms, of freed blocks */
	COST_OTHERS,   /* frees by another thread */
	COST_ROUNDING, /* bytes usable, but not asked for, at the peak */
	COSTS
};
extern const char *const cost_names[]; /* for ht_opt_choice */

/* Without a difference the base is 0. */
struct costs {
	struct ht_sum sum, base;
};

struct amount {
	uint64_t n;
	bool minus;
};

enum unit { UNIT_COUNT, UNIT_BYTES, UNIT_BYTE_MS, UNIT_MS };

uint64_t cost_of(enum cost cost, const struct ht_sum *sum);
struct amount amount_between(uint64_t base, uint64_t later);
struct amount amount_of(enum cost cost, const struct costs *c);
void costs_add(struct costs *to, const struct costs *more);
/* For sorting: the larger change comes first, more before less. */
int amount_compare(struct amount a, struct amount b);
/* `sign`: a + is written too. */
struct ht_fmt amount_text(struct amount a, enum unit unit, bool sign);
/* Of `whole` in percent, one digit behind the point; "" of nothing. */
struct ht_fmt amount_percent(struct amount a, uint64_t whole, bool sign);

/* All that is known of a row, for other programs: ht-top(1) lists the fields,
 * whose names and order stay. */
extern const size_t field_count;
/* So many are always there; those after them only where they are recorded. */
#define FIELDS_ALWAYS 10
const char *field_name(size_t i);
struct amount field_of(size_t i, const struct costs *c);

/* Half the width of the 95 % interval of a cost, or of field i (half_name;
 * NULL: no more); of a difference, whose sides err independently, that of both.
 */
uint64_t half_of(enum cost cost, const struct costs *c);
bool has_half(enum cost cost); /* else it is estimated without one */
const char *half_name(size_t i);
uint64_t half_field(size_t i, const struct costs *c);

#endif
