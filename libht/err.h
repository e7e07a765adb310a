/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages to the user, and errors carried in objects. Level 1.
 *
 * A message is one line on stderr, `ht-top: text`, made in one buffer and
 * written by one write(2); control bytes and bytes that are not UTF-8 are
 * escaped, so that names out of a trace cannot reach the terminal raw.
 */
#ifndef HT_ERR_H
#define HT_ERR_H

#include "libht/base.h"

/* The name that messages begin with; a string that outlives all of them. */
void ht_set_name(const char *name);
const char *ht_name(void);

/* -q: notes are dropped, warnings are not. */
void ht_set_quiet(bool quiet);
bool ht_quiet(void);

void ht_warn(const char *fmt, ...) HT_PRINTF(1, 2);
/* ht_warn, then `: ` and the text of errno. Leaves errno as it was. */
void ht_warn_errno(const char *fmt, ...) HT_PRINTF(1, 2);
/* Information that -q silences. */
void ht_note(const char *fmt, ...) HT_PRINTF(1, 2);
/* For main(), the option parser and the allocation wrappers only. */
void ht_die(int status, const char *fmt, ...) HT_PRINTF(2, 3) HT_NORETURN;

/* An error that a reader or writer leaves in its object: a whole sentence
 * without the program's name, "" when there is none. */
struct ht_error {
	char text[512];
};

/* Sets the text unless one is already there (the first error is the one
 * that explains), and returns -1. */
int ht_error_set(struct ht_error *e, const char *fmt, ...) HT_PRINTF(2, 3);
int ht_error_errno(struct ht_error *e, const char *fmt, ...) HT_PRINTF(2, 3);

/* The length of the UTF-8 sequence of more than one byte at `text`; 0 when
 * there is none that may reach a terminal: malformed, overlong, a surrogate, a
 * C1 or bidirectional control. */
size_t ht_utf8_safe(const char *text, size_t len);

/* Escapes `len` bytes into `out` (of `size` bytes, always terminated): \n, \t,
 * \\ for those, \xNN for other control bytes, for bytes that are not valid
 * UTF-8 and for the C1 and bidirectional controls. Returns the length. */
size_t ht_escape(char *out, size_t size, const char *text, size_t len);

#endif
