/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <cpuid.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "ht-record/remote.h"
#include "libht/mem.h"

#define STOP_US	   100000  /* a thread that has not stopped by then does not */
#define ALONE_US   1000000 /* the same while no other is stopped */
#define VECTOR_MAX (64 << 10)

#define RED_ZONE     128
#define FXSAVE	     512 /* bytes of the first part of the vector registers */
#define XSAVE_HEADER 64
/* Of asm/sigcontext.h, which goes together with no <signal.h>. */
#define STATE_MAGIC1 0x46505853u
#define STATE_MAGIC2 0x46505845u
struct state_note { /* the last bytes of the first part */
	uint32_t magic1, extended_size;
	uint64_t components;
	uint32_t size, pad[7];
};
#define FRAME_FLAGS 6 /* UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS */
/* What the kernel says inside of itself: ERESTARTSYS, ERESTART_RESTARTBLOCK. */
#define RESTART_FIRST 512
#define RESTART_LAST  516

/* Of linux/ptrace.h, which cannot be had together with sys/ptrace.h. */
#define RSEQ_CONFIGURATION 0x420f
struct rseq_configuration {
	uint64_t pointer;
	uint32_t size, signature, flags, pad;
};
#define RSEQ_CS 8 /* offset in struct rseq */

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int
ht_remote_open(struct ht_remote *r, pid_t pid, struct ht_error *err)
{
	char path[64];
	sigset_t news;

	*r = (struct ht_remote){.pid = pid};
	sigemptyset(&news);
	sigaddset(&news, SIGCHLD);
	sigprocmask(SIG_BLOCK, &news, NULL);
	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	r->mem = open(path, O_RDWR | O_CLOEXEC);
	if (r->mem == -1)
		return ht_error_errno(
		    err, "cannot open the memory of process %d", (int)pid);
	return 0;
}

void
ht_remote_close(struct ht_remote *r)
{
	ht_remote_go(r);
	if (r->mem != -1)
		close(r->mem);
	free(r->thread);
	free(r->vector);
	*r = (struct ht_remote){.mem = -1};
}

/* ---- memory ----------------------------------------------------------- */

int
ht_remote_read(struct ht_remote *r, uint64_t at, void *to, size_t size)
{
	char *p = to;

	while (size > 0) {
		ssize_t n = pread(r->mem, p, size, (off_t)at);

		if (n <= 0)
			return -1;
		p += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

/* A word at a time, where /proc/PID/mem does not write what is read-only. */
static int
poke(struct ht_remote *r, uint64_t at, const char *from, size_t size)
{
	while (size > 0) {
		uint64_t word, base = at & ~UINT64_C(7), off = at - base;
		size_t n = 8 - off < size ? 8 - off : size;

		if (ht_remote_read(r, base, &word, sizeof word) == -1)
			return -1;
		memcpy((char *)&word + off, from, n);
		if (!r->threads ||
		    ptrace(PTRACE_POKEDATA, r->thread[0].tid, base, word) == -1)
			return -1;
		at += n;
		from += n;
		size -= n;
	}
	return 0;
}

int
ht_remote_write(struct ht_remote *r, uint64_t at, const void *from, size_t size)
{
	const char *p = from;

	while (size > 0) {
		ssize_t n = pwrite(r->mem, p, size, (off_t)at);

		if (n <= 0)
			return poke(r, at, p, size);
		p += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

/* ---- stopping --------------------------------------------------------- */

static struct ht_remote_thread *
known(struct ht_remote *r, pid_t tid)
{
	for (size_t i = 0; i < r->threads; i++)
		if (r->thread[i].tid == tid)
			return &r->thread[i];
	return NULL;
}

static void
drop(struct ht_remote *r, size_t i)
{
	r->thread[i] = r->thread[--r->threads];
}

/* The state of a thread as /proc has it; 0: it is gone. */
static char
state_of(pid_t pid, pid_t tid)
{
	char path[64], buf[256], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return 0;
	n = read(fd, buf, sizeof buf - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	p = strrchr(buf, ')');
	return p && p[1] ? p[2] : 0;
}

/* A thread that has ended, of a process that may live on. */
static bool
is_zombie(pid_t pid, pid_t tid)
{
	char state = state_of(pid, tid);

	return !state || state == 'Z' || state == 'X';
}

/* A number that /proc says of a thread, as `format` reads it; 0: it says none.
 */
static uint64_t
status_of(pid_t pid, pid_t tid, const char *format)
{
	char path[64], *line = NULL;
	uint64_t found = 0;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/status", pid, tid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (!found && getline(&line, &size, f) > 0)
		sscanf(line, format, &found);
	free(line);
	fclose(f);
	return found;
}

/* By another: a guardian that is about to finish, maybe. */
static bool
is_traced(pid_t pid, pid_t tid)
{
	return status_of(pid, tid, "TracerPid: %" SCNu64) != 0;
}

/* Is a SIGCONT to the process on its way? */
static bool
is_continued(pid_t pid)
{
	return status_of(pid, pid, "ShdPnd: %" SCNx64) >> (SIGCONT - 1) & 1;
}

/* Seizes a thread that is not known yet, without stopping it. 1: done; 0: it is
 * gone; -1: it may not be. */
static int
seize(struct ht_remote *r, pid_t tid)
{
	for (int try = 0; ptrace(PTRACE_SEIZE, tid, NULL,
			      PTRACE_O_TRACESYSGOOD | r->options) == -1;
	     try++) {
		int e = errno;

		if (e == ESRCH || is_zombie(r->pid, tid))
			return 0;
		r->again = e == EPERM && is_traced(r->pid, tid);
		errno = e;
		/* Who traced it may have let it go since: once more. */
		if (e != EPERM || r->again || try > 0)
			return -1;
	}
	HT_GROW(r->thread, r->cap, r->threads + 1);
	r->thread[r->threads++] = (struct ht_remote_thread){.tid = tid};
	return 1;
}

static DIR *
open_tasks(const struct ht_remote *r)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task", (int)r->pid);
	return opendir(path);
}

/* Seizes all that /proc lists and that are not known; how many, or -1. */
static int
seize_all(struct ht_remote *r)
{
	struct dirent *e;
	DIR *dir = open_tasks(r);
	int found = 0, s = 0;

	if (!dir)
		return -1;
	while (s >= 0 && (e = readdir(dir))) {
		pid_t tid = atoi(e->d_name);

		if (tid > 0 && !known(r, tid)) {
			s = seize(r, tid);
			found += s > 0;
		}
	}
	s = s < 0 ? errno : 0;
	closedir(dir);
	errno = s;
	return s ? -1 : found;
}

/*
 * Some system calls the kernel ends when a thread is stopped, be it for nothing
 * (signal(7), "Interruption by stop signals"): the program would see EINTR
 * where no signal was. A real one would have shown before, and be in its
 * handler now. So they are made again; a time-out begins anew.
 */
static int
make_again(struct ht_remote_thread *t)
{
	static const uint16_t ended[] = {SYS_epoll_wait, SYS_epoll_pwait,
	    SYS_epoll_pwait2, SYS_semop, SYS_semtimedop, SYS_rt_sigtimedwait,
	    SYS_io_getevents, SYS_io_pgetevents, SYS_io_uring_enter,
	    /* On sockets with a time-out. */
	    SYS_read, SYS_readv, SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg,
	    SYS_write, SYS_writev, SYS_sendto, SYS_sendmsg, SYS_sendmmsg,
	    SYS_accept, SYS_accept4, SYS_connect};
	struct user_regs_struct *r = &t->regs;

	if (r->rax != (uint64_t)-EINTR)
		return 0;
	for (size_t i = 0; i < HT_LEN(ended); i++)
		if (r->orig_rax == ended[i]) {
			r->rax = r->orig_rax;
			r->orig_rax = UINT64_MAX;
			r->rip -= 2; /* syscall */
			return ptrace(PTRACE_SETREGS, t->tid, NULL, r) == -1
				   ? -1
				   : 0;
		}
	return 0;
}

/* Whatever else wants to run: while the program is stopped, and above all while
 * its threads are let go one by one, who do so is not to wait for it. Where
 * that is allowed; it is only faster. */
static void
hurry(struct ht_remote *r, bool on)
{
	struct sched_param first = {.sched_priority = 1};

	if (on == r->hurried)
		return;
	r->hurried = on;
	if (on) {
		r->policy = sched_getscheduler(0);
		sched_getparam(0, &r->priority);
		sched_setscheduler(0, SCHED_FIFO, &first);
	} else {
		sched_setscheduler(0, r->policy, &r->priority);
	}
}

static void
begin_stop(struct ht_remote *r)
{
	hurry(r, true);
	if (!r->began)
		r->began = now_us();
}

static void
end_stop(struct ht_remote *r)
{
	uint64_t took = r->began ? now_us() - r->began : 0;

	hurry(r, false);
	if (took > r->longest)
		r->longest = took;
	r->began = 0;
}

/* Waits a moment for news of a thread. */
static void
wait_for_news(void)
{
	struct timespec t = {.tv_nsec = 2000000};
	sigset_t news;

	sigemptyset(&news);
	sigaddset(&news, SIGCHLD);
	sigtimedwait(&news, NULL, &t);
}

/* Takes a thread's news. 1: it is stopped by our interrupt; 0: not yet; -1: it
 * is gone. */
static int
settle(struct ht_remote *r, struct ht_remote_thread *t)
{
	int status;
	pid_t p;

	while ((p = waitpid(t->tid, &status, __WALL | WNOHANG)) == t->tid) {
		if (!WIFSTOPPED(status))
			return -1;
		if (status >> 16 == PTRACE_EVENT_STOP)
			break;
		/* Something else came first: a signal. It gets it, and then
		 * stops. */
		if (ptrace(PTRACE_CONT, t->tid, NULL, WSTOPSIG(status)) == -1)
			return errno == ESRCH ? 0 : -1;
	}
	if (p != t->tid)
		return p == 0 ? 0 : -1;
	begin_stop(r);
	t->stopped = true;
	if (ptrace(PTRACE_GETREGS, t->tid, NULL, &t->regs) == -1)
		return -1;
	return make_again(t) == -1 ? -1 : 1;
}

/* Waits until all that are known have stopped, from `from` on; the first of
 * them may have to wait for its turn to run, and nobody waits for it. False:
 * one does not, and is the last then. */
static bool
settle_all(struct ht_remote *r, size_t from)
{
	uint64_t since = now_us();

	for (size_t i = from; i < r->threads;) {
		int s = r->thread[i].stopped ? 1 : settle(r, &r->thread[i]);

		if (s == 1) {
			i++;
		} else if (s == -1) {
			drop(r, i);
		} else if (now_us() >
			   (r->began ? r->began + STOP_US : since + ALONE_US)) {
			return false;
		} else {
			wait_for_news();
		}
	}
	return true;
}

static void
interrupt(struct ht_remote *r, size_t from)
{
	for (size_t i = from; i < r->threads; i++)
		ptrace(PTRACE_INTERRUPT, r->thread[i].tid, NULL, NULL);
}

static int
is_gone(const struct ht_remote *r, struct ht_error *err)
{
	return ht_error_set(err, "process %d has ended", (int)r->pid);
}

static int
not_stopped(struct ht_remote *r, struct ht_error *err)
{
	ht_remote_go(r);
	r->again = true;
	return ht_error_set(err,
	    "a thread of process %d does not stop: it waits for a child of "
	    "vfork, or for a device",
	    (int)r->pid);
}

/* What seize_all() failed for, and what helps. */
static int
not_seized(struct ht_remote *r, struct ht_error *err)
{
	int e = errno;

	ht_remote_go(r);
	if (e == ENOENT)
		return is_gone(r, err);
	if (e == EPERM && r->options)
		return ht_error_set(err,
		    "cannot record process %d: its system calls are restricted "
		    "(seccomp), and only root may suspend that: sudo ht-record "
		    "-p %d",
		    (int)r->pid, (int)r->pid);
	if (e == EPERM && !r->again)
		return ht_error_set(err,
		    "cannot record process %d: ptrace is forbidden here, by "
		    "the rules of a container (docker run "
		    "--cap-add=SYS_PTRACE) "
		    "or by a security module",
		    (int)r->pid);
	errno = e;
	return ht_error_errno(err, "cannot stop process %d", (int)r->pid);
}

/* Does a thread sleep so that nothing wakes it? That is seen before anything is
 * stopped. */
static bool
one_is_deaf(struct ht_remote *r)
{
	DIR *dir = open_tasks(r);
	bool deaf = false;
	struct dirent *e;

	while (dir && !deaf && (e = readdir(dir)))
		deaf = atoi(e->d_name) > 0 &&
		       state_of(r->pid, atoi(e->d_name)) == 'D';
	if (dir)
		closedir(dir);
	return deaf;
}

int
ht_remote_stop_all(struct ht_remote *r, struct ht_error *err)
{
	size_t from = 0;
	int found;

	if (one_is_deaf(r))
		return not_stopped(r, err);
	found = seize_all(r);
	if (found == -1)
		return not_seized(r, err);
	hurry(r, true);
	do {
		interrupt(r, from);
		if (!settle_all(r, from))
			return not_stopped(r, err);
		from = r->threads;
		found = seize_all(r);
	} while (found > 0);
	if (!r->threads)
		return is_gone(r, err);
	return 0;
}

/* A thread that was seized only, and runs, cannot be let go: it stops first. */
static void
let_go(struct ht_remote *r, struct ht_remote_thread *t)
{
	uint64_t until = now_us() + 100 * STOP_US;

	if (!t->stopped && ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL) == 0)
		while (settle(r, t) == 0 && now_us() < until)
			wait_for_news();
	ptrace(PTRACE_DETACH, t->tid, NULL, NULL);
}

/* Lets go of those that are stopped, or of those that are not. */
static void
let_all_go(struct ht_remote *r, bool stopped)
{
	for (size_t i = 0; i < r->threads; i++)
		if (r->thread[i].tid && r->thread[i].stopped == stopped) {
			let_go(r, &r->thread[i]);
			r->thread[i].tid = 0;
		}
	end_stop(r);
}

void
ht_remote_go(struct ht_remote *r)
{
	if (r->working)
		ht_remote_work_end(r);
	/* A SIGCONT after it has undone it. */
	if (r->held_stop && is_continued(r->pid))
		r->held_stop = false;
	let_all_go(r, true);
	let_all_go(r, false);
	if (r->held_stop)
		kill(r->pid, SIGSTOP);
	r->held_stop = false;
	r->threads = 0;
}

size_t
ht_remote_visit(struct ht_remote *r, pid_t *tid, size_t n,
    bool (*look)(struct ht_remote_thread *t, void *arg), void *arg)
{
	uint64_t until = now_us() + ALONE_US;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (seize(r, tid[i]) == -1)
			tid[kept++] = tid[i];
	interrupt(r, 0);
	while (r->threads && now_us() < until) {
		size_t before = r->threads;

		for (size_t i = 0; i < r->threads;) {
			struct ht_remote_thread *t = &r->thread[i];
			int s = settle(r, t);

			if (s == 0) {
				i++;
				continue;
			}
			if (s == 1 && look(t, arg))
				tid[kept++] = t->tid;
			let_go(r, t);
			end_stop(r);
			drop(r, i);
		}
		if (r->threads == before)
			wait_for_news();
	}
	for (size_t i = 0; i < r->threads; i++)
		tid[kept++] = r->thread[i].tid;
	ht_remote_go(r);
	return kept;
}

int
ht_remote_move(struct ht_remote_thread *t, uint64_t pc)
{
	struct user_regs_struct regs = t->regs;

	regs.rip = pc;
	if (ptrace(PTRACE_SETREGS, t->tid, NULL, &regs) == -1)
		return -1;
	t->regs = regs;
	return 0;
}

/* ---- working ---------------------------------------------------------- */

static void
note_rseq(struct ht_remote *r)
{
	struct rseq_configuration c = {0};

	r->rseq = 0;
	if (ptrace(RSEQ_CONFIGURATION, r->worker.tid, sizeof c, &c) <= 0 ||
	    !c.pointer)
		return;
	if (ht_remote_read(
		r, c.pointer + RSEQ_CS, &r->rseq_cs, sizeof r->rseq_cs) == 0)
		r->rseq = c.pointer + RSEQ_CS;
}

/* The bytes of an extended state (xsave) with these components. */
static size_t
state_size(uint64_t components)
{
	size_t size = FXSAVE + XSAVE_HEADER;

	for (unsigned i = 2; i < 63; i++) {
		unsigned a = 0, b = 0, c, d;

		if (components >> i & 1 &&
		    __get_cpuid_count(0xd, i, &a, &b, &c, &d) && a + b > size)
			size = a + b;
	}
	return size;
}

/* The vector registers, as sigreturn(2) takes them: with two magic numbers. */
static size_t
frame_state(struct ht_remote *r, char *to)
{
	struct state_note note = {.magic1 = STATE_MAGIC1};
	uint32_t end = STATE_MAGIC2;
	size_t size = FXSAVE;

	if (r->vector_size < FXSAVE + XSAVE_HEADER) {
		memcpy(to, r->vector, size);
		return size;
	}
	memcpy(&note.components, (char *)r->vector + FXSAVE,
	    sizeof note.components);
	size = state_size(note.components);
	note.components |= 3; /* x87 and SSE */
	note.size = (uint32_t)size;
	note.extended_size = (uint32_t)(size + sizeof end);
	memcpy(to, r->vector, size);
	memcpy(to + FXSAVE - sizeof note, &note, sizeof note);
	memcpy(to + size, &end, sizeof end);
	return size + sizeof end;
}

/* The registers with which it goes on: a system call that the stop has ended is
 * made again, as the kernel would do. */
static void
frame_registers(const struct ht_remote *r, greg_t *to)
{
	const struct user_regs_struct *u = &r->worker.regs;
	uint64_t rax = u->rax, rip = u->rip;

	if ((int64_t)u->orig_rax >= 0 && rax >= (uint64_t)-RESTART_LAST &&
	    rax <= (uint64_t)-RESTART_FIRST) {
		rax = u->orig_rax;
		rip -= 2; /* syscall */
	}
	to[REG_RAX] = (greg_t)rax, to[REG_RIP] = (greg_t)rip;
	to[REG_RBX] = (greg_t)u->rbx, to[REG_RCX] = (greg_t)u->rcx;
	to[REG_RDX] = (greg_t)u->rdx, to[REG_RSI] = (greg_t)u->rsi;
	to[REG_RDI] = (greg_t)u->rdi, to[REG_RBP] = (greg_t)u->rbp;
	to[REG_RSP] = (greg_t)u->rsp, to[REG_EFL] = (greg_t)u->eflags;
	to[REG_R8] = (greg_t)u->r8, to[REG_R9] = (greg_t)u->r9;
	to[REG_R10] = (greg_t)u->r10, to[REG_R11] = (greg_t)u->r11;
	to[REG_R12] = (greg_t)u->r12, to[REG_R13] = (greg_t)u->r13;
	to[REG_R14] = (greg_t)u->r14, to[REG_R15] = (greg_t)u->r15;
	to[REG_CSGSFS] =
	    (greg_t)(u->cs | u->gs << 16 | u->fs << 32 | u->ss << 48);
}

/* Writes what rt_sigreturn takes below the stack of the worker: its address, 0
 * if there is no room. */
static uint64_t
write_frame(struct ht_remote *r, uint64_t room)
{
	char state[VECTOR_MAX + 64];
	size_t size = frame_state(r, state);
	uint64_t top = r->worker.regs.rsp - RED_ZONE - size;
	ucontext_t u = {
	    .uc_flags = FRAME_FLAGS,
	    /* Flags that are none: the kernel leaves it as it is. */
	    .uc_stack.ss_flags = 0x7fff,
	};
	uint64_t at;

	top &= ~UINT64_C(63);
	at = (top - sizeof u) & ~UINT64_C(63);
	frame_registers(r, u.uc_mcontext.gregs);
	u.uc_mcontext.fpregs = (fpregset_t)top;
	memcpy(&u.uc_sigmask, &r->mask, sizeof r->mask);
	if (!room || !r->way.sigreturn || at - 8 < room || at > top ||
	    ht_remote_write(r, top, state, size) == -1 ||
	    ht_remote_write(r, at, &u, sizeof u) == -1 ||
	    ht_remote_write(r, at - 8, &r->way.sigreturn, 8) == -1)
		return 0;
	return at;
}

int
ht_remote_work_begin(struct ht_remote *r, const struct ht_remote_way *way,
    uint64_t room, struct ht_error *err)
{
	struct ht_remote_thread *t = &r->thread[0];
	struct user_regs_struct back = t->regs;
	struct iovec v;
	uint64_t all = ~UINT64_C(0);

	if (!r->vector)
		r->vector = ht_malloc(VECTOR_MAX);
	v = (struct iovec){r->vector, VECTOR_MAX};
	if (ptrace(PTRACE_GETREGSET, t->tid, NT_X86_XSTATE, &v) == -1)
		return ht_error_errno(
		    err, "cannot get the registers of thread %d", (int)t->tid);
	r->vector_size = v.iov_len;
	if (ptrace(PTRACE_GETSIGMASK, t->tid, sizeof r->mask, &r->mask) == -1)
		return ht_error_errno(
		    err, "cannot get the signals of thread %d", (int)t->tid);
	r->worker = *t;
	r->way = *way;
	r->working = true;
	note_rseq(r);
	r->frame = write_frame(r, room);
	back.rip = way->sigreturn;
	back.rsp = back.rbx = r->frame;
	back.orig_rax = UINT64_MAX;
	if ((r->frame && ptrace(PTRACE_SETREGS, t->tid, NULL, &back) == -1) ||
	    ptrace(PTRACE_SETSIGMASK, t->tid, sizeof all, &all) == -1)
		return ht_error_errno(
		    err, "cannot block the signals of thread %d", (int)t->tid);
	return 0;
}

/* Is this stop a SIGSTOP to the worker? Then that is kept for later. */
static bool
holds_stop(struct ht_remote *r, int status)
{
	bool is = status >> 16 == 0 && WSTOPSIG(status) == SIGSTOP;

	r->held_stop |= is;
	return is;
}

/* Lets the worker go on to its next stop at a system call. False: it is gone,
 * or has run into trouble. */
static bool
next_stop(struct ht_remote *r)
{
	pid_t tid = r->worker.tid;
	int status;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, tid, NULL, NULL) == -1)
			return false;
		while (waitpid(tid, &status, __WALL) == -1)
			if (errno != EINTR)
				return false;
		if (!WIFSTOPPED(status))
			return false;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			return true;
		/* The whole process is to stop: not now. Another signal that
		 * cannot be blocked: a fault. */
		if (holds_stop(r, status))
			continue;
		if (status >> 16 != PTRACE_EVENT_STOP)
			return false;
	}
}

long
ht_remote_syscall(struct ht_remote *r, long number, uint64_t a, uint64_t b,
    uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	struct user_regs_struct regs = r->worker.regs;

	if (r->frame) {
		regs.rbx = r->frame;
		regs.rsp = r->frame - 8;
	}
	regs.rip = r->way.syscall;
	regs.rax = (uint64_t)number;
	regs.orig_rax = UINT64_MAX;
	regs.rdi = a;
	regs.rsi = b;
	regs.rdx = c;
	regs.r10 = d;
	regs.r8 = e;
	regs.r9 = f;
	if (ptrace(PTRACE_SETREGS, r->worker.tid, NULL, &regs) == -1 ||
	    !next_stop(r) || !next_stop(r) ||
	    ptrace(PTRACE_GETREGS, r->worker.tid, NULL, &regs) == -1)
		return -EIO;
	return (long)regs.rax;
}

long
ht_remote_call(struct ht_remote *r, uint64_t call, uint64_t done,
    uint64_t function, uint64_t stack)
{
	struct user_regs_struct regs = r->worker.regs;

	regs.rip = call;
	regs.rbx = r->frame;
	regs.rax = function;
	regs.orig_rax = UINT64_MAX;
	regs.rsp = stack & ~UINT64_C(15);
	regs.rbp = 0;
	regs.eflags &= ~UINT64_C(0x400); /* the direction flag */
	if (ptrace(PTRACE_SETREGS, r->worker.tid, NULL, &regs) == -1)
		return -EIO;
	do
		if (!next_stop(r) ||
		    ptrace(PTRACE_GETREGS, r->worker.tid, NULL, &regs) == -1)
			return -EIO;
	while (regs.rip != done + 2);
	/* At the entry to that system call; on to its end. */
	if (!next_stop(r))
		return -EIO;
	return (int)regs.rdi;
}

int
ht_remote_work_end(struct ht_remote *r)
{
	struct ht_remote_thread *t = &r->worker;
	struct iovec v = {r->vector, r->vector_size};
	int status, e = 0;

	r->working = false;
	/* From a stop at a system call the kernel would go straight back into
	 * the program: one more stop, where it asks what to restart. */
	if (ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL) == -1 ||
	    ptrace(PTRACE_CONT, t->tid, NULL, NULL) == -1)
		return -1;
	do
		if (waitpid(t->tid, &status, __WALL) == -1 ||
		    !WIFSTOPPED(status))
			return -1;
	while ((holds_stop(r, status) || status >> 16 != PTRACE_EVENT_STOP) &&
	       ptrace(PTRACE_CONT, t->tid, NULL, NULL) == 0);
	e |= ptrace(PTRACE_SETREGSET, t->tid, NT_X86_XSTATE, &v) == -1;
	e |= ptrace(PTRACE_SETSIGMASK, t->tid, sizeof r->mask, &r->mask) == -1;
	e |= ptrace(PTRACE_SETREGS, t->tid, NULL, &t->regs) == -1;
	if (r->rseq && r->rseq_cs)
		e |= ht_remote_write(
			 r, r->rseq, &r->rseq_cs, sizeof r->rseq_cs) == -1;
	return e ? -1 : 0;
}
