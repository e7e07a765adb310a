/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All that a page shows, of one profile or of two side by side: symbols, the
 * tree of stacks, and costs by group (README.md). Symbols tell what belongs
 * together, so that nothing depends on which ids a profile gave.
 */
#ifndef HT_HTML_SHEET_H
#define HT_HTML_SHEET_H

#include "ht-html/timeline.h"
#include "libht/base.h"
#include "libht/cost.h"
#include "libht/hist.h"
#include "libht/intern.h"
#include "libht/map.h"
#include "libht/prof.h"
#include "libht/query.h"
#include "libht/suppress.h"

enum { SHEET_NOW, SHEET_BASE, SHEET_SIDES };

enum {
	FRAME_INLINED = 1,
	FRAME_SYSTEM = 2,
	FRAME_NO_FUNCTION = 4,
	FRAME_CUT = 8,
	FRAME_SMALLER = 16 /* stands for stacks that were summed up */
};

struct sheet_frame {
	uint32_t function, file, line, module; /* texts */
	uint32_t symbol;
	uint32_t flags;
};

struct sheet_node {
	uint32_t parent, frame;	 /* node 0, frame 0: the whole program */
	uint32_t child, sibling; /* the first; the next; 0 none */
	uint32_t smaller;	 /* it stands for so many stacks */
	bool stack;		 /* groups are here */
	bool keep;
};

struct sheet_group {
	uint32_t node, thread, kind; /* the latter are texts */
	uint32_t size;		     /* its power of two */
	bool suppressed;	     /* what it leaks is hidden */
	uint64_t unit;		     /* bytes of a block, of its first row */
};

/* What a group cost. */
struct sheet_cost {
	struct ht_sum sum;
	struct ht_hist lives, bytes; /* ages of freed blocks, and their bytes */
	uint32_t lives_rest;	     /* of blocks, in 2^-32 */
};

struct sheet_side {
	const struct ht_prof *prof; /* its header; its rows are here now */
	struct timeline *timeline;
	struct ht_suppress suppress; /* those that hid something */
	struct sheet_cost *cost;     /* of groups; may be shorter */
	size_t ncost, cost_cap;
};

struct sheet {
	const struct ht_query *query;
	bool shorten; /* template arguments */
	struct ht_intern text;
	struct ht_intern frames, symbols, groups; /* keys */
	struct sheet_frame *frame;
	size_t nframe, frame_cap;
	struct sheet_node *node;
	size_t nnode, node_cap;
	struct ht_map children; /* (parent, frame) to node */
	struct sheet_group *group;
	size_t ngroup, group_cap;
	size_t stacks; /* that there were before any were summed up */
	struct sheet_side side[SHEET_SIDES];
};

void sheet_init(struct sheet *s, const struct ht_query *query, bool shorten);
/* Right after ht_load, which left in the query what it suppressed. Both stay
 * the caller's, and have to stay until the sheet is released. */
void sheet_add(struct sheet *s, int side, const struct ht_prof *prof,
    struct timeline *timeline);
/* Once both sides are there: sums up the smallest stacks if there are more
 * than `max`, and puts nodes and groups in the order that README.md says. */
void sheet_finish(struct sheet *s, size_t max);
void sheet_release(struct sheet *s);

#endif
