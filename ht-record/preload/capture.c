/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a hook's caller to the id of its stack. */
#include <string.h>
#include <sys/auxv.h>

#include "ht-record/preload/cfi.h"
#include "ht-record/preload/frames.h"
#include "ht-record/preload/preload.h"
#include "ht-record/preload/prefix.h"

#define FRAMES_FIRST 1000 /* room a thread's state begins with */

static const struct ht_unwinder *back_end;
static bool verify, prefix, prove;
bool ht_capture_plain;
static uint32_t own_module; /* ours, as frames name it */

#ifdef HT_ATTACHED
static _Atomic bool to_load; /* libunwind, for HT_VERIFY=1 */
static uint32_t loader_module;
#endif

void
ht_capture_renew(void)
{
	own_module = atomic_load(
	    &ht_frame_ptr(ht_frame_at((uintptr_t)ht_capture_init))->module);
}

int
ht_capture_init(void)
{
	uint32_t flags = ht_ring->flags;

	back_end =
	    flags & HT_RING_LIBUNWIND ? &ht_unwind_libunwind : &ht_unwind_rules;
	if (back_end->init() == -1) {
		strcpy(ht_ring->why, "the unwinder cannot work here");
		return -1;
	}
	ht_capture_renew();
	verify = flags & HT_RING_VERIFY;
	prefix = back_end == &ht_unwind_rules;
	prove = !(flags & HT_RING_UNPROVED);
	ht_capture_plain = prefix && prove && !verify && !ht_ring->sample &&
			   !(flags & HT_RING_USABLE);
#ifdef HT_ATTACHED
	to_load = verify;
	verify = false;
	loader_module =
	    atomic_load(&ht_frame_ptr(ht_frame_at(getauxval(AT_BASE)))->module);
#endif
	if (verify && back_end != &ht_unwind_libunwind &&
	    ht_unwind_libunwind.init() == -1) {
		strcpy(ht_ring->why, "libunwind cannot be loaded to verify");
		return -1;
	}
	return 0;
}

/* Room for twice the frames. The old buffer is not unmapped: a capture that a
 * signal handler interrupted may be writing to it. */
static bool
grow(struct ht_thread *t)
{
	uint32_t cap = t->stack_cap ? t->stack_cap * 2 : FRAMES_FIRST;
	uint32_t *bigger = ht_map_memory(cap * sizeof *bigger);

	if (!bigger)
		return false;
	t->stack = bigger;
	t->stack_cap = cap;
	return true;
}

/* The frames are those of the capture `seq`. Of one that a signal handler
 * interrupted they may be the handler's by now: then it does not count. */
static void
count_verified(struct ht_thread *t, uint32_t seq, const struct ht_context *from,
    const uint32_t *stack, size_t n, enum ht_walk_end end)
{
	int r = ht_unwind_verify(from, stack, n, end);

	atomic_signal_fence(memory_order_seq_cst);
	if (t->seq != seq)
		return;
	atomic_fetch_add(r == 1	  ? &ht_ring->differences
			 : r == 0 ? &ht_ring->verified
				  : &ht_ring->unverifiable,
	    1);
}

/* Walks into a buffer that is large enough: *stack, which a signal handler
 * may overwrite. Returns how many frames. */
static size_t
walk(struct ht_thread *t, const struct ht_context *from, uint32_t **stack,
    enum ht_walk_end *end)
{
	size_t n = 0;

	*end = HT_WALK_MORE;
	do {
		*stack = t->stack;
		if (t->stack_cap)
			n = back_end->walk(from, *stack, t->stack_cap, end);
	} while (*end == HT_WALK_MORE && grow(t));
	return n;
}

bool
ht_capture_is_own(uint32_t frame)
{
	return atomic_load_explicit(&ht_frame_ptr(frame)->module,
		   memory_order_relaxed) == own_module;
}

/* Our own frames are on a stack when a signal handler that interrupted a hook
 * allocates, or an allocator calls back; nobody wants to see them. */
static bool
is_shown(uint32_t frame)
{
	return frame && !ht_capture_is_own(frame);
}

bool
ht_capture_in_hook(struct ht_thread *t, const struct ht_context *from)
{
	enum ht_walk_end end;
	uint32_t *stack;
	size_t n = walk(t, from, &stack, &end);

	while (n > 0)
		if (!is_shown(stack[--n]))
			return true;
	return false;
}

static bool
is_signal(uint32_t frame)
{
	struct ht_frame *f = ht_frame_ptr(frame);

	return ht_rule_kind(ht_cfi_cached(&f->rule, atomic_load(&f->pc))) ==
	       HT_RULE_SIGNAL;
}

/* How the `n` frames of a stack go on from a hook whose caller has `outer`
 * frames: that caller's is `frame`. */
static enum ht_nesting
nesting(const uint32_t *stack, size_t n, enum ht_walk_end end, size_t outer,
    uint32_t frame)
{
	size_t hook = n - outer - 1;

	if (n <= outer || stack[hook + 1] != frame || is_shown(stack[hook]))
		return end == HT_WALK_WHOLE ? HT_NOT_CALLED : HT_CALLED;
	for (size_t i = 0; i < hook; i++)
		if (is_signal(stack[i]))
			return HT_INTERRUPTED;
	return HT_CALLED;
}

enum ht_nesting
ht_capture_nesting(struct ht_thread *t, const struct ht_context *inner,
    const struct ht_context *outer)
{
	enum ht_nesting found;
	enum ht_walk_end end;
	uint32_t seq, *stack, frame;
	size_t n;

	do {
		seq = ++t->seq;
		atomic_signal_fence(memory_order_seq_cst);
		n = walk(t, outer, &stack, &end);
		frame = n ? stack[0] : 0;
		found = HT_CALLED;
		if (frame) {
			size_t all = walk(t, inner, &stack, &end);

			found = nesting(stack, all, end, n, frame);
		}
		atomic_signal_fence(memory_order_seq_cst);
	} while (t->seq != seq);
	return found;
}

static uint32_t
capture_once(struct ht_thread *t, uint32_t seq, const struct ht_context *from)
{
	enum ht_walk_end end;
	uint32_t *stack, node;
	size_t n = walk(t, from, &stack, &end);

	if (unlikely(verify))
		count_verified(t, seq, from, stack, n, end);
	node = end == HT_WALK_WHOLE ? HT_ROOT : HT_ROOT_CUT;
	while (n-- > 0) {
		uint32_t child = 0;

		if (is_shown(stack[n]))
			child = ht_node_child(node, stack[n]);
		if (child)
			node = child;
	}
	return node;
}

static void
verify_prefix(struct ht_thread *t, uint32_t seq, const struct ht_context *from)
{
	bool whole;
	size_t n;

	while ((n = ht_prefix_frames(t, t->stack, t->stack_cap, &whole)) ==
	       t->stack_cap)
		if (!grow(t))
			return;
	count_verified(
	    t, seq, from, t->stack, n, whole ? HT_WALK_WHOLE : HT_WALK_CUT);
}

/* By what is remembered, with all that is asked for beyond that; 0: walk. */
static uint32_t
capture_prefix(struct ht_thread *t, const struct ht_context *from)
{
	uint32_t seq = t->seq + 1; /* as it will call this capture */
	uint32_t node =
	    prove ? ht_prefix_capture(t, from) : ht_prefix_believe(t, from);

	if (node && verify)
		verify_prefix(t, seq, from);
	return node;
}

#ifdef HT_ATTACHED
/*
 * Loads libunwind, which cannot be done wherever a thread was stopped: now a
 * hook's caller is on its way out of an allocation, so the program might as
 * well call dlopen itself, unless this is within the loader or a signal handler
 * already. What is allocated for it is not the program's.
 */
static __attribute__((noinline)) void
load_unwinder(struct ht_thread *t, const struct ht_context *from)
{
	const uintptr_t *guard = t->guard;
	uintptr_t guard_pc = t->guard_pc;
	enum ht_walk_end end;
	uint32_t *stack;
	size_t n;

	t->seq++;
	n = walk(t, from, &stack, &end);
	for (size_t i = 0; i < n; i++)
		if (is_signal(stack[i]) ||
		    atomic_load(&ht_frame_ptr(stack[i])->module) ==
			loader_module)
			return;
	if (!atomic_exchange(&to_load, false))
		return;
	t->guard = (const uintptr_t *)from->sp - 2;
	t->guard_pc = from->pc;
	verify = ht_unwind_libunwind.init() == 0;
	t->guard = guard;
	t->guard_pc = guard_pc;
	if (!verify)
		strcpy(ht_ring->why, "libunwind cannot be loaded to verify");
}
#endif

uint32_t
ht_capture_whole(struct ht_thread *t, const struct ht_context *from)
{
	uint32_t seq, node;

#ifdef HT_ATTACHED
	if (unlikely(atomic_load(&to_load)))
		load_unwinder(t, from);
#endif
	if (prefix && !ht_capture_plain && (node = capture_prefix(t, from)))
		return node;

	/* A signal handler that ran in between used our buffer: once more. */
	do {
		seq = ++t->seq;
		atomic_signal_fence(memory_order_seq_cst);
		node = capture_once(t, seq, from);
		atomic_signal_fence(memory_order_seq_cst);
	} while (unlikely(t->seq != seq));
	return node;
}
