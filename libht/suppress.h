/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Leak suppressions, in LeakSanitizer's language. Level 4.
 *
 * `leak:PATTERN` hides leaks whose stack has a function, file or module that
 * the pattern matches: it is contained in the name; `*` stands for any text,
 * `^` at its start and `$` at its end hold it to the name's ends. Only what
 * was leaked is hidden: blocks and bytes; nothing else changes.
 */
#ifndef HT_SUPPRESS_H
#define HT_SUPPRESS_H

#include "libht/base.h"
#include "libht/err.h"
#include "libht/prof.h"

enum ht_suppress_origin {
	HT_SUPPRESS_FILE,
	HT_SUPPRESS_EMBEDDED, /* `S` lines of the traces */
	HT_SUPPRESS_BUILTIN
};

struct ht_suppression {
	char *pattern; /* without `leak:`; owned */
	enum ht_suppress_origin origin;
	uint64_t blocks, bytes; /* hidden by it */
};

struct ht_suppress {
	struct ht_suppression *item;
	size_t n, cap;
	uint64_t blocks, bytes; /* hidden by any */
};

/* A line: `leak:…`, a comment, or nothing. 0, or -1 if it is none of these. */
int ht_suppress_line(struct ht_suppress *s, const char *line, size_t len,
    enum ht_suppress_origin origin);
/* All lines of a file. 0, or -1 with *err set: the first bad line. */
int ht_suppress_file(
    struct ht_suppress *s, const char *path, struct ht_error *err);
void ht_suppress_builtin(struct ht_suppress *s);
/* Takes what was leaked by suppressed stacks out of the rows and of p->sum,
 * and counts it. A leak that several would hide counts for the first of them
 * that matches its innermost frame that any matches. */
void ht_suppress_apply(struct ht_suppress *s, struct ht_prof *p);
/* Which stacks that is about: element `id`, 0 … p->nstack. The array is the
 * caller's. */
bool *ht_suppress_stacks(const struct ht_suppress *s, const struct ht_prof *p);
/* Only the first n again, and nothing hidden yet: for another profile. */
void ht_suppress_restart(struct ht_suppress *s, size_t n);
bool ht_suppress_match(const char *pattern, const char *name);
void ht_suppress_release(struct ht_suppress *s);

#endif
