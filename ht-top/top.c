/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ht-top: where the memory is, from an event stream. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ht-top/top.h"
#include "ht-top/watch.h"
#include "libht/diff.h"
#include "libht/err.h"
#include "libht/load.h"
#include "libht/mem.h"
#include "libht/opt.h"

#define WIDTH_MIN  64
#define WIDTH_ELSE 80 /* where there is no terminal */

static const char usage[] =
    "usage: ht-top [-apTlt] [--sort cost] [--by group] [--tree]\n"
    "              [--bottom-up] [--callers function] [--callees function]\n"
    "              [--sizes] [--lifetimes] [--totals] [--diff base]\n"
    "              [--fail-if limit] [--show-suppressions]\n"
    "              [--format format] [-n rows] [-s backtraces] [-d frames]\n"
    "              [-w columns] [-q] [selection ...] [file ...]\n"
    "Reports what a trace says: of ht-record, ht-symbolize or heaptrack.\n"
    "What to show:\n"
    "  -p, --peak           what held memory at the peak\n"
    "  -a, --allocators     most calls to allocation functions\n"
    "  -T, --temporary      most temporary allocations\n"
    "  -l, --leaks          what was not freed\n"
    "                       (none of these: -p -a -T)\n"
    "      --sort COST      the same and more, in this order: peak, calls,\n"
    "                       temporary, leaked, total, lifetime, others,\n"
    "                       rounding\n"
    "      --by GROUP       rows are: function, line (the default), file,\n"
    "                       module, thread, kind, size, stack\n"
    "      --tree           one tree, from main down to what allocates\n"
    "      --bottom-up      one tree, from what allocates up to main\n"
    "      --callers FUNC   the same, from this function up\n"
    "      --callees FUNC   the same, from this function down\n"
    "      --sizes          how large blocks are\n"
    "      --lifetimes      how long blocks lived\n"
    "      --totals         only the totals, one `name<TAB>value` a line\n"
    "      --diff BASE      what has changed since this trace\n"
    "      --fail-if LIMIT  status 3 if it is so: leaked>1M, or with --diff\n"
    "                       peak>+5%\n"
    "      --show-suppressions  which leaks were suppressed, by what\n"
    "How to show it:\n"
    "      --format FORMAT  text, json, tsv\n"
    "  -n, --peak-limit N      rows of a section (10)\n"
    "  -s, --sub-peak-limit N  backtraces of a row (5)\n"
    "  -d, --depth N        frames of a backtrace (3; 0: all)\n"
    "  -w, --width N        columns (the terminal's, else 80; 0: no limit)\n"
    "  -t, --shorten-templates  no template arguments in names\n"
    "  -q, --quiet          no notes on stderr\n"
    "  -h, --help           this text\n"
    "  -V, --version        version of the tool and of the "
    "format\n" HT_QUERY_USAGE;

enum {
	OPT_TOTALS = 256,
	OPT_SORT,
	OPT_BY,
	OPT_TREE,
	OPT_BOTTOM_UP,
	OPT_CALLERS,
	OPT_CALLEES,
	OPT_SIZES,
	OPT_LIFETIMES,
	OPT_DIFF,
	OPT_FAIL_IF,
	OPT_SHOW_SUPPRESSIONS,
	OPT_FORMAT
};

static const struct ht_opt options[] = {
    {"peak", 'p', false},
    {"allocators", 'a', false},
    {"temporary", 'T', false},
    {"leaks", 'l', false},
    {"sort", OPT_SORT, true},
    {"by", OPT_BY, true},
    {"tree", OPT_TREE, false},
    {"bottom-up", OPT_BOTTOM_UP, false},
    {"callers", OPT_CALLERS, true},
    {"callees", OPT_CALLEES, true},
    {"sizes", OPT_SIZES, false},
    {"lifetimes", OPT_LIFETIMES, false},
    {"totals", OPT_TOTALS, false},
    {"diff", OPT_DIFF, true},
    {"fail-if", OPT_FAIL_IF, true},
    {"show-suppressions", OPT_SHOW_SUPPRESSIONS, false},
    {"format", OPT_FORMAT, true},
    {"peak-limit", 'n', true},
    {"sub-peak-limit", 's', true},
    {"depth", 'd', true},
    {"width", 'w', true},
    {"shorten-templates", 't', false},
    {"quiet", 'q', false},
    {NULL, 0, false},
};

/* What options say that has no place in struct top. */
struct asked {
	bool section[COSTS]; /* -p -a -T -l */
	bool by, depth;
};

/* --- options ------------------------------------------------------------ */

static uint64_t
terminal_width(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
		return WIDTH_ELSE;
	return w.ws_col < WIDTH_MIN ? WIDTH_MIN : w.ws_col;
}

/* https://no-color.org */
static bool
terminal_has_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no == NULL || *no == '\0') && term &&
	       *term && strcmp(term, "dumb") != 0;
}

static void
add_sort(struct top *top, enum cost cost)
{
	size_t i;

	for (i = 0; i < top->nsort; i++)
		if (top->sort[i] == cost)
			return;
	top->sort[top->nsort++] = cost;
}

/* COST[,COST…] */
static void
parse_sort(struct top *top, const struct ht_opts *o)
{
	char *copy = ht_strdup(o->value), *rest = copy;
	struct ht_opts one = *o;

	while ((one.value = strsep(&rest, ",")) != NULL)
		add_sort(top, (enum cost)ht_opt_choice(&one, cost_names));
	free(copy);
}

static void
parse_tree(
    struct top *top, const struct ht_opts *o, enum ht_direction direction)
{
	struct ht_error err = {""};

	if (top->direction != HT_TREE_FLAT)
		ht_opt_fail(o, "one of --tree, --bottom-up, --callers and"
			       " --callees at a time");
	top->direction = direction;
	top->function = o->value;
	if (o->value && ht_pattern_init(&top->pattern, o->value, &err) < 0)
		ht_opt_fail(o, "--%s: %s",
		    direction == HT_TREE_CALLERS ? "callers" : "callees",
		    err.text);
}

static void
add_base(struct top *top, const char *path)
{
	HT_GROW(top->base, top->base_cap, top->nbase + 2);
	top->base[top->nbase++] = ht_strdup(path);
	top->base[top->nbase] = NULL;
}

/* What to show. False: another option. */
static bool
view_option(
    struct top *top, struct asked *asked, const struct ht_opts *o, int c)
{
	struct ht_error err = {""};

	switch (c) {
	case 'p':
		return asked->section[COST_PEAK] = true;
	case 'a':
		return asked->section[COST_CALLS] = true;
	case 'T':
		return asked->section[COST_TEMPORARY] = true;
	case 'l':
		return asked->section[COST_LEAKED] = true;
	case OPT_SORT:
		parse_sort(top, o);
		return true;
	case OPT_BY:
		top->by = (enum ht_by)ht_opt_choice(o, ht_by_names);
		return asked->by = true;
	case OPT_TREE:
		parse_tree(top, o, HT_TREE_TOP_DOWN);
		return true;
	case OPT_BOTTOM_UP:
		parse_tree(top, o, HT_TREE_BOTTOM_UP);
		return true;
	case OPT_CALLERS:
		parse_tree(top, o, HT_TREE_CALLERS);
		return true;
	case OPT_CALLEES:
		parse_tree(top, o, HT_TREE_CALLEES);
		return true;
	case OPT_SIZES:
		return top->sizes = true;
	case OPT_LIFETIMES:
		return top->lifetimes = true;
	case OPT_TOTALS:
		return top->totals = true;
	case OPT_SHOW_SUPPRESSIONS:
		return top->suppressions = true;
	case OPT_DIFF:
		add_base(top, o->value);
		return true;
	case OPT_FAIL_IF:
		if (limits_add(&top->limits, o->value, &err) < 0)
			ht_opt_fail(o, "--fail-if: %s", err.text);
		return true;
	default:
		return false;
	}
}

/* How to show it. False: another option. */
static bool
form_option(
    struct top *top, struct asked *asked, const struct ht_opts *o, int c)
{
	static const char *const formats[] = {"text", "json", "tsv", NULL};

	switch (c) {
	case OPT_FORMAT:
		top->format = (enum format)ht_opt_choice(o, formats);
		return true;
	case 'n':
		top->rows = ht_opt_num(o, HT_UNIT_NONE, 0, UINT32_MAX);
		return top->all_rows = true;
	case 's':
		top->subs = ht_opt_num(o, HT_UNIT_NONE, 0, 1000);
		return top->all_subs = true;
	case 'd':
		top->depth = ht_opt_num(o, HT_UNIT_NONE, 0, UINT32_MAX);
		return asked->depth = true;
	case 'w':
		top->width = ht_opt_num(o, HT_UNIT_NONE, 0, 10000);
		if (top->width && top->width < WIDTH_MIN)
			ht_opt_fail(o, "--width: at least %d, or 0", WIDTH_MIN);
		return true;
	case 't':
		return top->shorten = true;
	case 'q':
		ht_set_quiet(true);
		return true;
	default:
		return false;
	}
}

/* The sections: what was asked for, else what suits the rest. */
static void
choose_sections(struct top *top, const struct asked *asked)
{
	static const enum cost usual[] = {
	    COST_PEAK, COST_CALLS, COST_TEMPORARY};
	bool any = top->nsort > 0;
	size_t i;

	for (i = 0; i < COSTS; i++)
		if (asked->section[i]) {
			add_sort(top, (enum cost)i);
			any = true;
		}
	if (any || ((top->sizes || top->lifetimes || top->suppressions) &&
		       top->direction == HT_TREE_FLAT && !asked->by))
		return;
	if (top->query.at || top->query.has_from || top->query.has_to)
		add_sort(top, COST_LEAKED);
	if (top->query.at)
		return;
	if (top->direction != HT_TREE_FLAT) {
		add_sort(top, COST_PEAK);
		return;
	}
	for (i = 0; i < HT_LEN(usual); i++)
		add_sort(top, usual[i]);
}

static void
finish_options(struct top *top, const struct asked *asked, struct ht_opts *o)
{
	const char *relative = limits_relative(&top->limits);

	ht_query_ready(&top->query, o);
	top->query.all_kinds = top->by == HT_BY_KIND;
	if (top->direction != HT_TREE_FLAT) {
		if (!asked->by)
			top->by = HT_BY_FUNCTION;
		if (top->by > HT_BY_MODULE)
			ht_opt_fail(o,
			    "--by %s: a tree is by function, line,"
			    " file or module",
			    ht_by_names[top->by]);
	}
	/* What is looked at is not cut, unless that was asked for. */
	if (!asked->depth &&
	    (top->direction != HT_TREE_FLAT || top->by == HT_BY_STACK))
		top->depth = 0;
	if (relative && top->nbase == 0)
		ht_opt_fail(o, "--fail-if: '%s' needs --diff", relative);
	choose_sections(top, asked);
}

static void
parse_options(struct ht_opts *o, struct top *top)
{
	struct asked asked = {0};
	int c;

	*top =
	    (struct top){.rows = 10, .subs = 5, .depth = 3, .by = HT_BY_LINE};
	top->width = terminal_width();
	top->colour = terminal_has_colour();
	ht_query_init(&top->query);
	while ((c = ht_opt_next(o)) != -1)
		if (!view_option(top, &asked, o, c) &&
		    !form_option(top, &asked, o, c))
			ht_query_option(&top->query, o, c);
	finish_options(top, &asked, o);
}

static void
release_options(struct top *top)
{
	size_t i;

	for (i = 0; i < top->nbase; i++)
		free(top->base[i]);
	free(top->base);
	if (top->function)
		ht_pattern_release(&top->pattern);
	limits_release(&top->limits);
	ht_query_release(&top->query);
}

/* --- reporting ---------------------------------------------------------- */

static void
print_text(const struct report *r)
{
	print_header(r);
	if (r->top->direction == HT_TREE_FLAT)
		print_sections(r);
	else
		print_trees(r);
	if (r->top->sizes)
		print_sizes(r);
	if (r->top->lifetimes)
		print_lifetimes(r);
	if (r->top->suppressions)
		print_suppressions(r);
}

static void
print_report(const struct report *r)
{
	if (r->top->format == FORMAT_JSON)
		print_json(r);
	else if (r->top->totals)
		print_totals(r);
	else if (r->top->format == FORMAT_TSV)
		print_tsv(r);
	else
		print_text(r);
}

/* 0, or -1 if any input was not as it should be. What was suppressed in the
 * base is not said. */
static int
load_base(struct top *top, struct ht_prof *base)
{
	struct ht_load load = {.query = &top->query};
	bool follow = top->query.follow;
	size_t n = top->query.suppress.n;
	int rc;

	top->query.follow = false;
	rc = ht_load(&load, top->base, base);
	top->query.follow = follow;
	ht_suppress_restart(&top->query.suppress, n);
	return rc;
}

/* What the reports of one run have in common. */
struct job {
	struct top *top;
	struct ht_prof base;
	const struct ht_prof *later;
	uint64_t left_out;
	bool check; /* the limits, too */
	bool exceeded;
};

/* One report, of differences or not. */
static void
print_job(void *arg, struct ht_out *out)
{
	struct job *job = arg;
	struct ht_diff diff = {0};
	struct report r = {.out = out,
	    .top = job->top,
	    .later = job->later,
	    .p = job->later,
	    .left_out = job->left_out,
	    .total.sum = job->later->sum};

	if (job->top->nbase > 0) {
		ht_diff_make(&diff, &job->base, job->later);
		r.p = &diff.both;
		r.base = &job->base;
		r.base_row = diff.base;
		r.total.base = job->base.sum;
	}
	if (job->check)
		job->exceeded =
		    limits_check(&job->top->limits, r.base, r.later);
	print_report(&r);
	if (r.base)
		ht_diff_release(&diff);
}

static void
paint_job(void *arg, const struct ht_prof *so_far)
{
	struct job *job = arg;

	job->later = so_far;
	watch_paint(print_job, job);
}

/* The whole: loads, compares, prints, checks. The exit status. */
static int
run(char **path, struct top *top, struct ht_out *out)
{
	struct ht_prof later = {0};
	struct job job = {.top = top};
	struct ht_load load = {.query = &top->query, .arg = &job};
	int rc = 0;

	if (top->nbase > 0)
		rc = load_base(top, &job.base);
	if (watch_begin(top))
		load.progress = paint_job;
	rc |= ht_load(&load, path, &later);
	watch_end(out);
	job.later = &later;
	job.left_out = load.left_out;
	job.check = true;
	if (later.traces == 0 && job.left_out > 0)
		ht_note("only launchers are in it: --all-images reports them");
	/* Where nothing could be read there is nothing to report. */
	if (rc == 0 ||
	    (later.traces > 0 && (top->nbase == 0 || job.base.traces > 0)))
		print_job(&job, out);
	ht_prof_release(&job.base);
	ht_prof_release(&later);
	if (rc < 0)
		return HT_FAILED;
	return job.exceeded ? HT_LIMIT : HT_OK;
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
	struct ht_out *out;
	struct top top;
	int status;

	ht_set_name("ht-top");
	ht_out_sigpipe();
	parse_options(&o, &top);
	out = ht_out_open(NULL, HT_PLAIN, 0, &err);
	if (out == NULL)
		ht_die(HT_FAILED, "%s", err.text);
	status = run(argv + o.index, &top, out);
	if (ht_out_finish(out) < 0)
		status = HT_FAILED;
	release_options(&top);
	return status;
}
