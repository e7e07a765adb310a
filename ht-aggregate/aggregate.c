/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ht-aggregate: many traces, and profiles, as one profile. */
#include <inttypes.h>

#include "ht-aggregate/difference.h"
#include "libht/err.h"
#include "libht/load.h"
#include "libht/opt.h"
#include "libht/out.h"
#include "libht/profwrite.h"
#include "libht/query.h"

static const char usage[] =
    "usage: ht-aggregate [--diff] [-q] [-o output] [selection ...] [file ...]\n"
    "Adds up traces and profiles to one profile, in any order and grouping.\n"
    "  -o, --output FILE    write there, compressed if it ends in .gz or .zst\n"
    "      --diff           what the second costs more than the first, by "
    "stack\n"
    "  -q, --quiet          no notes on stderr\n"
    "  -h, --help           this text\n"
    "  -V, --version        version of the tool and of the "
    "format\n" HT_QUERY_USAGE;

enum { OPT_DIFF = 256 };

static const struct ht_opt options[] = {
    {"output", 'o', true},
    {"diff", OPT_DIFF, false},
    {"quiet", 'q', false},
    {NULL, 0, false},
};

struct job {
	const char *output; /* NULL: stdout */
	bool diff;
	struct ht_query query;
};

static void
parse_options(struct ht_opts *o, struct job *job)
{
	int c;

	*job = (struct job){0};
	ht_query_init(&job->query);
	while ((c = ht_opt_next(o)) != -1) {
		switch (c) {
		case 'o':
			job->output = o->value;
			break;
		case OPT_DIFF:
			job->diff = true;
			break;
		case 'q':
			ht_set_quiet(true);
			break;
		default:
			ht_query_option(&job->query, o, c);
			break;
		}
	}
	if (job->diff && o->argc - o->index != 2)
		ht_opt_fail(o, "--diff: two files are needed, base and later");
	/* A profile keeps what its readers hide. */
	if (!job->diff)
		job->query.no_builtin = job->query.all_kinds = true;
	ht_query_ready(&job->query, o);
}

static struct ht_out *
open_output(const struct job *job)
{
	enum ht_codec codec =
	    job->output ? ht_out_codec(job->output) : HT_PLAIN;
	struct ht_error err = {""};
	struct ht_out *out = ht_out_open(job->output, codec, 0, &err);

	if (out == NULL)
		ht_warn("%s", err.text);
	return out;
}

static void
note_launchers(const struct ht_load *load)
{
	if (load->left_out)
		ht_note("launchers left out: %" PRIu64
			" (--all-images takes them in)",
		    load->left_out);
}

static int
write_profile(const struct job *job, const struct ht_prof *p)
{
	struct ht_out *out = open_output(job);

	if (out == NULL)
		return -1;
	ht_profwrite(out, p);
	return ht_out_finish(out);
}

/* The output is opened when all is read: it may be one of the inputs, and
 * stays what it was if there is nothing to write. What reports hide by
 * themselves they hide when they read the profile: taken out here it would be
 * gone for good. */
static int
aggregate(struct job *job, char *const *path)
{
	struct ht_load load = {.query = &job->query};
	struct ht_prof p = {0};
	bool plain = job->query.no_embedded || job->query.at;
	int rc;

	job->query.no_embedded = true;
	rc = ht_load(&load, path, &p);
	if (plain)
		ht_intern_clear(&p.suppression);
	note_launchers(&load);
	if (p.traces > 0 || rc == 0)
		rc |= write_profile(job, &p);
	ht_prof_release(&p);
	return rc;
}

static int
difference(struct job *job, char *const *path)
{
	struct ht_load load = {.query = &job->query};
	struct ht_prof base = {0}, later = {0};
	struct ht_out *out = NULL;
	int rc = ht_load(&load, (char *const[]){path[0], NULL}, &base);

	rc |= ht_load(&load, (char *const[]){path[1], NULL}, &later);
	note_launchers(&load);
	if (rc == 0 || (base.traces && later.traces))
		out = open_output(job);
	if (out) {
		difference_print(out, &job->query, &base, &later);
		rc |= ht_out_finish(out);
	}
	ht_prof_release(&base);
	ht_prof_release(&later);
	return out ? rc : -1;
}

int
main(int argc, char **argv)
{
	struct ht_opts o = {.argc = argc,
	    .argv = argv,
	    .usage = usage,
	    .opt = options,
	    .more = ht_query_options};
	struct job job;
	char **path;
	int rc;

	ht_set_name("ht-aggregate");
	ht_out_sigpipe();
	parse_options(&o, &job);
	path = argv + o.index;
	rc = job.diff ? difference(&job, path) : aggregate(&job, path);
	ht_query_release(&job.query);
	return rc < 0 ? HT_FAILED : HT_OK;
}
