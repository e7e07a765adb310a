/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing JSON, RFC 8259: one document, commas by themselves.
 *
 *	struct json j = {.out = out};
 *	json_open(&j, NULL, '{');
 *	json_uint(&j, "traces", 3);
 *	json_close(&j, '}');
 *
 * `key` is NULL for an element of an array. Strings are valid UTF-8 whatever
 * they are made of: a byte that is not, and those of C1 and bidirectional
 * controls, become the four characters \xNN. So a document can be looked at in
 * a terminal, too.
 */
#ifndef HT_TOP_JSON_H
#define HT_TOP_JSON_H

#include "libht/base.h"
#include "libht/out.h"

struct json {
	struct ht_out *out;
	unsigned depth;
	bool more; /* something stands before in this object or array */
	unsigned inline_at; /* at this depth and below: on one line; 0 none */
};

void json_open(struct json *j, const char *key, char bracket);
/* The same, but what is in it stays on one line. */
void json_open_line(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_uint(struct json *j, const char *key, uint64_t v);
void json_int(struct json *j, const char *key, bool minus, uint64_t v);
void json_bool(struct json *j, const char *key, bool v);
void json_text(struct json *j, const char *key, const char *text, size_t len);
void json_textz(struct json *j, const char *key, const char *text);

#endif
