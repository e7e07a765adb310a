/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The functions that programs call. An allocation is recorded after the real
 * call, a free before it, a realloc on both sides. Nothing is held across
 * anything: a signal may end a hook at any instruction for good.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ht-record/preload/frames.h"
#include "ht-record/preload/prefix.h"
#include "ht-record/preload/publish.h"

#define HERE() ((const uintptr_t *)__builtin_frame_address(0))

/* How far below a hook that is in its real call another hook can be and still
 * have been called by it. */
#define NESTING_MAX (1u << 20)

/* The caller of the hook with this frame, at the call. */
static inline struct ht_context
caller(const uintptr_t *frame)
{
	return (struct ht_context){
	    .pc = frame[1],
	    .sp = (uintptr_t)(frame + 2),
	    .fp = frame[0],
	};
}

/*
 * Is this hook called by an allocator that another hook has called? The guard
 * is only a hint: whoever left that call by longjmp left it set, and what it
 * names may lie unwritten in a frame that came later. It counts while the frame
 * it names lies above us, still returns where it did and is on our stack, and
 * no signal came in between: what a handler allocates is the program's.
 */
static __attribute__((noinline)) bool
nested(struct ht_thread *t, const uintptr_t *frame)
{
	const uintptr_t *g = t->guard;
	struct ht_context inner = caller(frame), outer;
	enum ht_nesting how;

	if ((uintptr_t)g - (uintptr_t)frame - 1 >= NESTING_MAX ||
	    g[1] != t->guard_pc)
		return false;
	outer = caller(g);
	how = ht_capture_nesting(t, &inner, &outer);
	if (how == HT_NOT_CALLED)
		t->guard = NULL;
	return how == HT_CALLED;
}

static __attribute__((noinline)) struct ht_thread *
enter_slow(const uintptr_t *frame)
{
	/* An older dlsym allocates: nothing is recorded before it is done. */
	if (!ht_boot_real())
		return NULL;
	if (atomic_load(&ht_live->on) == HT_NOT_STARTED)
		ht_boot_start();
#ifndef HT_ATTACHED
	if (atomic_load(&ht_live->known) != 1 && ht_follower.name) {
		struct ht_context from = caller(frame);

		ht_child_start(&from);
	}
#else
	(void)frame;
#endif
	return atomic_load(&ht_live->on) == HT_ON ? ht_thread_self() : NULL;
}

/* This thread's state if the call is to be recorded, else NULL. */
static inline struct ht_thread *
enter(const uintptr_t *frame)
{
	struct ht_thread *t;

	if (unlikely(!ht_is_on()))
		t = enter_slow(frame);
	else
		t = ht_thread_self();
	if (unlikely(!t) || unlikely(t->guard && nested(t, frame)))
		return NULL;
	return t;
}

/* Around a real call: what it calls of ours is not the program's. */
struct hold {
	const uintptr_t *guard;
	uintptr_t pc;
};

static inline struct hold
hold(struct ht_thread *t, const uintptr_t *frame)
{
	struct hold before = {t->guard, t->guard_pc};

	t->guard_pc = frame[1];
	atomic_signal_fence(memory_order_seq_cst);
	t->guard = frame;
	atomic_signal_fence(memory_order_seq_cst);
	return before;
}

static inline void
let_go(struct ht_thread *t, struct hold before)
{
	atomic_signal_fence(memory_order_seq_cst);
	t->guard = before.guard;
	t->guard_pc = before.pc;
}

/* The same where the common case does not apply: the stack is not to be had
 * that way, or more is asked for. */
static __attribute__((noinline)) void
record_slow(struct ht_thread *t, const struct ht_context *from,
    enum ht_rec_kind kind, const void *p, size_t size)
{
	uint32_t stack = ht_capture_whole(t, from);

	if (ht_ring->flags & HT_RING_USABLE && ht_real.malloc_usable_size)
		stack = ht_publish_usable(
		    stack, ht_real.malloc_usable_size((void *)p));
	ht_publish(t, kind, (uintptr_t)p, size, stack);
}

static inline __attribute__((always_inline)) void
record(struct ht_thread *t, const uintptr_t *frame, enum ht_rec_kind kind,
    const void *p, size_t size)
{
	struct ht_context from = caller(frame);
	uint32_t stack = 0;

	if (likely(ht_capture_plain))
		stack = ht_prefix_capture(t, &from);
	if (unlikely(!stack))
		record_slow(t, &from, kind, p, size);
	else
		ht_publish(t, kind, (uintptr_t)p, size, stack);
}

static inline __attribute__((always_inline)) void
allocated(
    struct ht_thread *t, const uintptr_t *frame, const void *p, size_t size)
{
	if (likely(p))
		record(t, frame, HT_REC_ALLOC, p, size);
}

/* ---- the family ------------------------------------------------------- */

HT_EXPORT void *
malloc(size_t size)
{
	struct ht_thread *t = enter(HERE());
	struct hold before;
	void *p;

	if (unlikely(!t))
		return ht_real.malloc ? ht_real.malloc(size)
				      : ht_boot_alloc(16, size);
	before = hold(t, HERE());
	p = ht_real.malloc(size);
	let_go(t, before);
	allocated(t, HERE(), p, size);
	return p;
}

HT_EXPORT void *
calloc(size_t n, size_t size)
{
	struct ht_thread *t = enter(HERE());
	struct hold before;
	void *p;

	if (unlikely(!t)) {
		if (ht_real.calloc)
			return ht_real.calloc(n, size);
		/* The boot arena is zero and used once. */
		return size && n > SIZE_MAX / size
			   ? NULL
			   : ht_boot_alloc(16, n * size);
	}
	before = hold(t, HERE());
	p = ht_real.calloc(n, size);
	let_go(t, before);
	allocated(t, HERE(), p, n * size);
	return p;
}

HT_EXPORT void
free(void *p)
{
	struct ht_thread *t;
	struct hold before;

	if (!p || unlikely(ht_boot_owns(p)))
		return;
	t = enter(HERE());
	if (unlikely(!t)) {
		if (ht_real.free)
			ht_real.free(p);
		return;
	}
	ht_publish(t, HT_REC_FREE, (uintptr_t)p, 0, 0);
	before = hold(t, HERE());
	ht_real.free(p);
	let_go(t, before);
}

/* A block of the boot arena grows into a real one. */
static void *
move_out(void *p, size_t size)
{
	size_t had = ht_boot_size(p);
	void *q =
	    ht_real.malloc ? ht_real.malloc(size) : ht_boot_alloc(16, size);

	return q ? memcpy(q, p, had < size ? had : size) : NULL;
}

static inline void *
reallocate(const uintptr_t *frame, void *p, size_t size)
{
	struct ht_thread *t = enter(frame);
	struct hold before;
	void *q;

	if (unlikely(p && ht_boot_owns(p))) {
		q = move_out(p, size);
		if (t)
			allocated(t, frame, q, size);
		return q;
	}
	if (unlikely(!t))
		return ht_real.realloc ? ht_real.realloc(p, size)
				       : ht_boot_alloc(16, size);
	/* Before the call: another thread may get the old address before it
	 * has even returned. Without a size it is a free. */
	if (p)
		ht_publish(
		    t, size ? HT_REC_REALLOC : HT_REC_FREE, (uintptr_t)p, 0, 0);
	before = hold(t, frame);
	q = ht_real.realloc(p, size);
	let_go(t, before);
	if (likely(q))
		record(t, frame, p && size ? HT_REC_REALLOC_DONE : HT_REC_ALLOC,
		    q, size);
	else if (p && size)
		ht_publish(t, HT_REC_REALLOC_FAIL, (uintptr_t)p, 0, 0);
	return q;
}

HT_EXPORT void *
realloc(void *p, size_t size)
{
	return reallocate(HERE(), p, size);
}

HT_EXPORT void *
reallocarray(void *p, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size) {
		errno = ENOMEM;
		return NULL;
	}
	return reallocate(HERE(), p, n * size);
}

HT_EXPORT int
posix_memalign(void **out, size_t align, size_t size)
{
	struct ht_thread *t = enter(HERE());
	struct hold before;
	int err;

	if (unlikely(!t)) {
		if (ht_real.posix_memalign)
			return ht_real.posix_memalign(out, align, size);
		*out = ht_boot_alloc(align, size);
		return *out ? 0 : ENOMEM;
	}
	before = hold(t, HERE());
	err = ht_real.posix_memalign(out, align, size);
	let_go(t, before);
	if (err == 0)
		allocated(t, HERE(), *out, size);
	return err;
}

/* The four that take a size, three of them after an alignment. */
#define ALIGNED(name)                                                          \
	HT_EXPORT void *name(size_t align, size_t size)                        \
	{                                                                      \
		struct ht_thread *t = enter(HERE());                           \
		struct hold before;                                            \
		void *p;                                                       \
                                                                               \
		if (unlikely(!t))                                              \
			return ht_real.name ? ht_real.name(align, size)        \
					    : ht_boot_alloc(align, size);      \
		before = hold(t, HERE());                                      \
		p = ht_real.name(align, size);                                 \
		let_go(t, before);                                             \
		allocated(t, HERE(), p, size);                                 \
		return p;                                                      \
	}

#define PAGES(name)                                                            \
	HT_EXPORT void *name(size_t size)                                      \
	{                                                                      \
		struct ht_thread *t = enter(HERE());                           \
		struct hold before;                                            \
		void *p;                                                       \
                                                                               \
		if (unlikely(!t))                                              \
			return ht_real.name ? ht_real.name(size)               \
					    : ht_boot_alloc(4096, size);       \
		before = hold(t, HERE());                                      \
		p = ht_real.name(size);                                        \
		let_go(t, before);                                             \
		allocated(t, HERE(), p, size);                                 \
		return p;                                                      \
	}

extern void *memalign(size_t, size_t);
extern void *valloc(size_t);
extern void *pvalloc(size_t);

ALIGNED(aligned_alloc)
ALIGNED(memalign)
PAGES(valloc)

/* Only what the libc has: a program may ask dlsym what there is. cfree is a
 * compatibility symbol since glibc 2.26, so ports younger than that lack it. */
#ifdef __GLIBC__
#define HAS_GLIBC(major, minor) __GLIBC_PREREQ(major, minor)
#else
#define HAS_GLIBC(major, minor) 0
#endif
#ifdef __GLIBC__
PAGES(pvalloc)
#endif
#if defined __GLIBC__ && !defined __riscv && !defined __loongarch__
extern void cfree(void *);
HT_EXPORT void
cfree(void *p)
{
	free(p);
}
#endif
#if HAS_GLIBC(2, 43)
HT_EXPORT void
free_sized(void *p, size_t size)
{
	(void)size;
	free(p);
}

HT_EXPORT void
free_aligned_sized(void *p, size_t align, size_t size)
{
	(void)align;
	(void)size;
	free(p);
}
#endif

/* ---- modules ---------------------------------------------------------- */

HT_EXPORT int
dlclose(void *handle)
{
	bool on = atomic_load(&ht_live->on) == HT_ON;
	int r;

	if (!ht_boot_real() || !ht_real.dlclose)
		return -1;
	if (on)
		ht_frames_dlclose_begin();
	r = ht_real.dlclose(handle);
	if (on)
		ht_frames_dlclose_end();
	return r;
}

/* ---- seccomp ---------------------------------------------------------- */

/* From the return of this call on a system call of ours may be the end of the
 * program. The recorder would see it in /proc, but only with its next tick. */
HT_EXPORT int
prctl(int option, ...)
{
	unsigned long arg[4];
	va_list ap;

	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		arg[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (!ht_boot_real() || !ht_real.prctl)
		return -1;
	if (option == PR_SET_SECCOMP && enter(HERE()))
		atomic_fetch_or(&ht_ring->control, HT_CTL_NO_CALLS);
	return ht_real.prctl(option, arg[0], arg[1], arg[2], arg[3]);
}

/* Of linux/mman.h: glibc has it since 2.32. */
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* ---- maps --------------------------------------------------------------- */

/*
 * Only with --mmap, else each is the real function. What goes is published
 * before the call, and how that went after it, since another thread may have
 * the addresses before the call has returned.
 */

static inline struct ht_thread *
enter_map(const uintptr_t *frame)
{
	return ht_ring && ht_ring->flags & HT_RING_MAPS ? enter(frame) : NULL;
}

static size_t
whole_pages(size_t size)
{
	return (size + 4095) & ~(size_t)4095;
}

static void
going(struct ht_thread *t, uint32_t kind, const void *p, size_t size)
{
	ht_publish_kind(t, HT_REC_REALLOC, (uintptr_t)p, size, 0, kind);
}

static void
gone(struct ht_thread *t, uint32_t kind, const void *p, bool success)
{
	ht_publish_kind(t, success ? HT_REC_REALLOC_DONE : HT_REC_REALLOC_FAIL,
	    (uintptr_t)p, 0, 0, kind);
}

static void
mapped(struct ht_thread *t, const uintptr_t *frame, uint32_t kind,
    enum ht_rec_kind how, const void *p, size_t size)
{
	struct ht_context from = caller(frame);

	ht_publish_kind(
	    t, how, (uintptr_t)p, size, ht_capture_whole(t, &from), kind);
}

static void *
real_mmap(void *p, size_t size, int prot, int flags, int fd, off_t at)
{
	/* Before there is anything else. */
	return ht_real.mmap
		   ? ht_real.mmap(p, size, prot, flags, fd, at)
		   : (void *)syscall(SYS_mmap, p, size, prot, flags, fd, at);
}

HT_EXPORT void *
mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	struct ht_thread *t = enter_map(HERE());
	bool over = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) == MAP_FIXED;
	struct hold before;
	void *p;

	if (likely(!t))
		return real_mmap(at, size, prot, flags, fd, offset);
	if (over)
		going(t, HT_KIND_MMAP, at, whole_pages(size));
	before = hold(t, HERE());
	p = real_mmap(at, size, prot, flags, fd, offset);
	let_go(t, before);
	if (p != MAP_FAILED)
		mapped(t, HERE(), HT_KIND_MMAP,
		    over ? HT_REC_REALLOC_DONE : HT_REC_ALLOC, p,
		    whole_pages(size));
	else if (over)
		gone(t, HT_KIND_MMAP, at, false);
	return p;
}

/* off_t is off64_t on all machines that we run on. */
#ifdef __GLIBC__
extern __typeof__(mmap) mmap64
    __attribute__((alias("mmap"), visibility("default")));
#endif

HT_EXPORT int
munmap(void *p, size_t size)
{
	struct ht_thread *t = enter_map(HERE());
	struct hold before;
	int r;

	if (unlikely(!ht_real.munmap))
		return ht_own_munmap(p, size);
	if (likely(!t))
		return ht_real.munmap(p, size);
	going(t, HT_KIND_MMAP, p, whole_pages(size));
	before = hold(t, HERE());
	r = ht_real.munmap(p, size);
	let_go(t, before);
	gone(t, HT_KIND_MMAP, p, r == 0);
	return r;
}

HT_EXPORT void *
mremap(void *old, size_t old_size, size_t size, int flags, ...)
{
	struct ht_thread *t = enter_map(HERE());
	/* Else the old one stays, or is but a name for pages that are shared.
	 */
	bool moves = old_size && !(flags & MREMAP_DONTUNMAP);
	bool over = flags & MREMAP_FIXED;
	struct hold before;
	void *to, *p;
	va_list ap;

	va_start(ap, flags);
	to = over || flags & MREMAP_DONTUNMAP ? va_arg(ap, void *) : NULL;
	va_end(ap);
	if (unlikely(!ht_real.mremap))
		return (void *)syscall(
		    SYS_mremap, old, old_size, size, flags, to);
	if (likely(!t))
		return ht_real.mremap(old, old_size, size, flags, to);
	if (over)
		going(t, HT_KIND_MMAP, to, whole_pages(size));
	if (moves)
		going(t, HT_KIND_MMAP, old, whole_pages(old_size));
	before = hold(t, HERE());
	p = ht_real.mremap(old, old_size, size, flags, to);
	let_go(t, before);
	if (moves && p == MAP_FAILED)
		gone(t, HT_KIND_MMAP, old, false);
	if (p != MAP_FAILED)
		mapped(t, HERE(), HT_KIND_MMAP,
		    moves ? HT_REC_REALLOC_DONE : HT_REC_ALLOC, p,
		    whole_pages(size));
	if (over)
		gone(t, HT_KIND_MMAP, to, p != MAP_FAILED);
	return p;
}

/* The break went up from there. */
static void
break_up(struct ht_thread *t, const uintptr_t *frame, const void *p, size_t by)
{
	if (by)
		mapped(t, frame, HT_KIND_BRK, HT_REC_ALLOC, p, by);
}

HT_EXPORT int
brk(void *end)
{
	struct ht_thread *t = enter_map(HERE());
	uintptr_t was, is = (uintptr_t)end;
	struct hold before;
	int r;

	if (unlikely(!ht_real.brk || !ht_real.sbrk)) {
		errno = ENOMEM;
		return -1;
	}
	if (likely(!t))
		return ht_real.brk(end);
	before = hold(t, HERE());
	was = (uintptr_t)ht_real.sbrk(0);
	if (is < was)
		going(t, HT_KIND_BRK, end, was - is);
	r = ht_real.brk(end);
	let_go(t, before);
	if (is < was)
		gone(t, HT_KIND_BRK, end, r == 0);
	else if (r == 0)
		break_up(t, HERE(), (void *)was, is - was);
	return r;
}

HT_EXPORT void *
sbrk(intptr_t by)
{
	struct ht_thread *t = enter_map(HERE());
	uintptr_t size = by < 0 ? -(uintptr_t)by : (uintptr_t)by;
	char *end = NULL;
	struct hold before;
	void *p;

	if (unlikely(!ht_real.sbrk)) {
		errno = ENOMEM;
		return (void *)-1;
	}
	if (likely(!t))
		return ht_real.sbrk(by);
	before = hold(t, HERE());
	if (by < 0) {
		end = (char *)ht_real.sbrk(0) - size;
		going(t, HT_KIND_BRK, end, size);
	}
	p = ht_real.sbrk(by);
	let_go(t, before);
	if (by < 0)
		gone(t, HT_KIND_BRK, end, p != (void *)-1);
	else if (p != (void *)-1)
		break_up(t, HERE(), p, size);
	return p;
}

/* ---- heaptrack_api.h -------------------------------------------------- */

extern void heaptrack_malloc(void *, size_t);
extern void heaptrack_realloc(void *, size_t, void *);
extern void heaptrack_free(void *);

HT_EXPORT void
heaptrack_malloc(void *p, size_t size)
{
	struct ht_thread *t = enter(HERE());

	if (t)
		allocated(t, HERE(), p, size);
}

HT_EXPORT void
heaptrack_realloc(void *in, size_t size, void *out)
{
	struct ht_thread *t = enter(HERE());

	if (!t || !out)
		return;
	if (in)
		ht_publish(t, HT_REC_REALLOC, (uintptr_t)in, 0, 0);
	record(t, HERE(), in ? HT_REC_REALLOC_DONE : HT_REC_ALLOC, out, size);
}

HT_EXPORT void
heaptrack_free(void *p)
{
	struct ht_thread *t = enter(HERE());

	if (t && p)
		ht_publish(t, HT_REC_FREE, (uintptr_t)p, 0, 0);
}
