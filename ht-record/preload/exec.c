/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The exec family. The recorded process is the pid: what it executes is to
 * be recorded too, so our entries, which were taken out of its environment at
 * the start, go back into that of the call. A child, a vfork child included,
 * gets what it asked for; unless children are followed: then whatever a
 * process executes or spawns gets our entries.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ht-record/preload/publish.h"

#define PRELOAD "LD_PRELOAD="
#define RING	HT_ENV "="

/* An environment of so many bytes has room on any stack that executes. */
#define ON_STACK_MAX (64 << 10)

static bool
is_recorded_process(void)
{
	return ht_is_on() && ht_preload_entry &&
	       (int)syscall(SYS_getpid) == ht_pid;
}

/* The array of strings, then the two strings of ours, in memory of its own. */
struct new_env {
	char *const *envp;
	size_t count; /* of the strings in the caller's */
	size_t size;  /* bytes it takes */
	bool mapped;  /* else it is on the stack, or the caller's own */
};

static const char *
preload_of(char *const envp[])
{
	const char *theirs = NULL;

	for (; envp && *envp; envp++)
		if (strncmp(*envp, PRELOAD, strlen(PRELOAD)) == 0)
			theirs = *envp + strlen(PRELOAD);
	return theirs;
}

static struct new_env
env_measure(char *const envp[])
{
	struct new_env e = {.envp = envp};
	const char *theirs = preload_of(envp);

	while (envp && envp[e.count])
		e.count++;
	e.size = (e.count + 3) * sizeof *envp + sizeof PRELOAD + sizeof RING +
		 strlen(ht_preload_entry) + strlen(ht_ring_entry) + 1 +
		 (theirs ? strlen(theirs) : 0);
	return e;
}

/* Puts the strings of e->envp, and ours, into `memory`. */
static void
env_fill(struct new_env *e, char **memory)
{
	const char *theirs = preload_of(e->envp);
	char **at = memory, *text = (char *)(at + e->count + 3);

	*at++ = text;
	text = stpcpy(stpcpy(text, PRELOAD), ht_preload_entry);
	if (theirs && *theirs)
		text = stpcpy(stpcpy(text, ":"), theirs);
	*at++ = ++text;
	stpcpy(stpcpy(text, RING), ht_ring_entry);
	for (size_t i = 0; i < e->count; i++)
		if (strncmp(e->envp[i], PRELOAD, strlen(PRELOAD)) != 0)
			*at++ = e->envp[i];
	*at = NULL;
	e->envp = memory;
}

static struct new_env
env_with_ours(char *const envp[])
{
	struct new_env e = env_measure(envp);
	char **at = ht_map_memory(e.size);

	if (at) {
		env_fill(&e, at);
		e.mapped = true;
	}
	return e;
}

static void
env_release(struct new_env *e)
{
	int saved = errno;

	if (e->mapped)
		ht_own_munmap((void *)e->envp, e->size);
	errno = saved;
}

/* Are children followed, and is this one of them, or the first? */
static bool
follows(void)
{
	return ht_follower.name && ht_preload_entry && ht_ring_entry;
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

/* In a child that does not record. It may be vfork's, in its parent's memory:
 * on the stack nothing remains of what it does before it is gone. */
static int
run_in_child(const struct call *c, char *const envp[])
{
	struct new_env e = env_measure(envp);

	if (e.size <= ON_STACK_MAX)
		env_fill(&e, __builtin_alloca(e.size));
	return c->run(c, e.envp);
}

static int
run_call(const struct call *c, char *const envp[])
{
	struct ht_thread *t;
	struct new_env e;
	int r;

	if (!is_recorded_process() || !(t = ht_thread_self()))
		return follows() ? run_in_child(c, envp) : c->run(c, envp);
	e = env_with_ours(envp);
	ht_publish(t, HT_REC_EXEC, 0, 0, 0);
	r = c->run(c, e.envp);
	env_release(&e);
	ht_publish(t, HT_REC_EXEC_FAIL, 0, 0, 0);
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

/* ---- children that libc starts ---------------------------------------- */

/* posix_spawn and what follows make their child inside libc, where no exec of
 * ours is called. */

typedef int spawn_function(pid_t *, const char *,
    const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
    char *const[], char *const[]);

static int
spawn(spawn_function *next, pid_t *pid, const char *path,
    const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
    char *const argv[], char *const envp[])
{
	struct new_env e;
	int r;

	if (!follows())
		return next(pid, path, actions, attr, argv, envp);
	e = env_with_ours(envp);
	r = next(pid, path, actions, attr, argv, e.envp);
	env_release(&e);
	return r;
}

HT_EXPORT int
posix_spawn(pid_t *pid, const char *path,
    const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
    char *const argv[], char *const envp[])
{
	NEXT(posix_spawn);
	return spawn(next, pid, path, actions, attr, argv, envp);
}

HT_EXPORT int
posix_spawnp(pid_t *pid, const char *file,
    const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
    char *const argv[], char *const envp[])
{
	NEXT(posix_spawnp);
	return spawn(next, pid, file, actions, attr, argv, envp);
}

/* These two take the environment of the process: it is another for the time of
 * the call. Whoever reads it meanwhile sees two entries more; whoever changes
 * it may have them in a copy, and there they are taken out. */

static struct new_env
environ_lend(char ***own)
{
	struct new_env e = env_with_ours(environ);

	*own = environ;
	if (e.mapped)
		environ = (char **)e.envp;
	return e;
}

static void
environ_take_back(struct new_env *e, char **own)
{
	char *text = (char *)e->envp;
	char **to = environ;

	if (!e->mapped)
		return;
	if (environ == (char **)e->envp) {
		environ = own;
		env_release(e);
		return;
	}
	for (char **from = environ; from && *from; from++)
		if ((uintptr_t)*from - (uintptr_t)text >= e->size)
			*to++ = *from;
	if (to)
		*to = NULL;
}

HT_EXPORT int
system(const char *command)
{
	struct new_env e;
	char **own;
	int r;

	NEXT(system);
	if (!follows() || !command)
		return next(command);
	e = environ_lend(&own);
	r = next(command);
	environ_take_back(&e, own);
	return r;
}

HT_EXPORT FILE *
popen(const char *command, const char *type)
{
	struct new_env e;
	char **own;
	FILE *f;

	NEXT(popen);
	if (!follows())
		return next(command, type);
	e = environ_lend(&own);
	f = next(command, type);
	environ_take_back(&e, own);
	return f;
}
