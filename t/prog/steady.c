/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * steady THREADS [SECONDS]: allocates in that many threads as fast as it can,
 * until SIGTERM or for so long. Each thread keeps some blocks, fills them, and
 * looks whether they are still as it left them. Prints `ready`, at the end how
 * many calls of each kind it made, and `ok`.
 */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT 64

static volatile sig_atomic_t stop;
static _Atomic unsigned long calls;

static void
on_term(int sig)
{
	stop = 1;
}

static void
check(const unsigned char *p, size_t size, unsigned char c)
{
	for (size_t i = 0; i<size; i += size> 64 ? 61 : 1)
		if (p[i] != c) {
			printf("block %p of %zu is damaged\n", p, size);
			fflush(stdout);
			abort();
		}
}

static void *
get(unsigned how, size_t size)
{
	void *p = NULL;

	switch (how % 8) {
	case 0:
		return calloc(1, size);
	case 1:
		return realloc(NULL, size);
	case 2:
		return posix_memalign(&p, 64, size) ? NULL : p;
	case 3:
		return aligned_alloc(32, (size + 31) & ~31ul);
	case 4:
		return memalign(128, size);
	case 5:
		return reallocarray(NULL, 1, size);
	default:
		return malloc(size);
	}
}

static void *
work(void *arg)
{
	uint64_t seed = (uintptr_t)arg * 77777 + 1;
	unsigned char *p[KEPT] = {0};
	size_t size[KEPT] = {0};
	unsigned long n = 0;

	while (!stop) {
		unsigned i;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		i = seed >> 33 & (KEPT - 1);
		if (!p[i]) {
			size[i] = 1 + (seed >> 40 & 511);
			p[i] = get(seed >> 50, size[i]);
			memset(p[i], (int)i, size[i]);
		} else if (seed >> 60 < 4) {
			size_t more = 1 + (seed >> 40 & 1023);

			check(p[i], size[i], i);
			p[i] = realloc(p[i], more);
			check(p[i], size[i] < more ? size[i] : more, i);
			size[i] = more;
			memset(p[i], (int)i, size[i]);
		} else {
			check(p[i], size[i], i);
			free(p[i]);
			p[i] = NULL;
		}
		n++;
	}
	for (unsigned i = 0; i < KEPT; i++)
		free(p[i]);
	calls += n;
	return NULL;
}

int
main(int argc, char *argv[])
{
	unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
	pthread_t t[1000];

	signal(SIGTERM, on_term);
	signal(SIGALRM, on_term);
	for (unsigned i = 1; i < n; i++)
		pthread_create(&t[i], NULL, work, (void *)(uintptr_t)i);
	printf("ready\n");
	fflush(stdout);
	if (argc > 2)
		alarm((unsigned)atoi(argv[2]));
	work(NULL);
	for (unsigned i = 1; i < n; i++)
		pthread_join(t[i], NULL);
	printf("%lu calls\nok\n", calls);
	return 0;
}
