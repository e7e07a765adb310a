/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mstress THREADS ROUNDS
 *
 * Threads that build and tear down trees of work: allocations come from
 * recursions of changing depth, live for very different times, and some are
 * handed to whichever thread takes them next, through shared places.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define PLACES 1000
#define KEPT   400

static size_t *_Atomic place[PLACES]; /* a block is whose exchange got it */
static long rounds;

struct worker {
	pthread_t thread;
	uint64_t seed;
	size_t *kept[KEPT];
};

static uint32_t
draw(struct worker *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (uint32_t)(w->seed >> 16);
}

static __attribute__((noinline)) size_t *
make(struct worker *w)
{
	static const size_t size[16] = {32, 48, 64, 64, 96, 128, 200, 256, 400,
	    512, 800, 1000, 1500, 2000, 4000, 8000};
	size_t n = size[draw(w) % 16] / sizeof(size_t);
	size_t *p = malloc(n * sizeof *p);

	if (!p)
		abort();
	*p = n;
	for (size_t i = 1; i < n; i++)
		p[i] = n ^ i;
	return p;
}

/* Every word is what it was made to be. */
static __attribute__((noinline)) void
drop(size_t *p)
{
	if (!p)
		return;
	for (size_t i = 1; i < *p; i++)
		if (p[i] != (*p ^ i))
			abort();
	free(p);
}

/* Gives a block away, or takes one and frees it. */
static __attribute__((noinline)) void
trade(struct worker *w, size_t *mine)
{
	drop(atomic_exchange(&place[draw(w) % PLACES], mine));
}

static __attribute__((noinline)) void
keep(struct worker *w)
{
	size_t **k = &w->kept[draw(w) % KEPT];

	drop(*k);
	*k = make(w);
}

static int
grow(struct worker *w, int depth)
{
	size_t *mine = make(w);
	uint32_t r = draw(w);
	int n = 1;

	if (depth > 0) {
		n += grow(w, depth - 1);
		if ((r & 7) == 0)
			n += grow(w, depth < 3 ? depth - 1 : 3);
	}
	if (r >> 8 & 1)
		keep(w);
	if ((r >> 9 & 3) == 0) {
		trade(w, mine);
		return n;
	}
	drop(mine);
	return n;
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	volatile int sum = 0;

	for (long i = 0; i < rounds; i++)
		sum += grow(w, 8 + (int)(draw(w) % 32));
	for (int i = 0; i < KEPT; i++)
		drop(w->kept[i]);
	return NULL;
}

int
main(int argc, char **argv)
{
	int threads = argc == 3 ? atoi(argv[1]) : 0;
	struct worker *w;

	if (threads < 1)
		return 2;
	rounds = atol(argv[2]);
	w = calloc((size_t)threads, sizeof *w);
	for (int i = 0; i < threads; i++) {
		w[i].seed = 88172645463325252u + (uint64_t)i;
		if (pthread_create(&w[i].thread, NULL, work, &w[i]))
			abort();
	}
	for (int i = 0; i < threads; i++)
		pthread_join(w[i].thread, NULL);
	for (int i = 0; i < PLACES; i++)
		drop(place[i]);
	free(w);
	return 0;
}
