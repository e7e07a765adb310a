/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every file may assume. Level 0. */
#ifndef HT_BASE_H
#define HT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HT_FORMAT 3 /* the second number of a `v` line */

#define HT_PIPE_SIZE (1 << 20) /* bytes asked of the kernel for a pipe */

#define HT_LEN(a)	(sizeof(a) / sizeof((a)[0]))
#define ht_likely(x)	__builtin_expect(!!(x), 1)
#define ht_unlikely(x)	__builtin_expect(!!(x), 0)
#define HT_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define HT_NORETURN	__attribute__((noreturn))
/* For what a loop over events does for each: part of it, whatever its size. */
#define HT_HOT static inline __attribute__((always_inline))

/* Exit statuses; ht(7) lists them. */
enum {
	HT_OK = 0,
	HT_FAILED = 1, /* the data or the IO failed */
	HT_USAGE = 2,
	HT_LIMIT = 3,	 /* --fail-if */
	HT_CANNOT = 125, /* ht-record itself failed */
	HT_NOT_RUNNABLE = 126,
	HT_NOT_FOUND = 127
};

#endif
