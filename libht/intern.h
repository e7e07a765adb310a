/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Byte strings to small ids, each text once. Level 2.
 * `struct ht_intern t = {0}` is an empty one. Ids count from 1; 0 is none. */
#ifndef HT_INTERN_H
#define HT_INTERN_H

#include "libht/base.h"

struct ht_intern_text {
	const char *data; /* NUL-terminated; never moves until release */
	uint32_t len;
	uint32_t hash;
};

struct ht_intern {
	struct ht_intern_text *text; /* text[id - 1] */
	size_t count, cap;
	uint32_t *slot; /* ids, open addressing */
	size_t slots;
	struct ht_intern_chunk *chunk; /* where the bytes lie */
};

/* The id of the text, made when new; *fresh (may be NULL) says so. */
uint32_t ht_intern_add(
    struct ht_intern *t, const char *data, size_t len, bool *fresh);
/* The id of the text, or 0. */
uint32_t ht_intern_find(
    const struct ht_intern *t, const char *data, size_t len);
/* The text of `id`, "" for 0. */
const char *ht_intern_get(const struct ht_intern *t, uint32_t id);
size_t ht_intern_len(const struct ht_intern *t, uint32_t id);
void ht_intern_clear(struct ht_intern *t);
void ht_intern_release(struct ht_intern *t);

#endif
