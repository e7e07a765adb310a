/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sparse numbers by bucket of time and group of classes (timeline.h). */
#ifndef HT_HTML_CELLS_H
#define HT_HTML_CELLS_H

#include "libht/base.h"

enum {
	CELL_TEMPORARY = 1,
	CELL_BY_OTHER = 256, /* freed by another thread */
	CELL_PART = 512	     /* not freed: it goes on as its parts, or is one */
};

/* Of one group in one bucket. Blocks and bytes may be negative: two's
 * complement. */
struct cell {
	uint32_t group; /* 0 and up */
	/* Of blocks that died: the bucket of their birth; 2 x their age, by its
	 * power of two, + CELL_TEMPORARY, CELL_BY_OTHER; or CELL_PART. Else 0.
	 */
	int16_t birth;
	uint16_t how;
	uint64_t blocks, bytes;
};

/* Those of all buckets, in order: bucket b's are cell[end[b - 1]] to
 * cell[end[b] - 1]. In a bucket none is like another, and they are sorted. */
struct cells {
	struct cell *cell;
	size_t n, cap;
	size_t *end;
	size_t end_cap;
};

void cells_release(struct cells *c);
/* Where a bucket's cells begin; of one behind the last, where all end. */
size_t cells_start(const struct cells *c, size_t bucket);
/* Adds to the bucket behind the last, and makes it one: sorted, those that are
 * alike in all but numbers as one, those that came to nothing left out. */
void cells_add(struct cells *c, struct cell cell);
void cells_end_bucket(struct cells *c, size_t bucket);
/* Adds what another has in a bucket. */
void cells_add_bucket(
    struct cells *to, const struct cells *from, size_t bucket);
/* Adds what takes that away, whatever its birth. */
void cells_take_bucket(
    struct cells *to, const struct cells *from, size_t bucket);
/* Puts cells `start` to `end` - 1, which have changed, in order, and moves them
 * down to `to`. Where they end now. */
size_t cells_settle(struct cells *c, size_t to, size_t start, size_t end);

#endif
