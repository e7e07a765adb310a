/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers out of text, checked. Level 1. */
#ifndef HT_NUM_H
#define HT_NUM_H

#include "libht/base.h"

/* Reads a decimal number, all of `s`, with an optional unit: for HT_UNIT_SIZE
 * k M G T (powers of 1024, also kB KiB …), for HT_UNIT_TIME us ms s m h (the
 * result is in ms unless the caller says otherwise). 0, or -1 when it is no
 * number or outside [min, max]. */
enum ht_unit { HT_UNIT_NONE, HT_UNIT_SIZE, HT_UNIT_TIME };
int ht_num_parse(const char *s, enum ht_unit unit, uint64_t min, uint64_t max,
    uint64_t *out);

/* Reads decimal digits with at most three decimals, in thousandths; *end is
 * what follows. 0, or -1: no digit, or it does not fit. */
int ht_num_thousandths(const char *s, const char **end, uint64_t *out);

/* Reads lower case hexadecimal digits from *p on, before `end`, at most 16
 * significant; moves *p behind them. 0, or -1: no digit, or does not fit.
 * Leading zeros are accepted (heaptrack's files never have them, people's
 * do). */
int ht_hex_parse(const char **p, const char *end, uint64_t *out);

/* Writes `v` as lower case hexadecimal without leading zeros, at most 16
 * bytes, not terminated. Returns the byte after the last. */
char *ht_hex_put(char *p, uint64_t v);

#endif
