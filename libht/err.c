/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libht/err.h"

static const char *program = "ht";
static bool quiet;

void
ht_set_name(const char *name)
{
	program = name;
}

const char *
ht_name(void)
{
	return program;
}

void
ht_set_quiet(bool on)
{
	quiet = on;
}

/* From the table of well-formed sequences, Unicode 15, section 3.9. */
size_t
ht_utf8_safe(const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t c, low;
	size_t len;

	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	c = s[0] & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	low = len == 2 ? 0x80 : len == 3 ? 0x800 : 0x10000;
	if (c < low || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	if (c < 0xa0 || c == 0x61c || c == 0x200e || c == 0x200f ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return 0;
	return len;
}

/* One character of s into e, *used bytes of it read. */
static size_t
escape_one(char e[5], const unsigned char *s, size_t n, size_t *used)
{
	static const char digit[] = "0123456789abcdef";
	size_t len;

	*used = 1;
	if (*s == '\n' || *s == '\t' || *s == '\\') {
		e[0] = '\\';
		e[1] = *s == '\n' ? 'n' : *s == '\t' ? 't' : '\\';
		return 2;
	}
	if (*s >= 0x20 && *s < 0x7f) {
		e[0] = (char)*s;
		return 1;
	}
	len = ht_utf8_safe((const char *)s, n);
	if (len) {
		memcpy(e, s, len);
		*used = len;
		return len;
	}
	e[0] = '\\';
	e[1] = 'x';
	e[2] = digit[*s >> 4];
	e[3] = digit[*s & 15];
	return 4;
}

size_t
ht_escape(char *out, size_t size, const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t at = 0, used;
	char e[5];

	if (!size)
		return 0;
	for (size_t i = 0; i < len; i += used) {
		size_t n = escape_one(e, s + i, len - i, &used);

		if (at + n >= size)
			break;
		memcpy(out + at, e, n);
		at += n;
	}
	out[at] = '\0';
	return at;
}

/* stdout first, so that the two do not appear in the wrong order; then one
 * write, so that the lines of two processes do not mix. */
static void
say(const char *fmt, va_list ap, int error)
{
	char text[2048], line[4096];
	size_t n = 0;
	int len, saved = errno;

	len = vsnprintf(text, sizeof(text), fmt, ap);
	if (len < 0)
		len = 0;
	if ((size_t)len >= sizeof(text)) {
		len = sizeof(text) - 1;
		memcpy(text + len - 3, "...", 3);
	}
	n += ht_escape(line, 256, program, strlen(program));
	memcpy(line + n, ": ", 2);
	n += 2;
	n += ht_escape(line + n, sizeof(line) - 256, text, (size_t)len);
	if (error && n < sizeof(line) - 130) {
		memcpy(line + n, ": ", 2);
		n += 2;
		n += ht_escape(
		    line + n, 120, strerror(error), strlen(strerror(error)));
	}
	line[n++] = '\n';
	fflush(stdout);
	while (write(STDERR_FILENO, line, n) < 0 && errno == EINTR)
		;
	errno = saved;
}

bool
ht_quiet(void)
{
	return quiet;
}

void
ht_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, 0);
	va_end(ap);
}

void
ht_warn_errno(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, errno);
	va_end(ap);
}

void
ht_note(const char *fmt, ...)
{
	va_list ap;

	if (quiet)
		return;
	va_start(ap, fmt);
	say(fmt, ap, 0);
	va_end(ap);
}

void
ht_die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, 0);
	va_end(ap);
	exit(status);
}

int
ht_error_set(struct ht_error *e, const char *fmt, ...)
{
	va_list ap;

	if (e->text[0])
		return -1;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -1;
}

int
ht_error_errno(struct ht_error *e, const char *fmt, ...)
{
	va_list ap;
	size_t n;
	int error = errno;

	if (e->text[0])
		return -1;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror(error));
	errno = error;
	return -1;
}
