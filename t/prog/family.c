/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes children in every way there is; each process allocates and says what
 * it did: `process<TAB>pid<TAB>parent<TAB>way<TAB>allocations<TAB>frees<TAB>
 * bytes`.
 *   family             all ways, one child each
 *   family work WAY    only works
 *   family many N      N children, at most 20 at a time; prints their sum
 *   family crowd N     N children, all at the same time; prints their sum
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "truth.h"

extern char **environ;
static void *inherited;

static FRAME void
work(const char *way)
{
	struct truth t = {0};
	char line[200];
	int n;

	for (int i = 0; i < 200 + (int)strlen(way); i++) {
		void *volatile p = malloc(i * 3);

		t.allocations++;
		t.bytes += i * 3;
		if (i % 4) {
			free(p);
			t.frees++;
		}
	}
	n = snprintf(line, sizeof line,
	    "process\t%d\t%d\t%s\t%llu\t%llu\t%llu\n", (int)getpid(),
	    (int)getppid(), way, t.allocations, t.frees, t.bytes);
	if (write(1, line, n) != n)
		_exit(99);
}

static void
reap(pid_t pid, const char *what)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, __WALL) != pid || status)
		wrong(what);
}

static void *
thread(void *arg)
{
	void *p = malloc(77);

	for (int i = 0; i < 1000; i++)
		free(malloc(i));
	free(p);
	return arg;
}

/* A child of a process with threads, which starts threads itself. */
static void
in_threads(void)
{
	pthread_t id[4];
	pid_t pid;

	for (int i = 0; i < 4; i++)
		if (pthread_create(&id[i], NULL, thread, NULL))
			wrong("pthread_create");
	pid = fork();
	if (!pid) {
		for (int i = 0; i < 4; i++)
			if (pthread_create(&id[i], NULL, thread, NULL))
				wrong("pthread_create");
		work("threads");
		for (int i = 0; i < 4; i++)
			pthread_join(id[i], NULL);
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(id[i], NULL);
	reap(pid, "threads");
}

static void
on_signal(int sig)
{
	pid_t pid = fork();

	(void)sig;
	if (!pid) {
		work("handler");
		_exit(0);
	}
	reap(pid, "handler");
}

static void
spawns(char *self)
{
	char *argv[] = {self, "work", "spawn", NULL}, command[4200];
	pid_t pid;
	FILE *f;
	int c;

	if (posix_spawn(&pid, self, NULL, NULL, argv, environ))
		wrong("posix_spawn");
	reap(pid, "posix_spawn");
	argv[2] = "spawnp";
	if (posix_spawnp(&pid, self, NULL, NULL, argv, environ))
		wrong("posix_spawnp");
	reap(pid, "posix_spawnp");
	argv[2] = "vfork";
	if (!(pid = vfork())) {
		execve(self, argv, environ);
		_exit(1);
	}
	reap(pid, "vfork");
	argv[2] = "fork-exec";
	if (!(pid = fork())) {
		execv(self, argv);
		_exit(1);
	}
	reap(pid, "fork, exec");
	snprintf(command, sizeof command, "'%s' work system", self);
	if (system(command))
		wrong("system");
	snprintf(command, sizeof command, "'%s' work popen", self);
	f = popen(command, "r");
	while (f && (c = fgetc(f)) != EOF)
		if (write(1, &(char){c}, 1) != 1)
			wrong("write");
	if (!f || pclose(f))
		wrong("popen");
	if (getenv("HT_RECORD") || getenv("LD_PRELOAD"))
		wrong("the environment is another");
}

static void
forks(void)
{
	pid_t pid;

	if (!(pid = fork())) {
		free(inherited);
		work("fork");
		if (!(pid = fork())) {
			work("grandchild");
			_exit(0);
		}
		reap(pid, "grandchild");
		exit(0);
	}
	reap(pid, "fork");
	if (!(pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))) {
		work("clone");
		_exit(0);
	}
	reap(pid, "clone");
	if (!(pid = fork()))
		_exit(0);
	reap(pid, "a child that never allocates");
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
}

static void
many(int n)
{
	unsigned long long allocations = 0;
	int alive = 0;

	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			wrong("fork");
		if (!pid) {
			for (int k = 0; k <= i % 5; k++)
				free(malloc(100 + i));
			_exit(0);
		}
		allocations += i % 5 + 1;
		if (++alive == 20 && wait(NULL) > 0)
			alive--;
	}
	while (wait(NULL) > 0)
		;
	say("children", n);
	say("allocations", allocations);
}

/* Each says that it has allocated, and lives until all have. */
static void
crowd(int n)
{
	unsigned long long allocations = 0;
	int said[2], gate[2], failed = 0, status;
	char byte;

	if (pipe(said) || pipe(gate))
		wrong("pipe");
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			wrong("fork");
		if (!pid) {
			close(gate[1]);
			for (int k = 0; k <= i % 5; k++)
				free(malloc(100 + i));
			if (write(said[1], "s", 1) != 1 ||
			    read(gate[0], &byte, 1) != 0)
				_exit(1);
			_exit(0);
		}
		allocations += i % 5 + 1;
	}
	for (int i = 0; i < n; i++)
		if (read(said[0], &byte, 1) != 1)
			wrong("read");
	close(gate[1]);
	while (wait(&status) > 0)
		failed += status != 0;
	say("children", n);
	say("failed", failed);
	say("allocations", allocations);
}

int
main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "crowd")) {
		crowd(atoi(argv[2]));
		return 0;
	}
	if (argc > 2 && !strcmp(argv[1], "work")) {
		work(argv[2]);
		return 0;
	}
	if (argc > 2 && !strcmp(argv[1], "many")) {
		many(atoi(argv[2]));
		return 0;
	}
	inherited = malloc(4711);
	work("first");
	forks();
	in_threads();
	spawns(argv[0]);
	return 7;
}
