/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads of stack memory that cannot fault. What is known to be readable is a
 * range of pages around the stack pointer; it grows page by page, by a system
 * call each, and each thread remembers it for its next walk.
 *
 * A remembered range must not outlive its memory. The thread's own stack lives
 * as long as the thread, so its range is kept; it is known by reaching to
 * where that stack ends. Any other stack (a coroutine's, a signal handler's)
 * is forgotten as soon as the thread walks another one. So it can go stale
 * only if it was unmapped, and a smaller one mapped over it, while the thread
 * did not allocate on any other stack in between; and even then a walk reads
 * past what is there only if the new stack is corrupt as well.
 */
#ifndef HT_PROBE_H
#define HT_PROBE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The stack a walk is on: [lo, hi) can be read. */
struct ht_stack {
	uint64_t lo, hi;
};

/* To be called at start, by the main thread. 0, or -1: there is no way to ask
 * the kernel about memory. Walks then see what the thread's own stack is sure
 * to have, and of other stacks the page that they begin on. */
int ht_probe_init(void);

/* Whether the page of `addr` can be read: asks the kernel, if it may. */
bool ht_probe_page(uint64_t addr);

/*
 * What the thread remembers: its own stack and another. One word each, first
 * page << HT_PAGES_BITS | pages, so that a signal handler that walks between
 * two instructions of a walk finds, and leaves, a range that was true.
 */
#define HT_PAGE_BITS  12
#define HT_PAGES_BITS 20
#define HT_PAGES_MAX  ((UINT64_C(1) << HT_PAGES_BITS) - 1)

struct ht_ranges {
	_Atomic uint64_t own, other;
};
#ifdef HT_ATTACHED
struct ht_ranges *ht_ranges_here(void) __attribute__((visibility("hidden")));
#define HT_RANGES (*ht_ranges_here())
#else
extern __thread struct ht_ranges ht_ranges
    __attribute__((visibility("hidden"), tls_model("initial-exec")));
#define HT_RANGES ht_ranges
#endif

static inline struct ht_stack
ht_range_recall(const _Atomic uint64_t *range)
{
	uint64_t word = atomic_load_explicit(range, memory_order_relaxed);
	uint64_t lo = word >> HT_PAGES_BITS << HT_PAGE_BITS;

	return (struct ht_stack){
	    lo, lo + ((word & HT_PAGES_MAX) << HT_PAGE_BITS)};
}

/* The same where it is not the thread's own stack that is walked, or one that
 * is not known yet. */
struct ht_stack ht_stack_enter_other(uint64_t sp);

#define HT_GATHER_MAX 32

/* Copies `n` pieces of `size` bytes each from the addresses in `from`, one
 * behind the other. False if one cannot be read. The memory may vanish while
 * this runs, wherever the kernel has process_vm_readv(2). */
bool ht_probe_gather(void *to, const uint64_t *from, unsigned n, size_t size);
bool ht_probe_copy(void *to, uint64_t from, size_t size);

/* The stack that the caller runs on, as far as this thread knows it; `sp` is
 * an address in it that holds something. */
static inline struct ht_stack
ht_stack_enter(uint64_t sp)
{
	struct ht_stack s = ht_range_recall(&HT_RANGES.own);

	if (__builtin_expect(sp - s.lo >= s.hi - s.lo ||
				 atomic_load_explicit(
				     &HT_RANGES.other, memory_order_relaxed),
		0))
		return ht_stack_enter_other(sp);
	return s;
}

/* Remembers for the next walk what this one, which stayed on the stack that
 * it entered, found out. */
void ht_stack_leave(struct ht_stack s);

/* Goes over to the stack that has `addr`; false if it cannot be read. */
bool ht_stack_switch(struct ht_stack *s, uint64_t addr);

/* Whether [addr, addr + size) can be read, size <= 8. Extends the range, if
 * that is the same stack further up. */
bool ht_stack_reach(struct ht_stack *s, uint64_t addr, unsigned size);

/* The word at `addr`. */
static inline bool
ht_stack_load(struct ht_stack *s, uint64_t addr, uint64_t *value)
{
	/* A page at least is always in the range. */
	if (__builtin_expect(addr - s->lo > s->hi - 8 - s->lo, 0) &&
	    !ht_stack_reach(s, addr, 8))
		return false;
	*value = *(const uint64_t *)addr;
	return true;
}

#endif
