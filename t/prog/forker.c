/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes children in every way there is while its threads allocate. What
 * `child` does happens in children only: it must not be in the trace.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "truth.h"

#ifdef __GLIBC__
#if !__GLIBC_PREREQ(2, 34)
#define _Fork() syscall(SYS_fork)
#endif
#endif

#define THREADS 4
#define ROUNDS	10

extern char **environ;
static _Atomic int stop;
static struct truth busy_truth[THREADS], parent_truth;
static pthread_barrier_t gate;

static FRAME void
busy(struct truth *t)
{
	uint64_t seed = (uintptr_t)t | 1;
	void *block[32] = {0};

	/* Each thread has its arena before anybody forks. */
	block[0] = malloc(10);
	t->allocations++;
	t->bytes += 10;
	pthread_barrier_wait(&gate);
	while (!stop) {
		uint32_t r = rnd(&seed);
		void **b = &block[r % 32];

		if (*b) {
			free(*b);
			t->frees++;
			*b = NULL;
		} else {
			*b = malloc((r >> 8) % 100);
			t->allocations++;
			t->bytes += (r >> 8) % 100;
		}
		for (volatile int i = 0; i < 100; i++)
			;
	}
}

static void *
thread(void *arg)
{
	busy(arg);
	return NULL;
}

static FRAME void
child(void)
{
	for (int i = 0; i < 1000; i++) {
		void *volatile p = malloc(i);

		if (!p)
			_exit(1);
		if (i % 2)
			free(p);
	}
}

static FRAME void
parent(void)
{
	for (int i = 0; i < 100; i++) {
		void *volatile p = malloc(1000 + i);

		parent_truth.allocations++;
		parent_truth.bytes += 1000 + i;
		if (i % 2) {
			free(p);
			parent_truth.frees++;
		}
	}
}

static void
reap(pid_t pid, const char *what)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, __WALL) != pid || status)
		wrong(what);
}

int
main(void)
{
	static char *argv[] = {"/bin/true", NULL};
	pthread_t id[THREADS];
	struct truth all = {0};
	pid_t pid;

	pthread_barrier_init(&gate, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&id[i], NULL, thread, &busy_truth[i]))
			wrong("pthread_create");
	pthread_barrier_wait(&gate);
	for (int i = 0; i < ROUNDS; i++) {
		if (!(pid = fork())) {
			child();
			exit(0);
		}
		parent();
		reap(pid, "fork");
		if (!(pid = fork())) {
			child();
			if (!(pid = fork())) {
				child();
				_exit(0);
			}
			reap(pid, "grandchild");
			_exit(0);
		}
		reap(pid, "fork");
		parent();
		if (!(pid = _Fork())) {
			child();
			_exit(0);
		}
		parent();
		reap(pid, "_Fork");
		if (!(pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))) {
			child();
			_exit(0);
		}
		parent();
		reap(pid, "clone");
		if (!(pid = vfork())) {
			execv(argv[0], argv);
			_exit(1);
		}
		parent();
		reap(pid, "vfork");
		if (!(pid = vfork()))
			_exit(0);
		reap(pid, "vfork, exit");
		if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ))
			wrong("posix_spawn");
		parent();
		reap(pid, "posix_spawn");
	}
	stop = 1;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(id[i], NULL);
		all.allocations += busy_truth[i].allocations;
		all.frees += busy_truth[i].frees;
		all.bytes += busy_truth[i].bytes;
	}
	say_truth("busy", &all);
	say_truth("parent", &parent_truth);
	return 0;
}
