/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "ht-record/report.h"
void
ht_report(const struct ht_job_result *r, const char *program,
    const struct ht_sink *sink)
{
	const struct ht_trace_stats *s = &r->stats;
	(void)sink;
	ht_note("%s: st %x %lu ms alloc %lu temp %lu leaked %lu/%lu peak %lu at %lu lost %lu unseen %lu missed %lu ver %lu diff %lu unv %lu %s", program, r->status, r->ms, s->allocations, s->temporary, s->leaked, s->leaked_blocks, s->peak, s->peak_ms, s->lost, s->unseen, s->missed, r->verified, r->differences, r->unverifiable, r->why);
}
