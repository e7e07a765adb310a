/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registers: holds numbers in its registers, those of AVX too where there are,
 * below its stack pointer, and in the signal mask, and looks whether they are
 * still there, until SIGTERM. Prints `ready`, at the end `ok`.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static volatile sig_atomic_t stop;

static void
on_term(int sig)
{
	(void)sig;
	stop = 1;
}

struct held {
	uint64_t general[8]; /* r8 to r15 */
	uint64_t red;	     /* in the red zone */
	uint8_t vector[32];  /* ymm7, or half of it */
};

#define HOLD(load, save)                                                       \
	__asm__ volatile("mov $0x1008, %%r8\n\tmov $0x1009, %%r9\n\t"          \
			 "mov $0x100a, %%r10\n\tmov $0x100b, %%r11\n\t"        \
			 "mov $0x100c, %%r12\n\tmov $0x100d, %%r13\n\t"        \
			 "mov $0x100e, %%r14\n\tmov $0x100f, %%r15\n\t"        \
			 "movq $0x1010, -128(%%rsp)\n\t" load "\n\t"           \
			 "mov $20000000, %%ecx\n"                              \
			 "1:\n\tdec %%ecx\n\tjnz 1b\n\t" save "\n\t"           \
			 "mov %%r8, (%0)\n\tmov %%r9, 8(%0)\n\t"               \
			 "mov %%r10, 16(%0)\n\tmov %%r11, 24(%0)\n\t"          \
			 "mov %%r12, 32(%0)\n\tmov %%r13, 40(%0)\n\t"          \
			 "mov %%r14, 48(%0)\n\tmov %%r15, 56(%0)\n\t"          \
			 "mov -128(%%rsp), %%rcx\n\tmov %%rcx, 64(%0)"         \
			 :                                                     \
			 : "a"(h), "d"(pattern)                                \
			 : "rcx", "r8", "r9", "r10", "r11", "r12", "r13",      \
			 "r14", "r15", "xmm7", "memory")

static void
hold(struct held *h, const uint8_t *pattern, int avx)
{
	if (avx)
		HOLD("vmovdqu (%1), %%ymm7", "vmovdqu %%ymm7, 72(%0)");
	else
		HOLD("movdqu (%1), %%xmm7", "movdqu %%xmm7, 72(%0)");
}

static int
is_as_it_was(const struct held *h, const uint8_t *pattern, int avx)
{
	sigset_t blocked;

	for (unsigned i = 0; i < 8; i++)
		if (h->general[i] != 0x1008 + i)
			return 0;
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	return h->red == 0x1010 &&
	       memcmp(h->vector, pattern, avx ? 32 : 16) == 0 &&
	       sigismember(&blocked, SIGUSR2) &&
	       !sigismember(&blocked, SIGUSR1);
}

int
main(void)
{
	int avx = __builtin_cpu_supports("avx");
	uint8_t pattern[32];
	struct held h;
	sigset_t s;

	for (unsigned i = 0; i < sizeof pattern; i++)
		pattern[i] = (uint8_t)(17 * i + 3);
	sigemptyset(&s);
	sigaddset(&s, SIGUSR2);
	sigprocmask(SIG_SETMASK, &s, NULL);
	signal(SIGTERM, on_term);
	printf("ready\n");
	fflush(stdout);
	while (!stop) {
		hold(&h, pattern, avx);
		if (!is_as_it_was(&h, pattern, avx)) {
			printf("a register has changed\n");
			return 1;
		}
	}
	printf("ok\n");
	return 0;
}
