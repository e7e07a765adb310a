/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the trace goes: stdout, a file, or, when stdout is a terminal, the
 * whole job: ht-symbolize, which writes ht.PROGRAM.PID.gz.
 */
#ifndef HT_SINK_H
#define HT_SINK_H

#include <sys/types.h>
#include <time.h>

#include "libht/out.h"

struct ht_sink {
	bool whole_job;
	time_t since;	  /* files not older are not overwritten; 0: all are */
	char sysroot[32]; /* for the symbolizer; "": none */
	struct ht_out *out;
	char *file;	  /* what is written, as the user may name it; NULL:
			   * stdout */
	pid_t symbolizer; /* 0: none */
	bool failed;	  /* a message has told why */
};

/*
 * In `path`, %p stands for the pid, %n for the last part of the program's name,
 * %% for a %. -1 with *err set if there is another %; or no %p, and each of
 * several processes is to have a file.
 */
int ht_sink_check(const char *path, bool several, struct ht_error *err);
/* Opens it. `path` NULL: stdout, or the whole job. 0, or -1 with *err set. */
int ht_sink_open(struct ht_sink *s, const char *path, const char *symbolize,
    const char *program, pid_t pid, struct ht_error *err);
/* Closes it and waits for ht-symbolize; says what went wrong on stderr. */
void ht_sink_close(struct ht_sink *s);

#endif
