/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ht-record/drain.h"
#include "ht-record/guardian.h"
#include "ht-record/job.h"
#include "ht-record/serve.h"
#include "libht/event.h"
#include "libht/evwrite.h"
#include "libht/mem.h"

#define DRAIN_MAX  (1u << 16) /* records between two looks at the world */
#define HOLD_MS	   100	      /* a trace is held back so long, */
#define HOLD_BYTES (1u << 20) /* or until it is so large */
#define NAP_MIN_US 1000	      /* sleep after a drain that found many, */
#define NAP_MAX_US 10000      /* and at most, times the pace */
#define MANY	   1000	      /* records; of fewer a ring does not fill */

struct ht_job {
	struct ht_job_options o;
	struct ht_clock *clock;
	struct ht_server *server;
	struct ht_ring *spare; /* what the next image will take */
	int ring_fd;
	struct ht_drain drain; /* ring NULL: no image has come yet */
	struct ht_out *out;    /* the product */
	struct ht_out *hold;   /* NULL: not held back */
	int hold_fd;
	sigset_t signals, ends; /* those to us; SIGCHLD */
	struct ht_child child;
	struct ht_guardian *guardian; /* NULL: it was launched */
	struct ht_guarded guarded;
	int pid_fd;	      /* of a process attached to */
	bool paused;	      /* by a signal, or for the delay */
	pthread_t listener;   /* to signals, whatever the output is doing */
	_Atomic bool listens; /* false: the listener is to end */
	_Atomic int wish; /* SIGUSR1 or SIGUSR2, as they came last; 0: none */
	_Atomic bool leaving; /* to be detached from */
	bool stopped;	      /* nobody reads what we write */
	char *exe[2];	      /* of an image of a child, and NULL */
	struct timespec start;
};

static uint64_t
us_since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)(now.tv_sec - t->tv_sec) * 1000000 +
	       (uint64_t)(now.tv_nsec / 1000) - (uint64_t)(t->tv_nsec / 1000);
}

static const _Atomic uint32_t *
pace_of(const struct ht_job *j)
{
	static const _Atomic uint32_t alone = 1;

	return j->o.pace ? j->o.pace : &alone;
}

/* How long to sleep after a drain that found `n`. */
static uint64_t
next_nap(const struct ht_job *j, size_t n, uint64_t us)
{
	uint64_t most = (uint64_t)NAP_MAX_US * atomic_load(pace_of(j));

	us = n > MANY ? NAP_MIN_US : us * 2;
	return us < most ? us : most;
}

/* ---- signals ---------------------------------------------------------- */

/* Those that the terminal sends have reached the program too; those sent to us
 * alone are passed on. */
static void
heed(struct ht_job *j, int sig, const siginfo_t *info)
{
	if (sig == SIGUSR1 || sig == SIGUSR2)
		atomic_store(&j->wish, sig);
	else if (j->guardian || (j->o.child && sig == SIGTERM))
		atomic_store(&j->leaving, true);
	else if (!j->o.child && ((sig != SIGINT && sig != SIGQUIT) ||
				    info->si_code != SI_KERNEL))
		kill(j->child.pid, sig);
}

/* A thread, since the loop waits for whoever reads what it writes. */
static void *
listen_to_signals(void *arg)
{
	struct ht_job *j = arg;
	siginfo_t info;

	for (;;) {
		int sig = sigwaitinfo(&j->signals, &info);

		if (!atomic_load(&j->listens))
			return NULL;
		if (sig > 0)
			heed(j, sig, &info);
	}
}

static int
listen_now(struct ht_job *j, struct ht_error *err)
{
	j->listens = true;
	errno = pthread_create(&j->listener, NULL, listen_to_signals, j);
	if (errno) {
		j->listens = false;
		return ht_error_errno(err, "cannot start a thread");
	}
	return 0;
}

static void
stop_listening(struct ht_job *j)
{
	if (!j->listens)
		return;
	/* To cancel it would load libgcc. */
	j->listens = false;
	pthread_kill(j->listener, SIGTERM);
	pthread_join(j->listener, NULL);
}

/* ---- preparing -------------------------------------------------------- */

static int
new_spare(struct ht_job *j, struct ht_error *err)
{
	j->spare = ht_shm_new(&j->o.ring, &j->ring_fd, err);
	if (!j->spare)
		return -1;
	ht_clock_own(j->clock, j->spare);
	if (j->stopped)
		atomic_store(&j->spare->control, HT_CTL_STOP);
	return 0;
}

/* The process records nothing more. */
static void
stop(struct ht_job *j)
{
	j->stopped = true;
	if (j->spare)
		atomic_fetch_or(&j->spare->control, HT_CTL_STOP);
	if (j->drain.ring)
		atomic_fetch_or(&j->drain.ring->control, HT_CTL_STOP);
}

/* The image is in the process then, and the ring is ours; it is not hooked yet:
 * that is for when there is somewhere to write to. */
static struct ht_job *
new_attached(struct ht_job *j, struct ht_error *err)
{
	j->child.pid = j->o.pid;
	j->pid_fd = (int)syscall(SYS_pidfd_open, j->o.pid, 0);
	j->guardian = ht_guardian_new(j->o.pid, j->o.library, &j->o.ring, err);
	if (j->guardian)
		j->clock = ht_clock_start(j->o.interval_ms, pace_of(j), err);
	if (j->clock)
		j->spare = ht_guardian_ring(j->guardian, &j->guarded, err);
	if (j->spare) {
		ht_clock_own(j->clock, j->spare);
		return j;
	}
	ht_job_free(j);
	return NULL;
}

/* It waits for its ring. */
static struct ht_job *
new_followed(struct ht_job *j, struct ht_error *err)
{
	j->child.pid = j->o.child;
	j->pid_fd = (int)syscall(SYS_pidfd_open, j->o.child, 0);
	if (j->pid_fd == -1)
		ht_error_errno(err, "cannot watch process %d", j->o.child);
	else
		j->clock = ht_clock_start(j->o.interval_ms, pace_of(j), err);
	if (j->clock && new_spare(j, err) == 0) {
		j->server = ht_serve_start(j->ring_fd);
		ht_serve_allow(j->server, j->child.pid);
		return j;
	}
	ht_job_free(j);
	return NULL;
}

struct ht_job *
ht_job_new(
    const struct ht_job_options *o, bool stdout_is_stderr, struct ht_error *err)
{
	struct ht_job *j = ht_calloc(1, sizeof *j);
	struct ht_launch launch = {
	    .argv = o->program,
	    .library = o->library,
	    .follow = o->follow ? o->follow->entry : NULL,
	    .stdout_is_stderr = stdout_is_stderr,
	    .found = &o->found,
	};

	j->o = *o;
	if (o->program)
		j->o.trace.command = o->program;
	j->o.trace.attached = o->pid != 0 || o->forked;
	j->paused = o->delay_ms != 0;
	j->ring_fd = j->child.go = j->pid_fd = -1;
	/* Blocked before the first thread: only whose they are takes them. */
	sigemptyset(&j->signals);
	sigaddset(&j->signals, SIGTERM);
	sigaddset(&j->signals, SIGHUP);
	sigaddset(&j->signals, SIGINT);
	sigaddset(&j->signals, SIGQUIT);
	sigaddset(&j->signals, SIGUSR1);
	sigaddset(&j->signals, SIGUSR2);
	sigemptyset(&j->ends);
	sigaddset(&j->ends, SIGCHLD);
	sigprocmask(SIG_BLOCK, &j->signals, NULL);
	sigprocmask(SIG_BLOCK, &j->ends, NULL);
	if (o->pid)
		return new_attached(j, err);
	if (o->child)
		return new_followed(j, err);
	j->clock = ht_clock_start(o->interval_ms, pace_of(j), err);
	if (!j->clock || new_spare(j, err) == -1) {
		ht_job_free(j);
		return NULL;
	}
	launch.ring_fd = j->ring_fd;
	if (ht_program_fork(&j->child, &launch, err) == -1) {
		ht_job_free(j);
		return NULL;
	}
	j->server = ht_serve_start(j->ring_fd);
	ht_serve_allow(j->server, j->child.pid);
	return j;
}

int
ht_job_pid(const struct ht_job *j)
{
	return j->child.pid;
}

void
ht_job_free(struct ht_job *j)
{
	if (!j)
		return;
	stop_listening(j);
	ht_guardian_free(j->guardian);
	ht_serve_stop(j->server);
	if (j->child.go != -1)
		ht_program_drop(&j->child);
	ht_clock_stop(j->clock);
	ht_trace_free(j->drain.trace);
	ht_shm_free(j->drain.ring);
	ht_shm_free(j->spare);
	free(j->exe[0]);
	if (j->ring_fd != -1)
		close(j->ring_fd);
	if (j->pid_fd != -1)
		close(j->pid_fd);
	free(j);
}

/* ---- holding a trace back --------------------------------------------- */

/* The output of a process that is followed is there when something is to be
 * written. */
static void
want_out(struct ht_job *j)
{
	const struct ht_ring *r = j->drain.ring;
	char *exe;

	if (j->out)
		return;
	exe = ht_memdup((const char *)r + r->heap_at + r->exe, r->exe_len);
	j->out = j->o.open(j->o.open_arg, exe);
	free(exe);
	if (j->out)
		return;
	j->out = ht_out_fd(
	    open("/dev/null", O_WRONLY | O_CLOEXEC), "/dev/null", HT_PLAIN, 0);
	stop(j);
}

static void
hold(struct ht_job *j)
{
	j->hold_fd = memfd_create("ht-hold", MFD_CLOEXEC);
	if (j->hold_fd != -1)
		j->hold = ht_out_fd(dup(j->hold_fd), "memory", HT_PLAIN, 0);
	if (!j->hold)
		want_out(j);
	ht_trace_set_out(j->drain.trace, j->hold ? j->hold : j->out);
}

/* Ends it; what was held goes to the output, unless it is to be dropped. */
static void
let_go(struct ht_job *j, bool drop)
{
	char buf[64 << 10];
	off_t at = 0;
	ssize_t n;

	if (!j->hold)
		return;
	ht_out_close(j->hold, NULL);
	j->hold = NULL;
	if (!drop)
		want_out(j);
	while (!drop && (n = pread(j->hold_fd, buf, sizeof buf, at)) > 0) {
		ht_out_write(j->out, buf, (size_t)n);
		at += n;
	}
	close(j->hold_fd);
	if (j->out)
		ht_trace_set_out(j->drain.trace, j->out);
}

static void
maybe_let_go(struct ht_job *j)
{
	if (j->hold && (ht_clock_now(j->clock) >= HOLD_MS ||
			   ht_out_bytes(j->hold) >= HOLD_BYTES))
		let_go(j, false);
}

/* ---- pausing ---------------------------------------------------------- */

/* Records or does not, as signals and the delay have it. */
static void
watch_pause(struct ht_job *j)
{
	int wish = atomic_exchange(&j->wish, 0);

	if (wish) {
		j->paused = wish == SIGUSR2;
		j->o.delay_ms = 0;
	}
	if (j->o.delay_ms && ht_clock_now(j->clock) >= j->o.delay_ms) {
		j->o.delay_ms = 0;
		j->paused = false;
	}
	if (j->drain.trace)
		ht_trace_pause(j->drain.trace, j->paused);
}

/* ---- images ----------------------------------------------------------- */

/* The pages of ours that the program has touched, and so has in its RSS. */
static uint64_t
own_pages(const struct ht_ring *r)
{
	uint64_t records = atomic_load(&r->head) * sizeof(struct ht_rec);
	uint64_t most = sizeof(struct ht_rec) << r->shift;
	uint64_t bytes =
	    (records < most ? records : most) +
	    (sizeof(uint32_t) << HT_FRAME_HEADS) +
	    atomic_load(&r->modules) * sizeof(struct ht_module) +
	    atomic_load(&r->frames) * sizeof(struct ht_frame) +
	    atomic_load(&r->nodes) * (uint64_t)sizeof(struct ht_node);

	return bytes / (uint64_t)sysconf(_SC_PAGESIZE) + 1;
}

/* Ends the trace. One that is still held back is dropped if it is only that
 * of a launcher, whose program was recorded after it. */
static void
end_image(struct ht_job *j, enum ht_end end, uint64_t value, bool launcher)
{
	struct ht_out *out;

	while (ht_drain(&j->drain, DRAIN_MAX) > 0)
		maybe_let_go(j);
	ht_drain_idle(&j->drain);
	ht_trace_time(j->drain.trace, ht_clock_now(j->clock));
	ht_clock_disown(j->clock, j->drain.ring);
	out = j->hold ? j->hold : j->out;
	ht_evwrite_own_rss(out, own_pages(j->drain.ring));
	ht_trace_end(j->drain.trace, (int)end, value);
	let_go(j, launcher);
}

/* The spare ring becomes the one of the image that took it (or, at the end,
 * of a program that never did). */
static int
begin_image(struct ht_job *j, struct ht_error *err)
{
	struct ht_ring *ring = j->spare;

	ht_trace_free(j->drain.trace);
	ht_shm_free(j->drain.ring);
	j->spare = NULL;
	j->drain = (struct ht_drain){.ring = ring, .clock = j->clock};
	ht_clock_set(j->clock, ring, j->child.pid);
	if (!j->guardian && new_spare(j, err) == -1)
		return -1;
	j->drain.trace = ht_trace_new(j->out, ring, j->child.pid, &j->o.trace);
	hold(j);
	ht_trace_begin(j->drain.trace, j->o.argv);
	watch_pause(j);
	return 0;
}

/* ---- the loop --------------------------------------------------------- */

/* Sleeps so long, or until a child of ours ends. */
static void
nap(const struct ht_job *j, uint64_t us)
{
	struct timespec t = {
	    .tv_sec = (time_t)(us / 1000000),
	    .tv_nsec = (long)(us % 1000000) * 1000,
	};

	sigtimedwait(&j->ends, NULL, &t);
}

static bool
has_ended(const struct ht_job *j)
{
	siginfo_t info = {0};
	struct pollfd p = {j->pid_fd, POLLIN, 0};

	if (j->pid_fd != -1)
		return poll(&p, 1, 0) == 1;
	if (j->guardian)
		return kill(j->child.pid, 0) == -1 && errno == ESRCH;
	return waitid(P_PID, (id_t)j->child.pid, &info,
		   WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == j->child.pid;
}

/* Has an image taken the spare ring, and said who it is? One that ended
 * before it could is taken as it is. */
static bool
has_next_image(const struct ht_job *j, bool ended)
{
	return j->spare && atomic_load(&j->spare->claimed) &&
	       (atomic_load(&j->spare->ready) || ended);
}

/* A child that is followed executes another program: it is no copy of its
 * parent any more, and what it was started with says nothing. */
static void
end_for_next(struct ht_job *j)
{
	const struct ht_ring *r = j->spare;

	end_image(j, HT_END_EXEC, 0, true);
	if (!j->o.child)
		return;
	j->o.trace.attached = false;
	free(j->exe[0]);
	j->exe[0] =
	    ht_memdup((const char *)r + r->heap_at + r->exe, r->exe_len);
	j->o.trace.command = j->exe;
}

static int
next_image(struct ht_job *j, struct ht_error *err)
{
	if (j->drain.ring)
		end_for_next(j);
	return begin_image(j, err);
}

static void
watch_output(struct ht_job *j)
{
	if (j->stopped || !j->out || !ht_out_failed(j->out))
		return;
	/* Nobody will read it. The program runs on unrecorded. */
	stop(j);
	j->leaving = j->guardian;
}

static int
loop(struct ht_job *j, struct ht_error *err)
{
	uint64_t us = NAP_MIN_US;

	for (;;) {
		bool ended = has_ended(j);
		size_t n = 0;

		if (j->drain.ring)
			n = ht_drain(&j->drain, DRAIN_MAX);
		if (n == 0 && j->drain.ring)
			ht_drain_idle(&j->drain);
		maybe_let_go(j);
		watch_pause(j);
		if (has_next_image(j, ended) && next_image(j, err) == -1)
			return -1;
		watch_output(j);
		if (n == DRAIN_MAX)
			continue;
		if ((ended || j->leaving) && n == 0)
			return 0;
		us = next_nap(j, n, us);
		nap(j, ended ? 1 : us);
	}
}

/* ---- a process that was running --------------------------------------- */

/* Has it executed another program? Then what was put into it is gone. */
static bool
has_executed(const struct ht_job *j)
{
	uint64_t magic = 0;
	struct iovec here = {&magic, sizeof magic};
	struct iovec there = {(void *)j->guarded.head, sizeof magic};

	if (process_vm_readv(j->child.pid, &here, 1, &there, 1, 0) == -1)
		return errno != ESRCH; /* it has no memory: it is ending */
	return magic != HT_HEAD_MAGIC;
}

/* How it ended, as waitpid gives it, if that can still be known; else -1. */
static int
status_of_zombie(pid_t pid)
{
	char path[64], buf[1024], *p;
	int fd, status = -1;
	ssize_t n = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd != -1) {
		n = read(fd, buf, sizeof buf - 1);
		close(fd);
	}
	buf[n > 0 ? n : 0] = '\0';
	p = strrchr(buf, ')');
	/* The last field, if it is still that process. */
	if (p && p[1] && (p[2] == 'Z' || p[2] == 'X') &&
	    (p = strrchr(buf, ' ')))
		status = atoi(p);
	return status;
}

/* How a process ended whose parent is not us; -1: nobody knows. The kernel
 * keeps the status for who has a descriptor of the process once it is reaped
 * (Linux 6.15); before, /proc shows it. */
static int
status_of_other(const struct ht_job *j)
{
	struct {
		uint64_t mask, cgroup;
		uint32_t id[11];
		int32_t status;
	} info = {.mask = 1 << 3 /* PIDFD_INFO_EXIT */};
	int status;

	for (int i = 0; i < 2; i++) {
		info.mask = 1 << 3;
		if (ioctl(j->pid_fd, _IOWR(0xff, 11, info), &info) == 0 &&
		    info.mask & 1 << 3)
			return info.status;
		status = status_of_zombie(j->child.pid);
		if (status != -1)
			break;
	}
	return status;
}

enum outcome { GOES_ON, IS_DETACHED, HAS_EXECUTED, HAS_ENDED, FAILED };

static enum outcome
watch(struct ht_job *j, struct ht_error *err)
{
	if (has_ended(j))
		return HAS_ENDED;
	if (has_executed(j) && !has_ended(j))
		return HAS_EXECUTED;
	if (j->o.duration_ms && ht_clock_now(j->clock) >= j->o.duration_ms)
		j->leaving = true;
	if (j->leaving)
		ht_guardian_withdraw(j->guardian);
	switch (ht_guardian_done(j->guardian, &j->guarded, err)) {
	case 0:
		return GOES_ON;
	case 1:
		return IS_DETACHED;
	default:
		return has_ended(j) ? HAS_ENDED : FAILED;
	}
}

static enum outcome
loop_attached(struct ht_job *j, struct ht_error *err)
{
	enum outcome out = GOES_ON;
	uint64_t us = NAP_MIN_US;

	for (;;) {
		size_t n;

		if (out == GOES_ON)
			out = watch(j, err);
		n = ht_drain(&j->drain, DRAIN_MAX);
		if (n == 0)
			ht_drain_idle(&j->drain);
		maybe_let_go(j);
		watch_pause(j);
		watch_output(j);
		/* Hooked for good, it would never cease to write. */
		if (n == DRAIN_MAX && out != FAILED)
			continue;
		if (out != GOES_ON)
			return out;
		us = next_nap(j, n, us);
		nap(j, us);
	}
}

static void
fill_result(const struct ht_job *j, struct ht_job_result *r)
{
	const struct ht_ring *ring = j->drain.ring;

	r->stats = *ht_trace_stats(j->drain.trace);
	r->verified = atomic_load(&ring->verified);
	r->differences = atomic_load(&ring->differences);
	r->unverifiable = atomic_load(&ring->unverifiable);
	r->recorded = atomic_load(&ring->ready) == 1;
	r->unrecorded_exec = j->drain.exec_pending;
	memcpy(r->why, ring->why, sizeof r->why);
	memcpy(r->note, ring->note, sizeof r->note);
	if (r->recorded && !(ring->allocators & HT_ALLOCATOR_WITHIN)) {
		char *exe =
		    ht_memdup((const char *)ring + ring->heap_at + ring->exe,
			ring->exe_len);

		r->hidden = ht_program_hidden_allocator(exe);
		free(exe);
	}
}

/* The program is a zombie: take what is left, then its status. */
static int
finish(struct ht_job *j, struct ht_job_result *r, struct ht_error *err)
{
	int status = 0;

	if (!j->drain.ring && begin_image(j, err) == -1)
		return -1;
	/* Its number may be another's from here on. */
	stop_listening(j);
	waitpid(j->child.pid, &status, 0);
	r->status = status;
	if (j->drain.exec_pending)
		end_image(j, HT_END_EXEC, 0, false);
	else if (WIFSIGNALED(status))
		end_image(j, HT_END_SIGNAL, (uint64_t)WTERMSIG(status), false);
	else
		end_image(j, HT_END_EXIT, (uint64_t)WEXITSTATUS(status), false);
	r->ms = us_since(&j->start) / 1000;
	fill_result(j, r);
	return 0;
}

static void
finish_attached(struct ht_job *j, struct ht_job_result *r, enum outcome out)
{
	int status = out == HAS_ENDED ? status_of_other(j) : 0;
	enum ht_end end = out == HAS_EXECUTED	? HT_END_EXEC
			  : out != HAS_ENDED	? HT_END_DETACHED
			  : status == -1	? HT_END_STOPPED
			  : WIFSIGNALED(status) ? HT_END_SIGNAL
						: HT_END_EXIT;

	end_image(j, end,
	    WIFSIGNALED(status) ? (uint64_t)WTERMSIG(status)
				: (uint64_t)WEXITSTATUS(status),
	    false);
	r->ms = us_since(&j->start) / 1000;
	r->status = status;
	r->pid = j->child.pid;
	r->detached = end == HT_END_DETACHED;
	r->stop_us = j->guarded.stop_us;
	r->kept = j->guarded.kept;
	fill_result(j, r);
	r->unrecorded_exec = out == HAS_EXECUTED;
}

static int
run_attached(struct ht_job *j, struct ht_job_result *r, struct ht_error *err)
{
	enum outcome out;

	if (listen_now(j, err) == -1 || begin_image(j, err) == -1 ||
	    ht_guardian_hook(j->guardian, &j->guarded, err) == -1) {
		ht_guardian_stand_in(j->guardian, j->drain.ring, &j->guarded);
		ht_clock_disown(j->clock, j->drain.ring);
		return HT_FAILED;
	}
	atomic_store(&j->drain.ring->ready, 1);
	clock_gettime(CLOCK_MONOTONIC, &j->start);
	out = loop_attached(j, err);
	if (out == FAILED) {
		stop(j);
		ht_guardian_stand_in(j->guardian, j->drain.ring, &j->guarded);
	}
	finish_attached(j, r, out);
	return out == FAILED ? HT_FAILED : 0;
}

/* ---- a child that is followed ----------------------------------------- */

static int
run_followed(struct ht_job *j, struct ht_job_result *r, struct ht_error *err)
{
	struct ht_answer answer = {(int)getpid(), j->ring_fd};
	enum ht_end end = HT_END_STOPPED;
	bool ended;
	int status;

	r->status = -1;
	clock_gettime(CLOCK_MONOTONIC, &j->start);
	ht_serve_send(j->o.asked, j->ring_fd, &answer, sizeof answer);
	close(j->o.asked);
	if (listen_now(j, err) == -1 || loop(j, err) == -1)
		return HT_FAILED;
	if (!j->drain.ring) {
		r->late = true;
		return 0;
	}
	ended = !j->leaving;
	if (!ended)
		stop(j);
	status = ended ? status_of_other(j) : -1;
	if (ended && j->drain.exec_pending)
		end = HT_END_EXEC;
	else if (status != -1)
		end = WIFSIGNALED(status) ? HT_END_SIGNAL : HT_END_EXIT;
	r->status = status;
	r->ms = us_since(&j->start) / 1000;
	end_image(j, end,
	    end == HT_END_SIGNAL ? (uint64_t)WTERMSIG(status)
	    : end == HT_END_EXIT ? (uint64_t)WEXITSTATUS(status)
				 : 0,
	    false);
	fill_result(j, r);
	return 0;
}

int
ht_job_run(struct ht_job *j, struct ht_out *out, struct ht_job_result *r,
    struct ht_error *err)
{
	int status;

	*r = (struct ht_job_result){0};
	j->out = out;
	if (j->guardian)
		return run_attached(j, r, err);
	if (j->o.child)
		return run_followed(j, r, err);
	clock_gettime(CLOCK_MONOTONIC, &j->start);
	status = ht_program_go(&j->child, j->o.program[0], err);
	j->child.go = -1;
	if (status)
		return status;
	if (listen_now(j, err) == -1 || loop(j, err) == -1 ||
	    finish(j, r, err) == -1) {
		/* We cannot go on, the program can. */
		stop(j);
		ht_warn("%s: recording ends", err->text);
		while (!has_ended(j))
			nap(j, NAP_MAX_US);
		stop_listening(j);
		waitpid(j->child.pid, &r->status, 0);
	}
	return 0;
}
