/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tree of a detailed snapshot as massif.out has it: what is live, by the
 * function that allocates, its caller, and so on to the outermost.
 *
 * The nodes are those of one tree that grows with the trace; only numbers
 * change from snapshot to snapshot, so a place has one label in all of them.
 */
#ifndef HT_MASSIF_HEAPTREE_H
#define HT_MASSIF_HEAPTREE_H

#include "libht/base.h"
#include "libht/load.h"
#include "libht/query.h"
#include "libht/str.h"
#include "libht/tree.h"

struct heaptree {
	const struct ht_prof *p;
	uint64_t threshold; /* thousandths of a percent of the total */
	size_t depth;	    /* of a path: so many places */
	struct ht_walk walk;
	struct ht_tree tree;
	struct ht_intern label;
	struct ht_map label_of; /* place to label */
	uint64_t *address;	/* of the profile's frames; 0 not known yet */
	size_t address_cap;
	/* Of nodes, for the tree that is being made. */
	uint64_t *bytes, *self; /* through it; of paths that end here */
	size_t bytes_cap, self_cap;
};

/* `p` may grow; it and the query stay the caller's. */
void heaptree_init(struct heaptree *h, const struct ht_prof *p,
    const struct ht_query *query, uint64_t threshold, size_t depth);
void heaptree_release(struct heaptree *h);

/* A tree: begin, all that is live, and then its text, lines of massif.out. */
void heaptree_begin(struct heaptree *h);
void heaptree_add(
    struct heaptree *h, const struct ht_prof_row *row, uint64_t bytes);
void heaptree_write(
    struct heaptree *h, const struct ht_merge *m, struct ht_str *out);

/* Adds text on one line without `#`, which begins a comment in massif.out. */
void heaptree_safe(struct ht_str *s, const char *text, size_t len);

#endif
