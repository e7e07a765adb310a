/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of the input a user wants to see: the options that all reports have in
 * common. Level 4. ht(7) describes them.
 *
 * Filters choose rows of a profile, by their backtrace, thread and size, so
 * they mean the same for events and for profiles: all numbers are those of the
 * chosen rows, and the moment of the peak remains the whole program's. Without
 * a filter by kind they are the heap's.
 */
#ifndef HT_QUERY_H
#define HT_QUERY_H

#include "libht/base.h"
#include "libht/opt.h"
#include "libht/pattern.h"
#include "libht/place.h"
#include "libht/prof.h"
#include "libht/suppress.h"

#define HT_QUERY_FILTERS 64

enum ht_filter_key {
	HT_FILTER_FUNCTION, /* one on the backtrace */
	HT_FILTER_FILE,
	HT_FILTER_MODULE,
	HT_FILTER_THREAD,
	HT_FILTER_KIND,
	HT_FILTER_SIZE
};

struct ht_filter {
	const char *given; /* the option's value, not a copy */
	enum ht_filter_key key;
	bool exclude;
	struct ht_pattern pattern;
	uint64_t min, max; /* of HT_FILTER_SIZE: both included */
};

/* A moment of a trace: ms, or thousandths of a percent of its run; or a mark
 * that the program set. */
struct ht_moment {
	uint64_t value;
	bool percent;
	bool mark; /* neither: the first mark that matches */
	struct ht_pattern pattern;
	const char *given; /* the option's value, not a copy */
};

struct ht_query {
	struct ht_filter filter[HT_QUERY_FILTERS];
	size_t nfilter;
	struct ht_patterns alloc_fn, ignore_fn;
	struct ht_moment from, to; /* to: of value UINT64_MAX: the end */
	bool has_from, has_to;
	uint64_t bucket; /* ms: windows are of whole buckets; 0: of any part */
	bool at;	 /* --at: as `to`, and no suppression applies */
	struct ht_suppress suppress;
	bool no_builtin, no_embedded; /* suppressions */
	bool all_images;	      /* launchers too */
	bool all_kinds; /* not the heap only; the command's to set */
	bool all_frames;
	bool follow;
};

/* `struct ht_query q; ht_query_init(&q)`, then the table as ht_opts.more, and
 * ht_query_option for every option that the command does not know itself. */
void ht_query_init(struct ht_query *q);
extern const struct ht_opt ht_query_options[];
/* The lines of a usage text about them. */
#define HT_QUERY_USAGE                                                         \
	"Selection, as ht(7) describes it:\n"                                  \
	"      --filter [KEY=]PATTERN   only what matches; KEY: function, "    \
	"file,\n"                                                              \
	"                       module, thread, kind, size; PATTERN: text "    \
	"or\n"                                                                 \
	"                       /regex/\n"                                     \
	"      --exclude [KEY=]PATTERN  not what matches\n"                    \
	"      --from T         what was allocated from T on: seconds, or "    \
	"N%\n"                                                                 \
	"      --to T           and before T\n"                                \
	"      --at T           what was live at T\n"                          \
	"      --bucket WIDTH   from and to multiples of it, as a page of "    \
	"ht-html\n"                                                            \
	"                       has them\n"                                    \
	"      --alloc-fn NAME  its callers allocate, not it\n"                \
	"      --ignore-fn NAME leave out what it allocates\n"                 \
	"      --suppressions FILE      hide these leaks, as LeakSanitizer "   \
	"does\n"                                                               \
	"      --disable-builtin-suppressions\n"                               \
	"      --disable-embedded-suppressions\n"                              \
	"      --all-images     launchers too: programs that only exec "       \
	"another\n"                                                            \
	"      --all-frames     frames inside the allocator and below main "   \
	"too\n"                                                                \
	"      --follow         go on at the end of a file that grows\n"
/* Takes the option, with its value in `o`; a value that is wrong ends the
 * program with status 2. */
void ht_query_option(struct ht_query *q, const struct ht_opts *o, int letter);
/* Once all options are read: what contradicts itself ends the program too. */
void ht_query_ready(struct ht_query *q, const struct ht_opts *o);
void ht_query_release(struct ht_query *q);

/* [*from, *to) in ms for a trace that runs so long. A mark may be anywhere. */
void ht_query_window(const struct ht_query *q, uint64_t runtime_ms,
    uint64_t *from, uint64_t *to);
/* Whether it is about a part of the run; whether that depends on how long the
 * run is. */
bool ht_query_windowed(const struct ht_query *q);
bool ht_query_percent(const struct ht_query *q);

/* Whether it leaves kinds out because none was asked for. */
bool ht_query_heap_only(const struct ht_query *q);
/* The live bytes of the kinds asked for; *epoch is another one whenever one of
 * them has a new peak. */
uint64_t ht_query_live(const struct ht_query *q, const struct ht_cost *k,
    const struct ht_tables *t, uint64_t *epoch);

/* Which rows are chosen. A profile may grow meanwhile. */
struct ht_select {
	const struct ht_query *q;
	const struct ht_prof *p;
	bool heap_only;
	struct ht_walk walk;
	uint64_t *stack; /* bit i: filter i matches a frame of the stack */
	size_t nstack, stack_cap; /* nstack: so many are known */
	uint8_t *ignored;	  /* a stack: 0 not known yet, 1 no, 2 yes */
	size_t ignored_cap;
};

void ht_select_init(
    struct ht_select *s, const struct ht_query *q, const struct ht_prof *p);
bool ht_select_row(struct ht_select *s, const struct ht_prof_row *row);
void ht_select_release(struct ht_select *s);

/* Leaves the chosen rows only, applies the suppressions, sums up anew. */
void ht_query_apply(struct ht_query *q, struct ht_prof *p);

#endif
