/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "libht/err.h"
#include "libht/mem.h"

static void *
there(void *p, size_t n)
{
	if (!p)
		ht_die(HT_FAILED, "out of memory: %zu bytes wanted", n);
	return p;
}

void *
ht_malloc(size_t n)
{
	return there(malloc(n ? n : 1), n);
}

void *
ht_calloc(size_t n, size_t size)
{
	return there(calloc(n ? n : 1, size ? size : 1), n * size);
}

void *
ht_realloc(void *p, size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all))
		there(NULL, SIZE_MAX);
	return there(realloc(p, all ? all : 1), all);
}

char *
ht_strdup(const char *s)
{
	return ht_memdup(s, strlen(s));
}

char *
ht_memdup(const void *p, size_t n)
{
	char *copy = ht_malloc(n + 1);

	if (n)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

void *
ht_grow(void *p, size_t *cap, size_t want, size_t size)
{
	size_t n = *cap ? *cap : 16;

	while (n < want)
		if (__builtin_mul_overflow(n, 2, &n))
			there(NULL, SIZE_MAX);
	if (n == *cap)
		return p;
	p = ht_realloc(p, n, size);
	memset((char *)p + *cap * size, 0, (n - *cap) * size);
	*cap = n;
	return p;
}
