/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading profiles, ht-profile(5). Level 4.
 *
 *	struct ht_profread r = {.in = in};
 *	while ((rc = ht_profread_next(&r, &p, &err)) != 0) {
 *		if (rc < 0)
 *			ht_warn("%s", err.text);
 *		else
 *			ht_prof_add(&sum, &p);
 *		ht_prof_release(&p);
 *	}
 *	ht_profread_release(&r);
 *
 * An input may hold several profiles after each other. One that is wrong
 * anywhere is left out as a whole, since a part of it would be wrong in its
 * totals; the next is read.
 */
#ifndef HT_PROFREAD_H
#define HT_PROFREAD_H

#include "libht/base.h"
#include "libht/err.h"
#include "libht/in.h"
#include "libht/prof.h"
#include "libht/str.h"

#define HT_PROFILE_MARK "# ht-profile " /* how one begins */

struct ht_profread {
	struct ht_in *in; /* the caller's */
	bool begun;	  /* the first line of the next was read already */
	bool lost;	  /* in a wrong one: its next lines are passed over */
	bool ended;

	/* The profile being read. Ids of the file to those of the profile. */
	struct ht_prof *p;
	uint32_t *text, *frame, *stack;
	size_t ntext, nframe, nstack;
	size_t text_cap, frame_cap, stack_cap;
	struct ht_frame_fn *fn; /* of one frame */
	size_t fn_cap;
	struct ht_str string;	     /* of one text */
	uint32_t here, thread, kind; /* what the next row is of */
	uint64_t lines;
	uint64_t buckets; /* lines of the series that are to come */
	uint32_t seen;	  /* bits: lines that may be there once only */
};

/* The next profile into *p, which is overwritten and the caller's to release
 * even after an error. 1; 0: there is no more; -1 with *err set. */
int ht_profread_next(
    struct ht_profread *r, struct ht_prof *p, struct ht_error *err);
void ht_profread_release(struct ht_profread *r);

#endif
