/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cancel [THREADS]: threads that allocate are cancelled asynchronously, one
 * after the other, wherever they are (preload bump: the libc's malloc does not
 * allow it). Each may have been cut off after its last call was recorded.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "truth.h"

static volatile unsigned long long allocations, frees;
static _Atomic int running;
static void *volatile kept;

static FRAME void
loop(void)
{
	void *volatile p;

	for (;;) {
		p = malloc(40);
		allocations++;
		free(p);
		frees++;
	}
}

static void *
thread(void *arg)
{
	int old;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	running = 1;
	loop();
	return NULL;
}

static FRAME void
afterwards(void)
{
	for (int i = 0; i < 1000; i++)
		kept = malloc(i);
}

int
main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 200;
	uint64_t seed = 4711;

	for (int i = 0; i < n; i++) {
		pthread_t id;
		struct timespec at = {0};

		running = 0;
		if (pthread_create(&id, NULL, thread, NULL))
			wrong("pthread_create");
		while (!running)
			;
		at.tv_nsec = rnd(&seed) % 300000;
		nanosleep(&at, NULL);
		pthread_cancel(id);
		pthread_join(id, NULL);
	}
	afterwards();
	say("allocations", allocations);
	say("frees", frees);
	say("cancelled", n);
	return 0;
}
