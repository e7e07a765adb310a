/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * closer DIR: does with descriptors what it likes: closes all above 2, finds
 * its own files at 3, 4, 5, overwrites them by dup2, and allocates all along.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "truth.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static struct truth t;

static FRAME void
alloc(int n)
{
	for (int i = 0; i < n; i++) {
		void *volatile p = malloc(i % 50 + 1);

		t.allocations++;
		t.bytes += i % 50 + 1;
		if (i % 3) {
			free(p);
			t.frees++;
		}
	}
}

static FRAME void
check(int fd, const char *text)
{
	char buf[100];
	ssize_t n = pread(fd, buf, sizeof buf, 0);

	if (n != (ssize_t)strlen(text) || memcmp(buf, text, n))
		wrong(text);
}

int
main(int argc, char **argv)
{
	struct stat st;
	int fd;

	if (argc < 2 || chdir(argv[1]))
		wrong("usage: closer DIR");
	alloc(1000);
	for (fd = 3; fd < 1024; fd++)
		close(fd);
	alloc(1000);
	for (fd = 3; fd < 10; fd++) {
		char name[20];
		int got;

		snprintf(name, sizeof name, "file%d", fd);
		got = open(name, O_RDWR | O_CREAT | O_TRUNC, 0666);
		if (got != fd)
			wrong("not the next descriptor");
		if (write(fd, name, strlen(name)) != (ssize_t)strlen(name))
			wrong("write");
		alloc(1000);
	}
	if (dup2(3, 200) != 200 || dup2(4, 3) != 3)
		wrong("dup2");
	alloc(10000);
	check(200, "file3");
	check(3, "file4");
	for (fd = 4; fd < 10; fd++) {
		char name[20];

		snprintf(name, sizeof name, "file%d", fd);
		check(fd, name);
	}
	if (syscall(SYS_close_range, 3, ~0u, 0) == -1)
		for (fd = 3; fd < 1024; fd++)
			close(fd);
	alloc(10000);
	for (fd = 3; fd < 1024; fd++)
		if (!fstat(fd, &st))
			wrong("a descriptor that is not ours");
	if (open("/dev/null", O_RDONLY) != 3)
		wrong("not 3");
	say_truth("alloc", &t);
	return 0;
}
