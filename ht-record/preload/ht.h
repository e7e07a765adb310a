/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a program can tell ht-record; ht-api(3) describes it. Nothing is linked:
 * while the program is not recorded a call is a load and a branch.
 *
 * Each executable and shared library has one pointer, ht_api_, which an ELF
 * note leads to. It is set by the recorder's library, in the program from its
 * start or attached to it; what it points to stays as it is, functions are only
 * ever added at its end. To define HT_NO_API takes it all out.
 */
#ifndef HT_H
#define HT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ht_api;

struct ht_api_functions {
	void (*recording)(struct ht_api *, int on);
	void (*mark)(struct ht_api *, const char *text);
	void (*pool_alloc)(
	    struct ht_api *, const char *pool, const void *p, size_t size);
	void (*pool_free)(struct ht_api *, const char *pool, const void *p);
};

struct ht_api {
	const struct ht_api_functions *functions; /* NULL: not recorded */
};

#if defined __linux__ && defined __LP64__ && !defined HT_NO_API
extern struct ht_api ht_api_;
/* The same in all of a module; another module has another. */
__attribute__((weak, used, visibility("hidden"))) struct ht_api ht_api_ = {
    NULL};
/* How far the pointer is from here. */
__asm__(".pushsection .note.ht,\"a\",%note\n\t"
	".balign 4\n\t"
	".long 3, 8, 1\n\t" /* bytes of the name, of the rest; the type */
	".asciz \"ht\"\n\t"
	".balign 4\n\t"
	".quad ht_api_ - .\n\t"
	".popsection\n");

/* Of a library that is loaded later the recorder's own library is told. */
extern void ht_api_join(struct ht_api *) __attribute__((weak));
void ht_api_begin_(void);
__attribute__((weak, used, visibility("hidden"), constructor)) void
ht_api_begin_(void)
{
	if (ht_api_join)
		ht_api_join(&ht_api_);
}

/* Something follows the call, so that the caller's frame is still there. */
#define HT_API_CALL_(function, args)                                           \
	do {                                                                   \
		const struct ht_api_functions *f_ =                            \
		    __atomic_load_n(&ht_api_.functions, __ATOMIC_RELAXED);     \
		if (__builtin_expect(f_ != NULL, 0)) {                         \
			f_->function args;                                     \
			__asm__ __volatile__("");                              \
		}                                                              \
	} while (0)
#else
#define HT_API_CALL_(function, args) ((void)0)
#endif

#define HT_API_INLINE_ static __inline__ __attribute__((always_inline, unused))

/* No allocation is recorded from here on, by any thread; frees are. */
HT_API_INLINE_ void
ht_pause(void)
{
	HT_API_CALL_(recording, (&ht_api_, 0));
}

HT_API_INLINE_ void
ht_resume(void)
{
	HT_API_CALL_(recording, (&ht_api_, 1));
}

/* A moment with a name, of at most 255 bytes, which reports know. */
HT_API_INLINE_ void
ht_mark(const char *text)
{
	(void)text;
	HT_API_CALL_(mark, (&ht_api_, text));
}

/* An allocator of the program's own, with a name, hands out `size` bytes at
 * `p`, which is not NULL; to be called when it has. */
HT_API_INLINE_ void
ht_pool_alloc(const char *pool, const void *p, size_t size)
{
	(void)pool, (void)p, (void)size;
	HT_API_CALL_(pool_alloc, (&ht_api_, pool, p, size));
}

/* It takes the block at `p` back; to be called before it does. */
HT_API_INLINE_ void
ht_pool_free(const char *pool, const void *p)
{
	(void)pool, (void)p;
	HT_API_CALL_(pool_free, (&ht_api_, pool, p));
}

/* The block at `old` has become one of `size` bytes at `p`; to be called while
 * no other thread can be given `old`. */
HT_API_INLINE_ void
ht_pool_realloc(const char *pool, const void *old, const void *p, size_t size)
{
	if (old)
		ht_pool_free(pool, old);
	if (p)
		ht_pool_alloc(pool, p, size);
}

#ifdef __cplusplus
}
#endif

#endif
