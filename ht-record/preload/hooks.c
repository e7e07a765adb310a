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
#include <sys/syscall.h>
#include <unistd.h>

#include "ht-record/preload/allocators.h"
#include "ht-record/preload/api.h"
#include "ht-record/preload/frames.h"
#include "ht-record/preload/objects.h"
#include "ht-record/preload/prefix.h"
#include "ht-record/preload/publish.h"
#include "ht-record/preload/sample.h"

/* Of linux/seccomp.h, which a musl beside another libc does not see. */
#define SET_MODE_STRICT 0
#define SET_MODE_FILTER 1

#define HERE() ((const uintptr_t *)__builtin_frame_address(0))

/* How far below a hook that is in its real call another hook can be and still
 * have been called by it. */
#define NESTING_MAX (1u << 20)

/* A signal's frame is larger, on all machines. */
#define SIGNAL_FRAME 512

/* With --sample most calls end where they begin: in a jump to the real
 * function, by a hook that had no frame to make yet; the others go on by one,
 * too. So none of our functions calls a hook, if the compiler knows how to say
 * so. */
#if defined __GNUC__ && !defined __clang__
#define JUMPS	 __attribute__((aligned(64), optimize("optimize-sibling-calls")))
#define CAN_JUMP true
#else
#define JUMPS
#define CAN_JUMP false
#endif

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

/* Does an allocator call out of its own module: a new_handler, a finalizer, who
 * makes an exception? What these do is the program's. (One that ends in a jump
 * to the next has us for its caller.) */
static bool
called_back(const struct ht_thread *t, uintptr_t pc)
{
	const struct ht_entry *e = t->entry;
	uint32_t frame;

	if (!e || t->entry_guard != t->guard ||
	    pc - e->module.start < e->module.size)
		return false;
	frame = ht_frame_at(pc - 1);
	return frame && !ht_capture_is_own(frame);
}

/*
 * Is this hook called by an allocator that another hook has called? The guard
 * is only a hint: whoever left that call by longjmp left it set, and what it
 * names may lie unwritten in a frame that came later. It counts while the frame
 * it names lies above us, still returns where it did and is on our stack, and
 * no signal came in between: what a handler allocates is the program's.
 */
static __attribute__((noinline)) bool
within(struct ht_thread *t, const uintptr_t *frame)
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

/* Code of ours, which lies before all that is written to. */
static inline bool
is_ours(uintptr_t pc)
{
	return pc - (uintptr_t)&ht_image <
	       (uintptr_t)&ht_real - (uintptr_t)&ht_image;
}

/* Is this hook called by the allocator that `e` is of? Without a walk: no
 * signal's frame lies in less than this between it and the other hook. */
static inline bool
calls_itself(
    const struct ht_thread *t, const struct ht_entry *e, const uintptr_t *frame)
{
	const uintptr_t *g = t->guard;

	return (uintptr_t)g - (uintptr_t)frame - 1 < SIGNAL_FRAME &&
	       g[1] == t->guard_pc &&
	       frame[1] - e->module.start < e->module.size;
}

/* `e` is what the hook is of, NULL: of a function of the libc. For some
 * allocators this is a part of every call. Where one of their functions ends in
 * a jump to the next, we are the caller of the hook of that. */
static __attribute__((noinline)) bool
nested(struct ht_thread *t, const uintptr_t *frame, const struct ht_entry *e)
{
	if (CAN_JUMP && is_ours(frame[1]))
		return true;
	if (!e && t->entry_guard == t->guard)
		e = t->entry;
	if (e && calls_itself(t, e, frame))
		return true;
	return within(t, frame) && !called_back(t, frame[1]);
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
	return ht_is_on() ? ht_thread_self() : NULL;
}

/* `t` if a call in its thread is to be recorded, else NULL. */
static inline struct ht_thread *
unless_nested(
    struct ht_thread *t, const uintptr_t *frame, const struct ht_entry *e)
{
	if (unlikely(!t) || unlikely(t->guard && nested(t, frame, e)))
		return NULL;
	return t;
}

/* This thread's state if the call is to be recorded, else NULL. */
static inline struct ht_thread *
enter_entry(const uintptr_t *frame, const struct ht_entry *e)
{
	return unless_nested(
	    likely(ht_is_on()) ? ht_thread_self() : enter_slow(frame), frame,
	    e);
}

static inline struct ht_thread *
enter(const uintptr_t *frame)
{
	return enter_entry(frame, NULL);
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

/* What says how much of a block can be used; NULL, or one of NULL: nothing. */
typedef size_t usable_size(void *);

/* The same where the common case does not apply: the stack is not to be had
 * that way, more is asked for, or blocks are sampled. Then the thread's count
 * decides; it has the realloc's old block in mind, which may be sampled where
 * the new one is not. */
static __attribute__((noinline)) void
record_slow(struct ht_thread *t, const uintptr_t *frame, enum ht_rec_kind kind,
    const void *p, size_t size, usable_size *const *usable)
{
	struct ht_context from = caller(frame);
	struct hold before;
	uint32_t stack;
	size_t n;

	if (ht_sample_wanted()) {
		ht_sample_ready(t);
		if (ht_sample_passes(t, size)) {
			if (kind == HT_REC_REALLOC_DONE)
				ht_publish(t, kind, 0, 0, 0);
			return;
		}
		ht_sample_restart(t);
		if (!ht_sample_take(t, p)) {
			ht_publish_lost();
			return;
		}
	}
	stack = ht_capture_whole(t, &from);
	if (ht_ring->flags & HT_RING_USABLE && usable && *usable) {
		/* tcmalloc's makes an object first. */
		before = hold(t, frame);
		n = (*usable)((void *)p);
		let_go(t, before);
		stack = ht_publish_usable(stack, n);
	}
	ht_publish(t, kind, (uintptr_t)p, size, stack);
}

/* The stack if the common case applies, else 0. */
static inline __attribute__((always_inline)) uint32_t
plain_stack(struct ht_thread *t, const struct ht_context *from)
{
	return likely(ht_capture_plain) ? ht_prefix_capture(t, from) : 0;
}

static inline __attribute__((always_inline)) void
record(struct ht_thread *t, const uintptr_t *frame, enum ht_rec_kind kind,
    const void *p, size_t size, usable_size *const *usable)
{
	struct ht_context from = caller(frame);
	uint32_t stack = plain_stack(t, &from);

	if (likely(stack))
		ht_publish(t, kind, (uintptr_t)p, size, stack);
	/* What passes shall not cost a call. */
	else if (kind != HT_REC_ALLOC || !ht_sample_wanted() ||
		 !ht_sample_passes(t, size))
		record_slow(t, frame, kind, p, size, usable);
}

static inline __attribute__((always_inline)) void
allocated(
    struct ht_thread *t, const uintptr_t *frame, const void *p, size_t size)
{
	if (likely(p))
		record(t, frame, HT_REC_ALLOC, p, size,
		    &ht_real.malloc_usable_size);
}

/* ---- blocks that are sampled ------------------------------------------ */

/* Publishes that a block is gone, or is about to, if it was recorded: true. */
static inline bool
freed(struct ht_thread *t, enum ht_rec_kind kind, const void *p)
{
	unsigned how = HT_FREE_PLAIN;

	if (unlikely(ht_sample_wanted()) && !ht_sample_drop(t, p, &how))
		return false;
	ht_publish(t, kind, (uintptr_t)p, how, 0);
	return true;
}

/* Publishes that it is not gone: its realloc failed. */
static void
lives_on(struct ht_thread *t, const void *p)
{
	if (ht_sample_wanted())
		ht_sample_keep(p);
	ht_publish(t, HT_REC_REALLOC_FAIL, (uintptr_t)p, 0, 0);
}

/* ---- the family ------------------------------------------------------- */

static inline __attribute__((always_inline)) void *
allocate(struct ht_thread *t, const uintptr_t *frame, size_t size)
{
	struct hold before;
	void *p;

	if (unlikely(!t))
		return ht_real.malloc ? ht_real.malloc(size)
				      : ht_boot_alloc(16, size);
	before = hold(t, frame);
	p = ht_real.malloc(size);
	let_go(t, before);
	allocated(t, frame, p, size);
	return p;
}

static __attribute__((noinline)) void *
malloc_slow(size_t size)
{
	return allocate(enter(HERE()), HERE(), size);
}

HT_EXPORT JUMPS void *
malloc(size_t size)
{
	return ht_sample_only_passes(size) ? ht_real.malloc(size)
					   : malloc_slow(size);
}

static __attribute__((noinline)) void *
calloc_slow(size_t n, size_t size)
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

HT_EXPORT JUMPS void *
calloc(size_t n, size_t size)
{
	return ht_sample_only_passes(n * size) ? ht_real.calloc(n, size)
					       : calloc_slow(n, size);
}

static inline __attribute__((always_inline)) void
release(struct ht_thread *t, const uintptr_t *frame, void *p)
{
	struct hold before = hold(t, frame);

	ht_real.free(p);
	let_go(t, before);
}

static __attribute__((noinline)) void
free_recorded(void *p)
{
	struct ht_thread *t;

	if (!p || unlikely(ht_boot_owns(p)))
		return;
	t = unless_nested(ht_thread_self(), HERE(), NULL);
	if (unlikely(!t)) {
		ht_real.free(p);
		return;
	}
	ht_publish(t, HT_REC_FREE, (uintptr_t)p, 0, 0);
	release(t, HERE(), p);
}

static __attribute__((noinline)) void
free_slow(void *p)
{
	struct ht_thread *t;

	if (!p || ht_boot_owns(p))
		return;
	t = enter(HERE());
	if (t) {
		freed(t, HT_REC_FREE, p);
		release(t, HERE(), p);
	} else if (ht_real.free) {
		ht_real.free(p);
	}
}

/* Beside a sampled block a program may have those that it uses most. */
static __attribute__((noinline)) JUMPS void
free_looked_up(void *p)
{
	if (ht_sample_only_shares(p) && !ht_boot_owns(p))
		ht_real.free(p);
	else
		free_slow(p);
}

HT_EXPORT JUMPS void
free(void *p)
{
	if (ht_sample_only_frees(p))
		ht_real.free(p);
	else if (likely(ht_is_on_for_all()))
		free_recorded(p);
	else
		free_looked_up(p);
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

static __attribute__((always_inline)) inline void *
reallocate(const uintptr_t *frame, void *p, size_t size)
{
	struct ht_thread *t = enter(frame);
	struct hold before;
	bool told = false;
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
		told = freed(t, size ? HT_REC_REALLOC : HT_REC_FREE, p) && size;
	before = hold(t, frame);
	q = ht_real.realloc(p, size);
	let_go(t, before);
	if (likely(q))
		record(t, frame, told ? HT_REC_REALLOC_DONE : HT_REC_ALLOC, q,
		    size, &ht_real.malloc_usable_size);
	else if (told)
		lives_on(t, p);
	return q;
}

static __attribute__((noinline)) void *
realloc_slow(void *p, size_t size)
{
	return reallocate(HERE(), p, size);
}

HT_EXPORT JUMPS void *
realloc(void *p, size_t size)
{
	return (!p || ht_sample_only_frees(p)) && ht_sample_only_passes(size)
		   ? ht_real.realloc(p, size)
		   : realloc_slow(p, size);
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
	bool on = ht_is_on();
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

#ifndef HT_ATTACHED
static __attribute__((noinline)) void
ban_calls(void)
{
	if (enter(HERE()))
		atomic_fetch_or(&ht_ring->control, HT_CTL_NO_CALLS);
}

/* Most programs have no other way to call seccomp(2), which no libc has. Its
 * jump to the real one leaves the stack as it was: that of clone's child is
 * another. The libc's has no fixed arguments, so the name in C is another. */
HT_EXPORT long ht_syscall(long number, long a, long b, long c, long d, long e,
    long f) __asm__("syscall");

HT_EXPORT __attribute__((optimize("optimize-sibling-calls"))) long
ht_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	long (*real)(long, ...) = ht_real.syscall;

	if (!real && !(real = dlsym(RTLD_NEXT, "syscall"))) {
		errno = ENOSYS;
		return -1;
	}
	/* Not where it only asks what the kernel can do. */
	if (unlikely(number == SYS_seccomp) &&
	    ((a == SET_MODE_STRICT && b == 0) ||
		(a == SET_MODE_FILTER && c != 0)))
		ban_calls();
	return ((long (*)(long, long, long, long, long, long, long))real)(
	    number, a, b, c, d, e, f);
}
#endif

/* Of linux/mman.h: glibc has it since 2.32. */
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* ---- maps --------------------------------------------------------------- */

/*
 * Only with --mmap, else each is the real function. What goes is published
 * before the call, and how that went after it, since another thread may have
 * the addresses before the call has returned. What an allocator maps is its
 * own, whether it asks itself or has the libc do so.
 */

static inline struct ht_thread *
enter_map(const uintptr_t *frame)
{
	struct ht_thread *t;

	if (likely(!ht_ring) || likely(!(ht_ring->flags & HT_RING_MAPS)))
		return NULL;
	t = ht_is_on() ? ht_thread_self() : enter_slow(frame);
	return t && t->guard && within(t, frame) ? NULL : t;
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

	if (t && p)
		record(t, HERE(), HT_REC_ALLOC, p, size, NULL);
}

HT_EXPORT void
heaptrack_realloc(void *in, size_t size, void *out)
{
	struct ht_thread *t = enter(HERE());

	bool told;

	if (!t || !out)
		return;
	told = in && freed(t, HT_REC_REALLOC, in);
	record(t, HERE(), told ? HT_REC_REALLOC_DONE : HT_REC_ALLOC, out, size,
	    NULL);
}

HT_EXPORT void
heaptrack_free(void *p)
{
	struct ht_thread *t = enter(HERE());

	if (t && p)
		freed(t, HT_REC_FREE, p);
}

/* ---- allocators of the program's own ----------------------------------- */

typedef unsigned __int128 real_function(
    uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

static unsigned __int128
call_real(struct ht_thread *t, const uintptr_t *frame, const struct ht_entry *e,
    uint64_t function, const uint64_t *arg)
{
	const struct ht_entry *outer = t->entry;
	const uintptr_t *outer_guard = t->entry_guard;
	struct hold before;
	uint64_t left;
	unsigned __int128 r;

	t->entry = e;
	t->entry_guard = frame;
	before = hold(t, frame);
	left = ht_sample_wanted() ? ht_sample_suspend(t) : 0;
	r = ((real_function *)function)(
	    arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	if (left)
		ht_sample_resume(t, left);
	let_go(t, before);
	t->entry = outer;
	t->entry_guard = outer_guard;
	return r;
}

static size_t
size_asked(const struct ht_entry_point *f, const uint64_t *arg)
{
	size_t size = arg[f->size - 1];

	if (f->count && __builtin_mul_overflow(size, arg[f->count - 1], &size))
		return SIZE_MAX; /* it will fail */
	return size;
}

static unsigned __int128
entry_alloc(struct ht_thread *t, const struct ht_entry *e,
    const uintptr_t *frame, uint64_t *arg)
{
	const struct ht_entry_point *f = e->point;
	unsigned __int128 r;
	const char *p;

#ifdef HT_ATTACHED
	/* No exception passes an image that no loader knows. So it is asked
	 * for what does not throw; when that fails, all is as if there were no
	 * hook. */
	if (f->throws) {
		static const char nothrow;
		uint64_t quiet[6];

		r = 0;
		if (e->nothrow) {
			memcpy(quiet, arg, sizeof quiet);
			quiet[f->throws] = (uintptr_t)&nothrow;
			r = call_real(t, frame, e, e->nothrow, quiet);
		}
		if (!(uintptr_t)r)
			arg[HT_ENTRY_TAIL] = e->real;
	} else
#endif
		r = call_real(t, frame, e, e->real, arg);
	p = (const char *)(uintptr_t)r;
	if (p)
		record(t, frame, HT_REC_ALLOC, p,
		    f->op == HT_ENTRY_DUPLICATE ? strlen(p) + 1
						: size_asked(f, arg),
		    &e->usable);
	return r;
}

/* As reallocate(). */
static unsigned __int128
entry_realloc(struct ht_thread *t, const struct ht_entry *e,
    const uintptr_t *frame, const uint64_t *arg)
{
	const struct ht_entry_point *f = e->point;
	uint64_t old = arg[f->block - 1];
	size_t size = size_asked(f, arg);
	bool told = false;
	unsigned __int128 r;

	if (old)
		told = freed(t, size ? HT_REC_REALLOC : HT_REC_FREE,
			   (const void *)old) &&
		       size;
	r = call_real(t, frame, e, e->real, arg);
	if ((uintptr_t)r)
		record(t, frame, told ? HT_REC_REALLOC_DONE : HT_REC_ALLOC,
		    (const void *)(uintptr_t)r, size, &e->usable);
	else if (told && f->op == HT_ENTRY_REALLOC)
		lives_on(t, (const void *)old);
	return r;
}

/* The block stays where it is, so nobody can get its address meanwhile. */
static unsigned __int128
entry_expand(struct ht_thread *t, const struct ht_entry *e,
    const uintptr_t *frame, const uint64_t *arg)
{
	size_t size = size_asked(e->point, arg);
	unsigned __int128 r = call_real(t, frame, e, e->real, arg);

	if (e->point->op == HT_ENTRY_XALLOCX ? (size_t)r >= size
					     : (uintptr_t)r != 0) {
		const void *p = (const void *)arg[0];
		bool told = freed(t, HT_REC_REALLOC, p);

		record(t, frame, told ? HT_REC_REALLOC_DONE : HT_REC_ALLOC, p,
		    size, &e->usable);
	}
	return r;
}

unsigned __int128
ht_entry_call(uint64_t *arg, const struct ht_entry *e, const uintptr_t *frame)
{
	struct ht_thread *t = NULL;
	unsigned __int128 r;

	if (e->point->op != HT_ENTRY_FREE || arg[0])
		t = enter_entry(frame, e);
	if (!t) {
		arg[HT_ENTRY_TAIL] = e->real;
		return 0;
	}
	switch ((enum ht_entry_op)e->point->op) {
	case HT_ENTRY_ALLOC:
	case HT_ENTRY_DUPLICATE:
		return entry_alloc(t, e, frame, arg);
	case HT_ENTRY_REALLOC:
	case HT_ENTRY_REALLOC_OR_FREE:
		return entry_realloc(t, e, frame, arg);
	case HT_ENTRY_EXPAND:
	case HT_ENTRY_XALLOCX:
		return entry_expand(t, e, frame, arg);
	case HT_ENTRY_POSIX:
		r = call_real(t, frame, e, e->real, arg);
		if ((int)r == 0 && *(void **)arg[0])
			record(t, frame, HT_REC_ALLOC, *(void **)arg[0],
			    size_asked(e->point, arg), &e->usable);
		return r;
	case HT_ENTRY_FREE:
	case HT_ENTRY_USABLE: /* never */
		break;
	}
	freed(t, HT_REC_FREE, (const void *)arg[0]);
	return call_real(t, frame, e, e->real, arg);
}

/* ---- ht.h ------------------------------------------------------------- */

/* This thread's state if the call is to be recorded. */
static struct ht_thread *
enter_api(const uintptr_t *frame, struct ht_api *api)
{
	struct ht_thread *t = enter(frame);

	if (!t)
		ht_api_leave(api);
	return t;
}

static void
recording(struct ht_api *api, int on)
{
	struct ht_thread *t = enter_api(HERE(), api);

	if (t)
		ht_publish(t, HT_REC_RECORDING, on != 0, 0, 0);
}

static void
mark(struct ht_api *api, const char *text)
{
	struct ht_thread *t = enter_api(HERE(), api);

	if (t)
		ht_publish_mark(t, text);
}

/* Pools are not sampled. */
static void
pool_alloc(struct ht_api *api, const char *pool, const void *p, size_t size)
{
	struct ht_thread *t = enter_api(HERE(), api);
	struct ht_context from = caller(HERE());
	uint32_t stack;

	if (!t || !p)
		return;
	stack = plain_stack(t, &from);
	ht_publish_kind(t, HT_REC_ALLOC, (uintptr_t)p, size,
	    stack ? stack : ht_capture_whole(t, &from),
	    ht_kind_of_pool(pool, strlen(pool)));
}

static void
pool_free(struct ht_api *api, const char *pool, const void *p)
{
	struct ht_thread *t = enter_api(HERE(), api);

	if (t && p)
		ht_publish_kind(t, HT_REC_FREE, (uintptr_t)p, 0, 0,
		    ht_kind_of_pool(pool, strlen(pool)));
}

const struct ht_api_functions ht_api_functions = {
    recording, mark, pool_alloc, pool_free};
