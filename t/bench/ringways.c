/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two ways to fill the ring, alone: compare-and-swap of a whole record
 * (what ht does) and reserve-then-commit, which needs a recovery of holes on
 * top. Prints ns a record for 1, 2 and 8 threads; nobody reads, nothing is
 * full. Built and run by hand: cc -O2 -mcx16 ringways.c -lpthread
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#pragma GCC target("cx16")
#define SHIFT 20
#define EACH  4000000u

typedef unsigned __int128 u128 __attribute__((aligned(16)));
struct rec {
	uint64_t w0, w1;
} __attribute__((aligned(16)));
static struct rec ring[1 << SHIFT];
static _Alignas(64) _Atomic uint64_t head;

static uint64_t
lap(uint64_t pos)
{
	return ((pos >> SHIFT) + 1) & 0xfff;
}

static void
put_swap(uint64_t w0, uint64_t w1)
{
	uint64_t pos = atomic_load_explicit(&head, memory_order_relaxed);

	for (;;) {
		struct rec *s = &ring[pos & ((1 << SHIFT) - 1)];
		uint64_t o0 = __atomic_load_n(&s->w0, __ATOMIC_RELAXED);
		uint64_t o1 = __atomic_load_n(&s->w1, __ATOMIC_RELAXED);

		if (o1 >> 52 == lap(pos)) {
			pos++;
			continue;
		}
		if (__sync_bool_compare_and_swap((u128 *)s, (u128)o1 << 64 | o0,
			(u128)(w1 | lap(pos) << 52) << 64 | w0))
			break;
	}
	if (pos >= atomic_load_explicit(&head, memory_order_relaxed))
		atomic_store_explicit(&head, pos + 1, memory_order_relaxed);
}

static void
put_reserve(uint64_t w0, uint64_t w1)
{
	uint64_t pos =
	    atomic_fetch_add_explicit(&head, 1, memory_order_relaxed);
	struct rec *s = &ring[pos & ((1 << SHIFT) - 1)];

	__atomic_store_n(&s->w0, w0, __ATOMIC_RELAXED);
	__atomic_store_n(&s->w1, w1 | lap(pos) << 52, __ATOMIC_RELEASE);
}

static void (*put)(uint64_t, uint64_t);

static void *
run(void *arg)
{
	for (uint64_t i = 0; i < EACH; i++)
		put(i, (uintptr_t)arg);
	return NULL;
}

static double
measure(void (*how)(uint64_t, uint64_t), unsigned threads)
{
	struct timespec a, b;
	pthread_t t[8];

	put = how;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (uintptr_t i = 0; i < threads; i++)
		pthread_create(&t[i], NULL, run, (void *)(i + 1));
	for (unsigned i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) /
	       ((double)EACH * threads);
}

int
main(void)
{
	for (int round = 0; round < 5; round++)
		for (unsigned n = 1; n <= 8; n = n == 1 ? 2 : n * 4)
			printf("%u\tswap %.1f\treserve %.1f\n", n,
			    measure(put_swap, n), measure(put_reserve, n));
	return 0;
}
