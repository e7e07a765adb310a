/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For a program that is to be attached to before it goes on. */
#ifndef HOOKED_H
#define HOOKED_H

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Says that it is ready, and waits until this function's first instructions
 * change. */
static void
wait_for_hook(const char *name)
{
	const char *code = dlsym(RTLD_DEFAULT, name);
	char before[16];

	memcpy(before, code, sizeof before);
	alarm(60);
	if (write(1, "ready\n", 6) != 6)
		exit(1);
	while (!memcmp(before, code, sizeof before))
		usleep(1000);
}

#endif
