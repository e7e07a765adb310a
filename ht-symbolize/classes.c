/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ht-symbolize/classes.h"

uint32_t
classes_alloc(struct classes *c, uint64_t size, uint64_t stack,
    uint64_t address, bool *fresh)
{
	const uint64_t key[2] = {size, stack};
	uint32_t n =
	    ht_intern_add(&c->key, (const char *)key, sizeof(key), fresh) - 1;

	*ht_map_put(&c->pointer, address, NULL) = n;
	return n;
}

bool
classes_free(struct classes *c, uint64_t address, uint32_t *class_)
{
	uint64_t n;

	if (!ht_map_del(&c->pointer, address, &n))
		return false;
	*class_ = (uint32_t)n;
	return true;
}

void
classes_clear(struct classes *c)
{
	ht_intern_clear(&c->key);
	ht_map_clear(&c->pointer);
}

void
classes_release(struct classes *c)
{
	ht_intern_release(&c->key);
	ht_map_release(&c->pointer);
}
