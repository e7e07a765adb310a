/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which blocks are recorded with --sample, and which of the live ones were.
 *
 * Think of all bytes that a thread asks for as lying on a line. Each is a
 * sampling point with the probability 1 - exp(-1 / BYTES), whatever the others
 * are, so points are BYTES apart on average; a block is sampled if a point is
 * in it. A block of s bytes is so with the probability
 *
 *	p(s) = 1 - exp(-s / BYTES)
 *
 * and independently of all others, since the bytes up to the next point follow
 * a geometric distribution, which has no memory: that a point is not among the
 * bytes so far says nothing about those to come, and behind a point, or
 * whenever we like, the count may begin anew. So a thread counts down bytes,
 * and to pass over a block is a subtraction. A block of 0 bytes counts as one
 * of 1.
 *
 * Hooks look at that count before all else, even before they know whether this
 * process records: it lies where a fork wipes it, and at 0 nothing passes.
 *
 * A signal handler that allocates between the two halves of that subtraction
 * is decided with the same count as the block it interrupted: each with its
 * own probability, though not independently.
 */
#ifndef HT_SAMPLE_H
#define HT_SAMPLE_H

#include "ht-record/preload/preload.h"

#pragma GCC visibility push(hidden)

#ifndef HT_ATTACHED
extern __thread struct ht_quick {
	/* This thread's count; one of 0 where there is none, or each call is
	 * to be looked at. */
	uint64_t *left;
	/* ht_filter; NULL where each free is to be looked at, as the next one
	 * after a sample is. */
	_Atomic uint8_t *filter;
} ht_quick __attribute__((tls_model("initial-exec")));
#endif

/* The filter of the ring: 1 << HT_FILTER_BITS bytes. NULL: it is for all
 * blocks. */
extern _Atomic uint8_t *ht_filter;

/* Whether the ring is for samples. Unlike ht_live->on this stays as it is when
 * recording ends, so a hook that is under way can rely on it. */
static inline bool
ht_sample_wanted(void)
{
	return ht_filter != NULL;
}

/* The ring is a new one. */
void ht_sample_init(struct ht_ring *r);
/* The state is a fresh one, the i-th. */
void ht_sample_fresh(struct ht_thread *t, uint32_t i);
/* The state is this thread's from here on. */
void ht_sample_thread(struct ht_thread *t);
/* The count begins anew: what was seen of it is not to decide anything else. */
void ht_sample_restart(struct ht_thread *t);
/* There is a count. */
void ht_sample_ready(struct ht_thread *t);

/* The program allocates that many bytes, and nothing but to call the real
 * function is to be done. Blocks of 0 bytes need a second look. */
static inline bool
ht_sample_only_passes(size_t size)
{
#ifdef HT_ATTACHED
	(void)size;
	return false;
#else
	uint64_t *left = ht_quick.left, n = *left;

	if (unlikely(size - 1 >= n))
		return false;
	*left = n - size;
	return true;
#endif
}

/* Counts a block of so many bytes down if it is not to be sampled. False: it
 * is, or nobody can say yet. */
static inline bool
ht_sample_passes(struct ht_thread *t, size_t size)
{
	uint64_t bytes = size ? size : 1, n = *t->sampler.left;

	if (n < bytes)
		return false;
	*t->sampler.left = n - bytes;
	return true;
}

/* Until the thread goes on nobody can say: while an allocator runs whose calls
 * of the hooks are its own. What is returned is for ht_sample_resume(), 0: not
 * even that. An allocator that never returns leaves a thread that is to be made
 * ready. */
static inline uint64_t
ht_sample_suspend(struct ht_thread *t)
{
	uint64_t left = t->sampler.drawn ? *t->sampler.left + 1 : 0;

	t->sampler.drawn = false;
	*t->sampler.left = 0;
	return left;
}

static inline void
ht_sample_resume(struct ht_thread *t, uint64_t left)
{
	*t->sampler.left = left - 1;
	t->sampler.drawn = true;
}

static inline _Atomic uint8_t *
ht_sample_place(_Atomic uint8_t *filter, const void *p)
{
	return &filter[(uintptr_t)p >> HT_FILTER_GRAIN &
		       ((1u << HT_FILTER_BITS) - 1)];
}

/* False: the live block `p` is not sampled. */
static inline bool
ht_sample_may_have(_Atomic uint8_t *filter, const void *p)
{
	return atomic_load_explicit(
	    ht_sample_place(filter, p), memory_order_relaxed);
}

/* From now on the filter says that it may be: a block that is not to reach the
 * real functions needs a second look. */
void ht_sample_except(const void *p);

/* Where each free is to be looked at: NULL. */
static inline _Atomic uint8_t *
ht_sample_quick_filter(void)
{
#ifdef HT_ATTACHED
	struct ht_thread *t = ht_thread_known();

	return t ? t->sampler.filter : NULL;
#else
	return ht_quick.filter;
#endif
}

/* The program frees a block, and nothing but to call the real function is to be
 * done. */
static inline bool
ht_sample_only_frees(const void *p)
{
	_Atomic uint8_t *filter = ht_sample_quick_filter();

	return filter && likely(!ht_sample_may_have(filter, p));
}

/* The same, of one that the filter is for. */
bool ht_sample_only_shares(const void *p);

/* The block was allocated, and is sampled from here on. False: it is not, as
 * there is no room to remember it. */
bool ht_sample_take(struct ht_thread *t, const void *p);
/* Was it sampled? It is not any more; *how is HT_FREE_*. To be asked before
 * the block is really freed: after that another thread may be given it. */
bool ht_sample_drop(struct ht_thread *t, const void *p, unsigned *how);
/* It was not freed after all. */
void ht_sample_keep(const void *p);

#pragma GCC visibility pop

#endif
