/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Costs by what backtraces have in common: flat groups, and trees of them
 * top-down, bottom-up, or from one function to its callers or callees.
 * Level 5.
 *
 * Whether two places are the same depends on what they are grouped by: the
 * function with its module, the line (function, file and line), the file, the
 * module. By thread, kind, size and stack there are flat groups only.
 */
#ifndef HT_TREE_H
#define HT_TREE_H

#include "libht/base.h"
#include "libht/cost.h"
#include "libht/intern.h"
#include "libht/map.h"
#include "libht/pattern.h"
#include "libht/place.h"
#include "libht/prof.h"

enum ht_by {
	HT_BY_FUNCTION,
	HT_BY_LINE,
	HT_BY_FILE,
	HT_BY_MODULE,
	HT_BY_THREAD,
	HT_BY_KIND,
	HT_BY_SIZE,
	HT_BY_STACK
};
extern const char *const ht_by_names[]; /* for ht_opt_choice */

enum ht_direction {
	HT_TREE_FLAT,	   /* the innermost place, or the thread … */
	HT_TREE_TOP_DOWN,  /* from the root to the leaf */
	HT_TREE_BOTTOM_UP, /* from the leaf to the root */
	HT_TREE_CALLERS,   /* from a function that matches to the root */
	HT_TREE_CALLEES	   /* from one that matches to the leaf */
};

/* A node: costs of the rows whose path leads through it. */
struct ht_node {
	uint32_t parent;	 /* 0: a root */
	uint32_t child, sibling; /* the first child; the next; 0 none */
	uint32_t place;		 /* one of them (place.h); 0 by what is none */
	uint64_t value;	   /* text of the thread or kind, size, stack; else 0 */
	struct ht_sum sum; /* through it */
	struct ht_sum self;	       /* of those that end here */
	struct ht_sum base, base_self; /* the same of a diff's base */
};

struct ht_tree {
	struct ht_walk *walk;
	enum ht_by by;
	enum ht_direction direction;
	const struct ht_pattern *function; /* of callers and callees */
	struct ht_node *node;		   /* node[id - 1] */
	size_t nnode, cap;
	uint32_t root;	      /* the first of the roots, which are siblings */
	struct ht_intern key; /* what places are grouped by */
	struct ht_map place;  /* place to key */
	struct ht_map child;  /* (parent, key) to node */
	struct ht_map end;    /* stack to the node where its path ends, or 0 */
	struct ht_map match;  /* text to whether `function` matches it */
	uint32_t *path;	      /* keys of the last stack, and their places */
	uint32_t *path_place;
	size_t npath, path_cap, path_place_cap;
};

/* `function` is for callers and callees, else NULL; all that is pointed to
 * stays the caller's. A recursive function counts once a backtrace: its
 * callers from the innermost call on, its callees from the outermost. */
void ht_tree_init(struct ht_tree *t, struct ht_walk *walk, enum ht_by by,
    enum ht_direction direction, const struct ht_pattern *function);
/* Adds rows, of walk->p or with its stacks and texts; `base`: to the base. */
void ht_tree_add(
    struct ht_tree *t, const struct ht_prof_row *row, size_t n, bool base);
/* The node where a row's path ends, made if it is new; 0: it is not in the
 * tree. */
uint32_t ht_tree_end(struct ht_tree *t, const struct ht_prof_row *row);
void ht_tree_release(struct ht_tree *t);

#endif
