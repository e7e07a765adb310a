/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From an address to functions and lines, by the DWARF of one module. Its
 * units are put in a table of ranges once; a unit's functions in another, when
 * the first address inside it is asked for; both are searched by bisection.
 *
 * libdw has calls that do all this (dwarf_addrdie, dwarf_getscopes), but they
 * walk a unit's whole tree for every address.
 */
#ifndef HT_DWARF_H
#define HT_DWARF_H

#include <elfutils/libdw.h>

#include "libht/base.h"

struct dwarf;

/* One frame: texts are libdw's or the pool's, see dwarf_frames. */
struct dwarf_frame {
	const char *linkage; /* mangled name, or NULL */
	const char *name;    /* plain name, or NULL */
	const char *scope;   /* what stands before the plain name: `ns::` */
	const void *key;     /* the same for every frame of this function */
	const char *file;    /* or NULL */
	uint32_t line;
	uint64_t
	    entry; /* without a linkage name: where its own code is, or 0 */
};

struct dwarf_callbacks {
	/* True for an address at which the module can have code: ranges of
	 * functions that the linker threw away begin elsewhere (at 0). */
	bool (*is_code)(void *arg, uint64_t addr);
	/* Whether libdw may open `name` (from `dir`, or from beside the
	 * module) as a unit's .dwo file. */
	bool (*may_split)(void *arg, const char *dir, const char *name);
};

/* `dw` stays the caller's and lives longer. NULL: no unit in it. */
struct dwarf *dwarf_open(
    Dwarf *dw, const struct dwarf_callbacks *callbacks, void *arg);
void dwarf_free(struct dwarf *d);

/* The frames at `addr`, innermost first, at most `max`; their number. One
 * without name when only the line is known. 0: nothing is known. */
size_t dwarf_frames(
    struct dwarf *d, uint64_t addr, struct dwarf_frame *frame, size_t max);

#endif
