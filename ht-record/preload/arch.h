/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the stack walkers know about x86-64: DWARF register numbers (System V
 * ABI, AMD64 supplement, figure 3.36), the kernel's signal frame, how to take
 * the registers of the running function, and where its thread is.
 */
#ifndef HT_ARCH_H
#define HT_ARCH_H

#include <stdint.h>

enum {
	HT_REG_RBX = 3,
	HT_REG_RBP = 6,
	HT_REG_RSP = 7,
	HT_REG_R12 = 12,
	HT_REG_R13,
	HT_REG_R14,
	HT_REG_R15,
	HT_REG_RIP,
	HT_REGS /* r0 to r15 and the return address column */
};

/* Offsets into the ucontext that a signal handler's return leaves at rsp. */
enum { HT_UC_RBP = 120, HT_UC_RSP = 160, HT_UC_RIP = 168 };

/* mov $15,%rax; syscall: the only way out of a signal handler. */
#define HT_RESTORER	 "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05"
#define HT_RESTORER_SIZE 9

/* Registers of a frame; bit n of `known` says that reg[n] has its value. */
struct ht_regs {
	uint64_t reg[HT_REGS];
	uint32_t known;
};

#if defined(__x86_64__)
/* gcc has __builtin_thread_pointer() here only since 11. */
static inline uint64_t
ht_arch_thread_pointer(void)
{
	uint64_t tp;

	__asm__("movq %%fs:0, %0" : "=r"(tp));
	return tp;
}

/* In a loop that waits. */
static inline void
ht_arch_pause(void)
{
	__builtin_ia32_pause();
}

/* The registers that survive a call, as of this very point; inlined, so that
 * the call-frame information of rip is the caller's. */
static inline __attribute__((always_inline)) void
ht_arch_capture(struct ht_regs *r)
{
	__asm__ volatile("movq %%rbx, 24(%0)\n\t"
			 "movq %%rbp, 48(%0)\n\t"
			 "movq %%rsp, 56(%0)\n\t"
			 "movq %%r12, 96(%0)\n\t"
			 "movq %%r13, 104(%0)\n\t"
			 "movq %%r14, 112(%0)\n\t"
			 "movq %%r15, 120(%0)\n\t"
			 "leaq 0f(%%rip), %%rax\n"
			 "0:\tmovq %%rax, 128(%0)"
			 :
			 : "D"(r->reg)
			 : "rax", "memory");
	r->known = 1u << HT_REG_RBX | 1u << HT_REG_RBP | 1u << HT_REG_RSP |
		   0xfu << HT_REG_R12 | 1u << HT_REG_RIP;
}
#else
static inline uint64_t
ht_arch_thread_pointer(void)
{
	return (uintptr_t)__builtin_thread_pointer();
}

static inline void
ht_arch_pause(void)
{
#if defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}
#endif

#endif
