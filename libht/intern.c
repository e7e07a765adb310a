/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "libht/intern.h"
#include "libht/map.h"
#include "libht/mem.h"

#define CHUNK ((size_t)64 << 10)

struct ht_intern_chunk {
	struct ht_intern_chunk *next;
	size_t used, size;
	char data[];
};

static uint32_t
hash_bytes(const char *p, size_t len)
{
	uint64_t h = len * UINT64_C(0x9e3779b97f4a7c15), w;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * UINT64_C(0xd6e8feb86659fd93);
		h ^= h >> 29;
	}
	if (len) {
		w = 0;
		memcpy(&w, p, len);
		h ^= w;
	}
	return (uint32_t)ht_hash64(h);
}

static size_t
locate(const struct ht_intern *t, const char *data, size_t len, uint32_t hash)
{
	size_t mask = t->slots - 1, i = hash & mask;

	for (; t->slot[i]; i = (i + 1) & mask) {
		const struct ht_intern_text *x = &t->text[t->slot[i] - 1];

		if (x->hash == hash && x->len == len &&
		    (!len || !memcmp(x->data, data, len)))
			break;
	}
	return i;
}

static void
enlarge(struct ht_intern *t)
{
	size_t mask;

	free(t->slot);
	t->slots = t->slots ? t->slots * 2 : 64;
	t->slot = ht_calloc(t->slots, sizeof(*t->slot));
	mask = t->slots - 1;
	for (size_t id = 1; id <= t->count; id++) {
		size_t i = t->text[id - 1].hash & mask;

		while (t->slot[i])
			i = (i + 1) & mask;
		t->slot[i] = (uint32_t)id;
	}
}

static char *
keep(struct ht_intern *t, const char *data, size_t len)
{
	struct ht_intern_chunk *c = t->chunk;
	char *p;

	if (!c || c->size - c->used < len + 1) {
		size_t size = len + 1 > CHUNK ? len + 1 : CHUNK;

		c = ht_malloc(sizeof(*c) + size);
		c->next = t->chunk;
		c->used = 0;
		c->size = size;
		t->chunk = c;
	}
	p = c->data + c->used;
	if (len)
		memcpy(p, data, len);
	p[len] = '\0';
	c->used += len + 1;
	return p;
}

uint32_t
ht_intern_add(struct ht_intern *t, const char *data, size_t len, bool *fresh)
{
	uint32_t hash = hash_bytes(data, len);
	size_t i;

	if (t->count >= t->slots / 4 * 3)
		enlarge(t);
	i = locate(t, data, len, hash);
	if (fresh)
		*fresh = !t->slot[i];
	if (!t->slot[i]) {
		HT_GROW(t->text, t->cap, t->count + 1);
		t->text[t->count++] = (struct ht_intern_text){
		    keep(t, data, len), (uint32_t)len, hash};
		t->slot[i] = (uint32_t)t->count;
	}
	return t->slot[i];
}

uint32_t
ht_intern_find(const struct ht_intern *t, const char *data, size_t len)
{
	if (!t->count)
		return 0;
	return t->slot[locate(t, data, len, hash_bytes(data, len))];
}

const char *
ht_intern_get(const struct ht_intern *t, uint32_t id)
{
	return id && id <= t->count ? t->text[id - 1].data : "";
}

size_t
ht_intern_len(const struct ht_intern *t, uint32_t id)
{
	return id && id <= t->count ? t->text[id - 1].len : 0;
}

void
ht_intern_clear(struct ht_intern *t)
{
	struct ht_intern_chunk *next;

	for (; t->chunk; t->chunk = next) {
		next = t->chunk->next;
		free(t->chunk);
	}
	t->count = 0;
	if (t->slots)
		memset(t->slot, 0, t->slots * sizeof(*t->slot));
}

void
ht_intern_release(struct ht_intern *t)
{
	ht_intern_clear(t);
	free(t->text);
	free(t->slot);
	*t = (struct ht_intern){0};
}
