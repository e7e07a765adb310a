/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Allocates in signal handlers that run on a stack of their own: for signals
 * it sends itself, for faults, and for timers that interrupt what is between
 * the allocations (never the libc's malloc, where that is not allowed).
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "truth.h"

static struct truth raised, fault, timer, after;
static void *volatile kept;
static char *page;
static volatile long spins;

static FRAME void
on_raise(int sig)
{
	kept = malloc(100);
	raised.allocations++;
	raised.bytes += 100;
}

static FRAME void
on_fault(int sig, siginfo_t *info, void *context)
{
	kept = malloc(200);
	free(kept);
	fault.allocations++;
	fault.frees++;
	fault.bytes += 200;
	if (mprotect(page, 4096, PROT_READ | PROT_WRITE))
		wrong("mprotect");
}

static FRAME void
on_timer(int sig)
{
	kept = malloc(300);
	free(kept);
	timer.allocations++;
	timer.frees++;
	timer.bytes += 300;
}

static FRAME void
spin(void)
{
	/* Leaves no frame half made: a loop, no call. */
	while (*(volatile unsigned long long *)&timer.allocations < 50)
		spins++;
}

static FRAME void
touch(void)
{
	for (int i = 0; i < 10; i++) {
		if (mprotect(page, 4096, PROT_NONE))
			wrong("mprotect");
		*(volatile char *)page = 1;
	}
}

static FRAME void
afterwards(void)
{
	kept = malloc(400);
	after.allocations++;
	after.bytes += 400;
}

int
main(void)
{
	static char stack[65536];
	stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
	struct sigaction a = {.sa_flags = SA_ONSTACK};
	struct itimerval tick = {{0, 1000}, {0, 1000}}, off = {0};

	if (sigaltstack(&alt, NULL))
		wrong("sigaltstack");
	a.sa_handler = on_raise;
	sigaction(SIGUSR1, &a, NULL);
	a.sa_handler = on_timer;
	sigaction(SIGALRM, &a, NULL);
	a.sa_sigaction = on_fault;
	a.sa_flags |= SA_SIGINFO;
	sigaction(SIGSEGV, &a, NULL);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < 20; i++) {
		raise(SIGUSR1);
		afterwards();
	}
	touch();
	afterwards();
	setitimer(ITIMER_REAL, &tick, NULL);
	spin();
	setitimer(ITIMER_REAL, &off, NULL);
	afterwards();
	say_truth("on_raise", &raised);
	say_truth("on_fault", &fault);
	say_truth("on_timer", &timer);
	say_truth("afterwards", &after);
	return 0;
}
