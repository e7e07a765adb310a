/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing JSON, RFC 8259: one document, commas by themselves. Level 3.
 *
 *	struct ht_json j = {.out = out};
 *	ht_json_open(&j, NULL, '{');
 *	ht_json_uint(&j, "traces", 3);
 *	ht_json_close(&j, '}');
 *
 * `key` is NULL for an element of an array. Strings are valid UTF-8 whatever
 * they are made of: a byte that is not, and those of C1 and bidirectional
 * controls, become the four characters \xNN. So a document can be looked at in
 * a terminal, too.
 */
#ifndef HT_JSON_H
#define HT_JSON_H

#include "libht/base.h"
#include "libht/out.h"

struct ht_json {
	struct ht_out *out;
	unsigned depth;
	bool more; /* something stands before in this object or array */
	unsigned inline_at; /* at this depth and below: on one line; 0 none */
};

void ht_json_open(struct ht_json *j, const char *key, char bracket);
/* The same, but what is in it stays on one line. */
void ht_json_open_line(struct ht_json *j, const char *key, char bracket);
void ht_json_close(struct ht_json *j, char bracket);
void ht_json_uint(struct ht_json *j, const char *key, uint64_t v);
void ht_json_int(struct ht_json *j, const char *key, bool minus, uint64_t v);
void ht_json_null(struct ht_json *j, const char *key);
void ht_json_bool(struct ht_json *j, const char *key, bool v);
void ht_json_text(
    struct ht_json *j, const char *key, const char *text, size_t len);
void ht_json_textz(struct ht_json *j, const char *key, const char *text);

#endif
