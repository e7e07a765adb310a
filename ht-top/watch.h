/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --follow on a terminal: the report so far, painted over the last one. */
#ifndef HT_TOP_WATCH_H
#define HT_TOP_WATCH_H

#include "ht-top/top.h"

/* Whether reports are to be painted, and from now on an interrupt ends the
 * waiting for more, the next one the program. */
bool watch_begin(const struct top *top);
/* Paints as much as fits of what `print` prints into an output. */
void watch_paint(void (*print)(void *arg, struct ht_out *out), void *arg);
/* The last painting makes room for the report. */
void watch_end(struct ht_out *out);

#endif
