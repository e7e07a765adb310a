/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One recording: from launch, or an attach, or when a child that is followed
 * asks, to the process's end, or a detach. */
#ifndef HT_JOB_H
#define HT_JOB_H

#include "ht-record/clock.h"
#include "ht-record/follow.h"
#include "ht-record/program.h"
#include "ht-record/shm.h"
#include "ht-record/trace.h"

struct ht_job_options {
	struct ht_ring_options ring;
	struct ht_trace_options trace;
	unsigned interval_ms;
	char *const *argv;    /* ht-record's own, for `#H` */
	char *const *program; /* the program and its arguments */
	const char *library;  /* the preload library, or the one to attach */
	pid_t pid;	      /* attach to this process; 0: launch `program` */
	pid_t child;	      /* record this one, which has asked to be, */
	int asked;	      /* by this connection, which gets the answer */
	bool forked;	      /* and whose memory is its parent's */
	/* Where the follower says how much slower than one alone each is to
	 * tick and to look; NULL: no slower. */
	const _Atomic uint32_t *pace;
	/* Opens the output of `child` when there is something to write, with
	 * the path of its executable; NULL: it cannot be had. */
	struct ht_out *(*open)(void *arg, const char *exe);
	void *open_arg;
	const struct ht_follow *follow; /* NULL: children are not followed */
	uint64_t delay_ms;		/* before allocations are recorded */
	uint64_t duration_ms;		/* of the recording; 0: to the end */
	struct ht_found found;		/* what the program is to find */
};

/* How it went. */
struct ht_job_result {
	struct ht_trace_stats stats; /* of the last image */
	uint64_t verified, differences, unverifiable;
	uint64_t ms;	      /* from start to end */
	int status;	      /* as waitpid gives it; -1: not known */
	bool recorded;	      /* the library joined */
	bool late;	      /* a child did not take its ring any more */
	bool unrecorded_exec; /* the last image was another, unrecorded one */
	pid_t pid;	      /* attached to this; 0: launched */
	bool detached;	      /* it lives on */
	uint64_t stop_us;     /* the longest stop of it */
	bool kept;	      /* memory that may be in use was left in it */
	char why[128];	      /* why it did not record, "" unknown */
	char note[192];	      /* what could not be hooked, "" nothing */
	const char *hidden;   /* an allocator of it that could not be found,
			       * or NULL */
};

struct ht_job;

/*
 * Prepares the rings, the clock and a child that waits, or the process to be
 * attached to. NULL with *err set.
 * The child's stdout is joined to stderr if `stdout_is_stderr`.
 */
struct ht_job *ht_job_new(const struct ht_job_options *o, bool stdout_is_stderr,
    struct ht_error *err);
/* The process that is recorded. */
int ht_job_pid(const struct ht_job *j);

/* Lets the program go, or hooks it, and records it into `out`. 0; or the exit
 * status with *err set when it could not be executed, or attached to. */
int ht_job_run(struct ht_job *j, struct ht_out *out, struct ht_job_result *r,
    struct ht_error *err);

void ht_job_free(struct ht_job *j);

#endif
