/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover [ROUNDS]: threads with names that make blocks, some of which other
 * threads free. Prints, of each name, `thread<TAB>NAME<TAB>blocks made
 * <TAB>bytes<TAB>of these freed by another thread`.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <pthread.h>

#include "truth.h"

#define MAKERS 3 /* "maker a" makes, "taker" frees, and so on */
#define BATCH  300

static struct batch {
	void *block[BATCH];
	pthread_barrier_t full, empty;
} batch[MAKERS];
static struct {
	unsigned long long blocks, bytes, others;
} made[MAKERS], taken; /* taken: by the taker, for itself */
static int rounds = 20;

static FRAME void *
produce(size_t size)
{
	void *volatile p = malloc(size);

	return p;
}

static void *
maker(void *arg)
{
	struct batch *b = arg;
	size_t k = (size_t)(b - batch);
	uint64_t seed = k + 1;
	char name[16];

	snprintf(name, sizeof name, "maker %c", (int)k + 'a');
	pthread_setname_np(pthread_self(), name);
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < BATCH; i++) {
			size_t size = 1 + rnd(&seed) % 500;

			b->block[i] = produce(size);
			made[k].blocks++;
			made[k].bytes += size;
			/* Some of it goes where it came from. */
			if (rnd(&seed) % (k + 2) == 0) {
				free(b->block[i]);
				b->block[i] = NULL;
			} else {
				made[k].others++;
			}
		}
		pthread_barrier_wait(&b->full);
		pthread_barrier_wait(&b->empty);
	}
	return NULL;
}

static void *
taker(void *arg)
{
	pthread_setname_np(pthread_self(), "taker");
	for (int round = 0; round < rounds; round++)
		for (size_t k = 0; k < MAKERS; k++) {
			void *own;

			pthread_barrier_wait(&batch[k].full);
			own = produce(77);
			taken.blocks++;
			taken.bytes += 77;
			/* A realloc frees too, and what it makes is ours. */
			for (size_t i = 0; i < BATCH; i++) {
				void *p = batch[k].block[i];

				if (!p || i % 10) {
					free(p);
					continue;
				}
				p = realloc(p, 600);
				taken.blocks++;
				taken.bytes += 600;
				free(p);
			}
			free(own);
			pthread_barrier_wait(&batch[k].empty);
		}
	return arg;
}

static void
say_thread(const char *name, unsigned long long blocks,
    unsigned long long bytes, unsigned long long others)
{
	char line[160];
	int n = snprintf(line, sizeof line, "thread\t%s\t%llu\t%llu\t%llu\n",
	    name, blocks, bytes, others);

	if (write(1, line, n) != n)
		_exit(99);
}

int
main(int argc, char **argv)
{
	pthread_t id[MAKERS + 1];
	char name[16];

	if (argc > 1)
		rounds = atoi(argv[1]);
	for (size_t k = 0; k < MAKERS; k++) {
		pthread_barrier_init(&batch[k].full, NULL, 2);
		pthread_barrier_init(&batch[k].empty, NULL, 2);
		if (pthread_create(&id[k], NULL, maker, &batch[k]))
			wrong("pthread_create");
	}
	if (pthread_create(&id[MAKERS], NULL, taker, NULL))
		wrong("pthread_create");
	for (size_t k = 0; k <= MAKERS; k++)
		pthread_join(id[k], NULL);
	for (size_t k = 0; k < MAKERS; k++) {
		snprintf(name, sizeof name, "maker %c", (int)k + 'a');
		say_thread(name, made[k].blocks, made[k].bytes, made[k].others);
	}
	say_thread("taker", taken.blocks, taken.bytes, taken.others);
	return 0;
}
