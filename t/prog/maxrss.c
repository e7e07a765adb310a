/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* maxrss FILE COMMAND [ARG…]: runs it and writes to FILE its largest resident
 * set, in KiB; the status is its own. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct rusage used;
	int status;
	FILE *f;
	pid_t pid;

	if (argc < 3 || (f = fopen(argv[1], "w")) == NULL)
		return 99;
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &used) != pid)
		return 99;
	fprintf(f, "%ld\n", used.ru_maxrss);
	if (fclose(f))
		return 99;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
