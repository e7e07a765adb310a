/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * jail WAY [DIR]: shuts itself in and goes on allocating.
 *   strict   seccomp's strict mode: read, write, exit, sigreturn
 *   filter   a filter of seccomp's, which ends it at any call but a heap's, by
 *            the system call as such
 *   as       RLIMIT_AS, of which it needs the most
 *   nofile   RLIMIT_NOFILE 16, all of them used
 *   fsize    RLIMIT_FSIZE 0, lifted at the end (stdout may be a file)
 *   chroot   into DIR, empty, then another user (root only)
 *   user     becomes another user (root only)
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "truth.h"

static struct truth t;

static FRAME void
inside(int n)
{
	static void *block[100];

	for (int i = 0; i < n; i++) {
		void **b = &block[i * 7 % 100];

		if (*b) {
			free(*b);
			t.frees++;
		}
		*b = malloc(i % 1000);
		t.allocations++;
		t.bytes += i % 1000;
	}
}

static FRAME void
make_room(void)
{
	void *volatile room = malloc(16 << 20);

	free(room);
}

/* Frees its memory only when all is there. */
static FRAME void
much_room(void)
{
	static void *block[300];

	for (int i = 0; i < 300; i++)
		if (!(block[i] = malloc(1 << 20)))
			wrong("malloc");
	for (int i = 0; i < 300; i++)
		free(block[i]);
}

static void
filter(void)
{
#define ALLOW(call)                                                            \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1),                 \
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
	struct sock_filter code[] = {
	    BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    ALLOW(write),
	    ALLOW(exit_group),
	    ALLOW(brk),
	    ALLOW(mmap),
	    ALLOW(munmap),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog prog = {sizeof code / sizeof *code, code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog))
		wrong("seccomp");
}

int
main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";
	struct rlimit limit = {16, 16};

	inside(1000);
	if (!strcmp(way, "strict")) {
		/* A heap that neither grows nor shrinks from here on. */
		mallopt(M_TRIM_THRESHOLD, 1 << 30);
		mallopt(M_MMAP_THRESHOLD, 1 << 30);
		make_room();
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
			wrong("seccomp");
		inside(300000);
		say_truth("inside", &t);
		syscall(SYS_exit, 0);
	} else if (!strcmp(way, "filter")) {
		filter();
	} else if (!strcmp(way, "as")) {
		limit.rlim_cur = 512 << 20;
		limit.rlim_max = RLIM_INFINITY;
		if (setrlimit(RLIMIT_AS, &limit))
			wrong("setrlimit");
		much_room();
	} else if (!strcmp(way, "nofile")) {
		if (setrlimit(RLIMIT_NOFILE, &limit))
			wrong("setrlimit");
		while (open("/dev/null", O_RDONLY) >= 0)
			;
	} else if (!strcmp(way, "fsize")) {
		if (getrlimit(RLIMIT_FSIZE, &limit))
			wrong("getrlimit");
		limit.rlim_cur = 0;
		if (setrlimit(RLIMIT_FSIZE, &limit))
			wrong("setrlimit");
		inside(300000);
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_FSIZE, &limit))
			wrong("setrlimit");
	} else if (!strcmp(way, "chroot")) {
		if (argc < 3 || chroot(argv[2]) || chdir("/") ||
		    setgid(65534) || setuid(65534))
			wrong("chroot");
	} else if (!strcmp(way, "user")) {
		if (setgid(65534) || setuid(65534))
			wrong("setuid");
	} else {
		wrong("usage: jail strict|filter|as|nofile|fsize|chroot|user "
		      "[DIR]");
	}
	inside(300000);
	say_truth("inside", &t);
	return 0;
}
