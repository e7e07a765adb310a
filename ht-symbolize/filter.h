/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stream: passes on what needs no change as blocks of bytes, turns x, m,
 * t and #B lines into s, i and t lines, and heaptrack's raw pointers into
 * classes. Messages about the data go to stderr.
 */
#ifndef HT_FILTER_H
#define HT_FILTER_H

#include "ht-symbolize/locate.h"
#include "libht/in.h"
#include "libht/out.h"

struct filter;

struct filter *filter_new(struct ht_out *out, const struct locate *locate);
/* All of one input. False: the input cannot be gone on with (and that was
 * said), or the output has failed. */
bool filter_run(struct filter *f, struct ht_in *in);
/* Ends the last trace. 0, or -1 when any input was bad. */
int filter_free(struct filter *f);

#endif
