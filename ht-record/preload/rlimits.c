/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The limit on address space. The ring is a mapping of 2 GB, nearly all of it
 * room for stacks that never come; a program that limits itself to less would
 * get no memory any more. So before it does, what is not used of the ring is
 * given back.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ht-record/preload/preload.h"

/* <sys/resource.h> would say how these are declared: one way in glibc, another
 * in musl. The 64-bit ones are all there are on machines that we know. */
#define AS	 9
#define INFINITE UINT64_MAX

struct limit {
	uint64_t now, most;
};

/* Left of each area, for what comes. */
#define SPARE (1u << 16)

HT_EXPORT int prlimit64(pid_t, int, const struct limit *, struct limit *);
HT_EXPORT int prlimit(pid_t, int, const struct limit *, struct limit *);
HT_EXPORT int setrlimit64(int, const struct limit *);
HT_EXPORT int setrlimit(int, const struct limit *);

/* Where the areas of frames and nodes end that are still mapped; 0: whole. What
 * was behind may be the program's by now. */
static uint64_t frames_end, nodes_end;

static void
shrink(uint64_t at, uint64_t *end, uint64_t size, _Atomic uint32_t *max,
    _Atomic uint32_t *used)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint32_t keep = atomic_load(used) + SPARE, old = atomic_load(max);

	if (keep >= old)
		return;
	/* In a forked child nobody takes any, and the ring is its parent's. */
	if (ht_is_on()) {
		atomic_store(max, keep);
		/* Whoever had not seen that has taken what is his by now. */
		if (atomic_load(used) > keep)
			keep = atomic_load(used);
	}
	at += (keep * size + page - 1) & ~(page - 1);
	if (at >= *end)
		return;
	ht_own_munmap((char *)ht_ring + at, *end - at);
	*end = at;
}

static void
make_room(int resource, const struct limit *l)
{
	struct ht_ring *r = ht_ring;

	if (resource != AS || !l || l->now == INFINITE || !r || ht_no_calls())
		return;
	if (!nodes_end) {
		nodes_end = r->size;
		frames_end = r->nodes_at;
	}
	shrink(r->nodes_at, &nodes_end, sizeof(struct ht_node), &r->node_max,
	    &r->nodes);
	shrink(r->frames_at, &frames_end, sizeof(struct ht_frame),
	    &r->frame_max, &r->frames);
}

void
ht_limits_leave(struct ht_ring *r, bool unmap)
{
	uint64_t nodes_at = r->nodes_at, end = nodes_end ? nodes_end : r->size;
	uint64_t first = nodes_end ? frames_end : nodes_at;

	nodes_end = frames_end = 0;
	if (!unmap)
		return;
	ht_own_munmap((char *)r + nodes_at, end - nodes_at);
	ht_own_munmap(r, first);
}

static int
set_limit(pid_t pid, int resource, const struct limit *l, struct limit *old)
{
	if (pid == 0 || pid == (pid_t)syscall(SYS_getpid))
		make_room(resource, l);
	return (int)syscall(SYS_prlimit64, pid, resource, l, old);
}

HT_EXPORT int
prlimit64(pid_t pid, int resource, const struct limit *l, struct limit *old)
{
	return set_limit(pid, resource, l, old);
}

HT_EXPORT int
prlimit(pid_t pid, int resource, const struct limit *l, struct limit *old)
{
	return set_limit(pid, resource, l, old);
}

HT_EXPORT int
setrlimit64(int resource, const struct limit *l)
{
	return set_limit(0, resource, l, NULL);
}

HT_EXPORT int
setrlimit(int resource, const struct limit *l)
{
	return set_limit(0, resource, l, NULL);
}
