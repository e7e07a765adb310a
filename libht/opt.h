/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options: getopt_long behind one table a command. Level 2. Handles -h (usage
 * on stdout, status 0) and -V (tool version and format version) itself; an
 * unknown option, a missing value: message and synopsis on stderr, status 2.
 */
#ifndef HT_OPT_H
#define HT_OPT_H

#include "libht/base.h"
#include "libht/num.h"

struct ht_opt {
	const char *name; /* long name without dashes */
	int letter;	  /* short option, or a number above 255 for none */
	bool value;	  /* takes one */
};

struct ht_opts {
	int argc;
	char **argv;
	const char *usage;	   /* the whole text, ends in LF */
	const struct ht_opt *opt;  /* ends with name NULL */
	const struct ht_opt *more; /* the same, or NULL: what commands share */
	bool stop_at_operand;	   /* ht-record: the rest is the program's */
	const char *value;	   /* of the option returned last */
	int letter;		   /* that option, for messages */
	int index;		   /* first operand, once -1 was returned */
};

/* The letter of the next option, or -1: no more options. */
int ht_opt_next(struct ht_opts *o);
/* The value of the last option as a number; on error says which values are
 * accepted and ends with status 2. */
uint64_t ht_opt_num(
    const struct ht_opts *o, enum ht_unit unit, uint64_t min, uint64_t max);
/* The value of the last option as one of `names` (ends with NULL): its index.
 * On error lists the names and ends with status 2. */
int ht_opt_choice(const struct ht_opts *o, const char *const names[]);
/* Message, the usage's synopsis on stderr, exit 2. */
void ht_opt_fail(const struct ht_opts *o, const char *fmt, ...)
    HT_PRINTF(2, 3) HT_NORETURN;

#endif
