/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "libht/mem.h"
#include "libht/tree.h"

const char *const ht_by_names[] = {"function", "line", "file", "module",
    "thread", "kind", "size", "stack", NULL};

/* What of a place matters to a grouping; the rest is 0. */
struct key {
	uint32_t function, file, line, module;
	uint64_t offset;
	uint64_t special; /* HT_PLACE_NONE + 1, HT_PLACE_CUT */
};

void
ht_tree_init(struct ht_tree *t, struct ht_walk *walk, enum ht_by by,
    enum ht_direction direction, const struct ht_pattern *function)
{
	memset(t, 0, sizeof *t);
	t->walk = walk;
	t->by = by;
	t->direction = direction;
	t->function = function;
}

void
ht_tree_release(struct ht_tree *t)
{
	free(t->node);
	free(t->path);
	free(t->path_place);
	ht_intern_release(&t->key);
	ht_map_release(&t->place);
	ht_map_release(&t->child);
	ht_map_release(&t->end);
	ht_map_release(&t->match);
	memset(t, 0, sizeof *t);
}

/* --- places
 * --------------------------------------------------------------------- */

static struct key
make_key(enum ht_by by, const struct ht_place *p, uint32_t place)
{
	struct key k = {0};

	if (!p->known) {
		k.special = p->cut ? HT_PLACE_CUT : HT_PLACE_NONE + 1;
		return k;
	}
	if (by != HT_BY_FILE || !p->file)
		k.module = p->module;
	if (by == HT_BY_FILE)
		k.file = p->file;
	if (by == HT_BY_FILE || by == HT_BY_MODULE)
		return k;
	k.function = p->function;
	if (p->function == 0)
		k.offset = p->symbolised && p->module ? place : p->offset;
	if (by == HT_BY_FUNCTION)
		return k;
	k.file = p->file;
	k.line = p->line;
	return k;
}

static uint32_t
key_of(struct ht_tree *t, uint32_t place)
{
	bool fresh;
	uint64_t *id = ht_map_put(&t->place, place, &fresh);

	if (fresh) {
		struct ht_place p = ht_place(t->walk->p, place);
		struct key k = make_key(t->by, &p, place);

		*id = ht_intern_add(&t->key, (char *)&k, sizeof k, NULL);
	}
	return (uint32_t)*id;
}

static bool
matches(struct ht_tree *t, uint32_t place)
{
	struct ht_place p = ht_place(t->walk->p, place);
	bool fresh;
	uint64_t *yes;

	if (p.function == 0)
		return false;
	yes = ht_map_put(&t->match, p.function, &fresh);
	if (fresh)
		*yes = ht_pattern_match(
		    t->function, ht_intern_get(&t->walk->p->text, p.function));
	return *yes;
}

/* --- paths
 * ---------------------------------------------------------------------- */

static void
add_key(struct ht_tree *t, uint32_t key, uint32_t place)
{
	/* One file or module after the same is one node, a recursion is not. */
	if (t->npath > 0 && t->path[t->npath - 1] == key &&
	    (t->by == HT_BY_FILE || t->by == HT_BY_MODULE))
		return;
	HT_GROW(t->path, t->path_cap, t->npath + 1);
	HT_GROW(t->path_place, t->path_place_cap, t->npath + 1);
	t->path[t->npath] = key;
	t->path_place[t->npath++] = place;
}

static void
add_place(struct ht_tree *t, size_t i)
{
	add_key(t, key_of(t, t->walk->place[i]), t->walk->place[i]);
}

/* The whole backtrace as one key. */
static void
add_backtrace(struct ht_tree *t)
{
	const struct ht_walk *w = t->walk;
	uint32_t *key = ht_malloc((w->n + 1) * sizeof *key);
	size_t i;

	/* Of another length than the key of any place. */
	for (i = 0; i < w->n; i++)
		key[i] = key_of(t, w->place[i]);
	key[w->n] = 0;
	add_key(t,
	    ht_intern_add(
		&t->key, (char *)key, (w->n + 1) * sizeof *key - 1, NULL),
	    w->place[0]);
	free(key);
}

/* What the walk has found, as the path that it is in the tree. */
static void
make_path(struct ht_tree *t)
{
	const struct ht_walk *w = t->walk;
	size_t i;

	t->npath = 0;
	switch (t->direction) {
	case HT_TREE_FLAT:
		if (t->by == HT_BY_STACK)
			add_backtrace(t);
		else
			add_place(t, 0);
		break;
	case HT_TREE_TOP_DOWN:
		for (i = w->n; i > 0; i--)
			add_place(t, i - 1);
		break;
	case HT_TREE_BOTTOM_UP:
		for (i = 0; i < w->n; i++)
			add_place(t, i);
		break;
	case HT_TREE_CALLERS:
		for (i = 0; i < w->n && !matches(t, w->place[i]);)
			i++;
		for (; i < w->n; i++)
			add_place(t, i);
		break;
	case HT_TREE_CALLEES:
		for (i = w->n; i > 0 && !matches(t, w->place[i - 1]);)
			i--;
		for (; i > 0; i--)
			add_place(t, i - 1);
		break;
	}
}

/* --- nodes
 * ---------------------------------------------------------------------- */

/* Places of one node may differ in what its key has not. The one that stands
 * for it must not depend on which came first: one that is not inlined, and of
 * those the least file and line. */
static bool
stands_better(const struct ht_tree *t, uint32_t place, uint32_t than)
{
	const struct ht_intern *text = &t->walk->p->text;
	struct ht_place a = ht_place(t->walk->p, place);
	struct ht_place b = ht_place(t->walk->p, than);
	int c = a.inlined - b.inlined;

	if (c == 0 && a.file != b.file)
		c = strcmp(
		    ht_intern_get(text, a.file), ht_intern_get(text, b.file));
	return c ? c < 0 : a.line < b.line;
}

static uint32_t
child_of(struct ht_tree *t, uint32_t parent, uint32_t key, uint32_t place,
    uint64_t value)
{
	bool fresh;
	uint64_t *id =
	    ht_map_put(&t->child, (uint64_t)parent << 32 | key, &fresh);
	uint32_t *first;

	if (!fresh) {
		struct ht_node *node = &t->node[*id - 1];

		if (node->place != place &&
		    stands_better(t, place, node->place))
			node->place = place;
		return (uint32_t)*id;
	}
	HT_GROW(t->node, t->cap, t->nnode + 1);
	first = parent ? &t->node[parent - 1].child : &t->root;
	t->node[t->nnode] = (struct ht_node){.parent = parent,
	    .sibling = *first,
	    .place = place,
	    .value = value};
	*id = *first = (uint32_t)++t->nnode;
	return *first;
}

/* The node where a stack's path ends; 0: it is not in the tree. */
static uint32_t
end_of(struct ht_tree *t, uint32_t stack)
{
	bool fresh;
	uint64_t *end = ht_map_put(&t->end, stack, &fresh);
	uint32_t node = 0;
	size_t i;

	if (!fresh)
		return (uint32_t)*end;
	ht_walk_stack(t->walk, stack);
	make_path(t);
	for (i = 0; i < t->npath; i++)
		node = child_of(t, node, t->path[i], t->path_place[i],
		    t->by == HT_BY_STACK ? stack : 0);
	*end = node;
	return node;
}

/* A row's node in flat groups of what is not a place. */
static uint32_t
node_of(struct ht_tree *t, const struct ht_prof_row *row)
{
	uint64_t value = t->by == HT_BY_THREAD ? row->thread
			 : t->by == HT_BY_KIND ? row->kind
					       : row->size;
	uint32_t key =
	    ht_intern_add(&t->key, (char *)&value, sizeof value, NULL);

	return child_of(t, 0, key, HT_PLACE_NONE, value);
}

uint32_t
ht_tree_end(struct ht_tree *t, const struct ht_prof_row *row)
{
	if (t->by >= HT_BY_THREAD && t->by <= HT_BY_SIZE)
		return node_of(t, row);
	return end_of(t, row->stack);
}

void
ht_tree_add(
    struct ht_tree *t, const struct ht_prof_row *row, size_t n, bool base)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct ht_sum sum = ht_row_sum(&row[i]);
		uint32_t id = ht_tree_end(t, &row[i]);
		struct ht_node *node;

		if (id == 0)
			continue;
		node = &t->node[id - 1];
		ht_sum_add(base ? &node->base_self : &node->self, &sum);
		for (; id; id = node->parent) {
			node = &t->node[id - 1];
			ht_sum_add(base ? &node->base : &node->sum, &sum);
		}
	}
}
