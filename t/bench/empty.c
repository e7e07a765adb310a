/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hooks that do nothing: what to be between a program and its allocator costs,
 * whatever is done there. */
#include <errno.h>
#include <stddef.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t),
    *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

void *
malloc(size_t size)
{
	return __libc_malloc(size);
}

void
free(void *block)
{
	__libc_free(block);
}

void *
calloc(size_t n, size_t size)
{
	return __libc_calloc(n, size);
}

void *
realloc(void *block, size_t size)
{
	return __libc_realloc(block, size);
}

void *
memalign(size_t alignment, size_t size)
{
	return __libc_memalign(alignment, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	return __libc_memalign(alignment, size);
}

int
posix_memalign(void **block, size_t alignment, size_t size)
{
	void *p = __libc_memalign(alignment, size);

	if (p)
		*block = p;
	return p ? 0 : ENOMEM;
}
