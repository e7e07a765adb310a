/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The walker by rules. A frame costs one lookup and two loads while its rule
 * fits a word. Where one does not, the registers that the fast walk did not
 * track are wanted: then the stack is interpreted once more, in full, from our
 * own frames out to there, and the fast walk goes on behind it.
 */
#include "ht-record/preload/unwind.h"

#include <string.h>

#include "ht-record/preload/frames.h"
#include "ht-record/preload/preload.h"
#include "ht-record/preload/walk.h"

#if defined(__x86_64__)

/* Our own frames between a walk and the hook's caller. */
#define OWN_FRAMES_MAX 32

/* The full state of frame number `at` of the same stack. */
struct slow {
	struct ht_regs regs;
	size_t at;
	bool begun, exact;
	struct ht_stack stack;
};

static int
slow_read(void *arg, uint64_t addr, unsigned size, uint64_t *value)
{
	if (!ht_stack_reach(arg, addr, size))
		return -1;
	*value = 0;
	memcpy(value, (const void *)addr, size);
	return 0;
}

/* To the caller, all registers; false when that cannot be. */
static bool
slow_step(struct slow *s)
{
	uint64_t pc = s->regs.reg[HT_REG_RIP] - !s->exact, cfa, sp;
	struct ht_cfi_fde fde;
	struct ht_cfi_row row;

	if (ht_cfi_find(pc, &fde) != 0 || ht_cfi_row(&fde, pc, &row) != 0 ||
	    ht_cfi_step(&row, &s->regs, &cfa, slow_read, &s->stack) != 0)
		return false;
	s->exact = fde.restorer;
	/* On another stack, its range spares a system call for each word. */
	sp = s->regs.reg[HT_REG_RSP] - 8;
	if (sp < s->stack.lo || sp >= s->stack.hi)
		ht_stack_switch(&s->stack, sp);
	return true;
}

/* The full state of the frame in `from`, by way of our own frames. */
static __attribute__((noinline)) bool
slow_begin(struct slow *s, const struct ht_context *from)
{
	ht_arch_capture(&s->regs);
	s->exact = true;
	s->at = 0;
	s->stack = ht_stack_enter(s->regs.reg[HT_REG_RSP]);
	for (unsigned i = 0; i < OWN_FRAMES_MAX; i++) {
		if (!slow_step(s) || s->regs.reg[HT_REG_RSP] > from->sp)
			return false;
		if (s->regs.reg[HT_REG_RSP] == from->sp &&
		    s->regs.reg[HT_REG_RIP] == from->pc)
			return true;
	}
	return false;
}

/* To the caller of frame number `at` by interpreting it in full. */
static __attribute__((noinline)) bool
walk_slow(
    struct walk *w, struct slow *s, size_t at, const struct ht_context *from)
{
	const uint64_t *reg = s->regs.reg;
	uint64_t sp;

	if (!s->begun && !slow_begin(s, from))
		return false;
	s->begun = true;
	for (; s->at < at; s->at++)
		if (!slow_step(s))
			return false;
	if (reg[HT_REG_RSP] != w->sp || reg[HT_REG_RIP] != w->pc ||
	    !slow_step(s))
		return false;
	s->at++;
	sp = reg[HT_REG_RSP];
	/* A frame without a word on the stack has its return address in a
	 * register; like a jump, that may not go on for ever. */
	if (sp == w->sp ? ++w->jumps > JUMPS_MAX
			: (sp < w->sp || sp > w->stack.hi) && !walk_move(w, sp))
		return false;
	w->pc = reg[HT_REG_RIP];
	w->sp = sp;
	w->fp = reg[HT_REG_RBP];
	w->exact = s->exact;
	return true;
}

static size_t
rules_walk(const struct ht_context *from, uint32_t *frame, size_t max,
    enum ht_walk_end *end)
{
	struct walk w = {.pc = from->pc, .sp = from->sp, .fp = from->fp};
	struct slow slow;
	size_t n = 0;

	slow.begun = false;
	w.stack = ht_stack_enter(w.sp - 8);
	*end = HT_WALK_CUT;
	while (w.pc >= PC_MIN && w.pc <= HT_PTR_MAX) {
		uint32_t index;
		uint64_t rule;

		if (n == max) {
			*end = HT_WALK_MORE;
			break;
		}
		index = ht_frame_at(walk_key(&w));
		if (unlikely(index == 0))
			break;
		frame[n] = index;
		rule = ht_cfi_cached(&ht_frame_ptr(index)->rule, walk_key(&w));
		if (unlikely(ht_rule_kind(rule) >= HT_RULE_SIGNAL)) {
			enum ht_rule_kind kind = ht_rule_kind(rule);

			if (kind == HT_RULE_END)
				*end = HT_WALK_WHOLE;
			/* Nobody called the restorer: no call before it. */
			if (kind == HT_RULE_SIGNAL && !w.exact &&
			    (index = ht_frame_at(w.pc)) != 0)
				frame[n] = index;
			n++;
			if (kind == HT_RULE_NONE || kind == HT_RULE_END)
				break;
			if (kind == HT_RULE_SLOW) {
				if (!walk_slow(&w, &slow, n - 1, from))
					break;
				continue;
			}
		} else {
			n++;
		}
		if (!walk_fast(&w, rule, NULL))
			break;
	}
	if (w.pc == 0 && !w.exact)
		*end = HT_WALK_WHOLE;
	if (w.jumps == 0)
		ht_stack_leave(w.stack);
	return n;
}

static int
rules_init(void)
{
	ht_probe_init();
	return ht_cfi_rule((uintptr_t)rules_init + 1) == HT_RULE_NONE ? -1 : 0;
}

#else

static size_t
rules_walk(const struct ht_context *from, uint32_t *frame, size_t max,
    enum ht_walk_end *end)
{
	(void)from, (void)frame, (void)max;
	*end = HT_WALK_CUT;
	return 0;
}

static int
rules_init(void)
{
	return -1;
}

#endif

const struct ht_unwinder ht_unwind_rules = {"rules", rules_init, rules_walk};
