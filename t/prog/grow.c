/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The example of ht-events(5): two blocks of 100 bytes, one freed at once.
 * `grow kill`: and then it is killed. */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#include <signal.h>

#include "truth.h"

static void *volatile keep;

static FRAME void
grow(int drop)
{
	keep = malloc(100);
	if (drop)
		free(keep);
}

int
main(int argc, char **argv)
{
	grow(1);
	grow(0);
	if (argc > 1 && !strcmp(argv[1], "kill"))
		kill(getpid(), SIGKILL);
	return argc > 1 ? atoi(argv[1]) : 0;
}
