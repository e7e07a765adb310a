/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ht-fold: folded stacks, for flame graphs, from an event stream. */
#include "ht-fold/folded.h"
#include "libht/err.h"
#include "libht/load.h"
#include "libht/opt.h"

static const char usage[] =
    "usage: ht-fold [-c cost] [-d base] [-i inlined] [-o output] [-rtq]\n"
    "               [--by-thread] [selection ...] [file ...]\n"
    "Writes a trace as folded stacks, `main;parse;push 42` a line, for\n"
    "flamegraph.pl, inferno and speedscope.\n"
    "  -c, --cost COST      calls (the default), peak, leaked, temporary,\n"
    "                       total or others (freed by another thread): peak,\n"
    "                       leaked and total in bytes, the rest in number\n"
    "  -d, --diff BASE      two columns: the cost in the file BASE, and now\n"
    "  -i, --inlined HOW    mark inlined functions with _[i] (the default),\n"
    "                       leave them plain, or hide them\n"
    "  -r, --reverse        from the leaf to the root\n"
    "  -t, --shorten-templates  no template arguments in names\n"
    "      --by-thread      the thread is the outermost name\n"
    "  -o, --output FILE    write there, not to stdout (.gz, .zst: "
    "compressed)\n"
    "  -q, --quiet          no notes on stderr\n"
    "  -h, --help           this text\n"
    "  -V, --version        version of the tool and of the "
    "format\n" HT_QUERY_USAGE;

enum { OPT_BY_THREAD = 256 };

static const struct ht_opt options[] = {
    {"cost", 'c', true},
    {"diff", 'd', true},
    {"inlined", 'i', true},
    {"reverse", 'r', false},
    {"shorten-templates", 't', false},
    {"by-thread", OPT_BY_THREAD, false},
    {"output", 'o', true},
    {"quiet", 'q', false},
    {NULL, 0, false},
};

struct settings {
	struct ht_query query;
	struct folded folded;
	char *base[2]; /* as ht_load takes it; NULL: no difference */
	const char *output;
};

static void
parse_options(struct ht_opts *o, struct settings *s)
{
	int c;

	*s = (struct settings){.output = "-"};
	ht_query_init(&s->query);
	s->folded.query = &s->query;
	while ((c = ht_opt_next(o)) != -1) {
		switch (c) {
		case 'c':
			s->folded.cost =
			    (enum folded_cost)ht_opt_choice(o, folded_costs);
			break;
		case 'd':
			s->base[0] = (char *)o->value;
			break;
		case 'i':
			s->folded.inlined = (enum folded_inlined)ht_opt_choice(
			    o, folded_inlineds);
			break;
		case 'r':
			s->folded.reverse = true;
			break;
		case 't':
			s->folded.shorten = true;
			break;
		case OPT_BY_THREAD:
			s->folded.by_thread = true;
			break;
		case 'o':
			s->output = o->value;
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

/* Folded stacks have no place for remarks. */
static void
say_notices(const struct ht_prof *p, uint64_t left_out)
{
	if (p->traces == 0 && left_out > 0)
		ht_note("only launchers are in it: --all-images reports them");
	if (p->lost)
		ht_note("%llu events were lost: the numbers are too low",
		    (unsigned long long)p->lost);
	if (p->sampled)
		ht_note("all costs are estimates: blocks were sampled");
}

/* 0, or -1 if any input was not as it should be. */
static int
add_input(struct settings *s, char *const *path, bool base)
{
	struct ht_load load = {.query = &s->query};
	struct ht_prof prof = {0};
	int rc = ht_load(&load, path, &prof);

	say_notices(&prof, load.left_out);
	folded_add(&s->folded, &prof, base);
	ht_prof_release(&prof);
	return rc;
}

static int
run(struct settings *s, char *const *path)
{
	int rc = 0;

	if (s->base[0])
		rc = add_input(s, s->base, true);
	return rc | add_input(s, path, false);
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

	ht_set_name("ht-fold");
	ht_out_sigpipe();
	parse_options(&o, &s);
	status = run(&s, argv + o.index) < 0 ? HT_FAILED : HT_OK;
	/* Not before: the output may be one of the inputs. */
	out = ht_out_open(s.output, ht_out_codec(s.output), 0, &err);
	if (out == NULL)
		ht_die(HT_FAILED, "%s", err.text);
	folded_print(&s.folded, out, s.base[0] != NULL);
	if (ht_out_finish(out) < 0)
		status = HT_FAILED;
	folded_release(&s.folded);
	ht_query_release(&s.query);
	return status;
}
