/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * millions [THREADS [ROUNDS]]: threads that allocate in each way there is, and
 * hand the blocks to each other: what one allocates, another resizes and a
 * third frees, and each address is soon another's. All that is left is freed.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>

#include "truth.h"

#define SLOTS	    512
#define THREADS_MAX 64

static _Atomic(void *) slot[SLOTS];
static struct {
	struct truth t;
	char apart[40];
} work[THREADS_MAX];
static int rounds = 1000;
static pthread_barrier_t gate;

/* Puts `p` where another may find it, and takes what was there. */
static void *
trade(uint32_t r, void *p)
{
	return atomic_exchange(&slot[r % SLOTS], p);
}

static FRAME void
allocate(struct truth *t, uint64_t seed)
{
	for (int i = 0; i < rounds; i++) {
		uint32_t r = rnd(&seed);
		size_t size = 1 + (r >> 16) % 400;
		void *p = NULL;

		switch (r >> 9 & 3) {
		case 0:
			p = malloc(size);
			break;
		case 1:
			p = calloc(size, 3);
			size *= 3;
			break;
		default:
			p = trade(r, NULL);
			t->frees += p != NULL;
			p = realloc(p, size);
		}
		if (!p)
			wrong("no memory");
		t->allocations++;
		t->bytes += size;
		p = trade(r >> 12, p);
		free(p);
		t->frees += p != NULL;
	}
}

static void *
thread(void *arg)
{
	pthread_barrier_wait(&gate);
	allocate(arg, ((uintptr_t)arg >> 3) * UINT64_C(0x9e3779b97f4a7c15));
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
		wrong("usage: millions [THREADS [ROUNDS]]");
	pthread_barrier_init(&gate, NULL, n);
	for (int i = 0; i < n; i++)
		if (pthread_create(&id[i], NULL, thread, &work[i].t))
			wrong("pthread_create");
	for (int i = 0; i < n; i++)
		pthread_join(id[i], NULL);
	for (int i = 0; i < SLOTS; i++) {
		void *p = trade(i, NULL);

		free(p);
		all.frees += p != NULL;
	}
	for (int i = 0; i < n; i++) {
		all.allocations += work[i].t.allocations;
		all.frees += work[i].t.frees;
		all.bytes += work[i].t.bytes;
	}
	say("allocations", all.allocations);
	say("frees", all.frees);
	say("total_bytes", all.bytes);
	return 0;
}
