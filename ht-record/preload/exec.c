/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The exec family. The recorded process is the pid: what it executes is to
 * be recorded too, so our entries, which were taken out of its environment at
 * the start, go back into that of the call. A child, a vfork child included,
 * gets what it asked for.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ht-record/preload/publish.h"

#define PRELOAD "LD_PRELOAD="
#define RING	HT_ENV "="

static bool
is_recorded_process(void)
{
	return atomic_load(&ht_live->on) == HT_ON && ht_preload_entry &&
	       (int)syscall(SYS_getpid) == ht_pid;
}

/* One mapping: the array of strings, then the two strings of ours. */
struct new_env {
	char **envp;
	size_t size; /* of the mapping; 0: envp is the caller's own */
};

static struct new_env
env_with_ours(char *const envp[])
{
	struct new_env e = {(char **)envp, 0};
	const char *theirs = NULL;
	size_t n = 0, size;
	char **at, *text;

	for (; envp && envp[n]; n++)
		if (strncmp(envp[n], PRELOAD, strlen(PRELOAD)) == 0)
			theirs = envp[n] + strlen(PRELOAD);
	size = (n + 3) * sizeof *at + sizeof PRELOAD + sizeof RING +
	       strlen(ht_preload_entry) + strlen(ht_ring_entry) + 1 +
	       (theirs ? strlen(theirs) : 0);
	at = ht_map_memory(size);
	if (!at)
		return e;
	e.envp = at;
	e.size = size;
	text = (char *)(at + n + 3);
	*at++ = text;
	text = stpcpy(stpcpy(text, PRELOAD), ht_preload_entry);
	if (theirs && *theirs)
		text = stpcpy(stpcpy(text, ":"), theirs);
	*at++ = ++text;
	stpcpy(stpcpy(text, RING), ht_ring_entry);
	for (size_t i = 0; i < n; i++)
		if (strncmp(envp[i], PRELOAD, strlen(PRELOAD)) != 0)
			*at++ = envp[i];
	return e;
}

extern int execveat(int, const char *, char *const[], char *const[], int);

/* One call of an execve-like function, with what it takes before the
 * environment bound up. Comes back only if it failed. */
struct call {
	int (*run)(const struct call *, char *const envp[]);
	int fd, flags;
	const char *path;
	char *const *argv;
};

static int
run_call(const struct call *c, char *const envp[])
{
	struct ht_thread *t;
	struct new_env e;
	int r, saved;

	if (!is_recorded_process() || !(t = ht_thread_self()))
		return c->run(c, envp);
	e = env_with_ours(envp);
	ht_publish(t, HT_REC_EXEC, 0, 0, 0);
	r = c->run(c, e.envp);
	saved = errno;
	ht_publish(t, HT_REC_EXEC_FAIL, 0, 0, 0);
	if (e.size)
		munmap(e.envp, e.size);
	errno = saved;
	return r;
}

#define NEXT(name)                                                             \
	static __typeof__(name) *next;                                         \
	if (!next)                                                             \
	next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int
run_execve(const struct call *c, char *const envp[])
{
	NEXT(execve);
	return next(c->path, c->argv, envp);
}

static int
run_execvpe(const struct call *c, char *const envp[])
{
	NEXT(execvpe);
	return next(c->path, c->argv, envp);
}

static int
run_fexecve(const struct call *c, char *const envp[])
{
	NEXT(fexecve);
	return next(c->fd, c->argv, envp);
}

static int
run_execveat(const struct call *c, char *const envp[])
{
	/* The libc's, where it has one (glibc 2.34), does no more. */
	return (int)syscall(
	    SYS_execveat, c->fd, c->path, c->argv, envp, c->flags);
}

HT_EXPORT int
execve(const char *path, char *const argv[], char *const envp[])
{
	struct call c = {.run = run_execve, .path = path, .argv = argv};

	return run_call(&c, envp);
}

HT_EXPORT int
execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

HT_EXPORT int
execvpe(const char *file, char *const argv[], char *const envp[])
{
	struct call c = {.run = run_execvpe, .path = file, .argv = argv};

	return run_call(&c, envp);
}

HT_EXPORT int
execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

HT_EXPORT int
fexecve(int fd, char *const argv[], char *const envp[])
{
	struct call c = {.run = run_fexecve, .fd = fd, .argv = argv};

	return run_call(&c, envp);
}

HT_EXPORT int
execveat(
    int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	struct call c = {
	    .run = run_execveat,
	    .fd = fd,
	    .flags = flags,
	    .path = path,
	    .argv = argv,
	};

	return run_call(&c, envp);
}

/* The arguments of an execl call, as many as there are, NULL included. */
static size_t
count_args(va_list ap)
{
	size_t n = 2;

	while (va_arg(ap, char *))
		n++;
	return n;
}

static void
copy_args(char **argv, size_t n, const char *first, va_list *ap)
{
	argv[0] = (char *)first;
	for (size_t i = 1; i < n; i++)
		argv[i] = va_arg(*ap, char *);
}

/* An execl function: the list becomes an array on the stack, as in libc. */
#define EXECL(name, how, env)                                                  \
	HT_EXPORT int name(const char *path, const char *first, ...)           \
	{                                                                      \
		va_list ap;                                                    \
		va_start(ap, first);                                           \
		size_t n = count_args(ap);                                     \
		va_end(ap);                                                    \
		char **argv = __builtin_alloca(n * sizeof *argv);              \
		va_start(ap, first);                                           \
		copy_args(argv, n, first, &ap);                                \
		char *const *envp = env;                                       \
		va_end(ap);                                                    \
		return how(path, argv, envp);                                  \
	}

EXECL(execl, execve, environ)
EXECL(execlp, execvpe, environ)
EXECL(execle, execve, va_arg(ap, char *const *))
