/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The clock: a thread that, whatever the drain is doing, sets the ring's tick
 * word, samples the program's resident set, and looks whether the program has
 * put itself under seccomp. It also owns the robust futexes that tell the
 * program when the recorder is gone.
 */
#ifndef HT_CLOCK_H
#define HT_CLOCK_H

#include "ht-record/ring.h"
#include "libht/base.h"
#include "libht/err.h"

struct ht_sample {
	uint64_t ms, pages;
};

struct ht_clock;

/* Starts the thread; it ticks every `interval_ms`, times *`pace`. NULL with
 * *err set. */
struct ht_clock *ht_clock_start(
    unsigned interval_ms, const _Atomic uint32_t *pace, struct ht_error *err);

/* The thread owns the ring's `alive` word from now on / no longer. */
void ht_clock_own(struct ht_clock *c, struct ht_ring *ring);
void ht_clock_disown(struct ht_clock *c, struct ht_ring *ring);

/* From now on the ticks go to `ring` and count from its claim on; samples are
 * those of `pid`. Samples not taken yet are dropped. */
void ht_clock_set(struct ht_clock *c, struct ht_ring *ring, int pid);

/* The next sample not later than `ms`; false: there is none. */
bool ht_clock_sample(struct ht_clock *c, uint64_t ms, struct ht_sample *s);
/* The time of the running trace, ms. */
uint64_t ht_clock_now(struct ht_clock *c);

void ht_clock_stop(struct ht_clock *c);

#endif
