/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An allocator to be preloaded behind the recorder's library: one atomic
 * addition and no lock, so that a program may be interrupted, jumped out of or
 * cancelled anywhere in it. Nothing is ever used twice. It counts what reaches
 * it: `bump_calls` is its number of allocations.
 */
/* LINK: -shared -fPIC -fno-builtin */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA ((size_t)64 << 30)

static _Atomic uintptr_t start, used;
_Atomic unsigned long long bump_calls, bump_frees;

static uintptr_t
arena(void)
{
	uintptr_t at = start, none = 0;
	void *p;

	if (at)
		return at;
	p = mmap(NULL, ARENA, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return 0;
	if (!atomic_compare_exchange_strong(&start, &none, (uintptr_t)p)) {
		munmap(p, ARENA);
		return none;
	}
	return (uintptr_t)p;
}

static void *
take(size_t align, size_t size)
{
	uintptr_t base = arena(), at;

	if (!base || size > ARENA / 2) {
		errno = ENOMEM;
		return NULL;
	}
	if (align < 16)
		align = 16;
	at = base + atomic_fetch_add(&used, (size + align + 31) & ~15ul);
	if (at + size + align + 32 > base + ARENA) {
		errno = ENOMEM;
		return NULL;
	}
	at = (at + 16 + align - 1) & -align;
	((size_t *)at)[-1] = size;
	bump_calls++;
	return (void *)at;
}

void *
malloc(size_t size)
{
	return take(16, size);
}

void
free(void *p)
{
	if (p)
		bump_frees++;
}

void *
calloc(size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return take(16, all);
}

void *
realloc(void *old, size_t size)
{
	void *p;

	if (old && !size) {
		free(old);
		return NULL;
	}
	p = take(16, size);
	if (p && old) {
		size_t was = ((size_t *)old)[-1];

		memcpy(p, old, was < size ? was : size);
		free(old);
	}
	return p;
}

void *
reallocarray(void *old, size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, all);
}

void *
memalign(size_t align, size_t size)
{
	return take(align, size);
}

void *
aligned_alloc(size_t align, size_t size)
{
	return take(align, size);
}

int
posix_memalign(void **out, size_t align, size_t size)
{
	void *p = take(align, size);

	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

void *
valloc(size_t size)
{
	return take(4096, size);
}

void *
pvalloc(size_t size)
{
	return take(4096, (size + 4095) & ~4095ul);
}

size_t
malloc_usable_size(void *p)
{
	return p ? ((size_t *)p)[-1] : 0;
}
