/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the preload library share. Nothing here allocates, locks,
 * opens a file or starts a thread once the program runs; every function is
 * async-signal-safe and keeps errno unless it says otherwise.
 */
#ifndef HT_PRELOAD_H
#define HT_PRELOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "ht-record/preload/probe.h"
#include "ht-record/preload/unwind.h"
#include "ht-record/ring.h"

#ifdef HT_ATTACHED
#define HT_EXPORT /* nobody looks for a symbol there */
#else
#define HT_EXPORT __attribute__((visibility("default")))
#endif
#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* What is declared here is within reach of the code, not a table away. */
#pragma GCC visibility push(hidden)

/*
 * Whether this process records. The word lies on a page that the kernel wipes
 * in a forked child (MADV_WIPEONFORK), so a child of fork, _Fork or a raw
 * clone finds HT_OFF by itself. A vfork child shares it and records on.
 */
struct ht_live {
	_Atomic uint32_t on; /* enum ht_on */
	/* 1, or in a forked child, where it was wiped: 0 until it asks for
	 * a ring, then, till it has an answer, the tid of who asks. */
	_Atomic uint32_t known;
};
extern struct ht_live *ht_live;

static inline bool
ht_is_on(void)
{
	return atomic_load_explicit(&ht_live->on, memory_order_relaxed) & HT_ON;
}

/* Whether it records, and every block. */
static inline bool
ht_is_on_for_all(void)
{
	return atomic_load_explicit(&ht_live->on, memory_order_relaxed) ==
	       HT_ON;
}

/* The ring; NULL before recording begins. */
extern struct ht_ring *ht_ring;

/* Its records: there are mask + 1. */
extern struct ht_slots {
	struct ht_rec *first;
	uint64_t mask;
} ht_slots;

/* What a thread knows of its samples: sample.h. */
struct ht_sampler {
	uint64_t random; /* the state of its generator; 0: no seed yet */
	uint64_t *left;	 /* the bytes that are not drawn, before one that is */
	bool drawn;	 /* else it is 0, and says nothing */
	uint64_t own;	 /* where it is, if its hooks do not look at it first */
	uintptr_t last;	 /* the last block it sampled, 0: it freed one since */
	uint64_t last_left; /* *left when it did */
#ifdef HT_ATTACHED
	_Atomic uint8_t *filter; /* as ht_quick.filter */
#endif
};

#define HT_STATES_MAX 65536 /* of threads alive at a time */

/* One for each thread that allocates, in memory of our own. A thread's state
 * passes to another thread once the kernel no longer knows its tid. Each has
 * cache lines to itself: it is written with every event. */
struct ht_thread {
	_Alignas(64) _Atomic int32_t tid; /* 0: free */
	uint32_t number;		  /* in records, 1 to HT_THREAD_MAX */
	uint64_t tail;		/* the ring's tail when last looked at */
	uint64_t pos;		/* in the ring; all before it is filled */
	const uintptr_t *guard; /* frame of the hook that is in a real call */
	uintptr_t guard_pc;	/* that frame's return address */
	const struct ht_entry *entry; /* of that hook, if its frame is */
	const uintptr_t *entry_guard; /* this: allocators.h */
	volatile uint32_t seq; /* captures begun: a signal handler's shows */
	uint32_t stack_cap;
	uint32_t *stack;	  /* the frames of the capture under way */
	struct ht_memory *memory; /* of the last stack: prefix.c */
	struct ht_sampler sampler;
#ifdef HT_ATTACHED
	struct ht_ranges ranges;
	_Alignas(16) char unw_tls[64]; /* unwind-libunwind.c */
#endif
};

/* This thread's state, made at its first use; NULL: none can be had. */
struct ht_thread *ht_thread_make(void);
#ifdef HT_ATTACHED
#include "ht-record/preload/attached.h"
#else
extern __thread struct ht_thread *ht_self
    __attribute__((tls_model("initial-exec")));

static inline struct ht_thread *
ht_thread_known(void)
{
	return ht_self;
}

static inline void
ht_thread_is(struct ht_thread *t)
{
	ht_self = t;
}
#endif

static inline struct ht_thread *
ht_thread_self(void)
{
	struct ht_thread *t = ht_thread_known();

	return likely(t) ? t : ht_thread_make();
}

/* boot.c: the next definition of each function, once ht_boot_real() ran. */
struct ht_real {
	void *(*malloc)(size_t);
	void (*free)(void *);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	int (*posix_memalign)(void **, size_t, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	void *(*memalign)(size_t, size_t);
	void *(*valloc)(size_t);
	void *(*pvalloc)(size_t);
	size_t (*malloc_usable_size)(void *);
	int (*dlclose)(void *);
	int (*prctl)(int, ...);
	long (*syscall)(long, ...);
	void *(*mmap)(void *, size_t, int, int, int, off_t);
	int (*munmap)(void *, size_t);
	void *(*mremap)(void *, size_t, size_t, int, ...);
	int (*brk)(void *);
	void *(*sbrk)(intptr_t);
	void (*exit)(int); /* this and the next: musl's only, for cfi.c */
	void (*pthread_exit)(void *);
};
extern struct ht_real ht_real;

/* Finds the real functions. False while that is under way further up on this
 * stack: then memory comes from the boot arena. */
bool ht_boot_real(void);
/* Joins the ring if this process is the one to record; sets ht_live->on. */
void ht_boot_start(void);
/* Memory for whatever allocates while dlsym runs: never reused. */
void *ht_boot_alloc(size_t align, size_t size);
#define HT_BOOT_ARENA (64 << 10)
#ifdef HT_ATTACHED
#define ht_boot_owns(p) false
#else
extern char ht_boot_arena[HT_BOOT_ARENA];
static inline bool
ht_boot_owns(const void *p)
{
	return (uintptr_t)p - (uintptr_t)ht_boot_arena < HT_BOOT_ARENA;
}
#endif
size_t ht_boot_size(const void *p);
/* ht_sample_except() of all that there is. */
void ht_boot_except(void);

/* Our own entry of LD_PRELOAD, and HT_ENV's value; NULL when not recording. */
extern const char *ht_preload_entry, *ht_ring_entry;
extern int ht_pid; /* of the recorded process */

#ifndef HT_ATTACHED
/* boot.c: maps the ring behind a descriptor, NULL if it is none. */
struct ht_ring *ht_boot_map_ring(int fd);
/* A decimal number, which ends before what is returned. */
char *ht_put_number(char *p, unsigned n);

/* child.c: with --follow, where to ask for a ring; name 0: children are not
 * followed. */
extern struct ht_follower {
	int name, key;
} ht_follower;
/* A ring of this process's own, not claimed yet, and ht_ring_entry that leads
 * its next image to the one after it. NULL: there is none to be had. */
struct ht_ring *ht_child_ring(bool forked);
/* The first hook of a forked child, whose caller is `from`. */
void ht_child_start(const struct ht_context *from);
/* rlimits.c: the ring is no longer ours; what is left of it is unmapped. */
void ht_limits_leave(struct ht_ring *r, bool unmap);
/* thread.c, in a forked child: every state is as new, for a new ring; and the
 * ring is told of them. */
void ht_threads_inherit(void);
void ht_threads_announce(void);
#endif

/* capture.c: chooses the back end; 0, or -1 and ring->why. */
int ht_capture_init(void);
/* The tables are new ones. */
void ht_capture_renew(void);
/* Whether a hook of ours is among the callers in `from`. */
bool ht_capture_in_hook(struct ht_thread *t, const struct ht_context *from);
/* Whether a frame is of this library. */
bool ht_capture_is_own(uint32_t frame);
/* The node of the stack whose innermost frame is the one in `from`. */
uint32_t ht_capture_whole(struct ht_thread *t, const struct ht_context *from);
/* True: where ht_prefix_capture() finds it, no more is asked for. */
extern bool ht_capture_plain;
/* How `inner` came to be: called, directly or not, by the hook that `outer`
 * called; by a signal handler that interrupted that hook or what it called; or
 * without it, so that hook was left by longjmp. Where the stack cannot be
 * followed so far it was called. Walks both; not for the common case. */
enum ht_nesting { HT_CALLED, HT_INTERRUPTED, HT_NOT_CALLED };
enum ht_nesting ht_capture_nesting(struct ht_thread *t,
    const struct ht_context *inner, const struct ht_context *outer);

/* publish.c: ends recording in this process, for good. */
void ht_off(void);

/* True when the program must not make system calls (seccomp). */
int ht_no_calls(void);
/* Our own maps are not the program's: they go past the hooks. */
static inline void *
ht_own_mmap(void *at, size_t size, int flags, int fd)
{
	return (void *)syscall(
	    SYS_mmap, at, size, PROT_READ | PROT_WRITE, flags, fd, 0L);
}

static inline int
ht_own_munmap(void *p, size_t size)
{
	return (int)syscall(SYS_munmap, p, size);
}

/* Anonymous memory from the kernel; NULL when there is none to be had. */
void *ht_map_memory(size_t size);
/* The same, and a fork wipes it (MADV_WIPEONFORK). */
void *ht_map_wiped(size_t size);

#pragma GCC visibility pop

#endif
