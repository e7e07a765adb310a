/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * measure [-t] -o FILE COMMAND
 *
 * Runs `sh -c COMMAND` and writes to FILE what it cost, a `name<TAB>value…`
 * line each:
 *
 *   wall    ns, from the fork to the end of the last process
 *   status  exit status of the shell (128+signal)
 *   other   ns of CPU that everybody else had meanwhile (in ticks of 10 ms)
 *   steal   ns that the hypervisor kept for itself (the same)
 *   proc    name, CPU in ns, peak RSS in KiB, of it shared memory in KiB at
 *           the end, ns from the start to the end of the process; one line
 *           for each process, in the order of their ends
 *
 * With -t the command's stdout is a terminal (a pty that is read and dropped).
 *
 * Every process counts for itself, whoever waits for it, however short its
 * life: wait4() of a stage would add the program to the recorder that is its
 * parent. So the tree is traced with ptrace, at fork, exec and exit only: a
 * traced process is stopped a few times in its life and at signals, and system
 * calls cost what they always do. Its CPU is read off its own clock once it is
 * a zombie, so the freeing of its memory is in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_PROCS 4096

struct proc {
	pid_t pid;
	uint64_t born;
	long hwm, shmem; /* KiB; 0: not seen at its end */
	char name[32];
};

static struct proc procs[MAX_PROCS];
static int nprocs;

static void
die(const char *what)
{
	fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t
now(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) == -1)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* User, system and interrupt time of all, and what was stolen, in ns. */
static void
machine(uint64_t *busy, uint64_t *steal)
{
	uint64_t v[8] = {0};
	uint64_t tick = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	FILE *f = fopen("/proc/stat", "re");

	*busy = *steal = 0;
	if (!f)
		return;
	if (fscanf(f,
		"cpu %" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64
		"%" SCNu64 "%" SCNu64 "%" SCNu64,
		v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7) == 8) {
		*busy = (v[0] + v[1] + v[2] + v[5] + v[6]) * tick;
		*steal = v[7] * tick;
	}
	fclose(f);
}

static struct proc *
find(pid_t pid)
{
	for (int i = nprocs; i-- > 0;)
		if (procs[i].pid == pid)
			return &procs[i];
	if (nprocs == MAX_PROCS) {
		errno = ENOSPC;
		die("too many processes");
	}
	procs[nprocs].pid = pid;
	procs[nprocs].born = now(CLOCK_MONOTONIC);
	return &procs[nprocs++];
}

/* Its memory is still there: this is the last look at it. */
static void
look(struct proc *p)
{
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", p->pid);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof line, f)) {
		sscanf(line, "Name: %31s", p->name);
		sscanf(line, "VmHWM: %ld", &p->hwm);
		sscanf(line, "RssShmem: %ld", &p->shmem);
	}
	fclose(f);
}

/* The clock of all threads of a process, as clock_getcpuclockid() makes it:
 * that refuses a zombie, which the clock itself does not. */
static clockid_t
clock_of(pid_t pid)
{
	return (clockid_t)(~(unsigned)pid << 3 | 2);
}

static void
ended(FILE *out, pid_t pid, int *status)
{
	struct proc *p = find(pid);
	uint64_t cpu = now(clock_of(pid)), end = now(CLOCK_MONOTONIC);
	struct rusage usage;

	if (wait4(pid, status, __WALL, &usage) != pid)
		die("wait4");
	/* Of one that was killed there was no last look. */
	if (!p->hwm)
		p->hwm = usage.ru_maxrss;
	if (!*p->name)
		strcpy(p->name, "?");
	fprintf(out, "proc\t%s\t%" PRIu64 "\t%ld\t%ld\t%" PRIu64 "\n", p->name,
	    cpu, p->hwm, p->shmem, end - p->born);
	p->pid = 0;
}

static void
stopped(pid_t pid, int status)
{
	int event = status >> 16, sig = WSTOPSIG(status);
	struct proc *p = find(pid);

	if (event == PTRACE_EVENT_EXIT)
		look(p);
	if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) {
		/* Stopped as a shell stops its jobs: let it lie. */
		ptrace(PTRACE_LISTEN, pid, 0, 0);
		return;
	}
	/* ESRCH: killed meanwhile, its end comes next. */
	if (ptrace(PTRACE_CONT, pid, 0, event ? 0 : sig) == -1 &&
	    errno != ESRCH)
		die("ptrace");
}

/* Until nothing is left. Returns the status of `first`. */
static int
follow(FILE *out, pid_t first)
{
	int result = 0;

	for (;;) {
		siginfo_t si = {0};
		int status;

		if (waitid(P_ALL, 0, &si,
			WEXITED | WSTOPPED | WNOWAIT | __WALL) == -1) {
			if (errno == EINTR)
				continue;
			if (errno == ECHILD)
				return result;
			die("waitid");
		}
		if (si.si_code == CLD_EXITED || si.si_code == CLD_KILLED ||
		    si.si_code == CLD_DUMPED) {
			ended(out, si.si_pid, &status);
			if (si.si_pid == first)
				result = status;
			continue;
		}
		if (waitpid(si.si_pid, &status, __WALL | WNOHANG) ==
			si.si_pid &&
		    WIFSTOPPED(status))
			stopped(si.si_pid, status);
	}
}

static int
open_terminal(int *master)
{
	char name[64];
	int fd;

	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master == -1 || grantpt(*master) == -1 ||
	    unlockpt(*master) == -1 || ptsname_r(*master, name, sizeof name))
		die("cannot open a terminal");
	fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd == -1)
		die(name);
	return fd;
}

static void *
drop(void *arg)
{
	char buf[4096];

	while (read(*(int *)arg, buf, sizeof buf) > 0)
		;
	return NULL;
}

static pid_t
start(const char *command, int terminal)
{
	int go[2];
	pid_t pid;
	char c = 0;

	if (pipe2(go, O_CLOEXEC) == -1)
		die("pipe");
	pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0) {
		close(go[1]);
		while (read(go[0], &c, 1) == -1 && errno == EINTR)
			;
		if (terminal != -1)
			dup2(terminal, 1);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	if (ptrace(PTRACE_SEIZE, pid, 0,
		PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC |
		    PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL) == -1) {
		int e = errno;

		kill(pid, SIGKILL);
		errno = e;
		die("cannot trace (ptrace)");
	}
	find(pid);
	close(go[0]);
	if (write(go[1], &c, 1) != 1)
		die("pipe");
	close(go[1]);
	if (terminal != -1)
		close(terminal);
	return pid;
}

int
main(int argc, char **argv)
{
	uint64_t begin, end, busy[2], steal[2], ours = 0;
	int terminal = -1, master = -1, opt, status;
	const char *file = NULL;
	struct rusage usage;
	bool tty = false;
	pthread_t reader;
	FILE *out;

	while ((opt = getopt(argc, argv, "to:")) != -1)
		if (opt == 't')
			tty = true;
		else if (opt == 'o')
			file = optarg;
		else
			return 2;
	if (!file || optind != argc - 1) {
		fputs("usage: measure [-t] -o FILE COMMAND\n", stderr);
		return 2;
	}
	out = fopen(file, "we");
	if (!out)
		die(file);
	if (tty) {
		terminal = open_terminal(&master);
		if (pthread_create(&reader, NULL, drop, &master))
			die("pthread_create");
	}
	machine(&busy[0], &steal[0]);
	begin = now(CLOCK_MONOTONIC);
	status = follow(out, start(argv[optind], terminal));
	end = now(CLOCK_MONOTONIC);
	machine(&busy[1], &steal[1]);
	/* Ours, and what we waited for: all that ran under us. */
	for (int who = RUSAGE_CHILDREN; who <= RUSAGE_SELF; who++) {
		getrusage(who, &usage);
		ours +=
		    (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) *
			1000000000 +
		    (uint64_t)(usage.ru_utime.tv_usec +
			       usage.ru_stime.tv_usec) *
			1000;
	}
	busy[1] -= busy[0];
	fprintf(out, "wall\t%" PRIu64 "\nstatus\t%d\n", end - begin,
	    WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	fprintf(out, "other\t%" PRIu64 "\nsteal\t%" PRIu64 "\n",
	    busy[1] > ours ? busy[1] - ours : 0, steal[1] - steal[0]);
	if (fclose(out))
		die(file);
	return 0;
}
