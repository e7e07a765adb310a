/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What happens to the blocks of one trace over time, in one pass, so that any
 * part of the run can be reported later (README.md says how).
 *
 * The run is divided into buckets of a power of two of ms, at most
 * TIMELINE_BUCKETS. For each bucket and each group of classes (one stack,
 * thread and power of two of the size) there are cells: blocks born, blocks
 * that died, by the bucket in which they were born and their age, and what was
 * live at the bucket's maximum. When there are too many buckets or cells, two
 * neighbouring buckets become one, which loses nothing else: the memory taken
 * does not grow with events.
 */
#ifndef HT_HTML_TIMELINE_H
#define HT_HTML_TIMELINE_H

#include "ht-html/cells.h"
#include "libht/base.h"
#include "libht/intern.h"
#include "libht/load.h"
#include "libht/map.h"
#include "libht/query.h"

#define TIMELINE_BUCKETS 512
/* So many cells, if at least so many buckets remain then. A test has less. */
#ifndef TIMELINE_CELLS
#define TIMELINE_CELLS	     4000000
#define TIMELINE_BUCKETS_MIN 64
#endif

#define TIMELINE_BEFORE -1 /* born before the first bucket */

struct timeline_bucket {
	uint64_t max; /* live bytes, the most, of all groups and others */
	uint64_t max_ms;
};

struct timeline_group {
	uint32_t stack, thread, kind; /* as in the profile's rows */
	uint32_t size;		      /* its power of two (hist.h) */
};

struct timeline {
	const struct ht_query *query;
	uint64_t traces; /* that were reported; the first one is here */
	bool ages;	 /* the trace tells how old blocks are */

	/* Bucket b is [(first + b) << shift, (first + b + 1) << shift) ms. */
	unsigned shift;
	uint64_t first;
	struct timeline_bucket *bucket;
	size_t n, bucket_cap;
	struct cells born, died, top;
	struct cells before; /* live before the first bucket; no `end` */

	struct ht_intern keys; /* of groups; their ids, less one */
	struct timeline_reading *reading;
};

/* For the profile `p` that ht_load fills. */
void timeline_init(
    struct timeline *t, const struct ht_query *query, const struct ht_prof *p);
void timeline_release(struct timeline *t);

/* For ht_load, with the timeline as `arg`. */
void timeline_event(
    void *arg, const struct ht_load_trace *trace, const struct ht_event *ev);
void timeline_end(void *arg, const struct ht_load_trace *trace,
    const struct ht_class *cls, size_t ncls);

/* Whether there is one: not of profiles, of several traces, or of a run that
 * was over before the window. */
bool timeline_known(const struct timeline *t);
size_t timeline_groups(const struct timeline *t);
struct timeline_group timeline_group(const struct timeline *t, size_t group);
/* Buckets of at least 1 << shift ms. */
void timeline_widen(struct timeline *t, unsigned shift);
/* Gives groups other numbers: `to[group]`, where several may become one. */
void timeline_renumber(struct timeline *t, const uint32_t *to);

#endif
