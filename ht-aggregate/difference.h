/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one profile costs more, or less, than another. */
#ifndef HT_AGGREGATE_DIFFERENCE_H
#define HT_AGGREGATE_DIFFERENCE_H

#include "libht/out.h"
#include "libht/prof.h"
#include "libht/query.h"

/* A table with tabs: a line of names, one of totals, then one for each stack
 * that differs, sorted by stack. */
void difference_print(struct ht_out *out, const struct ht_query *q,
    const struct ht_prof *base, const struct ht_prof *later);

#endif
