/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ht-html/pack.h"
#include "libht/mem.h"

void
pack_begin(struct pack *p, const char *group, const char *name, char coding)
{
	struct pack_column *c;

	HT_GROW(p->column, p->cap, p->n + 1);
	c = &p->column[p->n++];
	*c = (struct pack_column){.coding = coding, .start = p->bytes.len};
	snprintf(c->name, sizeof c->name, "%s%s", group, name);
	p->last = 0;
}

static uint64_t
zigzag(uint64_t v)
{
	return v << 1 ^ (v >> 63 ? UINT64_MAX : 0);
}

void
pack_add(struct pack *p, uint64_t value)
{
	struct pack_column *c = &p->column[p->n - 1];
	uint64_t v = value;
	char bytes[10];
	size_t n = 0;

	if (c->coding == 's')
		v = zigzag(value);
	else if (c->coding == 'd')
		v = zigzag(value - p->last);
	p->last = value;
	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (char)(v | 0x80);
	bytes[n++] = (char)v;
	ht_str_add(&p->bytes, bytes, n);
	c->count++;
}

size_t
pack_end(const struct pack *p, size_t column)
{
	return column + 1 < p->n ? p->column[column + 1].start : p->bytes.len;
}

void
pack_release(struct pack *p)
{
	ht_str_release(&p->bytes);
	free(p->column);
	memset(p, 0, sizeof *p);
}
