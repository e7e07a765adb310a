/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preloaded behind the recorder's library: counts every allocation and free
 * that reaches the libc, whoever makes it, and writes the counts to the file
 * named by $NEXTCOUNT when the process ends.
 */
/* LINK: -shared -fPIC -fno-builtin */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The libc's own, by the names under which it keeps them. */
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t),
    *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t),
    *__libc_valloc(size_t), *__libc_pvalloc(size_t);
extern void __libc_free(void *);

static _Atomic unsigned long long allocations, frees, bytes;
static char file[4096];

static void *
count(void *p, size_t size)
{
	if (p) {
		allocations++;
		bytes += size;
	}
	return p;
}

void *
malloc(size_t size)
{
	return count(__libc_malloc(size), size);
}

void *
calloc(size_t n, size_t size)
{
	return count(__libc_calloc(n, size), n * size);
}

void *
realloc(void *old, size_t size)
{
	void *p = __libc_realloc(old, size);

	if (old && (p || !size))
		frees++;
	return count(p, size);
}

void *
memalign(size_t align, size_t size)
{
	return count(__libc_memalign(align, size), size);
}

void *
aligned_alloc(size_t align, size_t size)
{
	return count(__libc_memalign(align, size), size);
}

int
posix_memalign(void **out, size_t align, size_t size)
{
	void *p;

	if (!align || align % sizeof(void *) || align & (align - 1))
		return EINVAL;
	p = memalign(align, size);
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

void
free(void *p)
{
	if (p)
		frees++;
	__libc_free(p);
}

void
cfree(void *p)
{
	free(p);
}

void *
valloc(size_t size)
{
	return count(__libc_valloc(size), size);
}

void *
pvalloc(size_t size)
{
	return count(__libc_pvalloc(size), size);
}

static __attribute__((constructor)) void
begin(void)
{
	const char *name = getenv("NEXTCOUNT");

	if (name && strlen(name) < sizeof file)
		strcpy(file, name);
}

static __attribute__((destructor)) void
end(void)
{
	char text[200];
	int n, fd;

	if (!*file || (fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0666)) < 0)
		return;
	n = snprintf(text, sizeof text,
	    "allocations\t%llu\nfrees\t%llu\ntotal_bytes\t%llu\n", allocations,
	    frees, bytes);
	if (write(fd, text, n) != n)
		_exit(99);
	close(fd);
}
