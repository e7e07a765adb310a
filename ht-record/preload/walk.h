/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One step of a walk by rules, for the walker and the prefix's memory. */
#ifndef HT_WALK_H
#define HT_WALK_H

#include "ht-record/preload/cfi.h"
#include "ht-record/preload/preload.h"
#include "ht-record/preload/probe.h"

/* Outwards a stack has ascending frames. Going to another stack may lead
 * down; so many times at most, so that no walk goes round in circles. */
#define JUMPS_MAX 64

/* The first page is never code. */
#define PC_MIN 4096

/* A word of the stack that a walk has read. */
struct ht_word {
	uint64_t at, value;
};

#define HT_WORDS_MAX 3 /* that one step reads */

/* A frame: where it is executing, its stack pointer, its rbp. */
struct walk {
	uint64_t pc, sp, fp;
	bool exact; /* a signal interrupted it at pc: not a return address */
	unsigned jumps;
	struct ht_stack stack;
};

/* The address to look up. */
static inline uint64_t
walk_key(const struct walk *w)
{
	return w->pc - !w->exact;
}

/* The next frame begins at `sp`, which is not further up in what is known of
 * this stack: is that possible? */
static bool
walk_move(struct walk *w, uint64_t sp)
{
	if (sp > w->sp && ht_stack_reach(&w->stack, sp - 8, 8) &&
	    sp <= w->stack.hi)
		return true;
	if (sp <= w->sp && sp > w->stack.lo)
		return false; /* the same stack, backwards */
	return ++w->jumps <= JUMPS_MAX && ht_stack_switch(&w->stack, sp - 8);
}

static inline bool
walk_ascend(struct walk *w, uint64_t cfa)
{
	if (unlikely(cfa & 7))
		return false;
	if (likely(cfa > w->sp && cfa <= w->stack.hi))
		return true;
	return walk_move(w, cfa);
}

/* Over the kernel's signal frame: all registers are in the ucontext. */
static bool
walk_signal(struct walk *w)
{
	uint64_t sp, fp, pc;

	if (!ht_stack_load(&w->stack, w->sp + HT_UC_RSP, &sp) ||
	    !ht_stack_load(&w->stack, w->sp + HT_UC_RBP, &fp) ||
	    !ht_stack_load(&w->stack, w->sp + HT_UC_RIP, &pc))
		return false;
	/* The interrupted frame has words at sp and above, not below. */
	if (!(sp > w->sp && sp < w->stack.hi) && !walk_move(w, sp + 8))
		return false;
	w->sp = sp;
	w->fp = fp;
	w->pc = pc;
	w->exact = true;
	return true;
}

/* Reads a word of the stack; *log, unless it is NULL, gets it and moves on. */
static inline bool
walk_load(struct walk *w, uint64_t addr, uint64_t *value, struct ht_word **log)
{
	if (!ht_stack_load(&w->stack, addr, value))
		return false;
	if (log)
		*(*log)++ = (struct ht_word){addr, *value};
	return true;
}

/* To the caller of a frame that has a rule of one word. `log` as above; room
 * for HT_WORDS_MAX is wanted. */
static inline __attribute__((always_inline)) bool
walk_fast(struct walk *w, uint64_t rule, struct ht_word **log)
{
	uint64_t cfa, fp = w->fp, pc;

	switch (ht_rule_kind(rule)) {
	case HT_RULE_SP:
		cfa = w->sp + (uint64_t)ht_rule_n(rule);
		break;
	case HT_RULE_FP:
		cfa = fp + (uint64_t)ht_rule_n(rule);
		break;
	case HT_RULE_FP_AT:
		if (!walk_load(w, fp + (uint64_t)ht_rule_n(rule), &cfa, log))
			return false;
		break;
	default:
		return walk_signal(w);
	}
	/* The saved rbp first: the CFA may be on another stack. */
	if (ht_rule_fp(rule) == HT_FP_AT_FP &&
	    !walk_load(w, fp + (uint64_t)ht_rule_k(rule), &fp, log))
		return false;
	if (!walk_ascend(w, cfa))
		return false;
	if (ht_rule_fp(rule) == HT_FP_AT_CFA &&
	    !walk_load(w, cfa + (uint64_t)ht_rule_k(rule), &fp, log))
		return false;
	if (!walk_load(w, cfa - 8, &pc, log))
		return false;
	w->pc = pc;
	w->sp = cfa;
	w->fp = fp;
	w->exact = false;
	return true;
}

#endif
