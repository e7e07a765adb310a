/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verified prefix. A thread remembers its last stack: each frame with
 * what it was found by, and every word of memory that the walk read. A new
 * walk goes from the innermost frame outwards until it meets a remembered
 * one; if the words that the frames from there out were found by still hold
 * what they held, those frames are proved to be the same, since a walk is a
 * function of exactly these. So an allocation costs the frames that are new,
 * and one load for each word of the others.
 *
 * What is remembered has the outermost frame first, so the frames that two
 * stacks share, and the words behind them, are the beginnings of two arrays.
 * What a walk finds anew has the innermost first, until it is added.
 */
#include "ht-record/preload/prefix.h"

#include "ht-record/preload/frames.h"
#include "ht-record/preload/walk.h"

#if defined(__x86_64__)

/* In the way of every allocation; a call each would show. */
#define HOT inline __attribute__((always_inline))

#define FRAMES_FIRST 500 /* room that a thread's memory begins with */
#define FRAMES_MAX   (1u << 20)

struct known {
	uint64_t pc; /* as looked up */
	uint64_t sp, fp;
	uint64_t rule;
	uint32_t frame, node;
	uint32_t words; /* up to and with those that its own step read; of a
			 * fresh frame: where those begin */
	bool fp_live;	/* a frame from here out depends on fp */
};

/* A frame looked up lately, and its rule. */
struct lookup {
	volatile uint64_t pc; /* 0: being written */
	uint64_t rule;
	uint32_t frame, epoch;
};

#define LOOKUPS_LOG2 9

struct ht_memory {
	uint32_t depth, cap;
	uint32_t epoch;		/* of the modules */
	volatile uint32_t busy; /* being rewritten */
	uint64_t busy_sp;	/* by a capture at this sp */
	uint64_t top;		/* all words lie below this address */
	struct known *known, *fresh;
	struct ht_word *word, *fresh_word;
	struct lookup lookup[1 << LOOKUPS_LOG2];
};

/* A walk under way. */
struct search {
	struct ht_memory *m;
	struct walk w;
	size_t n;	  /* fresh frames */
	size_t candidate; /* remembered frames that may still be met */
	struct ht_word *log;
	uint32_t root; /* where it ended, if no remembered frame was met */
};

static struct ht_memory *
make_memory(uint32_t cap)
{
	size_t frames = cap * sizeof(struct known);
	size_t words = cap * HT_WORDS_MAX * sizeof(struct ht_word);
	char *p =
	    ht_map_memory(sizeof(struct ht_memory) + 2 * (frames + words));
	struct ht_memory *m = (struct ht_memory *)p;

	if (!p)
		return NULL;
	p += sizeof *m;
	m->cap = cap;
	m->known = (struct known *)p;
	m->fresh = (struct known *)(p += frames);
	m->word = (struct ht_word *)(p += frames);
	m->fresh_word = (struct ht_word *)(p + words);
	return m;
}

/* A memory for more frames in place of `t`'s. The old one is not unmapped: a
 * capture that a signal interrupted may be in it. */
static void
grow(struct ht_thread *t)
{
	uint32_t cap = t->memory ? t->memory->cap * 4 : FRAMES_FIRST;

	if (cap <= FRAMES_MAX)
		t->memory = make_memory(cap);
}

/* The caller's rbp, where the step out of a frame does not keep it. */
static bool
restores_fp(uint64_t rule)
{
	return ht_rule_fp(rule) != HT_FP_SAME;
}

static bool
uses_fp(uint64_t rule)
{
	enum ht_rule_kind kind = ht_rule_kind(rule);

	return kind == HT_RULE_FP || kind == HT_RULE_FP_AT ||
	       ht_rule_fp(rule) == HT_FP_AT_FP;
}

/* The frame that the walk is at, as a fresh one. */
static HOT void
add_fresh(struct search *s, uint32_t frame, uint64_t rule)
{
	struct known *k = &s->m->fresh[s->n++];

	k->pc = s->w.pc - 1;
	k->sp = s->w.sp;
	k->fp = s->w.fp;
	k->rule = rule;
	k->frame = frame;
	k->words = (uint32_t)(s->log - s->m->fresh_word);
}

static inline uint64_t
difference(const struct ht_word *w)
{
	return *(const uint64_t *)w->at ^ w->value;
}

/* Do the first `n` remembered words hold what they held? Looks from the
 * innermost on; returns how many are left with the innermost that does not,
 * 0: all hold. */
static HOT size_t
first_changed(const struct ht_memory *m, size_t n)
{
	const struct ht_word *w = m->word + n;

	for (; n >= 4; n -= 4, w -= 4)
		if (unlikely(difference(w - 1) | difference(w - 2) |
			     difference(w - 3) | difference(w - 4)))
			break;
	for (; n > 0; n--, w--)
		if (difference(w - 1))
			return n;
	return 0;
}

/*
 * Remembered frame `d` was met, and word number `changed` - 1 has changed: the
 * frames from `d` to the one that read it are the same, what is further out
 * is to be walked again. Steps over them.
 */
static bool
resume(struct search *s, size_t d, size_t changed)
{
	const struct ht_memory *m = s->m;

	for (;; d--) {
		uint64_t rule = m->known[d].rule;

		if (s->n == m->cap)
			return false;
		add_fresh(s, m->known[d].frame, rule);
		if (!walk_fast(&s->w, rule, &s->log))
			return false;
		s->candidate = d;
		if (d == 0 || m->known[d - 1].words < changed)
			return true;
	}
}

/* The remembered frame that the walk has reached, + 1; 0: none. */
static HOT size_t
meet(struct search *s)
{
	const struct known *known = s->m->known, *k;

	while (s->candidate > 0 && known[s->candidate - 1].sp < s->w.sp)
		s->candidate--;
	if (s->candidate == 0)
		return 0;
	k = &known[s->candidate - 1];
	if (k->sp != s->w.sp || k->pc != s->w.pc - 1 ||
	    (k->fp_live && k->fp != s->w.fp))
		return 0;
	return s->candidate;
}

enum progress { GO_ON, DONE, IMPOSSIBLE };

static __attribute__((noinline)) bool
look_up(struct lookup *l, uint32_t epoch, uint64_t pc, uint32_t *frame,
    uint64_t *rule)
{
	*frame = ht_frame_at(pc);
	if (!*frame)
		return false;
	*rule = ht_cfi_cached(&ht_frame_ptr(*frame)->rule, pc);
	/* What no module owns may be another's tomorrow. */
	if (ht_rule_kind(*rule) == HT_RULE_NONE)
		return true;
	l->pc = 0;
	atomic_signal_fence(memory_order_seq_cst);
	l->rule = *rule;
	l->frame = *frame;
	l->epoch = epoch;
	atomic_signal_fence(memory_order_seq_cst);
	l->pc = pc;
	return true;
}

/* The frame at `pc` and its rule. The second look at l->pc is for a signal
 * handler that may have come in between. */
static HOT bool
find_frame(struct ht_memory *m, uint64_t pc, uint32_t *frame, uint64_t *rule)
{
	struct lookup *l = &m->lookup[pc * UINT64_C(0x9e3779b97f4a7c15) >>
				      (64 - LOOKUPS_LOG2)];

	if (likely(l->pc == pc && l->epoch == m->epoch)) {
		*rule = l->rule;
		*frame = l->frame;
		atomic_signal_fence(memory_order_seq_cst);
		if (likely(l->pc == pc))
			return true;
	}
	return look_up(l, m->epoch, pc, frame, rule);
}

/* One frame that is not remembered. */
static HOT enum progress
advance(struct search *s)
{
	uint64_t pc = s->w.pc - 1, rule;
	uint32_t frame;

	if (s->w.pc == 0 && s->n > 0) {
		s->root = HT_ROOT;
		return DONE;
	}
	if (s->n == s->m->cap || s->w.pc < PC_MIN || s->w.pc > HT_PTR_MAX)
		return IMPOSSIBLE;
	if (!find_frame(s->m, pc, &frame, &rule))
		return IMPOSSIBLE;
	add_fresh(s, frame, rule);
	switch (ht_rule_kind(rule)) {
	case HT_RULE_END:
		s->root = HT_ROOT;
		return DONE;
	case HT_RULE_NONE:
		s->root = HT_ROOT_CUT;
		return DONE;
	case HT_RULE_SIGNAL:
	case HT_RULE_SLOW:
		return IMPOSSIBLE;
	default:
		return walk_fast(&s->w, rule, &s->log) ? GO_ON : IMPOSSIBLE;
	}
}

/* Adds the fresh frames to the first `keep` remembered ones. */
static uint32_t
add_to_memory(struct search *s, size_t keep)
{
	struct ht_memory *m = s->m;
	uint32_t node = keep ? m->known[keep - 1].node : s->root;
	size_t words = keep ? m->known[keep - 1].words : 0;
	bool live = keep ? m->known[keep - 1].fp_live : false;
	size_t end = (size_t)(s->log - m->fresh_word);

	for (size_t i = s->n; i-- > 0;) {
		struct known *k = &m->known[keep++];
		size_t at = m->fresh[i].words;

		*k = m->fresh[i];
		for (; at < end; at++) {
			/* The last word is the return address, the one before
			 * the caller's rbp, if the step restores that: of no
			 * interest where nothing depends on it. */
			if (live || !restores_fp(k->rule) || at + 2 != end)
				m->word[words++] = m->fresh_word[at];
		}
		end = m->fresh[i].words;
		live = uses_fp(k->rule) || (live && !restores_fp(k->rule));
		k->fp_live = live;
		k->words = (uint32_t)words;
		node = ht_node_child(node, k->frame);
		k->node = node;
		if (!node)
			return 0;
	}
	m->depth = (uint32_t)keep;
	return node;
}

/* Words in the frames that are live and in what is known of the stack: they
 * can be read again for as long as the frame is there. */
static bool
can_be_remembered(const struct search *s, uint64_t sp)
{
	if (s->w.jumps)
		return false;
	for (const struct ht_word *w = s->m->fresh_word; w < s->log; w++)
		if (w->at < sp || w->at + 8 > s->w.stack.hi)
			return false;
	return true;
}

/* Makes what the search found the memory. 0: a signal handler came between,
 * or it cannot be remembered. */
static uint32_t
commit(struct ht_thread *t, struct search *s, size_t keep, uint32_t seq,
    const struct ht_context *from)
{
	struct ht_memory *m = s->m;
	uint32_t node = 0;

	m->busy_sp = from->sp;
	m->busy = 1;
	atomic_signal_fence(memory_order_seq_cst);
	if (t->seq == seq && s->n == 0) {
		/* The very stack, or what it has grown from. */
		m->depth = (uint32_t)keep;
		node = m->known[keep - 1].node;
	} else if (t->seq == seq) {
		m->depth = 0;
		if (keep + s->n <= m->cap && can_be_remembered(s, from->sp))
			node = add_to_memory(s, keep);
		m->top = s->w.stack.hi;
	}
	atomic_signal_fence(memory_order_seq_cst);
	m->busy = 0;
	return node;
}

/* Is the memory free to be used? One that is being rewritten belongs to a
 * capture that we interrupted, or that was left by longjmp: then its frame
 * lay below ours. */
static bool
take_memory(struct ht_memory *m, const struct ht_context *from,
    const struct ht_stack *stack)
{
	if (likely(!m->busy))
		return true;
	if (m->busy_sp >= from->sp || m->busy_sp < stack->lo)
		return false;
	m->depth = 0;
	m->busy = 0;
	return true;
}

/* Walks on until a remembered frame is met (its number + 1 in *met) or the
 * walk ends. */
static enum progress
walk_on(struct search *s, size_t *met)
{
	enum progress p = GO_ON;

	while (p == GO_ON && !(*met = meet(s)))
		p = advance(s);
	return p;
}

/* The whole search; *met: how many remembered frames are its outer part. */
static bool
find_stack(struct search *s, bool prove, size_t *met)
{
	enum progress p = walk_on(s, met);

	while (*met && prove) {
		size_t changed =
		    first_changed(s->m, s->m->known[*met - 1].words);

		if (!changed)
			break;
		if (!resume(s, *met - 1, changed))
			return false;
		p = walk_on(s, met);
	}
	return *met || p == DONE;
}

uint32_t
ht_prefix_capture(
    struct ht_thread *t, const struct ht_context *from, bool prove)
{
	uint32_t epoch = ht_frames_epoch(), seq = ++t->seq, node = 0;
	struct search s;
	uint64_t hi;
	size_t met;

	/* One by one: clearing it all would cost more than the walk. */
	s.m = t->memory;
	s.n = s.candidate = 0;
	s.root = 0;
	s.w.pc = from->pc;
	s.w.sp = from->sp;
	s.w.fp = from->fp;
	s.w.exact = false;
	s.w.jumps = 0;

	if (unlikely(!s.m))
		grow(t);
	if (unlikely(!s.m || !epoch))
		return 0;
	ht_stack_enter(&s.w.stack, from->sp - 8);
	hi = s.w.stack.hi;
	if (!take_memory(s.m, from, &s.w.stack))
		return 0;
	if (unlikely(s.m->epoch != epoch)) {
		s.m->depth = 0;
		s.m->epoch = epoch;
	}
	s.log = s.m->fresh_word;
	if (likely(s.m->top <= s.w.stack.hi))
		s.candidate = s.m->depth;
	if (find_stack(&s, prove, &met))
		node = commit(t, &s, met, seq, from);
	if (unlikely(!node) && s.n == s.m->cap)
		grow(t);
	if (unlikely(s.w.stack.hi != hi && s.w.jumps == 0))
		ht_stack_leave(&s.w.stack);
	return node;
}

void
ht_prefix_forget(struct ht_thread *t)
{
	if (!t->memory)
		return;
	t->memory->depth = 0;
	t->memory->busy = 0;
}

size_t
ht_prefix_frames(
    const struct ht_thread *t, uint32_t *frame, size_t max, bool *whole)
{
	const struct ht_memory *m = t->memory;
	size_t n = 0;

	for (uint32_t i = m->depth; i-- > 0 && n < max;)
		frame[n++] = m->known[i].frame;
	*whole = m->depth && ht_rule_kind(m->known[0].rule) == HT_RULE_END;
	return n;
}

#else

uint32_t
ht_prefix_capture(
    struct ht_thread *t, const struct ht_context *from, bool prove)
{
	(void)t, (void)from, (void)prove;
	return 0;
}

void
ht_prefix_forget(struct ht_thread *t)
{
	(void)t;
}

size_t
ht_prefix_frames(
    const struct ht_thread *t, uint32_t *frame, size_t max, bool *whole)
{
	(void)t, (void)frame, (void)max, (void)whole;
	return 0;
}

#endif
