/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Blocks of many sizes by every way to have one, with what the allocator says
 * of them: the program's own sums, as `<name> <asked for> <usable>`, at the
 * peak, at the end, and at the peak of each function. With an argument it first
 * waits until malloc is hooked where it is.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hooked.h"

#define BLOCKS 600

static struct {
	void *p;
	size_t size;
} block[BLOCKS];

static void
tell(const char *name, int from, int to)
{
	size_t size = 0, usable = 0;
	char line[100];

	for (int i = from; i < to; i++) {
		size += block[i].size;
		usable += malloc_usable_size(block[i].p);
	}
	/* Not by stdio, which would allocate. */
	if (write(1, line,
		(size_t)snprintf(
		    line, sizeof line, "%s %zu %zu\n", name, size, usable)) < 0)
		exit(1);
}

static __attribute__((noinline)) void
keep(int i, void *p, size_t size)
{
	if (!p)
		exit(1);
	memset(p, 1, size);
	block[i].p = p;
	block[i].size = size;
}

static __attribute__((noinline)) void
small(void)
{
	for (int i = 0; i < BLOCKS / 2; i++)
		keep(i, malloc((size_t)i % 70), (size_t)i % 70);
}

static __attribute__((noinline)) void
large(void)
{
	for (int i = BLOCKS / 2; i < BLOCKS; i++) {
		size_t size = (size_t)i * 37;

		switch (i % 4) {
		case 0:
			keep(i, calloc(37, (size_t)i), size);
			break;
		case 1:
			keep(i, realloc(malloc(10), size), size);
			break;
		case 2:
			keep(i, aligned_alloc(256, size), size);
			break;
		default:
			keep(i, malloc(size), size);
			break;
		}
	}
	/* Its own maps, and what the 24 bits of a record do not hold. */
	free(block[BLOCKS - 1].p);
	keep(BLOCKS - 1, malloc(40000001), 40000001);
}

int
main(int argc, char *argv[])
{
	(void)argv;
	if (argc > 1)
		wait_for_hook("malloc");
	small();
	large();
	tell("peak", 0, BLOCKS);
	tell("small", 0, BLOCKS / 2);
	tell("large", BLOCKS / 2, BLOCKS);
	for (int i = 100; i < BLOCKS; i++)
		free(block[i].p);
	tell("end", 0, 100);
	return 0;
}
