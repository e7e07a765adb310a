/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ht-record/clock.h"
#include "libht/mem.h"

#define SAMPLES 4096 /* kept for a drain that lags behind */

struct ht_clock {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* stop, or started */
	bool stop, started;
	unsigned interval; /* ms, times *pace */
	const _Atomic uint32_t *pace;
	uint32_t tid;
	struct robust_list_head robust;
	struct ht_ring *ring; /* that ticks; NULL: none */
	int pid, statm, status;
	uint64_t zero; /* monotonic ns at tick 0; 0: not claimed yet */
	struct ht_sample sample[SAMPLES];
	uint64_t put, got;
};

static uint64_t
monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int
open_proc(int pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* The resident set, pages; 0 when it cannot be known (a zombie). */
static uint64_t
resident(int statm)
{
	char buf[128];
	unsigned long long size, pages = 0;
	ssize_t n = statm == -1 ? -1 : pread(statm, buf, sizeof buf - 1, 0);

	if (n <= 0)
		return 0;
	buf[n] = '\0';
	return sscanf(buf, "%llu %llu", &size, &pages) == 2 ? pages : 0;
}

/* Under seccomp a system call of ours could kill the program. */
static bool
has_seccomp(int status)
{
	char buf[4096], *p;
	ssize_t n = status == -1 ? -1 : pread(status, buf, sizeof buf - 1, 0);

	if (n <= 0)
		return false;
	buf[n] = '\0';
	p = strstr(buf, "\nSeccomp:");
	return p && atoi(p + 9) != 0;
}

static void
tick(struct ht_clock *c)
{
	struct ht_ring *r = c->ring;
	uint64_t ms, pages;

	if (!c->zero) {
		if (!atomic_load(&r->claimed))
			return;
		c->zero = monotonic();
	}
	ms = (monotonic() - c->zero) / 1000000;
	atomic_store_explicit(&r->tick, (uint32_t)ms, memory_order_relaxed);
	if (has_seccomp(c->status))
		atomic_fetch_or(&r->control, HT_CTL_NO_CALLS);
	pages = resident(c->statm);
	if (pages && c->put - c->got < SAMPLES)
		c->sample[c->put++ % SAMPLES] = (struct ht_sample){ms, pages};
}

static void
later(struct timespec *t, uint64_t ms)
{
	t->tv_nsec += (long)(ms % 1000) * 1000000;
	t->tv_sec += (time_t)(ms / 1000) + t->tv_nsec / 1000000000;
	t->tv_nsec %= 1000000000;
}

static void *
run(void *arg)
{
	struct ht_clock *c = arg;
	struct timespec t;

	/* The kernel walks this list when this thread ends. */
	c->tid = (uint32_t)syscall(SYS_gettid);
	c->robust.list.next = &c->robust.list;
	c->robust.futex_offset = 8;
	syscall(SYS_set_robust_list, &c->robust, sizeof c->robust);
	pthread_mutex_lock(&c->lock);
	c->started = true;
	pthread_cond_broadcast(&c->wake);
	clock_gettime(CLOCK_MONOTONIC, &t);
	while (!c->stop) {
		if (c->ring)
			tick(c);
		later(&t, (uint64_t)c->interval * atomic_load(c->pace));
		pthread_cond_timedwait(&c->wake, &c->lock, &t);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

struct ht_clock *
ht_clock_start(
    unsigned interval_ms, const _Atomic uint32_t *pace, struct ht_error *err)
{
	struct ht_clock *c = ht_calloc(1, sizeof *c);
	pthread_condattr_t attr;

	c->interval = interval_ms;
	c->pace = pace;
	c->statm = c->status = -1;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->wake, &attr);
	errno = pthread_create(&c->thread, NULL, run, c);
	if (errno) {
		ht_error_errno(err, "cannot start a thread");
		free(c);
		return NULL;
	}
	pthread_mutex_lock(&c->lock);
	while (!c->started)
		pthread_cond_wait(&c->wake, &c->lock);
	pthread_mutex_unlock(&c->lock);
	return c;
}

void
ht_clock_own(struct ht_clock *c, struct ht_ring *ring)
{
	struct robust_list *entry = (struct robust_list *)&ring->robust;

	pthread_mutex_lock(&c->lock);
	atomic_store(&ring->alive, c->tid);
	entry->next = c->robust.list.next;
	c->robust.list.next = entry;
	pthread_mutex_unlock(&c->lock);
}

void
ht_clock_disown(struct ht_clock *c, struct ht_ring *ring)
{
	struct robust_list *entry = (struct robust_list *)&ring->robust;

	pthread_mutex_lock(&c->lock);
	for (struct robust_list *p = &c->robust.list;
	     p->next != &c->robust.list; p = p->next)
		if (p->next == entry) {
			p->next = entry->next;
			break;
		}
	if (c->ring == ring)
		c->ring = NULL;
	pthread_mutex_unlock(&c->lock);
	/* Nobody is to wait for us from now on. */
	atomic_fetch_or(&ring->alive, FUTEX_OWNER_DIED);
}

void
ht_clock_set(struct ht_clock *c, struct ht_ring *ring, int pid)
{
	pthread_mutex_lock(&c->lock);
	close_fd(&c->statm);
	close_fd(&c->status);
	c->ring = ring;
	c->pid = pid;
	c->statm = open_proc(pid, "statm");
	c->status = open_proc(pid, "status");
	c->zero = 0;
	c->got = c->put;
	pthread_mutex_unlock(&c->lock);
}

bool
ht_clock_sample(struct ht_clock *c, uint64_t ms, struct ht_sample *s)
{
	bool found = false;

	pthread_mutex_lock(&c->lock);
	if (c->got < c->put && c->sample[c->got % SAMPLES].ms <= ms) {
		*s = c->sample[c->got++ % SAMPLES];
		found = true;
	}
	pthread_mutex_unlock(&c->lock);
	return found;
}

uint64_t
ht_clock_now(struct ht_clock *c)
{
	uint64_t ms = 0;

	pthread_mutex_lock(&c->lock);
	if (c->zero)
		ms = (monotonic() - c->zero) / 1000000;
	pthread_mutex_unlock(&c->lock);
	return ms;
}

void
ht_clock_stop(struct ht_clock *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	close_fd(&c->statm);
	close_fd(&c->status);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
