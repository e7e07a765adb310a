/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program to record: finding it, judging whether it can be recorded,
 * starting it. Sources: execve(2), ld.so(8), elf(5). */
#ifndef HT_PROGRAM_H
#define HT_PROGRAM_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "libht/base.h"
#include "libht/err.h"

/*
 * Finds `name` as execvp would and looks whether a library can be preloaded
 * into it. 0; else the exit status (HT_NOT_FOUND, HT_NOT_RUNNABLE) with *err
 * set to a sentence that says what stands in the way.
 */
int ht_program_check(const char *name, struct ht_error *err);

/* The same of the file `path` that a process executes, which messages call
 * `name`: 0, or -1 with *err set. */
int ht_program_check_running(
    const char *name, const char *path, struct ht_error *err);

/*
 * An allocator that the executable `path` has within, by the texts of it, and
 * no symbol by which its functions could be found; NULL: there is none such, or
 * it cannot be seen.
 */
const char *ht_program_hidden_allocator(const char *path);

/* What ht-record changes for itself and the program is to find as it was. */
struct ht_found {
	sigset_t blocked;
	struct sigaction pipe, too_large; /* SIGPIPE, SIGXFSZ */
	bool libc_ignored[2]; /* the two signals that libc uses itself */
	struct rlimit file_size;
};

/* Notes it, then changes it: no signal for a closed pipe or a file too large,
 * the largest file size that may be had (the ring is a large, sparse file). */
void ht_found_note(struct ht_found *f);

/* How to start the program. */
struct ht_launch {
	char *const *argv;
	const char *library;   /* to preload */
	const char *follow;    /* what HT_ENV ends in, "" or NULL: in nothing */
	int ring_fd;	       /* ours; the child reads it through /proc */
	bool stdout_is_stderr; /* the trace has our stdout */
	const struct ht_found *found;
};

/* A child that waits for the word to execute the program. */
struct ht_child {
	pid_t pid;
	int go, report; /* pipes to and from it */
};

/* Forks it. 0, or -1 with *err set. */
int ht_program_fork(
    struct ht_child *c, const struct ht_launch *l, struct ht_error *err);
/* Lets it go. 0 once it has executed the program; else the exit status, with
 * *err set and the child gone. */
int ht_program_go(struct ht_child *c, const char *name, struct ht_error *err);
/* Ends a child that has not been let go. */
void ht_program_drop(struct ht_child *c);

#endif
