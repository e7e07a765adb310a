/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seccomp HOW WAY [PROGRAM…]: puts itself under a filter, by prctl or by the
 * system call as such, that kills it for any system call which only its
 * recorder would make, and then allocates at once:
 *
 *   thread   in a thread that it starts
 *   fork     in a child
 *   exec     as another program
 *   spawn    in a child that executes another program
 *
 * Says how the child ended.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "truth.h"

static void
shut_in(const char *how)
{
	static const int killed[] = {SYS_socket, SYS_connect, SYS_sendto,
	    SYS_recvmsg, SYS_setsockopt, SYS_gettid, SYS_tgkill,
	    SYS_process_vm_readv, SYS_memfd_create};
	struct sock_filter f[40] = {BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
	struct sock_fprog p = {1, f};

	for (size_t i = 0; i < sizeof killed / sizeof *killed; i++) {
		f[p.len++] = (struct sock_filter)BPF_JUMP(
		    BPF_JMP | BPF_JEQ | BPF_K, killed[i], 0, 1);
		f[p.len++] = (struct sock_filter)BPF_STMT(
		    BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	}
	f[p.len++] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		wrong("no_new_privs");
	if (!strcmp(how, "prctl")) {
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p))
			wrong("prctl");
	} else if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p)) {
		wrong("seccomp");
	}
}

static FRAME void
work(void)
{
	for (int i = 0; i < 1000; i++)
		free(malloc(i));
}

static void *
thread(void *arg)
{
	work();
	return arg;
}

int
main(int argc, char **argv)
{
	const char *way = argc > 2 ? argv[2] : "";
	pthread_t id;
	int status = 0;
	pid_t pid;

	free(malloc(10));
	shut_in(argc > 1 ? argv[1] : "");
	if (!strcmp(way, "thread")) {
		if (pthread_create(&id, NULL, thread, NULL) ||
		    pthread_join(id, NULL))
			wrong("pthread_create");
	} else if (!strcmp(way, "exec")) {
		execv(argv[3], argv + 3);
		wrong("execv");
	} else {
		pid = fork();
		if (!pid && !strcmp(way, "spawn")) {
			execv(argv[3], argv + 3);
			_exit(99);
		}
		if (!pid) {
			work();
			_exit(4);
		}
		if (waitpid(pid, &status, 0) != pid)
			wrong("waitpid");
	}
	work();
	say("status", status);
	return 5;
}
