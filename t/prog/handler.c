/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handler [alt]: a timer's handler allocates wherever it interrupts the loop,
 * inside the allocator and the recorder's hooks too (preload bump, which
 * allows it); with `alt` on a stack of its own.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/time.h>

#include "truth.h"

static struct truth loop_truth, handler_truth;
static volatile int ticks;

static FRAME void
on_timer(int sig)
{
	void *volatile p = malloc(300);
	void *volatile q = malloc(301);

	free(p);
	p = realloc(q, 302);
	free(p);
	handler_truth.allocations += 3;
	handler_truth.frees += 3;
	handler_truth.bytes += 903;
	ticks++;
}

static FRAME void
loop(void)
{
	while (ticks < 500) {
		void *volatile p = malloc(40);

		p = realloc(p, 50);
		free(p);
		loop_truth.allocations += 2;
		loop_truth.frees += 2;
		loop_truth.bytes += 90;
	}
}

int
main(int argc, char **argv)
{
	static char stack[65536];
	stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
	struct sigaction a = {.sa_handler = on_timer};
	struct itimerval tick = {{0, 300}, {0, 300}}, off = {0};

	if (argc > 1) {
		if (sigaltstack(&alt, NULL))
			wrong("sigaltstack");
		a.sa_flags = SA_ONSTACK;
	}
	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &tick, NULL);
	loop();
	setitimer(ITIMER_REAL, &off, NULL);
	say_truth("loop", &loop_truth);
	say_truth("on_timer", &handler_truth);
	return 0;
}
