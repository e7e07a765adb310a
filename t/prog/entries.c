/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Entry points of allocators beside malloc's family: of those that the program
 * is linked with, one function of ours around each group, and what must be
 * counted for it. P (as in -DP=_rjem_) is what jemalloc's names begin with.
 * With "wait" it first says that it is ready and waits for a line.
 */
#include "truth.h"

#ifndef P
#define P
#endif
#define PASTE(a, b) a##b
#define NAME(p, n)  PASTE(p, n)
#define JE(n)	    NAME(P, n)

#define N 300

/* As the allocators declare them; weak, so that it is linked without. */
#define WEAK __attribute__((weak))
void *JE(mallocx)(size_t, int) WEAK;
void *JE(rallocx)(void *, size_t, int) WEAK;
size_t JE(xallocx)(void *, size_t, size_t, int) WEAK;
size_t JE(nallocx)(size_t, int) WEAK;
void JE(dallocx)(void *, int) WEAK;
void JE(sdallocx)(void *, size_t, int) WEAK;
int JE(mallctl)(const char *, void *, size_t *, void *, size_t) WEAK;
/* Not to be asked for in the libc. */
void *_rjem_malloc(size_t) WEAK;
void *_rjem_calloc(size_t, size_t) WEAK;
void *_rjem_realloc(void *, size_t) WEAK;
void _rjem_free(void *) WEAK;

void *tc_malloc(size_t) WEAK;
void *tc_calloc(size_t, size_t) WEAK;
void *tc_realloc(void *, size_t) WEAK;
void *tc_memalign(size_t, size_t) WEAK;
int tc_posix_memalign(void **, size_t, size_t) WEAK;
void *tc_valloc(size_t) WEAK;
void *tc_new(size_t) WEAK;
void *tc_newarray(size_t) WEAK;
void tc_free(void *) WEAK;
void tc_cfree(void *) WEAK;
void tc_free_sized(void *, size_t) WEAK;
void tc_delete(void *) WEAK;
void tc_deletearray(void *) WEAK;

struct heap;
struct heap *mi_heap_new(void) WEAK;
void mi_heap_delete(struct heap *) WEAK;
void *mi_malloc(size_t) WEAK;
void *mi_zalloc(size_t) WEAK;
void *mi_calloc(size_t, size_t) WEAK;
void *mi_mallocn(size_t, size_t) WEAK;
void *mi_realloc(void *, size_t) WEAK;
void *mi_reallocn(void *, size_t, size_t) WEAK;
void *mi_reallocf(void *, size_t) WEAK;
void *mi_recalloc(void *, size_t, size_t) WEAK;
void *mi_expand(void *, size_t) WEAK;
void *mi_malloc_aligned(size_t, size_t) WEAK;
void *mi_realloc_aligned(void *, size_t, size_t) WEAK;
int mi_posix_memalign(void **, size_t, size_t) WEAK;
void *mi_new(size_t) WEAK;
void *mi_new_n(size_t, size_t) WEAK;
char *mi_strdup(const char *) WEAK;
char *mi_strndup(const char *, size_t) WEAK;
void *mi_heap_malloc(struct heap *, size_t) WEAK;
void *mi_heap_calloc(struct heap *, size_t, size_t) WEAK;
void *mi_heap_realloc(struct heap *, void *, size_t) WEAK;
void *mi_heap_realloc_aligned(struct heap *, void *, size_t, size_t) WEAK;
char *mi_heap_strdup(struct heap *, const char *) WEAK;
void mi_free(void *) WEAK;
void mi_free_size(void *, size_t) WEAK;
void mi_free_aligned(void *, size_t) WEAK;

void GC_init(void) WEAK;
void GC_disable(void) WEAK;
void *GC_malloc(size_t) WEAK;
void *GC_malloc_atomic(size_t) WEAK;
void *GC_malloc_uncollectable(size_t) WEAK;
void *GC_realloc(void *, size_t) WEAK;
void *GC_memalign(size_t, size_t) WEAK;
char *GC_strdup(const char *) WEAK;
void GC_free(void *) WEAK;

static struct truth t;
static unsigned long long all, all_frees;

static void *
took(void *p, size_t size)
{
	if (!p)
		wrong("no memory");
	t.allocations++;
	t.bytes += size;
	all++;
	return p;
}

static void
gone(void)
{
	t.frees++;
	all_frees++;
}

/* A block that becomes another. */
static void *
again(void *p, size_t size)
{
	gone();
	return took(p, size);
}

#define GROUP(name, body)                                                      \
	static FRAME void name(void)                                           \
	{                                                                      \
		memset(&t, 0, sizeof t);                                       \
		for (size_t n = 1; n <= N; n++) {                              \
			void *p;                                               \
			body                                                   \
		}                                                              \
		say_truth(#name, &t);                                          \
	}

GROUP(x_plain, {
	p = took(JE(mallocx)(n, 0), n);
	p = again(JE(rallocx)(p, 2 * n, 0), 2 * n);
	JE(dallocx)(p, 0);
	gone();
})
GROUP(x_aligned, {
	p = took(JE(mallocx)(n, 8 /* MALLOCX_ALIGN(256) */), n);
	JE(sdallocx)(p, n, 8);
	gone();
})
GROUP(x_in_place, {
	size_t fits = JE(nallocx)(n, 0);

	p = took(JE(mallocx)(n, 0), n);
	/* To what it has anyway; then to what it cannot have. */
	if (JE(xallocx)(p, fits, 0, 0) == fits)
		again(p, fits);
	if (JE(xallocx)(p, (size_t)1 << 40, 0, 0) >= (size_t)1 << 40)
		wrong("so much memory");
	JE(dallocx)(p, 0);
	gone();
})
GROUP(rjem, {
	p = took(_rjem_malloc(n), n);
	p = again(_rjem_realloc(p, 3 * n), 3 * n);
	_rjem_free(p);
	gone();
	p = took(_rjem_calloc(n, 3), 3 * n);
	_rjem_free(p);
	gone();
	_rjem_free(NULL);
})
GROUP(tc_plain, {
	p = took(tc_malloc(n), n);
	p = again(tc_realloc(p, 3 * n), 3 * n);
	tc_free(p);
	gone();
	tc_cfree(took(tc_calloc(n, 3), 3 * n));
	gone();
	tc_free_sized(took(tc_memalign(64, n), n), n);
	gone();
	if (tc_posix_memalign(&p, 64, n))
		wrong("tc_posix_memalign");
	tc_free(took(p, n));
	gone();
})
GROUP(tc_operators, {
	tc_delete(took(tc_new(n), n));
	gone();
	tc_deletearray(took(tc_newarray(n), n));
	gone();
})
GROUP(mi_plain, {
	p = took(mi_malloc(n), n);
	p = again(mi_realloc(p, 3 * n), 3 * n);
	p = again(mi_reallocn(p, n, 2), 2 * n);
	p = again(mi_reallocf(p, 5 * n), 5 * n);
	p = again(mi_recalloc(p, n, 6), 6 * n);
	if (mi_expand(p, 6 * n - 1))
		again(p, 6 * n - 1);
	mi_free(p);
	gone();
	mi_free(took(mi_zalloc(n), n));
	gone();
	mi_free(took(mi_calloc(n, 3), 3 * n));
	gone();
	mi_free_size(took(mi_mallocn(n, 3), 3 * n), 3 * n);
	gone();
	p = took(mi_malloc_aligned(n, 64), n);
	p = again(mi_realloc_aligned(p, 2 * n, 64), 2 * n);
	mi_free_aligned(p, 64);
	gone();
	if (mi_posix_memalign(&p, 64, n))
		wrong("mi_posix_memalign");
	mi_free(took(p, n));
	gone();
	mi_free(took(mi_new(n), n));
	gone();
	mi_free(took(mi_new_n(n, 4), 4 * n));
	gone();
	mi_free(took(mi_strdup("a string"), 9));
	gone();
	mi_free(took(mi_strndup("a string", 3), 4));
	gone();
})
GROUP(mi_heap, {
	struct heap *h = mi_heap_new();

	p = took(mi_heap_malloc(h, n), n);
	p = again(mi_heap_realloc(h, p, 2 * n), 2 * n);
	p = again(mi_heap_realloc_aligned(h, p, 3 * n, 64), 3 * n);
	mi_free(p);
	gone();
	mi_free(took(mi_heap_calloc(h, n, 3), 3 * n));
	gone();
	mi_free(took(mi_heap_strdup(h, "another"), 8));
	gone();
	mi_heap_delete(h);
})
GROUP(gc, {
	p = took(GC_malloc(n), n);
	p = again(GC_realloc(p, 3 * n), 3 * n);
	GC_free(p);
	gone();
	GC_free(took(GC_malloc_atomic(n), n));
	gone();
	GC_free(took(GC_malloc_uncollectable(n), n));
	gone();
	GC_free(took(GC_memalign(64, n), n));
	gone();
	GC_free(took(GC_strdup("collected"), 10));
	gone();
})

static unsigned long long
its(const char *what)
{
	unsigned long long sum = 0, v, epoch = 1;
	size_t size = sizeof epoch;
	char name[64];

	JE(mallctl)("epoch", &epoch, &size, &epoch, size);
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof name, "stats.arenas.0.%s.%s",
		    i ? "large" : "small", what);
		size = sizeof v;
		if (JE(mallctl)(name, &v, &size, NULL, 0) == 0)
			sum += v;
	}
	return sum;
}

int
main(int argc, char *argv[])
{
	unsigned long long live = 0;
	char line[16];

	if (argc > 1 && !strcmp(argv[1], "wait")) {
		say("ready", 1);
		if (read(0, line, sizeof line) < 1)
			return 1;
	}
	if (JE(mallctl))
		live = its("nmalloc") - its("ndalloc");
	if (JE(mallocx)) {
		x_plain();
		x_aligned();
		x_in_place();
	}
	if (_rjem_malloc)
		rjem();
	if (JE(mallctl))
		say("its_live", its("nmalloc") - its("ndalloc") - live);
	if (tc_malloc) {
		tc_plain();
		tc_operators();
	}
	if (mi_malloc) {
		mi_plain();
		mi_heap();
	}
	if (GC_malloc) {
		GC_init();
		GC_disable();
		gc();
	}
	say("allocations", all);
	say("frees", all_frees);
	return 0;
}
