/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "ht-symbolize/demangle.h"
#include "ht-symbolize/dwarf.h"
#include "ht-symbolize/spans.h"
#include "libht/intern.h"
#include "libht/map.h"
#include "libht/mem.h"
#include "libht/str.h"

#define MAX_DEPTH 256 /* of nested DIEs; more is a broken file */

struct unit {
	Dwarf_Die die;	/* the unit; of split DWARF the skeleton */
	Dwarf_Die body; /* where the functions are */
	bool ready, has_body, scoped;
	Dwarf_Die *function;
	size_t functions, cap;
	struct spans spans; /* of functions */
	/* Functions without a linkage name: key → entry, see add_function. */
	struct ht_map entry;
	const char *between; /* scopes and names: `::` */
};

struct dwarf {
	struct unit *unit;
	size_t units, cap;
	struct spans spans;	 /* of units */
	struct ht_map scope;	 /* a function's DIE → what it lies in, */
	struct ht_intern scopes; /* a text in here; see note_scope */
	struct ht_str text;
	const struct dwarf_callbacks *call;
	void *arg;
};

/*
 * A walk over a tree of DIEs only ever goes forward in the file. References
 * to siblings in a broken one may not, and then have us walk in circles, or
 * as good as: each subtree twice, in it each subtree twice.
 */
struct walk {
	const void *last;
};

static bool
forward(struct walk *w, const Dwarf_Die *die)
{
	if (die->addr <= w->last)
		return false;
	w->last = die->addr;
	return true;
}

static bool
first_child(struct walk *w, Dwarf_Die *parent, Dwarf_Die *die)
{
	return !dwarf_child(parent, die) && forward(w, die);
}

static bool
next_sibling(struct walk *w, Dwarf_Die *die)
{
	return !dwarf_siblingof(die, die) && forward(w, die);
}

/* --- tables -------------------------------------------------------------- */

/* The code ranges of a DIE into a table. Their number. */
static size_t
add_ranges(struct dwarf *d, Dwarf_Die *die, struct spans *to, uint32_t id)
{
	Dwarf_Addr base = 0, start, end;
	ptrdiff_t at = 0;
	size_t n = 0;

	while ((at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
		if (!d->call->is_code(d->arg, start))
			continue;
		spans_add(to, start, end, id);
		n++;
	}
	return n;
}

static const char *
text_of(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attr;

	return dwarf_formstring(dwarf_attr_integrate(die, name, &attr));
}

static const char *
linkage_name(Dwarf_Die *die)
{
	const char *name = text_of(die, DW_AT_linkage_name);

	return name ? name : text_of(die, DW_AT_MIPS_linkage_name);
}

/* What the out-of-line and the inlined instances of a function share. */
static const void *
key_of(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	Dwarf_Die origin;

	if (dwarf_attr(die, DW_AT_abstract_origin, &attr) &&
	    dwarf_formref_die(&attr, &origin))
		return origin.addr;
	return die->addr;
}

/*
 * A function that is local to a file or to another function (a lambda, a
 * closure) has no linkage name, but where it has code of its own it has a
 * symbol, which says more than its plain name. Its inlined instances are to
 * have the same name, so the entry is kept under what they share.
 */
static void
add_function(struct dwarf *d, struct unit *u, Dwarf_Die *die)
{
	Dwarf_Addr entry, base, end;

	if (!add_ranges(d, die, &u->spans, (uint32_t)u->functions))
		return;
	HT_GROW(u->function, u->cap, u->functions + 1);
	u->function[u->functions++] = *die;
	if (!u->scoped || linkage_name(die))
		return;
	/* In parts (hot and cold): the first is where it begins. */
	if (dwarf_entrypc(die, &entry) &&
	    dwarf_ranges(die, 0, &base, &entry, &end) <= 0)
		return;
	*ht_map_put(&u->entry, (uintptr_t)key_of(die), NULL) = entry;
}

/* A DIE and those around it. */
struct scope {
	const struct scope *outer;
	Dwarf_Die *die;
};

/* What stands before the name of something inside: `ns::A::`. A function
 * that has a linkage name knows its own scopes. */
static void
scope_text(struct dwarf *d, const struct scope *s, const char *between)
{
	int tag = dwarf_tag(s->die);
	const char *name;

	if (tag == DW_TAG_compile_unit || tag == DW_TAG_lexical_block) {
		if (s->outer)
			scope_text(d, s->outer, between);
		return;
	}
	name = tag == DW_TAG_subprogram ? linkage_name(s->die) : NULL;
	if (!name || !demangle(name, &d->text)) {
		if (s->outer)
			scope_text(d, s->outer, between);
		name = text_of(s->die, DW_AT_name);
		ht_str_addz(&d->text, name ? name
				      : tag == DW_TAG_namespace
					  ? "(anonymous namespace)"
					  : "{unnamed}");
	}
	ht_str_addz(&d->text, between);
}

/* The scope of a function that has no linkage name is not to be had from its
 * DIE, which does not know the one it lies in; so it is kept here. */
static void
note_scope(
    struct dwarf *d, struct unit *u, Dwarf_Die *die, const struct scope *scope)
{
	if (!u->scoped || !scope->outer ||
	    dwarf_hasattr(die, DW_AT_linkage_name) ||
	    dwarf_hasattr(die, DW_AT_MIPS_linkage_name) ||
	    dwarf_hasattr(die, DW_AT_abstract_origin) ||
	    dwarf_hasattr(die, DW_AT_specification))
		return;
	ht_str_clear(&d->text);
	scope_text(d, scope, u->between);
	*ht_map_put(&d->scope, (uintptr_t)die->addr, NULL) =
	    ht_intern_add(&d->scopes, d->text.data, d->text.len, NULL);
}

/* The scope of the function, kept under the DIE that declares it. */
static const char *
scope_of(struct dwarf *d, Dwarf_Die *function)
{
	Dwarf_Die die = *function;
	Dwarf_Attribute attr;

	for (int i = 0; i < 4; i++) {
		uint64_t *id = ht_map_get(&d->scope, (uintptr_t)die.addr);

		if (id)
			return ht_intern_get(&d->scopes, (uint32_t)*id);
		if (!dwarf_attr(&die, DW_AT_abstract_origin, &attr) &&
		    !dwarf_attr(&die, DW_AT_specification, &attr))
			break;
		if (!dwarf_formref_die(&attr, &die))
			break;
	}
	return "";
}

static bool
may_hold_functions(int tag)
{
	switch (tag) {
	case DW_TAG_subprogram:
	case DW_TAG_lexical_block:
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
	case DW_TAG_common_block:
		return true;
	default:
		return false;
	}
}

static void
collect(struct dwarf *d, struct unit *u, const struct scope *scope,
    struct walk *w, unsigned depth)
{
	Dwarf_Die die;

	if (depth > MAX_DEPTH || !first_child(w, scope->die, &die))
		return;
	do {
		int tag = dwarf_tag(&die);

		if (tag == DW_TAG_subprogram) {
			add_function(d, u, &die);
			note_scope(d, u, &die, scope);
		}
		if (may_hold_functions(tag) && dwarf_haschildren(&die))
			collect(
			    d, u, &(struct scope){scope, &die}, w, depth + 1);
	} while (next_sibling(w, &die));
}

static bool
scoped_language(Dwarf_Die *die)
{
	switch (dwarf_srclang(die)) {
	case DW_LANG_C:
	case DW_LANG_C89:
	case DW_LANG_C99:
	case DW_LANG_C11:
	case DW_LANG_Mips_Assembler:
		return false;
	default:
		return true;
	}
}

static bool
may_split(struct dwarf *d, Dwarf_Die *unit)
{
	const char *dir = text_of(unit, DW_AT_comp_dir);
	const char *name = text_of(unit, DW_AT_dwo_name);

	if (!name)
		name = text_of(unit, DW_AT_GNU_dwo_name);
	return !name || d->call->may_split(d->arg, dir ? dir : "", name);
}

static void
prepare(struct dwarf *d, struct unit *u)
{
	Dwarf_Die die;
	uint8_t type = 0;

	if (u->ready)
		return;
	u->ready = true;
	u->body = u->die;
	u->has_body = true;
	/* A skeleton's body is looked for now, not when the table of units
	 * was made: that would open every .dwo file. */
	if (may_split(d, &u->die) &&
	    !dwarf_cu_info(
		u->die.cu, NULL, &type, NULL, &die, NULL, NULL, NULL) &&
	    type == DW_UT_skeleton) {
		u->has_body = die.addr != NULL;
		u->body = die;
	}
	if (!u->has_body)
		return;
	u->scoped = scoped_language(&u->body);
	u->between = dwarf_srclang(&u->body) == DW_LANG_D ? "." : "::";
	collect(d, u, &(struct scope){NULL, &u->body}, &(struct walk){NULL}, 0);
}

/* A unit without ranges of its own has those of its functions. */
static void
add_unit(struct dwarf *d, Dwarf_Die *die)
{
	uint32_t id = (uint32_t)d->units;
	struct unit *u;

	HT_GROW(d->unit, d->cap, d->units + 1);
	u = &d->unit[d->units++];
	u->die = *die;
	if (add_ranges(d, die, &d->spans, id) ||
	    dwarf_hasattr(die, DW_AT_ranges) ||
	    dwarf_hasattr(die, DW_AT_high_pc))
		return;
	prepare(d, u);
	for (size_t i = 0; i < u->spans.count; i++)
		spans_add(&d->spans, u->spans.span[i].start,
		    u->spans.span[i].end, id);
}

struct dwarf *
dwarf_open(Dwarf *dw, const struct dwarf_callbacks *callbacks, void *arg)
{
	struct dwarf *d = ht_calloc(1, sizeof(*d));
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	uint8_t type;

	d->call = callbacks;
	d->arg = arg;
	while (!dwarf_get_units(dw, cu, &cu, NULL, &type, &die, NULL))
		if ((type == DW_UT_compile || type == DW_UT_skeleton) &&
		    die.addr)
			add_unit(d, &die);
	if (d->units)
		return d;
	dwarf_free(d);
	return NULL;
}

void
dwarf_free(struct dwarf *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->units; i++) {
		spans_release(&d->unit[i].spans);
		free(d->unit[i].function);
		ht_map_release(&d->unit[i].entry);
	}
	spans_release(&d->spans);
	ht_map_release(&d->scope);
	ht_intern_release(&d->scopes);
	ht_str_release(&d->text);
	free(d->unit);
	free(d);
}

/* --- one address --------------------------------------------------------- */

static bool
has_ranges(Dwarf_Die *die)
{
	return dwarf_hasattr(die, DW_AT_low_pc) ||
	       dwarf_hasattr(die, DW_AT_ranges);
}

static bool
is_block(int tag)
{
	return tag == DW_TAG_lexical_block || tag == DW_TAG_try_block ||
	       tag == DW_TAG_catch_block || tag == DW_TAG_with_stmt;
}

struct chain {
	Dwarf_Die die[MAX_DEPTH]; /* outermost first */
	size_t n;
};

/*
 * The inlined functions around addr inside `parent`: `now` is the way to it,
 * `best` the longest way found. The ranges of two neighbours can overlap
 * (a call that was inlined twice, in parts); the longer way says more.
 */
static void
find_inlined(Dwarf_Die *parent, uint64_t addr, struct chain *now,
    struct chain *best, struct walk *w, unsigned depth)
{
	Dwarf_Die die;

	if (now->n > best->n) {
		memcpy(best->die, now->die, now->n * sizeof(*now->die));
		best->n = now->n;
	}
	if (depth >= MAX_DEPTH || now->n == MAX_DEPTH ||
	    !first_child(w, parent, &die))
		return;
	do {
		int tag = dwarf_tag(&die);
		bool inlined = tag == DW_TAG_inlined_subroutine;

		if (!inlined && !is_block(tag))
			continue;
		if (dwarf_haspc(&die, addr) != 1 &&
		    (inlined || has_ranges(&die)))
			continue;
		now->die[now->n] = die;
		now->n += inlined;
		find_inlined(&die, addr, now, best, w, depth + 1);
		now->n -= inlined;
	} while (next_sibling(w, &die));
}

static void
name_function(
    struct dwarf *d, struct unit *u, Dwarf_Die *die, struct dwarf_frame *f)
{
	uint64_t *entry;

	f->key = key_of(die);
	f->linkage = linkage_name(die);
	f->name = text_of(die, DW_AT_name);
	if (f->linkage)
		return;
	entry = ht_map_get(&u->entry, (uintptr_t)f->key);
	f->entry = entry ? *entry : 0;
	f->scope = scope_of(d, die);
}

static uint32_t
number_of(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attr;
	Dwarf_Word v;

	if (!dwarf_attr(die, name, &attr) || dwarf_formudata(&attr, &v) ||
	    v > UINT32_MAX)
		return 0;
	return (uint32_t)v;
}

/* Where an inlined function was called from. */
static void
call_site(struct unit *u, Dwarf_Die *die, struct dwarf_frame *f)
{
	uint32_t file = number_of(die, DW_AT_call_file);
	Dwarf_Files *files;
	size_t n;

	f->line = number_of(die, DW_AT_call_line);
	if (dwarf_hasattr(die, DW_AT_call_file) &&
	    !dwarf_getsrcfiles(&u->body, &files, &n) && file < n)
		f->file = dwarf_filesrc(files, file, NULL, NULL);
}

static bool
line_at(struct unit *u, uint64_t addr, struct dwarf_frame *f)
{
	Dwarf_Line *line = dwarf_getsrc_die(&u->die, addr);
	int number;

	if (!line)
		return false;
	f->file = dwarf_linesrc(line, NULL, NULL);
	if (!dwarf_lineno(line, &number) && number > 0)
		f->line = (uint32_t)number;
	return f->file != NULL;
}

static size_t
frames_of(struct dwarf *d, struct unit *u, Dwarf_Die *function, uint64_t addr,
    struct dwarf_frame *frame, size_t max)
{
	struct chain now, best = {.n = 0};
	size_t n;

	now.die[0] = *function;
	now.n = 1;
	find_inlined(function, addr, &now, &best, &(struct walk){NULL}, 0);
	/* The outermost of more than fit are left out. */
	n = best.n < max ? best.n : max;
	for (size_t i = 0; i < n; i++) {
		struct dwarf_frame *f = &frame[i];

		*f = (struct dwarf_frame){0};
		name_function(d, u, &best.die[best.n - 1 - i], f);
		if (i)
			call_site(u, &best.die[best.n - i], f);
	}
	line_at(u, addr, &frame[0]);
	return n;
}

size_t
dwarf_frames(
    struct dwarf *d, uint64_t addr, struct dwarf_frame *frame, size_t max)
{
	const struct span *s;
	size_t at = SIZE_MAX;
	bool line = false;

	while ((s = spans_next(&d->spans, addr, &at))) {
		struct unit *u = &d->unit[s->id];
		const struct span *f;

		prepare(d, u);
		f = spans_find(&u->spans, addr);
		if (f)
			return frames_of(
			    d, u, &u->function[f->id], addr, frame, max);
		if (line)
			continue;
		frame[0] = (struct dwarf_frame){0};
		line = line_at(u, addr, &frame[0]);
	}
	return line;
}
