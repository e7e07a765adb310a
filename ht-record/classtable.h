/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The allocation classes of a trace, found by the first word of the records
 * that allocate: stack, size and thread are all of it. A hash table with
 * linear probing, made for being prefetched.
 */
#ifndef HT_CLASSTABLE_H
#define HT_CLASSTABLE_H

#include "libht/base.h"

struct ht_class_info {
	uint64_t size; /* bytes asked for */
	char text[8];  /* its id, hexadecimal; set by ht_classes_add */
	uint16_t digits;
	uint16_t thread;
	uint16_t high;	/* bits of its blocks' addresses above HT_PTR_BITS */
	uint16_t kind;	/* HT_KIND_* */
	uint32_t stack; /* as the trace names it */
};

struct ht_class_slot {
	uint64_t key;
	uint32_t id;	/* + 1; 0: free */
	uint32_t plain; /* 1: the record's size and pointer are all of it */
};

struct ht_classes {
	struct ht_class_slot *slot;
	unsigned shift;		    /* 64 - log2 of the number of slots */
	struct ht_class_info *info; /* by id */
	size_t count, cap;
};

void ht_classes_init(struct ht_classes *c);
void ht_classes_release(struct ht_classes *c);
/* A class for a key that has none yet; its id. */
uint32_t ht_classes_add(struct ht_classes *c, uint64_t key, bool plain,
    const struct ht_class_info *info);

/* A class that no record names; its id. */
uint32_t ht_classes_add_unnamed(
    struct ht_classes *c, const struct ht_class_info *info);

static inline size_t
ht_classes_place(const struct ht_classes *c, uint64_t key)
{
	/* Fibonacci hashing (Knuth, 6.4), after folding: size and thread are
	 * in the upper bits, the stack in the lower. */
	return (key ^ key >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> c->shift;
}

/* The slot of this key; its id is 0 if there is no such class. */
static inline const struct ht_class_slot *
ht_classes_find(const struct ht_classes *c, uint64_t key)
{
	const struct ht_class_slot *s = &c->slot[ht_classes_place(c, key)];

	while (ht_unlikely(s->key != key) && s->id)
		if (++s == &c->slot[(size_t)1 << (64 - c->shift)])
			s = c->slot;
	return s;
}

static inline void
ht_classes_prefetch(const struct ht_classes *c, uint64_t key)
{
	__builtin_prefetch(&c->slot[ht_classes_place(c, key)]);
}

#endif
