/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The suppressions that hid something, the largest first. */
#ifndef HT_TOP_SUPPRESSIONS_H
#define HT_TOP_SUPPRESSIONS_H

#include "ht-top/top.h"
#include "libht/suppress.h"

/* Pointers to them; the array is the caller's. */
const struct ht_suppression **suppressions_used(
    const struct ht_suppress *s, size_t *n);
const char *suppression_origin(const struct ht_suppression *s);

#endif
