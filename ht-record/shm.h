/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making and giving back rings: the memory of ring.h. */
#ifndef HT_SHM_H
#define HT_SHM_H

#include "ht-record/ring.h"
#include "libht/err.h"

struct ht_ring_options {
	uint64_t buffer; /* bytes of records, rounded up to a power of two */
	uint32_t flags;	 /* HT_RING_* */
	uint64_t sample; /* mean bytes between samples; 0: all blocks */
	uint64_t seed;	 /* of which; another one for each ring */
	int pid;	 /* whose address space has to hold it; 0: ours */
};

/*
 * A fresh ring behind descriptor *fd: made there if *fd is -1, else put in
 * place of what *fd was, so that /proc/self/fd/<fd> always leads to the
 * latest. NULL with *err set when the kernel has no memory for it.
 */
struct ht_ring *ht_shm_new(
    const struct ht_ring_options *o, int *fd, struct ht_error *err);
/* The same in memory file `file`, which is empty and stays the caller's. */
struct ht_ring *ht_shm_fill(
    const struct ht_ring_options *o, int file, struct ht_error *err);
/* Maps a ring that another process has made there. */
struct ht_ring *ht_shm_map(int file, struct ht_error *err);
void ht_shm_free(struct ht_ring *ring);

static inline struct ht_rec *
ht_shm_records(const struct ht_ring *r)
{
	return (struct ht_rec *)((char *)r + r->records_at);
}

static inline struct ht_frame *
ht_shm_frame(const struct ht_ring *r, uint32_t i)
{
	return (struct ht_frame *)((char *)r + r->frames_at) + i;
}

static inline struct ht_node *
ht_shm_node(const struct ht_ring *r, uint32_t i)
{
	return (struct ht_node *)((char *)r + r->nodes_at) + i;
}

static inline struct ht_module *
ht_shm_module(const struct ht_ring *r, uint32_t i)
{
	return (struct ht_module *)((char *)r + r->modules_at) + i;
}

static inline const char *
ht_shm_name(const struct ht_ring *r, const struct ht_module *m)
{
	return (const char *)r + r->heap_at + m->name;
}

#endif
