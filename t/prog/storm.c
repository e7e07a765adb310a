/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * storm [THREADS [MS]]: each thread allocates in a loop, and has a timer of its
 * own, as fast as the kernel can, whose handler allocates too, wherever it
 * interrupts: inside the allocator and the recorder's hooks (preload bump,
 * which allows it). Every second thread's handler has a stack of its own. The
 * handler starts the timer anew, so that the loop too comes to run.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "truth.h"

#define THREADS_MAX 64
#define WAIT	    20000 /* ns */

struct work {
	struct truth loop, handler;
	unsigned long long ticks;
	timer_t timer;
	int number;
};

static struct work work[THREADS_MAX];
static __thread struct work *mine __attribute__((tls_model("initial-exec")));
static volatile int over;

static void
start(struct work *w)
{
	struct itimerspec once = {.it_value = {0, WAIT}};

	if (timer_settime(w->timer, 0, &once, NULL))
		wrong("timer");
}

static FRAME void
on_timer(int sig)
{
	struct work *w = mine;
	void *volatile p = malloc(300);
	void *volatile q = malloc(301);

	free(p);
	p = realloc(q, 302);
	free(p);
	w->handler.allocations += 3;
	w->handler.frees += 3;
	w->handler.bytes += 903;
	w->ticks++;
	if (!over)
		start(w);
}

static FRAME void
loop(struct work *w)
{
	while (!over) {
		void *volatile p = malloc(40);

		p = realloc(p, 50);
		free(p);
		w->loop.allocations += 2;
		w->loop.frees += 2;
		w->loop.bytes += 90;
		/* More time for signals than for the trace to grow. */
		for (volatile int i = 0; i < 1000; i++)
			;
	}
}

static void *
thread(void *arg)
{
	static char stacks[THREADS_MAX][65536];
	struct work *w = mine = arg;
	stack_t alt = {.ss_sp = stacks[w->number], .ss_size = 65536};
	struct sigevent to = {
	    .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};

	if (w->number % 2 && sigaltstack(&alt, NULL))
		wrong("sigaltstack");
	to._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &to, &w->timer))
		wrong("timer");
	start(w);
	loop(w);
	return NULL;
}

int
main(int argc, char **argv)
{
	struct sigaction a = {.sa_handler = on_timer, .sa_flags = SA_ONSTACK};
	int n = argc > 1 ? atoi(argv[1]) : 1;
	int ms = argc > 2 ? atoi(argv[2]) : 1000;
	struct timespec left = {ms / 1000, ms % 1000 * 1000000};
	pthread_t id[THREADS_MAX];
	struct work all = {0};

	if (n < 1 || n > THREADS_MAX)
		wrong("usage: storm [THREADS [MS]]");
	sigaction(SIGRTMIN, &a, NULL);
	for (int i = 0; i < n; i++) {
		work[i].number = i;
		if (pthread_create(&id[i], NULL, thread, &work[i]))
			wrong("pthread_create");
	}
	nanosleep(&left, NULL);
	over = 1;
	for (int i = 0; i < n; i++) {
		pthread_join(id[i], NULL);
		all.loop.allocations += work[i].loop.allocations;
		all.loop.frees += work[i].loop.frees;
		all.loop.bytes += work[i].loop.bytes;
		all.handler.allocations += work[i].handler.allocations;
		all.handler.frees += work[i].handler.frees;
		all.handler.bytes += work[i].handler.bytes;
		all.ticks += work[i].ticks;
	}
	say("signals", all.ticks);
	say_truth("loop", &all.loop);
	say_truth("on_timer", &all.handler);
	return 0;
}
