/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vforker [TIMES]: a vfork child, which shares this memory, allocates until
 * another thread kills it wherever it is (preload bump). Its events are this
 * process's: it has not called exec.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

#include "truth.h"

static volatile unsigned long long allocations, frees;
static _Atomic int child_pid, finished;
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
killer(void *arg)
{
	uint64_t seed = 4711;

	while (!finished) {
		struct timespec at = {0};
		int pid;

		at.tv_nsec = 100000 + rnd(&seed) % 300000;
		nanosleep(&at, NULL);
		pid = atomic_exchange(&child_pid, 0);
		if (pid)
			kill(pid, SIGKILL);
	}
	return NULL;
}

static FRAME void
child(void)
{
	child_pid = getpid();
	loop();
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
	int times = argc > 1 ? atoi(argv[1]) : 100;
	pthread_t id;

	if (pthread_create(&id, NULL, killer, NULL))
		wrong("pthread_create");
	for (int i = 0; i < times; i++) {
		int status;
		pid_t pid = vfork();

		if (!pid) {
			child();
			_exit(1);
		}
		if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
			wrong("vfork");
	}
	finished = 1;
	pthread_join(id, NULL);
	afterwards();
	say("allocations", allocations);
	say("frees", frees);
	say("killed", times);
	return 0;
}
