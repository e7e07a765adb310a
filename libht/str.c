/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libht/mem.h"
#include "libht/str.h"

static void
room(struct ht_str *s, size_t n)
{
	HT_GROW(s->data, s->cap, s->len + n + 1);
}

void
ht_str_add(struct ht_str *s, const void *bytes, size_t len)
{
	room(s, len);
	if (len)
		memcpy(s->data + s->len, bytes, len);
	s->len += len;
	s->data[s->len] = '\0';
}

void
ht_str_addz(struct ht_str *s, const char *z)
{
	ht_str_add(s, z, strlen(z));
}

void
ht_str_addf(struct ht_str *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	room(s, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(s->data + s->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	s->len += (size_t)n;
}

void
ht_str_addc(struct ht_str *s, char c)
{
	room(s, 1);
	s->data[s->len++] = c;
	s->data[s->len] = '\0';
}

void
ht_str_clear(struct ht_str *s)
{
	s->len = 0;
	if (s->data)
		s->data[0] = '\0';
}

void
ht_str_release(struct ht_str *s)
{
	free(s->data);
	*s = (struct ht_str){0};
}
