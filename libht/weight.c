/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "libht/weight.h"

/* Of the normal distribution: so far from the mean are 5 of 100. */
#define SIGMAS_95 1.959963984540054

static ht_wide
rounded(double x)
{
	return (ht_wide)(x + 0.5);
}

struct ht_weight
ht_weight(uint64_t size, uint64_t rate)
{
	double s = (double)size, x, p, variance;

	if (rate == 0)
		return (struct ht_weight){HT_WEIGHT_ONE, size, 0, 0};
	x = (double)(size ? size : 1) / (double)rate;
	p = -expm1(-x);
	variance = exp(-x) / p / p;
	return (struct ht_weight){
	    .blocks = (uint64_t)rounded((double)HT_WEIGHT_ONE / p),
	    /* Exact where it is large: then p is 1. */
	    .bytes = size + (uint64_t)rounded(s * exp(-x) / p),
	    .blocks_var = rounded(variance * (double)HT_WEIGHT_ONE),
	    .bytes_var = rounded(variance * s * s),
	};
}

uint64_t
ht_weight_bytes(uint64_t blocks, uint64_t size, uint64_t rate)
{
	uint64_t one = rate ? ht_weight(size, rate).bytes : size, all;

	return __builtin_mul_overflow(blocks, one, &all) ? UINT64_MAX : all;
}

uint64_t
ht_weight_times(uint64_t blocks, const struct ht_weight *w, uint32_t *rest)
{
	ht_wide n = (ht_wide)blocks * w->blocks;

	*rest = (uint32_t)n;
	return n >> 96 ? UINT64_MAX : (uint64_t)(n >> 32);
}

uint64_t
ht_weight_blocks(uint64_t blocks, uint64_t size, uint64_t rate)
{
	struct ht_weight w = ht_weight(size, rate);
	uint32_t rest;
	uint64_t n = ht_weight_times(blocks, &w, &rest);

	return n + (rest >> 31 && n < UINT64_MAX);
}

uint64_t
ht_weight_95(ht_wide variance)
{
	double half = ceil(SIGMAS_95 * sqrt((double)variance));

	return half < (double)UINT64_MAX ? (uint64_t)half : UINT64_MAX;
}

uint64_t
ht_weight_95_blocks(ht_wide variance)
{
	return (uint64_t)ceil(
	    SIGMAS_95 * sqrt((double)variance / (double)HT_WEIGHT_ONE));
}
