/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One trace being written: turns the records of a ring into the event stream
 * of ht-events(5), in the unsymbolised form with classes. Knows the live
 * blocks, the classes, and which stacks, modules and threads the stream has
 * already defined. All numbers of the end statistics are counted here.
 */
#ifndef HT_TRACE_H
#define HT_TRACE_H

#include "ht-record/ring.h"
#include "libht/base.h"
#include "libht/out.h"
#include "libht/weight.h"

struct ht_trace_options {
	bool addresses;	      /* write the address of each block */
	bool attached;	      /* it had begun before */
	char *const *command; /* what was launched */
	uint32_t parent;      /* its parent's pid; 0: as /proc says */
};

/* What sampled blocks stand for, and the variances of that: sums of what
 * weight.h says of each. */
struct ht_tally {
	ht_wide blocks, blocks_var; /* both in 2^-32 */
	ht_wide bytes_var;
};

struct ht_trace_stats {
	uint64_t allocations, temporary;
	uint64_t leaked, leaked_blocks; /* live now: bytes, blocks */
	uint64_t peak, peak_ms;		/* bytes; ms since the start */
	uint64_t peak_rss;		/* bytes */
	uint64_t lost, unseen, missed;	/* events; see #L #U #D */
	uint64_t ms;			/* the latest time written */
	/* With --sample these numbers are estimates; blocks that were: */
	uint64_t sampled; /* mean bytes between samples, or 0 */
	struct ht_tally all, temporarily, live, at_peak;
};

struct ht_trace;

/* A trace of process `pid` over `ring`, whose lines go to `out`, which it
 * does not own. */
struct ht_trace *ht_trace_new(struct ht_out *out, struct ht_ring *ring, int pid,
    const struct ht_trace_options *o);
/* The parent of a process, 0 if it is gone. */
uint32_t ht_trace_parent(int pid);
/* From now on lines go to `out`. */
void ht_trace_set_out(struct ht_trace *t, struct ht_out *out);

/* The lines before the first event, from /proc. `argv` is ht-record's. */
void ht_trace_begin(struct ht_trace *t, char *const argv[]);

/* From here on allocations are left out, or not any more; frees go on. Writes
 * that if it is news. */
void ht_trace_pause(struct ht_trace *t, bool paused);

/* One record. `result` is what is known of a HT_REC_REALLOC: the kind of the
 * record that says how it went, HT_REC_NONE when that is not there yet. */
void ht_trace_record(
    struct ht_trace *t, const struct ht_rec *rec, enum ht_rec_kind result);

/* Fetches what these records will need into the cache. */
void ht_trace_prefetch(
    const struct ht_trace *t, const struct ht_rec *rec, size_t n);
/* The first of at most 64 records that are all simple: allocations of classes
 * known and frees of blocks known. Returns how many those were; the one after
 * them, if any, is for ht_trace_record. */
size_t ht_trace_plain(struct ht_trace *t, const struct ht_rec *rec, size_t n);

/* It is `ms` now; writes that if it is news. */
void ht_trace_time(struct ht_trace *t, uint64_t ms);
/* The resident set at `ms`, in pages; writes both if the set is another. */
void ht_trace_rss(struct ht_trace *t, uint64_t ms, uint64_t pages);

/* The last line, `#E` with this word (exit, signal, exec, stopped, …). */
void ht_trace_end(struct ht_trace *t, int end, uint64_t value);

const struct ht_trace_stats *ht_trace_stats(const struct ht_trace *t);
void ht_trace_free(struct ht_trace *t);

#endif
