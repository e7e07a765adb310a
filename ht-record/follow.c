/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ht-record/follow.h"
#include "ht-record/job.h"
#include "ht-record/ring.h"
#include "ht-record/sink.h"
#include "libht/mem.h"

#define QUIET_MS 100  /* nobody has asked for so long: nobody will */
#define TELL_MS	 1000 /* of waiting, before we say for what */
#define ARGS_MAX 256

/* ---- a writer --------------------------------------------------------- */

struct writer {
	const struct ht_follow *f;
	struct ht_followed result;
	struct ht_sink sink;
};

static struct ht_out *
open_output(void *arg, const char *exe)
{
	struct writer *w = arg;
	const struct ht_follow_output *o = &w->f->output;
	const char *slash = strrchr(exe, '/');
	struct ht_error err = {""};

	snprintf(w->result.name, sizeof w->result.name, "%s",
	    slash ? slash + 1 : exe);
	w->sink.since = w->f->since;
	w->sink.whole_job = !o->path;
	if (ht_sink_open(&w->sink, o->path, o->symbolize,
		*exe ? exe : "unknown", w->result.pid, &err) == 0)
		return w->sink.out;
	ht_warn("process %d: %s: it runs on unrecorded", (int)w->result.pid,
	    err.text);
	w->result.failed = true;
	return NULL;
}

/* What a process was started with: the strings, in `buf`. */
static void
read_command(pid_t pid, char *buf, size_t size, char *argv[ARGS_MAX + 1])
{
	char path[64];
	ssize_t n = 0;
	size_t count = 0;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd != -1) {
		n = read(fd, buf, size - 1);
		close(fd);
	}
	buf[n > 0 ? n : 0] = '\0';
	for (char *p = buf; p < buf + n && count < ARGS_MAX; p += strlen(p) + 1)
		argv[count++] = p;
	argv[count] = NULL;
}

static void
tell(const struct ht_follow *f, const struct ht_followed *r)
{
	/* One write, to the end of it, whoever else writes. */
	if (write(f->results, r, sizeof *r) != (ssize_t)sizeof *r)
		ht_warn("the statistics of process %d are lost", (int)r->pid);
}

static void
record(struct writer *w, struct ht_job_options *o)
{
	static char buf[64 << 10];
	char *argv[ARGS_MAX + 1];
	struct ht_followed *r = &w->result;
	struct ht_job_result result = {.status = -1};
	struct ht_error err = {""};
	struct ht_job *job;

	/* It waits for our answer, so it is there to be looked at. */
	r->parent = (pid_t)ht_trace_parent(r->pid);
	read_command(r->pid, buf, sizeof buf, argv);
	o->trace.command = argv;
	o->trace.parent = (uint32_t)r->parent;
	o->child = r->pid;
	o->open = open_output;
	o->open_arg = w;
	job = ht_job_new(o, false, &err);
	if (!job && kill(r->pid, 0) == -1 && errno == ESRCH) {
		r->late = true;
		return;
	}
	if (!job) {
		r->refused = true;
		ht_warn(
		    "process %d runs on unrecorded: %s", (int)r->pid, err.text);
		return;
	}
	if (ht_job_run(job, NULL, &result, &err) != 0) {
		r->failed = true;
		ht_warn(
		    "process %d: %s: recording ends", (int)r->pid, err.text);
	}
	if (w->sink.out) {
		ht_sink_close(&w->sink);
		r->failed |= w->sink.failed;
		snprintf(r->file, sizeof r->file, "%s", w->sink.file);
	}
	r->recorded = result.recorded && w->sink.out;
	r->late = result.late;
	r->status = result.status;
	r->ms = result.ms;
	r->verified = result.verified + result.unverifiable;
	r->differences = result.differences;
	r->stats = result.stats;
	memcpy(r->note, result.note, sizeof r->note);
	snprintf(r->hidden, sizeof r->hidden, "%s",
	    result.hidden ? result.hidden : "");
	ht_job_free(job);
}

static HT_NORETURN void
writer(const struct ht_follow *f, const struct ht_job_options *options, int to,
    pid_t pid)
{
	struct writer w = {.f = f, .result = {.pid = pid, .status = -1}};
	struct timeval limit = {.tv_sec = HT_FOLLOW_PATIENCE};
	struct ht_job_options o = *options;
	struct ht_request request = {0};

	setsockopt(to, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (recv(to, &request, sizeof request, MSG_WAITALL) != sizeof request ||
	    request.key != f->key)
		_exit(0);
	o.asked = to;
	o.pace = f->pace;
	o.forked = request.forked;
	record(&w, &o);
	if (w.result.recorded || w.result.refused || w.result.late ||
	    w.result.failed)
		tell(f, &w.result);
	_exit(0);
}

/* ---- the follower ----------------------------------------------------- */

struct follower {
	const struct ht_follow *f;
	const struct ht_job_options *o;
	int control, signals;
	pid_t *pid; /* of the writers */
	size_t writers;
	bool over;    /* the program has ended */
	bool stopped; /* and no more is to be recorded */
};

static void
refuse(const struct follower *s, pid_t pid)
{
	struct ht_followed r = {.pid = pid, .refused = true, .status = -1};

	tell(s->f, &r);
}

static void
set_pace(const struct follower *s)
{
	atomic_store(s->f->pace, 1 + (uint32_t)(s->writers / HT_FOLLOW_PACE));
}

/* One that asks gets a writer. */
static bool
answer(struct follower *s)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	int to = accept4(s->f->listens, NULL, NULL, SOCK_CLOEXEC);
	pid_t pid = -1;

	if (to == -1)
		return false;
	if (s->stopped ||
	    getsockopt(to, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1 ||
	    peer.pid == 0) {
		close(to);
		return true;
	}
	if (s->writers < HT_FOLLOW_MAX)
		pid = fork();
	if (pid == 0) {
		close(s->control);
		close(s->signals);
		close(s->f->listens);
		writer(s->f, s->o, to, peer.pid);
	}
	if (pid == -1)
		refuse(s, peer.pid);
	else
		s->pid[s->writers++] = pid;
	set_pace(s);
	close(to);
	return true;
}

static void
reap(struct follower *s)
{
	struct signalfd_siginfo info;
	pid_t pid;

	while (read(s->signals, &info, sizeof info) == sizeof info)
		;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (size_t i = 0; i < s->writers; i++)
			if (s->pid[i] == pid)
				s->pid[i] = s->pid[--s->writers];
	set_pace(s);
}

/* The word of ht-record: the program has ended; the end of it: stop. */
static void
listen_to_control(struct follower *s)
{
	char byte;

	if (read(s->control, &byte, 1) == 1) {
		s->over = true;
		return;
	}
	s->over = s->stopped = true;
	for (size_t i = 0; i < s->writers; i++)
		kill(s->pid[i], SIGTERM);
}

static HT_NORETURN void
follow(struct follower *s)
{
	struct pollfd p[] = {
	    {s->f->listens, POLLIN, 0},
	    {s->signals, POLLIN, 0},
	    {s->control, POLLIN, 0},
	};

	for (;;) {
		/* Once it is stopped its end is no news. */
		nfds_t n = s->stopped ? 2 : 3;
		bool quiet = s->over && s->writers == 0;
		int found = poll(p, n, quiet ? s->stopped ? 0 : QUIET_MS : -1);

		if (found == 0 && quiet)
			_exit(0);
		while (answer(s))
			;
		reap(s);
		if (found > 0 && n == 3 && p[2].revents)
			listen_to_control(s);
	}
}

/* Ours are not for the terminal to end: the program's end is ours. */
static void
block_signals(sigset_t *children)
{
	sigset_t all;

	sigemptyset(children);
	sigaddset(children, SIGCHLD);
	sigemptyset(&all);
	sigaddset(&all, SIGCHLD);
	sigaddset(&all, SIGTERM);
	sigaddset(&all, SIGHUP);
	sigaddset(&all, SIGINT);
	sigaddset(&all, SIGQUIT);
	sigaddset(&all, SIGTSTP);
	sigprocmask(SIG_BLOCK, &all, NULL);
}

/* ---- starting and ending it ------------------------------------------- */

/* An address that nobody has: names are tried until one is free. */
static int
listen_somewhere(struct ht_follow *f, struct ht_error *err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int name = (int)getpid();

	f->listens =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f->listens == -1)
		return ht_error_errno(err, "cannot make a socket");
	for (int i = 0; i < 100; i++, name++) {
		int n = snprintf(a.sun_path + 1, sizeof a.sun_path - 1,
		    HT_FOLLOW_SOCKET "%d", name);

		if (bind(f->listens, (void *)&a,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				    (size_t)n)) == 0 &&
		    listen(f->listens, 4096) == 0) {
			snprintf(
			    f->entry, sizeof f->entry, ":%d:%u", name, f->key);
			return 0;
		}
	}
	return ht_error_errno(err, "cannot listen for children");
}

int
ht_follow_start(struct ht_follow *f, const struct ht_job_options *o,
    const struct ht_follow_output *output, struct ht_error *err)
{
	struct follower s = {.f = f, .o = o};
	sigset_t children;
	int ends[2];

	*f = (struct ht_follow){
	    .output = *output,
	    .control = -1,
	    .since = time(NULL),
	};
	if (getrandom(&f->key, sizeof f->key, 0) != sizeof f->key)
		return ht_error_errno(err, "cannot make a key");
	f->key &= (1u << 29) - 1; /* as many digits as the library reads */
	f->results = memfd_create("ht-followed", MFD_CLOEXEC);
	f->pace = mmap(NULL, sizeof *f->pace, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f->pace == MAP_FAILED || f->results == -1 ||
	    fcntl(f->results, F_SETFL, O_APPEND) == -1 ||
	    listen_somewhere(f, err) == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1)
		return ht_error_errno(err, "cannot follow children");
	f->pid = fork();
	if (f->pid == -1)
		return ht_error_errno(err, "cannot fork");
	if (f->pid == 0) {
		close(ends[0]);
		s.control = ends[1];
		s.pid = ht_calloc(HT_FOLLOW_MAX, sizeof *s.pid);
		block_signals(&children);
		s.signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
		prctl(PR_SET_NAME, "ht-follow");
		follow(&s);
	}
	close(f->listens);
	close(ends[1]);
	f->control = ends[0];
	return 0;
}

/* Says what is waited for, once, and that a signal ends that. */
static void
wait_for_rest(struct ht_follow *f, const char *name)
{
	struct timespec tick = {.tv_nsec = 5000000};
	sigset_t signals;
	bool told = false;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	for (unsigned ms = 0; waitpid(f->pid, NULL, WNOHANG) == 0; ms += 5) {
		int sig = sigtimedwait(&signals, NULL, &tick);

		if (sig > 0 && sig != SIGCHLD && f->control != -1) {
			close(f->control);
			f->control = -1;
		}
		if (ms >= TELL_MS && !told && !ht_quiet()) {
			fprintf(stderr,
			    "ht-record: %s has ended; processes that it left "
			    "are still recorded (Ctrl-C ends that)\n",
			    name);
			told = true;
		}
	}
}

struct ht_followed *
ht_follow_end(struct ht_follow *f, const char *name, size_t *n)
{
	struct ht_followed *r;
	struct stat st;

	if (write(f->control, "e", 1) != 1) {
		close(f->control);
		f->control = -1;
	}
	wait_for_rest(f, name);
	*n = fstat(f->results, &st) == 0 ? (size_t)st.st_size / sizeof *r : 0;
	r = ht_calloc(*n + 1, sizeof *r);
	for (size_t i = 0; i < *n; i++)
		if (pread(f->results, &r[i], sizeof *r,
			(off_t)(i * sizeof *r)) != (ssize_t)sizeof *r)
			*n = i;
	return r;
}

void
ht_follow_drop(struct ht_follow *f)
{
	close(f->control);
	waitpid(f->pid, NULL, 0);
}
