/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a user writes to choose names. Level 2.
 *
 *	text	 names that contain it
 *	/regex/	 names that a POSIX extended regular expression matches
 *
 * Upper and lower case differ. Nothing depends on the locale.
 */
#ifndef HT_PATTERN_H
#define HT_PATTERN_H

#include <regex.h>

#include "libht/base.h"
#include "libht/err.h"

struct ht_pattern {
	char *text; /* owned; NULL: a regex */
	regex_t regex;
};

/* 0, or -1 with *err set: an empty pattern, a wrong regex. */
int ht_pattern_init(
    struct ht_pattern *p, const char *spec, struct ht_error *err);
bool ht_pattern_match(const struct ht_pattern *p, const char *name);
/* Whether the name of a function is the pattern's text, as a whole: with or
 * without its parameters. A regex matches as above. */
bool ht_pattern_is(const struct ht_pattern *p, const char *function);
void ht_pattern_release(struct ht_pattern *p);

/* A growing list of them. */
struct ht_patterns {
	struct ht_pattern *pattern;
	size_t n, cap;
};

int ht_patterns_add(
    struct ht_patterns *l, const char *spec, struct ht_error *err);
/* Whether one of them is the function, as ht_pattern_is. */
bool ht_patterns_is(const struct ht_patterns *l, const char *function);
void ht_patterns_release(struct ht_patterns *l);

#endif
