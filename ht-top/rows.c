/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "ht-top/rows.h"
#include "libht/mem.h"

/* Places are numbered: 0 nothing is known; then the functions of all frames;
 * then the frames without one; the last is the mark of a cut stack. */
#define PLACE_CUT UINT32_MAX

/* Kinds of functions. */
enum {
	IN_ALLOCATOR = 1, /* operator new: skipped where a stack begins */
	LAST = 2,	  /* main and its like: the last that is shown */
	BELOW = 4	  /* what starts a program or a thread: not shown */
};

static const char *const last[] = {
    "main", "__static_initialization_and_destruction_0"};
static const char *const below[] = {"_start", "__libc_start_main",
    "__libc_start_call_main", "start_thread", "clone", "clone3", "__clone",
    "__clone3", "__libc_start_main_impl", "__libc_start_main_alias_2"};

static void
mark(struct rows *r, const char *const *name, size_t n, uint8_t kind)
{
	size_t i;

	for (i = 0; i < n; i++)
		r->kind[ht_intern_find(&r->p->text, name[i], strlen(name[i]))] =
		    kind;
	r->kind[0] = 0; /* where a name was not found */
}

static bool
is_operator_new(const char *name)
{
	static const char new[] = "operator new";

	if (strncmp(name, new, sizeof new - 1) != 0)
		return false;
	name += sizeof new - 1;
	return *name == '(' || strncmp(name, "[](", 3) == 0;
}

static uint32_t
innermost(const struct rows *r, const struct ht_frame *f)
{
	return f->count ? r->p->fn[f->first].function : 0;
}

/* The stack that a cost is accounted to: the innermost outside operator new.
 * 0 only if the stack is 0. */
static uint32_t
allocating(const struct rows *r, uint32_t stack)
{
	const struct ht_prof *p = r->p;
	uint32_t id = stack;

	while (!r->all_frames && id) {
		const struct ht_prof_stack *s = &p->stack[id - 1];

		if (s->frame == 0 ||
		    !(r->kind[innermost(r, &p->frame[s->frame - 1])] &
			IN_ALLOCATOR))
			return id;
		id = s->parent;
	}
	return id ? id : stack;
}

static uint32_t
first_place(const struct rows *r, uint32_t frame)
{
	const struct ht_frame *f;

	if (frame == 0)
		return 0;
	f = &r->p->frame[frame - 1];
	return f->count ? f->first + 1 : (uint32_t)r->p->nfn + frame;
}

/* The frame that a function of all frames belongs to. */
static uint32_t
frame_of(const struct ht_prof *p, uint32_t fn)
{
	size_t lo = 0, hi = p->nframe;

	/* `first` never falls; of equal ones only the last has functions. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->frame[mid].first <= fn)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (uint32_t)lo;
}

struct place
rows_place(const struct rows *r, uint32_t id)
{
	const struct ht_prof *p = r->p;
	struct place place = {0};
	const struct ht_frame *f;
	uint32_t frame;

	place.cut = id == PLACE_CUT;
	if (id == 0 || id == PLACE_CUT)
		return place;
	if (id > p->nfn) {
		f = &p->frame[id - p->nfn - 1];
	} else {
		frame = frame_of(p, id - 1);
		f = &p->frame[frame - 1];
		place.function = p->fn[id - 1].function;
		place.file = p->fn[id - 1].file;
		place.line = p->fn[id - 1].line;
		place.inlined = id - 1 - f->first + 1 < f->count;
	}
	place.known = true;
	place.module = f->module;
	place.offset = f->offset;
	place.symbolised = f->symbolised;
	return place;
}

/* What rows are merged by. */
static uint32_t
row_of(struct rows *r, uint32_t id)
{
	struct place place = rows_place(r, id);
	uint64_t key[4];
	uint32_t row;
	bool fresh;

	key[0] = (uint64_t)place.module << 32 | place.function;
	key[1] = (uint64_t)place.file << 32 | place.line;
	key[2] = place.function == 0 ? place.offset : 0;
	key[3] = place.known;
	row = ht_intern_add(&r->keys, (const char *)key, sizeof key, &fresh);
	if (fresh) {
		HT_GROW(r->row, r->cap, row);
		memset(&r->row[row - 1], 0, sizeof *r->row);
		r->row[row - 1].place = id;
		r->nrow = row;
	}
	return row;
}

void
rows_init(struct rows *r, const struct ht_prof *p, bool all_frames)
{
	size_t i;

	memset(r, 0, sizeof *r);
	r->p = p;
	r->all_frames = all_frames;
	r->kind = ht_calloc(p->text.count + 1, 1);
	for (i = 1; i <= p->text.count; i++)
		if (is_operator_new(ht_intern_get(&p->text, (uint32_t)i)))
			r->kind[i] = IN_ALLOCATOR;
	mark(r, last, HT_LEN(last), LAST);
	mark(r, below, HT_LEN(below), BELOW);
	r->next = ht_calloc(p->ncost + 1, sizeof *r->next);
	for (i = 0; i < p->ncost; i++) {
		uint32_t stack = allocating(r, p->cost[i].stack);
		struct row *row;
		uint32_t id;

		id = row_of(
		    r, stack ? first_place(r, p->stack[stack - 1].frame) : 0);
		row = &r->row[id - 1];
		ht_sum_add(&row->sum, &p->cost[i].sum);
		r->next[i + 1] = row->first;
		row->first = (uint32_t)(i + 1);
	}
}

void
rows_release(struct rows *r)
{
	free(r->row);
	free(r->next);
	free(r->kind);
	free(r->sub);
	ht_intern_release(&r->keys);
	ht_intern_release(&r->chains);
	memset(r, 0, sizeof *r);
}

static void
add_place(struct ht_str *chain, uint32_t place)
{
	ht_str_add(chain, &place, sizeof place);
}

/* Adds a frame's places. False when the chain is complete. */
static bool
add_frame(const struct rows *r, struct ht_str *chain, uint32_t frame)
{
	const struct ht_prof *p = r->p;
	uint32_t first = first_place(r, frame), i, n;

	n = frame ? p->frame[frame - 1].count : 0;
	if (n == 0)
		add_place(chain, first);
	for (i = 0; i < n; i++) {
		uint8_t kind = r->kind[p->fn[first - 1 + i].function];

		if (!r->all_frames && kind & BELOW && chain->len > 0)
			return false;
		add_place(chain, first + i);
		if (!r->all_frames && kind & LAST)
			return false;
	}
	return true;
}

/* The backtrace that is shown of a stack, without its first place, which is
 * the row. */
static void
make_chain(const struct rows *r, struct ht_str *chain, uint32_t stack)
{
	const struct ht_prof *p = r->p;
	uint32_t id = allocating(r, stack);
	bool cut = false;

	ht_str_clear(chain);
	for (; id; id = p->stack[id - 1].parent) {
		if (!add_frame(r, chain, p->stack[id - 1].frame))
			break;
		cut |= p->stack[id - 1].cut;
	}
	if (id == 0 && cut)
		add_place(chain, PLACE_CUT);
	if (chain->len > 0) {
		chain->len -= sizeof(uint32_t);
		memmove(
		    chain->data, chain->data + sizeof(uint32_t), chain->len);
	}
}

void
rows_subs(struct rows *r, const struct row *row)
{
	struct ht_str chain = {0};
	uint32_t i;
	size_t k;

	ht_intern_clear(&r->chains);
	r->nsub = 0;
	for (i = row->first; i; i = r->next[i]) {
		const struct ht_prof_cost *c = &r->p->cost[i - 1];
		uint32_t id;
		bool fresh;

		make_chain(r, &chain, c->stack);
		id = ht_intern_add(
		    &r->chains, chain.len ? chain.data : "", chain.len, &fresh);
		if (fresh) {
			HT_GROW(r->sub, r->sub_cap, id);
			memset(&r->sub[id - 1], 0, sizeof *r->sub);
			r->nsub = id;
		}
		ht_sum_add(&r->sub[id - 1].sum, &c->sum);
	}
	for (k = 0; k < r->nsub; k++) {
		struct sub *s = &r->sub[k];

		s->chain = ht_intern_get(&r->chains, (uint32_t)(k + 1));
		s->len = ht_intern_len(&r->chains, (uint32_t)(k + 1)) /
			 sizeof(uint32_t);
	}
	ht_str_release(&chain);
}
