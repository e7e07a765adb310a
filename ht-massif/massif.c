/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ht-massif: massif.out, for massif's viewers, from an event stream. */
#include <inttypes.h>
#include <string.h>

#include "ht-massif/snapshots.h"
#include "libht/err.h"
#include "libht/load.h"
#include "libht/opt.h"
#include "libht/out.h"

static const char usage[] =
    "usage: ht-massif [-o output] [--time-unit unit] [--max-snapshots n]\n"
    "                 [--detailed-freq n] [--threshold percent] [--depth n]\n"
    "                 [--trace n] [-q] [selection ...] [file ...]\n"
    "Writes a trace as valgrind's massif would have: for ms_print and\n"
    "massif-visualizer.\n"
    "  -o, --output FILE    write there, not to stdout (.gz, .zst: "
    "compressed)\n"
    "      --time-unit UNIT ms (the default), B: bytes allocated and freed, "
    "or\n"
    "                       i: allocations and frees\n"
    "      --max-snapshots N    at most so many, 10 or more (100)\n"
    "      --detailed-freq N    each Nth shows what is live (10)\n"
    "      --threshold PERCENT  less than that is summed up (1.0)\n"
    "      --depth N        so many callers, 1 to 1000 (30)\n"
    "      --trace N        of several traces the Nth\n"
    "  -q, --quiet          no notes on stderr\n"
    "  -h, --help           this text\n"
    "  -V, --version        version of the tool and of the "
    "format\n" HT_QUERY_USAGE;

enum { OPT_UNIT = 256, OPT_MAX, OPT_FREQ, OPT_THRESHOLD, OPT_DEPTH, OPT_TRACE };

static const struct ht_opt options[] = {
    {"output", 'o', true},
    {"time-unit", OPT_UNIT, true},
    {"max-snapshots", OPT_MAX, true},
    {"detailed-freq", OPT_FREQ, true},
    {"threshold", OPT_THRESHOLD, true},
    {"depth", OPT_DEPTH, true},
    {"trace", OPT_TRACE, true},
    {"quiet", 'q', false},
    {NULL, 0, false},
};

struct settings {
	struct ht_query query;
	struct snapshots snapshots;
	const char *output;
};

static uint64_t
parse_percent(const struct ht_opts *o)
{
	const char *end;
	uint64_t v;

	if (ht_num_thousandths(o->value, &end, &v) < 0 || v > 100000 ||
	    (*end && strcmp(end, "%") != 0))
		ht_opt_fail(o,
		    "--threshold: '%s' is no percentage: 0 to 100, with at most"
		    " three decimals",
		    o->value);
	return v;
}

static void
parse_options(struct ht_opts *o, struct settings *s)
{
	struct snapshots *x = &s->snapshots;
	int c;

	*s = (struct settings){.output = "-",
	    .snapshots = {.max = 100,
		.detailed_freq = 10,
		.threshold = 1000,
		.depth = 30}};
	ht_query_init(&s->query);
	x->query = &s->query;
	while ((c = ht_opt_next(o)) != -1) {
		switch (c) {
		case 'o':
			s->output = o->value;
			break;
		case OPT_UNIT:
			x->unit = (enum time_unit)ht_opt_choice(o, time_units);
			break;
		case OPT_MAX:
			x->max =
			    ht_opt_num(o, HT_UNIT_NONE, SNAPSHOTS_MIN, 100000);
			break;
		case OPT_FREQ:
			x->detailed_freq =
			    ht_opt_num(o, HT_UNIT_NONE, 1, 1000000);
			break;
		case OPT_THRESHOLD:
			x->threshold = parse_percent(o);
			break;
		case OPT_DEPTH:
			x->depth = ht_opt_num(o, HT_UNIT_NONE, 1, 1000);
			break;
		case OPT_TRACE:
			x->wanted = ht_opt_num(o, HT_UNIT_NONE, 1, UINT64_MAX);
			break;
		case 'q':
			ht_set_quiet(true);
			break;
		default:
			ht_query_option(&s->query, o, c);
			break;
		}
	}
	ht_query_ready(&s->query, o);
}

/* --- output -----------------------------------------------------------------
 */

/* The options, as valgrind has it, and why the numbers are not the whole
 * truth. getopt has moved them before the operands. */
static void
put_desc(struct ht_out *out, const struct snapshots *s, char **argv, int n)
{
	struct ht_str text = {0};
	int i;

	for (i = 1; i < n; i++) {
		heaptree_safe(&text, argv[i], strlen(argv[i]));
		ht_str_addc(&text, ' ');
	}
	ht_str_addz(&text, "(ht-massif " HT_VERSION ")");
	if (s->truncated)
		ht_str_addz(&text, " TRUNCATED: this is its start only");
	if (s->lost)
		ht_str_addf(
		    &text, " LOST: %" PRIu64 " events are missing", s->lost);
	if (s->attached)
		ht_str_addz(&text, " recorded from the middle on");
	if (s->sampled)
		ht_str_addz(&text, " ESTIMATED: sampled");
	ht_out_printf(out, "desc: %s\n", text.data);
	ht_str_release(&text);
}

static void
put_snapshots(struct ht_out *out, const struct snapshots *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		const struct snapshot *x = &s->snapshot[i];

		ht_out_printf(out,
		    "#-----------\nsnapshot=%zu\n#-----------\n"
		    "time=%" PRIu64 "\nmem_heap_B=%" PRIu64
		    "\nmem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=%s\n",
		    i, x->time, x->bytes,
		    x->peak   ? "peak"
		    : x->tree ? "detailed"
			      : "empty");
		if (x->tree)
			ht_out_write(out, x->tree, strlen(x->tree));
	}
}

/* Whether there is one trace to show; if not, why. */
static bool
is_one(const struct snapshots *s, uint64_t left_out)
{
	if (s->traces == 0 && left_out)
		ht_warn("only launchers are in it: --all-images reports them");
	if (s->wanted && s->traces && !s->kept)
		ht_warn("there is no trace %" PRIu64 ", only %" PRIu64,
		    s->wanted, s->traces);
	if (s->traces > 1 && s->wanted == 0)
		ht_warn("there are %" PRIu64
			" traces, and massif.out holds one run: choose it with"
			" --trace 1 to %" PRIu64,
		    s->traces, s->traces);
	return s->kept && (s->traces == 1 || s->wanted);
}

/* 0, or -1 if any input was not as it should be. */
static int
run(struct settings *s, char *const *path)
{
	struct ht_load load = {.query = &s->query,
	    .event = snapshots_event,
	    .end = snapshots_end,
	    .arg = &s->snapshots};
	struct ht_prof prof = {0};
	int rc;

	snapshots_init(&s->snapshots, &prof);
	rc = ht_load(&load, path, &prof);
	ht_prof_release(&prof);
	if (!is_one(&s->snapshots, load.left_out)) {
		s->snapshots.kept = false;
		rc = -1;
	}
	return rc;
}

int
main(int argc, char **argv)
{
	struct ht_opts o = {.argc = argc,
	    .argv = argv,
	    .usage = usage,
	    .opt = options,
	    .more = ht_query_options};
	struct ht_error err = {""};
	struct settings s;
	struct ht_out *out;
	int status;

	ht_set_name("ht-massif");
	ht_out_sigpipe();
	parse_options(&o, &s);
	status = run(&s, argv + o.index) < 0 ? HT_FAILED : HT_OK;
	/* Not before: the output may be one of the inputs. */
	out = ht_out_open(s.output, ht_out_codec(s.output), 0, &err);
	if (out == NULL)
		ht_die(HT_FAILED, "%s", err.text);
	if (s.snapshots.kept) {
		put_desc(out, &s.snapshots, argv, o.index);
		ht_out_printf(out, "cmd: %s\ntime_unit: %s\n",
		    s.snapshots.command.len ? s.snapshots.command.data : "",
		    time_units[s.snapshots.unit]);
		put_snapshots(out, &s.snapshots);
	}
	if (ht_out_finish(out) < 0)
		status = HT_FAILED;
	snapshots_release(&s.snapshots);
	ht_query_release(&s.query);
	return status;
}
