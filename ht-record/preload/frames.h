/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames, nodes and modules: the program's side of the tables of ring.h.
 * Lock-free, async-signal-safe, no allocation; safe in any thread.
 */
#ifndef HT_FRAMES_H
#define HT_FRAMES_H

#include "ht-record/ring.h"

/* The tables of the ring in use. Set once, before the first capture, and again
 * in a forked child. Notes the path of the executable there. */
void ht_frames_init(struct ht_ring *ring);

/*
 * The frame of code address `pc` (an address inside the call), made on first
 * sight; its module is found and published then. Returns its index, never 0,
 * or 0 when the table is full.
 */
uint32_t ht_frame_at(uint64_t pc);

/* The frame `index`; valid for as long as the ring is mapped. */
struct ht_frame *ht_frame_ptr(uint32_t index);

/* The frame that stands for the number `value` under qualifier `kind`
 * (one of HT_Q_*), or 0 when the table is full. */
uint32_t ht_frame_qualifier(uint32_t kind, uint64_t value);

/* The number of the kind that this pool is, taken at first sight. The name is
 * cut at HT_NAME_MAX bytes. */
uint32_t ht_kind_of_pool(const char *name, size_t len);
/* Keeps a text in the module heap; *len becomes 0 when that is full. Returns
 * where it is. */
uint32_t ht_frames_keep(const char *text, uint32_t *len);

extern struct ht_node *ht_nodes __attribute__((visibility("hidden")));

/* The child of `parent` with this frame, made on first sight; 0 when the
 * tree is full. */
uint32_t ht_node_find(uint32_t parent, uint32_t frame);

/* The same; a look at the oldest child is a call less for most. */
static inline uint32_t
ht_node_child(uint32_t parent, uint32_t frame)
{
	uint32_t oldest =
	    atomic_load_explicit(&ht_nodes[parent].child, memory_order_acquire);

	/* Node 0 has frame 0, which is none. */
	return ht_nodes[oldest].frame == frame ? oldest
					       : ht_node_find(parent, frame);
}

/* The frame of *node, which becomes its parent; 0 for a root. */
uint32_t ht_node_frame(uint32_t *node);

/*
 * Before and after a dlclose: what the call unmapped is forgotten, so that
 * an address that is used again is another frame. While one is in flight
 * every lookup checks its module.
 */
void ht_frames_dlclose_begin(void);
void ht_frames_dlclose_end(void);
/* Another number whenever frames died; not below HT_CLOSING while a dlclose is
 * in flight. */
extern _Atomic uint64_t ht_frames_epoch __attribute__((visibility("hidden")));
#define HT_CLOSING (UINT64_C(1) << 32)

#endif
