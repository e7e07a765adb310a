/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backtraces as they are shown. Level 4.
 *
 * A *place* is one line of a backtrace: one function of one frame, inlined or
 * not, or a frame without a function. Its id stays what it is while the profile
 * grows. A backtrace is places, the innermost first.
 *
 * What is not the program's own business is folded away: at the leaf operator
 * new, and whatever the user calls an allocation function; at the root what
 * starts the program or the thread.
 */
#ifndef HT_PLACE_H
#define HT_PLACE_H

#include "libht/base.h"
#include "libht/pattern.h"
#include "libht/prof.h"
#include "libht/str.h"

#define HT_PLACE_NONE 0		 /* nothing is known of it */
#define HT_PLACE_CUT  UINT32_MAX /* the stack could not be followed further */

struct ht_place {
	/* Texts are ids of the profile's, 0 unknown. */
	uint32_t function, file, line, module;
	uint32_t frame; /* of the profile's; 0 none */
	uint64_t
	    offset; /* in the module, or the address: when not symbolised */
	bool symbolised;
	bool inlined; /* into the place after it */
	bool known;   /* false: nothing at all */
	bool cut;     /* HT_PLACE_CUT */
};

struct ht_place ht_place(const struct ht_prof *p, uint32_t id);
/* What stands for the name of one without a function: `libfoo.so+0x1f0`, an
 * address, or that nothing is known. Not escaped; added to `s`. */
void ht_place_label(
    struct ht_str *s, const struct ht_prof *p, const struct ht_place *place);

struct ht_walk {
	const struct ht_prof *p;
	const struct ht_patterns *alloc_fn;
	bool all_frames; /* nothing is folded away, save for alloc_fn */
	uint8_t *kind;	 /* what is special about a text (place.c) */
	size_t nkind, kind_cap;
	/* The last backtrace. */
	uint32_t *place;
	size_t n, cap;
};

/* The profile may grow while it is walked. `alloc_fn` may be NULL. */
void ht_walk_init(struct ht_walk *w, const struct ht_prof *p,
    const struct ht_patterns *alloc_fn, bool all_frames);
/* The backtrace of a stack into w->place, until the next call. It has at least
 * one place: HT_PLACE_NONE for stack 0. */
void ht_walk_stack(struct ht_walk *w, uint32_t stack);
void ht_walk_release(struct ht_walk *w);

#endif
