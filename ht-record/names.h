/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a trace has to define before its events can refer to it: modules,
 * stacks and threads. Each is written at its first use, out of the tables
 * that the program left in the ring.
 */
#ifndef HT_NAMES_H
#define HT_NAMES_H

#include "ht-record/ring.h"
#include "libht/base.h"
#include "libht/out.h"

/* What is behind the number of a thread in the ring. */
struct ht_slot {
	int tid;
	uint32_t number; /* in the trace; 0: not written yet */
	char name[HT_NAME_PARTS * HT_NAME_PART]; /* as it began */
};

/* A thread's number in the trace. */
struct ht_number {
	char name[16];
	bool taken; /* by a thread that may still live */
};

struct ht_names {
	struct ht_ring *ring;
	int pid, inner_pid; /* as we see it; as it sees itself */
	char *exe;	    /* path of the executable */
	uint32_t *stack_of; /* node -> stack id; 0: not written yet */
	size_t stack_cap;
	uint32_t stacks;
	uint32_t *chain; /* room for the nodes of one stack */
	size_t chain_cap;
	uint8_t *listed;  /* modules that are in the trace's list now */
	uint32_t modules; /* of them, the highest index + 1 */
	struct ht_slot slot[HT_THREAD_MAX + 1];
	struct ht_number number[HT_THREAD_MAX + 1];
	uint32_t numbers; /* the highest in use */
};

void ht_names_init(struct ht_names *n, struct ht_ring *ring, int pid);
void ht_names_release(struct ht_names *n);
const char *ht_names_exe(const struct ht_names *n);

/* What a node carries beside a stack. */
struct ht_carried {
	uint64_t size;	 /* asked for; not set where the record has it */
	uint64_t high;	 /* the address's bits above HT_PTR_BITS, in place */
	uint64_t usable; /* bytes of the block; not set where not known */
};
/* The id of the stack `node`; writes what of it is new. */
uint32_t ht_names_stack(struct ht_names *n, struct ht_out *out, uint32_t node,
    struct ht_carried *c);
/* The bits of an address above HT_PTR_BITS that the node carries, in place. */
uint64_t ht_names_high_bits(const struct ht_names *n, uint32_t node);

/* What the node carries. */
void ht_names_carried(
    const struct ht_names *n, uint32_t node, struct ht_carried *c);

/* The kind of allocations that the node says, HT_KIND_HEAP where it says
 * none. */
uint32_t ht_names_kind(const struct ht_names *n, uint32_t node);

/* From here on `slot` of the ring is the thread `tid`. */
void ht_names_new_thread(struct ht_names *n, uint32_t slot, int tid);
/* The name it has by then, or a part of it. */
void ht_names_thread_name(
    struct ht_names *n, uint32_t slot, const struct ht_rec *rec);
/* The number of the thread in `slot`, written on first use. */
uint32_t ht_names_thread_slow(
    struct ht_names *n, struct ht_out *out, uint32_t slot);

static inline uint32_t
ht_names_thread(struct ht_names *n, struct ht_out *out, uint32_t slot)
{
	if (ht_likely(n->slot[slot].number))
		return n->slot[slot].number;
	return ht_names_thread_slow(n, out, slot);
}

#endif
