/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The walker by libunwind, and the check of every other walker against it.
 * libunwind.so.8 is loaded at start, never linked: its _Unwind_* must not come
 * before the program's own.
 *
 * libunwind 1.6 was not made to run inside malloc. It opens a pipe, writes to
 * it to learn whether memory can be read, and calls dl_iterate_phdr, which
 * waits for whoever is inside a callback of it, who may be waiting for malloc.
 * So some of the calls that it makes are turned to functions here, through its
 * own relocations. What we cannot mend:
 *
 * - Each thread has a cache of 400 KB, mapped at its first walk, four times
 *   that when it fills.
 * - Its caches survive dlclose: where another object comes to lie at the same
 *   address, that object's stacks can be wrong.
 * - A walk takes some 6 KB of stack, and can crash on a stack that is broken
 *   where libunwind trusts it.
 * - Signals are blocked throughout, and a lock is held while a pc is looked
 *   up that is not in the thread's cache. Nothing in there waits for anything
 *   else; where the program may make no system calls, signals are let through.
 * - A program that uses the same libunwind.so.8 gets the replacements, too;
 *   to it they do what the originals do.
 */
#include "ht-record/preload/unwind.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "ht-record/preload/cfi.h"
#include "ht-record/preload/frames.h"
#include "ht-record/preload/preload.h"
#include "ht-record/preload/probe.h"

#if defined(__x86_64__)

#ifdef HT_ATTACHED
#pragma weak dlopen
#pragma weak dlsym
#pragma weak dlinfo
#pragma weak dlerror
#pragma weak pthread_setspecific
#endif

#define OWN_FRAMES_MAX 32

/* libunwind may go round in circles on a broken stack. */
#define DEPTH_MAX (1u << 20)

/* libunwind's API as of 1.6; its header is not needed to build. A cursor has
 * 127 words. */
struct unw_cursor {
	uint64_t word[160];
};
enum { UNW_RIP = 16 };

static struct {
	int (*backtrace)(void **buffer, int size);
	int (*getcontext)(ucontext_t *uc);
	int (*init_local)(struct unw_cursor *c, ucontext_t *uc);
	int (*step)(struct unw_cursor *c);
	int (*get_reg)(struct unw_cursor *c, int reg, uint64_t *value);
	void (*flush_cache)(void *as, uint64_t lo, uint64_t hi);
	void **local_space;
	/* What libunwind would have called: of libpthread, before 2.34. */
	int (*setspecific)(pthread_key_t key, const void *value);
} unw;

/*
 * In place of dl_iterate_phdr: the one module that matters. The data of
 * libunwind's callback begins with the pc that it looks for.
 */
static int
our_iterate_phdr(
    int (*callback)(struct dl_phdr_info *, size_t, void *), void *data)
{
	struct dl_phdr_info info = {.dlpi_name = ""};

	if (ht_cfi_module(*(const uint64_t *)data, &info) != 0)
		return 0;
	return callback(&info, sizeof(info), data);
}

/* The two ends of the pipe that libunwind thinks it has opened. */
#define NO_PIPE (-77)

static int
our_pipe2(int fd[2], int flags)
{
	(void)flags;
	fd[0] = fd[1] = NO_PIPE;
	return 0;
}

static int
our_close(int fd)
{
	return fd == NO_PIPE ? 0 : close(fd);
}

static ssize_t
our_read(int fd, void *buf, size_t size)
{
	if (fd != NO_PIPE)
		return read(fd, buf, size);
	errno = EAGAIN; /* an empty pipe */
	return -1;
}

/* libunwind asks mincore, which does not tell what can be read, and then
 * writes from there. */
static int
our_mincore(void *addr, size_t size, unsigned char *vec)
{
	for (size_t at = 0; at < size; at += 4096) {
		vec[at / 4096] = 1;
		if (!ht_probe_page((uintptr_t)addr + at)) {
			errno = ENOMEM;
			return -1;
		}
	}
	return 0;
}

static long
our_syscall(long number, ...)
{
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_write && (int)a[0] == NO_PIPE) {
		errno = 0; /* it looks there even after a success */
		return a[2];
	}
	return syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/*
 * libunwind's thread-local words, where a thread finds them without malloc.
 * The function that is replaced is given a module and an offset.
 */
#define TLS_SIZE 64
#ifndef HT_ATTACHED
static __thread _Alignas(16) char unw_tls[TLS_SIZE];
#endif

static void *
our_tls_get_addr(const uint64_t *index)
{
#ifdef HT_ATTACHED
	/* A thread may end, and its cache with it, when all else of us is
	 * gone. */
	static _Alignas(16) char nobodys[TLS_SIZE];
	struct ht_thread *t = ht_is_on() ? ht_thread_self() : NULL;
	char *unw_tls = t ? t->unw_tls : nobodys;
#endif

	return unw_tls + index[1];
}

/* glibc has room for 32 keys in the thread itself and calls calloc for more;
 * then the thread's cache is lost when it ends. */
static int
our_setspecific(pthread_key_t key, const void *value)
{
#ifdef HT_ATTACHED
	/* That of the image is known before `unw` is filled in again. */
	return key < 32 && pthread_setspecific ? pthread_setspecific(key, value)
					       : 0;
#else
	return key < 32 ? unw.setspecific(key, value) : 0;
#endif
}

#define TLS_GET_ADDR "__tls_get_addr"
static const struct replacement {
	const char *name;
	void *function;
} replacements[] = {
    {"dl_iterate_phdr", (void *)our_iterate_phdr},
    {"pipe2", (void *)our_pipe2},
    {"close", (void *)our_close},
    {"read", (void *)our_read},
    {"mincore", (void *)our_mincore},
    {"syscall", (void *)our_syscall},
    {"pthread_setspecific", (void *)our_setspecific},
    {TLS_GET_ADDR, (void *)our_tls_get_addr},
};

static void *
replacement_of(const char *name)
{
	const size_t n = sizeof(replacements) / sizeof(replacements[0]);

	for (size_t i = 0; i < n; i++)
		if (strcmp(replacements[i].name, name) == 0)
			return replacements[i].function;
	return NULL;
}

/* What of an object's dynamic section names the calls that it makes. */
struct dynamic {
	const Elf64_Rela *rela;
	uint64_t size;
	const Elf64_Sym *sym;
	const char *str;
};

static void
dynamic_read(struct dynamic *d, const struct link_map *map)
{
	memset(d, 0, sizeof(*d));
	for (const Elf64_Dyn *e = map->l_ld; e->d_tag != DT_NULL; e++) {
		switch (e->d_tag) {
		case DT_JMPREL: /* glibc has made addresses of these */
			d->rela = (const Elf64_Rela *)e->d_un.d_ptr;
			break;
		case DT_PLTRELSZ:
			d->size = e->d_un.d_val;
			break;
		case DT_SYMTAB:
			d->sym = (const Elf64_Sym *)e->d_un.d_ptr;
			break;
		case DT_STRTAB:
			d->str = (const char *)e->d_un.d_ptr;
			break;
		}
	}
}

/* What the object's program headers say: where its pages end that were made
 * read-only once bound, and whether our room for its TLS will do. */
static void
headers_read(const struct link_map *map, uint64_t *relro, bool *small_tls)
{
	struct dl_phdr_info info = {.dlpi_phnum = 0};

	*relro = 0;
	*small_tls = true;
	ht_cfi_module((uintptr_t)map->l_ld, &info);
	for (unsigned i = 0; i < info.dlpi_phnum; i++) {
		const Elf64_Phdr *p = &info.dlpi_phdr[i];

		if (p->p_type == PT_GNU_RELRO)
			*relro = (map->l_addr + p->p_vaddr + p->p_memsz) &
				 ~UINT64_C(4095);
		if (p->p_type == PT_TLS)
			*small_tls = p->p_filesz == 0 &&
				     p->p_memsz <= TLS_SIZE && p->p_align <= 16;
	}
}

static void
replace_slot(uint64_t at, uint64_t relro, void *function)
{
	void *page = (void *)(at & ~UINT64_C(4095));

	if (at < relro && mprotect(page, 4096, PROT_READ | PROT_WRITE) != 0)
		return;
	*(void **)at = function;
	if (at < relro)
		mprotect(page, 4096, PROT_READ);
}

/* Turns the calls of the object, whose slots are all bound, to our
 * functions. */
static void
replace_calls(const struct link_map *map)
{
	struct dynamic d;
	uint64_t relro;
	bool small_tls;

	headers_read(map, &relro, &small_tls);
	dynamic_read(&d, map);
	if (!d.rela || !d.sym || !d.str)
		return;
	for (uint64_t i = 0; i < d.size / sizeof(*d.rela); i++) {
		const Elf64_Rela *r = &d.rela[i];
		const Elf64_Sym *sym = &d.sym[ELF64_R_SYM(r->r_info)];
		const char *name = d.str + sym->st_name;
		void *function = replacement_of(name);

		if (strcmp(name, TLS_GET_ADDR) == 0 && !small_tls)
			continue;
		if (function && ELF64_R_TYPE(r->r_info) == R_X86_64_JUMP_SLOT)
			replace_slot(
			    map->l_addr + r->r_offset, relro, function);
	}
}

static int
load(void)
{
#ifdef HT_ATTACHED
	void *lib = !dlopen || !dlsym || !dlinfo || !dlerror
			? NULL
			: dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
#else
	void *lib = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
#endif
	struct link_map *map;

	if (!lib || dlinfo(lib, RTLD_DI_LINKMAP, &map) != 0)
		return -1;
	unw.backtrace = dlsym(lib, "unw_backtrace");
	unw.getcontext = dlsym(lib, "_Ux86_64_getcontext");
	unw.init_local = dlsym(lib, "_ULx86_64_init_local");
	unw.step = dlsym(lib, "_ULx86_64_step");
	unw.get_reg = dlsym(lib, "_ULx86_64_get_reg");
	unw.flush_cache = dlsym(lib, "_Ux86_64_flush_cache");
	unw.local_space = dlsym(lib, "_ULx86_64_local_addr_space");
	unw.setspecific = dlsym(lib, "pthread_setspecific");
	if (!unw.backtrace || !unw.getcontext || !unw.init_local || !unw.step ||
	    !unw.get_reg || !unw.flush_cache || !unw.local_space ||
	    !unw.setspecific)
		return -1;
	replace_calls(map);
	return 0;
}

static int
libunwind_init(void)
{
	static bool ready;
	void *pc[8];

	if (ready)
		return 0;
	ht_probe_init();
	if (load() != 0) {
		dlerror(); /* the program shall not see ours */
		return -1;
	}
	/* What it sets up at its first use, it sets up now. */
	ready = unw.backtrace(pc, 8) > 0;
	return ready ? 0 : -1;
}

/*
 * libunwind's per-thread cache bears neither a walk inside a walk nor one that
 * is never finished, because a handler jumped away: no signals meanwhile. By
 * the system call, as libc's function would let its own signals through.
 */
struct blocked {
	bool done;
	uint64_t old;
};

static void
signals_block(struct blocked *b)
{
	const uint64_t all = ~UINT64_C(0);

	b->done = !ht_no_calls() && syscall(SYS_rt_sigprocmask, SIG_SETMASK,
					&all, &b->old, 8) == 0;
}

static void
signals_restore(const struct blocked *b)
{
	if (b->done)
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &b->old, NULL, 8);
}

/* The first of `pc` that is not of our own frames, or n. */
static size_t
skip_own(void *const *pc, size_t n, const struct ht_context *from)
{
	for (size_t i = 0; i < n && i < OWN_FRAMES_MAX; i++)
		if ((uint64_t)pc[i] == from->pc)
			return i;
	return n;
}

static enum ht_rule_kind
kind_of(uint32_t index)
{
	struct ht_frame *f = ht_frame_ptr(index);
	uint64_t pc = atomic_load_explicit(&f->pc, memory_order_relaxed);

	return ht_rule_kind(ht_cfi_cached(&f->rule, pc));
}

/*
 * Makes frames of n return addresses, in place: a frame takes the first half
 * of the word that its address had, or one before that. libunwind does not
 * tell why it stopped, and guesses where nothing is known of a pc.
 */
static size_t
to_frames(const uint64_t *pc, size_t n, uint32_t *frame, enum ht_walk_end *end)
{
	enum ht_rule_kind kind = HT_RULE_SLOW;
	bool exact = false;

	*end = HT_WALK_CUT;
	for (size_t i = 0; i < n; i++) {
		uint64_t addr;
		uint32_t index;

		memcpy(&addr, &pc[i], sizeof(addr));
		if (addr > HT_PTR_MAX ||
		    (index = ht_frame_at(addr - !exact)) == 0)
			return i;
		kind = kind_of(index);
		if (kind == HT_RULE_SIGNAL && !exact)
			index = ht_frame_at(addr);
		exact = kind == HT_RULE_SIGNAL;
		memcpy(&frame[i], &index, sizeof(index));
		if (kind == HT_RULE_END)
			*end = HT_WALK_WHOLE;
		if (kind == HT_RULE_END || kind == HT_RULE_NONE)
			return i + 1;
	}
	return n;
}

static size_t
libunwind_walk(const struct ht_context *from, uint32_t *frame, size_t max,
    enum ht_walk_end *end)
{
	/* The addresses go where the frames will be; so there is room for
	 * half as many, which the caller cannot tell from too few. */
	uintptr_t at = ((uintptr_t)frame + 7) & ~(uintptr_t)7;
	size_t cap = max / 2 > 1 ? max / 2 - 1 : 0, n, own, got;
	int saved = errno;
	void **pc = (void **)at;
	struct blocked signals;

	signals_block(&signals);
	n = cap ? (size_t)unw.backtrace(pc, (int)cap) : 0;
	signals_restore(&signals);
	errno = saved;
	own = skip_own(pc, n, from);
	got = to_frames((uint64_t *)at + own, n - own, frame, end);
	if (n == cap && got == n - own && *end == HT_WALK_CUT && n < DEPTH_MAX)
		*end = HT_WALK_MORE;
	return got;
}

/*
 * The addresses that a walk without libunwind's caches meets, up to frame `n`
 * of those in `from`.
 */
static size_t
walk_afresh(void **pc, size_t max, const struct ht_context *from, size_t n)
{
	struct unw_cursor c;
	ucontext_t uc;
	uint64_t rip;
	size_t got = 0, left = max;

	unw.flush_cache(*unw.local_space, 0, 0);
	unw.getcontext(&uc);
	if (unw.init_local(&c, &uc) < 0)
		return 0;
	while (got < max && left > 0 && unw.step(&c) > 0 &&
	       unw.get_reg(&c, UNW_RIP, &rip) == 0) {
		pc[got++] = (void *)rip;
		if (left < max)
			left--;
		else if (rip == from->pc)
			left = n - 1;
	}
	return got;
}

static bool
has_info(uint64_t pc)
{
	struct ht_cfi_fde fde;

	return ht_cfi_find(pc, &fde) == 0;
}

/* Compares frames with addresses; returns what ht_unwind_verify() does. */
static int
judge(const struct ht_context *from, const uint32_t *frame, size_t n,
    enum ht_walk_end end, void *const *pc, size_t npc)
{
	size_t own = skip_own(pc, npc, from);
	uint64_t last = 0, next;
	bool exact = false;

	for (size_t i = 0; i < n; i++) {
		enum ht_rule_kind kind = kind_of(frame[i]);
		uint64_t want = atomic_load_explicit(
		    &ht_frame_ptr(frame[i])->pc, memory_order_relaxed);

		last = want;
		/* The restorer is nobody's callee, and what it interrupted
		 * did not call. */
		if (!exact && kind != HT_RULE_SIGNAL)
			want++;
		exact = kind == HT_RULE_SIGNAL;
		if (own + i >= npc || (uint64_t)pc[own + i] != want)
			return 1;
	}
	if (end == HT_WALK_MORE || own + n >= npc)
		return end == HT_WALK_CUT ? -1 : 0;
	/* libunwind goes on to guess from a pc of which nothing is known, be
	 * it the last frame or no frame at all: a garbled return address. */
	next = (uint64_t)pc[own + n];
	if (end == HT_WALK_WHOLE && next == 0)
		return 0;
	if (!has_info(last) || (end == HT_WALK_CUT && !has_info(next - 1)))
		return -1;
	return 1;
}

int
ht_unwind_verify(const struct ht_context *from, const uint32_t *frame, size_t n,
    enum ht_walk_end end)
{
	void *few[128], **pc = few;
	size_t cap = n + OWN_FRAMES_MAX + 2, npc;
	int saved = errno, r;
	struct blocked signals;
	bool broken;

	if (cap > sizeof(few) / sizeof(few[0])) {
		pc = ht_map_memory(cap * sizeof(*pc));
		if (!pc)
			return -1;
	}
	/* Of a broken stack it may not see more than we did: it would read
	 * what cannot be read, and crash. */
	broken = n > 0 && end != HT_WALK_MORE &&
		 kind_of(frame[n - 1]) != HT_RULE_END;
	signals_block(&signals);
	npc = broken ? 0 : (size_t)unw.backtrace(pc, (int)cap);
	r = broken ? 1 : judge(from, frame, n, end, pc, npc);
	if (r == 1) {
		npc = walk_afresh(pc, cap, from, broken ? n : cap);
		r = judge(from, frame, n, end, pc, npc);
	}
	signals_restore(&signals);
	if (pc != few)
		ht_own_munmap(pc, cap * sizeof(*pc));
	errno = saved;
	return r;
}

#else

static int
libunwind_init(void)
{
	return -1;
}

static size_t
libunwind_walk(const struct ht_context *from, uint32_t *frame, size_t max,
    enum ht_walk_end *end)
{
	(void)from, (void)frame, (void)max;
	*end = HT_WALK_CUT;
	return 0;
}

int
ht_unwind_verify(const struct ht_context *from, const uint32_t *frame, size_t n,
    enum ht_walk_end end)
{
	(void)from, (void)frame, (void)n, (void)end;
	return -1;
}

#endif

const struct ht_unwinder ht_unwind_libunwind = {
    "libunwind", libunwind_init, libunwind_walk};
