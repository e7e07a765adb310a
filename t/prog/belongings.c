/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * belongings [ms]: lists what is this process's: descriptors, threads, signal
 * state, privileges, limits. The same lines with and without a recorder.
 */
/* LINK: -fno-builtin */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>

#include "truth.h"

static void
line(const char *text, size_t len)
{
	if (write(1, text, len) != (ssize_t)len || write(1, "\n", 1) != 1)
		_exit(99);
}

static int
list(const char *dir)
{
	int n = 0;
	DIR *d = opendir(dir);
	struct dirent *e;

	if (!d)
		wrong(dir);
	while ((e = readdir(d)))
		if (*e->d_name != '.' && (strcmp(dir, "/proc/self/fd") ||
					     atoi(e->d_name) != dirfd(d))) {
			if (!strcmp(dir, "/proc/self/fd")) {
				char text[40];
				int len = snprintf(
				    text, sizeof text, "fd %s", e->d_name);
				line(text, len);
			}
			n++;
		}
	closedir(d);
	return n;
}

int
main(int argc, char **argv)
{
	static const char *const wanted[] = {
	    "SigBlk:", "SigIgn:", "SigCgt:", "NoNewPrivs:", "Seccomp:",
	    "CapEff:", "TracerPid:", "Umask:", "Threads:"};
	static char buf[8192];
	struct rlimit limit;
	stack_t alt;
	char *p, *end;
	int fd, n;

	/* Something for the recorder to do. */
	for (int i = 0; i < 1000; i++)
		free(malloc(i));
	if (argc > 1)
		usleep(atoi(argv[1]) * 1000);
	list("/proc/self/fd");
	say("tasks", list("/proc/self/task"));
	fd = open("/proc/self/status", O_RDONLY);
	n = read(fd, buf, sizeof buf - 1);
	close(fd);
	for (p = buf; p < buf + n && (end = strchr(p, '\n')); p = end + 1)
		for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++)
			if (!strncmp(p, wanted[i], strlen(wanted[i]))) {
				/* Signals 32 and 33 are the libc's own. */
				if (!strncmp(p, "Sig", 3) && end - p > 24)
					memset(p + 8, '0', 8);
				if (!strncmp(p, "Sig", 3) && end[-8] > '7')
					end[-8] = '0';
				line(p, end - p);
			}
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		char text[100];

		getrlimit(i, &limit);
		line(text, snprintf(text, sizeof text, "limit %d %llu %llu", i,
			       (unsigned long long)limit.rlim_cur,
			       (unsigned long long)limit.rlim_max));
	}
	sigaltstack(NULL, &alt);
	say("altstack", alt.ss_flags);
	say("death signal", (prctl(PR_GET_PDEATHSIG, &n), n));
	say("dumpable", prctl(PR_GET_DUMPABLE));
	say("subreaper", (prctl(PR_GET_CHILD_SUBREAPER, &n), n));
	say("own group", getpgrp() == getpid());
	say("own session", getsid(0) == getpid());
	return 0;
}
