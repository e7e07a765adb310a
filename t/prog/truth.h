/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For programs under test: what they tell of themselves, without a single
 * allocation (so no stdio).
 */
#ifndef TRUTH_H
#define TRUTH_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A frame that a stack must show. */
#define FRAME __attribute__((noinline, noclone))

/* One line, `name<TAB>value`, by one write(2). */
static inline void
say(const char *name, unsigned long long value)
{
	char line[160];
	int n = snprintf(line, sizeof line, "%s\t%llu\n", name, value);

	if (write(1, line, n) != n)
		_exit(99);
}

/* allocations, frees and bytes asked for, as ht-top and replay.pl call them;
 * kept by the program as it goes. */
struct truth {
	unsigned long long allocations, frees, bytes;
};

/* What one function did. */
static inline void
say_truth(const char *who, const struct truth *t)
{
	char line[200];
	int n = snprintf(line, sizeof line, "function\t%s\t%llu\t%llu\t%llu\n",
	    who, t->allocations, t->frees, t->bytes);

	if (write(1, line, n) != n)
		_exit(99);
}

/* The program itself went wrong. */
static inline void
wrong(const char *what)
{
	char line[160];
	int n =
	    snprintf(line, sizeof line, "wrong: %s (errno %d)\n", what, errno);

	if (write(2, line, n) != n)
		_exit(99);
	_exit(98);
}

/* The same numbers on every run and machine. */
static inline uint32_t
rnd(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (uint32_t)(*seed >> 32);
}

#endif
