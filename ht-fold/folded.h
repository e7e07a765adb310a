/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Costs by folded stack: the names of a backtrace, from the root to the leaf.
 * The names are what tells stacks apart, as it is for those who read them:
 * lines, sizes and addresses do not.
 *
 * They are kept as a tree, not as lines: what deep stacks share is there once.
 */
#ifndef HT_FOLD_FOLDED_H
#define HT_FOLD_FOLDED_H

#include "libht/base.h"
#include "libht/intern.h"
#include "libht/map.h"
#include "libht/out.h"
#include "libht/prof.h"
#include "libht/query.h"

enum folded_cost {
	FOLDED_CALLS,
	FOLDED_PEAK,
	FOLDED_LEAKED,
	FOLDED_TEMPORARY,
	FOLDED_TOTAL,
	FOLDED_OTHERS
};
extern const char *const folded_costs[]; /* for ht_opt_choice */

/* What becomes of functions that were inlined. */
enum folded_inlined { FOLDED_MARK, FOLDED_PLAIN, FOLDED_HIDE };
extern const char *const folded_inlineds[];

struct folded_node {
	uint32_t parent, name; /* parent 0: none */
	uint64_t cost, base;   /* of what ends here; rests in 2^-32 */
	uint32_t cost_rest, base_rest;
};

struct folded {
	enum folded_cost cost;
	enum folded_inlined inlined;
	bool shorten;	/* template arguments are left out */
	bool by_thread; /* the thread is the outermost name */
	bool reverse;	/* from the leaf to the root */
	const struct ht_query *query;

	struct ht_intern name;	  /* as printed */
	struct folded_node *node; /* node[id - 1] */
	size_t nnode, cap;
	struct ht_map child; /* (parent, name) to node */
	uint32_t *path;	     /* names of the last backtrace */
	size_t npath, path_cap;
};

/* Adds a profile's rows; `base`: to the base of a difference. */
void folded_add(struct folded *f, const struct ht_prof *p, bool base);
/* A line for each stack that cost something, ordered by their names. `two`:
 * with the base's cost before its own. */
void folded_print(const struct folded *f, struct ht_out *out, bool two);
void folded_release(struct folded *f);

#endif
