/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tree that --tree and its like ask for, walked in the order it is
 * printed in, without recursion: a stack may be as deep as it likes. */
#ifndef HT_TOP_FOREST_H
#define HT_TOP_FOREST_H

#include "ht-top/top.h"
#include "libht/place.h"
#include "libht/str.h"
#include "libht/tree.h"

struct forest {
	const struct report *r;
	struct ht_walk walk;
	struct ht_tree tree;
};

void forest_init(struct forest *f, const struct report *r);
void forest_release(struct forest *f);
struct costs node_costs(const struct ht_node *node);
struct costs node_self(const struct ht_node *node);
/* Whether a child has all that its parent has of a cost; whether they are one
 * place, as in a recursion. */
bool is_all_of(
    enum cost sort, const struct ht_node *parent, const struct ht_node *child);
bool is_same_place(
    const struct forest *f, const struct ht_node *a, const struct ht_node *b);

/* The children of a node (0: the roots) in which there is anything, the
 * largest first. */
struct children {
	uint32_t *id; /* owned */
	size_t n;
};
struct children children_of(
    const struct forest *f, uint32_t node, enum cost sort);

/*
 * All nodes in preorder:
 *
 *	struct visit v = {.f = &f, .sort = sort};
 *	while (visit_next(&v))
 *		… v.node, v.depth …
 *	visit_release(&v);
 */
struct level {
	struct children children;
	size_t at;
};

struct visit {
	const struct forest *f;
	enum cost sort;
	uint32_t node;
	size_t depth; /* of the node: a root is at 0 */
	struct level *level;
	size_t n, cap;
};

bool visit_next(struct visit *v);
void visit_release(struct visit *v);

/* What the tree is called: `TOP-DOWN BY PEAK`. Added to `s`. */
void add_tree_title(struct ht_str *s, const struct report *r, enum cost sort);

#endif
