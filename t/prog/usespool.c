/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * usespool LIBRARY [wait [NAME]]: calls the library's pooled(1000); with `wait`
 * after a line on stdin, and again after another. Allocates nothing in between.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	void *library = dlopen(argv[1], RTLD_NOW);
	void (*pooled)(int);
	char line;

	if (!library)
		return 1;
	pooled = (void (*)(int))dlsym(library, argc > 3 ? argv[3] : "pooled");
	if (argc > 2) {
		write(1, "ready\n", 6);
		read(0, &line, 1);
	}
	pooled(1000);
	if (argc > 2) {
		write(1, "done\n", 5);
		read(0, &line, 1);
		pooled(1000);
	}
	return 0;
}
