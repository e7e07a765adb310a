/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One recording, from launch to the program's end. */
#ifndef HT_JOB_H
#define HT_JOB_H

#include "ht-record/clock.h"
#include "ht-record/program.h"
#include "ht-record/shm.h"
#include "ht-record/trace.h"

struct ht_job_options {
	struct ht_ring_options ring;
	struct ht_trace_options trace;
	unsigned interval_ms;
	char *const *argv;     /* ht-record's own, for `#H` */
	char *const *program;  /* the program and its arguments */
	const char *library;   /* the preload library */
	struct ht_found found; /* what the program is to find */
};

/* How it went. */
struct ht_job_result {
	struct ht_trace_stats stats; /* of the last image */
	uint64_t verified, differences, unverifiable;
	uint64_t ms;	      /* from start to end */
	int status;	      /* as waitpid gives it */
	bool recorded;	      /* the library joined */
	bool unrecorded_exec; /* the last image was another, unrecorded one */
	char why[128];	      /* why it did not record, "" unknown */
};

struct ht_job;

/*
 * Prepares the rings, the clock and a child that waits. NULL with *err set.
 * The child's stdout is joined to stderr if `stdout_is_stderr`.
 */
struct ht_job *ht_job_new(const struct ht_job_options *o, bool stdout_is_stderr,
    struct ht_error *err);
int ht_job_pid(const struct ht_job *j);

/* Lets the program go and records it to its end into `out`. 0; or the exit
 * status with *err set when the program could not be executed. */
int ht_job_run(struct ht_job *j, struct ht_out *out, struct ht_job_result *r,
    struct ht_error *err);

void ht_job_free(struct ht_job *j);

#endif
