/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers and names as people read them. Level 5. Nothing depends on the
 * locale; text is UTF-8.
 */
#ifndef HT_FMT_H
#define HT_FMT_H

#include "libht/base.h"
#include "libht/str.h"

/* Returned by value: `ht_fmt_count(n).s`. */
struct ht_fmt {
	char s[40];
};

/* 8,507,622 */
struct ht_fmt ht_fmt_count(uint64_t n);
/* Three digits and a decimal unit: 512 B, 73.1 kB, 8.31 MB. */
struct ht_fmt ht_fmt_bytes(uint64_t n);
/* As users name a size: 512 KiB, 1 GiB; 1000 B where no unit divides it. */
struct ht_fmt ht_fmt_binary(uint64_t n);
/* `part` of `whole` in percent, one digit behind the point; "" of nothing. */
struct ht_fmt ht_fmt_percent(uint64_t part, uint64_t whole);
/* 0.41 s, 75.3 s, 12 min 5 s, 3 h 2 min */
struct ht_fmt ht_fmt_ms(uint64_t ms);

/* Columns that escaped UTF-8 text takes, each character one. */
size_t ht_fmt_width(const char *text, size_t len);

/*
 * A function's name in at most `width` columns (0: no limit), escaped, added
 * to `s`. One that is too long loses, in this order and only as far as needed,
 * its template arguments, its parameters, its middle.
 */
void ht_fmt_function(
    struct ht_str *s, const char *name, size_t len, size_t width);
/* The name with `<>` in place of template arguments, not escaped. */
void ht_fmt_shorten(struct ht_str *s, const char *name, size_t len);
/* Any text, escaped; one that is too long loses its end; a path its start. */
void ht_fmt_text(struct ht_str *s, const char *text, size_t len, size_t width);
void ht_fmt_path(struct ht_str *s, const char *path, size_t len, size_t width);

#endif
