/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Capturing a stack by what is new of it: see prefix.c. */
#ifndef HT_PREFIX_H
#define HT_PREFIX_H

#include "ht-record/preload/preload.h"

/*
 * The node of the stack in `from`, or 0: it has to be walked whole (a signal
 * frame, no rule, another stack, no memory, a dlclose in flight).
 */
uint32_t ht_prefix_capture(struct ht_thread *t, const struct ht_context *from);

/* The same, but remembered frames are believed unseen, which is wrong: for the
 * test that HT_VERIFY finds that out. */
uint32_t ht_prefix_believe(struct ht_thread *t, const struct ht_context *from);

/* The state passes to another thread. */
void ht_prefix_forget(struct ht_thread *t);

/* The frames of the stack captured last, innermost first: at most `max`;
 * returns how many. *whole: it reaches to the outermost frame. */
size_t ht_prefix_frames(
    const struct ht_thread *t, uint32_t *frame, size_t max, bool *whole);

#endif
