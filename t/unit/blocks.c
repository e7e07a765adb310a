/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The recorder's tables of blocks and classes against a plain hash map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ht-record/blocks.c"
#include "ht-record/classtable.c"

static uint64_t seed = 4711;

static uint64_t
rnd(uint64_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (seed >> 33) % n;
}

/* Addresses that share 32 bytes, odd ones, beyond 47 bits, in many leaves. */
static uint64_t
some_address(void)
{
	switch (rnd(5)) {
	case 0:
		return 0x555555000000 + 16 * rnd(3000);
	case 1:
		return 0x7f0000000000 + 8 * rnd(3000);
	case 2:
		return rnd(3000) + 1;
	case 3:
		return UINT64_C(0xff00000000000000) + 16 * rnd(3000);
	default:
		return 0x600000000000 + (rnd(50) << 20) + 32 * rnd(60);
	}
}

static void
blocks(bool shadow)
{
	struct ht_blocks b;
	struct ht_map truth = {0};

	ht_blocks_init(&b);
	if (!shadow)
		b.limit = 0;
	for (uint32_t i = 0; i < 1000000; i++) {
		uint64_t a = some_address(), was = 0;
		struct ht_block k = {i, (uint32_t)rnd(HT_BIRTH_MAX)}, old;
		bool there;

		ht_blocks_prefetch(&b, a);
		if (rnd(2)) {
			bool fresh;
			uint64_t *v = ht_map_put(&truth, a, &fresh);

			was = *v;
			*v = (uint64_t)k.cls << 32 | k.birth;
			there = ht_blocks_put(&b, a, k, &old);
			assert_int_equal(there, !fresh);
		} else {
			there = ht_blocks_take(&b, a, &old);
			assert_int_equal(there, ht_map_del(&truth, a, &was));
		}
		if (there)
			assert_true(
			    old.cls == was >> 32 && old.birth == (uint32_t)was);
	}
	ht_blocks_release(&b);
	ht_map_release(&truth);
}

static void
test_blocks(void **state)
{
	(void)state;
	blocks(true);
	blocks(false);
}

static void
test_old_age(void **state)
{
	struct ht_blocks b;
	struct ht_block old;

	(void)state;
	ht_blocks_init(&b);
	ht_blocks_put(&b, 0x1000, (struct ht_block){7, UINT32_MAX}, &old);
	assert_true(ht_blocks_take(&b, 0x1000, &old));
	assert_int_equal(old.cls, 7);
	assert_int_equal(old.birth, HT_BIRTH_MAX);
	ht_blocks_release(&b);
}

static void
test_classes(void **state)
{
	struct ht_classes c;
	struct ht_map truth = {0};

	(void)state;
	ht_classes_init(&c);
	for (int i = 0; i < 300000; i++) {
		/* Stacks, sizes and threads, as records have them. */
		uint64_t key = rnd(2000) | rnd(40) << 28 | (1 + rnd(3)) << 52;
		bool fresh;
		uint64_t *id = ht_map_put(&truth, key, &fresh);
		struct ht_class_info info = {.size = key};

		ht_classes_prefetch(&c, key);
		assert_int_equal(
		    ht_classes_find(&c, key)->id, fresh ? 0 : *id + 1);
		if (fresh)
			*id = ht_classes_add(&c, key, true, &info);
		assert_int_equal(c.info[*id].size, key);
	}
	assert_int_equal(c.count, truth.count);
	ht_classes_release(&c);
	ht_map_release(&truth);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_blocks),
	    cmocka_unit_test(test_old_age),
	    cmocka_unit_test(test_classes),
	};

	return cmocka_run_group_tests_name("blocks", tests, NULL, NULL);
}
