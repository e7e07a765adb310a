/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is different where the library was not loaded at the program's start
 * but put into it while it ran (HT_ATTACHED). No loader knows of that image:
 *
 * - It has no TLS. A thread's state is found by its thread pointer, in a hash
 *   table. The thread pointer of a thread that is gone may be another's now;
 *   so the tid that libc keeps behind it is looked at, too.
 * - It maps no memory and opens nothing: what it needs comes from an arena
 *   that the recorder has mapped, and unmaps when it goes.
 * - It uses no function of the libc, but where a thread's errno is.
 * - It describes itself to the unwinders.
 */
#ifndef HT_ATTACHED_H
#define HT_ATTACHED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ht-record/preload/arch.h"

#define HT_PLACES_LOG2 16

struct ht_place {
	_Atomic uint64_t tp; /* 0: free. Never changes again. */
	struct ht_thread *_Atomic thread;
};

extern struct ht_head ht_head;
extern struct ht_place *ht_places;
extern uint64_t ht_tid_at;

static inline struct ht_place *
ht_place_of(uint64_t tp)
{
	return &ht_places[tp * UINT64_C(0x9e3779b97f4a7c15) >>
			  (64 - HT_PLACES_LOG2)];
}

/* The tid that libc notes for the thread with this pointer. */
static inline int32_t
ht_tid_behind(uint64_t tp)
{
	return *(const volatile int32_t *)(tp + ht_tid_at);
}

/* The same when it is not in the first place that it might be in. */
struct ht_thread *ht_thread_search(uint64_t tp);

/* The state of this thread; NULL if it has none. */
static inline struct ht_thread *
ht_thread_known(void)
{
	uint64_t tp = ht_arch_thread_pointer();
	struct ht_place *p = ht_place_of(tp);
	struct ht_thread *t;

	/* Acquire: pairs with the release in ht_thread_is(), from another
	 * thread with the same pointer. */
	if (__builtin_expect(
		atomic_load_explicit(&p->tp, memory_order_relaxed) == tp, 1) &&
	    (t = atomic_load_explicit(&p->thread, memory_order_acquire)) &&
	    atomic_load_explicit(&t->tid, memory_order_relaxed) ==
		ht_tid_behind(tp))
		return t;
	return ht_thread_search(tp);
}

/* From now on that is `t`. */
void ht_thread_is(struct ht_thread *t);

#endif
