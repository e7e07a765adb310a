/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the user asked for, and what there is to report: what the parts of
 * ht-top share. */
#ifndef HT_TOP_H
#define HT_TOP_H

#include "ht-top/costs.h"
#include "ht-top/limits.h"
#include "libht/base.h"
#include "libht/out.h"
#include "libht/pattern.h"
#include "libht/prof.h"
#include "libht/query.h"
#include "libht/tree.h"

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_TSV };

struct top {
	enum cost sort[COSTS]; /* the sections, in this order */
	size_t nsort;
	bool totals;	       /* --totals: numbers only */
	bool sizes, lifetimes; /* histograms */
	bool suppressions;     /* --show-suppressions */
	enum format format;
	enum ht_by by;
	enum ht_direction direction; /* HT_TREE_FLAT: no tree */
	const char *function;	     /* of callers and callees, */
	struct ht_pattern pattern;   /* and what it matches */
	struct ht_query query;
	struct limits limits;
	char **base; /* --diff: ends with NULL; owned */
	size_t nbase, base_cap;
	uint64_t rows; /* -n */
	uint64_t subs; /* -s: backtraces of one row */
	/* Whether these were asked for: else what matters little is summed
	 * up before the limit is reached. */
	bool all_rows, all_subs;
	uint64_t depth; /* -d: frames of one backtrace, 0 all */
	uint64_t width; /* columns, 0: no limit */
	bool shorten;	/* template arguments */
	bool colour;
};

struct report {
	struct ht_out *out;
	const struct top *top;
	const struct ht_prof *later; /* the profile that is reported */
	const struct ht_prof *base;  /* of --diff, or NULL */
	/* What rows and trees are of: the profile, or the symbols of both with
	 * the later one's costs, and base_row[i] the base's for p->row[i]. */
	const struct ht_prof *p;
	const struct ht_prof_row *base_row;
	struct costs total;
	uint64_t left_out; /* launchers' traces */
};

/* `name<TAB>value` lines. */
void print_totals(const struct report *r);
/* Of ht_prof_totals()' the first are always shown; the others where they are
 * recorded. */
#define TOTALS_ALWAYS 11
/* Kinds of allocations that the report leaves out because none was asked for,
 * sorted by name; an array that is the caller's, of so many. */
size_t kinds_left_out(const struct report *r, uint32_t **kind);
/* Of sampled traces also half the widths of 95 % intervals. */
const char *total_half(const struct ht_prof *p, size_t i, uint64_t *half);
/* Whether anything in the report is an estimate. */
bool is_estimated(const struct report *r);
/* Whether usable sizes were recorded, and are more than what was asked for. */
bool has_rounding(const struct report *r);
void print_header(const struct report *r);
void print_sections(const struct report *r);
void print_trees(const struct report *r);
void print_sizes(const struct report *r);
void print_lifetimes(const struct report *r);
void print_suppressions(const struct report *r);
void print_json(const struct report *r);
void print_tsv(const struct report *r);

#endif
