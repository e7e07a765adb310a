/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every form of operator new and delete, one function of ours around each, and
 * what must be counted for it. With "nothrow" no exception is thrown: an
 * allocator in C may have none. With "wait" it first says that it is ready and
 * waits for a line. Where the allocator counts itself, what it has
 * counted meanwhile is told, too.
 */
#include <new>

#include "truth.h"

#define N	  200
#define HUGE_SIZE ((std::size_t)1 << 60)

extern "C" {
/* jemalloc's, and gperftools'. */
int mallctl(const char *, void *, size_t *, void *, size_t)
    __attribute__((weak));
int MallocHook_AddNewHook(void (*)(const void *, size_t)) __attribute__((weak));
int MallocHook_AddDeleteHook(void (*)(const void *)) __attribute__((weak));
}

typedef std::align_val_t align;
static truth t;
static void *volatile block[N];
static unsigned long long all, all_frees, hooked_new, hooked_delete;
static bool counting;

static void
on_new(const void *, size_t)
{
	hooked_new += counting;
}

static void
on_delete(const void *)
{
	hooked_delete += counting;
}

static unsigned long long
jemalloc_says(const char *small, const char *large)
{
	unsigned long long sum = 0, v, epoch = 1;
	const char *name[] = {small, large};
	size_t size;

	size = sizeof epoch;
	mallctl("epoch", &epoch, &size, &epoch, size);
	for (const char *n : name) {
		size = sizeof v;
		if (mallctl(n, &v, &size, NULL, 0) == 0)
			sum += v;
	}
	return sum;
}

static unsigned long long
nmalloc()
{
	return jemalloc_says(
	    "stats.arenas.0.small.nmalloc", "stats.arenas.0.large.nmalloc");
}

static unsigned long long
ndalloc()
{
	return jemalloc_says(
	    "stats.arenas.0.small.ndalloc", "stats.arenas.0.large.ndalloc");
}

static void *
took(void *p, size_t size)
{
	if (!p)
		wrong("no memory");
	memset(p, 7, size);
	t.allocations++;
	t.bytes += size;
	all++;
	return p;
}

static void
gone()
{
	t.frees++;
	all_frees++;
}

#define FORM(name, take, drop)                                                 \
	static FRAME void name()                                               \
	{                                                                      \
		t = truth();                                                   \
		for (int i = 0; i < N; i++) {                                  \
			size_t n = i + 1;                                      \
			block[i] = took(take, n);                              \
		}                                                              \
		for (int i = 0; i < N; i++) {                                  \
			size_t n = i + 1;                                      \
			void *p = block[i];                                    \
			(void)n;                                               \
			drop;                                                  \
			gone();                                                \
		}                                                              \
		say_truth(#name, &t);                                          \
	}

#define NEW	 ::operator new
#define ARRAY	 ::operator new[]
#define DELETE	 ::operator delete
#define DELETE_A ::operator delete[]

FORM(f_plain, NEW(n), DELETE(p))
FORM(f_sized, NEW(n), DELETE(p, n))
FORM(f_nothrow, NEW(n, std::nothrow), DELETE(p, std::nothrow))
FORM(f_aligned, NEW(n, align(64)), DELETE(p, align(64)))
FORM(f_sized_aligned, NEW(n, align(64)), DELETE(p, n, align(64)))
FORM(f_nothrow_aligned, NEW(n, align(64), std::nothrow),
    DELETE(p, align(64), std::nothrow))
FORM(a_plain, ARRAY(n), DELETE_A(p))
FORM(a_sized, ARRAY(n), DELETE_A(p, n))
FORM(a_nothrow, ARRAY(n, std::nothrow), DELETE_A(p, std::nothrow))
FORM(a_aligned, ARRAY(n, align(128)), DELETE_A(p, align(128)))
FORM(a_sized_aligned, ARRAY(n, align(128)), DELETE_A(p, n, align(128)))
FORM(a_nothrow_aligned, ARRAY(n, align(128), std::nothrow),
    DELETE_A(p, align(128), std::nothrow))
/* Of one kind by another. */
FORM(f_mixed, malloc(n), free(p))

struct marker {
	int *n;
	~marker()
	{
		++*n;
	}
};

/* What cannot be had is thrown, through frames with something to do. */
static FRAME int
f_throw(size_t size)
{
	int unwound = 0, caught = 0;

	for (int i = 0; i < N; i++)
		try {
			marker m = {&unwound};
			block[0] = i & 1 ? NEW(size) : NEW(size, align(64));
		} catch (const std::bad_alloc &) {
			caught++;
		}
	for (int i = 0; i < N; i++) {
		block[0] = NEW(size, std::nothrow);
		if (block[0])
			wrong("so much memory");
	}
	return caught == N && unwound == N;
}

static void *volatile reserve;
static int asked;

/* A handler gives back what was kept for the worst. */
static FRAME void
on_no_memory()
{
	if (asked++ == 0) {
		free(reserve);
		gone();
	} else {
		std::set_new_handler(NULL);
	}
}

static FRAME int
f_handler()
{
	reserve = took(malloc(5000), 5000);
	std::set_new_handler(on_no_memory);
	try {
		block[0] = NEW(HUGE_SIZE);
	} catch (const std::bad_alloc &) {
		return asked == 2;
	}
	return 0;
}

int
main(int argc, char *argv[])
{
	bool throws = argc < 2 || strcmp(argv[1], "nothrow") != 0;
	char line[16];

	if (argc > 1 && !strcmp(argv[1], "wait")) {
		say("ready", 1);
		if (read(0, line, sizeof line) < 1)
			return 1;
	}
	unsigned long long m = mallctl ? nmalloc() : 0;
	unsigned long long d = mallctl ? ndalloc() : 0;

	if (MallocHook_AddNewHook) {
		MallocHook_AddNewHook(on_new);
		MallocHook_AddDeleteHook(on_delete);
	}
	counting = true;
	f_plain();
	f_sized();
	f_nothrow();
	f_aligned();
	f_sized_aligned();
	f_nothrow_aligned();
	a_plain();
	a_sized();
	a_nothrow();
	a_aligned();
	a_sized_aligned();
	a_nothrow_aligned();
	f_mixed();
	counting = false;
	say("allocations", all);
	say("frees", all_frees);
	if (mallctl) {
		say("its_allocations", nmalloc() - m);
		say("its_frees", ndalloc() - d);
	}
	if (MallocHook_AddNewHook) {
		say("its_allocations", hooked_new);
		say("its_frees", hooked_delete);
	}
	t = truth();
	if (throws)
		say("throws", f_throw(HUGE_SIZE) && f_handler());
	/* Afterwards all is as before. */
	f_plain();
	return 0;
}
