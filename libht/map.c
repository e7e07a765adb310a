/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "libht/map.h"
#include "libht/mem.h"

/* Linear probing, at most 3/4 full; removal moves the followers back, so
 * there are no tombstones to slow a table with as many puts as deletes. */

static size_t
home(const struct ht_map *m, uint64_t key)
{
	return ht_hash64(key) & (m->cap - 1);
}

/* The slot that holds `key`, or the free one where it would go. */
static size_t
locate(const struct ht_map *m, uint64_t key)
{
	size_t i = home(m, key);

	while (m->used[i] && m->slot[i].key != key)
		i = (i + 1) & (m->cap - 1);
	return i;
}

static void
enlarge(struct ht_map *m)
{
	struct ht_map old = *m;

	m->cap = old.cap ? old.cap * 2 : 16;
	m->slot = ht_realloc(NULL, m->cap, sizeof(*m->slot));
	m->used = ht_calloc(m->cap, 1);
	for (size_t i = 0; i < old.cap; i++) {
		size_t to;

		if (!old.used[i])
			continue;
		to = locate(m, old.slot[i].key);
		m->slot[to] = old.slot[i];
		m->used[to] = 1;
	}
	free(old.slot);
	free(old.used);
}

uint64_t *
ht_map_get(const struct ht_map *m, uint64_t key)
{
	size_t i;

	if (!m->count)
		return NULL;
	i = locate(m, key);
	return m->used[i] ? &m->slot[i].value : NULL;
}

uint64_t *
ht_map_put(struct ht_map *m, uint64_t key, bool *fresh)
{
	size_t i;

	if (m->count >= m->cap / 4 * 3)
		enlarge(m);
	i = locate(m, key);
	if (fresh)
		*fresh = !m->used[i];
	if (!m->used[i]) {
		m->used[i] = 1;
		m->slot[i] = (struct ht_map_slot){key, 0};
		m->count++;
	}
	return &m->slot[i].value;
}

bool
ht_map_del(struct ht_map *m, uint64_t key, uint64_t *old)
{
	size_t mask = m->cap - 1, hole, i;

	if (!m->count)
		return false;
	hole = locate(m, key);
	if (!m->used[hole])
		return false;
	if (old)
		*old = m->slot[hole].value;
	for (i = (hole + 1) & mask; m->used[i]; i = (i + 1) & mask) {
		size_t want = home(m, m->slot[i].key);

		/* Not if it would come before its home. */
		if (((i - want) & mask) < ((i - hole) & mask))
			continue;
		m->slot[hole] = m->slot[i];
		hole = i;
	}
	m->used[hole] = 0;
	m->count--;
	return true;
}

void
ht_map_clear(struct ht_map *m)
{
	if (m->cap)
		memset(m->used, 0, m->cap);
	m->count = 0;
}

void
ht_map_release(struct ht_map *m)
{
	free(m->slot);
	free(m->used);
	*m = (struct ht_map){0};
}
