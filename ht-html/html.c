/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ht-html: a report in one page, from an event stream. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ht-html/page.h"
#include "libht/err.h"
#include "libht/load.h"
#include "libht/mem.h"
#include "libht/opt.h"

static const char usage[] =
    "usage: ht-html [-d base] [-o output] [-t] [-q] [--title text]\n"
    "               [--max-stacks n] [selection ...] [file ...]\n"
    "Writes a trace as one page that any browser opens, without a network.\n"
    "  -d, --diff BASE      what has changed since this trace\n"
    "  -o, --output FILE    write there, not to stdout (.gz, .zst: "
    "compressed)\n"
    "  -t, --shorten-templates  no template arguments in names\n"
    "      --title TEXT     what the page is called\n"
    "      --max-stacks N   of more stacks the smallest are summed up "
    "(100000)\n"
    "  -q, --quiet          no notes on stderr\n"
    "  -h, --help           this text\n"
    "  -V, --version        version of the tool and of the "
    "format\n" HT_QUERY_USAGE;

enum { OPT_TITLE = 256, OPT_MAX_STACKS };

static const struct ht_opt options[] = {
    {"diff", 'd', true},
    {"output", 'o', true},
    {"shorten-templates", 't', false},
    {"title", OPT_TITLE, true},
    {"max-stacks", OPT_MAX_STACKS, true},
    {"quiet", 'q', false},
    {NULL, 0, false},
};

struct settings {
	struct ht_query query;
	char *base[2]; /* as ht_load takes it; NULL: no difference */
	const char *output, *title;
	bool shorten;
	size_t max_stacks;
	/* What selects, as it was given; ends with NULL. */
	char **selection;
	size_t nselection, selection_cap;
};

static void
note_word(struct settings *s, char *word)
{
	HT_GROW(s->selection, s->selection_cap, s->nselection + 2);
	s->selection[s->nselection++] = word;
	s->selection[s->nselection] = NULL;
}

/* An option that all reports have: the page says which there were. */
static void
note_selection(struct settings *s, const struct ht_opts *o, int letter)
{
	const struct ht_opt *opt = ht_query_options;
	struct ht_str name = {0};

	while (opt->letter != letter)
		opt++;
	ht_str_addf(&name, "--%s", opt->name);
	note_word(s, name.data);
	if (o->value)
		note_word(s, ht_strdup(o->value));
}

static void
parse_options(struct ht_opts *o, struct settings *s)
{
	int c;

	*s = (struct settings){.output = "-", .max_stacks = 100000};
	ht_query_init(&s->query);
	while ((c = ht_opt_next(o)) != -1) {
		switch (c) {
		case 'd':
			s->base[0] = (char *)o->value;
			break;
		case 'o':
			s->output = o->value;
			break;
		case 't':
			s->shorten = true;
			break;
		case OPT_TITLE:
			s->title = o->value;
			break;
		case OPT_MAX_STACKS:
			s->max_stacks =
			    ht_opt_num(o, HT_UNIT_NONE, 1, UINT32_MAX);
			break;
		case 'q':
			ht_set_quiet(true);
			break;
		default:
			ht_query_option(&s->query, o, c);
			note_selection(s, o, c);
			break;
		}
	}
	ht_query_ready(&s->query, o);
	if (strcmp(s->output, "-") == 0 && isatty(STDOUT_FILENO))
		ht_opt_fail(o, "a page is not for a terminal: -o FILE, or a"
			       " redirection");
}

static void
release_options(struct settings *s)
{
	size_t i;

	for (i = 0; i < s->nselection; i++)
		free(s->selection[i]);
	free(s->selection);
	ht_query_release(&s->query);
}

/* A profile with what its traces did over time. */
struct input {
	struct ht_prof prof;
	struct timeline timeline;
	uint64_t launchers;
};

/* 0, or -1 if any input was not as it should be. */
static int
load_input(struct settings *s, struct input *in, char *const *path,
    struct sheet *sheet, int side)
{
	struct ht_load load = {.query = &s->query,
	    .event = timeline_event,
	    .end = timeline_end,
	    .arg = &in->timeline,
	    .profiles = true};
	int rc;

	timeline_init(&in->timeline, &s->query, &in->prof);
	rc = ht_load(&load, path, &in->prof);
	in->launchers = load.left_out;
	if (in->prof.traces == 0 && load.left_out > 0)
		ht_note("only launchers are in it: --all-images reports them");
	if (in->prof.lost)
		ht_note("%llu events were lost: the numbers are too low",
		    (unsigned long long)in->prof.lost);
	sheet_add(sheet, side, &in->prof, &in->timeline);
	return rc;
}

/* Buckets of both sides are to be as wide. */
static void
align(struct input *in)
{
	unsigned shift = in[0].timeline.shift;

	if (in[1].timeline.shift > shift)
		shift = in[1].timeline.shift;
	timeline_widen(&in[0].timeline, shift);
	timeline_widen(&in[1].timeline, shift);
}

/* 0, or -1 if any input was not as it should be. */
static int
load(struct settings *s, char *const *path, struct input *in,
    struct sheet *sheet)
{
	struct ht_suppress *suppress = &s->query.suppress;
	size_t n = suppress->n;
	bool follow = s->query.follow;
	int rc = 0;

	if (s->base[0]) {
		s->query.follow = false;
		rc = load_input(s, &in[SHEET_BASE], s->base, sheet, SHEET_BASE);
		s->query.follow = follow;
		ht_suppress_restart(suppress, n);
	}
	rc |= load_input(s, &in[SHEET_NOW], path, sheet, SHEET_NOW);
	align(in);
	sheet_finish(sheet, s->max_stacks);
	return rc;
}

static int
write_page(const struct settings *s, const struct data *d, struct ht_error *err)
{
	struct ht_out *out;
	int rc;

	out = ht_out_open(s->output, ht_out_codec(s->output), 0, err);
	if (out == NULL)
		return -1;
	rc = page_write(d, out, err);
	return rc | ht_out_finish(out);
}

/* The exit status. */
static int
run(struct settings *s, char *const *path)
{
	struct input in[SHEET_SIDES] = {0};
	struct ht_error err = {""};
	struct sheet sheet;
	struct data d = {.sheet = &sheet,
	    .title = s->title,
	    .selection = s->selection,
	    .file = {[SHEET_NOW] = path, [SHEET_BASE] = s->base}};
	int i, rc;

	sheet_init(&sheet, &s->query, s->shorten);
	rc = load(s, path, in, &sheet);
	for (i = 0; i < SHEET_SIDES; i++)
		d.launchers[i] = in[i].launchers;
	/* Where nothing could be read there is nothing to show. */
	if (rc == 0 || (in[SHEET_NOW].prof.traces > 0 &&
			   (!s->base[0] || in[SHEET_BASE].prof.traces > 0)))
		rc |= write_page(s, &d, &err);
	if (err.text[0])
		ht_warn("%s", err.text);
	sheet_release(&sheet);
	for (i = 0; i < SHEET_SIDES; i++) {
		timeline_release(&in[i].timeline);
		ht_prof_release(&in[i].prof);
	}
	return rc < 0 ? HT_FAILED : HT_OK;
}

int
main(int argc, char **argv)
{
	struct ht_opts o = {.argc = argc,
	    .argv = argv,
	    .usage = usage,
	    .opt = options,
	    .more = ht_query_options};
	struct settings s;
	int status;

	ht_set_name("ht-html");
	ht_out_sigpipe();
	parse_options(&o, &s);
	status = run(&s, argv + o.index);
	release_options(&s);
	return status;
}
