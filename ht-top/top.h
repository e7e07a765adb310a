/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of ht-top share. */
#ifndef HT_TOP_H
#define HT_TOP_H

#include "libht/base.h"
#include "libht/out.h"
#include "libht/prof.h"
#include "libht/query.h"

/* The sections, in the order they are printed in. */
enum section { SECTION_PEAK, SECTION_CALLS, SECTION_TEMPORARY, SECTION_LEAKS };
#define SECTIONS 4

struct top {
	bool section[SECTIONS];
	bool totals; /* --totals: numbers only */
	struct ht_query query;
	uint64_t rows; /* -n */
	uint64_t subs; /* -s: backtraces of one row */
	/* Whether these were asked for: else what matters little is summed
	 * up before the limit is reached. */
	bool all_rows, all_subs;
	uint64_t depth;	   /* -d: frames of one backtrace, 0 all */
	uint64_t width;	   /* columns, 0: no limit */
	uint64_t left_out; /* launchers' traces that were */
};

/* `name<TAB>value` lines. */
void print_totals(struct ht_out *out, const struct ht_prof *p);
/* The header and the chosen sections. */
void print_report(
    struct ht_out *out, const struct top *top, const struct ht_prof *p);

#endif
