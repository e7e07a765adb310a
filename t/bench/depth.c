/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * depth FRAMES PAIRS [FILE]
 *
 * Calls itself until so many frames are on the stack, and there measures, in
 * CPU time of the thread: `pair_ns` of a malloc and the free of it at once, and
 * `malloc_ns` and `free_ns` where 1,000 of one kind follow each other. Writes
 * them to FILE; without one, does the pairs only, for who counts instructions.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH 1000

static long pairs;
static FILE *out;
static void *volatile sink;

static double
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static __attribute__((noinline)) void
do_pairs(void)
{
	for (long i = 0; i < pairs; i++) {
		sink = malloc(48);
		free(sink);
	}
}

static __attribute__((noinline)) void
do_batches(void)
{
	static void *block[BATCH];
	double mallocs = 0, frees = 0;
	long n = pairs / BATCH + 1;

	for (long k = 0; k < n; k++) {
		double a = cpu_ns(), b;

		for (int i = 0; i < BATCH; i++)
			block[i] = malloc(48);
		b = cpu_ns();
		for (int i = 0; i < BATCH; i++)
			free(block[i]);
		mallocs += b - a;
		frees += cpu_ns() - b;
	}
	fprintf(out, "malloc_ns\t%.2f\nfree_ns\t%.2f\n",
	    mallocs / (double)n / BATCH, frees / (double)n / BATCH);
}

/* The volatile keeps this a recursion, with something in each frame. */
static __attribute__((noinline)) int
down(volatile int frames)
{
	if (frames > 1)
		return down(frames - 1) + frames;
	if (out) {
		double start = cpu_ns();

		do_pairs();
		fprintf(
		    out, "pair_ns\t%.2f\n", (cpu_ns() - start) / (double)pairs);
		do_batches();
	} else {
		do_pairs();
	}
	return frames;
}

int
main(int argc, char **argv)
{
	if (argc < 3 || atol(argv[2]) < 1)
		return 2;
	pairs = atol(argv[2]);
	if (argc > 3 && !(out = fopen(argv[3], "w")))
		return 2;
	down(atoi(argv[1]));
	return out && fclose(out);
}
