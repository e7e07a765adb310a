/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * racers [THREADS [ROUNDS]]: threads that take blocks from one table and give
 * others back: a block that one allocated, another resizes and a third frees.
 * An address that one realloc gives up is taken by another at once.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "truth.h"

#define SLOTS	    64
#define THREADS_MAX 64

static _Atomic(void *) slot[SLOTS];
static struct truth truth[THREADS_MAX];
static int rounds = 20000;
static pthread_barrier_t gate;

static FRAME void
race(struct truth *t, uint64_t seed)
{
	for (int i = 0; i < rounds; i++) {
		uint32_t r = rnd(&seed);
		size_t size = (r >> 8) % 300;
		void *p;

		/* On a busy machine too nobody runs alone. */
		if (i % 16 == 0)
			sched_yield();
		p = atomic_exchange(&slot[r % SLOTS], NULL);

		switch (r >> 24 & 7) {
		case 0:
			free(p);
			t->frees += p != NULL;
			p = NULL;
			break;
		case 1:
			/* Cannot be had: the old block lives on. */
			if (realloc(p, (size_t)1 << 60))
				wrong("realloc: huge");
			break;
		case 2:
			/* Frees, if there is a block; else a block of 0. */
			if (p) {
				if (realloc(p, 0))
					wrong("realloc: 0");
				t->frees++;
				p = NULL;
				break;
			}
			/* fallthrough */
		default:
			t->frees += p != NULL;
			p = realloc(p, size + 1);
			if (!p)
				wrong("realloc");
			t->allocations++;
			t->bytes += size + 1;
		}
		p = atomic_exchange(&slot[(r >> 16) % SLOTS], p);
		if (p) {
			free(p);
			t->frees++;
		}
	}
}

static void *
thread(void *arg)
{
	struct truth *t = arg;

	pthread_barrier_wait(&gate);
	race(t, (t - truth + 1) * UINT64_C(0x9e3779b97f4a7c15));
	/* All are there until the last one is done. */
	pthread_barrier_wait(&gate);
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t id[THREADS_MAX];
	int n = argc > 1 ? atoi(argv[1]) : 8;
	struct truth all = {0};

	if (argc > 2)
		rounds = atoi(argv[2]);
	if (n < 1 || n > THREADS_MAX)
		wrong("usage: racers [THREADS [ROUNDS]]");
	pthread_barrier_init(&gate, NULL, n);
	for (int i = 0; i < n; i++)
		if (pthread_create(&id[i], NULL, thread, &truth[i]))
			wrong("pthread_create");
	for (int i = 0; i < n; i++)
		pthread_join(id[i], NULL);
	for (int i = 0; i < n; i++) {
		all.allocations += truth[i].allocations;
		all.frees += truth[i].frees;
		all.bytes += truth[i].bytes;
	}
	say_truth("race", &all);
	return 0;
}
