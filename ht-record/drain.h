/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The consumer's side of the ring. */
#ifndef HT_DRAIN_H
#define HT_DRAIN_H

#include "ht-record/clock.h"
#include "ht-record/ring.h"
#include "ht-record/trace.h"

struct ht_drain {
	struct ht_ring *ring;
	struct ht_trace *trace;
	struct ht_clock *clock;
	uint64_t pos;	   /* records consumed */
	bool exec_pending; /* the last word of the program was: execve */
};

/*
 * Takes what is in the ring, at most `max` records, into the trace; gives
 * the room back and wakes who waits for it. Returns how many it took.
 */
size_t ht_drain(struct ht_drain *d, size_t max);

/* Writes the times and samples that have passed while nothing happened. Only
 * when the ring is empty. */
void ht_drain_idle(struct ht_drain *d);

#endif
