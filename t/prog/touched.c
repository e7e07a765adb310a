/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory of which it is known how much is resident: a block of the heap, and
 * maps of which some is touched: one in part, one in every other page, parts
 * of one that the kernel has joined with its neighbour, and none of one that is
 * huge. Prints `<name> <bytes>`, and ends with its stdin. Until then it has
 * events for the recorder to write.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MB   (1UL << 20)
#define PAGE 4096UL

static char *
map(void *at, size_t size, int prot, int flags)
{
	char *p = mmap(at, size, prot,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	/* Whole huge pages would be more than was touched. */
	madvise(p, size, MADV_NOHUGEPAGE);
	return p;
}

int
main(void)
{
	size_t heap = 10 * MB, maps = 0;
	char *block = malloc(heap), *p, byte;
	void *volatile kept; /* or the compiler leaves both out */
	struct pollfd end = {.fd = 0, .events = POLLIN};

	memset(block, 1, heap);
	p = map(NULL, 100 * MB, PROT_READ | PROT_WRITE, 0);
	memset(p, 1, 7 * MB);
	maps += 7 * MB;
	p = map(NULL, 8 * MB, PROT_READ | PROT_WRITE, 0);
	for (size_t at = 0; at < 8 * MB; at += 2 * PAGE)
		p[at] = 1;
	maps += 4 * MB;
	munmap(p + 6 * MB, 2 * MB);
	maps -= MB;
	map(NULL, 1UL << 40, PROT_NONE, 0);
	printf("heap %zu\nmaps %zu\npages %zx\n", heap, maps, maps / PAGE);
	fflush(stdout);
	while (poll(&end, 1, 1) == 0)
		for (int i = 0; i < 100; i++)
			free(kept = malloc(1 + (size_t)i));
	return read(0, &byte, 1) < 0;
}
