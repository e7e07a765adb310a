/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ht-record/resident.h"
#include "libht/mem.h"

#define PRESENT (UINT64_C(1) << 63)
#define BATCH	4096 /* pages looked at together */

struct look {
	int pagemap;
	uint64_t page; /* bytes */
	bool failed;
};

/* Of the pages in [start, end). */
static uint64_t
by_page(struct look *l, uint64_t start, uint64_t end)
{
	uint64_t entry[BATCH], found = 0;
	uint64_t first = start / l->page, last = (end + l->page - 1) / l->page;

	while (first < last) {
		size_t n = last - first < BATCH ? last - first : BATCH;
		ssize_t got = pread(l->pagemap, entry, n * sizeof *entry,
		    (off_t)(first * sizeof *entry));

		if (got <= 0) {
			l->failed = true;
			break;
		}
		n = (size_t)got / sizeof *entry;
		for (size_t i = 0; i < n; i++)
			found += (entry[i] & PRESENT) != 0;
		first += n;
	}
	return found * l->page;
}

/* Of one map of the kernel's, of which `rss` bytes are resident. */
static uint64_t
in_map(struct look *l, const struct ht_extents *e, uint64_t start, uint64_t end,
    uint64_t rss)
{
	uint64_t covered = 0, found = 0, from, to;
	size_t first = ht_extents_find(e, start), i;

	for (i = first; i < e->count && e->at[i].start < end; i++) {
		from = e->at[i].start > start ? e->at[i].start : start;
		to = e->at[i].end < end ? e->at[i].end : end;
		covered += to - from;
	}
	if (covered == end - start)
		return rss;
	for (i = first; i < e->count && e->at[i].start < end; i++) {
		from = e->at[i].start > start ? e->at[i].start : start;
		to = e->at[i].end < end ? e->at[i].end : end;
		found += by_page(l, from, to);
	}
	return found < rss ? found : rss;
}

int
ht_resident_add(pid_t pid, const struct ht_extents *e, uint64_t *bytes)
{
	struct look l = {.page = (uint64_t)sysconf(_SC_PAGESIZE)};
	uint64_t start = 0, end = 0, kb;
	char path[64], *line = NULL;
	size_t size = 0;
	FILE *f;

	if (e->count == 0)
		return 0;
	snprintf(path, sizeof path, "/proc/%d/smaps", (int)pid);
	f = fopen(path, "re");
	snprintf(path, sizeof path, "/proc/%d/pagemap", (int)pid);
	l.pagemap = open(path, O_RDONLY | O_CLOEXEC);
	l.failed = !f || l.pagemap == -1;
	while (!l.failed && getline(&line, &size, f) > 0) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			continue;
		if (sscanf(line, "Rss: %" SCNu64, &kb) == 1 && kb > 0)
			*bytes += in_map(&l, e, start, end, kb * 1024);
	}
	free(line);
	if (f)
		fclose(f);
	if (l.pagemap != -1)
		close(l.pagemap);
	/* One that has just ended has no maps at all. */
	return l.failed || end == 0 ? -1 : 0;
}
