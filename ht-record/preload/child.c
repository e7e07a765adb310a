/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children that are followed. A new image finds in its environment where to
 * ask for a ring. A forked child has the memory of its parent, and knows by
 * the page that the fork wiped that it is another process: the first hook it
 * calls asks, and from there on it records. Until then nothing of it is
 * recorded, and a child that only executes another program asks for nothing.
 *
 * The tables of the parent's ring are the parent's: the child begins with none,
 * and every rule is computed anew. Blocks that it has from its parent are of
 * another trace; it frees blocks never seen allocated.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ht-record/preload/frames.h"
#include "ht-record/preload/publish.h"

#define PATIENCE 10 /* seconds: so long the program waits for a ring */
#define NAPS_MAX (PATIENCE * 5000) /* of 0.1 ms and what a sleep costs */

struct ht_follower ht_follower;

/* System calls as such: libc's functions are points of cancellation, and a
 * thread must not end in the middle of a hook. */
static int
dial(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char *end = stpcpy(a.sun_path + 1, HT_FOLLOW_SOCKET);
	struct timeval limit = {.tv_sec = PATIENCE};
	int s =
	    (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	long r;

	if (s == -1)
		return -1;
	end = ht_put_number(end, (unsigned)ht_follower.name);
	syscall(
	    SYS_setsockopt, s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	syscall(
	    SYS_setsockopt, s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	do
		r = syscall(SYS_connect, s, &a, (int)(end - (char *)&a));
	while (r == -1 && errno == EINTR);
	if (r == 0)
		return s;
	syscall(SYS_close, s);
	return -1;
}

/* The descriptor of a ring, and *answer; -1: there is none. */
static int
ask(bool forked, struct ht_answer *answer)
{
	struct ht_request request = {(uint32_t)ht_follower.key, forked};
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {answer, sizeof *answer};
	struct msghdr m = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.buf,
	    .msg_controllen = sizeof control.buf,
	};
	int s = dial(), fd = -1;
	long n = -1;

	if (s == -1)
		return -1;
	if (syscall(SYS_sendto, s, &request, sizeof request, MSG_NOSIGNAL, NULL,
		0) == sizeof request)
		do
			n = syscall(SYS_recvmsg, s, &m, MSG_CMSG_CLOEXEC);
		while (n == -1 && errno == EINTR);
	if (n == sizeof *answer && CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	syscall(SYS_close, s);
	return fd;
}

/* What leads this process's next image to its ring, and its children to the
 * follower. */
static void
set_entry(const struct ht_answer *a)
{
	static char entry[80];
	const unsigned number[] = {
	    (unsigned)a->recorder,
	    (unsigned)a->fd,
	    (unsigned)ht_pid,
	    (unsigned)ht_follower.name,
	    (unsigned)ht_follower.key,
	};
	char *p = entry;

	for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
		if (i)
			*p++ = ':';
		p = ht_put_number(p, number[i]);
	}
	*p = '\0';
	ht_ring_entry = entry;
}

struct ht_ring *
ht_child_ring(bool forked)
{
	struct ht_answer answer;
	struct ht_ring *r;
	int fd = ask(forked, &answer);

	if (fd == -1)
		return NULL;
	r = ht_boot_map_ring(fd);
	syscall(SYS_close, fd);
	if (!r)
		return NULL;
	set_entry(&answer);
	atomic_store(&r->claimed, (uint32_t)ht_pid);
	return r;
}

static void
take_ring(struct ht_ring *r)
{
	ht_ring = r;
	ht_slots.first = (struct ht_rec *)((char *)r + r->records_at);
	ht_slots.mask = ((uint64_t)1 << r->shift) - 1;
	ht_frames_init(r);
	ht_capture_renew();
	ht_threads_inherit();
}

static void
join(const struct ht_context *from, int tid)
{
	struct ht_ring *r, *old = ht_ring;
	struct ht_thread *t;

	ht_pid = (int)syscall(SYS_getpid);
	r = ht_child_ring(true);
	if (!r)
		return;
	take_ring(r);
	t = ht_thread_self();
	if (!t || ht_capture_in_hook(t, from)) {
		/* A signal handler forked, and what it interrupted is a hook,
		 * whose next step may be to publish what it has of the old
		 * ring. */
		strcpy(r->why, "it was forked in the middle of an allocation");
		atomic_store(&r->ready, 2);
		return;
	}
	/* If this is the thread that forked, nobody is left who could be using
	 * the old one. */
	if (tid == ht_pid)
		ht_own_munmap(old, old->size);
	atomic_store(&ht_live->on, HT_ON);
	ht_threads_announce();
	atomic_store(&r->ready, 1);
}

/* Other threads wait for who asks, so that nothing of theirs is missed; its own
 * signal handlers do not. */
void
ht_child_start(const struct ht_context *from)
{
	struct timespec nap = {.tv_nsec = 100000};
	int saved = errno;
	uint32_t nobody = 0, tid;

	/* What the parent was forbidden, its child is. */
	if (!ht_no_calls()) {
		tid = (uint32_t)syscall(SYS_gettid);
		if (atomic_compare_exchange_strong(
			&ht_live->known, &nobody, tid)) {
			join(from, (int)tid);
			atomic_store(&ht_live->known, 1);
		}
		for (int i = 0; nobody != tid && i < NAPS_MAX &&
				atomic_load(&ht_live->known) != 1;
		     i++)
			syscall(SYS_nanosleep, &nap, NULL);
		/* It left by a longjmp out of a signal handler. */
		if (nobody != tid)
			atomic_store(&ht_live->known, 1);
	}
	errno = saved;
}
