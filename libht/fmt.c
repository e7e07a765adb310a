/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libht/err.h"
#include "libht/fmt.h"
#include "libht/mem.h"

#define PART ((size_t)2048)
#define DOTS "\xe2\x80\xa6" /* … */

struct ht_fmt
ht_fmt_count(uint64_t n)
{
	struct ht_fmt f;
	char digits[24];
	int i, len = snprintf(digits, sizeof digits, "%" PRIu64, n);
	char *p = f.s;

	for (i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = '\0';
	return f;
}

/* n / unit with three digits in all, more if they are before the point. In
 * integers: rounding is the same everywhere. */
static struct ht_fmt
three_digits(uint64_t n, uint64_t unit, const char *name)
{
	static const unsigned scale[] = {100, 10, 1};
	struct ht_fmt f;
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < HT_LEN(scale); i++) {
		v = (uint64_t)(((unsigned __int128)n * scale[i] + unit / 2) /
			       unit);
		if (v < 1000)
			break;
	}
	if (i < 2)
		snprintf(f.s, sizeof f.s, "%" PRIu64 ".%0*" PRIu64 " %s",
		    v / scale[i], 2 - (int)i, v % scale[i], name);
	else
		snprintf(f.s, sizeof f.s, "%" PRIu64 " %s", v, name);
	return f;
}

struct ht_fmt
ht_fmt_bytes(uint64_t n)
{
	static const char *const name[] = {"kB", "MB", "GB", "TB", "PB"};
	struct ht_fmt f;
	uint64_t unit = 1000;
	size_t i = 0;

	if (n < 1000) {
		snprintf(f.s, sizeof f.s, "%" PRIu64 " B", n);
		return f;
	}
	/* 999.5 would be printed as 1000. */
	while (i + 1 < HT_LEN(name) && n >= unit * 1000 - unit / 2) {
		unit *= 1000;
		i++;
	}
	return three_digits(n, unit, name[i]);
}

struct ht_fmt
ht_fmt_binary(uint64_t n)
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB"};
	struct ht_fmt f;
	unsigned u = 0;

	for (; n && n % 1024 == 0 && u + 1 < HT_LEN(unit); u++)
		n /= 1024;
	snprintf(f.s, sizeof f.s, "%llu %s", (unsigned long long)n, unit[u]);
	return f;
}

struct ht_fmt
ht_fmt_percent(uint64_t part, uint64_t whole)
{
	struct ht_fmt f = {""};
	uint64_t tenths;

	if (whole == 0)
		return f;
	tenths =
	    (uint64_t)(((unsigned __int128)part * 1000 + whole / 2) / whole);
	snprintf(
	    f.s, sizeof f.s, "%" PRIu64 ".%" PRIu64, tenths / 10, tenths % 10);
	return f;
}

struct ht_fmt
ht_fmt_ms(uint64_t ms)
{
	struct ht_fmt f;
	uint64_t s = ms / 1000;

	if (ms < 600 * 1000)
		return three_digits(ms, 1000, "s");
	if (s < 3600 * 3)
		snprintf(f.s, sizeof f.s, "%" PRIu64 " min %" PRIu64 " s",
		    s / 60, s % 60);
	else
		snprintf(f.s, sizeof f.s, "%" PRIu64 " h %" PRIu64 " min",
		    s / 3600, s / 60 % 60);
	return f;
}

size_t
ht_fmt_width(const char *text, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

/* The byte where column `column` of the text begins. */
static size_t
byte_of(const char *text, size_t len, size_t column)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (((unsigned char)text[i] & 0xc0) != 0x80 && column-- == 0)
			break;
	return i;
}

/* Whether an angle bracket at `i` belongs to operator<, ->, <=> and so on. */
static bool
is_operator(const char *s, size_t i)
{
	size_t from = i;

	while (from > 0 && strchr("<>-=", s[from - 1]))
		from--;
	return from >= 8 && memcmp(s + from - 8, "operator", 8) == 0 &&
	       i - from < 2;
}

/* The name without its template arguments, `<>` in their place. Returns its
 * length, 0 where the brackets make no sense. */
static size_t
drop_templates(char *out, const char *s, size_t len)
{
	size_t i, n = 0;
	int depth = 0;

	for (i = 0; i < len; i++) {
		bool open = s[i] == '<' && (depth > 0 || !is_operator(s, i));
		bool shut = s[i] == '>' && depth > 0 && s[i - 1] != '-';

		if (depth == 0 || (shut && depth == 1))
			out[n++] = s[i];
		depth += open - shut;
	}
	return depth == 0 ? n : 0;
}

/* The parameters, the last `(…)` with what follows it, out of the name. */
static size_t
drop_parameters(const char *s, size_t len)
{
	size_t i = len;
	int depth = 0;

	while (i > 0) {
		i--;
		if (s[i] == ')')
			depth++;
		else if (s[i] == '(' && --depth == 0)
			break;
	}
	/* `(anonymous namespace)::f` and `operator()` have other ones. */
	if (i == 0 || s[i] != '(' || (i >= 2 && s[i - 1] == ':') ||
	    (i >= 8 && memcmp(s + i - 8, "operator", 8) == 0))
		return len;
	return i;
}

void
ht_fmt_shorten(struct ht_str *s, const char *name, size_t len)
{
	char *shorter = ht_malloc(len + 1);
	size_t n = drop_templates(shorter, name, len);

	ht_str_add(s, n ? shorter : name, n ? n : len);
	free(shorter);
}

static void
add_escaped(struct ht_str *s, const char *text, size_t len)
{
	size_t room = 4 * len + 1;
	char *p = ht_malloc(room);

	ht_str_add(s, p, ht_escape(p, room, text, len));
	free(p);
}

void
ht_fmt_text(struct ht_str *s, const char *text, size_t len, size_t width)
{
	struct ht_str all = {0};

	if (width > 0 && len > 8 * width + 64)
		len = 8 * width + 64;
	add_escaped(&all, text, len);
	if (width > 0 && ht_fmt_width(all.data, all.len) > width) {
		ht_str_add(s, all.data, byte_of(all.data, all.len, width - 1));
		ht_str_addz(s, DOTS);
	} else {
		ht_str_add(s, all.data, all.len);
	}
	ht_str_release(&all);
}

void
ht_fmt_path(struct ht_str *s, const char *path, size_t len, size_t width)
{
	struct ht_str all = {0};
	size_t columns, from = 0;

	if (width > 0 && len > 8 * width + 64) {
		path += len - (8 * width + 64);
		len = 8 * width + 64;
	}
	add_escaped(&all, path, len);
	columns = ht_fmt_width(all.data, all.len);
	if (width > 0 && columns > width) {
		ht_str_addz(s, DOTS);
		from = byte_of(all.data, all.len, columns - width + 1);
	}
	ht_str_add(s, all.data + from, all.len - from);
	ht_str_release(&all);
}

void
ht_fmt_function(struct ht_str *s, const char *name, size_t len, size_t width)
{
	struct ht_str all = {0};
	size_t n, columns;
	char *short_name;

	/* Of one that is far too long two parts will do. */
	if (width > 0 && len > 2 * PART + 16 * width) {
		add_escaped(&all, name, PART);
		name += len - PART;
		len = PART;
	}
	add_escaped(&all, name, len);
	columns = ht_fmt_width(all.data, all.len);
	if (width > 0 && columns > width) {
		short_name = ht_malloc(all.len + 1);
		n = drop_templates(short_name, all.data, all.len);
		if (n > 0) {
			memcpy(all.data, short_name, n);
			all.len = n;
		}
		free(short_name);
		columns = ht_fmt_width(all.data, all.len);
	}
	if (width > 0 && columns > width) {
		all.len = drop_parameters(all.data, all.len);
		columns = ht_fmt_width(all.data, all.len);
	}
	if (width > 0 && columns > width) {
		/* The end says more than the middle: it is the function. */
		size_t tail = width * 2 / 3, head = width - tail - 1;

		ht_str_add(s, all.data, byte_of(all.data, all.len, head));
		ht_str_addz(s, DOTS);
		n = byte_of(all.data, all.len, columns - tail);
		ht_str_add(s, all.data + n, all.len - n);
	} else {
		ht_str_add(s, all.data, all.len);
	}
	ht_str_release(&all);
}
