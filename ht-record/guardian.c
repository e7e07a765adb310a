/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ht-record/guardian.h"
#include "ht-record/inject.h"
#include "libht/mem.h"

struct ht_guardian {
	pid_t pid;
	pid_t target;
	const char *image;
	int socket;
	bool asked;
	bool killed;
};

enum kind { BEGIN = 1, RING, HOOK, HOOKED, WITHDRAW, WITHDRAWN, FAILED };

struct message {
	enum kind kind;
	struct ht_guarded how;
	struct ht_error err;
};

/* ---- talking ---------------------------------------------------------- */

static void
send_message(int s, struct message *m, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {m, sizeof *m};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd != -1) {
		struct cmsghdr *c = &control.align;

		h.msg_control = control.buf;
		h.msg_controllen = sizeof control.buf;
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	while (sendmsg(s, &h, MSG_NOSIGNAL) == -1 && errno == EINTR)
		;
}

/* The next message; false when the other side is gone. *fd, unless NULL, is the
 * descriptor that came along. */
static bool
receive(int s, struct message *m, int *fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {m, sizeof *m};
	struct msghdr h = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.buf,
	    .msg_controllen = sizeof control.buf,
	};
	ssize_t n;

	while ((n = recvmsg(s, &h, MSG_CMSG_CLOEXEC)) == -1 && errno == EINTR)
		;
	if (n != sizeof *m)
		return false;
	if (fd && CMSG_FIRSTHDR(&h))
		memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof *fd);
	return true;
}

/* ---- the guardian ----------------------------------------------------- */

#define LATER_MS 50 /* between two looks for what was loaded */
#define ATTEMPTS 30 /* at what a thread that does not stop prevents */

static void
nap_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

/* Only the socket stays open, and no signal ends us but SIGKILL. */
static void
go_apart(int socket)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	int null = open("/dev/null", O_RDWR);

	setsid();
	/* So that the program is stopped for a shorter time. */
	setpriority(PRIO_PROCESS, 0, -20);
	prctl(PR_SET_TIMERSLACK, 1);
	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGCHLD)
			sigaction(sig, &ignore, NULL);
	prctl(PR_SET_NAME, "ht-guardian");
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	dup2(socket, 3);
	syscall(SYS_close_range, 4, ~0u, 0);
	if (chdir("/") == -1)
		_exit(HT_CANNOT);
}

/* The one who waits for the ring. */
struct listener {
	int socket;
	bool told;
};

static bool
ring_is_ready(struct ht_injection *in)
{
	struct listener *l = in->arg;
	struct message m = {.kind = RING, .how.generation = in->generation};

	l->told = true;
	send_message(l->socket, &m, in->ring_fd);
	return receive(l->socket, &m, NULL) && m.kind == HOOK;
}

/* Until it is done or there is nothing to undo any more; a thread that does not
 * stop is waited for. Nobody may ask to give up, whoever waits for us. */
static int
withdraw(struct ht_injection *in, pid_t pid, struct ht_image *image,
    struct ht_error *err)
{
	for (int i = 0; i < 100 * ATTEMPTS; i++) {
		*err = (struct ht_error){""};
		if (ht_withdraw(in, pid, image, err) == 0)
			return 0;
		nap_ms(i < ATTEMPTS ? 20 : 1000);
	}
	return -1;
}

static struct ht_guarded
how(const struct ht_injection *in)
{
	return (struct ht_guarded){
	    .stop_us = in->stop_us,
	    .head = in->head,
	    .generation = in->generation,
	    .kept = in->kept,
	};
}

static int
hook(struct ht_injection *in, pid_t pid, struct ht_image *image,
    const struct ht_ring_options *o, struct ht_error *err)
{
	const struct listener *l = in->arg;
	int r = -1;

	for (int i = 0; r == -1 && i < ATTEMPTS; i++) {
		*err = (struct ht_error){""};
		in->again = false;
		r = ht_inject(in, pid, image, o, err);
		if (r == -1 && (!in->again || l->told))
			break;
		if (r == -1)
			nap_ms(20 + 10 * i);
	}
	return r;
}

/* Whether there is a word for us; waits for one a moment. */
static bool
is_told(int s)
{
	struct pollfd p = {s, POLLIN, 0};

	return poll(&p, 1, LATER_MS) > 0;
}

static HT_NORETURN void
guard(pid_t pid, const char *path, const struct ht_ring_options *o)
{
	int s = 3;
	struct listener l = {.socket = s};
	struct ht_injection in = {.ready = ring_is_ready, .arg = &l};
	struct message m = {.kind = FAILED};
	struct ht_image image;
	bool hooked;

	if (ht_image_open(&image, path, &m.err) == -1) {
		send_message(s, &m, -1);
		_exit(HT_CANNOT);
	}
	if (!receive(s, &m, NULL) || m.kind != BEGIN)
		_exit(0);
	hooked = hook(&in, pid, &image, o, &m.err) == 0;
	m.kind = hooked ? HOOKED : FAILED;
	m.how = how(&in);
	send_message(s, &m, -1);
	if (!hooked)
		_exit(0);
	while (!is_told(s))
		ht_inject_later(&in, pid, &image);
	receive(s, &m, NULL); /* a word, or the end of who might say one */
	m.kind = withdraw(&in, pid, &image, &m.err) == 0 ? WITHDRAWN : FAILED;
	m.how = how(&in);
	send_message(s, &m, -1);
	_exit(0);
}

/* ---- ht-record's side ------------------------------------------------- */

struct ht_guardian *
ht_guardian_new(pid_t pid, const char *image, const struct ht_ring_options *o,
    struct ht_error *err)
{
	struct ht_guardian *g = ht_calloc(1, sizeof *g);
	int ends[2];

	g->target = pid;
	g->image = image;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1) {
		ht_error_errno(err, "cannot make a pipe");
		free(g);
		return NULL;
	}
	g->pid = fork();
	if (g->pid == 0) {
		go_apart(ends[1]);
		guard(pid, image, o);
	}
	close(ends[1]);
	g->socket = ends[0];
	if (g->pid == -1) {
		ht_error_errno(err, "cannot fork");
		close(ends[0]);
		free(g);
		return NULL;
	}
	return g;
}

static int
expect(struct ht_guardian *g, enum kind kind, int *fd, struct ht_guarded *how,
    struct ht_error *err)
{
	struct message m;

	if (!receive(g->socket, &m, fd)) {
		g->killed = true;
		return ht_error_set(err, "the guardian process was killed");
	}
	if (how)
		*how = m.how;
	return m.kind == kind ? 0 : ht_error_set(err, "%s", m.err.text);
}

struct ht_ring *
ht_guardian_ring(
    struct ht_guardian *g, struct ht_guarded *how, struct ht_error *err)
{
	struct message m = {.kind = BEGIN};
	struct ht_ring *ring;
	int fd = -1;

	send_message(g->socket, &m, -1);
	if (expect(g, RING, &fd, how, err) == -1)
		return NULL;
	ring = ht_shm_map(fd, err);
	close(fd);
	return ring;
}

int
ht_guardian_hook(
    struct ht_guardian *g, struct ht_guarded *how, struct ht_error *err)
{
	struct message m = {.kind = HOOK};

	send_message(g->socket, &m, -1);
	return expect(g, HOOKED, NULL, how, err);
}

void
ht_guardian_withdraw(struct ht_guardian *g)
{
	struct message m = {.kind = WITHDRAW};

	if (!g->asked)
		send_message(g->socket, &m, -1);
	g->asked = true;
}

int
ht_guardian_done(
    struct ht_guardian *g, struct ht_guarded *how, struct ht_error *err)
{
	struct pollfd p = {g->socket, POLLIN, 0};

	if (poll(&p, 1, 0) <= 0)
		return 0;
	return expect(g, WITHDRAWN, NULL, how, err) == 0 ? 1 : -1;
}

void
ht_guardian_stand_in(
    struct ht_guardian *g, struct ht_ring *ring, struct ht_guarded *how)
{
	struct ht_injection in = {
	    .ring = ring,
	    .stop_us = how->stop_us,
	    .generation = how->generation,
	};
	struct ht_error ignored = {""};
	struct ht_image image;

	if (!g->killed || ht_image_open(&image, g->image, &ignored) == -1)
		return;
	withdraw(&in, g->target, &image, &ignored);
	how->stop_us = in.stop_us;
	how->kept = in.kept;
	ht_image_close(&image);
}

void
ht_guardian_free(struct ht_guardian *g)
{
	if (!g)
		return;
	close(g->socket);
	while (waitpid(g->pid, NULL, 0) == -1 && errno == EINTR)
		;
	free(g);
}
