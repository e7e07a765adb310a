/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "ht-html/sheet.h"
#include "libht/fmt.h"
#include "libht/mem.h"
#include "libht/place.h"

static uint32_t
add_frame(struct sheet *s, const struct sheet_frame *frame, uint64_t offset)
{
	struct {
		struct sheet_frame frame;
		uint64_t offset;
	} key = {*frame, offset};
	bool fresh;
	uint32_t id;

	id = ht_intern_add(&s->frames, (char *)&key, sizeof key, &fresh);
	if (fresh) {
		HT_GROW(s->frame, s->frame_cap, (size_t)id + 1);
		s->frame[id] = *frame;
		s->nframe = (size_t)id + 1;
	}
	return id;
}

static uint32_t
add_node(struct sheet *s, uint32_t parent, uint32_t frame)
{
	uint64_t *id;
	bool fresh;

	id = ht_map_put(&s->children, (uint64_t)parent << 32 | frame, &fresh);
	if (!fresh)
		return (uint32_t)*id;
	*id = s->nnode;
	HT_GROW(s->node, s->node_cap, s->nnode + 1);
	s->node[s->nnode] =
	    (struct sheet_node){.parent = parent, .frame = frame};
	return (uint32_t)s->nnode++;
}

void
sheet_init(struct sheet *s, const struct ht_query *query, bool shorten)
{
	memset(s, 0, sizeof *s);
	s->query = query;
	s->shorten = shorten;
	/* The whole program is frame 0 and node 0. */
	HT_GROW(s->frame, s->frame_cap, 1);
	s->frame[0] = (struct sheet_frame){0};
	s->nframe = 1;
	HT_GROW(s->node, s->node_cap, 1);
	s->node[0] = (struct sheet_node){0};
	s->nnode = 1;
}

static void
release_costs(struct sheet_side *side)
{
	size_t i;

	for (i = 0; i < side->ncost; i++) {
		ht_hist_release(&side->cost[i].lives);
		ht_hist_release(&side->cost[i].bytes);
	}
	free(side->cost);
}

void
sheet_release(struct sheet *s)
{
	int i;

	for (i = 0; i < SHEET_SIDES; i++) {
		release_costs(&s->side[i]);
		ht_suppress_release(&s->side[i].suppress);
	}
	ht_intern_release(&s->text);
	ht_intern_release(&s->frames);
	ht_intern_release(&s->symbols);
	ht_intern_release(&s->groups);
	ht_map_release(&s->children);
	free(s->frame);
	free(s->node);
	free(s->group);
	memset(s, 0, sizeof *s);
}

/* --- a side on its way in ----------------------------------------------- */

/* Ids of a profile to those of the sheet, 0 (of nodes: plus 1) not known. */
struct adding {
	struct sheet *s;
	const struct ht_prof *p;
	struct ht_walk walk;
	uint32_t *text;
	struct ht_map place; /* to frame */
	uint32_t *node;	     /* of stacks */
	bool *suppressed;    /* stacks; NULL: none */
};

static uint32_t
text_of(struct adding *a, uint32_t id)
{
	if (id && a->text[id] == 0)
		a->text[id] =
		    ht_intern_add(&a->s->text, ht_intern_get(&a->p->text, id),
			ht_intern_len(&a->p->text, id), NULL);
	return id ? a->text[id] : 0;
}

/* The function's name, or what stands for it. */
static uint32_t
name_of(struct adding *a, const struct ht_place *place)
{
	const struct ht_intern *text = &a->p->text;
	struct ht_str name = {0};
	uint32_t id;

	if (place->function && !a->s->shorten)
		return text_of(a, place->function);
	if (place->function)
		ht_fmt_shorten(&name, ht_intern_get(text, place->function),
		    ht_intern_len(text, place->function));
	else
		ht_place_label(&name, a->p, place);
	id = ht_intern_add(&a->s->text, name.data, name.len, NULL);
	ht_str_release(&name);
	return id;
}

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool
in_system_directory(const char *path)
{
	return begins(path, "/usr/lib") || begins(path, "/lib");
}

/* Not the program's own: of a library of the system's, of their headers, or of
 * the C++ library, of which much is compiled into the program. */
static bool
is_system(const struct adding *a, const struct ht_place *place)
{
	const char *module = ht_intern_get(&a->p->text, place->module);
	const char *file = ht_intern_get(&a->p->text, place->file);
	const char *name = ht_intern_get(&a->p->text, place->function);

	return (in_system_directory(module) && strstr(module, ".so")) ||
	       in_system_directory(file) || begins(file, "/usr/include/") ||
	       strstr(file, "/include/c++/") || begins(name, "std::") ||
	       begins(name, "__gnu_cxx::");
}

/* What ht-top --by function groups by: the function and its module. */
static uint32_t
symbol_of(struct adding *a, const struct ht_place *place)
{
	struct {
		uint32_t function, module, special, symbolised;
		uint64_t offset;
	} key = {.function = text_of(a, place->function),
	    .module = text_of(a, place->module)};

	if (!place->known)
		key.special = place->cut ? 2 : 1;
	if (place->function == 0) {
		key.symbolised = place->symbolised;
		key.offset = place->offset;
	}
	return ht_intern_add(&a->s->symbols, (char *)&key, sizeof key, NULL);
}

static uint32_t
frame_of(struct adding *a, uint32_t id)
{
	struct ht_place place = ht_place(a->p, id);
	struct sheet_frame f = {.function = name_of(a, &place),
	    .file = text_of(a, place.file),
	    .line = place.line,
	    .module = text_of(a, place.module),
	    .symbol = symbol_of(a, &place)};

	if (place.inlined)
		f.flags |= FRAME_INLINED;
	if (is_system(a, &place))
		f.flags |= FRAME_SYSTEM;
	if (place.function == 0)
		f.flags |= FRAME_NO_FUNCTION;
	if (place.cut)
		f.flags |= FRAME_CUT;
	return add_frame(a->s, &f, place.function ? 0 : place.offset);
}

static uint32_t
node_of(struct adding *a, uint32_t stack)
{
	uint32_t node = 0;
	size_t i;

	if (a->node[stack])
		return a->node[stack] - 1;
	ht_walk_stack(&a->walk, stack);
	for (i = a->walk.n; i-- > 0;) {
		bool fresh;
		uint64_t *frame =
		    ht_map_put(&a->place, a->walk.place[i], &fresh);

		if (fresh)
			*frame = frame_of(a, a->walk.place[i]);
		node = add_node(a->s, node, (uint32_t)*frame);
	}
	a->s->node[node].stack = true;
	a->node[stack] = node + 1;
	return node;
}

/* The group of rows like this one. */
static uint32_t
group_of(struct adding *a, uint32_t stack, uint32_t thread, uint32_t kind,
    uint32_t size)
{
	struct sheet *s = a->s;
	struct {
		uint32_t node, thread, kind, size, suppressed;
	} key = {node_of(a, stack), text_of(a, thread), text_of(a, kind), size,
	    a->suppressed && a->suppressed[stack]};
	bool fresh;
	uint32_t id;

	id = ht_intern_add(&s->groups, (char *)&key, sizeof key, &fresh) - 1;
	if (fresh) {
		HT_GROW(s->group, s->group_cap, (size_t)id + 1);
		s->group[id] = (struct sheet_group){.node = key.node,
		    .thread = key.thread,
		    .kind = key.kind,
		    .size = size,
		    .suppressed = key.suppressed,
		    .unit = ht_hist_start(size)};
		s->ngroup = (size_t)id + 1;
	}
	return id;
}

static struct sheet_cost *
cost_of(struct sheet_side *side, uint32_t group)
{
	if (group >= side->ncost) {
		HT_GROW(side->cost, side->cost_cap, (size_t)group + 1);
		memset(side->cost + side->ncost, 0,
		    (group + 1 - side->ncost) * sizeof *side->cost);
		side->ncost = (size_t)group + 1;
	}
	return &side->cost[group];
}

static void
add_lives(struct sheet_cost *c, const struct ht_prof_row *row)
{
	unsigned i, end = row->life.n ? row->life.first + row->life.n : 1;
	struct ht_weight w = ht_weight(row->size, row->sampled);

	for (i = 0; i < end; i++) {
		uint64_t n = ht_hist_get(&row->life, i), blocks;
		uint32_t rest;

		if (n == 0)
			continue;
		/* What is less than a block goes to the next bucket. */
		blocks = ht_weight_times(n, &w, &rest);
		ht_plus_rest(&blocks, &c->lives_rest, 0, rest);
		ht_hist_add(&c->lives, i, blocks);
		ht_hist_add(&c->bytes, i, ht_times(n, w.bytes));
	}
}

static void
add_row(
    struct adding *a, struct sheet_side *side, const struct ht_prof_row *row)
{
	uint32_t group = group_of(
	    a, row->stack, row->thread, row->kind, ht_hist_bucket(row->size));
	struct sheet_cost *c = cost_of(side, group);
	struct ht_sum sum = ht_row_sum(row);

	if (c->sum.allocs == 0 && c->sum.peak == 0)
		a->s->group[group].unit = row->size;
	ht_sum_add(&c->sum, &sum);
	add_lives(c, row);
}

static void
add_timeline(struct adding *a, struct timeline *t)
{
	size_t n = timeline_groups(t), i;
	uint32_t *to = ht_calloc(n + 1, sizeof *to);

	for (i = 0; i < n; i++) {
		struct timeline_group g = timeline_group(t, i);

		to[i] = group_of(a, g.stack, g.thread, g.kind, g.size);
	}
	timeline_renumber(t, to);
	free(to);
}

static void
add_suppressed(struct sheet_side *side, const struct ht_suppress *from)
{
	struct ht_suppress *to = &side->suppress;
	size_t i;

	to->blocks = from->blocks;
	to->bytes = from->bytes;
	for (i = 0; i < from->n; i++) {
		if (from->item[i].blocks == 0)
			continue;
		HT_GROW(to->item, to->cap, to->n + 1);
		to->item[to->n] = from->item[i];
		to->item[to->n++].pattern = ht_strdup(from->item[i].pattern);
	}
}

void
sheet_add(struct sheet *s, int side, const struct ht_prof *p,
    struct timeline *timeline)
{
	struct adding a = {.s = s, .p = p};
	size_t i;

	ht_walk_init(&a.walk, p, &s->query->alloc_fn, s->query->all_frames);
	a.text = ht_calloc(p->text.count + 1, sizeof *a.text);
	a.node = ht_calloc(p->nstack + 1, sizeof *a.node);
	if (!s->query->at && s->query->suppress.n)
		a.suppressed = ht_suppress_stacks(&s->query->suppress, p);
	s->side[side].prof = p;
	add_suppressed(&s->side[side], &s->query->suppress);
	for (i = 0; i < p->nrow; i++)
		add_row(&a, &s->side[side], &p->row[i]);
	if (timeline_known(timeline)) {
		s->side[side].timeline = timeline;
		add_timeline(&a, timeline);
	}
	ht_walk_release(&a.walk);
	ht_map_release(&a.place);
	free(a.text);
	free(a.node);
	free(a.suppressed);
}

/* --- too many stacks ---------------------------------------------------- */

static double
share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

/* How much a group matters: its largest share of any cost. */
static double
weight_of(const struct ht_sum *sum, const struct ht_sum *all)
{
	const double shares[] = {share(sum->allocs, all->allocs),
	    share(sum->bytes, all->bytes),
	    share(sum->temporary, all->temporary),
	    share(sum->leaked, all->leaked), share(sum->peak, all->peak)};
	double most = 0;
	size_t i;

	for (i = 0; i < HT_LEN(shares); i++)
		most = shares[i] > most ? shares[i] : most;
	return most;
}

struct weight {
	double weight;
	uint32_t node;
};

static int
heavier(const void *a, const void *b)
{
	const struct weight *x = a, *y = b;

	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return (x->node > y->node) - (x->node < y->node);
}

/* The stacks, the heaviest first; s->stacks of them. The caller's. */
static struct weight *
weigh(const struct sheet *s)
{
	double *weight = ht_calloc(s->nnode, sizeof *weight);
	struct weight *w = ht_malloc((s->stacks + 1) * sizeof *w);
	size_t i, n = 0;
	int side;

	for (side = 0; side < SHEET_SIDES; side++)
		for (i = 0; i < s->side[side].ncost; i++)
			weight[s->group[i].node] +=
			    weight_of(&s->side[side].cost[i].sum,
				&s->side[side].prof->sum);
	for (i = 0; i < s->nnode; i++)
		if (s->node[i].stack)
			w[n++] = (struct weight){weight[i], (uint32_t)i};
	qsort(w, n, sizeof *w, heavier);
	free(weight);
	return w;
}

/* The node of those that are summed up below one that stays. */
static uint32_t
smaller_below(struct sheet *s, uint32_t node)
{
	static const char name[] = "(smaller stacks)";
	struct sheet_frame f = {.flags = FRAME_SMALLER | FRAME_NO_FUNCTION};

	f.function = ht_intern_add(&s->text, name, sizeof name - 1, NULL);
	f.symbol = ht_intern_add(&s->symbols, name, sizeof name - 1, NULL);
	node = add_node(s, node, add_frame(s, &f, 0));
	s->node[node].keep = true;
	return node;
}

/* Leaves the `max` heaviest stacks, and sums up what of the others is not on
 * the way to one of them. Where each node's groups are now, the caller's. */
static uint32_t *
sum_up(struct sheet *s, size_t max)
{
	struct weight *w = weigh(s);
	size_t nnode = s->nnode, i;
	uint32_t *to = ht_calloc(nnode, sizeof *to);
	uint32_t node;

	s->node[0].keep = true;
	for (i = 0; i < s->stacks && i < max; i++)
		for (node = w[i].node; !s->node[node].keep;
		     node = s->node[node].parent)
			s->node[node].keep = true;
	free(w);
	for (i = 0; i < nnode; i++) {
		to[i] = (uint32_t)i;
		if (!s->node[i].stack || s->node[i].keep)
			continue;
		for (node = (uint32_t)i; !s->node[node].keep;
		     node = s->node[node].parent)
			;
		to[i] = smaller_below(s, node);
		s->node[to[i]].smaller++;
	}
	return to;
}

/* --- order -------------------------------------------------------------- */

static void
link_children(struct sheet *s)
{
	size_t i;

	/* From the last on, so that the first one is first. */
	for (i = s->nnode; i-- > 1;) {
		struct sheet_node *node = &s->node[i];

		if (!node->keep)
			continue;
		node->sibling = s->node[node->parent].child;
		s->node[node->parent].child = (uint32_t)i;
	}
}

static uint32_t
next_node(const struct sheet *s, uint32_t node)
{
	if (s->node[node].child)
		return s->node[node].child;
	while (node && s->node[node].sibling == 0)
		node = s->node[node].parent;
	return s->node[node].sibling;
}

/* In preorder, without those that are not kept. The new numbers, the
 * caller's. */
static uint32_t *
order_nodes(struct sheet *s)
{
	uint32_t *to = ht_calloc(s->nnode, sizeof *to);
	struct sheet_node *node = ht_malloc(s->nnode * sizeof *node);
	uint32_t at = 0;
	size_t n = 0;

	link_children(s);
	do {
		to[at] = (uint32_t)n;
		node[n] = s->node[at];
		node[n].parent = to[node[n].parent];
		n++;
		at = next_node(s, at);
	} while (at);
	free(s->node);
	s->node = node;
	s->nnode = s->node_cap = n;
	return to;
}

/* A group's place in the order. */
struct placed {
	struct sheet_group group;
	uint32_t was;
};

static int
compare_groups(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	const uint32_t of[][2] = {{x->group.node, y->group.node},
	    {x->group.thread, y->group.thread}, {x->group.kind, y->group.kind},
	    {x->group.size, y->group.size},
	    {x->group.suppressed, y->group.suppressed}};
	size_t i;

	for (i = 0; i < HT_LEN(of); i++)
		if (of[i][0] != of[i][1])
			return of[i][0] < of[i][1] ? -1 : 1;
	return 0;
}

/* Sorts groups, and makes one of those that became alike. The new numbers, the
 * caller's. */
static uint32_t *
order_groups(struct sheet *s)
{
	struct placed *g = ht_malloc((s->ngroup + 1) * sizeof *g);
	uint32_t *to = ht_calloc(s->ngroup + 1, sizeof *to);
	size_t i, n = 0;

	for (i = 0; i < s->ngroup; i++)
		g[i] = (struct placed){s->group[i], (uint32_t)i};
	qsort(g, s->ngroup, sizeof *g, compare_groups);
	for (i = 0; i < s->ngroup; i++) {
		if (i == 0 || compare_groups(&g[i - 1], &g[i]) != 0)
			s->group[n++] = g[i].group;
		to[g[i].was] = (uint32_t)n - 1;
	}
	s->ngroup = n;
	free(g);
	return to;
}

static void
add_cost(struct sheet_cost *to, const struct sheet_cost *more)
{
	ht_sum_add(&to->sum, &more->sum);
	ht_hist_merge(&to->lives, &more->lives);
	ht_hist_merge(&to->bytes, &more->bytes);
}

static void
move_costs(struct sheet *s, struct sheet_side *side, const uint32_t *to)
{
	struct sheet_side was = *side;
	size_t i;

	side->cost = ht_calloc(s->ngroup + 1, sizeof *side->cost);
	side->ncost = side->cost_cap = s->ngroup;
	for (i = 0; i < was.ncost; i++)
		add_cost(&side->cost[to[i]], &was.cost[i]);
	release_costs(&was);
}

void
sheet_finish(struct sheet *s, size_t max)
{
	uint32_t *above = NULL, *node, *group;
	size_t i;
	int side;

	for (i = 0; i < s->nnode; i++)
		s->stacks += s->node[i].stack;
	if (s->stacks > max)
		above = sum_up(s, max);
	for (i = 0; above == NULL && i < s->nnode; i++)
		s->node[i].keep = true;
	node = order_nodes(s);
	for (i = 0; i < s->ngroup; i++) {
		uint32_t at = s->group[i].node;

		s->group[i].node = node[above ? above[at] : at];
	}
	group = order_groups(s);
	for (side = 0; side < SHEET_SIDES; side++) {
		move_costs(s, &s->side[side], group);
		if (s->side[side].timeline)
			timeline_renumber(s->side[side].timeline, group);
	}
	free(above);
	free(node);
	free(group);
}
