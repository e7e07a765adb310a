/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows: the costs of a profile merged by what --by says; by line, as
 * heaptrack_print merges: module, function, file and line of the innermost
 * frame above operator new, without its address. Under each are the backtraces
 * that led there.
 *
 * A *chain* is a backtrace without what the row says already: by function and
 * line without its first place.
 */
#ifndef HT_TOP_ROWS_H
#define HT_TOP_ROWS_H

#include <string.h>

#include "ht-top/top.h"
#include "libht/place.h"
#include "libht/tree.h"

struct row {
	struct costs costs;
	uint32_t place; /* of one of its frames */
	uint64_t value; /* by thread and size: which */
	uint32_t node;	/* its group */
	uint32_t first; /* next[]: a list of the profile's rows */
};

/* One backtrace of a row. */
struct sub {
	struct costs costs;
	uint32_t stack;	   /* an example: backtraces shown alike are one */
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
	const struct report *r;
	struct ht_walk walk;
	struct ht_tree tree; /* flat */
	struct row *row;
	size_t nrow;
	uint32_t *next; /* row of the profile to the next of its row; 0 ends */

	/* The backtraces of one row, until the next call of rows_subs. */
	struct sub *sub;
	size_t nsub, sub_cap;
	struct ht_intern chains;
};

void rows_init(struct rows *rows, const struct report *r);
void rows_release(struct rows *rows);
/* Merges the backtraces of a row that are shown alike; into rows->sub. */
void rows_subs(struct rows *rows, const struct row *row);

/* Those in which there is anything of a cost, the largest first; of nothing,
 * NULL. The array is the caller's. */
struct row **rows_sorted(struct rows *rows, enum cost sort, size_t *n);
struct sub **subs_sorted(struct rows *rows, enum cost sort, size_t *n);

#endif
