/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Address ranges, half-open, each with a number; found by bisection, also
 * where they overlap. `struct spans s = {0}` is an empty table.
 */
#ifndef HT_SPANS_H
#define HT_SPANS_H

#include "libht/base.h"

struct span {
	uint64_t start, end;
	uint64_t reach; /* the largest end of this and all before it */
	uint32_t id;
};

struct spans {
	struct span *span;
	size_t count, cap;
	bool sorted;
};

/* Adds a range; one that is empty is left out. */
void spans_add(struct spans *s, uint64_t start, uint64_t end, uint32_t id);
/* The ranges that contain `addr`, innermost first: by start downwards, then
 * the shorter, then the higher id. Start with *at = SIZE_MAX; NULL: no more. */
const struct span *spans_next(struct spans *s, uint64_t addr, size_t *at);
/* The first of them, or NULL. */
const struct span *spans_find(struct spans *s, uint64_t addr);
/* The smallest start above `addr`, or UINT64_MAX. */
uint64_t spans_above(struct spans *s, uint64_t addr);
void spans_clear(struct spans *s);
void spans_release(struct spans *s);

#endif
