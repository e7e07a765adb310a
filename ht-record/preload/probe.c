/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ht-record/preload/probe.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ht-record/preload/arch.h"
#include "ht-record/preload/preload.h"

#define PAGE (UINT64_C(1) << HT_PAGE_BITS)

/* Frames larger than this are taken for a jump to another stack. */
#define GAP_MAX (UINT64_C(64) << 20)

/* How near to where the thread's own stack ends a walk comes: static TLS or
 * the environment may lie between. */
#define ANCHOR_NEAR (UINT64_C(256) << 10)

/* How far below its end the own stack is believed to reach when the kernel
 * may not be asked. Under the main stack there are 128 MB of nothing at least
 * (MIN_GAP in the kernel); a thread's may be small. */
#define BLIND_MAIN   (UINT64_C(64) << 20)
#define BLIND_THREAD (UINT64_C(128) << 10)

/* glibc's ld.so's; the first bytes above main's callers. */
extern void *__libc_stack_end __attribute__((weak));

#ifndef HT_ATTACHED
__thread struct ht_ranges ht_ranges;
#endif

static bool may_ask;
static uint64_t main_tp; /* the main thread's: not on its stack */

/*
 * Whether the page of `addr` can be read. rt_sigprocmask reads its new mask
 * before it looks at what to do with it, and there is no operation -1: EFAULT
 * or EINVAL, and nothing else happens.
 */
static bool
page_readable(uint64_t addr)
{
	int saved = errno;
	bool ok;

	syscall(SYS_rt_sigprocmask, -1, addr & ~(PAGE - 1), NULL, 8);
	ok = errno == EINVAL;
	errno = saved;
	return ok;
}

int
ht_probe_init(void)
{
	uint64_t here = (uintptr_t)__builtin_frame_address(0);

#ifdef HT_ATTACHED
	main_tp = ht_head.main_thread;
#else
	main_tp = ht_arch_thread_pointer();
#endif
	/* The last page of all is the kernel's or nobody's. */
	may_ask =
	    !ht_no_calls() && page_readable(here) && !page_readable(-PAGE);
	return may_ask ? 0 : -1;
}

bool
ht_probe_page(uint64_t addr)
{
	return may_ask && !ht_no_calls() && page_readable(addr);
}

static bool
range_readable(uint64_t from, size_t size)
{
	for (uint64_t at = from & ~(PAGE - 1); at < from + size; at += PAGE)
		if (!page_readable(at))
			return false;
	return true;
}

/* Where process_vm_readv is refused: the best that is left. */
static bool
gather_by_page(char *to, const uint64_t *from, unsigned n, size_t size)
{
	if (!may_ask)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (!range_readable(from[i], size))
			return false;
		memcpy(to + i * size, (const void *)from[i], size);
	}
	return true;
}

bool
ht_probe_gather(void *to, const uint64_t *from, unsigned n, size_t size)
{
	static _Atomic bool refused;
	struct iovec local = {to, n * size}, remote[HT_GATHER_MAX];
	int saved = errno;
	bool ok;

	if (n > HT_GATHER_MAX || ht_no_calls())
		return false;
	if (atomic_load_explicit(&refused, memory_order_relaxed))
		return gather_by_page(to, from, n, size);
	for (unsigned i = 0; i < n; i++)
		remote[i] = (struct iovec){(void *)from[i], size};
	/* By the thread's own id: another's, a vfork parent's even, may not
	 * be looked at. */
	ok = syscall(SYS_process_vm_readv, syscall(SYS_gettid), &local, 1,
		 remote, n, 0) == (long)local.iov_len;
	if (!ok && (errno == ENOSYS || errno == EPERM)) {
		atomic_store_explicit(&refused, true, memory_order_relaxed);
		ok = gather_by_page(to, from, n, size);
	}
	errno = saved;
	return ok;
}

bool
ht_probe_copy(void *to, uint64_t from, size_t size)
{
	return ht_probe_gather(to, &from, 1, size);
}

static uint64_t
pack(const struct ht_stack *s)
{
	uint64_t pages = (s->hi - s->lo) >> HT_PAGE_BITS;

	if (pages > HT_PAGES_MAX)
		pages = HT_PAGES_MAX;
	return s->lo >> HT_PAGE_BITS << HT_PAGES_BITS | pages;
}

static bool
contains(const struct ht_stack *s, uint64_t addr)
{
	return addr >= s->lo && addr < s->hi;
}

/* Where the stack of this thread ends: main's below its arguments, others
 * below the thread descriptor, which glibc puts on top of them. */
static uint64_t
anchor(uint64_t *blind)
{
	uint64_t tp = ht_arch_thread_pointer();

	*blind = BLIND_THREAD;
	if (tp != main_tp)
		return tp;
	*blind = BLIND_MAIN;
	/* Without that, what the kernel puts a little above. */
	return &__libc_stack_end ? (uintptr_t)__libc_stack_end
				 : getauxval(AT_RANDOM);
}

/* The range of a walk that may not ask. */
static void
enter_blind(struct ht_stack *s, uint64_t sp)
{
	uint64_t blind, end = anchor(&blind);

	s->lo = sp & ~(PAGE - 1);
	s->hi = s->lo + PAGE; /* the caller is running on it */
	if (s->hi < end && end - sp < blind)
		s->hi = ((end - 1) | (PAGE - 1)) + 1;
}

static void
remember(_Atomic uint64_t *range, uint64_t word)
{
	if (atomic_load_explicit(range, memory_order_relaxed) != word)
		atomic_store_explicit(range, word, memory_order_relaxed);
}

/* Makes the range reach up to `end`. */
static bool
extend(struct ht_stack *s, uint64_t end)
{
	struct ht_stack own = ht_range_recall(&HT_RANGES.own);

	while (s->hi < end) {
		if (contains(&own, s->hi)) {
			s->hi = own.hi;
			continue;
		}
		if (!page_readable(s->hi))
			return false;
		s->hi += PAGE;
	}
	return true;
}

struct ht_stack
ht_stack_enter_other(uint64_t sp)
{
	struct ht_stack s = ht_range_recall(&HT_RANGES.own);

	if (contains(&s, sp)) {
		remember(&HT_RANGES.other, 0);
		return s;
	}
	s = ht_range_recall(&HT_RANGES.other);
	if (contains(&s, sp))
		return s;
	remember(&HT_RANGES.other, 0);
	if (may_ask && !ht_no_calls()) {
		s.lo = sp & ~(PAGE - 1);
		s.hi = s.lo + PAGE; /* the caller is running on it */
	} else {
		enter_blind(&s, sp);
	}
	ht_stack_leave(s);
	return s;
}

bool
ht_stack_switch(struct ht_stack *s, uint64_t addr)
{
	struct ht_stack to = ht_range_recall(&HT_RANGES.own);

	if (!contains(&to, addr)) {
		if (addr > HT_PTR_MAX || !ht_probe_page(addr))
			return false;
		to.lo = addr & ~(PAGE - 1);
		to.hi = to.lo + PAGE;
	}
	*s = to;
	return true;
}

/* Whether the range is of the stack that the thread was made with, so reaches
 * to its end. */
static bool
is_own(struct ht_stack *s)
{
	uint64_t blind, end = anchor(&blind);

	if (s->lo >= end)
		return false;
	if (s->hi < end && end - s->hi < ANCHOR_NEAR && may_ask &&
	    !ht_no_calls())
		extend(s, end);
	return s->hi >= end;
}

void
ht_stack_leave(struct ht_stack s)
{
	uint64_t word = pack(&s);

	if (atomic_load_explicit(&HT_RANGES.own, memory_order_relaxed) ==
		word ||
	    atomic_load_explicit(&HT_RANGES.other, memory_order_relaxed) ==
		word)
		return;
	if (is_own(&s))
		remember(&HT_RANGES.own, pack(&s));
	else
		remember(&HT_RANGES.other, pack(&s));
}

bool
ht_stack_reach(struct ht_stack *s, uint64_t addr, unsigned size)
{
	uint64_t end = addr + size;

	if (end < addr || addr > HT_PTR_MAX)
		return false;
	if (addr >= s->lo && end <= s->hi)
		return true;
	if (!may_ask || ht_no_calls())
		return false;
	if (addr >= s->lo && end - s->hi < GAP_MAX)
		return extend(s, end);
	return page_readable(addr) && page_readable(end - 1);
}
