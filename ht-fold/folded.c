/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ht-fold/folded.h"
#include "libht/fmt.h"
#include "libht/mem.h"
#include "libht/place.h"

const char *const folded_costs[] = {
    "calls", "peak", "leaked", "temporary", "total", "others", NULL};
const char *const folded_inlineds[] = {"mark", "plain", "hide", NULL};

/* --- names -------------------------------------------------------------- */

/* Where the number at the end of a name begins, if a space is before it: it
 * would be read as a cost. Else the length. */
static size_t
number_at(const char *s, size_t len)
{
	size_t i = len;

	while (i > 0 &&
	       ((s[i - 1] >= '0' && s[i - 1] <= '9') || (s[i - 1] == '.')))
		i--;
	return i > 0 && i < len && s[i - 1] == ' ' ? i : len;
}

/* Adds a text that neither ends the name, the line nor the stack. */
static void
add_safe(struct ht_str *s, const char *text, size_t len)
{
	size_t from = s->len, i;

	ht_fmt_text(s, text, len, 0);
	for (i = from; i < s->len; i++)
		if (s->data[i] == ';')
			s->data[i] = ':'; /* as stackcollapse-perf.pl does */
	i = number_at(s->data, s->len);
	if (i < s->len)
		s->data[i - 1] = '_';
}

static void
add_id(struct ht_str *s, const struct ht_prof *p, uint32_t text)
{
	add_safe(
	    s, ht_intern_get(&p->text, text), ht_intern_len(&p->text, text));
}

static void
add_function(struct ht_str *s, const struct folded *f, const struct ht_prof *p,
    uint32_t text)
{
	struct ht_str name = {0};

	if (!f->shorten) {
		add_id(s, p, text);
		return;
	}
	ht_fmt_shorten(&name, ht_intern_get(&p->text, text),
	    ht_intern_len(&p->text, text));
	add_safe(s, name.data, name.len);
	ht_str_release(&name);
}

/* A frame without a function: its module, and where in it, if that is known. */
static void
add_module(struct ht_str *s, const struct ht_prof *p, struct ht_place place)
{
	const char *path = ht_intern_get(&p->text, place.module);
	const char *slash = strrchr(path, '/');

	if (slash && slash[1])
		path = slash + 1;
	if (place.symbolised)
		ht_str_addc(s, '[');
	add_safe(s, path, strlen(path));
	if (place.symbolised)
		ht_str_addc(s, ']');
	else
		ht_str_addf(s, "+0x%" PRIx64, place.offset);
}

static uint32_t
name_of(struct folded *f, const struct ht_prof *p, uint32_t id)
{
	struct ht_place place = ht_place(p, id);
	struct ht_str s = {0};
	uint32_t name;

	if (place.cut)
		ht_str_addz(&s, "[cut]");
	else if (place.function)
		add_function(&s, f, p, place.function);
	else if (place.module)
		add_module(&s, p, place);
	else if (place.known && place.offset)
		ht_str_addf(&s, "0x%" PRIx64, place.offset);
	if (s.len == 0)
		ht_str_addz(&s, "[unknown]");
	if (place.inlined && f->inlined == FOLDED_MARK)
		ht_str_addz(&s, "_[i]");
	name = ht_intern_add(&f->name, s.data, s.len, NULL);
	ht_str_release(&s);
	return name;
}

static uint32_t
thread_name(struct folded *f, const struct ht_prof *p, uint32_t thread)
{
	struct ht_str s = {0};
	uint32_t name;

	if (thread)
		add_id(&s, p, thread);
	if (s.len == 0)
		ht_str_addz(&s, "[unknown thread]");
	name = ht_intern_add(&f->name, s.data, s.len, NULL);
	ht_str_release(&s);
	return name;
}

/* --- the tree ----------------------------------------------------------- */

/* A profile on its way into the tree. */
struct adding {
	struct folded *f;
	const struct ht_prof *p;
	struct ht_walk walk;
	struct ht_map name; /* place to name */
	struct ht_map end;  /* (thread, stack) to node */
};

static void
add_name(struct folded *f, uint32_t name)
{
	HT_GROW(f->path, f->path_cap, f->npath + 1);
	f->path[f->npath++] = name;
}

static void
add_place(struct adding *a, uint32_t place)
{
	bool fresh;
	uint64_t *name;

	if (a->f->inlined == FOLDED_HIDE && ht_place(a->p, place).inlined)
		return;
	name = ht_map_put(&a->name, place, &fresh);
	if (fresh)
		*name = name_of(a->f, a->p, place);
	add_name(a->f, (uint32_t)*name);
}

/* The names of a row's backtrace, in the order in which they are printed. */
static void
make_path(struct adding *a, const struct ht_prof_row *row)
{
	struct folded *f = a->f;
	size_t i;

	f->npath = 0;
	ht_walk_stack(&a->walk, row->stack);
	if (f->by_thread && !f->reverse)
		add_name(f, thread_name(f, a->p, row->thread));
	for (i = 0; i < a->walk.n; i++)
		add_place(a, a->walk.place[f->reverse ? i : a->walk.n - 1 - i]);
	if (f->by_thread && f->reverse)
		add_name(f, thread_name(f, a->p, row->thread));
}

static uint32_t
child_of(struct folded *f, uint32_t parent, uint32_t name)
{
	bool fresh;
	uint64_t *id =
	    ht_map_put(&f->child, (uint64_t)parent << 32 | name, &fresh);

	if (fresh) {
		HT_GROW(f->node, f->cap, f->nnode + 1);
		f->node[f->nnode++] =
		    (struct folded_node){.parent = parent, .name = name};
		*id = f->nnode;
	}
	return (uint32_t)*id;
}

/* The node where a row's path ends. */
static uint32_t
end_of(struct adding *a, const struct ht_prof_row *row)
{
	struct folded *f = a->f;
	uint32_t thread = f->by_thread ? row->thread : 0, node = 0;
	bool fresh;
	uint64_t *end =
	    ht_map_put(&a->end, (uint64_t)thread << 32 | row->stack, &fresh);
	size_t i;

	if (!fresh)
		return (uint32_t)*end;
	make_path(a, row);
	for (i = 0; i < f->npath; i++)
		node = child_of(f, node, f->path[i]);
	*end = node;
	return node;
}

static uint64_t
cost_of(enum folded_cost cost, const struct ht_sum *sum)
{
	switch (cost) {
	case FOLDED_CALLS:
		return sum->allocs;
	case FOLDED_PEAK:
		return sum->peak;
	case FOLDED_LEAKED:
		return sum->leaked;
	case FOLDED_TEMPORARY:
		return sum->temporary;
	case FOLDED_TOTAL:
		return sum->bytes;
	case FOLDED_OTHERS:
		return sum->others;
	}
	return 0;
}

static uint32_t
rest_of(enum folded_cost cost, const struct ht_sum *sum)
{
	return cost == FOLDED_CALLS	  ? sum->rest.allocs
	       : cost == FOLDED_TEMPORARY ? sum->rest.temporary
					  : 0;
}

void
folded_add(struct folded *f, const struct ht_prof *p, bool base)
{
	struct adding a = {.f = f, .p = p};
	size_t i;

	ht_walk_init(&a.walk, p, &f->query->alloc_fn, f->query->all_frames);
	for (i = 0; i < p->nrow; i++) {
		struct ht_sum sum = ht_row_sum(&p->row[i]);
		uint64_t cost = cost_of(f->cost, &sum);
		uint32_t rest = rest_of(f->cost, &sum);
		struct folded_node *node;
		uint32_t end;

		if (cost == 0)
			continue;
		end = end_of(&a, &p->row[i]);
		node = &f->node[end - 1];
		if (base)
			ht_plus_rest(&node->base, &node->base_rest, cost, rest);
		else
			ht_plus_rest(&node->cost, &node->cost_rest, cost, rest);
	}
	ht_walk_release(&a.walk);
	ht_map_release(&a.name);
	ht_map_release(&a.end);
}

void
folded_release(struct folded *f)
{
	ht_intern_release(&f->name);
	ht_map_release(&f->child);
	free(f->node);
	free(f->path);
}

/* --- printing ----------------------------------------------------------- */

/* The nodes, those of one parent next to each other and by name. */
struct sorted {
	const struct folded *f;
	uint32_t *node;	 /* ids */
	uint32_t *first; /* of a parent: where in `node` its children begin */
};

static int
compare_nodes(const void *x, const void *y, void *arg)
{
	const struct folded *f = arg;
	const struct folded_node *a = &f->node[*(const uint32_t *)x - 1];
	const struct folded_node *b = &f->node[*(const uint32_t *)y - 1];

	if (a->parent != b->parent)
		return (a->parent > b->parent) - (a->parent < b->parent);
	return strcmp(
	    ht_intern_get(&f->name, a->name), ht_intern_get(&f->name, b->name));
}

static void
sort_nodes(struct sorted *s, const struct folded *f)
{
	size_t i;

	s->f = f;
	s->node = ht_calloc(f->nnode + 1, sizeof *s->node);
	s->first = ht_calloc(f->nnode + 2, sizeof *s->first);
	for (i = 0; i < f->nnode; i++) {
		s->node[i] = (uint32_t)i + 1;
		s->first[f->node[i].parent + 1]++;
	}
	qsort_r(s->node, f->nnode, sizeof *s->node, compare_nodes, (void *)f);
	for (i = 1; i < f->nnode + 2; i++)
		s->first[i] += s->first[i - 1];
}

static void
put_line(const struct folded *f, struct ht_out *out, uint32_t id, bool two,
    uint32_t *path)
{
	const struct folded_node *node = &f->node[id - 1];
	size_t n = 0;

	if (node->cost == 0 && node->base == 0)
		return;
	for (; id; id = f->node[id - 1].parent)
		path[n++] = f->node[id - 1].name;
	while (n > 0) {
		uint32_t name = path[--n];

		ht_out_write(out, ht_intern_get(&f->name, name),
		    ht_intern_len(&f->name, name));
		ht_out_char(out, n > 0 ? ';' : ' ');
	}
	if (two)
		ht_out_printf(out, "%" PRIu64 " ", node->base);
	ht_out_printf(out, "%" PRIu64 "\n", node->cost);
}

/* From each node to its first child, else to what follows it: a stack may be
 * too deep for recursion. */
void
folded_print(const struct folded *f, struct ht_out *out, bool two)
{
	struct sorted s;
	uint32_t *path = ht_calloc(f->nnode + 1, sizeof *path);
	/* Where in s.node the walk is, at each depth. */
	uint32_t *at = ht_calloc(f->nnode + 2, sizeof *at);
	uint32_t parent = 0;
	size_t depth = 0;

	sort_nodes(&s, f);
	while (!ht_out_failed(out)) {
		uint32_t id;

		if (at[depth] == s.first[parent + 1]) {
			if (depth == 0)
				break;
			parent = f->node[parent - 1].parent;
			depth--;
			continue;
		}
		id = s.node[at[depth]++];
		put_line(f, out, id, two, path);
		at[++depth] = s.first[id];
		parent = id;
	}
	free(s.node);
	free(s.first);
	free(path);
	free(at);
}
