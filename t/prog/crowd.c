/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crowd [THREADS [AT-ONCE]]: threads that come and go and allocate from many
 * stacks. Says how much memory the process has in the end, in bytes.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>

#include "truth.h"

#define AT_ONCE_MAX 1000

/* One stack for each `way`. */
static FRAME void
spell(unsigned way, int depth)
{
	if (depth == 0) {
		void *volatile p = malloc(100);

		free(p);
	} else if (way >> (depth - 1) & 1) {
		spell(way, depth - 1);
		__asm__ volatile("nop");
	} else {
		spell(way, depth - 1);
		__asm__ volatile("nop; nop");
	}
}

static void *
thread(void *arg)
{
	for (unsigned way = 0; way < 64; way++)
		spell(way, 6);
	return NULL;
}

static unsigned long long
resident(void)
{
	char text[200];
	unsigned long long size, pages;
	int fd = open("/proc/self/statm", O_RDONLY);
	ssize_t n = read(fd, text, sizeof text - 1);

	if (n <= 0)
		wrong("statm");
	text[n] = '\0';
	close(fd);
	if (sscanf(text, "%llu %llu", &size, &pages) != 2)
		wrong("statm");
	return pages * sysconf(_SC_PAGESIZE);
}

int
main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1000;
	int at_once = argc > 2 ? atoi(argv[2]) : 50;
	static pthread_t id[AT_ONCE_MAX];

	if (at_once < 1 || at_once > AT_ONCE_MAX)
		wrong("usage: crowd [THREADS [AT-ONCE]]");
	while (n > 0) {
		int k, now = n < at_once ? n : at_once;

		for (k = 0; k < now; k++)
			if (pthread_create(&id[k], NULL, thread, NULL))
				wrong("pthread_create");
		for (k = 0; k < now; k++)
			pthread_join(id[k], NULL);
		n -= now;
	}
	say("resident", resident());
	return 0;
}
