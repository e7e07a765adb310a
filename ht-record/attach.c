/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ht-record/attach.h"
#include "ht-record/program.h"
#include "libht/mem.h"
#include "libht/str.h"

#define KERNEL_THREAD 0x00200000 /* PF_KTHREAD */

/* /proc/PID/<file>, at most size - 1 bytes, with a NUL; its length or -1. */
static ssize_t
read_proc(pid_t pid, const char *file, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

/* The number behind a key of /proc/PID/status; -1: it is not there. */
static long
status_of(pid_t pid, const char *key)
{
	char buf[8192], *p;

	if (read_proc(pid, "status", buf, sizeof buf) <= 0)
		return -1;
	p = strstr(buf, key);
	return p ? atol(p + strlen(key)) : -1;
}

static void
name_of(pid_t pid, char name[64])
{
	char comm[32];
	ssize_t n = read_proc(pid, "comm", comm, sizeof comm);

	if (n > 0 && comm[n - 1] == '\n')
		n--;
	ht_escape(name, 64, comm, n > 0 ? (size_t)n : 0);
}

char *
ht_attach_name(pid_t pid)
{
	char path[64], exe[PATH_MAX], *deleted, *slash;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	n = readlink(path, exe, sizeof exe - 1);
	exe[n > 0 ? n : 0] = '\0';
	if ((deleted = strstr(exe, " (deleted)")))
		*deleted = '\0';
	slash = strrchr(exe, '/');
	return ht_strdup(slash && slash[1] ? slash + 1 : "program");
}

bool
ht_attach_other_root(pid_t pid)
{
	char path[64];
	struct stat its, ours;

	snprintf(path, sizeof path, "/proc/%d/root", (int)pid);
	if (stat(path, &its) == -1 || stat("/", &ours) == -1)
		return false;
	return its.st_dev != ours.st_dev || its.st_ino != ours.st_ino;
}

/* ---- what there is ---------------------------------------------------- */

static int
check_exists(pid_t pid, struct ht_error *err)
{
	char stat_text[1024], *p, state = 0;
	unsigned long flags = 0;
	long leader;

	if (read_proc(pid, "stat", stat_text, sizeof stat_text) <= 0)
		return ht_error_set(err, "there is no process %d", (int)pid);
	p = strrchr(stat_text, ')');
	if (p)
		sscanf(p, ") %c %*d %*d %*d %*d %*d %lu", &state, &flags);
	leader = status_of(pid, "\nTgid:");
	if (flags & KERNEL_THREAD)
		return ht_error_set(err,
		    "cannot record process %d: it is a thread of the kernel",
		    (int)pid);
	if (leader > 0 && leader != pid)
		return ht_error_set(err,
		    "%d is a thread of process %ld: ht-record -p %ld", (int)pid,
		    leader, leader);
	/* Its main thread may be gone while others live. */
	if ((state == 'Z' && status_of(pid, "\nThreads:") <= 1) || state == 'X')
		return ht_error_set(err,
		    "cannot record process %d: it has ended already, and waits "
		    "for its parent to take notice",
		    (int)pid);
	if (pid == getpid())
		return ht_error_set(err,
		    "cannot record process %d: that is ht-record itself",
		    (int)pid);
	return 0;
}

/* ---- what may be done ------------------------------------------------- */

static const char *
user_name(long uid)
{
	static char buf[32];
	struct passwd *p = getpwuid((uid_t)uid);

	if (p)
		return p->pw_name;
	snprintf(buf, sizeof buf, "%ld", uid);
	return buf;
}

static int
yama_scope(void)
{
	FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%d", &scope) != 1)
		scope = 0;
	fclose(f);
	return scope;
}

/* The kernel has said no: who was it, and what helps? */
static int
explain(pid_t pid, struct ht_error *err)
{
	long uid = status_of(pid, "\nUid:\t");
	int scope = yama_scope();

	if (scope >= 3)
		return ht_error_set(err,
		    "cannot record process %d: this system lets no process be "
		    "attached to (kernel.yama.ptrace_scope is 3, until the "
		    "next boot): start the program with ht-record",
		    (int)pid);
	if (geteuid() != 0 && uid >= 0 && uid != (long)geteuid())
		return ht_error_set(err,
		    "cannot record process %d: it is of user %s, so become "
		    "that user, or root: sudo ht-record -p %d",
		    (int)pid, user_name(uid), (int)pid);
	if (scope > 0 && geteuid() != 0)
		return ht_error_set(err,
		    "cannot record process %d: this system lets only root "
		    "attach to a program: sudo ht-record -p %d, or, until the "
		    "next boot, sudo sysctl kernel.yama.ptrace_scope=0",
		    (int)pid, (int)pid);
	if (geteuid() != 0)
		return ht_error_set(err,
		    "cannot record process %d: it has or had more rights than "
		    "you, or keeps debuggers out: sudo ht-record -p %d",
		    (int)pid, (int)pid);
	return ht_error_set(err,
	    "cannot record process %d: even root may not attach to it here: "
	    "the capability CAP_SYS_PTRACE is missing, or a security module "
	    "forbids it",
	    (int)pid);
}

/* Another tracer; a guardian that is about to leave is waited for. */
static int
check_tracer(pid_t pid, struct ht_error *err)
{
	char name[64];
	long tracer;

	for (int i = 0; i < 100; i++) {
		tracer = status_of(pid, "\nTracerPid:");
		if (tracer <= 0)
			return 0;
		name_of((pid_t)tracer, name);
		if (strcmp(name, "ht-guardian") != 0)
			break;
		usleep(20000);
	}
	return ht_error_set(err,
	    "cannot record process %d: it is being traced by process %ld (%s)",
	    (int)pid, tracer, name);
}

/* Whether it may be traced: the memory may be opened by who may do that. */
static int
check_rights(pid_t pid, struct ht_error *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd != -1) {
		close(fd);
		return 0;
	}
	if (errno == EACCES || errno == EPERM)
		return explain(pid, err);
	return ht_error_errno(
	    err, "cannot open the memory of process %d", (int)pid);
}

int
ht_attach_check(pid_t pid, struct ht_error *err)
{
	char exe[64], name[64];

	if (check_exists(pid, err) == -1 || check_tracer(pid, err) == -1 ||
	    check_rights(pid, err) == -1)
		return -1;
	snprintf(exe, sizeof exe, "/proc/%d/exe", (int)pid);
	snprintf(name, sizeof name, "process %d", (int)pid);
	return ht_program_check_running(name, exe, err);
}
