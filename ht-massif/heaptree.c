/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ht-massif/heaptree.h"
#include "libht/fmt.h"
#include "libht/mem.h"

/* What stands on a line under a node. */
struct entry {
	uint64_t bytes;
	uint32_t node; /* 0: one of the next two */
	uint64_t
	    below; /* so many places below the threshold; 0: of no caller */
	const char *label;
};

void
heaptree_init(struct heaptree *h, const struct ht_prof *p,
    const struct ht_query *query, uint64_t threshold, size_t depth)
{
	memset(h, 0, sizeof *h);
	h->p = p;
	h->threshold = threshold;
	h->depth = depth;
	ht_walk_init(&h->walk, p, &query->alloc_fn, query->all_frames);
	ht_tree_init(&h->tree, &h->walk, HT_BY_LINE, HT_TREE_BOTTOM_UP, NULL);
}

void
heaptree_release(struct heaptree *h)
{
	ht_walk_release(&h->walk);
	ht_tree_release(&h->tree);
	ht_intern_release(&h->label);
	ht_map_release(&h->label_of);
	free(h->address);
	free(h->bytes);
	free(h->self);
}

/* --- labels ------------------------------------------------------------- */

void
heaptree_safe(struct ht_str *s, const char *text, size_t len)
{
	size_t i = s->len;

	ht_fmt_text(s, text, len, 0);
	for (; i < s->len; i++)
		if (s->data[i] == '#')
			s->data[i] = '$';
}

static void
add_text(struct ht_str *s, const struct heaptree *h, uint32_t id)
{
	const struct ht_intern *text = &h->p->text;

	heaptree_safe(s, ht_intern_get(text, id), ht_intern_len(text, id));
}

/* `0x10907E: f (x.c:5)`, `0x10907E: f (in /lib/x.so)`, as valgrind writes it.
 */
static void
add_label(struct ht_str *s, const struct heaptree *h, uint32_t id)
{
	struct ht_place p = ht_place(h->p, id);
	uint64_t address = p.offset;
	const char *file, *slash;

	if (p.cut) {
		ht_str_addz(s, "(cut: no unwind information)");
		return;
	}
	if (p.symbolised && p.frame && p.frame < h->address_cap)
		address = h->address[p.frame];
	ht_str_addf(s, "0x%" PRIX64 ": ", address);
	if (p.function)
		add_text(s, h, p.function);
	else
		ht_str_addz(s, "???");
	if (p.file) {
		file = ht_intern_get(&h->p->text, p.file);
		slash = strrchr(file, '/');
		file = slash && slash[1] ? slash + 1 : file;
		ht_str_addz(s, " (");
		heaptree_safe(s, file, strlen(file));
		if (p.line)
			ht_str_addf(s, ":%" PRIu32, p.line);
		ht_str_addc(s, ')');
	} else if (p.module) {
		ht_str_addz(s, " (in ");
		add_text(s, h, p.module);
		ht_str_addc(s, ')');
	}
}

static const char *
label_of(struct heaptree *h, uint32_t place)
{
	struct ht_str s = {0};
	bool fresh;
	uint64_t *id = ht_map_put(&h->label_of, place, &fresh);

	if (fresh) {
		add_label(&s, h, place);
		*id = ht_intern_add(&h->label, s.data, s.len, NULL);
		ht_str_release(&s);
	}
	return ht_intern_get(&h->label, (uint32_t)*id);
}

/* Symbols make a frame, not addresses; the label's is the first one seen. */
static void
find_addresses(struct heaptree *h, const struct ht_merge *m)
{
	size_t i;

	HT_GROW(h->address, h->address_cap, h->p->nframe + 1);
	for (i = 1; i < m->frame_cap && i <= m->t->nframe; i++)
		if (m->frame[i] && h->address[m->frame[i]] == 0)
			h->address[m->frame[i]] = m->t->frame[i - 1].ip;
}

/* --- numbers ------------------------------------------------------------ */

void
heaptree_begin(struct heaptree *h)
{
	if (h->self_cap)
		memset(h->self, 0, h->self_cap * sizeof *h->self);
}

void
heaptree_add(struct heaptree *h, const struct ht_prof_row *row, uint64_t bytes)
{
	uint32_t node = ht_tree_end(&h->tree, row);

	HT_GROW(h->self, h->self_cap, h->tree.nnode + 1);
	ht_plus(&h->self[node], bytes);
}

/* bytes[0] becomes the total: the roots have parent 0. */
static void
sum_up(struct heaptree *h)
{
	size_t i;

	HT_GROW(h->self, h->self_cap, h->tree.nnode + 1);
	HT_GROW(h->bytes, h->bytes_cap, h->tree.nnode + 1);
	memcpy(h->bytes, h->self, (h->tree.nnode + 1) * sizeof *h->bytes);
	for (i = h->tree.nnode; i > 0; i--)
		ht_plus(&h->bytes[h->tree.node[i - 1].parent], h->bytes[i]);
}

static bool
is_significant(const struct heaptree *h, uint64_t bytes)
{
	return (unsigned __int128)bytes * 100000 >=
	       (unsigned __int128)h->bytes[0] * h->threshold;
}

/* --- text --------------------------------------------------------------- */

static int
compare_entries(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;

	if (a->bytes != b->bytes)
		return (a->bytes < b->bytes) - (a->bytes > b->bytes);
	if (a->node == 0 || b->node == 0)
		return (a->node == 0) - (b->node == 0);
	if (strcmp(a->label, b->label) != 0)
		return strcmp(a->label, b->label);
	return (a->node > b->node) - (a->node < b->node);
}

static void
add_entry(struct entry **list, size_t *n, size_t *cap, struct entry entry)
{
	HT_GROW(*list, *cap, *n + 1);
	(*list)[(*n)++] = entry;
}

/* What stands under a node, the largest first; the list is the caller's. It
 * adds up to the node. */
static struct entry *
list_entries(struct heaptree *h, uint32_t id, size_t *n)
{
	struct entry *list = NULL, small = {0};
	uint32_t child = id ? h->tree.node[id - 1].child : h->tree.root;
	uint64_t own = id ? h->self[id] : 0;
	size_t cap = 0;

	*n = 0;
	for (; child; child = h->tree.node[child - 1].sibling) {
		struct entry e = {.bytes = h->bytes[child], .node = child};

		if (e.bytes == 0)
			continue;
		if (is_significant(h, e.bytes)) {
			e.label = label_of(h, h->tree.node[child - 1].place);
			add_entry(&list, n, &cap, e);
		} else {
			ht_plus(&small.bytes, e.bytes);
			small.below++;
		}
	}
	if (own && (*n || small.below)) {
		if (is_significant(h, own)) {
			add_entry(&list, n, &cap, (struct entry){.bytes = own});
		} else {
			ht_plus(&small.bytes, own);
			small.below++;
		}
	}
	if (small.below)
		add_entry(&list, n, &cap, small);
	if (*n)
		qsort(list, *n, sizeof *list, compare_entries);
	return list;
}

static void
add_below(struct ht_str *out, const struct heaptree *h, uint64_t places)
{
	/* Hundredths, as massif prints them. */
	uint64_t percent = (h->threshold + 5) / 10;

	ht_str_addf(out,
	    "in %" PRIu64 " place%s below massif's threshold (%" PRIu64
	    ".%02" PRIu64 "%%)\n",
	    places, places == 1 ? "," : "s, all", percent / 100, percent % 100);
}

/* The lines of a node, which stands so deep. */
static void
add_node(
    struct heaptree *h, struct ht_str *out, const struct entry *e, size_t depth)
{
	struct entry *list = NULL;
	size_t n = 0, i;

	if (depth == 0 || (e->node && depth < h->depth))
		list = list_entries(h, e->node, &n);
	ht_str_addf(out, "%*sn%zu: %" PRIu64 " ", (int)depth, "", n, e->bytes);
	if (e->below)
		add_below(out, h, e->below);
	else
		ht_str_addf(
		    out, "%s\n", e->label ? e->label : "(no caller shown)");
	for (i = 0; i < n; i++)
		add_node(h, out, &list[i], depth + 1);
	free(list);
}

void
heaptree_write(struct heaptree *h, const struct ht_merge *m, struct ht_str *out)
{
	struct entry top = {.label = "(heap allocation functions) "
				     "malloc/new/new[], --alloc-fns, etc."};

	find_addresses(h, m);
	sum_up(h);
	top.bytes = h->bytes[0];
	add_node(h, out, &top, 0);
}
