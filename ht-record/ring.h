/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the recorder and the preload library share: one memfd, mapped by both.
 * This is the only header that both include.
 *
 *   struct ht_ring   state words, on cache lines by who writes them
 *   records          a power of two of 16-byte slots
 *   modules          the loaded objects, and a heap of bytes for their names
 *   frames           code addresses, each with its module
 *   nodes            the tree of stacks
 *   sampled blocks   with --sample: which of the live blocks are
 *
 * Every area is sparse: pages nobody touched cost nothing. Index 0 of frames
 * and nodes is none.
 * The program writes, the recorder reads, except for the words said to be the
 * recorder's. All words are native-endian: both sides run on one machine.
 */
#ifndef HT_RING_H
#define HT_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* tick | control << 32 in one load; little-endian, as all we run on. */
#define ht_ring_news(r)                                                        \
	__atomic_load_n((const uint64_t *)&(r)->tick, __ATOMIC_RELAXED)

#define HT_RING_MAGIC	0x31676e6972746800u /* "\0htring1" */
#define HT_RING_VERSION 1

/*
 * A record. Published in one step, by a 16-byte compare-and-swap of the slot:
 * the slot's old content has the lap before, so whoever loses the race sees a
 * newer lap and goes on to the next slot. Nobody ever holds a slot that is not
 * published, so a thread may stop, die or jump away anywhere.
 *
 *   w0: stack 28 | size 24 | thread 12     (from bit 0 up)
 *   w1: pointer 48 | kind 4 | lap 12
 *
 * A size or a pointer too large for its field travels in the stack: the stack
 * is then a qualifier node (below) that names the high bits and whose parent
 * is the stack meant. So does what the allocator made usable, and the kind of
 * an allocation that is not the heap's: its node is the innermost qualifier. In
 * a record that has no stack, as of a free, it is a child of the root.
 */
struct ht_rec {
	uint64_t w0, w1;
};

enum ht_rec_kind {
	HT_REC_NONE = 0,     /* never published: a slot nobody wrote yet */
	HT_REC_ALLOC,	     /* pointer, size, stack */
	HT_REC_FREE,	     /* pointer; size: HT_FREE_* */
	HT_REC_REALLOC,	     /* intent: the old pointer, before the call;
			      * size: HT_FREE_* */
	HT_REC_REALLOC_DONE, /* the new pointer, size, stack; pointer 0: the
			      * new block is not sampled */
	HT_REC_REALLOC_FAIL, /* the old pointer again: it lives on */
	HT_REC_TICK,	     /* pointer: ms since the start */
	HT_REC_LOST,	     /* pointer: events dropped before this one */
	/* From here on not even --lossy drops them. */
	HT_REC_THREAD,	  /* pointer: kernel's tid, now behind `thread` */
	HT_REC_NAME,	  /* 12 bytes of its name; see ht_rec_name */
	HT_REC_EXEC,	  /* the program is about to call execve */
	HT_REC_EXEC_FAIL, /* and execve came back */
	HT_REC_MARK,	  /* pointer: which ring->mark has its text; size */
	HT_REC_RECORDING, /* pointer: 0 allocations pause, 1 they go on */
};

/* In the size of a free. With --sample the events between two records of a
 * thread are not seen; so it says whether there were none. */
enum { HT_FREE_PLAIN = 0, HT_FREE_NOT_NEXT = 1 };

#define HT_STACK_BITS  28
#define HT_SIZE_BITS   24
#define HT_THREAD_BITS 12
#define HT_PTR_BITS    48
#define HT_LAP_BITS    12
#define HT_STACK_MAX   ((1u << HT_STACK_BITS) - 1)
#define HT_SIZE_MAX    ((1u << HT_SIZE_BITS) - 1)
#define HT_THREAD_MAX  ((1u << HT_THREAD_BITS) - 1)
#define HT_PTR_MAX     ((UINT64_C(1) << HT_PTR_BITS) - 1)
#define HT_LAP_MASK    ((1u << HT_LAP_BITS) - 1)

static inline uint64_t
ht_rec_w0(uint32_t stack, uint32_t size, uint32_t thread)
{
	return stack | (uint64_t)size << 28 | (uint64_t)thread << 52;
}

static inline uint64_t
ht_rec_w1(uint64_t ptr, enum ht_rec_kind kind)
{
	return ptr | (uint64_t)kind << 48;
}

static inline uint32_t
ht_rec_stack(const struct ht_rec *r)
{
	return (uint32_t)r->w0 & HT_STACK_MAX;
}

static inline uint32_t
ht_rec_size(const struct ht_rec *r)
{
	return (uint32_t)(r->w0 >> 28) & HT_SIZE_MAX;
}

static inline uint32_t
ht_rec_thread(const struct ht_rec *r)
{
	return (uint32_t)(r->w0 >> 52);
}

static inline uint64_t
ht_rec_ptr(const struct ht_rec *r)
{
	return r->w1 & HT_PTR_MAX;
}

/* A thread's name travels in records of 12 bytes: 3 in the stack, below the
 * number of the part, 3 in the size and 6 in the pointer. */
#define HT_NAME_PART  12
#define HT_NAME_PARTS 2
#define HT_NAME_SIZE  16 /* the kernel's, with the NUL */

struct ht_name_part {
	uint32_t stack, size;
	uint64_t ptr;
};

static inline struct ht_name_part
ht_name_pack(const char name[HT_NAME_PARTS * HT_NAME_PART], uint32_t part)
{
	const char *s = name + part * HT_NAME_PART;
	struct ht_name_part p = {0};

	memcpy(&p.stack, s, 3);
	memcpy(&p.size, s + 3, 3);
	memcpy(&p.ptr, s + 6, 6);
	p.stack |= part << 24;
	return p;
}

static inline enum ht_rec_kind
ht_rec_kind(uint64_t w1)
{
	return (enum ht_rec_kind)(w1 >> 48 & 15);
}

static inline uint32_t
ht_rec_lap(uint64_t w1)
{
	return (uint32_t)(w1 >> 52);
}

/* Puts the part where it belongs. */
static inline void
ht_rec_name(const struct ht_rec *r, char name[HT_NAME_PARTS * HT_NAME_PART])
{
	uint32_t stack = ht_rec_stack(r), size = ht_rec_size(r);
	uint64_t ptr = ht_rec_ptr(r);
	char *s = name + (stack >> 24) % HT_NAME_PARTS * HT_NAME_PART;

	memcpy(s, &stack, 3);
	memcpy(s + 3, &size, 3);
	memcpy(s + 6, &ptr, 6);
}

/* The lap of position `pos` in a ring of 1 << `shift` slots; a fresh memfd
 * holds lap 0 everywhere, so the first lap is 1. */
static inline uint32_t
ht_lap(uint64_t pos, unsigned shift)
{
	return (uint32_t)((pos >> shift) + 1) & HT_LAP_MASK;
}

/*
 * A frame: a pc of one module instance. `key` is the pc while the frame may be
 * found, HT_FRAME_DEAD once its module is gone; `pc` stays for the recorder.
 * The pc is the address of the call: return address - 1, or the very pc of a
 * frame that a signal interrupted. A qualifier frame carries a number instead,
 * and its key has the kind in its top four bits.
 *
 * Frames are found by a hash trie: 1 << HT_FRAME_HEADS root links, each the
 * root of a trie of frames, two bits of the hash a level, whose nodes are the
 * frames themselves. Lookups are lock-free, an insertion is one
 * compare-and-swap of a 0 link, nothing is ever moved. (After Wellons, "The
 * hash-trie data structure", 2023.)
 */
struct ht_frame {
	_Atomic uint64_t key;
	_Atomic uint64_t pc;
	_Atomic uint64_t rule;	 /* the unwinder's; 0 = not computed yet */
	_Atomic uint32_t module; /* 0 not known yet, 1 + its index, or HT_Q_* */
	_Atomic uint32_t link;	 /* next frame of the same module */
	_Atomic uint32_t next[4];
	uint64_t pad[2];
};

#define HT_FRAME_DEAD  1u
#define HT_FRAME_HEADS 14
#define HT_NO_MODULE   0xffffffffu /* code that no object owns: a JIT's */
#define HT_Q_SIZE      0xfffffffeu /* pc: the size asked for, in bytes */
#define HT_Q_POINTER   0xfffffffdu /* pc: bits 48 to 63 of the pointer */
#define HT_Q_KIND      0xfffffffcu /* pc: of the allocation, HT_KIND_* */
#define HT_Q_USABLE    0xfffffffbu /* pc: bytes of the block that can be used */

/*
 * Maps (HT_KIND_MMAP, HT_KIND_BRK) are extents rather than blocks: an intent,
 * HT_REC_REALLOC, has a size, too, and says that there is nothing any more in
 * this part of the address space; the result may be of size 0, when nothing is
 * put there instead.
 *
 * Kinds of allocations. Blocks of different kinds may be at one address: a pool
 * has its memory from the heap. Those from HT_KIND_NAMED on are pools with a
 * name; once all numbers are taken, pools share the last. */
#define HT_KIND_HEAP  0
#define HT_KIND_MMAP  1
#define HT_KIND_BRK   2
#define HT_KIND_NAMED 8
#define HT_KINDS_MAX  256
#define HT_NAME_MAX   255 /* bytes of the name of a pool, or of a mark */

/* The text of a mark that is on its way. */
struct ht_mark_text {
	/* 1: taken by the program, until the recorder has read it. */
	_Atomic uint32_t taken;
	char text[HT_NAME_MAX + 1];
};
#define HT_MARKS 64

/*
 * A node of the tree of stacks: this frame, called from the stack `parent`.
 * Its children form a hash trie like the frames', rooted in `child`.
 * Node 0 is no node. Node HT_ROOT is the root of whole stacks, HT_ROOT_CUT of
 * those whose root side is unknown; neither is a frame.
 */
struct ht_node {
	uint32_t frame;
	uint32_t parent;
	_Atomic uint32_t child;
	_Atomic uint32_t next[4];
	uint32_t pad;
};

/*
 * The live blocks that are sampled: a hash trie like the frames', of their
 * addresses. A node whose block is freed stays where it is, with address 0, for
 * the next block whose way leads there. In front of it is a filter of bytes,
 * each a count of the sampled blocks whose addresses fall to it: where that is
 * 0 a free need not look further. A count that was 255 stays. What lies close
 * together shares a byte, so the part of the filter that a program's frees go
 * through is small against what it works with itself, and stays in the cache.
 */
struct ht_sampled {
	_Atomic uint64_t address; /* 0: none */
	_Atomic uint32_t next[4];
};

#define HT_SAMPLED_HEADS 12
#define HT_FILTER_BITS	 16
#define HT_FILTER_GRAIN	 10 /* log2 of the bytes of memory for each */

#define HT_ROOT	    1u
#define HT_ROOT_CUT 2u

/* A loaded object. Strings lie in the module heap. */
struct ht_ring_segment {
	uint64_t vaddr, memsz;
};

#define HT_SEGMENTS_MAX 16
#define HT_BUILD_ID_MAX 32

struct ht_module {
	_Atomic uint32_t state;	 /* 0 unused, HT_MODULE_* */
	uint32_t name, name_len; /* offset in the heap, bytes; an empty name
				  * is the executable's */
	uint32_t build_id_len;
	uint64_t bias;
	uint32_t nsegments;
	uint32_t pad;
	struct ht_ring_segment segment[HT_SEGMENTS_MAX];
	uint8_t build_id[HT_BUILD_ID_MAX];
};

enum { HT_MODULE_LIVE = 1, HT_MODULE_GONE };

#define HT_MODULES_MAX 16384

struct ht_ring {
	/* Written once by the recorder, before the program sees it. */
	uint64_t magic;
	uint32_t version, flags;
	uint32_t shift; /* 1 << shift records */
	/* Frames and nodes that fit in their areas; less once the program has
	 * limited its address space, and given back what it does not use. */
	_Atomic uint32_t frame_max, node_max;
	uint32_t heap_size; /* bytes of the module heap */
	uint64_t size;	    /* of the whole mapping, bytes */
	/* Offsets of the areas, bytes, page-aligned, ascending. */
	uint64_t records_at, heads_at, modules_at, heap_at, frames_at, nodes_at;
	/* Mean bytes between samples, 0: every block is recorded, and the next
	 * three areas are not there. */
	uint64_t sample;
	uint64_t seed; /* of the threads' random numbers */
	uint64_t filter_at, sampled_heads_at, sampled_at;
	uint32_t sampled_max; /* nodes of sampled blocks that fit */

	/* The recorder's, read by the program with every record. */
	_Alignas(64) _Atomic uint64_t tail; /* records consumed */
	_Atomic uint32_t space; /* futex: raised when `tail` made room */
	/* `tick` and `control` make one word with `seen`, what the program
	 * has acted upon: a record costs one comparison. */
	_Alignas(64) _Atomic uint32_t tick; /* ms since the start */
	_Atomic uint32_t control;	    /* HT_CTL_* */
	_Atomic uint64_t seen; /* program's: tick | control << 32, or
				* HT_UNSEEN to be asked again */
	_Atomic uint64_t lost; /* program's: events dropped in all */
	_Atomic uint64_t told; /* of them, told in HT_REC_LOST records */
	/* On the robust list of a thread of the recorder's (robust_futexes,
	 * set_robust_list(2)): the kernel sets FUTEX_OWNER_DIED in `alive`
	 * when the recorder ends, however that comes. */
	uint64_t robust; /* the list's link, an address of the recorder's */
	_Atomic uint32_t alive;

	/* The program's. */
	/* A hint: every HT_HEAD_STEP records, and never past the truth. */
	_Alignas(64) _Atomic uint64_t head;
	_Alignas(64) _Atomic uint32_t waiters; /* 1: someone waits on `space` */
	_Atomic uint32_t claimed; /* pid of the image that took this ring */
	_Atomic uint32_t ready;	  /* 1: recording, 2: gave up, see `why` */
	_Atomic uint32_t nodes;	  /* nodes handed out */
	_Atomic uint32_t modules; /* modules handed out */
	_Atomic uint32_t heap;	  /* bytes of the module heap handed out */
	_Atomic uint32_t frames;  /* frames handed out */
	_Atomic uint32_t sampled; /* nodes of sampled blocks handed out */
	_Atomic uint64_t verified, differences, unverifiable; /* HT_VERIFY=1 */
	uint32_t exe, exe_len; /* its path, in the module heap */
	/* The names of the kinds from HT_KIND_NAMED on: offset in the module
	 * heap << 32 | bytes; 0: free, and so are all after it. */
	_Atomic uint64_t kind[HT_KINDS_MAX];
	struct ht_mark_text mark[HT_MARKS];
	char why[128];	     /* a text for people when `ready` is 2 */
	uint32_t allocators; /* other than the libc's that are hooked:
			      * HT_ALLOCATOR_* */
	char note[192];	     /* a text of what could not be hooked, or "" */
};

#define HT_UNSEEN    UINT64_MAX
#define HT_HEAD_STEP 64

/* flags */
enum {
	HT_RING_LOSSY = 1,     /* full: drop and count, do not wait */
	HT_RING_VERIFY = 2,    /* compare every stack with libunwind's */
	HT_RING_LIBUNWIND = 4, /* capture with libunwind */
	HT_RING_UNPROVED = 8,  /* believe the remembered prefix: wrong */
	HT_RING_LINK_MAP = 16, /* find objects as if glibc were old */
	HT_RING_USABLE = 32,   /* ask for the usable size of each block */
	HT_RING_MAPS = 64,     /* record mmap and brk */
};

enum {
	HT_ALLOCATOR_WITHIN = 1,   /* in the executable itself */
	HT_ALLOCATOR_ELSEWHERE = 2 /* in a library */
};

/* What the word of the program that says "recording" says (ht_live.on). */
enum ht_on {
	HT_OFF = 0,
	HT_ON = 1, /* every block; of all that record this bit is set */
	HT_NOT_STARTED = 2,
	HT_SAMPLING = HT_ON | 4
};

static inline enum ht_on
ht_on_for(const struct ht_ring *r)
{
	return r->sample ? HT_SAMPLING : HT_ON;
}

/* control */
enum {
	HT_CTL_STOP = 1,    /* record nothing more */
	HT_CTL_NO_CALLS = 2 /* seccomp: make no system call */
};

_Static_assert(sizeof(struct ht_rec) == 16, "a record is one cmpxchg16b");
_Static_assert(sizeof(struct ht_frame) == 64, "a frame is a cache line");
_Static_assert(sizeof(struct ht_node) == 32, "two nodes a cache line");
_Static_assert(offsetof(struct ht_ring, tail) % 64 == 0, "own cache line");
_Static_assert(
    offsetof(struct ht_ring, tick) % 8 == 0 &&
	offsetof(struct ht_ring, control) == offsetof(struct ht_ring, tick) + 4,
    "one word");
_Static_assert(
    offsetof(struct ht_ring, alive) == offsetof(struct ht_ring, robust) + 8,
    "the list has one offset for all");
_Static_assert(HT_STACK_BITS + HT_SIZE_BITS + HT_THREAD_BITS == 64, "w0");
_Static_assert(HT_PTR_BITS + 4 + HT_LAP_BITS == 64, "w1");

/*
 * The library in a program that was running already: an image of it, put there
 * by the recorder, known to no loader. Its ELF header's entry is the address
 * of this. What begins with "in:" the recorder writes before `start` is run.
 */
#define HT_HEAD_MAGIC  0x3164616568746800u /* "\0hthead1" */
#define HT_HOOKS_MAX   24
#define HT_PATCHES_MAX 384
#define HT_POINTS_MAX  512
#define HT_STUB_SIZE   32 /* bytes before that, for the way to the hook */
#define HT_MOVED_MAX   64 /* bytes that moved instructions take */
#define HT_NEAR_MAX    4
#define HT_AUXV_MAX    32

/* A function that is hooked. */
struct ht_hook {
	char name[24];
	uint64_t hook; /* where calls are to go */
	uint64_t real; /* address of the word that says what it calls; or 0 */
	uint32_t only_called; /* 1: by us, and it has no hook */
	uint32_t only_with;   /* HT_RING_*: hooked if that is set; 0: always */
};

struct ht_area {
	uint64_t start, size; /* size 0: none */
};

/*
 * A function by which an allocator other than the libc's is entered
 * (preload/allocators.h has them all), and what its arguments are: their
 * numbers, from 1; 0: it has no such argument.
 */
struct ht_entry_point {
	const char *name;
	uint8_t op;	/* enum ht_entry_op */
	uint8_t family; /* enum ht_entry_family */
	uint8_t block;	/* what is freed, or where the block's address goes */
	uint8_t size, count;
	uint8_t throws; /* so many arguments, when it throws rather than return
			 * NULL; what follows it in the table does not throw,
			 * and takes a reference behind them */
	uint8_t variable; /* it is not a function */
};

enum ht_entry_op {
	HT_ENTRY_ALLOC,
	HT_ENTRY_DUPLICATE, /* a string: its length is the size */
	HT_ENTRY_FREE,
	HT_ENTRY_REALLOC,
	HT_ENTRY_REALLOC_OR_FREE, /* of which a failure frees */
	HT_ENTRY_POSIX,
	HT_ENTRY_EXPAND,  /* in place: returns it, or NULL */
	HT_ENTRY_XALLOCX, /* in place: returns how large it is then */
	HT_ENTRY_USABLE,  /* not hooked: says how much can be used */
};

/* Those of a family are there if the first of it is; the operators, if any
 * other is. */
enum ht_entry_family {
	HT_ENTRY_STANDARD,
	HT_ENTRY_JE,
	HT_ENTRY_RJEM,
	HT_ENTRY_TC,
	HT_ENTRY_MI,
	HT_ENTRY_GC,
	HT_ENTRY_OPERATORS,
	HT_ENTRY_FAMILIES
};

/* Whether `say`, an HT_ENTRY_USABLE of the same module, knows the blocks of
 * `f`. Operators of an executable may be its own, on top of anything. */
static inline bool
ht_entry_knows(const struct ht_entry_point *say, const struct ht_entry_point *f,
    bool executable)
{
	if (say->op != HT_ENTRY_USABLE)
		return false;
	if (f->family != HT_ENTRY_OPERATORS)
		return say->family == f->family;
	return say->family == HT_ENTRY_TC || say->family == HT_ENTRY_MI ||
	       (say->family == HT_ENTRY_STANDARD && !executable);
}

/* One that is hooked. */
struct ht_entry {
	const struct ht_entry_point *point;
	uint64_t real;	       /* what a hook calls */
	uint64_t nothrow;      /* and in its place, if that throws; or 0 */
	struct ht_area module; /* where it is */
	/* Says how much of its blocks can be used; or NULL. */
	size_t (*usable)(void *);
};

/* A jump over the entry of a function. */
struct ht_patch {
	uint64_t at;	/* 0: none */
	uint64_t moved; /* the function's first instructions, and on */
	uint8_t old[8], new[8];
	uint8_t size;  /* bytes of `old` and `new` in use */
	uint8_t taken; /* bytes of the function that were moved */
	uint8_t count; /* instructions moved; where each began and is */
	uint8_t from[6], to[6];
	uint8_t back; /* where the jump back is, behind `moved` */
	uint8_t pad[6];
};

struct ht_head {
	uint64_t magic;
	uint64_t start; /* int (void): 0, or -1 and the ring's `why` */
	uint64_t call;	/* calls rax, then makes the system call at `done` */
	uint64_t done;
	uint64_t live; /* page of the word that says "recording" */
	uint32_t hooks;
	uint32_t patched; /* 1: the patches are in place */
	struct ht_hook hook[HT_HOOKS_MAX];
	/* Of allocators other than the libc's: a table of struct
	 * ht_entry_point, to a name of NULL; one of struct ht_entry, as many
	 * as patches; and where calls are to go, r11 being such an entry. */
	uint64_t entry_points, entries, entry_hook;
	uint64_t heaptrack[3]; /* malloc, free, realloc of heaptrack_api.h */
	struct ht_patch patch[HT_PATCHES_MAX];
	struct ht_area image, ring, arena; /* in: mapped memory */
	struct ht_area near[HT_NEAR_MAX];  /* in: of moved instructions */
	uint64_t generation;		   /* in: another for each attach */
	uint64_t auxv[2 * HT_AUXV_MAX];	   /* in: type and value, to type 0 */
	uint64_t main_thread; /* in: thread pointer of the main thread, or 0 */
	char label[16], ring_name[16]; /* of the memory, for people */
	uint64_t tid_at; /* in: where libc keeps a thread's tid, from there */
};

/* The environment entry that leads the library to its ring:
 * HT_RECORD=<pid of ht-record>:<fd there>:<pid to record>, and with --follow
 * :<name of the follower>:<key>, for any other pid. */
#define HT_ENV "HT_RECORD"
/* The abstract socket that passes the ring's descriptor where /proc does not:
 * after the NUL byte this, then <pid of ht-record>-<fd there>. */
#define HT_SOCKET "ht-record-"
/* The follower's, which makes a ring for each process that asks: this, then
 * its name. It is sent a request; what comes back is an answer, with the ring's
 * descriptor, or the end of the connection: no ring. */
#define HT_FOLLOW_SOCKET "ht-follow-"
/* Seconds that each side waits for the other's word before it goes on without:
 * much, as a machine can be busy, and one that is dead is noticed at once. */
#define HT_FOLLOW_PATIENCE 60

struct ht_request {
	uint32_t key;	 /* shows that the environment is known */
	uint32_t forked; /* 1: a forked child, 0: a new image */
};

/* Where the next image of the process finds its ring. */
struct ht_answer {
	int32_t recorder, fd;
};

#endif
