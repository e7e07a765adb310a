/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The producer's side of the ring. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ht-record/preload/arch.h"
#include "ht-record/preload/frames.h"
#include "ht-record/preload/publish.h"

#define SPINS	   64
#define MARK_TRIES 100 /* of 0.1 s at most */

/* Of linux/futex.h, which a musl beside another libc does not see. */
#define FUTEX_WAIT	 0
#define FUTEX_OWNER_DIED 0x40000000

void
ht_off(void)
{
	atomic_store_explicit(&ht_live->on, HT_OFF, memory_order_relaxed);
}

int
ht_no_calls(void)
{
	return ht_ring &&
	       (atomic_load_explicit(&ht_ring->control, memory_order_relaxed) &
		   HT_CTL_NO_CALLS);
}

/* True while the recorder lives and wants records. Its death is the kernel's
 * to report: `alive` is on its robust list. */
static bool
recorder_there(const struct ht_ring *r)
{
	if (atomic_load_explicit(&r->control, memory_order_relaxed) &
	    HT_CTL_STOP)
		return false;
	return !(atomic_load_explicit(&r->alive, memory_order_relaxed) &
		 FUTEX_OWNER_DIED);
}

static void
futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	struct timespec limit = {.tv_nsec = 100000000};
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAIT, value, &limit, NULL, 0);
	errno = saved;
}

static inline bool
ring_full(struct ht_thread *t, const struct ht_ring *r, uint64_t pos)
{
	if (likely(pos - t->tail < (uint64_t)1 << r->shift))
		return false;
	/* Acquire: the recorder is done with the slots below the tail. */
	t->tail = atomic_load_explicit(&r->tail, memory_order_acquire);
	/* The hint may be older than the tail. */
	return (int64_t)(pos - t->tail) >= (int64_t)1 << r->shift;
}

/* Waits until there is room at `pos`. False: give the record up. */
static bool
wait_for_room(struct ht_thread *t, struct ht_ring *r, uint64_t pos)
{
	for (unsigned i = 0;; i++) {
		if (!ring_full(t, r, pos))
			return true;
		if (!recorder_there(r)) {
			ht_off();
			return false;
		}
		if (i < SPINS || ht_no_calls()) {
			ht_arch_pause();
			continue;
		}
		uint32_t seen =
		    atomic_load_explicit(&r->space, memory_order_relaxed);
		/* Sequentially consistent, like the recorder's look at it
		 * after it moved the tail: one of us sees the other. */
		atomic_store(&r->waiters, 1);
		if (ring_full(t, r, pos))
			futex_wait(&r->space, seen);
	}
}

void
ht_publish_lost(void)
{
	struct ht_ring *r = ht_ring;

	atomic_fetch_add_explicit(&r->lost, 1, memory_order_relaxed);
	atomic_store_explicit(&r->seen, HT_UNSEEN, memory_order_relaxed);
}

/* Puts one record into the first slot nobody has filled. False: the ring is
 * full and the record is to be dropped. */
static bool
ring_put(struct ht_thread *t, struct ht_ring *r, struct ht_rec rec)
{
	uint64_t pos = ht_ring_place(t, r);

	for (;;) {
		struct ht_rec *slot, old, new;
		uint32_t free;

		if (unlikely(ring_full(t, r, pos))) {
			if (r->flags & HT_RING_LOSSY &&
			    ht_rec_kind(rec.w1) < HT_REC_THREAD)
				return false;
			if (!wait_for_room(t, r, pos))
				return true; /* recording is over */
		}
		if (unlikely((int64_t)(pos - t->tail) < 0))
			pos = t->tail;
		slot = ht_ring_slot(pos);
		free = ht_slot_look(r, pos, slot, &old);
		if (free == 0) {
			pos++; /* someone else's: on to the next */
			continue;
		}
		if (unlikely(free != 1)) {
			/* A lap behind, at least: the world moved on. */
			t->tail = atomic_load_explicit(
			    &r->tail, memory_order_acquire);
			pos = ht_ring_place(t, r);
			continue;
		}
		/* A fork in a signal handler that interrupted this very hook
		 * must not publish twice: so this is looked at last thing. */
		if (unlikely(!ht_is_on()))
			return true;
		new = ht_rec_at(r, rec, pos);
		if (likely(ht_slot_publish(slot, &old, &new)))
			break;
	}
	ht_ring_move_on(t, r, pos);
	return true;
}

/* Tells of events dropped since the last such record. */
static void
publish_lost(struct ht_thread *t, struct ht_ring *r)
{
	uint64_t total = atomic_load_explicit(&r->lost, memory_order_relaxed);
	uint64_t told = atomic_load_explicit(&r->told, memory_order_relaxed);
	struct ht_rec rec = {.w0 = ht_rec_w0(0, 0, t->number)};

	/* Who wins tells of them. */
	if (total <= told ||
	    !atomic_compare_exchange_strong(&r->told, &told, total))
		return;
	rec.w1 = ht_rec_w1(total - told, HT_REC_LOST);
	if (!ring_put(t, r, rec))
		atomic_fetch_sub_explicit(
		    &r->told, total - told, memory_order_relaxed);
}

/* Wraps the stack into a node that carries what does not fit a record.
 * False when the tables are full. */
static bool
qualify(uint32_t *stack, uint32_t kind, uint64_t value)
{
	uint32_t frame = ht_frame_qualifier(kind, value);

	*stack = frame ? ht_node_child(*stack ? *stack : HT_ROOT, frame) : 0;
	return *stack != 0;
}

/* What the recorder has to say: a time, an end; and events lost. */
static void
hear_news(struct ht_thread *t, struct ht_ring *r)
{
	uint64_t news = ht_ring_news(r);
	uint64_t seen = atomic_exchange(&r->seen, news);
	struct ht_rec now = {
	    .w0 = ht_rec_w0(0, 0, t->number),
	    .w1 = ht_rec_w1((uint32_t)news, HT_REC_TICK),
	};

	if (news >> 32 & HT_CTL_STOP) {
		ht_off();
		return;
	}
	if (seen != news)
		ring_put(t, r, now);
	if (atomic_load_explicit(&r->lost, memory_order_relaxed) !=
	    atomic_load_explicit(&r->told, memory_order_relaxed))
		publish_lost(t, r);
}

/* Large numbers go into the stack. False when they cannot. */
static bool
wrap_large(struct ht_rec *rec, struct ht_thread *t, enum ht_rec_kind kind,
    uint64_t ptr, uint64_t size, uint32_t stack)
{
	if (size > HT_SIZE_MAX) {
		if (!qualify(&stack, HT_Q_SIZE, size))
			return false;
		size = 0;
	}
	if (ptr > HT_PTR_MAX) {
		if (!qualify(&stack, HT_Q_POINTER, ptr >> HT_PTR_BITS))
			return false;
		ptr &= HT_PTR_MAX;
	}
	rec->w0 = ht_rec_w0(stack, (uint32_t)size, t->number);
	rec->w1 = ht_rec_w1(ptr, kind);
	return true;
}

void
ht_publish_slow(struct ht_thread *t, enum ht_rec_kind kind, uint64_t ptr,
    uint64_t size, uint32_t stack)
{
	struct ht_ring *r = ht_ring;
	struct ht_rec rec = {
	    .w0 = ht_rec_w0(stack, (uint32_t)size, t->number),
	    .w1 = ht_rec_w1(ptr, kind),
	};

	if (ht_ring_news(r) !=
	    atomic_load_explicit(&r->seen, memory_order_relaxed))
		hear_news(t, r);
	if ((size > HT_SIZE_MAX || ptr > HT_PTR_MAX) &&
	    !wrap_large(&rec, t, kind, ptr, size, stack)) {
		ht_publish_lost(); /* no number is better than a wrong one */
		return;
	}
	if (!ring_put(t, r, rec))
		ht_publish_lost();
}

uint32_t
ht_publish_usable(uint32_t stack, uint64_t usable)
{
	uint32_t with = stack;

	return qualify(&with, HT_Q_USABLE, usable) ? with : stack;
}

void
ht_publish_kind(struct ht_thread *t, enum ht_rec_kind kind, uint64_t ptr,
    uint64_t size, uint32_t stack, uint32_t of)
{
	if (qualify(&stack, HT_Q_KIND, of))
		ht_publish(t, kind, ptr, size, stack);
	else
		ht_publish_lost();
}

/* Takes room for a text, the first that is free; HT_MARKS: there is none. */
static unsigned
take_mark(struct ht_ring *r)
{
	for (unsigned i = 0; i < HT_MARKS; i++) {
		uint32_t no = 0;

		/* Acquire: pairs with the recorder's release of it. */
		if (atomic_compare_exchange_strong_explicit(&r->mark[i].taken,
			&no, 1, memory_order_acquire, memory_order_relaxed))
			return i;
	}
	return HT_MARKS;
}

void
ht_publish_mark(struct ht_thread *t, const char *text)
{
	struct ht_ring *r = ht_ring;
	size_t len = 0;
	unsigned i, tries = 0;

	while (len < HT_NAME_MAX && text[len])
		len++;
	/* Whoever was killed with one in his hands keeps it: not for ever. */
	while ((i = take_mark(r)) == HT_MARKS && recorder_there(r) &&
	       tries++ < MARK_TRIES) {
		atomic_store(&r->waiters, 1);
		if (!ht_no_calls())
			futex_wait(&r->space, atomic_load(&r->space));
	}
	if (i == HT_MARKS) {
		ht_publish_lost();
		return;
	}
	memcpy(r->mark[i].text, text, len);
	ht_publish(t, HT_REC_MARK, i, len, 0);
}
