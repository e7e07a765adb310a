/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Columns of integers, one after the other, as small as that can simply be:
 * LEB128, of the values, their zigzag, or the zigzag of their differences
 * (README.md).
 *
 *	struct pack p = {0};
 *	pack_begin(&p, "node.", "up", 'u');
 *	for (…)
 *		pack_add(&p, v);
 */
#ifndef HT_HTML_PACK_H
#define HT_HTML_PACK_H

#include "libht/base.h"
#include "libht/str.h"

struct pack_column {
	char name[40];
	char coding; /* u, s or d */
	size_t start, count;
};

struct pack {
	struct ht_str bytes;
	struct pack_column *column;
	size_t n, cap;
	uint64_t last;
};

/* The columns' name is `group` and `name`, which together fit into it. */
void pack_begin(
    struct pack *p, const char *group, const char *name, char coding);
/* Of `s` and `d` the value may be negative: two's complement. */
void pack_add(struct pack *p, uint64_t value);
/* Where a column's bytes end. */
size_t pack_end(const struct pack *p, size_t column);
void pack_release(struct pack *p);

#endif
