/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From files to a profile: what every report begins with. Level 5.
 *
 *	struct ht_load l = {.query = &q};
 *	struct ht_prof p = {0};
 *	failed |= ht_load(&l, argv + o.index, &p) < 0;
 *
 * Inputs are event streams, of any number of traces each, or profiles. What is
 * wrong with them is said on stderr; what could be read is in the profile.
 */
#ifndef HT_LOAD_H
#define HT_LOAD_H

#include "libht/base.h"
#include "libht/evread.h"
#include "libht/prof.h"
#include "libht/query.h"
#include "libht/window.h"

/* A trace while it is read, all up to the last event and including it. */
struct ht_load_trace {
	struct ht_merge *merge; /* knows rows of classes (ht_merge_row) */
	struct ht_tables *t;
	const struct ht_cost *cost;
	const struct ht_window *window; /* NULL: the whole run is reported */
};

struct ht_load {
	struct ht_query *query;
	/* For those who need more than the profile, or NULL both. Called for
	 * each event of all traces, launchers' too; then at the end of a trace
	 * that is reported, with what its classes cost. */
	void (*event)(void *arg, const struct ht_load_trace *trace,
	    const struct ht_event *ev);
	void (*end)(void *arg, const struct ht_load_trace *trace,
	    const struct ht_class *cls, size_t ncls);
	/* NULL, or called about once a second while an input is read, with what
	 * there is so far, the query applied. Not with a window, whose blocks
	 * are known at its end. */
	void (*progress)(void *arg, const struct ht_prof *so_far);
	void *arg;
	bool profiles;	   /* `event` is of use, but a profile will do */
	uint64_t left_out; /* out: launchers' traces */
};

/* `path` ends with NULL; none at all is stdin, as is "-". 0, or -1 if
 * anything was wrong. The query is applied: filters, window, suppressions. */
int ht_load(struct ht_load *l, char *const *path, struct ht_prof *p);

#endif
