/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * jump [TIMES]: a timer's handler leaves whatever it interrupted by siglongjmp:
 * the loop, a hook, or the allocator, which must allow it (preload bump).
 * Says what it completed and how often it jumped: each jump may have cut one
 * call off after it was recorded.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

#include "truth.h"

static sigjmp_buf env;
static volatile unsigned long long allocations, frees;
static volatile int jumps;
static void *volatile kept;

static void
on_timer(int sig)
{
	siglongjmp(env, 1);
}

static const struct itimerval tick = {{0, 300}, {0, 300}};

static FRAME void
loop(int times)
{
	void *volatile p;

	/* The rest of what a jump interrupted is never run. */
	if (sigsetjmp(env, 1))
		jumps++;
	else
		setitimer(ITIMER_REAL, &tick, NULL);
	while (jumps < times) {
		p = malloc(40);
		allocations++;
		free(p);
		frees++;
	}
}

static FRAME void
afterwards(void)
{
	for (int i = 0; i < 1000; i++)
		kept = malloc(i);
}

int
main(int argc, char **argv)
{
	struct itimerval off = {0};

	signal(SIGALRM, on_timer);
	loop(argc > 1 ? atoi(argv[1]) : 500);
	setitimer(ITIMER_REAL, &off, NULL);
	afterwards();
	say("allocations", allocations);
	say("frees", frees);
	say("jumps", jumps);
	return 0;
}
