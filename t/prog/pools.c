/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pools THREADS ROUNDS [wait]: threads that allocate all the time; between the
 * marks "begin" and "end" each makes ROUNDS allocations in the heap and as many
 * in a pool over one block, of which every third stays. Around that, and while
 * paused, there are others, which are not to be counted. With `wait`, reads a
 * line from stdin before it begins and one before it ends, and says whether it
 * is recorded then. Prints what there was between the marks: of the heap and of
 * the pool.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../ht-record/preload/ht.h"

#define SIZE   48
#define MARGIN 100 /* calls before and behind */

static pthread_barrier_t barrier;
static long rounds;
static _Atomic long heap, pool;

__attribute__((noinline)) static void *
take(char *chunk, long i)
{
	void *p = chunk + i * SIZE;

	ht_pool_alloc("objects", p, SIZE);
	return p;
}

__attribute__((noinline)) static void
work(long n, int counts)
{
	char *chunk = malloc((size_t)n * SIZE);
	long i;

	heap += counts;
	for (i = 0; i < n; i++) {
		char *volatile p = malloc(24);

		heap += counts;
		free(p);
		take(chunk, i);
		pool += counts;
		if (i % 3 == 1)
			ht_pool_free("objects", chunk + i * SIZE);
		if (i % 3 == 2) {
			ht_pool_realloc("objects", chunk + i * SIZE,
			    chunk + i * SIZE, SIZE / 2);
			pool += counts;
		}
	}
	for (i = 0; i < n; i++)
		if (i % 3 == 2)
			ht_pool_free("objects", chunk + i * SIZE);
	for (i = 0; i < n; i++)
		if (i % 3 == 0)
			ht_pool_free("objects", chunk + i * SIZE);
	free(chunk);
}

static void *
run(void *first)
{
	int in_charge = first != NULL;

	work(MARGIN, 0);
	pthread_barrier_wait(&barrier);
	if (in_charge)
		ht_mark("begin");
	pthread_barrier_wait(&barrier);
	work(rounds / 2, 1);
	pthread_barrier_wait(&barrier);
	if (in_charge)
		ht_pause();
	pthread_barrier_wait(&barrier);
	work(MARGIN, 0);
	pthread_barrier_wait(&barrier);
	if (in_charge)
		ht_resume();
	pthread_barrier_wait(&barrier);
	work(rounds - rounds / 2, 1);
	pthread_barrier_wait(&barrier);
	if (in_charge)
		ht_mark("end");
	pthread_barrier_wait(&barrier);
	work(MARGIN, 0);
	return NULL;
}

int
main(int argc, char **argv)
{
	int n = atoi(argv[1]), i;
	pthread_t thread[64];

	rounds = atol(argv[2]);
	if (argc > 3) {
		puts("ready");
		fflush(stdout);
		getchar();
	}
	pthread_barrier_init(&barrier, NULL, (unsigned)n);
	for (i = 1; i < n; i++)
		pthread_create(&thread[i], NULL, run, NULL);
	run(argv);
	for (i = 1; i < n; i++)
		pthread_join(thread[i], NULL);
	printf("heap %ld\npool %ld\n", heap, pool);
	fflush(stdout);
	if (argc > 3) {
		getchar();
		ht_mark("late");
		puts(ht_api_.functions ? "recorded" : "alone");
	}
	return 0;
}
