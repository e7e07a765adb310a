/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A byte string that grows. Level 1. `struct ht_str s = {0}` is an empty one;
 * data is NUL-terminated once anything was added. */
#ifndef HT_STR_H
#define HT_STR_H

#include "libht/base.h"

struct ht_str {
	char *data;
	size_t len, cap;
};

void ht_str_add(struct ht_str *s, const void *bytes, size_t len);
void ht_str_addz(struct ht_str *s, const char *z);
void ht_str_addf(struct ht_str *s, const char *fmt, ...) HT_PRINTF(2, 3);
void ht_str_addc(struct ht_str *s, char c);
void ht_str_clear(struct ht_str *s);   /* empty again, memory kept */
void ht_str_release(struct ht_str *s); /* memory freed */

#endif
