/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The seam between the hooks and whatever walks the stack. A back end is one
 * of these tables; capture.c chooses once, at start.
 */
#ifndef HT_UNWIND_H
#define HT_UNWIND_H

#include <stddef.h>
#include <stdint.h>

/* The state of the hook's caller at the call: pc is the return address, sp
 * the stack pointer after the return (the hook's CFA), fp the frame pointer
 * register as the caller had it. */
struct ht_context {
	uint64_t pc, sp, fp;
};

/* How a walk ended. */
enum ht_walk_end {
	HT_WALK_WHOLE, /* at the outermost frame, as its unwind info says */
	HT_WALK_CUT,   /* no unwind information, or the stack is broken */
	HT_WALK_MORE   /* `max` frames stored and there are more */
};

struct ht_unwinder {
	const char *name;
	/* Called once, outside any hook, before any walk. 0, or -1: this
	 * back end cannot work here. */
	int (*init)(void);
	/*
	 * Walks from `from` outwards and stores frame indices (frames.h),
	 * innermost first, at most `max`; returns how many. Must not
	 * allocate, lock, open a file or disturb errno; reads no memory that
	 * might not be there. May be interrupted by a signal whose handler
	 * walks too.
	 */
	size_t (*walk)(const struct ht_context *from, uint32_t *frame,
	    size_t max, enum ht_walk_end *end);
};

extern const struct ht_unwinder ht_unwind_rules;
extern const struct ht_unwinder ht_unwind_libunwind;

/*
 * The oracle behind HT_VERIFY=1: compares `frame[0..n)`, as walked from
 * `from` and ended by `end`, with unw_backtrace's answer at this point.
 * Returns 0 equal, 1 different, -1 cannot be compared whole (a pc without
 * unwind information: compared up to it, and equal so far).
 * ht_unwind_libunwind.init() must have succeeded.
 */
int ht_unwind_verify(const struct ht_context *from, const uint32_t *frame,
    size_t n, enum ht_walk_end end);

#endif
