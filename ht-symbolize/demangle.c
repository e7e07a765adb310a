/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <libiberty/demangle.h>

#include "ht-symbolize/demangle.h"

/* A name of a few bytes can stand for gigabytes (its parts repeat by
 * reference), so the demanglers are left by a jump once this much came out.
 * They hold no memory while they print. */
#define LONGEST ((size_t)64 << 10)

#define OPTIONS (DMGL_PARAMS | DMGL_ANSI)

struct sink {
	struct ht_str *out;
	jmp_buf full;
};

static void
sink_add(const char *text, size_t len, void *arg)
{
	struct sink *s = arg;

	if (s->out->len + len > LONGEST)
		longjmp(s->full, 1);
	ht_str_add(s->out, text, len);
}

static bool
by_callback(const char *name, struct ht_str *out,
    int (*f)(const char *, int, demangle_callbackref, void *))
{
	struct sink s = {.out = out};

	ht_str_clear(out);
	if (setjmp(s.full))
		return out->len > 0; /* what fits */
	return f(name, OPTIONS, sink_add, &s) && out->len;
}

bool
demangle(const char *name, struct ht_str *out)
{
	char *text;

	if (name[0] != '_')
		return false;
	/* Legacy Rust looks like C++, with a hash at its end: Rust first. */
	if ((name[1] == 'Z' || name[1] == 'R') &&
	    by_callback(name, out, rust_demangle_callback))
		return true;
	if (name[1] == 'Z')
		return by_callback(name, out, cplus_demangle_v3_callback);
	if (name[1] != 'D')
		return false;
	text = dlang_demangle(name, OPTIONS);
	if (!text)
		return false;
	ht_str_clear(out);
	ht_str_addz(out, text);
	free(text);
	return true;
}
