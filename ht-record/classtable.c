/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "ht-record/classtable.h"
#include "libht/mem.h"
#include "libht/num.h"

#define SLOTS_FIRST_LOG2 12

void
ht_classes_init(struct ht_classes *c)
{
	*c = (struct ht_classes){.shift = 64 - SLOTS_FIRST_LOG2};
	c->slot = ht_calloc((size_t)1 << SLOTS_FIRST_LOG2, sizeof *c->slot);
}

void
ht_classes_release(struct ht_classes *c)
{
	free(c->slot);
	free(c->info);
}

static void
insert(struct ht_classes *c, struct ht_class_slot s)
{
	size_t mask = ((size_t)1 << (64 - c->shift)) - 1;
	size_t i = ht_classes_place(c, s.key);

	while (c->slot[i].id)
		i = (i + 1) & mask;
	c->slot[i] = s;
}

static void
grow(struct ht_classes *c)
{
	struct ht_class_slot *old = c->slot;
	size_t n = (size_t)1 << (64 - c->shift);

	c->shift--;
	c->slot = ht_calloc(2 * n, sizeof *c->slot);
	for (size_t i = 0; i < n; i++)
		if (old[i].id)
			insert(c, old[i]);
	free(old);
}

uint32_t
ht_classes_add_unnamed(struct ht_classes *c, const struct ht_class_info *info)
{
	uint32_t id = (uint32_t)c->count;
	char text[16];

	HT_GROW(c->info, c->cap, c->count + 1);
	c->info[id] = *info;
	c->info[id].digits = (uint16_t)(ht_hex_put(text, id) - text);
	memcpy(c->info[id].text, text, sizeof c->info[id].text);
	c->count++;
	return id;
}

uint32_t
ht_classes_add(struct ht_classes *c, uint64_t key, bool plain,
    const struct ht_class_info *info)
{
	uint32_t id = ht_classes_add_unnamed(c, info);

	if (c->count > (size_t)1 << (63 - c->shift))
		grow(c);
	insert(c, (struct ht_class_slot){key, id + 1, plain});
	return id;
}
