/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * step [fresh] [alt] [jump] [EVERY]: a signal at each instruction of malloc,
 * free and realloc, as the program sees them: the recorder's hook included.
 * A child traces us. It steps through a call once. Then, for each EVERYth
 * instruction of those (1), it takes another such call there and sends the
 * signal, whose handler allocates too (preload bump, which allows it).
 *
 *   fresh  each call from a stack that was never seen before; otherwise each
 *          is the second from the same one
 *   alt    the handler runs on a stack of its own
 *   jump   the handler leaves by siglongjmp: each jump may have cut one call
 *          off after it was recorded
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "truth.h"

#define DEPTH 14 /* 1 << DEPTH stacks to be had with `fresh` */
#define TRIES 3	 /* calls differ: in so many one must come to k */
#define STEPS 200000

enum call { MALLOC, FREE, REALLOC, CALLS };
static const char *const name[] = {"malloc", "free", "realloc"};

enum where { AFTER, BEFORE, INSIDE };
enum order { STEP_THROUGH, SIGNAL };

/* The tracer sees it too. */
static struct {
	volatile enum where where; /* is the call */
	volatile enum order order;
	volatile long k; /* the instruction for the signal */
	volatile bool ready, done;
	volatile bool late; /* let the recorder's clock tick before the call */
	volatile long length; /* instructions of the call stepped through */
	volatile unsigned long long signals;
} * shared;

static struct truth call_truth, handler_truth, after_truth;
static volatile unsigned long long signals;
static bool fresh, alt, jump;
static volatile int turn; /* the second is traced */
static sigjmp_buf env;
static void *volatile kept;

/* ---- the tracer ------------------------------------------------------- */

/* A call's instructions: where, and how many before were at the same place. */
static struct {
	unsigned long pc;
	long again;
} step[STEPS];

/* The next stop of the program by a trap; other signals are its own. */
static void
resume(pid_t pid, int request, long sig)
{
	int status;

	for (;;) {
		if (ptrace(request, pid, 0, sig) == -1 ||
		    waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
			_exit(0);
		if (WSTOPSIG(status) == SIGTRAP)
			return;
		sig = WSTOPSIG(status);
	}
}

static unsigned long
pc_of(pid_t pid)
{
	return ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), 0);
}

static void
step_through(pid_t pid)
{
	long n = 0;

	for (;;) {
		long i;

		resume(pid, PTRACE_SINGLESTEP, 0);
		if (shared->where == AFTER)
			break;
		if (n == STEPS)
			wrong("a call without end");
		step[n].pc = pc_of(pid);
		for (i = n - 1; i >= 0; i--)
			if (step[i].pc == step[n].pc)
				break;
		step[n].again = i >= 0 ? step[i].again + 1 : 0;
		n++;
	}
	shared->length = n;
}

/* The first of the processor's breakpoints; 0: none. */
static void
break_at(pid_t pid, unsigned long pc)
{
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), 0);
	if (!pc)
		return;
	if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]),
		pc) == -1 ||
	    ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]),
		1) == -1)
		wrong("no breakpoint");
}

/* Takes the program to the k-th instruction: on by a breakpoint as far as that
 * is quicker, then by steps. False: this call went another way. */
static bool
go_to(pid_t pid, long k)
{
	long from = k;

	for (long i = k; i >= 0 && k - i < step[from].again + k - from; i--)
		if (step[i].again + k - i < step[from].again + k - from)
			from = i;
	if (shared->late)
		usleep(12000);
	break_at(pid, step[from].pc);
	for (long n = step[from].again; n >= 0; n--) {
		resume(pid, PTRACE_CONT, 0);
		if (shared->where == AFTER)
			break;
	}
	break_at(pid, 0);
	while (from++ < k && shared->where != AFTER)
		resume(pid, PTRACE_SINGLESTEP, 0);
	return shared->where != AFTER && pc_of(pid) == step[k].pc;
}

static void
trace(pid_t pid)
{
	long sig = 0;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) == -1)
		wrong("ptrace");
	shared->ready = true;
	/* The program is running: as if it had been resumed. */
	for (resume(pid, PTRACE_INTERRUPT, 0);;
	     resume(pid, PTRACE_CONT, sig), sig = 0) {
		if (shared->where != BEFORE)
			continue;
		if (shared->order == STEP_THROUGH) {
			step_through(pid);
		} else if (go_to(pid, shared->k)) {
			sig = SIGUSR1;
			shared->signals++;
			shared->done = true;
		}
	}
}

static void
start_tracer(void)
{
	cpu_set_t one;
	pid_t pid = getpid(), child;

	/* Stepping is a conversation: twice as fast on one processor. */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof one, &one);
	child = fork();
	if (child == -1)
		wrong("fork");
	if (child == 0)
		trace(pid);
	prctl(PR_SET_PTRACER, child);
	while (!shared->ready)
		if (waitpid(child, NULL, WNOHANG))
			wrong("no tracer");
}

/* ---- the program ------------------------------------------------------ */

static FRAME void
on_signal(int sig)
{
	void *volatile p = malloc(300);
	void *volatile q = malloc(301);

	free(p);
	p = realloc(q, 302);
	free(p);
	handler_truth.allocations += 3;
	handler_truth.frees += 3;
	handler_truth.bytes += 903;
	signals++;
	if (jump)
		siglongjmp(env, 1);
}

/* The tracer works from the first trap on, to the second. */
#define WINDOW(call)                                                           \
	do {                                                                   \
		shared->where = BEFORE;                                        \
		if (turn == 2)                                                 \
			__asm__ volatile("int3");                              \
		shared->where = INSIDE;                                        \
		call;                                                          \
		shared->where = AFTER;                                         \
		if (turn == 2)                                                 \
			__asm__ volatile("int3");                              \
	} while (0)

static FRAME void *
a_call(enum call c)
{
	void *volatile p, *volatile q = NULL;

	switch (c) {
	case MALLOC:
		WINDOW(p = malloc(40));
		break;
	case FREE:
		p = malloc(40);
		call_truth.allocations++;
		call_truth.bytes += 40;
		WINDOW(free(p));
		call_truth.frees++;
		return NULL;
	default:
		q = malloc(70);
		call_truth.allocations++;
		call_truth.bytes += 70;
		WINDOW(p = realloc(q, 40));
		call_truth.frees++;
	}
	call_truth.allocations++;
	call_truth.bytes += 40;
	return p;
}

static FRAME void
call_once(enum call c)
{
	void *p = a_call(c);

	if (p) {
		free(p);
		call_truth.frees++;
	}
}

/* One stack for each `way`; neighbours have most frames in common. */
static FRAME void
spell(enum call c, unsigned way, int depth)
{
	if (depth == 0) {
		call_once(c);
		return;
	}
	if (way >> (depth - 1) & 1) {
		spell(c, way, depth - 1);
		__asm__ volatile("nop");
	} else {
		spell(c, way, depth - 1);
		__asm__ volatile("nop; nop");
	}
}

static FRAME void
allocate_after(void)
{
	void *volatile p = malloc(1000);

	free(p);
	after_truth.allocations++;
	after_truth.frees++;
	after_truth.bytes += 1000;
}

/* A frame over what a jump left behind, nothing of it written. */
static FRAME void
allocate_below(void)
{
	char hole[4096];

	__asm__ volatile("" : : "r"(hole) : "memory");
	allocate_after();
	__asm__ volatile("" : : "r"(hole) : "memory");
}

static FRAME void
one_call(enum call c, enum order order)
{
	static unsigned way;

	shared->order = order;
	if (!jump || !sigsetjmp(env, 1)) {
		if (fresh) {
			turn = 2;
			spell(c, way++, DEPTH);
		} else {
			/* To the last register the same. */
			for (turn = 1; turn <= 2; turn++)
				call_once(c);
		}
	}
	allocate_below();
	allocate_after();
}

static long
each_instruction(enum call c, long every)
{
	long missed = 0;

	for (int i = 0; i < 3; i++)
		one_call(c, STEP_THROUGH);
	for (shared->k = 0; shared->k < shared->length; shared->k += every) {
		shared->done = false;
		for (int i = 0; i < TRIES && !shared->done; i++) {
			shared->late = i > 0 && !fresh;
			one_call(c, SIGNAL);
		}
		missed += !shared->done;
	}
	return missed;
}

int
main(int argc, char **argv)
{
	static char stack[65536];
	stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
	struct sigaction a = {.sa_handler = on_signal};
	long every = 1, missed = 0;

	for (int i = 1; i < argc; i++) {
		fresh |= !strcmp(argv[i], "fresh");
		alt |= !strcmp(argv[i], "alt");
		jump |= !strcmp(argv[i], "jump");
		if (atoi(argv[i]) > 0)
			every = atoi(argv[i]);
	}
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		wrong("mmap");
	if (alt) {
		if (sigaltstack(&other, NULL))
			wrong("sigaltstack");
		a.sa_flags = SA_ONSTACK;
	}
	sigaction(SIGUSR1, &a, NULL);
	start_tracer();
	for (enum call c = 0; c < CALLS; c++) {
		missed += each_instruction(c, every);
		say(name[c], shared->length);
	}
	if (signals != shared->signals)
		wrong("a signal did not come");
	say("signals", signals);
	say("missed", missed);
	say_truth("a_call", &call_truth);
	say_truth("on_signal", &handler_truth);
	say_truth("allocate_after", &after_truth);
	return 0;
}
