/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Another process, stopped and worked upon by ptrace(2), one stop at a time: in
 * between nothing holds it, so that a debugger may have it.
 *
 * The threads are seized while they run, then interrupted, and the list in
 * /proc is read again until it names nobody new: who is stopped makes no
 * threads. A thread in a system call that sleeps is woken for that; unless it
 * is made to do something here, the kernel takes it back to sleep as after
 * SIGCONT. One that is made to is given its registers back, all of them, with
 * the number of the system call that it was in, from a stop in which the
 * kernel still has to decide whether to restart that; with its signal mask, its
 * vector registers, and its restartable sequence (rseq(2)), which the kernel
 * would otherwise take for left.
 *
 * A thread works here by system calls alone, on a stack of ours, with its
 * signals blocked; the tracer goes from system call to system call, so there
 * is no SIGTRAP, which would change what the program does with that signal.
 *
 * The kernel lets a program go when its tracer is killed, as it is just then.
 * So before a thread works, all its registers are written onto its stack as a
 * signal's frame is, and each system call of ours is followed by rt_sigreturn:
 * left alone, the thread finds back by itself.
 */
#ifndef HT_REMOTE_H
#define HT_REMOTE_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "libht/base.h"
#include "libht/err.h"

struct ht_remote_thread {
	pid_t tid;
	bool stopped;
	struct user_regs_struct regs; /* valid while it is stopped */
};

/* Code of the process that works for us. */
struct ht_remote_way {
	uint64_t syscall;   /* the instruction; a `ret` follows, if there is */
	uint64_t sigreturn; /* a call of rt_sigreturn; 0: none is known */
};

struct ht_remote {
	pid_t pid;
	int mem;
	struct ht_remote_thread *thread;
	size_t threads, cap;
	int options; /* more for ptrace: PTRACE_O_SUSPEND_SECCOMP */
	/* The thread that works for us, between begin and end. */
	bool working;
	struct ht_remote_thread worker;
	uint64_t mask, rseq, rseq_cs;
	void *vector;
	size_t vector_size;
	struct ht_remote_way way;
	uint64_t frame; /* what rt_sigreturn takes; 0: there was no room */
	bool held_stop; /* a SIGSTOP came, which cannot be blocked, while
			 * the thread worked; it gets it when let go */
	bool again;	/* a thread did not stop: it might, later */
	uint64_t began; /* us; of the stop: when the first did */
	bool hurried;
	uint64_t longest; /* us; of the stops so far */
	int policy;	  /* how we are scheduled when nothing is stopped */
	struct sched_param priority;
};

/* Opens its memory, and blocks SIGCHLD, to wait for it. 0, or -1 with *err set.
 * Nothing is stopped. */
int ht_remote_open(struct ht_remote *r, pid_t pid, struct ht_error *err);
/* Lets everything go and frees it. */
void ht_remote_close(struct ht_remote *r);

/*
 * Stops all threads. 0, or -1 with *err set and nothing stopped: it has ended;
 * some thread does not stop within 100 ms (it waits for a vfork child, or for a
 * disk); or it may not be traced.
 */
int ht_remote_stop_all(struct ht_remote *r, struct ht_error *err);
/* Lets them go on. */
void ht_remote_go(struct ht_remote *r);
/* Stops each of these threads for itself, for as long as `look` takes. Left in
 * tid[] are those for which that returned true, and those that did not stop;
 * how many. Nothing is stopped before and after. */
size_t ht_remote_visit(struct ht_remote *r, pid_t *tid, size_t n,
    bool (*look)(struct ht_remote_thread *t, void *arg), void *arg);

/* Memory; works while nothing is stopped, too. 0, or -1. What may not be
 * written is written nevertheless, if something is stopped. */
int ht_remote_read(struct ht_remote *r, uint64_t at, void *to, size_t size);
int ht_remote_write(
    struct ht_remote *r, uint64_t at, const void *from, size_t size);

/* Makes the first stopped thread work: 0, or -1 with *err set. After
 * ht_remote_work_end() it is where it was. Its stack may be written to from
 * `room` up; 0: nowhere. */
int ht_remote_work_begin(struct ht_remote *r, const struct ht_remote_way *way,
    uint64_t room, struct ht_error *err);
/* One system call: what it returns, -errno for a failure; -EIO when the
 * process ended. */
long ht_remote_syscall(struct ht_remote *r, long number, uint64_t a, uint64_t b,
    uint64_t c, uint64_t d, uint64_t e, uint64_t f);
/* Calls `function` on a stack that ends at `stack`: `call` calls what rax says
 * and ends in a system call at `done`, then takes the frame that rbx says.
 * Returns what the function returned;
 * -EIO: it did not come to that. */
long ht_remote_call(struct ht_remote *r, uint64_t call, uint64_t done,
    uint64_t function, uint64_t stack);
int ht_remote_work_end(struct ht_remote *r);

/* Moves a stopped thread to another instruction. */
int ht_remote_move(struct ht_remote_thread *t, uint64_t pc);

#endif
