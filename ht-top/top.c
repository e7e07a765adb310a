/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ht-top: where the memory is, from an event stream. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "ht-top/top.h"
#include "libht/err.h"
#include "libht/load.h"
#include "libht/opt.h"

#define WIDTH_MIN  64
#define WIDTH_ELSE 80 /* where there is no terminal */

static const char usage[] =
    "usage: ht-top [-apTl] [-n rows] [-s backtraces] [-d frames] [-w columns]\n"
    "              [--totals] [-q] [selection ...] [file ...]\n"
    "Reports what a trace says: of ht-record, ht-symbolize or heaptrack.\n"
    "  -p, --peak           what held memory at the peak\n"
    "  -a, --allocators     most calls to allocation functions\n"
    "  -T, --temporary      most temporary allocations\n"
    "  -l, --leaks          what was not freed\n"
    "                       (none of these: -p -a -T)\n"
    "  -n, --peak-limit N      rows of a section (10)\n"
    "  -s, --sub-peak-limit N  backtraces of a row (5)\n"
    "  -d, --depth N        frames of a backtrace (3; 0: all)\n"
    "  -w, --width N        columns (the terminal's, else 80; 0: no limit)\n"
    "      --totals         only the totals, one `name<TAB>value` a line\n"
    "  -q, --quiet          no notes on stderr\n"
    "  -h, --help           this text\n"
    "  -V, --version        version of the tool and of the "
    "format\n" HT_QUERY_USAGE;

enum { OPT_TOTALS = 256 };

static const struct ht_opt options[] = {
    {"peak", 'p', false},
    {"allocators", 'a', false},
    {"temporary", 'T', false},
    {"leaks", 'l', false},
    {"peak-limit", 'n', true},
    {"sub-peak-limit", 's', true},
    {"depth", 'd', true},
    {"width", 'w', true},
    {"totals", OPT_TOTALS, false},
    {"quiet", 'q', false},
    {NULL, 0, false},
};

static uint64_t
terminal_width(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
		return WIDTH_ELSE;
	return w.ws_col < WIDTH_MIN ? WIDTH_MIN : w.ws_col;
}

static void
parse_options(struct ht_opts *o, struct top *top)
{
	bool chosen = false;
	int c;

	*top = (struct top){.rows = 10, .subs = 5, .depth = 3};
	top->width = terminal_width();
	ht_query_init(&top->query);
	while ((c = ht_opt_next(o)) != -1) {
		switch (c) {
		case 'p':
			top->section[SECTION_PEAK] = chosen = true;
			break;
		case 'a':
			top->section[SECTION_CALLS] = chosen = true;
			break;
		case 'T':
			top->section[SECTION_TEMPORARY] = chosen = true;
			break;
		case 'l':
			top->section[SECTION_LEAKS] = chosen = true;
			break;
		case 'n':
			top->rows = ht_opt_num(o, HT_UNIT_NONE, 0, UINT32_MAX);
			top->all_rows = true;
			break;
		case 's':
			top->subs = ht_opt_num(o, HT_UNIT_NONE, 0, 1000);
			top->all_subs = true;
			break;
		case 'd':
			top->depth = ht_opt_num(o, HT_UNIT_NONE, 0, UINT32_MAX);
			break;
		case 'w':
			top->width = ht_opt_num(o, HT_UNIT_NONE, 0, 10000);
			if (top->width && top->width < WIDTH_MIN)
				ht_opt_fail(
				    o, "--width: at least %d, or 0", WIDTH_MIN);
			break;
		case OPT_TOTALS:
			top->totals = true;
			break;
		case 'q':
			ht_set_quiet(true);
			break;
		default:
			ht_query_option(&top->query, o, c);
			break;
		}
	}
	ht_query_ready(&top->query, o);
	if (!chosen)
		top->section[SECTION_PEAK] = top->section[SECTION_CALLS] =
		    top->section[SECTION_TEMPORARY] = true;
}

/* 0, or -1 if any input was not as it should be. */
static int
run(char **path, struct top *top, struct ht_prof *p, struct ht_out *out)
{
	struct ht_load load = {.query = &top->query};
	int rc = ht_load(&load, path, p);

	top->left_out = load.left_out;
	if (p->traces == 0 && top->left_out > 0)
		ht_note("only launchers are in it: --all-images reports them");
	if (p->traces == 0 && rc < 0)
		return rc;
	if (top->totals)
		print_totals(out, p);
	else
		print_report(out, top, p);
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
	struct ht_prof prof = {0};
	struct ht_out *out;
	struct top top;
	int status;

	ht_set_name("ht-top");
	ht_out_sigpipe();
	parse_options(&o, &top);
	out = ht_out_open(NULL, HT_PLAIN, 0, &err);
	if (out == NULL)
		ht_die(HT_FAILED, "%s", err.text);
	status = run(argv + o.index, &top, &prof, out) < 0 ? HT_FAILED : HT_OK;
	if (ht_out_close(out, &err) < 0) {
		if (err.text[0])
			ht_warn("%s", err.text);
		status = HT_FAILED;
	}
	ht_prof_release(&prof);
	ht_query_release(&top.query);
	return status;
}
