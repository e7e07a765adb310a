/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * killme FILE THREADS MICROSECONDS WAY: counts its own completed calls in FILE,
 * which survives it, and ends after so many microseconds by SIGKILL (kill),
 * abort, _exit (exit), or a segfault (segv); `wait` waits to be killed, `end`
 * joins and returns.
 *
 * FILE: one pair of 64-bit words for each thread, allocations and frees.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "truth.h"

#define THREADS_MAX 64

struct count {
	_Atomic uint64_t allocations, frees;
	char apart[48];
};

static struct count *count;
static _Atomic int stop;

static inline void
done(_Atomic uint64_t *n)
{
	/* Only this thread writes it. */
	atomic_store_explicit(n,
	    atomic_load_explicit(n, memory_order_relaxed) + 1,
	    memory_order_release);
}

static FRAME void
work(struct count *c, uint64_t seed)
{
	void *block[64] = {0};

	while (!stop) {
		uint32_t r = rnd(&seed);
		void **b = &block[r % 64];
		size_t size = 1 + (r >> 8) % 500;

		if (!*b) {
			*b = malloc(size);
			done(&c->allocations);
		} else if (r >> 28 < 4) {
			*b = realloc(*b, size);
			done(&c->frees);
			done(&c->allocations);
		} else {
			free(*b);
			done(&c->frees);
			*b = NULL;
		}
		for (volatile int i = 0; i < 200; i++)
			;
	}
}

static void *
thread(void *arg)
{
	work(arg, (uintptr_t)arg * UINT64_C(0x9e3779b97f4a7c15) | 1);
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t id[THREADS_MAX];
	struct rlimit none = {0, 0};
	int fd, n = argc > 2 ? atoi(argv[2]) : 0;
	long us = argc > 3 ? atol(argv[3]) : 0;
	const char *way = argc > 4 ? argv[4] : "";
	struct timespec at;

	if (n < 1 || n > THREADS_MAX)
		wrong("usage: killme FILE THREADS MICROSECONDS WAY");
	setrlimit(RLIMIT_CORE, &none);
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0666);
	if (fd < 0 || ftruncate(fd, THREADS_MAX * sizeof *count))
		wrong(argv[1]);
	count = mmap(NULL, THREADS_MAX * sizeof *count, PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	if (count == MAP_FAILED)
		wrong("mmap");
	close(fd);
	for (int i = 0; i < n; i++)
		if (pthread_create(&id[i], NULL, thread, &count[i]))
			wrong("pthread_create");
	at.tv_sec = us / 1000000;
	at.tv_nsec = us % 1000000 * 1000;
	nanosleep(&at, NULL);
	if (!strcmp(way, "kill"))
		kill(getpid(), SIGKILL);
	else if (!strcmp(way, "abort"))
		abort();
	else if (!strcmp(way, "exit"))
		_exit(7);
	else if (!strcmp(way, "segv"))
		*(volatile int *)8 = 1;
	else if (!strcmp(way, "wait"))
		for (;;)
			pause();
	stop = 1;
	for (int i = 0; i < n; i++)
		pthread_join(id[i], NULL);
	return 0;
}
