/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names as people wrote them: C++, Rust (legacy and v0), D. */
#ifndef HT_DEMANGLE_H
#define HT_DEMANGLE_H

#include "libht/base.h"
#include "libht/str.h"

/* Puts the readable form of `name` into `out`, replacing what it holds; true
 * if it is a mangled one, false (and nothing done) if not. */
bool demangle(const char *name, struct ht_str *out);

#endif
