/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * asleep SECONDS: one thread in each of the system calls that programs sleep
 * in, for so long. Prints which of them came back otherwise than by their
 * time-out or what they waited for; at the end `ok`.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int seconds, wrong;
static int pipes[2], sockets[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void
judge(const char *what, int r, int e, int want, int want_errno)
{
	if (r == want && (want != -1 || e == want_errno))
		return;
	printf("%s: %d (%s)\n", what, r, r == -1 ? strerror(e) : "");
	__atomic_store_n(&wrong, 1, __ATOMIC_SEQ_CST);
}

static struct timespec
later(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += seconds;
	return t;
}

#define SLEEPER(name, want, want_errno, setup, call)                           \
	static void *name(void *arg)                                           \
	{                                                                      \
		setup;                                                         \
		int r = call;                                                  \
		judge(#name, r, errno, want, want_errno);                      \
		return NULL;                                                   \
	}

SLEEPER(in_nanosleep, 0, 0, struct timespec t = {seconds}, nanosleep(&t, NULL))
SLEEPER(in_poll, 0, 0, struct pollfd p = {-1}, poll(&p, 1, seconds * 1000))
SLEEPER(in_select, 0, 0, struct timeval t = {seconds},
    select(0, NULL, NULL, NULL, &t))
SLEEPER(in_ppoll, 0, 0, struct timespec t = {seconds}; sigset_t s;
	sigemptyset(&s), ppoll(NULL, 0, &t, &s))
SLEEPER(in_epoll, 0, 0, struct epoll_event e;
	int fd = epoll_create1(0), epoll_wait(fd, &e, 1, seconds * 1000))
SLEEPER(in_sigtimedwait, -1, EAGAIN, struct timespec t = {seconds}; sigset_t s;
	sigemptyset(&s); sigaddset(&s, SIGUSR1), sigtimedwait(&s, NULL, &t))
SLEEPER(in_sem, -1, ETIMEDOUT, sem_t s; sem_init(&s, 0, 0);
	struct timespec t = later(), sem_timedwait(&s, &t))
SLEEPER(in_cond, ETIMEDOUT, 0, struct timespec t = later();
	pthread_mutex_lock(&mutex), pthread_cond_timedwait(&cond, &mutex, &t))
SLEEPER(in_recv, -1, EAGAIN, char c; struct timeval t = {seconds};
	setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t),
	recv(sockets[0], &c, 1, 0))
static void *
in_semop(void *arg)
{
	struct timespec t = {seconds};
	struct sembuf b = {.sem_op = -1};
	int id = semget(IPC_PRIVATE, 1, 0600), r = semtimedop(id, &b, 1, &t);

	judge("in_semop", r, errno, -1, EAGAIN);
	semctl(id, 0, IPC_RMID);
	return NULL;
}

SLEEPER(in_read, 1, 0, char c, read(pipes[0], &c, 1))
SLEEPER(
    in_wait, 1, 0, int status; pid_t p = fork(); if (p == 0) {
	    sleep(seconds);
	    _exit(0);
    },
    waitpid(p, &status, 0) == p)

int
main(int argc, char *argv[])
{
	void *(*how[])(void *) = {in_nanosleep, in_poll, in_select, in_ppoll,
	    in_epoll, in_sigtimedwait, in_sem, in_cond, in_recv, in_semop,
	    in_read, in_wait};
	enum { N = sizeof how / sizeof *how };
	pthread_t t[N];

	seconds = argc > 1 ? atoi(argv[1]) : 1;
	pipe(pipes);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets);
	for (int i = 0; i < N; i++)
		pthread_create(&t[i], NULL, how[i], NULL);
	printf("ready\n");
	fflush(stdout);
	/* Main sleeps, too; the reader gets what it waits for after that. */
	struct timespec s = {seconds};
	judge(
	    "in_main", clock_nanosleep(CLOCK_MONOTONIC, 0, &s, NULL), 0, 0, 0);
	write(pipes[1], "x", 1);
	for (int i = 0; i < N; i++)
		pthread_join(t[i], NULL);
	if (!wrong)
		printf("ok\n");
	return wrong;
}
