/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * makers [THREADS [BLOCKS]]: threads named `maker 1`, `maker 2`, … each of
 * which frees as many blocks itself as it leaves to the main thread. Says how
 * many those are, by the maker's name, and in all.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <pthread.h>

#include "truth.h"

#define THREADS_MAX 64

static struct maker {
	pthread_t id;
	char name[16];
	void **block;
	unsigned long long handed;
} maker[THREADS_MAX];
static int blocks = 1000;

static FRAME void *
make(int size)
{
	return malloc(size);
}

static void *
thread(void *arg)
{
	struct maker *m = arg;

	if (pthread_setname_np(pthread_self(), m->name))
		wrong("pthread_setname_np");
	for (int i = 0; i < blocks; i++) {
		m->block[i] = make(i + 1);
		free(make(i + 1));
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 4;
	unsigned long long all = 0;

	if (argc > 2)
		blocks = atoi(argv[2]);
	if (n > THREADS_MAX)
		wrong("too many threads");
	for (int i = 0; i < n; i++) {
		snprintf(
		    maker[i].name, sizeof maker[i].name, "maker %d", i + 1);
		maker[i].block = calloc(blocks, sizeof(void *));
		if (pthread_create(&maker[i].id, NULL, thread, &maker[i]))
			wrong("pthread_create");
	}
	for (int i = 0; i < n; i++) {
		pthread_join(maker[i].id, NULL);
		for (int k = 0; k < blocks; k++) {
			free(maker[i].block[k]);
			maker[i].handed++;
		}
		free(maker[i].block);
		say(maker[i].name, maker[i].handed);
		all += maker[i].handed;
	}
	say("handed", all);
	return 0;
}
