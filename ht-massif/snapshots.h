/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Snapshots of a trace's live bytes, taken while it is read, however long it
 * turns out to be: when there are too many, the time between two is doubled,
 * and of those that are now too close only one stays. So there are at most
 * as many as asked for, and at least about half of that, evenly spread.
 *
 * What was live at the peak is known at the end only, and then exactly
 * (cost.h). That snapshot and the last one come in addition.
 */
#ifndef HT_MASSIF_SNAPSHOTS_H
#define HT_MASSIF_SNAPSHOTS_H

#include "ht-massif/heaptree.h"
#include "libht/base.h"
#include "libht/load.h"

enum time_unit { TIME_MS, TIME_BYTES, TIME_EVENTS };
extern const char *const time_units[]; /* for ht_opt_choice */

#define SNAPSHOTS_MIN 10

struct snapshot {
	uint64_t time;
	uint64_t event; /* so many of the trace's events came before */
	uint64_t bytes;
	char *tree; /* its text, or NULL; owned */
	bool peak;
};

struct snapshots {
	/* Set by the user, before the trace. */
	enum time_unit unit;
	size_t max, detailed_freq;
	uint64_t threshold; /* thousandths of a percent */
	size_t depth;
	const struct ht_query *query;
	uint64_t wanted; /* the number of the trace to keep, 0: the first */

	uint64_t traces; /* so many were reported */
	bool kept;	 /* what follows is of the trace that was wanted */
	struct snapshot *snapshot;
	size_t n, cap;
	struct ht_str command; /* safe to print */
	uint64_t lost;
	bool truncated, attached, sampled;

	/* Of the trace being read. */
	enum { AHEAD, RUNNING, OVER } state;
	uint64_t events, moved; /* allocations and frees; their bytes */
	uint64_t seen;		/* events, undone frees too */
	uint64_t live;		/* bytes of what is selected */
	uint64_t interval, next;
	uint64_t epoch; /* the cost's; it rises when a peak does */
	uint64_t peak_time, peak_event;
	uint8_t *chosen; /* of classes: 0 not known yet, 1 no, 2 yes */
	size_t chosen_cap;
	struct ht_select select;
	struct heaptree tree;
};

/* Once the settings are there; `p` is what ht_load fills. */
void snapshots_init(struct snapshots *s, const struct ht_prof *p);
void snapshots_release(struct snapshots *s);

/* For ht_load, with the snapshots as `arg`. */
void snapshots_event(
    void *arg, const struct ht_load_trace *trace, const struct ht_event *ev);
void snapshots_end(void *arg, const struct ht_load_trace *trace,
    const struct ht_class *cls, size_t ncls);

#endif
