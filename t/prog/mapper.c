/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Maps in every way: whole and in part, over each other, moved, grown, refused,
 * by many threads that race for the same addresses; and the break. malloc is
 * not called, and no call is the libc's own: so what strace sees between the
 * two markers, getppid, is all there is. Arguments: seed, steps, threads; one
 * more, and it first waits to be attached to.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hooked.h"

#define PAGE  4096UL
#define SLOTS 64

struct one {
	char *p;
	size_t pages;
	int mixed; /* more than one map, for mremap */
};

static struct random {
	unsigned seed;
} first;
static int steps;
static pthread_barrier_t go;

static unsigned
below(struct random *r, unsigned n)
{
	r->seed = r->seed * 1103515245u + 12345u;
	return (r->seed >> 8) % n;
}

static __attribute__((noinline)) void
map_one(struct random *r, struct one *o)
{
	o->pages = 1 + below(r, 20);
	o->mixed = 0;
	/* Not whole pages are rounded up. */
	o->p = mmap(NULL, o->pages * PAGE - below(r, 2) * 100,
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (o->p == MAP_FAILED)
		exit(1);
	memset(o->p, 1, PAGE);
}

static __attribute__((noinline)) void
unmap_part(struct random *r, struct one *o)
{
	size_t from = below(r, (unsigned)o->pages);
	size_t n = 1 + below(r, (unsigned)(o->pages - from));

	munmap(o->p + from * PAGE, n * PAGE);
	if (from == 0) {
		o->p += n * PAGE;
		o->pages -= n;
	} else {
		/* What is behind a hole is left behind. */
		o->pages = from;
	}
	if (o->pages == 0)
		o->p = NULL;
}

static __attribute__((noinline)) void
move_one(struct random *r, struct one *o)
{
	size_t pages = 1 + below(r, 30);
	char *p;

	if (o->mixed)
		return;
	p = mremap(o->p, o->pages * PAGE, pages * PAGE, MREMAP_MAYMOVE);

	if (p == MAP_FAILED)
		exit(2);
	o->p = p;
	o->pages = pages;
}

static __attribute__((noinline)) void
map_over(struct random *r, struct one *o)
{
	size_t from = below(r, (unsigned)o->pages);

	if (mmap(o->p + from * PAGE, PAGE, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		exit(3);
	o->mixed = 1;
	/* A hole for whoever moves: */
	if (below(r, 2))
		munmap(o->p, o->pages * PAGE), o->p = NULL;
}

static void
fail(struct one *o)
{
	munmap(o->p + 1, PAGE);
	mremap(o->p, PAGE, 1UL << 60, 0);
	mmap(o->p, 1UL << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mmap(o->p, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, -1, 0);
}

static void *
work(void *arg)
{
	struct one one[SLOTS] = {{0}};
	struct random *r = arg;

	if (r != &first)
		pthread_barrier_wait(&go);
	for (int i = 0; i < steps; i++) {
		struct one *o = &one[below(r, SLOTS)];

		if (!o->p)
			map_one(r, o);
		else if (below(r, 8) == 0)
			fail(o);
		else
			switch (below(r, 4)) {
			case 0:
				munmap(o->p, o->pages * PAGE);
				o->p = NULL;
				break;
			case 1:
				unmap_part(r, o);
				break;
			case 2:
				move_one(r, o);
				break;
			default:
				map_over(r, o);
				break;
			}
	}
	return NULL;
}

static __attribute__((noinline)) void
break_up_and_down(void)
{
	char *was = sbrk(0);

	if (sbrk(100000) != was || sbrk(50000) == (void *)-1 ||
	    sbrk(-30000) == (void *)-1 || brk(was + 70000) || brk(was + 90000))
		exit(4);
}

int
main(int argc, char *argv[])
{
	int threads = argc > 3 ? atoi(argv[3]) : 0;
	struct random r[8] = {{0}};
	pthread_t t[8];

	if (argc < 3)
		return 2;
	first.seed = (unsigned)atoi(argv[1]);
	steps = atoi(argv[2]);
	if (argc > 4)
		wait_for_hook("munmap");
	pthread_barrier_init(&go, NULL, (unsigned)threads + 1);
	for (int i = 0; i < threads; i++) {
		r[i].seed = first.seed + (unsigned)i;
		if (pthread_create(&t[i], NULL, work, &r[i]))
			return 5;
	}
	syscall(SYS_getppid);
	if (threads)
		pthread_barrier_wait(&go);
	else
		work(&first);
	for (int i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	break_up_and_down();
	syscall(SYS_getppid);
	return 0;
}
