/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* heaptrack's raw form, of the version that the first byte says: behind a
 * header that is in order, so that most of what is tried is about addresses.
 * What is freed was live there. */
#include "libht/str.h"
#include "t/fuzz/account.h"

/* No free is of an address that was not live. */
static void
check_addresses(const struct ht_str *s)
{
	struct ht_evread *r = ht_evread_new(fuzz_in(s->data, s->len));
	struct ht_map live = {0};
	struct ht_event ev;
	int rc;

	while ((rc = ht_evread_next(r, &ev)) != 0) {
		uint64_t cls;

		if (rc < 0)
			continue;
		if (ev.kind == HT_EV_VERSION || ev.kind == HT_EV_ATTACHED)
			ht_map_clear(&live);
		if (r->t.ours || ev.kind > HT_EV_FREE || ev.address == 0)
			continue;
		if (ev.kind == HT_EV_ALLOC) {
			*ht_map_put(&live, ev.address, NULL) = ev.cls;
			continue;
		}
		check(ht_map_del(&live, ev.address, &cls));
		check(cls == ev.cls);
	}
	ht_map_release(&live);
	ht_evread_close(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const head[] = {"v 10100\nX app\nI 1000 1000\n",
	    "v 10200 1\nx /bin/app\nX app\nm x 0 0 1000\nt 10 0\n",
	    "v 10300 2\nx /bin/app\nX app\nm x 0 0 1000\nt 10 0\n",
	    "v 10400 3\nx 8 /bin/app\nX app\nm 1 x 0 0 1000\nt 10 0\n"};
	struct ht_str s = {0};

	if (size == 0)
		return 0;
	ht_str_addz(&s, head[data[0] % HT_LEN(head)]);
	ht_str_add(&s, data + 1, size - 1);
	account_input(fuzz_in(s.data, s.len), s.len);
	/* Classes with an address after them are another form. */
	if (memchr(s.data, '@', s.len) == NULL)
		check_addresses(&s);
	ht_str_release(&s);
	return 0;
}
