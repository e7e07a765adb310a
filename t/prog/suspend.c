/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * suspend [THREADS [CALLS]]: a collector's suspend signal stops threads for
 * ever, wherever they are, the recorder's hook included; the others and main
 * go on for many times the ring's size (preload bump: a stopped thread must
 * not hold the allocator's lock).
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "truth.h"

#define THREADS_MAX 100

static struct {
	volatile unsigned long long allocations, frees;
	char apart[48];
} done[THREADS_MAX];
static _Atomic int stopped, running;
static struct truth after;

static void
on_suspend(int sig)
{
	sigset_t all;

	sigfillset(&all);
	stopped++;
	for (;;)
		sigsuspend(&all);
}

static FRAME void
loop(int i)
{
	void *volatile p;

	for (;;) {
		p = malloc(40);
		done[i].allocations++;
		free(p);
		done[i].frees++;
	}
}

static void *
thread(void *arg)
{
	running++;
	loop((intptr_t)arg);
	return NULL;
}

static FRAME void
afterwards(int calls)
{
	for (int i = 0; i < calls; i++) {
		void *volatile p = malloc(i % 100);

		after.allocations++;
		after.bytes += i % 100;
		if (i % 4) {
			free(p);
			after.frees++;
		}
	}
}

int
main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 30;
	int calls = argc > 2 ? atoi(argv[2]) : 300000;
	struct truth all = {0};
	uint64_t seed = 4711;

	if (n > THREADS_MAX)
		wrong("usage: suspend [THREADS [CALLS]]");
	signal(SIGUSR2, on_suspend);
	for (int i = 0; i < n; i++) {
		pthread_t id;
		struct timespec at = {0};

		if (pthread_create(&id, NULL, thread, (void *)(intptr_t)i))
			wrong("pthread_create");
		while (running <= i)
			sched_yield();
		at.tv_nsec = rnd(&seed) % 1000000;
		nanosleep(&at, NULL);
		pthread_kill(id, SIGUSR2);
		while (stopped <= i)
			sched_yield();
	}
	afterwards(calls);
	for (int i = 0; i < n; i++) {
		all.allocations += done[i].allocations;
		all.frees += done[i].frees;
	}
	all.bytes = all.allocations * 40;
	say_truth("loop", &all);
	say_truth("afterwards", &after);
	say("suspended", n);
	_exit(0);
}
