/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows: the costs of a profile merged by the place that allocates, as
 * heaptrack_print merges: module, function, file and line of the innermost
 * frame above operator new, without its address.
 *
 * A *chain* is a backtrace without its first place, which is the row.
 */
#ifndef HT_TOP_ROWS_H
#define HT_TOP_ROWS_H

#include <string.h>

#include "ht-top/top.h"
#include "libht/place.h"
#include "libht/query.h"

struct row {
	struct ht_sum sum;
	uint32_t place; /* of one of its frames */
	uint32_t first; /* next[]: a list of the profile's rows */
};

/* One backtrace of a row, without the row's own place. */
struct sub {
	struct ht_sum sum;
	const char *chain; /* `len` places; may lie at any address */
	size_t len;
};

static inline uint32_t
sub_place(const struct sub *s, size_t i)
{
	uint32_t place;

	memcpy(&place, s->chain + i * sizeof place, sizeof place);
	return place;
}

struct rows {
	const struct ht_prof *p;
	struct ht_walk walk;
	struct row *row;
	size_t nrow, cap;
	uint32_t *next; /* row of the profile to the next of its row; 0 ends */
	struct ht_intern keys;

	/* The backtraces of one row, until the next call of rows_subs. */
	struct sub *sub;
	size_t nsub, sub_cap;
	struct ht_intern chains;
};

void rows_init(
    struct rows *r, const struct ht_prof *p, const struct ht_query *query);
void rows_release(struct rows *r);
/* Merges the backtraces of a row that are shown alike; into r->sub. */
void rows_subs(struct rows *r, const struct row *row);

#endif
