/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * jail WAY [DIR]: shuts itself in and goes on allocating.
 *   strict   seccomp's strict mode: read, write, exit, sigreturn
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
#include <linux/seccomp.h>
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
		wrong("usage: jail strict|nofile|fsize|chroot|user [DIR]");
	}
	inside(300000);
	say_truth("inside", &t);
	return 0;
}
