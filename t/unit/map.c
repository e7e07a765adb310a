/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libht/map.h"

static void
any_key(void **state)
{
	struct ht_map m = {0};
	bool fresh;
	uint64_t old = 9;

	(void)state;
	assert_null(ht_map_get(&m, 0));
	assert_false(ht_map_del(&m, 0, NULL));
	*ht_map_put(&m, 0, &fresh) = 1;
	assert_true(fresh);
	*ht_map_put(&m, UINT64_MAX, &fresh) = 2;
	assert_true(fresh);
	assert_true(*ht_map_put(&m, 0, &fresh) == 1);
	assert_false(fresh);
	assert_true(*ht_map_get(&m, UINT64_MAX) == 2);
	assert_true(ht_map_del(&m, 0, &old) && old == 1);
	assert_null(ht_map_get(&m, 0));
	assert_int_equal(m.count, 1);
	ht_map_clear(&m);
	assert_null(ht_map_get(&m, UINT64_MAX));
	ht_map_release(&m);
}

/* Against an array that holds the truth: keys that cluster, many removals. */
static void
random_against_array(void **state)
{
	enum { KEYS = 3000 };
	struct ht_map m = {0};
	uint64_t *truth = calloc(KEYS, sizeof(*truth)), seed = 1;
	size_t count = 0;

	(void)state;
	for (int i = 0; i < 300000; i++) {
		uint64_t k, *v;

		seed =
		    seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		k = (seed >> 33) % KEYS;
		if (seed >> 63) {
			*ht_map_put(&m, k << 12, NULL) = (uint64_t)i + 1;
			count += !truth[k];
			truth[k] = (uint64_t)i + 1;
		} else {
			uint64_t old = 0;

			assert_true(
			    ht_map_del(&m, k << 12, &old) == !!truth[k]);
			assert_true(old == truth[k]);
			count -= !!truth[k];
			truth[k] = 0;
		}
		k = (seed >> 20) % KEYS;
		v = ht_map_get(&m, k << 12);
		assert_true((v ? *v : 0) == truth[k]);
	}
	assert_int_equal(m.count, count);
	ht_map_release(&m);
	free(truth);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_key),
	    cmocka_unit_test(random_against_array),
	};

	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
