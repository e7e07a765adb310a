/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ht-record/ring.h"
#include "ht-record/serve.h"
#include "libht/mem.h"

struct ht_server {
	pthread_t thread;
	int socket, ring_fd;
	_Atomic int pid;
};

void
ht_serve_send(int to, int ring_fd, const void *data, size_t size)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {(void *)data, size};
	struct msghdr m = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.buf,
	    .msg_controllen = sizeof control.buf,
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &ring_fd, sizeof(int));
	sendmsg(to, &m, MSG_NOSIGNAL);
}

static void *
run(void *arg)
{
	struct ht_server *s = arg;
	struct ucred peer;
	int fd;

	while ((fd = accept4(s->socket, NULL, NULL, SOCK_CLOEXEC)) != -1) {
		socklen_t len = sizeof peer;

		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
		    peer.pid == atomic_load(&s->pid))
			ht_serve_send(fd, s->ring_fd, "r", 1);
		close(fd);
	}
	return NULL;
}

struct ht_server *
ht_serve_start(int ring_fd)
{
	struct ht_server *s = ht_calloc(1, sizeof *s);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(a.sun_path + 1, sizeof a.sun_path - 1,
	    HT_SOCKET "%d-%d", (int)getpid(), ring_fd);
	socklen_t len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);

	s->ring_fd = ring_fd;
	s->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->socket != -1 && bind(s->socket, (void *)&a, len) == 0 &&
	    listen(s->socket, 4) == 0 &&
	    pthread_create(&s->thread, NULL, run, s) == 0)
		return s;
	if (s->socket != -1)
		close(s->socket);
	free(s);
	return NULL;
}

void
ht_serve_allow(struct ht_server *s, pid_t pid)
{
	if (s)
		atomic_store(&s->pid, pid);
}

void
ht_serve_stop(struct ht_server *s)
{
	if (!s)
		return;
	shutdown(s->socket, SHUT_RDWR); /* ends the accept */
	pthread_join(s->thread, NULL);
	close(s->socket);
	free(s);
}
