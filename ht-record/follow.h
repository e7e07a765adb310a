/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children that are recorded too (--follow).
 *
 * A process beside ht-record, the follower, listens on an abstract socket.
 * Every process that descends from the program asks there for a ring: a new
 * image as it starts, a forked child with the first function of ours that it
 * calls. For each that asks the follower forks a writer: a process that has
 * the ring, the clock, the output, and ends with the process that it records.
 * So no trace waits for another, a full ring stops its own process only, and
 * what one needs in memory goes with it. A process of the program that never
 * allocates, or executes another program before it does, asks for nothing.
 *
 * A writer wakes a hundred times a second to tick and to look. Of a thousand
 * that would take all of two CPUs, and nobody would be answered any more: the
 * more there are, the slower each goes (HT_FOLLOW_PACE).
 *
 * The process tree stays as it is: nobody is made to reap what is not his. A
 * writer learns by a pidfd that its process has ended.
 *
 * ht-record ends when the last process that is recorded has, as strace -f does,
 * and not before 100 ms after the program itself: what it left behind
 * may be about to ask. A daemon that outlives the program is waited for until
 * ht-record is sent SIGINT, SIGTERM or SIGHUP: then the traces that go on end
 * with `#E stopped`, and the processes run on. So they do when ht-record is
 * killed.
 */
#ifndef HT_FOLLOW_H
#define HT_FOLLOW_H

#include <sys/types.h>

#include "ht-record/trace.h"
#include "libht/base.h"
#include "libht/err.h"

#define HT_FOLLOW_MAX  1000 /* processes recorded at a time */
#define HT_FOLLOW_PACE 32   /* so many more, and each ticks slower by one */

struct ht_job_options;

/* How one that was followed went. */
struct ht_followed {
	pid_t pid, parent;
	int status;    /* as waitpid gives it; -1: not known */
	bool recorded; /* else it has no file */
	bool refused;  /* there were HT_FOLLOW_MAX already, or no memory */
	bool late;     /* it had ended, or given up, when its ring was there */
	bool failed;   /* its file is not complete */
	uint64_t ms;   /* that it was recorded for */
	uint64_t verified, differences;
	struct ht_trace_stats stats; /* of its last image */
	char name[64];		     /* of the program */
	char file[1024];
	char note[192];	 /* what could not be hooked, "" nothing */
	char hidden[32]; /* an allocator that could not be found, or "" */
};

/* What the follower needs to open a trace. */
struct ht_follow_output {
	const char *path; /* of -o, or NULL: the whole job */
	const char *symbolize;
};

struct ht_follow {
	char entry[40]; /* what HT_ENV ends in: ":name:key" */
	pid_t pid;	/* the follower's */
	int listens;
	int control;		/* our end: closed, it stops the recording */
	int results;		/* a file of struct ht_followed */
	_Atomic uint32_t *pace; /* of the writers */
	uint32_t key;
	time_t since; /* it was started */
	struct ht_follow_output output;
};

/* Starts the follower, before any thread: it is forked. `o` is how children are
 * recorded. 0, or -1 with *err set. */
int ht_follow_start(struct ht_follow *f, const struct ht_job_options *o,
    const struct ht_follow_output *output, struct ht_error *err);
/* The program has ended: waits for whatever is still recorded, or for a signal
 * that ends it. *n results, to be freed. `name` is the program's. */
struct ht_followed *ht_follow_end(
    struct ht_follow *f, const char *name, size_t *n);
/* There is nothing to follow: the program could not be started. */
void ht_follow_drop(struct ht_follow *f);

#endif
