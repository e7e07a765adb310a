/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A profile: what one trace or many cost, by stack, size and thread. Level 4.
 *
 * Symbols identify a frame, not addresses: module, functions, files and
 * lines; in a trace that is not symbolised, module and offset. Names identify
 * a thread, not numbers: "main" is the first one, one without a name is
 * "thread N". So traces of different runs, or of rebuilt programs, add up.
 *
 * To merge is commutative and associative: numbers add, or the largest
 * counts, and nothing depends on the order of rows, stacks and texts. Sums
 * that do not fit stay at the largest number.
 */
#ifndef HT_PROF_H
#define HT_PROF_H

#include "libht/base.h"
#include "libht/cost.h"
#include "libht/hist.h"
#include "libht/intern.h"
#include "libht/map.h"
#include "libht/series.h"
#include "libht/stack.h"

/* The costs of one class of allocations; all are blocks, those that were
 * recorded. What they are in bytes follows from the size, and what they stand
 * for where blocks were sampled from size and rate (ht_row_sum). */
struct ht_prof_row {
	uint32_t stack;	 /* 0: not known at all */
	uint32_t thread; /* a text; 0 not known: heaptrack's files */
	uint32_t kind;	 /* a text, of `#K`; 0: the heap */
	uint64_t size;
	uint64_t sampled; /* mean bytes between samples; 0: all blocks */
	uint64_t allocs, temporary, leaked, peak;
	uint64_t others;		    /* frees by another thread */
	uint64_t rounding, rounding_leaked; /* bytes: struct ht_sum */
	/* Ages at the free, ms. Of heaptrack's files they are not known: those
	 * frees are not in it. */
	struct ht_hist life;
};

/* A kind of allocations that is not the heap. It has a peak of its own, which
 * its rows are of. */
struct ht_prof_kind {
	uint32_t name; /* a text */
	uint64_t largest_peak, peak_ms;
};

/* A mark that the program set. */
struct ht_prof_mark {
	uint32_t text;
	uint64_t ms;
};

/* Where the profile is from: traces that are alike in these. */
struct ht_prof_origin {
	uint32_t command, tool; /* texts */
	enum ht_end end;
	uint64_t end_value;
	uint64_t traces;
};

struct ht_prof {
	struct ht_intern text;
	struct ht_frame *frame; /* ids of texts are of `text` here; no ip */
	size_t nframe, frame_cap;
	struct ht_frame_fn *fn;
	size_t nfn, fn_cap;
	struct ht_stack *stack; /* a tree; `kind` is not used */
	size_t nstack, stack_cap;
	struct ht_prof_row *row; /* row[id - 1] */
	size_t nrow, row_cap;
	struct ht_intern keys;	   /* of frames */
	struct ht_map children;	   /* (parent, frame) to stack */
	struct ht_map rows;	   /* hash of a row's key to its id */
	struct ht_prof_kind *kind; /* in no order */
	size_t nkind, kind_cap;
	struct ht_map kinds; /* text to its place in `kind`, + 1 */

	/* Over all traces; `sum.peak` is the sum of their peaks. */
	uint64_t traces, truncated, attached, sampled; /* so many of them */
	struct ht_sum sum;
	uint64_t runtime_ms, longest_ms; /* the sum, the largest */
	uint64_t largest_peak, peak_ms;	 /* the heap's, of the trace with the
					  * largest; of two that have it, the
					  * first moment */
	uint64_t peak_rss, own_rss;	 /* bytes, the largest */
	struct ht_explained explained;	 /* of the largest it is known of */
	uint64_t lost, unseen, missed;
	uint64_t first_start, last_start; /* s since 1970; 0 not known */
	bool overflow;
	struct ht_series series;
	struct ht_prof_origin *origin; /* no two alike; in no order */
	size_t norigin, origin_cap;
	struct ht_intern origins;     /* keys of these */
	struct ht_intern suppression; /* of `S` lines, with `leak:` */
	/* The first marks, in order; of one trace: they are not merged, nor
	 * written. */
	struct ht_prof_mark *mark;
	size_t nmark, mark_cap;
};

/* The sum of one row. */
struct ht_sum ht_row_sum(const struct ht_prof_row *row);

#define HT_PROF_FUNCTIONS 4096 /* of one frame: the innermost */

/* Ids of what is in the profile, made when new. The empty text is 0, none; one
 * longer than HT_TEXT_MAX is cut, so that a text does not change on its way
 * through a file. A frame's texts are of p->text; its `fn` are the functions,
 * f.count of them; f.first and f.ip do not matter. */
uint32_t ht_prof_text(struct ht_prof *p, const char *text, size_t len);
/* A mark; past HT_PROF_MARKS they are not kept. */
#define HT_PROF_MARKS 1000
void ht_prof_mark(struct ht_prof *p, const char *text, size_t len, uint64_t ms);
/* An `S` line, for p->suppression. */
void ht_prof_suppression(struct ht_prof *p, const char *text, size_t len);
uint32_t ht_prof_frame(
    struct ht_prof *p, struct ht_frame f, const struct ht_frame_fn *fn);
uint32_t ht_prof_stack(struct ht_prof *p, uint32_t parent, uint32_t frame);
uint32_t ht_prof_row(struct ht_prof *p, uint32_t stack, uint64_t size,
    uint32_t thread, uint32_t kind, uint64_t sampled);
/* Adds costs, and the lifetimes, to those of a row; keys are not looked at. */
void ht_row_add(struct ht_prof_row *to, const struct ht_prof_row *more);
/* There are allocations of this kind, which had this peak in some trace. */
void ht_prof_kind(
    struct ht_prof *p, uint32_t name, uint64_t peak, uint64_t peak_ms);
/* The largest peak, of the kind that all rows are of. Where they are of
 * several, which have no peak in common: of the heap, and false. */
bool ht_prof_peak(const struct ht_prof *p, struct ht_prof_kind *peak);
/* The totals of a profile, as documents for machines name them; bytes, ms or
 * events. */
struct ht_total {
	const char *name;
	uint64_t value;
};
#define HT_TOTALS 17
void ht_prof_totals(const struct ht_prof *p, struct ht_total total[HT_TOTALS]);
#define HT_KIND_HEAP "heap"
/* What a kind is called, not escaped: a text's id, or 0 for the heap. */
const char *ht_kind_name(const struct ht_prof *p, uint32_t kind);
/* Adds the same, or another, origin's traces. */
void ht_prof_origin(struct ht_prof *p, const struct ht_prof_origin *o);
/* p->sum, after the rows have changed. */
void ht_prof_sum(struct ht_prof *p);
/* Drops the rows that are not to be kept: ids of rows change. */
void ht_prof_keep(struct ht_prof *p,
    bool (*keep)(void *arg, const struct ht_prof_row *row), void *arg);

/* A trace on its way into a profile. */
struct ht_merge {
	struct ht_prof *p;
	struct ht_tables *t;
	/* Ids of the trace to those of the profile, 0 not known yet. */
	uint32_t *text, *frame, *stack, *row;
	size_t text_cap, frame_cap, stack_cap, row_cap;
};

/* For a trace that begins; keeps memory of the one before. */
void ht_merge_begin(struct ht_merge *m, struct ht_prof *p, struct ht_tables *t);
/* The row of a class, as soon as the tables have it: 1 … p->nrow. */
uint32_t ht_merge_row(struct ht_merge *m, uint32_t cls);
/* Adds what the trace cost, once it has ended (HT_EV_END) and `k` is settled.
 * `cls` has the costs of the classes: the tables' own, or a window's. */
void ht_merge_end(struct ht_merge *m, const struct ht_cost *k,
    const struct ht_class *cls, size_t ncls);
void ht_merge_release(struct ht_merge *m);

/* Adds another profile. */
void ht_prof_add(struct ht_prof *p, const struct ht_prof *more);
/* Symbols, and row i of `more` as row[i] (id - 1) of `p`, without its costs:
 * what ht_prof_add begins with. The array is the caller's. */
uint32_t *ht_prof_rows(struct ht_prof *p, const struct ht_prof *more);
void ht_prof_release(struct ht_prof *p);

#endif
