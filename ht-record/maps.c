/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ht-record/maps.h"
#include "libht/mem.h"

#define REACH  (UINT64_C(1900) << 20)
#define LOWEST (UINT64_C(1) << 20)

int
ht_maps_read(struct ht_maps *m, pid_t pid)
{
	char path[64], *line = NULL;
	size_t size = 0;
	FILE *f;

	m->count = 0;
	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (getline(&line, &size, f) > 0) {
		struct ht_map map = {0};
		unsigned long inode;
		char perms[5];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*s %lu",
			&map.start, &map.end, perms, &inode) != 4)
			continue;
		map.exec = perms[2] == 'x';
		map.write = perms[1] == 'w';
		map.file = inode != 0;
		map.stack = strstr(line, "[stack]");
		map.ring = strstr(line, "/memfd:ht-ring ");
		HT_GROW(m->map, m->cap, m->count + 1);
		m->map[m->count++] = map;
	}
	free(line);
	fclose(f);
	return 0;
}

void
ht_maps_release(struct ht_maps *m)
{
	free(m->map);
	*m = (struct ht_maps){0};
}

const struct ht_map *
ht_maps_find(const struct ht_maps *m, uint64_t at)
{
	size_t low = 0, high = m->count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (m->map[mid].end <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->count && m->map[low].start <= at ? &m->map[low] : NULL;
}

static uint64_t
distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

uint64_t
ht_maps_near(const struct ht_maps *m, uint64_t at, uint64_t size)
{
	uint64_t best = 0, below = LOWEST;

	/* Just below another mapping: what grows upwards, the heap, comes
	 * there last. */
	for (size_t i = 0; i < m->count; i++) {
		const struct ht_map *map = &m->map[i];
		uint64_t here = map->start - size;

		if (!map->stack && map->start >= below + 2 * size &&
		    distance(here, at) < REACH &&
		    (!best || distance(here, at) < distance(best, at)))
			best = here;
		below = map->end;
	}
	return best;
}
