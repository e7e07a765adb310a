/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much of a process's maps is in memory: /proc/PID/smaps, and pagemap where
 * an extent is a part of what the kernel has as one (proc(5)). */
#ifndef HT_RESIDENT_H
#define HT_RESIDENT_H

#include <sys/types.h>

#include "ht-record/extents.h"

/* Adds the bytes of these extents that are resident to *bytes. -1: the process
 * is gone, or may not be looked at. */
int ht_resident_add(pid_t pid, const struct ht_extents *e, uint64_t *bytes);

#endif
