/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as profiles: what is read can be written and read again, and any
 * two of them add up in any order. */
#include "t/fuzz/fuzz.h"

static void
add_both(struct ht_prof *to, const struct ht_prof *a, const struct ht_prof *b)
{
	ht_prof_add(to, a);
	ht_prof_add(to, b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ht_profread r = {.in = fuzz_in(data, size)};
	struct ht_prof last = {0}, p;
	struct ht_error err = {""};
	uint64_t calls = 0;
	int rc;

	while ((rc = ht_profread_next(&r, &p, &err)) != 0) {
		struct ht_prof ab = {0}, ba = {0};

		check(++calls <= size + 2);
		if (rc < 0) {
			check(err.text[0]);
			ht_prof_release(&p);
			continue;
		}
		fuzz_round(&p);
		add_both(&ab, &last, &p);
		add_both(&ba, &p, &last);
		fuzz_same(&ab, &ba);
		ht_prof_release(&ab);
		ht_prof_release(&ba);
		ht_prof_release(&last);
		last = p;
	}
	ht_prof_release(&p);
	ht_prof_release(&last);
	ht_profread_release(&r);
	ht_in_close(r.in);
	return 0;
}
