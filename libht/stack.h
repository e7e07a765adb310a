/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tables that one trace defines as it goes: strings, modules, resolved
 * frames, stacks, allocation classes, threads, and what its header says.
 * Level 3. The reader (evread.h) fills them; ids in them are checked, so they
 * can be followed without a look at the counts.
 *
 * There is one form for traces that are symbolised and those that are not: a
 * stack is a frame and a parent, and a frame has the functions of an `i`
 * line, or none, and then, if its module is known, the offset in it.
 */
#ifndef HT_STACK_H
#define HT_STACK_H

#include "libht/base.h"
#include "libht/event.h"
#include "libht/intern.h"
#include "libht/map.h"

/* Where a stack was: one address. */
struct ht_frame {
	uint64_t ip;
	uint64_t
	    offset; /* ip less the load bias, as the module's file has it */
	uint32_t module;       /* intern id of its path, 0 unknown */
	bool symbolised;       /* out of an `i` line: `offset` means nothing */
	uint32_t first, count; /* fn[first] …: the innermost first */
};

struct ht_stack {
	uint32_t frame;	    /* frame[frame - 1]; 0 unknown */
	uint32_t parent;    /* smaller than its own id; 0 at the root */
	uint32_t kind : 30; /* kind[kind - 1], of `#K`; 0: the heap */
	uint32_t used : 1;  /* a class has it: no `#K` comes any more */
	uint32_t cut : 1;   /* `#C`: its root side is unknown */
};

/* An allocation class and what happened to it: one cache line, as this is
 * what every event touches. */
struct ht_class {
	uint64_t size;
	uint64_t live;	 /* blocks, after the event; the reader's */
	uint64_t allocs; /* blocks ever; the reader's */
	/* The next three are cost.h's. */
	uint64_t temporary;
	uint64_t peak; /* blocks live at the peak, once settled */
	uint64_t seen; /* the epoch that `peak` is of */
	uint32_t stack;
	uint16_t thread; /* 1 is the main thread */
	bool freed_temp; /* whether its last free was of a temporary block */
	bool other;	 /* its stack has a kind: it is not of the heap */
	uint64_t usable; /* 0: not recorded */
	uint64_t parts;	 /* `#N` less `#G`, modulo 2^64: blocks that came by no
			  * call; the reader's */
} __attribute__((aligned(64)));

struct ht_thread {
	uint32_t tid; /* 0: not defined */
	uint32_t name;
};

struct ht_range {
	uint64_t start, end, bias;
	uint32_t module;
	uint32_t order; /* of two with one start the later one counts */
};

struct ht_tables {
	struct ht_intern text; /* every text of the trace */

	uint32_t *string; /* `s`: string[id - 1] is an intern id */
	size_t nstring, string_cap;
	struct ht_frame *frame; /* frame[id - 1] */
	size_t nframe, frame_cap;
	struct ht_frame_fn *fn; /* intern ids, not string ids */
	size_t nfn, fn_cap;
	struct ht_stack *stack; /* stack[id - 1] */
	size_t nstack, stack_cap;
	uint32_t *kind; /* intern ids, of `#K` */
	size_t nkind, kind_cap;
	struct ht_map kinds;  /* intern id to its place in `kind`, + 1 */
	struct ht_class *cls; /* cls[id] */
	size_t ncls, cls_cap;
	struct ht_thread *thread; /* thread[id - 1] */
	size_t nthread, thread_cap;

	/* Modules of a trace that is not symbolised, now. */
	struct ht_range *range;
	size_t nrange, range_cap;
	bool range_sorted;
	struct ht_map by_ip; /* address to frame, under these modules */

	/* The header. Texts are intern ids, 0 when the trace has none. */
	uint32_t format, tool_version;
	uint32_t exe, command, tool; /* tool: the last `#H` */
	uint64_t page_size, pages;
	uint64_t pid, parent_pid, start;
	uint64_t sampled; /* mean bytes between samples, 0: all recorded */
	bool ours;	  /* ht-record wrote it */
	bool symbolised;  /* has no `x` and `m` lines */
	bool attached;

	/* Sums and last values so far. */
	uint64_t ms;	   /* the clock */
	uint64_t peak_rss; /* pages */
	uint64_t own_rss;  /* pages */
	uint64_t lost, unseen, missed;
	enum ht_end end;
	uint64_t end_value;
};

/* Empty again; the memory is kept for the next trace. */
void ht_tables_clear(struct ht_tables *t);
void ht_tables_release(struct ht_tables *t);

/* So many of its blocks were freed. */
static inline uint64_t
ht_class_frees(const struct ht_class *c)
{
	return c->allocs + c->parts - c->live;
}

/* A new class, zeroed, the last of t->cls. */
struct ht_class *ht_tables_class(struct ht_tables *t);
/* The number of a kind of allocations, for a stack: made when it is new. `text`
 * is an intern id. */
uint32_t ht_tables_kind(struct ht_tables *t, uint32_t text);
/* The intern id of a class's kind, 0: the heap. */
uint32_t ht_tables_class_kind(
    const struct ht_tables *t, const struct ht_class *c);
/* Mean bytes between a class's samples, 0: all were recorded. Only the heap is
 * sampled. */
static inline uint64_t
ht_tables_class_rate(const struct ht_tables *t, const struct ht_class *c)
{
	return c->other ? 0 : t->sampled;
}
/* The frame of an address of a trace that is not symbolised, under the modules
 * of this moment: made when it is new. 0 for address 0. */
uint32_t ht_tables_frame(struct ht_tables *t, uint64_t ip);
/* A module's segment: [start, end). */
void ht_tables_range(struct ht_tables *t, uint64_t start, uint64_t end,
    uint64_t bias, uint32_t module);
void ht_tables_no_modules(struct ht_tables *t);

#endif
