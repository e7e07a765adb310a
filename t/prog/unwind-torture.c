/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Allocates in every kind of frame that a stack can have, and says how often
 * in each. Recorded with HT_VERIFY=1 there must be no difference. What the
 * unwind information cannot tell (code without any, stacks overwritten) is in
 * the sections whose names begin with "cut".
 */
/* LINK: -fno-builtin -Wl,-z,lazy */
#define _GNU_SOURCE
#include <alloca.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "truth.h"

static unsigned long long count;
static void *volatile sink;

static FRAME void
take(void)
{
	void *p = malloc(10 + count % 50);

	sink = p;
	count++;
	free(p);
}

static void
section(const char *name)
{
	say(name, count);
	count = 0;
}

/* Frames as compilers make them. */

static FRAME void
with_alloca(int n)
{
	char *a = alloca(16 * n);

	a[0] = 1;
	sink = a;
	take();
	if (n > 1)
		with_alloca(n - 1);
	take();
}

/* Over-aligned: the CFA is kept in r10, then at [rbp - 8]. */
static FRAME void
aligned(int n)
{
	char a[64] __attribute__((aligned(64)));
	char b[n + 1];

	a[n % 64] = b[0] = 1;
	sink = a;
	take();
	sink = b;
	if (n > 0)
		aligned(n - 1);
	take();
}

static FRAME __attribute__((optimize("no-omit-frame-pointer"))) void
framed(int n)
{
	take();
	if (n > 0)
		framed(n - 1);
	take();
}

static FRAME __attribute__((optimize("omit-frame-pointer"))) long
many_registers(long a, long b, long c, long d, long e, long f, int n)
{
	take();
	if (n > 0)
		a += many_registers(b, c, d, e, f, a, n - 1);
	take();
	return a * b + c * d + e * f;
}

static FRAME void
tail(int n)
{
	take();
	if (n > 0)
		return tail(n - 1);
	take();
}

static int
compare(const void *a, const void *b)
{
	take();
	return *(const int *)a - *(const int *)b;
}

static FRAME void
sorted(void)
{
	int a[20];

	for (int i = 0; i < 20; i++)
		a[i] = i * 7 % 20;
	qsort(a, 20, sizeof a[0], compare);
	bsearch(&a[5], a, 20, sizeof a[0], compare);
}

static FRAME void
deep(int n)
{
	if (n > 0)
		deep(n - 1);
	else
		take();
	if (n % 1000 == 0)
		take();
}

static FRAME void
big_frame(void)
{
	volatile char a[3 << 20];

	a[0] = a[sizeof a - 1] = 1;
	take();
}

/* The last instruction is a call: its return address is another function's. */
static jmp_buf out;

static FRAME __attribute__((noreturn)) void
leave(void)
{
	take();
	longjmp(out, 1);
}

static FRAME void
ends_in_call(void)
{
	take();
	leave();
}

static FRAME void
compiled(void)
{
	with_alloca(10);
	aligned(10);
	framed(10);
	many_registers(1, 2, 3, 4, 5, 6, 10);
	tail(5);
	sorted();
	big_frame();
	for (int i = 0; i < 10; i++)
		if (setjmp(out) == 0)
			ends_in_call();
	section("compiled");
	deep(10000);
	section("deep");
}

/* Frames that only a whole row describes. Each calls its argument. */
#define ASM(name, body)                                                        \
	void name(void (*f)(void));                                            \
	__asm__(".text\n.type " #name ",@function\n" #name ":\n"               \
		".cfi_startproc\n" body ".cfi_endproc\n"                       \
		".size " #name ",.-" #name "\n")

ASM(cfa_in_rbx, "pushq %rbx\n.cfi_def_cfa_offset 16\n.cfi_offset rbx,-16\n"
		"movq %rsp,%rbx\n.cfi_def_cfa_register rbx\n"
		"andq $-64,%rsp\nsubq $192,%rsp\n"
		"call *%rdi\n"
		"movq %rbx,%rsp\n.cfi_def_cfa_register rsp\n"
		"popq %rbx\n.cfi_def_cfa_offset 8\nret\n");

ASM(cfa_in_r12, "pushq %r12\n.cfi_def_cfa_offset 16\n.cfi_offset r12,-16\n"
		"leaq 16(%rsp),%r12\n.cfi_def_cfa r12,0\n"
		"pushq %r13\nsubq $8,%rsp\n"
		".cfi_escape 0x10,13,2,0x77,8\nxorl %r13d,%r13d\n"
		"call *%rdi\n"
		"movq 8(%rsp),%r13\n.cfi_restore r13\n"
		"leaq -16(%r12),%rsp\npopq %r12\n"
		".cfi_restore r12\n.cfi_def_cfa rsp,8\nret\n");

/* CFA = [rsp + 16] + 8, as OpenSSL writes it; saved registers likewise. */
ASM(cfa_at_rsp,
    "movq %rsp,%rax\n.cfi_def_cfa_register rax\n"
    "pushq %rbx\n.cfi_offset rbx,-16\npushq %rbp\n.cfi_offset rbp,-24\n"
    "subq $88,%rsp\nandq $-64,%rsp\nmovq %rax,16(%rsp)\n"
    ".cfi_escape 0x0f,0x05,0x77,0x10,0x06,0x23,0x08\n"
    "xorl %ebx,%ebx\nmovl $99,%ebp\n"
    "call *%rdi\n"
    "movq 16(%rsp),%rsi\n.cfi_def_cfa rsi,8\n"
    "movq -16(%rsi),%rbp\n.cfi_restore rbp\n"
    "movq -8(%rsi),%rbx\n.cfi_restore rbx\n"
    "leaq (%rsi),%rsp\n.cfi_def_cfa rsp,8\nret\n");

/* The caller's rbp lives in r14, rbx is described by a value expression. */
ASM(in_register, "pushq %r14\n.cfi_def_cfa_offset 16\n.cfi_offset r14,-16\n"
		 "movq %rbp,%r14\n.cfi_register rbp,r14\n"
		 "pushq %rbx\n.cfi_def_cfa_offset 24\n"
		 "subq $8,%rsp\n.cfi_def_cfa_offset 32\n"
		 ".cfi_escape 0x16,3,3,0x77,8,0x06\n"
		 "movl $1,%ebp\nmovl $2,%ebx\n"
		 "call *%rdi\n"
		 "movq 8(%rsp),%rbx\n.cfi_restore rbx\n"
		 "addq $16,%rsp\n.cfi_def_cfa_offset 16\n"
		 "movq %r14,%rbp\n.cfi_restore rbp\n"
		 "popq %r14\n.cfi_def_cfa_offset 8\n.cfi_restore r14\nret\n");

/* The return address is in r15 and nowhere else. libunwind 1.6 looks for it
 * where r15 was saved, so this one only takes part when the program is called
 * with an argument. */
ASM(ra_in_r15, "popq %rax\n.cfi_def_cfa_offset 0\n.cfi_register rip,rax\n"
	       "pushq %r15\n.cfi_def_cfa_offset 8\n.cfi_offset r15,-8\n"
	       "movq %rax,%r15\n.cfi_register rip,r15\n"
	       "subq $24,%rsp\n.cfi_def_cfa_offset 32\n"
	       "call *%rdi\n"
	       "addq $24,%rsp\n.cfi_def_cfa_offset 8\n"
	       "movq %r15,%rax\n.cfi_register rip,rax\n"
	       "popq %r15\n.cfi_def_cfa_offset 0\n.cfi_restore r15\n"
	       "pushq %rax\n.cfi_def_cfa_offset 8\n.cfi_offset rip,-8\nret\n");

/* The outermost frame, by its unwind information. */
ASM(outermost, ".cfi_undefined rip\nsubq $8,%rsp\ncall *%rdi\n"
	       "addq $8,%rsp\nret\n");

static void (*const odd[])(void (*)(void)) = {
    cfa_in_rbx, cfa_in_r12, cfa_at_rsp, in_register, ra_in_r15};
static int more;
#define NODD (sizeof odd / sizeof odd[0] - !more)

static unsigned nest, order;

/* Odd frames in turn, with compiled ones between them. */
static FRAME void
nested(void)
{
	char a[32] __attribute__((aligned(32)));

	sink = a;
	take();
	if (nest > 0) {
		nest--;
		order = order * 5 + 1;
		odd[order / 7 % NODD](nested);
	}
	take();
}

static FRAME void
by_hand(void)
{
	for (unsigned i = 0; i < NODD; i++)
		odd[i](take);
	for (unsigned i = 1; i < 20; i++) {
		nest = order = i;
		nested();
	}
	outermost(take);
	section("by hand");
}

/* Signals: the interrupted pc is not a return address. */

static unsigned steps;
static volatile sig_atomic_t stepping;

static void
on_trap(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	take();
	if (!stepping || ++steps == 20000)
		u->uc_mcontext.gregs[REG_EFL] &= ~0x100L;
}

/* Every single instruction of `f` is interrupted, so all of its prologue and
 * epilogue, the PLT entries and the dynamic linker's lazy binding, too. */
static FRAME void
step(void (*f)(void))
{
	stepping = 1;
	__asm__ volatile("subq $128,%%rsp; pushfq; orq $0x100,(%%rsp);"
			 "popfq; addq $128,%%rsp" ::
			     : "memory", "cc");
	f();
	stepping = 0;
	__asm__ volatile("nop");
}

static FRAME void
some_calls(void)
{
	char text[64];

	sink = (void *)(long)getpgrp(); /* bound here, lazily */
	sink =
	    (void *)(long)snprintf(text, sizeof text, "%d %s %g", 42, "x", 1.5);
	sink = (void *)strtol("12345", NULL, 10);
}

static void
nothing(void)
{
	sink = &sink;
}

static FRAME void
step_all(void)
{
	for (unsigned i = 0; i < NODD; i++)
		odd[i](nothing);
	outermost(nothing);
	some_calls();
}

static void
on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	take();
	u->uc_mcontext.gregs[REG_RIP] += 2; /* over the instruction */
}

/* The very first instruction of a function faults. */
void at_first(void);
__asm__(".text\n.type at_first,@function\nat_first:\n.cfi_startproc\n"
	"ud2\nret\n.cfi_endproc\n.size at_first,.-at_first\n");

static void
on_user(int sig)
{
	take();
	if (sig == SIGUSR1)
		raise(SIGUSR2);
}

static char other_stack[1 << 16];

static void
handle(int sig, void *f, int flags)
{
	struct sigaction a = {.sa_flags = flags};

	a.sa_sigaction = (void (*)(int, siginfo_t *, void *))f;
	if (sigaction(sig, &a, NULL))
		wrong("sigaction");
}

static FRAME void
signals(int flags, const char *name)
{
	handle(SIGUSR1, on_user, flags);
	handle(SIGUSR2, on_user, flags);
	handle(SIGILL, on_fault, flags | SA_SIGINFO);
	handle(SIGTRAP, on_trap, flags | SA_SIGINFO);
	raise(SIGUSR1);
	for (int i = 0; i < 10; i++)
		at_first();
	steps = 0;
	section(name);
	step(step_all);
	/* How many instructions that was is libc's affair. */
	say("steps", steps > 500);
	count = 0;
}

static FRAME void
all_signals(void)
{
	stack_t s = {.ss_sp = other_stack, .ss_size = sizeof other_stack};

	signals(0, "signals");
	if (sigaltstack(&s, NULL))
		wrong("sigaltstack");
	signals(SA_ONSTACK, "signals on another stack");
}

/* Coroutines, whose stacks come and go at the same address. */
static ucontext_t main_context, coroutine;

static void
body(int n)
{
	for (int i = 0; i < n; i++) {
		framed(3);
		if (swapcontext(&coroutine, &main_context))
			wrong("swapcontext");
	}
	aligned(3);
}

static FRAME void
coroutines(void)
{
	char *where =
	    mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < 20; i++) {
		size_t size = (i % 3 + 1) * (16 << 10);

		if (mmap(where, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			0) != where)
			wrong("mmap");
		getcontext(&coroutine);
		coroutine.uc_stack.ss_sp = where;
		coroutine.uc_stack.ss_size = size;
		coroutine.uc_link = &main_context;
		makecontext(&coroutine, (void (*)(void))body, 1, 3);
		for (int k = 0; k < 4; k++) {
			swapcontext(&main_context, &coroutine);
			if (k == 1)
				take();
		}
		munmap(where, size);
	}
	section("coroutines");
}

/* Threads, on stacks of several kinds. */
static pthread_key_t key;

static void
at_exit_of_thread(void *arg)
{
	take();
}

static void *
thread(void *arg)
{
	pthread_setspecific(key, arg);
	framed(5);
	aligned(5);
	return arg;
}

static void
run_thread(pthread_attr_t *attr)
{
	pthread_t t;

	if (pthread_create(&t, attr, thread, &key) || pthread_join(t, NULL))
		wrong("pthread");
}

static FRAME void
threads(void)
{
	size_t size = 1 << 18;
	pthread_attr_t attr;
	void *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	pthread_key_create(&key, at_exit_of_thread);
	pthread_attr_init(&attr);
	for (int i = 0; i < 5; i++)
		run_thread(NULL);
	pthread_attr_setstacksize(&attr, 1 << 17);
	for (int i = 0; i < 5; i++)
		run_thread(&attr);
	pthread_attr_setstack(&attr, stack, size);
	for (int i = 0; i < 5; i++)
		run_thread(&attr);
	section("threads");
}

/* Code that nothing is known of. */
void bare(void (*f)(void));
__asm__(".text\n.type bare,@function\nbare:\n"
	"subq $24,%rsp\ncall *%rdi\naddq $24,%rsp\nret\n.size bare,.-bare\n");

static FRAME void
no_information(void)
{
	/* bare() again, where no object is mapped. */
	static const unsigned char code[] = {
	    0x48, 0x83, 0xec, 0x18, 0xff, 0xd7, 0x48, 0x83, 0xc4, 0x18, 0xc3};
	char *jit = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	bare(take);
	bare(sorted);
	memcpy(jit, code, sizeof code);
	((void (*)(void (*)(void)))jit)(take);
	((void (*)(void (*)(void)))jit)(nested);
	section("cut: no information");
}

/* While words of its own frame are overwritten. */
static FRAME __attribute__((optimize("no-omit-frame-pointer"))) void
overwritten(unsigned long rbp, unsigned long rip)
{
	unsigned long *volatile frame = __builtin_frame_address(0);
	unsigned long *f = frame, was[2] = {f[0], f[1]};

	f[0] = rbp;
	if (rip)
		f[1] = rip;
	take();
	framed(2);
	frame[0] = was[0];
	frame[1] = was[1];
}

static FRAME __attribute__((optimize("no-omit-frame-pointer"))) void
overwritten_framed(unsigned long rbp, unsigned long rip)
{
	overwritten(rbp, rip);
	sink = &rbp;
}

static FRAME void
corrupt(void)
{
	unsigned long here = (unsigned long)__builtin_frame_address(0);
	unsigned long rbp[] = {here - 4096, 0, 1, 8, here, here + 4,
	    here + (1 << 20), here + (1ul << 33), 0x4141414141414141ul,
	    (unsigned long)other_stack, (unsigned long)&sink, ~0ul, ~7ul};
	unsigned long rip[] = {0, 1, 4096, 0x4141414141414141ul, here,
	    (unsigned long)corrupt + 1, (unsigned long)corrupt + 4, ~0ul,
	    (unsigned long)&sink, (unsigned long)aligned + 40};

	/* libunwind goes round in circles after a frame pointer that leads
	 * back; so that, too, is for a call with an argument. */
	for (unsigned i = more ? 0 : 1; i < sizeof rbp / sizeof rbp[0]; i++)
		for (unsigned k = 0; k < sizeof rip / sizeof rip[0]; k++)
			overwritten_framed(rbp[i], rip[k]);
	section("cut: overwritten");
}

int
main(int argc, char **argv)
{
	more = argc > 1;
	compiled();
	by_hand();
	all_signals();
	coroutines();
	threads();
	no_information();
	corrupt();
	return 0;
}
