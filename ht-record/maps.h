/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is mapped in a process: /proc/PID/maps (proc(5)). */
#ifndef HT_MAPS_H
#define HT_MAPS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "libht/base.h"

struct ht_map {
	uint64_t start, end;
	bool exec, write, file;
	bool stack; /* the main thread's */
	bool ring;  /* of a recording */
};

struct ht_maps {
	struct ht_map *map; /* ascending */
	size_t count, cap;
};

/* Reads them afresh into *m. 0, or -1 with errno set. */
int ht_maps_read(struct ht_maps *m, pid_t pid);
void ht_maps_release(struct ht_maps *m);

/* The mapping that has the address, or NULL. */
const struct ht_map *ht_maps_find(const struct ht_maps *m, uint64_t at);

/* Where `size` bytes are free that jumps of 2 GB reach from `at`; 0: nowhere.
 * Neither where the heap nor where the stack grows. */
uint64_t ht_maps_near(const struct ht_maps *m, uint64_t at, uint64_t size);

#endif
