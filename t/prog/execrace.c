/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * execrace TIMES [MS]: execs itself so many times while eight threads
 * allocate; each image lives so long. The last one says what it did itself.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "truth.h"

static struct truth t;
static _Atomic int running;

static FRAME void
loop(void)
{
	for (;;) {
		void *volatile p = malloc(40);

		free(p);
		/* What is written is read again by the test. */
		for (volatile int i = 0; i < 300; i++)
			;
	}
}

static void *
thread(void *arg)
{
	running++;
	loop();
	return NULL;
}

static FRAME void
last(void)
{
	for (int i = 0; i < 1000; i++) {
		void *volatile p = malloc(i);

		t.allocations++;
		t.bytes += i;
		if (i % 2) {
			free(p);
			t.frees++;
		}
	}
}

int
main(int argc, char **argv)
{
	int left = argc > 1 ? atoi(argv[1]) : 5;
	int ms = argc > 2 ? atoi(argv[2]) : 3;
	struct timespec at = {0, ms * 1000000};
	char text[20], ms_text[20];
	char *args[] = {argv[0], text, ms_text, NULL};

	if (left == 0) {
		last();
		say_truth("last", &t);
		return 0;
	}
	for (int i = 0; i < 8; i++) {
		pthread_t id;

		if (pthread_create(&id, NULL, thread, NULL))
			wrong("pthread_create");
	}
	while (running < 8)
		;
	nanosleep(&at, NULL);
	snprintf(text, sizeof text, "%d", left - 1);
	snprintf(ms_text, sizeof ms_text, "%d", ms);
	/* One that fails first: recording goes on. */
	execv("/nonexistent/program", args);
	execv("/proc/self/exe", args);
	wrong("exec");
}
