/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nursery [N]: while three of its threads allocate it forks N children, one
 * after the other, each of which starts threads that allocate too. Says how
 * many blocks each child makes, and frees.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "truth.h"

#define OLD    3
#define YOUNG  10
#define BLOCKS 300

static atomic_bool over;

static FRAME void *
make(int size)
{
	return malloc(size);
}

static void *
old(void *arg)
{
	while (!over)
		free(make(50));
	return arg;
}

static void *
young(void *arg)
{
	for (int i = 0; i < BLOCKS; i++)
		free(make(i));
	return arg;
}

static void
start(pthread_t *id, int n, void *(*f)(void *))
{
	for (int i = 0; i < n; i++)
		if (pthread_create(&id[i], NULL, f, NULL))
			wrong("pthread_create");
}

static void
join(const pthread_t *id, int n)
{
	for (int i = 0; i < n; i++)
		pthread_join(id[i], NULL);
}

int
main(int argc, char **argv)
{
	pthread_t olds[OLD], youngs[YOUNG];
	int n = argc > 1 ? atoi(argv[1]) : 10, status;

	start(olds, OLD, old);
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (!pid) {
			start(youngs, YOUNG, young);
			join(youngs, YOUNG);
			_exit(7);
		}
		if (waitpid(pid, &status, 0) != pid || status != 7 << 8)
			wrong("a child");
	}
	over = true;
	join(olds, OLD);
	say("each", YOUNG * BLOCKS);
	return 0;
}
