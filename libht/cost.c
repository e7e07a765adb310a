/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libht/cost.h"

void
ht_cost_finish(struct ht_cost *k, struct ht_tables *t)
{
	size_t i;

	for (i = 0; i < t->ncls; i++)
		ht_cost_touch(k, &t->cls[i], t->cls[i].live);
}

void
ht_cost_reset(struct ht_cost *k, struct ht_tables *t)
{
	size_t i;

	k->now = k->peak = k->peak_ms = 0;
	k->epoch++;
	for (i = 0; i < t->ncls; i++) {
		t->cls[i].temporary = t->cls[i].peak = 0;
		t->cls[i].seen = k->epoch;
	}
}

static void
add(uint64_t *to, uint64_t v)
{
	if (__builtin_add_overflow(*to, v, to))
		*to = UINT64_MAX;
}

static void
add_bytes(uint64_t *to, uint64_t blocks, uint64_t size)
{
	uint64_t v;

	if (__builtin_mul_overflow(blocks, size, &v))
		v = UINT64_MAX;
	add(to, v);
}

void
ht_sum_class(struct ht_sum *sum, const struct ht_class *c)
{
	add(&sum->allocs, c->allocs);
	add_bytes(&sum->bytes, c->allocs, c->size);
	add(&sum->temporary, c->temporary);
	add_bytes(&sum->leaked, c->live, c->size);
	add(&sum->leaked_blocks, c->live);
	add_bytes(&sum->peak, c->peak, c->size);
	add(&sum->peak_blocks, c->peak);
}

void
ht_sum_add(struct ht_sum *sum, const struct ht_sum *more)
{
	add(&sum->allocs, more->allocs);
	add(&sum->bytes, more->bytes);
	add(&sum->temporary, more->temporary);
	add(&sum->leaked, more->leaked);
	add(&sum->leaked_blocks, more->leaked_blocks);
	add(&sum->peak, more->peak);
	add(&sum->peak_blocks, more->peak_blocks);
}
