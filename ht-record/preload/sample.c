/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ht-record/preload/sample.h"
#include "ht-record/preload/objects.h"

#include <unistd.h>

#define LN2 UINT64_C(2977044472) /* of 1 << 32 */

#define CACHE_LINE 64

_Atomic uint8_t *ht_filter;

/* The same, if frees that it is not for need not be looked at. */
static _Atomic uint8_t *quick_filter;
static _Atomic uint32_t *heads;
static struct ht_sampled *blocks;

/* Those that hooks look at first, a cache line for each thread. NULL: hooks are
 * not to. */
static char *counts;

#ifndef HT_ATTACHED
static uint64_t nothing_passes;
__thread struct ht_quick ht_quick = {&nothing_passes, NULL};
#endif

/* ---- the distance to the next sample ---------------------------------- */

/* A step of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom
 * number generators", 2014). */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t
next_random(struct ht_sampler *s)
{
	s->random += UINT64_C(0x9e3779b97f4a7c15);
	return mix(s->random);
}

/*
 * -log2(x / 2^64) for x from 1 to 2^64 - 1, times 2^32: exact to about the last
 * digit. Squaring a number between 1 and 2 doubles its logarithm, whose next
 * binary digit is whether it is above 2 now. The hooks may not use floating
 * point: the program's registers are its own.
 */
static uint64_t
minus_log2(uint64_t x)
{
	unsigned n = (unsigned)__builtin_clzll(x);
	uint64_t m = x << n, digits = 0;

	for (int i = 0; i < 32; i++) {
		unsigned __int128 square = (unsigned __int128)m * m >> 63;

		digits <<= 1;
		if (square >> 64) {
			square >>= 1;
			digits |= 1;
		}
		m = (uint64_t)square;
	}
	return ((uint64_t)(n + 1) << 32) - digits;
}

/* An exponential variate of the mean BYTES, cut to whole bytes, is geometric
 * as we want it: so many bytes, and the next one is drawn. */
static uint64_t
distance(struct ht_thread *t)
{
	uint64_t e = minus_log2(next_random(&t->sampler) | 1);

	return (uint64_t)((unsigned __int128)e * ht_ring->sample * LN2 >> 64);
}

void
ht_sample_restart(struct ht_thread *t)
{
	*t->sampler.left = distance(t);
	t->sampler.drawn = true;
}

void
ht_sample_ready(struct ht_thread *t)
{
	if (!t->sampler.drawn)
		ht_sample_restart(t);
}

/* ---- threads ----------------------------------------------------------- */

/* At those of this thread that the filter is for; NULL: at each. */
static void
look_at_frees(struct ht_thread *t, _Atomic uint8_t *filter)
{
#ifdef HT_ATTACHED
	t->sampler.filter = filter;
#else
	(void)t;
	ht_quick.filter = filter;
#endif
}

void
ht_sample_fresh(struct ht_thread *t, uint32_t i)
{
	t->sampler.left =
	    counts ? (uint64_t *)(counts + i * CACHE_LINE) : &t->sampler.own;
}

void
ht_sample_thread(struct ht_thread *t)
{
	struct ht_sampler *s = &t->sampler;

	if (!ht_sample_wanted())
		return;
	if (!s->random)
		s->random = mix(ht_ring->seed + mix(t->number));
	s->last = 0;
	look_at_frees(t, quick_filter);
	ht_sample_restart(t);
#ifndef HT_ATTACHED
	if (s->left != &s->own)
		ht_quick.left = s->left;
#endif
}

/* ---- the sampled blocks ----------------------------------------------- */

#ifdef HT_ATTACHED
/* Entries are patched, and what the libc calls of itself comes by them. */
static void
init_counts(void)
{
}
#else
/* libc's own functions do not come by the hooks again; of others that is not
 * known. */
static bool
may_nest(void)
{
	return !ht_objects_same(
		   (uintptr_t)ht_real.malloc, (uintptr_t)getppid) ||
	       !ht_objects_same((uintptr_t)ht_real.free, (uintptr_t)getppid);
}

static void
init_counts(void)
{
	if (!counts && quick_filter && !may_nest())
		counts = ht_map_wiped((size_t)HT_STATES_MAX * CACHE_LINE);
}
#endif

void
ht_sample_init(struct ht_ring *r)
{
	char *base = (char *)r;

	ht_filter = quick_filter = NULL;
	if (!r->sample)
		return;
	ht_filter = (_Atomic uint8_t *)(base + r->filter_at);
	heads = (_Atomic uint32_t *)(base + r->sampled_heads_at);
	blocks = (struct ht_sampled *)(base + r->sampled_at);
	ht_boot_except();
	/* With --mmap what a call maps is the heap's: none may go past unseen.
	 */
	if (!(r->flags & HT_RING_MAPS))
		quick_filter = ht_filter;
	init_counts();
}

void
ht_sample_except(const void *p)
{
	if (ht_filter)
		atomic_store_explicit(ht_sample_place(ht_filter, p), UINT8_MAX,
		    memory_order_relaxed);
}

/* One more, or one less, sampled block here. */
static void
count(const void *p, int by)
{
	_Atomic uint8_t *n = ht_sample_place(ht_filter, p);
	uint8_t was = atomic_load_explicit(n, memory_order_relaxed);

	while (was != UINT8_MAX &&
	       !atomic_compare_exchange_weak(n, &was, (uint8_t)(was + by)))
		;
}

/* Where a node for the address is or would be: links from a head on. */
struct way {
	_Atomic uint32_t *link;
	uint64_t hash;
};

static struct way
way_of(uintptr_t address)
{
	uint64_t h = mix(address);

	return (struct way){
	    &heads[h >> (64 - HT_SAMPLED_HEADS)],
	    h << HT_SAMPLED_HEADS | h >> (64 - HT_SAMPLED_HEADS),
	};
}

/* The next node on it, NULL at its end. Acquire: pairs with the release that
 * linked it there. */
static struct ht_sampled *
next_on(struct way *w)
{
	uint32_t i = atomic_load_explicit(w->link, memory_order_acquire);
	struct ht_sampled *b = i ? &blocks[i] : NULL;

	if (!b)
		return NULL;
	w->link = &b->next[w->hash >> 62];
	w->hash = w->hash << 2 | w->hash >> 62;
	return b;
}

static uint32_t
new_node(void)
{
	uint32_t i = atomic_load(&ht_ring->sampled);

	do
		if (i >= ht_ring->sampled_max)
			return 0;
	while (!atomic_compare_exchange_weak(&ht_ring->sampled, &i, i + 1));
	return i;
}

/* Links a node for the address to the end of its way. */
static bool
append(struct way w, uintptr_t address)
{
	uint32_t i = new_node();

	if (!i)
		return false;
	atomic_store_explicit(
	    &blocks[i].address, address, memory_order_relaxed);
	for (;;) {
		uint32_t none = 0;

		if (atomic_compare_exchange_strong(w.link, &none, i))
			return true;
		next_on(&w); /* someone else's is there now */
	}
}

/* Only the thread that has just been given a block adds its address, and only
 * the one that frees it takes it away; so nobody else adds or takes this one
 * meanwhile. It is there already if its free went past us. */
static bool
add(uintptr_t address)
{
	struct ht_sampled *b, *empty;
	struct way w;

	for (;;) {
		uint64_t none = 0;

		empty = NULL;
		w = way_of(address);
		while ((b = next_on(&w))) {
			uint64_t a = atomic_load_explicit(
			    &b->address, memory_order_relaxed);

			if (a == address)
				return true;
			if (!a && !empty)
				empty = b;
		}
		if (!empty)
			return append(w, address);
		if (atomic_compare_exchange_strong(
			&empty->address, &none, address))
			return true;
	}
}

/* What is counted too often costs time, what is counted too seldom a free: so
 * the filter is told first, and of the end last. */
static bool
enter_block(const void *p)
{
	count(p, 1);
	if (add((uintptr_t)p))
		return true;
	count(p, -1);
	return false;
}

bool
ht_sample_take(struct ht_thread *t, const void *p)
{
	if (!enter_block(p))
		return false;
	t->sampler.last = (uintptr_t)p;
	t->sampler.last_left = *t->sampler.left;
	look_at_frees(t, NULL);
	return true;
}

void
ht_sample_keep(const void *p)
{
	enter_block(p);
}

/* The node of a block that is sampled; NULL: it is not. */
static struct ht_sampled *
find(const void *p)
{
	struct way w = way_of((uintptr_t)p);
	struct ht_sampled *b;

	while ((b = next_on(&w)))
		if (atomic_load_explicit(&b->address, memory_order_relaxed) ==
		    (uintptr_t)p)
			return b;
	return NULL;
}

bool
ht_sample_only_shares(const void *p)
{
	return ht_sample_quick_filter() && !find(p);
}

bool
ht_sample_drop(struct ht_thread *t, const void *p, unsigned *how)
{
	uintptr_t a = (uintptr_t)p;
	struct ht_sampled *b;
	bool next =
	    t->sampler.last == a && t->sampler.last_left == *t->sampler.left;

	*how = next ? HT_FREE_PLAIN : HT_FREE_NOT_NEXT;
	t->sampler.last = 0;
	look_at_frees(t, quick_filter);
	if (!ht_sample_may_have(ht_filter, p) || !(b = find(p)) ||
	    !atomic_compare_exchange_strong(&b->address, &a, 0))
		return false;
	count(p, -1);
	return true;
}
