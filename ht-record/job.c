/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ht-record/drain.h"
#include "ht-record/job.h"
#include "ht-record/serve.h"
#include "libht/event.h"
#include "libht/evwrite.h"
#include "libht/mem.h"

#define DRAIN_MAX  (1u << 16) /* records between two looks at the world */
#define HOLD_MS	   100	      /* a trace is held back so long, */
#define HOLD_BYTES (1u << 20) /* or until it is so large */
#define NAP_MIN_US 1000	      /* sleep after a drain that found something, */
#define NAP_MAX_US 10000      /* and at most */

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
	sigset_t signals;
	struct ht_child child;
	bool stopped; /* nobody reads what we write */
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

struct ht_job *
ht_job_new(
    const struct ht_job_options *o, bool stdout_is_stderr, struct ht_error *err)
{
	struct ht_job *j = ht_calloc(1, sizeof *j);
	struct ht_launch launch = {
	    .argv = o->program,
	    .library = o->library,
	    .stdout_is_stderr = stdout_is_stderr,
	    .found = &o->found,
	};

	j->o = *o;
	j->o.trace.command = o->program;
	j->ring_fd = j->child.go = -1;
	/* Blocked before the first thread: only the loop takes them. */
	sigemptyset(&j->signals);
	sigaddset(&j->signals, SIGCHLD);
	sigaddset(&j->signals, SIGTERM);
	sigaddset(&j->signals, SIGHUP);
	sigaddset(&j->signals, SIGINT);
	sigaddset(&j->signals, SIGQUIT);
	sigprocmask(SIG_BLOCK, &j->signals, NULL);
	j->clock = ht_clock_start(o->interval_ms, err);
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
	ht_serve_stop(j->server);
	if (j->child.go != -1)
		ht_program_drop(&j->child);
	ht_clock_stop(j->clock);
	ht_trace_free(j->drain.trace);
	ht_shm_free(j->drain.ring);
	ht_shm_free(j->spare);
	if (j->ring_fd != -1)
		close(j->ring_fd);
	free(j);
}

/* ---- holding a trace back --------------------------------------------- */

static void
hold(struct ht_job *j)
{
	j->hold_fd = memfd_create("ht-hold", MFD_CLOEXEC);
	if (j->hold_fd != -1)
		j->hold = ht_out_fd(dup(j->hold_fd), "memory", HT_PLAIN, 0);
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
	while (!drop && (n = pread(j->hold_fd, buf, sizeof buf, at)) > 0) {
		ht_out_write(j->out, buf, (size_t)n);
		at += n;
	}
	close(j->hold_fd);
	ht_trace_set_out(j->drain.trace, j->out);
}

static void
maybe_let_go(struct ht_job *j)
{
	if (j->hold && (ht_clock_now(j->clock) >= HOLD_MS ||
			   ht_out_bytes(j->hold) >= HOLD_BYTES))
		let_go(j, false);
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
	if (new_spare(j, err) == -1)
		return -1;
	j->drain.trace = ht_trace_new(j->out, ring, j->child.pid, &j->o.trace);
	hold(j);
	ht_trace_begin(j->drain.trace, j->o.argv);
	return 0;
}

/* ---- the loop --------------------------------------------------------- */

/* Sleeps until a signal or so long. Those that the terminal sends have
 * reached the program too; those sent to us alone are passed on. */
static void
nap(struct ht_job *j, uint64_t us)
{
	struct timespec t = {.tv_nsec = (long)us * 1000};
	siginfo_t info;
	int sig = sigtimedwait(&j->signals, &info, &t);

	if (sig == -1 || sig == SIGCHLD)
		return;
	if ((sig == SIGINT || sig == SIGQUIT) && info.si_code == SI_KERNEL)
		return;
	kill(j->child.pid, sig);
}

static bool
has_ended(const struct ht_job *j)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)j->child.pid, &info,
		   WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == j->child.pid;
}

/* Has an image taken the spare ring, and said who it is? One that ended
 * before it could is taken as it is. */
static bool
has_next_image(const struct ht_job *j, bool ended)
{
	return atomic_load(&j->spare->claimed) &&
	       (atomic_load(&j->spare->ready) || ended);
}

static int
next_image(struct ht_job *j, struct ht_error *err)
{
	if (j->drain.ring)
		end_image(j, HT_END_EXEC, 0, true);
	return begin_image(j, err);
}

static void
watch_output(struct ht_job *j)
{
	if (j->stopped || !ht_out_failed(j->out))
		return;
	/* Nobody will read it. The program runs on unrecorded. */
	j->stopped = true;
	atomic_fetch_or(&j->spare->control, HT_CTL_STOP);
	if (j->drain.ring)
		atomic_fetch_or(&j->drain.ring->control, HT_CTL_STOP);
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
		if (has_next_image(j, ended) && next_image(j, err) == -1)
			return -1;
		watch_output(j);
		if (n == DRAIN_MAX)
			continue;
		if (ended && n == 0)
			return 0;
		us = n ? NAP_MIN_US : us * 2;
		if (us > NAP_MAX_US)
			us = NAP_MAX_US;
		nap(j, ended ? 1 : us);
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
}

/* The program is a zombie: take what is left, then its status. */
static int
finish(struct ht_job *j, struct ht_job_result *r, struct ht_error *err)
{
	int status = 0;

	if (!j->drain.ring && begin_image(j, err) == -1)
		return -1;
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

int
ht_job_run(struct ht_job *j, struct ht_out *out, struct ht_job_result *r,
    struct ht_error *err)
{
	int status;

	*r = (struct ht_job_result){0};
	j->out = out;
	clock_gettime(CLOCK_MONOTONIC, &j->start);
	status = ht_program_go(&j->child, j->o.program[0], err);
	j->child.go = -1;
	if (status)
		return status;
	if (loop(j, err) == -1 || finish(j, r, err) == -1) {
		/* We cannot go on, the program can. */
		if (j->spare)
			atomic_fetch_or(&j->spare->control, HT_CTL_STOP);
		if (j->drain.ring)
			atomic_fetch_or(&j->drain.ring->control, HT_CTL_STOP);
		ht_warn("%s: recording ends", err->text);
		while (!has_ended(j))
			nap(j, NAP_MAX_US);
		waitpid(j->child.pid, &r->status, 0);
	}
	return 0;
}
