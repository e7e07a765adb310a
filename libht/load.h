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

struct ht_load {
	struct ht_query *query;
	/* NULL, or called for each event of all traces, launchers' too, after
	 * the tables took it: for those who need more than the profile.
	 * `m` knows rows of classes (ht_merge_row) while the trace lasts. */
	void (*event)(void *arg, struct ht_merge *m, struct ht_tables *t,
	    const struct ht_event *ev);
	void *arg;
	uint64_t left_out; /* out: launchers' traces */
};

/* `path` ends with NULL; none at all is stdin, as is "-". 0, or -1 if
 * anything was wrong. The query is applied: filters, window, suppressions. */
int ht_load(struct ht_load *l, char *const *path, struct ht_prof *p);

#endif
