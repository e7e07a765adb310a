/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plugin for host; -DFUNCTION=name names what allocates in it. */
/* LINK: -shared -fPIC -fno-builtin -fno-optimize-sibling-calls */
#include <stdlib.h>

#ifndef FUNCTION
#define FUNCTION plugin_alloc
#endif

__attribute__((noinline)) void *
FUNCTION(void)
{
	void *volatile p = malloc(77);

	return p;
}

void *
entry(void)
{
	void *volatile p = FUNCTION();

	return p;
}

void
drop(void *p)
{
	free(p);
}
