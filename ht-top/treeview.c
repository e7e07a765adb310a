/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trees in text. A node that has one child and nothing more than it goes on
 * without another indent and without numbers: a line without numbers has those
 * of the line above. What matters little is summed up.
 */
#include <stdlib.h>
#include <string.h>

#include "ht-top/columns.h"
#include "ht-top/forest.h"
#include "libht/mem.h"

struct shown {
	struct level level;
	size_t limit;	      /* so many of the children are printed */
	size_t indent, depth; /* of these children */
};

struct treeview {
	struct forest f;
	struct columns c;
	uint64_t least; /* what is below is summed up */
	struct shown *shown;
	size_t n, cap;
};

static const struct ht_node *
node_of(const struct treeview *v, uint32_t id)
{
	return &v->f.tree.node[id - 1];
}

static struct amount
amount_at(const struct treeview *v, uint32_t id)
{
	struct costs c = node_costs(node_of(v, id));

	return amount_of(v->c.sort, &c);
}

/* The children of a node (0: the roots) and how many of them to show. */
static struct shown
open_node(const struct treeview *v, uint32_t node, size_t indent, size_t depth)
{
	const struct top *top = v->c.r->top;
	struct shown s = {.level = {children_of(&v->f, node, v->c.sort), 0},
	    .indent = indent,
	    .depth = depth};

	s.limit = s.level.children.n;
	if (s.limit > top->rows)
		s.limit = top->rows;
	while (!top->all_rows && s.limit > 0 &&
	       amount_at(v, s.level.children.id[s.limit - 1]).n < v->least)
		s.limit--;
	if (s.limit == 0 && node == 0 && s.level.children.n > 0)
		s.limit = 1;
	if (top->depth && depth == top->depth)
		s.limit = 0;
	return s;
}

static struct line
line_at(const struct treeview *v, uint32_t id)
{
	struct costs costs = node_costs(node_of(v, id));
	struct costs self = node_self(node_of(v, id));

	return line_of(&v->c, &costs, &self);
}

/* What children that are not shown add up to, if it is worth a line. */
static void
put_rest(struct treeview *v, const struct shown *s)
{
	size_t n = s->level.children.n - s->limit, i;
	struct costs costs = {0}, self = {0};
	struct line line;

	for (i = s->limit; i < s->level.children.n; i++) {
		const struct ht_node *node =
		    node_of(v, s->level.children.id[i]);
		struct costs c = node_costs(node), own = node_self(node);

		costs_add(&costs, &c);
		costs_add(&self, &own);
	}
	line = line_of(&v->c, &costs, &self);
	if (!v->c.r->top->all_rows && amount_of(v->c.sort, &costs).n < v->least)
		return;
	put_numbers(&v->c, &line, true);
	put_note(&v->c, s->indent, "%s other%s", ht_fmt_count(n).s,
	    n == 1 ? "" : "s");
}

static void
push(struct treeview *v, struct shown s)
{
	HT_GROW(v->shown, v->cap, v->n + 1);
	v->shown[v->n++] = s;
}

/* A node, and those below it as long as each is all that there is: the children
 * of the last are pushed. */
static void
put_chain(struct treeview *v, uint32_t id, size_t indent, size_t depth)
{
	struct line line = line_at(v, id);
	bool same = false;
	struct shown s;

	v->c.module = 0;
	for (;;) {
		const struct ht_node *node = node_of(v, id), *child;
		size_t times = 1;

		put_numbers(&v->c, same ? NULL : &line, true);
		s = open_node(v, id, indent + 2, ++depth);
		/* A recursion that does nothing else is one line. */
		while (s.level.children.n == 1 && s.limit == 1) {
			child = node_of(v, s.level.children.id[0]);
			if (!is_all_of(v->c.sort, node, child) ||
			    !is_same_place(&v->f, node, child))
				break;
			id = s.level.children.id[0];
			node = child;
			free(s.level.children.id);
			s = open_node(v, id, indent + 2, ++depth);
			times++;
		}
		put_place(&v->c, node->place, indent, times, 0);
		if (s.level.children.n != 1 || s.limit != 1)
			break;
		child = node_of(v, s.level.children.id[0]);
		if (!is_all_of(v->c.sort, node, child))
			break;
		id = s.level.children.id[0];
		free(s.level.children.id);
		same = true;
	}
	push(v, s);
}

/* Columns as wide as the widest numbers: those of the roots, and of all that is
 * their own. */
static void
fit_columns(struct treeview *v)
{
	size_t i;

	for (i = 0; i < v->f.tree.nnode; i++) {
		struct line line = line_at(v, (uint32_t)(i + 1));

		if (v->f.tree.node[i].parent == 0 || v->c.r->base)
			columns_fit(&v->c, &line);
	}
}

static void
print_tree(struct treeview *v)
{
	const struct report *r = v->c.r;
	struct ht_str title = {0};
	uint64_t total =
	    cost_of(v->c.sort, r->base ? &r->total.base : &r->total.sum);

	v->least = total / 100;
	fit_columns(v);
	add_tree_title(&title, r, v->c.sort);
	columns_ready(&v->c, title.data);
	ht_str_release(&title);
	push(v, open_node(v, 0, 0, 0));
	if (v->shown[0].level.children.n == 0)
		ht_out_printf(r->out, "%s\n",
		    r->top->function ? "no such function allocates anything"
				     : v->c.l->none);
	while (v->n > 0) {
		struct shown *s = &v->shown[v->n - 1];

		if (s->level.at < s->limit) {
			put_chain(v, s->level.children.id[s->level.at++],
			    s->indent, s->depth);
			continue;
		}
		if (s->limit < s->level.children.n)
			put_rest(v, s);
		free(s->level.children.id);
		v->n--;
	}
}

void
print_trees(const struct report *r)
{
	struct treeview v = {0};
	size_t i;

	forest_init(&v.f, r);
	for (i = 0; i < r->top->nsort; i++) {
		columns_init(&v.c, r, r->top->sort[i]);
		print_tree(&v);
	}
	forest_release(&v.f);
	free(v.shown);
}
