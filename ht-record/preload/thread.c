/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state of each thread. There is no destructor: it could not run for a
 * thread that is cancelled, ends by a raw exit or allocates in a destructor
 * of its own. A state is taken over once the kernel says its thread is gone.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ht-record/preload/prefix.h"
#include "ht-record/preload/publish.h"
#include "ht-record/preload/sample.h"

#define LOOKS 4 /* states tried before a fresh one is taken */

static struct ht_thread *pool; /* sparse */
static _Atomic uint32_t used, hand;

#ifndef HT_ATTACHED
__thread struct ht_thread *ht_self;

void *
ht_map_memory(size_t size)
{
	int saved = errno;
	void *p;

	if (ht_no_calls())
		return NULL;
	p = ht_own_mmap(
	    NULL, size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	errno = saved;
	return p == MAP_FAILED ? NULL : p;
}
#endif

#ifndef HT_ATTACHED
void
ht_threads_inherit(void)
{
	uint32_t n = atomic_load(&used);

	/* Which of them is the thread that forked is not known; all are kept
	 * for it, so that nobody takes the one that it goes on with. */
	for (uint32_t i = 0; i < n; i++) {
		struct ht_thread *t = &pool[i];

		t->tail = t->pos = 0;
		t->guard = NULL;
		ht_prefix_forget(t);
		t->sampler.random = 0;
		t->sampler.drawn = false;
		atomic_store(&t->tid, ht_pid);
	}
}

void
ht_threads_announce(void)
{
	uint32_t n = atomic_load(&used);

	for (uint32_t i = 0; i < n; i++)
		ht_publish(&pool[i], HT_REC_THREAD,
		    (uint64_t)atomic_load(&pool[i].tid), 0, 0);
}
#endif

static int32_t
own_tid(void)
{
	int saved = errno;
	int32_t tid = ht_no_calls() ? ht_pid : (int32_t)syscall(SYS_gettid);

	errno = saved;
	return tid;
}

static bool
is_gone(int32_t tid)
{
	int saved = errno;
	bool gone = !ht_no_calls() &&
		    syscall(SYS_tgkill, ht_pid, tid, 0) == -1 && errno == ESRCH;

	errno = saved;
	return gone;
}

/* A state whose thread is gone, now of thread `tid`; NULL if none is seen. */
static struct ht_thread *
take_over(int32_t tid)
{
	uint32_t n = atomic_load(&used);

	for (unsigned i = 0; n && i < LOOKS; i++) {
		struct ht_thread *t = &pool[atomic_fetch_add(&hand, 1) % n];
		int32_t old = atomic_load(&t->tid);

		/* Ours already: a tid that the kernel gave out again. */
		if ((old == tid || (old && is_gone(old))) &&
		    atomic_compare_exchange_strong(&t->tid, &old, tid)) {
			t->guard = NULL;
			ht_prefix_forget(t);
			return t;
		}
	}
	return NULL;
}

static struct ht_thread *
fresh(int32_t tid)
{
	uint32_t i = atomic_load(&used);

	do
		if (i >= HT_STATES_MAX)
			return NULL;
	while (!atomic_compare_exchange_weak(&used, &i, i + 1));
	pool[i].number = i + 1 < HT_THREAD_MAX ? i + 1 : HT_THREAD_MAX;
	ht_sample_fresh(&pool[i], i);
	atomic_store(&pool[i].tid, tid);
	return &pool[i];
}

/* The recorder looks into /proc when it needs the name, which may be later than
 * the thread's end. */
static void
announce(struct ht_thread *t, int32_t tid)
{
	char name[HT_NAME_PARTS * HT_NAME_PART] = "";
	int saved = errno;

	ht_publish(t, HT_REC_THREAD, (uint64_t)tid, 0, 0);
	if (!ht_no_calls() &&
	    syscall(SYS_prctl, PR_GET_NAME, name, 0, 0, 0) == 0)
		for (uint32_t i = 0; i < HT_NAME_PARTS; i++) {
			struct ht_name_part p = ht_name_pack(name, i);

			if (name[i * HT_NAME_PART])
				ht_publish(
				    t, HT_REC_NAME, p.ptr, p.size, p.stack);
		}
	errno = saved;
}

struct ht_thread *
ht_thread_make(void)
{
	int32_t tid;
	struct ht_thread *t;

	if (!pool && !(pool = ht_map_memory(HT_STATES_MAX * sizeof *pool)))
		return NULL;
	tid = own_tid();
	t = take_over(tid);
	if (!t)
		t = fresh(tid);
	if (t) {
		ht_thread_is(t);
		ht_sample_thread(t);
		announce(t, tid);
	}
	return t;
}
