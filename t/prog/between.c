/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * between: prints `ready`, waits for a line on stdin, allocates in four threads
 * and counts what it does, prints that, waits for another line. It calls malloc
 * and free through pointers that it took at its start, too, and from within
 * libc.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *(*volatile taken_malloc)(size_t);
static void (*volatile taken_free)(void *);
static _Atomic unsigned long allocations, frees, bytes;

static void *
got(void *p, size_t size)
{
	allocations++;
	bytes += size;
	return p;
}

static void
drop(void *p)
{
	frees++;
	free(p);
}

static void *
work(void *arg)
{
	for (unsigned i = 0; i < 2000; i++) {
		void *p = got(malloc(i), i), *q = got(taken_malloc(7), 7);
		void *r;

		frees++;
		taken_free(q);
		p = got(realloc(p, i + 100), i + 100);
		frees++; /* that the realloc is */
		drop(p);
		drop(got(calloc(3, i + 1), 3 * (i + 1)));
		drop(got(strdup("twelve bytes"), 13));
		drop(got(aligned_alloc(64, 640), 640));
		drop(got(memalign(256, 100), 100));
		drop(got(valloc(10), 10));
		drop(got(pvalloc(20), 20));
		drop(got(reallocarray(NULL, 5, 9), 45));
		if (posix_memalign(&r, 32, 33) == 0)
			drop(got(r, 33));
	}
	return NULL;
}

static void
wait_for_line(void)
{
	char c;

	while (read(0, &c, 1) == 1 && c != '\n')
		;
}

/* Threads of the start: to make one allocates. */
static pthread_barrier_t barrier;

static void *
thread(void *arg)
{
	pthread_barrier_wait(&barrier);
	work(arg);
	pthread_barrier_wait(&barrier);
	return NULL;
}

int
main(int argc, char *argv[])
{
	pthread_t t[3];

	taken_malloc = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "malloc");
	taken_free = (void (*)(void *))dlsym(RTLD_DEFAULT, "free");
	pthread_barrier_init(&barrier, NULL, 4);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, thread, NULL);
	printf("ready\n");
	fflush(stdout);
	wait_for_line();
	pthread_barrier_wait(&barrier);
	work(NULL);
	pthread_barrier_wait(&barrier);
	printf("allocations %lu\nfrees %lu\ntotal_bytes %lu\ndone\n",
	    allocations, frees, bytes);
	fflush(stdout);
	wait_for_line();
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	printf("ok\n");
	return 0;
}
