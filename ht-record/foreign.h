/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The allocators of another process, beside its libc: what is to be hooked of
 * them. Which these are, and why, is told in preload/allocators.h.
 *
 * And the pools that heaptrack_api.h annotates, where it is told to look its
 * functions up by dlsym: it does so once, so the table in which it notes them
 * is found by its name.
 */
#ifndef HT_FOREIGN_H
#define HT_FOREIGN_H

#include "ht-record/image.h"
#include "ht-record/linkmap.h"

/* A function that is to be hooked. */
struct ht_foreign {
	unsigned point; /* number in the image's table of entry points */
	struct ht_symbol symbol;
	struct ht_area module; /* where all of its module is */
};

struct ht_foreigners {
	struct ht_foreign *entry;
	size_t entries, cap;
	uint64_t *table; /* addresses: struct heaptrack_api_t of modules */
	size_t tables, tables_cap;
};

/* Finds them, while the process runs. */
void ht_foreign_find(struct ht_foreigners *f, const struct ht_linkmap *m,
    struct ht_remote *r, const struct ht_image *image);
void ht_foreign_release(struct ht_foreigners *f);

/* Where function number `point` of the same module is, or 0. */
uint64_t ht_foreign_at(
    const struct ht_foreigners *f, size_t object, unsigned point);

#endif
