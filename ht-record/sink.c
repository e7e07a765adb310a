/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ht-record/sink.h"
#include "libht/mem.h"
#include "libht/str.h"

#define WHOLE_JOB "ht.%n.%p.gz" /* in the current directory */

int
ht_sink_check(const char *path, bool several, struct ht_error *err)
{
	bool pid = false;

	for (const char *p = path; (p = strchr(p, '%')); p += 2) {
		if (!p[1] || !strchr("pn%", p[1]))
			return ht_error_set(err,
			    "'%s': after a %% there can be p (the pid), n (the "
			    "program's name) or another %%",
			    path);
		pid |= p[1] == 'p';
	}
	if (several && !pid)
		return ht_error_set(err,
		    "'%s': each process has a file of its own with --follow, "
		    "so its name needs a %%p, which becomes the pid",
		    path);
	return 0;
}

/* To be freed. The pid is the `again`th process of that number. */
static char *
expand(const char *path, const char *program, pid_t pid, unsigned again)
{
	const char *slash = strrchr(program, '/');
	struct ht_str s = {0};

	ht_str_addz(&s, "");
	for (; *path; path++)
		if (*path != '%' || !path[1])
			ht_str_addc(&s, *path);
		else if (*++path == 'p' && again > 1)
			ht_str_addf(&s, "%d-%u", (int)pid, again);
		else if (*path == 'p')
			ht_str_addf(&s, "%d", (int)pid);
		else if (*path == 'n')
			ht_str_addz(&s, slash ? slash + 1 : program);
		else
			ht_str_addc(&s, *path);
	return s.data;
}

/* Takes a name that nobody has. */
static bool
take_name(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

/* The same. The kernel gives numbers out again, in a build of some ten thousand
 * processes: a file that is as young as the recording is another's, which may
 * be written still. */
static char *
file_name(
    const struct ht_sink *s, const char *path, const char *program, pid_t pid)
{
	for (unsigned again = 1;; again++) {
		char *name = expand(path, program, pid, again);
		struct stat st;

		if (!s->since || take_name(name) || stat(name, &st) == -1 ||
		    !S_ISREG(st.st_mode) || st.st_mtime < s->since)
			return name;
		free(name);
	}
}

static int
spawn_symbolizer(
    struct ht_sink *s, const char *symbolize, int in, struct ht_error *err)
{
	const char *argv[] = {"ht-symbolize", "-q", "-o", s->file,
	    *s->sysroot ? "--sysroot" : NULL, s->sysroot, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, pipe;

	/* Ctrl-C is for the program; the symbolizer ends when the trace
	 * does. */
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	sigemptyset(&pipe);
	sigaddset(&none, SIGINT);
	sigaddset(&none, SIGQUIT);
	sigaddset(&pipe, SIGPIPE);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &pipe);
	posix_spawnattr_setflags(
	    &attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	errno = posix_spawn(&s->symbolizer, symbolize, &actions, &attr,
	    (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return errno ? ht_error_errno(err, "cannot run '%s'", symbolize) : 0;
}

static int
open_whole_job(struct ht_sink *s, const char *symbolize, struct ht_error *err)
{
	int ends[2], r;
	int file =
	    open(s->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	/* Better to know before the program runs. */
	if (file == -1)
		return ht_error_errno(err, "cannot write '%s'", s->file);
	close(file);
	if (pipe2(ends, O_CLOEXEC) == -1)
		return ht_error_errno(err, "cannot make a pipe");
	r = spawn_symbolizer(s, symbolize, ends[0], err);
	close(ends[0]);
	if (r == -1) {
		close(ends[1]);
		return -1;
	}
	s->out = ht_out_fd(ends[1], "ht-symbolize", HT_PLAIN, 0);
	return 0;
}

int
ht_sink_open(struct ht_sink *s, const char *path, const char *symbolize,
    const char *program, pid_t pid, struct ht_error *err)
{
	if (s->whole_job || path)
		s->file =
		    file_name(s, s->whole_job ? WHOLE_JOB : path, program, pid);
	if (s->whole_job) {
		if (open_whole_job(s, symbolize, err) == -1)
			return -1;
	} else {
		s->out = ht_out_open(
		    s->file, path ? ht_out_codec(path) : HT_PLAIN, 1, err);
		if (!s->out)
			return -1;
	}
	return ht_out_threaded(s->out) == -1
		   ? ht_error_set(err, "cannot start a thread")
		   : 0;
}

void
ht_sink_close(struct ht_sink *s)
{
	struct ht_error err = {""};
	int status = 0;

	s->failed = ht_out_close(s->out, &err) == -1;
	if (*err.text)
		ht_warn("%s: the trace is not complete", err.text);
	if (!s->symbolizer)
		return;
	while (waitpid(s->symbolizer, &status, 0) == -1 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		ht_warn(
		    "ht-symbolize was killed by signal %d", WTERMSIG(status));
	s->failed |= status != 0;
}
