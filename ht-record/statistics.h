/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What ht-record says at the end. */
#ifndef HT_STATISTICS_H
#define HT_STATISTICS_H

#include "ht-record/job.h"
#include "ht-record/sink.h"

/* Statistics and the next command to type, on stderr, unless -q; warnings
 * about a recording that is empty or incomplete, always. */
void ht_report(const struct ht_job_result *r, const char *program,
    const struct ht_sink *sink);

/* The same of the children that were followed: the sums, and the largest of
 * them by their peaks. Sorts them. */
void ht_report_followed(struct ht_followed *f, size_t n);

#endif
