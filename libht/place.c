/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libht/mem.h"
#include "libht/place.h"

/* The id of a place is that of its function among those of all frames, plus
 * one; or of its frame, if that has none, with the highest bit set. */
#define FRAME ((uint32_t)1 << 31)

/* Kinds of texts. */
enum {
	IN_ALLOCATOR = 1, /* operator new: skipped where a stack begins */
	ALLOC_FN = 2,	  /* the user's own such functions */
	LAST = 4,	  /* main and its like: the last that is shown */
	BELOW = 8	  /* what starts a program or a thread: not shown */
};

/* The frame that a function of all frames belongs to. */
static const struct ht_frame *
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
	return &p->frame[lo - 1];
}

struct ht_place
ht_place(const struct ht_prof *p, uint32_t id)
{
	struct ht_place place = {.cut = id == HT_PLACE_CUT};
	const struct ht_frame *f;

	if (id == HT_PLACE_NONE || id == HT_PLACE_CUT)
		return place;
	if (id & FRAME) {
		f = &p->frame[(id & ~FRAME) - 1];
	} else {
		const struct ht_frame_fn *fn = &p->fn[id - 1];

		f = frame_of(p, id - 1);
		place.function = fn->function;
		place.file = fn->file;
		place.line = fn->line;
		place.inlined = id < f->first + f->count;
	}
	place.known = true;
	place.frame = (uint32_t)(f - p->frame) + 1;
	place.module = f->module;
	place.offset = f->offset;
	place.symbolised = f->symbolised;
	return place;
}

void
ht_place_label(
    struct ht_str *s, const struct ht_prof *p, const struct ht_place *place)
{
	const char *path = ht_intern_get(&p->text, place->module);
	const char *slash = strrchr(path, '/');

	if (place->cut) {
		ht_str_addz(s, "(cut: no unwind information)");
	} else if (place->module == 0 && place->known && place->offset) {
		ht_str_addf(s, "0x%" PRIx64, place->offset);
	} else if (place->module == 0) {
		ht_str_addz(s, "(unknown)");
	} else {
		ht_str_addz(s, slash && slash[1] ? slash + 1 : path);
		if (!place->symbolised)
			ht_str_addf(s, "+0x%" PRIx64, place->offset);
		else
			ht_str_addz(s, " (no symbol)");
	}
}

/* --- what is folded away ----------------------------------------------------
 */

static bool
is_one_of(const char *name, const char *const *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(name, list[i]) == 0)
			return true;
	return false;
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

static uint8_t
kind_of(const struct ht_walk *w, const char *name)
{
	static const char *const last[] = {
	    "main", "__static_initialization_and_destruction_0"};
	static const char *const below[] = {"_start", "__libc_start_main",
	    "__libc_start_call_main", "start_thread", "clone", "clone3",
	    "__clone", "__clone3", "__libc_start_main_impl",
	    "__libc_start_main_alias_2"};
	/* Of <ht.h>, inlined. */
	static const char *const pool[] = {"ht_pool_alloc", "ht_pool_realloc"};
	uint8_t kind = 0;

	if (w->alloc_fn && ht_patterns_is(w->alloc_fn, name))
		kind |= ALLOC_FN;
	if (w->all_frames)
		return kind;
	if (is_operator_new(name) || is_one_of(name, pool, HT_LEN(pool)))
		kind |= IN_ALLOCATOR;
	if (is_one_of(name, last, HT_LEN(last)))
		kind |= LAST;
	if (is_one_of(name, below, HT_LEN(below)))
		kind |= BELOW;
	return kind;
}

static uint8_t
kind(struct ht_walk *w, uint32_t text)
{
	const struct ht_intern *t = &w->p->text;

	if (text == 0)
		return 0;
	HT_GROW(w->kind, w->kind_cap, t->count + 1);
	for (; w->nkind <= t->count; w->nkind++)
		w->kind[w->nkind] =
		    w->nkind ? kind_of(w, ht_intern_get(t, (uint32_t)w->nkind))
			     : 0;
	return w->kind[text];
}

/* --- walking -----------------------------------------------------------------
 */

void
ht_walk_init(struct ht_walk *w, const struct ht_prof *p,
    const struct ht_patterns *alloc_fn, bool all_frames)
{
	memset(w, 0, sizeof *w);
	w->p = p;
	w->alloc_fn = alloc_fn;
	w->all_frames = all_frames;
}

void
ht_walk_release(struct ht_walk *w)
{
	free(w->kind);
	free(w->place);
	memset(w, 0, sizeof *w);
}

static void
add(struct ht_walk *w, uint32_t place)
{
	HT_GROW(w->place, w->cap, w->n + 1);
	w->place[w->n++] = place;
}

/* Adds a frame's places. False when the backtrace is complete. */
static bool
add_frame(struct ht_walk *w, uint32_t frame)
{
	const struct ht_frame *f;
	uint32_t i;

	if (frame == 0) {
		add(w, HT_PLACE_NONE);
		return true;
	}
	f = &w->p->frame[frame - 1];
	if (f->count == 0)
		add(w, frame | FRAME);
	for (i = f->first; i < f->first + f->count; i++) {
		uint8_t k = kind(w, w->p->fn[i].function);

		if (w->n == 0 && k & (IN_ALLOCATOR | ALLOC_FN))
			continue;
		if (k & BELOW && w->n > 0)
			return false;
		add(w, i + 1);
		if (k & LAST)
			return false;
	}
	return true;
}

/* All of it, where nothing but allocation functions is on the stack. */
static void
add_folded(struct ht_walk *w, uint32_t stack)
{
	const struct ht_prof *p = w->p;

	for (; stack; stack = p->stack[stack - 1].parent) {
		const struct ht_frame *f =
		    &p->frame[p->stack[stack - 1].frame - 1];
		uint32_t i;

		for (i = f->first; i < f->first + f->count; i++)
			add(w, i + 1);
	}
	if (w->n == 0)
		add(w, HT_PLACE_NONE);
}

void
ht_walk_stack(struct ht_walk *w, uint32_t stack)
{
	const struct ht_prof *p = w->p;
	uint32_t id;
	bool cut = false;

	w->n = 0;
	for (id = stack; id; id = p->stack[id - 1].parent) {
		if (!add_frame(w, p->stack[id - 1].frame))
			break;
		cut |= p->stack[id - 1].cut;
	}
	if (w->n == 0)
		add_folded(w, stack);
	if (id == 0 && cut)
		add(w, HT_PLACE_CUT);
}
