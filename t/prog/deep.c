/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* deep [DEPTH]: allocates at the bottom of so many frames, and again on every
 * hundredth on the way up. */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#include <sys/resource.h>

#include "truth.h"

static struct truth t;
static void *volatile kept;
static volatile int mark;

static FRAME void
bottom(void)
{
	kept = malloc(8);
	t.allocations++;
	t.bytes += 8;
}

static FRAME void
down(int depth)
{
	if (depth > 1)
		down(depth - 1);
	else
		bottom();
	if (depth % 100 == 0)
		bottom();
	mark = depth;
}

int
main(int argc, char **argv)
{
	int depth = argc > 1 ? atoi(argv[1]) : 10000;

	down(depth);
	down(depth);
	say_truth("bottom", &t);
	say("depth", depth);
	return 0;
}
