/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hooks that do nothing: what a library in front of malloc costs that calls
 * the real functions and no more. What --sample costs is measured against it.
 * A shared library, for LD_PRELOAD; calls are jumps at -O2.
 */
#include <dlfcn.h>
#include <stddef.h>

static void *(*real_malloc)(size_t);
static void (*real_free)(void *);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);

static char arena[4096] __attribute__((aligned(16)));
static size_t used;

__attribute__((constructor)) static void
find(void)
{
	real_free = dlsym(RTLD_NEXT, "free");
	real_calloc = dlsym(RTLD_NEXT, "calloc");
	real_realloc = dlsym(RTLD_NEXT, "realloc");
	real_malloc = dlsym(RTLD_NEXT, "malloc");
}

/* Before the constructor has run. */
static void *
early(size_t size)
{
	void *p = arena + used;

	used += (size + 15) & ~(size_t)15;
	return used <= sizeof arena ? p : NULL;
}

void *
malloc(size_t size)
{
	return real_malloc ? real_malloc(size) : early(size);
}

void
free(void *p)
{
	if (real_free)
		real_free(p);
}

void *
calloc(size_t n, size_t size)
{
	return real_calloc ? real_calloc(n, size) : early(n * size);
}

void *
realloc(void *p, size_t size)
{
	return real_realloc ? real_realloc(p, size) : early(size);
}
