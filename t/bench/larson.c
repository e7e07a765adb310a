/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * larson THREADS MILLISECONDS FILE
 *
 * A server: each thread holds many blocks of random size, and replaces a random
 * one at each step. Now and then it hands all it holds to a new thread and
 * ends, so that blocks are freed by others than those who asked for them.
 * Writes `ops_per_s<TAB>N` to FILE; a step is one free and one malloc.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SLOTS  1000
#define LEAST  10
#define MOST   500
#define TENURE 200000 /* steps of one thread */

struct client {
	char *slot[SLOTS];
	uint64_t seed, steps;
	pthread_t thread;
	_Atomic int done; /* set by its last thread, read by main */
};

static _Atomic int stop;

static uint32_t
draw(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

static __attribute__((noinline)) char *
request(uint64_t *seed)
{
	size_t n = LEAST + draw(seed) % (MOST - LEAST);
	char *p = malloc(n);

	if (!p)
		abort();
	p[0] = p[n - 1] = (char)n;
	return p;
}

static __attribute__((noinline)) void
serve(struct client *c, int steps)
{
	for (int i = 0; i < steps; i++) {
		char **slot = &c->slot[draw(&c->seed) % SLOTS];

		free(*slot);
		*slot = request(&c->seed);
	}
	c->steps += (uint64_t)steps;
}

static void *
session(void *arg)
{
	struct client *c = arg;

	for (int left = TENURE; left > 0 && !stop; left -= 1000)
		serve(c, 1000);
	if (stop) {
		c->done = 1;
		return NULL;
	}
	pthread_detach(pthread_self());
	if (pthread_create(&c->thread, NULL, session, c))
		abort();
	return NULL;
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
rest(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

int
main(int argc, char **argv)
{
	int threads = argc == 4 ? atoi(argv[1]) : 0;
	struct client *client;
	uint64_t steps = 0;
	double start, took;
	FILE *out;

	if (threads < 1 || !(out = fopen(argv[3], "w")))
		return 2;
	client = calloc((size_t)threads, sizeof *client);
	start = seconds();
	for (int i = 0; i < threads; i++) {
		client[i].seed = (uint64_t)i + 1;
		for (int k = 0; k < SLOTS; k++)
			client[i].slot[k] = request(&client[i].seed);
		if (pthread_create(
			&client[i].thread, NULL, session, &client[i]))
			abort();
	}
	rest(atol(argv[2]));
	stop = 1;
	for (int i = 0; i < threads; i++)
		while (!client[i].done)
			rest(1);
	took = seconds() - start;
	for (int i = 0; i < threads; i++) {
		steps += client[i].steps;
		for (int k = 0; k < SLOTS; k++)
			free(client[i].slot[k]);
	}
	free(client);
	fprintf(out, "ops_per_s\t%.0f\n", (double)steps / took);
	return fclose(out) != 0;
}
