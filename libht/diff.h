/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two profiles side by side. Level 4.
 *
 * `both` has every row of either, once; symbols, sizes and threads tell which
 * belong together. Its rows hold the costs of the later profile, base[i] those
 * of the base for the same both.row[i]. What sums them, a tree or rows, sums
 * both; differences are taken at the end.
 */
#ifndef HT_DIFF_H
#define HT_DIFF_H

#include "libht/base.h"
#include "libht/prof.h"

struct ht_diff {
	struct ht_prof both;
	struct ht_prof_row *base; /* both.nrow of them */
};

void ht_diff_make(
    struct ht_diff *d, const struct ht_prof *base, const struct ht_prof *later);
void ht_diff_release(struct ht_diff *d);

/* later - base, as far as it fits. */
int64_t ht_diff(uint64_t base, uint64_t later);

#endif
