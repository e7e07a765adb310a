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

/* A remembered frame. The word that led to it is its pc: the return address
 * that the frame within has just below `sp`. */
struct known {
	uint64_t sp, pc, fp;
	uint32_t node;
	uint32_t words; /* up to and with those that its own step read; FP_LIVE:
			 * a frame from here out depends on fp */
};

#define FP_LIVE (1u << 31)

/* How to step out of a frame. */
enum step {
	STEP_UNKNOWN,
	STEP_SP, /* the CFA is above sp; what is read lies between the two */
	STEP_FP, /* above rbp; else the same, if it is so */
	STEP_ODD /* as the rule says, or not at all */
};

/* A code address that was met lately. */
struct site {
	uint64_t pc; /* return address */
	int32_t cfa; /* from sp or rbp */
	int32_t fp;  /* the saved rbp, from the CFA; 0: rbp is not saved */
	uint32_t frame;
	uint32_t parent, node; /* of this frame, as seen last */
	uint8_t step;
};

#define SITES_LOG2 10
#define NO_EPOCH   UINT64_MAX

/* A frame that is not remembered. */
struct fresh {
	uint64_t sp, pc, fp;
	struct site *site;
};

/* `known` begins with a frame that is none, further out than any. */
struct ht_memory {
	struct site site[1 << SITES_LOG2];
	struct site nowhere; /* code that no module owns */
	uint32_t cap;
	volatile uint64_t epoch; /* of the modules; 0: it is being rewritten */
	uint64_t rewriter;	 /* by a capture at this sp */
	uint64_t top;		 /* all words lie below this address */
	struct known *known, *innermost;
	struct fresh *fresh, *end;
	struct ht_word *word; /* read, other than return addresses */
};

/* A walk under way. */
struct search {
	struct ht_thread *t;
	struct ht_memory *m;
	uint32_t seq;
	uint32_t root; /* where the walk ended */
	uint64_t epoch;
	uint64_t first_sp;
	uint64_t pc, sp, fp; /* of the frame that it is at */
	struct ht_stack stack;
	struct fresh *fresh; /* where the next goes */
	struct known *met;   /* or the innermost that may still be met */
};

static struct ht_memory *
make_memory(uint32_t cap)
{
	size_t knowns = (cap + 1) * sizeof(struct known);
	size_t words = (cap + 1) * HT_WORDS_MAX * sizeof(struct ht_word);
	struct ht_memory *m =
	    ht_map_memory(sizeof *m + knowns + words + cap * sizeof *m->fresh);

	if (!m)
		return NULL;
	m->cap = cap;
	m->known = (struct known *)(m + 1);
	m->word = (struct ht_word *)((char *)m->known + knowns);
	m->fresh = (struct fresh *)((char *)m->word + words);
	m->end = m->fresh + cap;
	m->known->sp = UINT64_MAX;
	m->innermost = m->known;
	m->epoch = NO_EPOCH;
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

static inline size_t
count(const struct search *s)
{
	return (size_t)(s->fresh - s->m->fresh);
}

/* ---- to rewrite the memory -------------------------------------------- */

/* Claims the memory for a capture. False: a signal handler captured in
 * between, so what the walk has read may be the handler's. From here to
 * end_rewrite() a handler that captures finds the memory claimed. */
static HOT bool
begin_rewrite(struct search *s)
{
	s->m->rewriter = s->first_sp;
	atomic_signal_fence(memory_order_seq_cst);
	s->m->epoch = 0;
	atomic_signal_fence(memory_order_seq_cst);
	return s->t->seq == s->seq;
}

static HOT void
end_rewrite(struct search *s)
{
	atomic_signal_fence(memory_order_seq_cst);
	s->m->epoch = s->epoch;
}

/*
 * For a memory that is of another epoch, or being rewritten: by a capture that
 * we interrupted, then it cannot be had; or by one that was left by longjmp,
 * whose frame lay below ours. False: it cannot be had.
 */
static __attribute__((noinline)) bool
take_memory(struct search s)
{
	struct ht_memory *m = s.m;
	bool taken;

	if (s.epoch >= HT_CLOSING ||
	    (!m->epoch &&
		(m->rewriter >= s.first_sp || m->rewriter < s.stack.lo)))
		return false;
	taken = begin_rewrite(&s);
	if (taken) {
		m->innermost = m->known;
		for (size_t i = 0; i < sizeof m->site / sizeof *m->site; i++)
			if (m->site[i].step)
				m->site[i].step = STEP_UNKNOWN;
	}
	end_rewrite(&s);
	return taken;
}

/* ---- code addresses --------------------------------------------------- */

static HOT struct site *
site_of(struct ht_memory *m, uint64_t pc)
{
	return &m->site[pc * UINT64_C(0x9e3779b97f4a7c15) >> (64 - SITES_LOG2)];
}

static uint64_t
rule_of(const struct site *l)
{
	return ht_cfi_cached(&ht_frame_ptr(l->frame)->rule, l->pc - 1);
}

/* By which kind of step the rule can be followed. */
static enum step
step_of(uint64_t rule)
{
	int64_t n = ht_rule_n(rule), k = ht_rule_k(rule);

	if (ht_rule_fp(rule) == HT_FP_AT_FP ||
	    (ht_rule_fp(rule) == HT_FP_AT_CFA && k >= -8))
		return STEP_ODD;
	if (ht_rule_kind(rule) == HT_RULE_FP)
		return STEP_FP;
	if (ht_rule_kind(rule) == HT_RULE_SP && n > 0 && n % 8 == 0 && -k <= n)
		return STEP_SP;
	return STEP_ODD;
}

/* The site of `pc`, which another may have to make room for; NULL: it cannot
 * be had. The memory is claimed. */
static struct site *
fill_site(struct ht_memory *m, uint64_t pc)
{
	uint32_t frame = ht_frame_at(pc - 1);
	struct site *l = site_of(m, pc);
	uint64_t rule;

	/* Ours are left out of stacks. */
	if (!frame || ht_capture_is_own(frame))
		return NULL;
	rule = ht_cfi_cached(&ht_frame_ptr(frame)->rule, pc - 1);
	/* What no module owns may be another's tomorrow. */
	if (ht_rule_kind(rule) == HT_RULE_NONE)
		l = &m->nowhere;
	*l = (struct site){
	    .pc = pc,
	    .cfa = (int32_t)ht_rule_n(rule),
	    .fp = ht_rule_fp(rule) == HT_FP_SAME ? 0 : (int32_t)ht_rule_k(rule),
	    .frame = frame,
	    .step = (uint8_t)step_of(rule),
	};
	return l;
}

static struct site *
find_site(struct search *s)
{
	struct site *l = site_of(s->m, s->pc);

	if (l->pc == s->pc && l->step)
		return l;
	l = begin_rewrite(s) ? fill_site(s->m, s->pc) : NULL;
	end_rewrite(s);
	return l;
}

/* ---- the walk --------------------------------------------------------- */

enum progress { GO_ON, DONE, IMPOSSIBLE };

static enum progress
end_at(struct search *s, uint32_t root)
{
	s->root = root;
	s->met = s->m->known;
	return DONE;
}

/* By the rule, whatever that is. Its words are to lie in the frames that are
 * live and in what is known of the stack: they can be read again for as long
 * as the frame is there. */
static enum progress
step_odd(struct search *s, uint64_t rule)
{
	struct walk w = {.pc = s->pc, .sp = s->sp, .fp = s->fp};
	struct ht_word log[HT_WORDS_MAX], *end = log;

	w.stack = s->stack;
	if (!walk_fast(&w, rule, &end) || w.jumps)
		return IMPOSSIBLE;
	for (const struct ht_word *r = log; r < end; r++)
		if (r->at < s->first_sp || r->at + 8 > w.stack.hi)
			return IMPOSSIBLE;
	s->pc = w.pc;
	s->sp = w.sp;
	s->fp = w.fp;
	s->stack = w.stack;
	return GO_ON;
}

/* One frame of any kind. */
static __attribute__((noinline)) enum progress
advance(struct search *s)
{
	struct site *l;
	uint64_t rule;

	if (s->pc == 0 && count(s) > 0)
		return end_at(s, HT_ROOT);
	if (s->fresh == s->m->end || s->pc < PC_MIN || s->pc > HT_PTR_MAX)
		return IMPOSSIBLE;
	l = find_site(s);
	if (!l)
		return IMPOSSIBLE;
	*s->fresh++ = (struct fresh){s->sp, s->pc, s->fp, l};
	rule = rule_of(l);
	switch (ht_rule_kind(rule)) {
	case HT_RULE_END:
		return end_at(s, HT_ROOT);
	case HT_RULE_NONE:
		return end_at(s, HT_ROOT_CUT);
	case HT_RULE_SIGNAL:
	case HT_RULE_SLOW:
		return IMPOSSIBLE;
	default:
		return step_odd(s, rule);
	}
}

static inline uint64_t
load(uint64_t at)
{
	return *(const uint64_t *)at;
}

/* One frame of a kind that most are; false: it is not. */
static HOT bool
advance_fast(struct search *s)
{
	struct site *l = site_of(s->m, s->pc);
	uint64_t cfa = (uint64_t)(int64_t)l->cfa;

	if (unlikely(l->pc != s->pc || s->fresh == s->m->end))
		return false;
	if (likely(l->step == STEP_SP)) {
		cfa += s->sp;
	} else {
		cfa += s->fp;
		if (l->step != STEP_FP || cfa & 7 || cfa <= s->sp ||
		    (int64_t)(cfa - s->sp) < -(int64_t)l->fp)
			return false;
	}
	if (unlikely(cfa > s->stack.hi))
		return false;
	*s->fresh++ = (struct fresh){s->sp, s->pc, s->fp, l};
	if (l->fp)
		s->fp = load(cfa + (uint64_t)(int64_t)l->fp);
	s->pc = load(cfa - 8);
	s->sp = cfa;
	return true;
}

/* Has the walk come to a remembered frame? Leaves out those it has passed. */
static HOT bool
meets(struct search *s)
{
	struct known *k = s->met;

	while (k->sp < s->sp)
		k--;
	s->met = k;
	return k->sp == s->sp && k->pc == s->pc &&
	       (!(k->words & FP_LIVE) || k->fp == s->fp);
}

/* Walks on until a remembered frame is met or the walk ends. */
static HOT enum progress
walk_on(struct search *s)
{
	while (!meets(s)) {
		if (unlikely(!advance_fast(s))) {
			/* A copy, or *s could not live in registers. */
			struct search copy = *s;
			enum progress p = advance(&copy);

			*s = copy;
			if (p != GO_ON)
				return p;
		}
	}
	return DONE;
}

/* ---- the proof -------------------------------------------------------- */

/* Does the frame within `k` no longer return to it? */
static HOT bool
is_changed(const struct known *k)
{
	return load(k->sp - 8) != k->pc;
}

/* The innermost frame from `k` out that the one within it does not return to
 * any more, or NULL. */
static HOT struct known *
changed_frame(const struct ht_memory *m, struct known *k)
{
	for (; k > m->known + 3; k -= 4)
		if (unlikely(is_changed(k) || is_changed(k - 1) ||
			     is_changed(k - 2) || is_changed(k - 3)))
			break;
	for (; k > m->known; k--)
		if (is_changed(k))
			return k;
	return NULL;
}

/* Does the word hold something else than it did? */
static HOT bool
differs(const struct ht_word *w)
{
	return load(w->at) != w->value;
}

/* The innermost frame from `k` out whose step read another word that has
 * changed, or NULL. */
static HOT struct known *
changed_word(const struct ht_memory *m, struct known *k)
{
	uint32_t n = k->words & ~FP_LIVE;
	const struct ht_word *first = m->word, *w = first + n;

	if (n == 0)
		return NULL;
	for (; w > first + 3; w -= 4)
		if (unlikely(differs(w - 1) || differs(w - 2) ||
			     differs(w - 3) || differs(w - 4)))
			break;
	while (w > first && likely(!differs(w - 1)))
		w--;
	if (likely(w == first))
		return NULL;
	while (first + (k[-1].words & ~FP_LIVE) >= w)
		k--;
	return k;
}

/*
 * The remembered frame s->met was met. Do the words that the frames from there
 * out were found by hold what they held? If not, only frames further out than
 * the one that has changed may still be met.
 */
static HOT bool
proved(struct search *s)
{
	struct known *changed = changed_frame(s->m, s->met - 1);

	if (likely(!changed))
		changed = changed_word(s->m, s->met);
	if (likely(!changed))
		return true;
	s->met = changed - 1;
	return false;
}

/* The whole search. s->met is then the innermost remembered frame that is on
 * the stack, if there is one. */
static HOT bool
find_stack(struct search *s, bool prove)
{
	enum progress p;

	do
		p = walk_on(s);
	while (p == DONE && s->met != s->m->known && prove && !proved(s));
	return p == DONE;
}

/* ---- to remember ------------------------------------------------------ */

/* Adds what an odd step out of a frame read, for `words` as known.words has it;
 * the step is made once more. False: that cannot be. */
static __attribute__((noinline)) bool
add_odd(struct ht_memory *m, struct ht_stack stack, const struct fresh *f,
    uint64_t rule, uint32_t *words)
{
	struct walk w = {.pc = f->pc, .sp = f->sp, .fp = f->fp};
	struct ht_word log[HT_WORDS_MAX], *end = log;
	bool restores = ht_rule_fp(rule) != HT_FP_SAME;

	if (ht_rule_kind(rule) > HT_RULE_FP_AT)
		return true; /* the outermost */
	w.stack = stack;
	if (!walk_fast(&w, rule, &end))
		return false;
	/* The last word is the return address, the one before the caller's
	 * rbp, if the step restores that: of no interest where nothing depends
	 * on it. */
	end -= 1 + (restores && !(*words & FP_LIVE));
	for (const struct ht_word *from = log; from < end; from++)
		m->word[(*words)++ & ~FP_LIVE] = *from;
	if (restores)
		*words &= ~FP_LIVE;
	if (ht_rule_kind(rule) != HT_RULE_SP || ht_rule_fp(rule) == HT_FP_AT_FP)
		*words |= FP_LIVE;
	return true;
}

/* The same for the other steps out of a frame whose caller is `outer`. */
static HOT uint32_t
add_word(struct ht_memory *m, const struct known *outer, const struct site *l,
    uint32_t words)
{
	if (l->fp) {
		if (words & FP_LIVE)
			m->word[words++ & ~FP_LIVE] = (struct ht_word){
			    outer->sp + (uint64_t)(int64_t)l->fp, outer->fp};
		words &= ~FP_LIVE;
	}
	return l->step == STEP_FP ? words | FP_LIVE : words;
}

/* Adds the fresh frames to those remembered up to s->met. */
static HOT uint32_t
add_to_memory(struct search *s)
{
	struct ht_memory *m = s->m;
	const struct fresh *first = m->fresh;
	struct known *k = s->met; /* what the next is called from */
	uint32_t node = k->node, words = k->words;

	if (k == m->known) {
		node = s->root;
		/* A return address that is no frame's is a word like others. */
		if (s->pc == 0)
			m->word[words++] = (struct ht_word){s->sp - 8, 0};
	}
	for (const struct fresh *f = s->fresh; f-- > first; k++) {
		struct site *l = f->site;

		/* It may have made room for another of this very stack. */
		if (unlikely(l->pc != f->pc) && !(l = fill_site(m, f->pc)))
			return 0;
		if (likely(l->step != STEP_ODD)) {
			words = add_word(m, k, l, words);
		} else {
			uint32_t copy = words;

			if (!add_odd(m, s->stack, f, rule_of(l), &copy))
				return 0;
			words = copy;
		}
		if (l->parent != node) {
			l->node = ht_node_child(node, l->frame);
			l->parent = l->node ? node : 0;
		}
		node = l->node;
		if (unlikely(!node))
			return 0;
		k[1] = (struct known){f->sp, f->pc, f->fp, node, words};
	}
	m->innermost = k;
	return node;
}

/* Makes what the search found the memory. 0: a signal handler came between,
 * or it cannot be remembered. */
static HOT uint32_t
commit(struct search *s)
{
	struct ht_memory *m = s->m;
	uint32_t node = 0;

	if (s->fresh == m->fresh && s->met == m->innermost) {
		node = s->met->node;
		atomic_signal_fence(memory_order_seq_cst);
		return likely(s->t->seq == s->seq) ? node : 0;
	}
	if (likely(begin_rewrite(s))) {
		if (s->fresh == m->fresh) {
			/* What the remembered stack has grown from. */
			m->innermost = s->met;
			node = s->met->node;
		} else {
			m->innermost = m->known;
			m->top = s->stack.hi;
			if (likely(s->met + count(s) <= m->known + m->cap))
				node = add_to_memory(s);
		}
	}
	end_rewrite(s);
	return node;
}

static HOT uint32_t
capture(struct ht_thread *t, const struct ht_context *from, bool prove)
{
	struct ht_memory *m;
	struct search s;
	uint32_t node = 0;
	uint64_t hi;

	/* One by one: clearing it all would cost more than the walk. */
	s.t = t;
	s.seq = ++t->seq;
	s.epoch = atomic_load_explicit(&ht_frames_epoch, memory_order_relaxed);
	if (unlikely(!t->memory))
		grow(t);
	s.m = m = t->memory;
	if (unlikely(!m || from->sp & 7))
		return 0;
	s.first_sp = s.sp = from->sp;
	s.pc = from->pc;
	s.fp = from->fp;
	s.stack = ht_stack_enter(s.sp - 8);
	hi = s.stack.hi;
	if (unlikely(m->epoch != s.epoch) && !take_memory(s))
		return 0;
	s.fresh = m->fresh;
	s.met = likely(m->top <= hi) ? m->innermost : m->known;
	if (likely(find_stack(&s, prove)))
		node = commit(&s);
	if (unlikely(!node) && s.fresh == m->end)
		grow(t);
	if (unlikely(s.stack.hi != hi))
		ht_stack_leave(s.stack);
	return node;
}

uint32_t
ht_prefix_capture(struct ht_thread *t, const struct ht_context *from)
{
	return capture(t, from, true);
}

uint32_t
ht_prefix_believe(struct ht_thread *t, const struct ht_context *from)
{
	return capture(t, from, false);
}

void
ht_prefix_forget(struct ht_thread *t)
{
	if (!t->memory)
		return;
	t->memory->innermost = t->memory->known;
	t->memory->epoch = NO_EPOCH;
}

size_t
ht_prefix_frames(
    const struct ht_thread *t, uint32_t *frame, size_t max, bool *whole)
{
	const struct ht_memory *m = t->memory;
	uint32_t node = m->innermost->node;
	size_t n = 0;

	while (node > HT_ROOT_CUT && n < max)
		frame[n++] = ht_node_frame(&node);
	*whole = node == HT_ROOT;
	return n;
}

#else

uint32_t
ht_prefix_capture(struct ht_thread *t, const struct ht_context *from)
{
	(void)t, (void)from;
	return 0;
}

uint32_t
ht_prefix_believe(struct ht_thread *t, const struct ht_context *from)
{
	(void)t, (void)from;
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
