/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits: what --fail-if says, for tests of programs.
 *
 *	NAME OP VALUE[,NAME OP VALUE…]
 *
 * NAME is one of --totals, or of --sort; OP one of > >= < <= = !=; VALUE a
 * number, of bytes or of a time with a unit. In a report of differences the
 * difference is compared, and VALUE may be negative, or a percentage of the
 * base. A limit is exceeded when what it says is true.
 */
#ifndef HT_TOP_LIMITS_H
#define HT_TOP_LIMITS_H

#include "libht/base.h"
#include "libht/err.h"
#include "libht/prof.h"

enum limit_op { OP_GT, OP_GE, OP_LT, OP_LE, OP_EQ, OP_NE };

struct limit {
	char *text;	 /* as it was given; owned */
	size_t value_of; /* which number (limits.c) */
	enum limit_op op;
	bool minus, percent;
	bool relative;	/* has a sign or is a percentage: needs --diff */
	uint64_t value; /* thousandths of a percentage */
	bool exceeded;
};

struct limits {
	struct limit *limit;
	size_t n, cap;
};

/* 0, or -1 with *err set. */
int limits_add(struct limits *l, const char *text, struct ht_error *err);
/* The first that has no meaning without --diff, or NULL. */
const char *limits_relative(const struct limits *l);
/* Marks those that are exceeded and says so on stderr; whether any is. `base`
 * may be NULL. */
bool limits_check(
    struct limits *l, const struct ht_prof *base, const struct ht_prof *later);
void limits_release(struct limits *l);

#endif
