/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every function of malloc's family, one function of ours around each, and
 * what must be counted for it. Also checks that the results are as malloc(3)
 * has it, and that errno is left alone by what succeeds.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <malloc.h>

#include "truth.h"

#define N	  1000
#define HUGE_SIZE ((size_t)1 << 62)

static struct truth t;
static void *block[N];

static void
begin(void)
{
	memset(&t, 0, sizeof t);
	errno = 4711;
}

static void
end(const char *name)
{
	if (errno != 4711)
		wrong(name);
	say_truth(name, &t);
}

static void *
took(void *p, size_t size)
{
	if (!p)
		wrong("no memory");
	t.allocations++;
	t.bytes += size;
	return p;
}

static FRAME void
drop(void *p)
{
	free(p);
	t.frees++;
}

static FRAME void
f_malloc(void)
{
	for (int i = 0; i < N; i++) {
		block[i] = took(malloc(i + 1), i + 1);
		memset(block[i], i, i + 1);
	}
	for (int i = 0; i < N; i++)
		drop(block[i]);
}

static FRAME void
f_malloc_0(void)
{
	for (int i = 0; i < 10; i++)
		block[i] = took(malloc(0), 0);
	for (int i = 0; i < 5; i++)
		drop(block[i]);
}

static FRAME void
f_calloc(void)
{
	for (int i = 0; i < N; i++) {
		char *p = took(calloc(i, 7), i * 7);

		for (int k = 0; k < i * 7; k++)
			if (p[k])
				wrong("calloc: not zero");
		memset(p, 0xaa, i * 7);
		block[i] = p;
	}
	for (int i = 0; i < N; i += 2)
		drop(block[i]);
}

/* A realloc frees the old block and allocates a new one, moved or not. */
static FRAME void
f_realloc(void)
{
	char *p = took(realloc(NULL, 3), 3);

	memcpy(p, "abc", 3);
	for (int i = 4; i < N; i++) {
		p = took(realloc(p, i), i);
		t.frees++;
	}
	for (int i = N; i > 10; i -= 3) {
		p = took(realloc(p, i), i);
		t.frees++;
	}
	if (memcmp(p, "abc", 3))
		wrong("realloc: lost the bytes");
	/* A failure leaves all as it was. */
	for (int i = 0; i < 5; i++) {
		void *q = realloc(p, HUGE_SIZE);

		if (q || errno != ENOMEM)
			wrong("realloc: huge");
	}
	errno = 4711;
	/* And this frees. */
	if (realloc(p, 0))
		wrong("realloc: 0");
	t.frees++;
}

static FRAME void
f_reallocarray(void)
{
	char *p = took(reallocarray(NULL, 10, 10), 100);

	p = took(reallocarray(p, 20, 10), 200);
	t.frees++;
	if (reallocarray(p, (size_t)-1 / 2, 3) || errno != ENOMEM)
		wrong("reallocarray: overflow");
	errno = 4711;
	drop(p);
}

static FRAME void
f_posix_memalign(void)
{
	void *p;

	for (int i = 0; i < 100; i++) {
		if (posix_memalign(&p, 64 << i % 8, i))
			wrong("posix_memalign");
		took(p, i);
		if ((uintptr_t)p % (64 << i % 8))
			wrong("posix_memalign: not aligned");
		drop(p);
	}
	p = &t;
	if (posix_memalign(&p, 64, HUGE_SIZE) != ENOMEM || p != &t)
		wrong("posix_memalign: huge");
	if (posix_memalign(&p, 3, 1) != EINVAL || p != &t)
		wrong("posix_memalign: 3");
	errno = 4711;
}

static FRAME void
f_aligned_alloc(void)
{
	for (int i = 0; i < 100; i++)
		drop(took(aligned_alloc(256, i * 256), i * 256));
}

static FRAME void
f_memalign(void)
{
	for (int i = 0; i < 100; i++) {
		void *p = took(memalign(1 << i % 12, i), i);

		if ((uintptr_t)p % (1 << i % 12))
			wrong("memalign: not aligned");
		drop(p);
	}
}

static FRAME void
f_valloc(void)
{
	for (int i = 0; i < 10; i++)
		drop(took(valloc(i * 100), i * 100));
}

/* pvalloc rounds up to pages; asked for is what was asked for. */
static FRAME void
f_pvalloc(void)
{
	for (int i = 0; i < 10; i++)
		drop(took(pvalloc(i * 100), i * 100));
}

/* Old programs import it, by its version. */
__asm__(".symver old_cfree, cfree@GLIBC_2.2.5");
extern void old_cfree(void *);

static FRAME void
f_cfree(void)
{
	for (int i = 0; i < 10; i++) {
		old_cfree(took(malloc(i), i));
		t.frees++;
	}
}

static FRAME void
f_nothing(void)
{
	for (int i = 0; i < 100; i++)
		free(NULL);
	if (malloc(HUGE_SIZE) || errno != ENOMEM)
		wrong("malloc: huge");
	if (calloc(HUGE_SIZE, 8) || errno != ENOMEM)
		wrong("calloc: overflow");
	if (calloc((size_t)1 << 33, (size_t)1 << 33) || errno != ENOMEM)
		wrong("calloc: overflow");
	if (memalign(64, HUGE_SIZE) || errno != ENOMEM)
		wrong("memalign: huge");
	if (aligned_alloc(64, HUGE_SIZE) || errno != ENOMEM)
		wrong("aligned_alloc: huge");
	if (valloc(HUGE_SIZE) || errno != ENOMEM)
		wrong("valloc: huge");
	if (pvalloc(HUGE_SIZE) || errno != ENOMEM)
		wrong("pvalloc: huge");
	if (realloc(NULL, HUGE_SIZE) || errno != ENOMEM)
		wrong("realloc: NULL, huge");
	errno = 4711;
}

#define RUN(f) (begin(), f(), end(#f))

int
main(void)
{
	RUN(f_malloc);
	RUN(f_malloc_0);
	RUN(f_calloc);
	RUN(f_realloc);
	RUN(f_reallocarray);
	RUN(f_posix_memalign);
	RUN(f_aligned_alloc);
	RUN(f_memalign);
	RUN(f_valloc);
	RUN(f_pvalloc);
	RUN(f_cfree);
	RUN(f_nothing);
	return 0;
}
