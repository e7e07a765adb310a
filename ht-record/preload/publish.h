/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The producer's side of the ring. A record goes into the first slot that
 * nobody has filled, in one step. What is inline here is the common case: no
 * news from the recorder, room, and nobody who races.
 */
#ifndef HT_PUBLISH_H
#define HT_PUBLISH_H

#include "ht-record/preload/preload.h"

typedef unsigned __int128 ht_u128 __attribute__((aligned(16)));

static inline struct ht_rec *
ht_ring_slot(uint64_t pos)
{
	return &ht_slots.first[pos & ht_slots.mask];
}

/* The one step that publishes. Pairs with the recorder's acquire load of w1:
 * what was written before it (nodes, frames, modules) is seen with it. */
static inline bool
ht_slot_publish(
    struct ht_rec *slot, const struct ht_rec *old, const struct ht_rec *rec)
{
	ht_u128 was = (ht_u128)old->w1 << 64 | old->w0;
	ht_u128 now = (ht_u128)rec->w1 << 64 | rec->w0;

	return __sync_bool_compare_and_swap((ht_u128 *)slot, was, now);
}

/* What the slot at `pos` holds, as *old. Returns its state: 0 filled, 1 free,
 * else a lap or more ahead of us. */
static inline uint32_t
ht_slot_look(const struct ht_ring *r, uint64_t pos, const struct ht_rec *slot,
    struct ht_rec *old)
{
	old->w0 = __atomic_load_n(&slot->w0, __ATOMIC_RELAXED);
	old->w1 = __atomic_load_n(&slot->w1, __ATOMIC_RELAXED);
	return (ht_lap(pos, r->shift) - ht_rec_lap(old->w1)) & HT_LAP_MASK;
}

/* A record with the lap of `pos`, on top of its kind and pointer. */
static inline struct ht_rec
ht_rec_at(const struct ht_ring *r, struct ht_rec rec, uint64_t pos)
{
	rec.w1 |= (uint64_t)ht_lap(pos, r->shift) << 52;
	return rec;
}

/* Where to look for a free slot: everything before it is filled. It is what
 * this thread filled last, or what others did since. */
static inline uint64_t
ht_ring_place(const struct ht_thread *t, const struct ht_ring *r)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	return (int64_t)(head - t->pos) > 0 ? head : t->pos;
}

/* The thread goes on behind `pos`; once in a while the others are told, not
 * each time: that would cost each of them a cache line a record. When two
 * race here the hint may fall behind, never get ahead of what is published. */
static inline void
ht_ring_move_on(struct ht_thread *t, struct ht_ring *r, uint64_t pos)
{
	t->pos = ++pos;
	if (unlikely(pos % HT_HEAD_STEP == 0) &&
	    (int64_t)(pos -
		      atomic_load_explicit(&r->head, memory_order_relaxed)) > 0)
		atomic_store_explicit(&r->head, pos, memory_order_relaxed);
}

/* Puts the record into the slot at its place. False: it is not that simple. */
static inline __attribute__((always_inline)) bool
ht_ring_try(struct ht_thread *t, struct ht_ring *r, struct ht_rec rec)
{
	uint64_t pos = ht_ring_place(t, r);
	struct ht_rec *slot = ht_ring_slot(pos), old, new;

	if (unlikely((pos - t->tail) >> r->shift))
		return false;
	new = ht_rec_at(r, rec, pos);
	/* A fork in a signal handler that interrupted this very hook must not
	 * publish twice: so whether we are on is looked at last thing. */
	if (unlikely(ht_slot_look(r, pos, slot, &old) != 1 || !ht_is_on() ||
		     !ht_slot_publish(slot, &old, &new)))
		return false;
	ht_ring_move_on(t, r, pos);
	return true;
}

/* The same when it is not that simple; waits for room if the ring is full. */
void ht_publish_slow(struct ht_thread *t, enum ht_rec_kind kind, uint64_t ptr,
    uint64_t size, uint32_t stack);

/* Counts an event that cannot be published. */
void ht_publish_lost(void);

static inline __attribute__((always_inline)) void
ht_publish(struct ht_thread *t, enum ht_rec_kind kind, uint64_t ptr,
    uint64_t size, uint32_t stack)
{
	struct ht_ring *r = ht_ring;
	struct ht_rec rec = {
	    .w0 = ht_rec_w0(stack, (uint32_t)size, t->number),
	    .w1 = ht_rec_w1(ptr, kind),
	};

	if (unlikely(ht_ring_news(r) !=
			 atomic_load_explicit(&r->seen, memory_order_relaxed) ||
		     size >> HT_SIZE_BITS | ptr >> HT_PTR_BITS ||
		     !ht_ring_try(t, r, rec)))
		ht_publish_slow(t, kind, ptr, size, stack);
}

/* The stack, with how much of the block can be used; where that cannot be said,
 * without. */
uint32_t ht_publish_usable(uint32_t stack, uint64_t usable);

/* The same of another kind than the heap, HT_KIND_*: an allocation with its
 * stack, or a free without. */
void ht_publish_kind(struct ht_thread *t, enum ht_rec_kind kind, uint64_t ptr,
    uint64_t size, uint32_t stack, uint32_t of);

/* A mark with this text. When too many are on their way it waits, as for room
 * in the ring. */
void ht_publish_mark(struct ht_thread *t, const char *text);

#endif
