/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that is there, or the program ends with a message. Level 1. */
#ifndef HT_MEM_H
#define HT_MEM_H

#include "libht/base.h"

void *ht_malloc(size_t n);
void *ht_calloc(size_t n, size_t size);
void *ht_realloc(void *p, size_t n, size_t size); /* n * size, checked */
char *ht_strdup(const char *s);
char *ht_memdup(const void *p, size_t n); /* with a NUL byte behind */

/* Makes room for element number `want` - 1 in a growing array `p` of `*cap`
 * elements of `size` bytes: doubles, zeroes what is new. Returns the array. */
void *ht_grow(void *p, size_t *cap, size_t want, size_t size);

#define HT_GROW(array, cap, want)                                              \
	((want) > (cap) ? (void)((array) = ht_grow((array), &(cap), (want),    \
				     sizeof *(array)))                         \
			: (void)0)

#endif
