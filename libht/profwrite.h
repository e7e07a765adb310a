/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing a profile, ht-profile(5). Level 4.
 *
 * What is written depends on what is in the profile and on nothing else: texts,
 * frames, stacks and rows are sorted by content, and what no row needs is left
 * out. So profiles that are equal are equal byte for byte, however they came
 * about.
 */
#ifndef HT_PROFWRITE_H
#define HT_PROFWRITE_H

#include "libht/base.h"
#include "libht/out.h"
#include "libht/prof.h"

#define HT_PROFILE_FORMAT 1

/* Errors are sticky in `out`. */
void ht_profwrite(struct ht_out *out, const struct ht_prof *p);

#endif
