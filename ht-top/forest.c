/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ht-top/forest.h"
#include "ht-top/labels.h"
#include "libht/fmt.h"
#include "libht/mem.h"

void
forest_init(struct forest *f, const struct report *r)
{
	const struct top *top = r->top;

	f->r = r;
	ht_walk_init(
	    &f->walk, r->p, &top->query.alloc_fn, top->query.all_frames);
	ht_tree_init(&f->tree, &f->walk, top->by, top->direction,
	    top->function ? &top->pattern : NULL);
	ht_tree_add(&f->tree, r->p->row, r->p->nrow, false);
	if (r->base_row)
		ht_tree_add(&f->tree, r->base_row, r->p->nrow, true);
}

void
forest_release(struct forest *f)
{
	ht_tree_release(&f->tree);
	ht_walk_release(&f->walk);
}

struct costs
node_costs(const struct ht_node *node)
{
	return (struct costs){node->sum, node->base};
}

struct costs
node_self(const struct ht_node *node)
{
	return (struct costs){node->self, node->base_self};
}

bool
is_all_of(
    enum cost sort, const struct ht_node *parent, const struct ht_node *child)
{
	return cost_of(sort, &parent->sum) == cost_of(sort, &child->sum) &&
	       cost_of(sort, &parent->base) == cost_of(sort, &child->base);
}

bool
is_same_place(
    const struct forest *f, const struct ht_node *a, const struct ht_node *b)
{
	struct ht_place x = place_by(f->r->p, f->tree.by, a->place);
	struct ht_place y = place_by(f->r->p, f->tree.by, b->place);

	return compare_places(f->r->p, &x, &y) == 0;
}

struct order {
	const struct forest *f;
	enum cost sort;
};

static int
compare_nodes(const void *a, const void *b, void *arg)
{
	const struct order *o = arg;
	const struct ht_node *x = &o->f->tree.node[*(const uint32_t *)a - 1];
	const struct ht_node *y = &o->f->tree.node[*(const uint32_t *)b - 1];
	struct costs cx = node_costs(x), cy = node_costs(y);
	int c =
	    amount_compare(amount_of(o->sort, &cx), amount_of(o->sort, &cy));
	struct ht_place px, py;

	if (c)
		return c;
	px = place_by(o->f->r->p, o->f->tree.by, x->place);
	py = place_by(o->f->r->p, o->f->tree.by, y->place);
	return compare_places(o->f->r->p, &px, &py);
}

struct children
children_of(const struct forest *f, uint32_t node, enum cost sort)
{
	const struct ht_tree *t = &f->tree;
	uint32_t id = node ? t->node[node - 1].child : t->root;
	struct children c = {NULL, 0};
	struct order o = {f, sort};
	size_t cap = 0;

	for (; id; id = t->node[id - 1].sibling) {
		struct costs costs = node_costs(&t->node[id - 1]);

		/* Of a difference also what cancels itself out below. */
		if (cost_of(sort, &costs.sum) == 0 &&
		    cost_of(sort, &costs.base) == 0)
			continue;
		HT_GROW(c.id, cap, c.n + 1);
		c.id[c.n++] = id;
	}
	if (c.n > 1)
		qsort_r(c.id, c.n, sizeof *c.id, compare_nodes, &o);
	return c;
}

static void
push(struct visit *v, uint32_t node)
{
	HT_GROW(v->level, v->cap, v->n + 1);
	v->level[v->n++] = (struct level){children_of(v->f, node, v->sort), 0};
}

bool
visit_next(struct visit *v)
{
	if (v->node == 0)
		v->n = 0;
	push(v, v->node);
	while (
	    v->n > 0 && v->level[v->n - 1].at == v->level[v->n - 1].children.n)
		free(v->level[--v->n].children.id);
	if (v->n == 0)
		return false;
	v->depth = v->n - 1;
	v->node = v->level[v->depth].children.id[v->level[v->depth].at++];
	return true;
}

void
visit_release(struct visit *v)
{
	while (v->n > 0)
		free(v->level[--v->n].children.id);
	free(v->level);
}

void
add_tree_title(struct ht_str *s, const struct report *r, enum cost sort)
{
	static const char *const names[] = {[HT_TREE_TOP_DOWN] = "TOP-DOWN",
	    [HT_TREE_BOTTOM_UP] = "BOTTOM-UP",
	    [HT_TREE_CALLERS] = "CALLERS OF ",
	    [HT_TREE_CALLEES] = "CALLEES OF "};
	const char *cost;

	ht_str_addz(s, names[r->top->direction]);
	if (r->top->function)
		ht_fmt_text(s, r->top->function, strlen(r->top->function),
		    r->top->width ? 24 : 0);
	ht_str_addz(s, " BY ");
	for (cost = cost_names[sort]; *cost; cost++)
		ht_str_addc(s, (char)toupper((unsigned char)*cost));
}
