/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Judging whether a process can be attached to, from /proc alone. Sources:
 * proc(5), ptrace(2), the kernel's Documentation/admin-guide/LSM/Yama.rst. */
#ifndef HT_ATTACH_H
#define HT_ATTACH_H

#include <sys/types.h>

#include "libht/err.h"

/* 0; else -1, with *err set to a sentence that says what stands in the way, and
 * what helps. The process is not touched. */
int ht_attach_check(pid_t pid, struct ht_error *err);

/* The name of its program, to be freed. */
char *ht_attach_name(pid_t pid);

/* Whether its root directory is another than ours, so that paths of its modules
 * are to be looked up in /proc/PID/root. */
bool ht_attach_other_root(pid_t pid);

#endif
