/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "ht-symbolize/filter.h"
#include "libht/err.h"
#include "libht/mem.h"
#include "libht/opt.h"
#include "libht/str.h"

static const char usage[] =
    "usage: ht-symbolize [-q] [-o FILE] [--sysroot DIR]"
    " [--debug-path DIR[:DIR]…]\n"
    "                    [--extra-path DIR[:DIR]…] [FILE…]\n"
    "\n"
    "Puts names to the addresses of a trace: functions, files, lines.\n"
    "\n"
    "  -o, --output FILE      write to FILE (.gz, .zst: compressed), not to"
    " stdout\n"
    "      --sysroot DIR      the traced machine's files are below DIR\n"
    "      --debug-path DIR   also look in DIR for separate debug files\n"
    "      --extra-path DIR   also look in DIR for modules, first of all\n"
    "  -q, --quiet            no notes\n"
    "  -h, --help             this text\n"
    "  -V, --version          the versions of the tool and of the format\n";

enum { OPT_SYSROOT = 256, OPT_DEBUG_PATH, OPT_EXTRA_PATH };

static const struct ht_opt options[] = {
    {"output", 'o', true},
    {"sysroot", OPT_SYSROOT, true},
    {"debug-path", OPT_DEBUG_PATH, true},
    {"extra-path", OPT_EXTRA_PATH, true},
    {"quiet", 'q', false},
    {NULL, 0, false},
};

struct settings {
	const char *output;
	struct locate locate;
	size_t debug_count, extra_count;
};

/* Appends the directories of `path` to a list that ends with NULL. */
static void
add_path(char ***list, size_t *count, const char *path)
{
	for (;;) {
		size_t len = strcspn(path, ":");

		if (len) {
			*list = ht_realloc(*list, *count + 2, sizeof(**list));
			(*list)[(*count)++] = ht_memdup(path, len);
			(*list)[*count] = NULL;
		}
		if (!path[len])
			return;
		path += len + 1;
	}
}

static void
read_options(struct ht_opts *o, struct settings *s)
{
	struct ht_str standard = {0};
	int c;

	s->locate.sysroot = "";
	s->locate.extra = ht_calloc(1, sizeof(char *));
	while ((c = ht_opt_next(o)) != -1) {
		if (c == 'o')
			s->output = o->value;
		else if (c == 'q')
			ht_set_quiet(true);
		else if (c == OPT_SYSROOT)
			s->locate.sysroot = o->value;
		else if (c == OPT_DEBUG_PATH)
			add_path(&s->locate.debug, &s->debug_count, o->value);
		else
			add_path(&s->locate.extra, &s->extra_count, o->value);
	}
	ht_str_addf(&standard, "%s/usr/lib/debug", s->locate.sysroot);
	s->locate.debug =
	    ht_realloc(s->locate.debug, s->debug_count + 2, sizeof(char *));
	s->locate.debug[s->debug_count] = standard.data;
	s->locate.debug[s->debug_count + 1] = NULL;
}

static void
free_list(char **list)
{
	for (size_t i = 0; list[i]; i++)
		free(list[i]);
	free(list);
}

/* The output must not be one of the inputs: it is truncated. */
static void
check_output(const char *output, char *const *input)
{
	struct stat out, in;

	if (!output || !strcmp(output, "-") || stat(output, &out) ||
	    !S_ISREG(out.st_mode))
		return;
	for (; *input; input++)
		if (!stat(*input, &in) && in.st_dev == out.st_dev &&
		    in.st_ino == out.st_ino)
			ht_die(
			    HT_USAGE, "'%s' is both input and output", output);
}

static bool
one_input(struct filter *f, const char *path, int *status)
{
	struct ht_error err = {0};
	struct ht_in *in = ht_in_open(path, &err);
	bool more;

	if (!in) {
		ht_warn("%s", err.text);
		*status = HT_FAILED;
		return true;
	}
	more = filter_run(f, in);
	ht_in_close(in);
	return more;
}

/* Two descriptors for each module: more than the usual limit at times. */
static void
raise_limit(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

int
main(int argc, char **argv)
{
	struct ht_opts o = {
	    .argc = argc, .argv = argv, .usage = usage, .opt = options};
	struct settings s = {0};
	struct ht_error err = {0};
	struct ht_out *out;
	struct filter *f;
	int status = HT_OK;

	ht_set_name("ht-symbolize");
	read_options(&o, &s);
	argv += o.index;
	check_output(s.output, argv);
	ht_out_sigpipe();
	raise_limit();
	unsetenv("DEBUGINFOD_URLS"); /* nothing is asked of the network */
	out = ht_out_open(s.output, ht_out_codec(s.output), 1, &err);
	if (!out)
		ht_die(HT_FAILED, "%s", err.text);
	f = filter_new(out, &s.locate);
	if (!*argv)
		one_input(f, NULL, &status);
	while (*argv && one_input(f, *argv, &status))
		argv++;
	if (filter_free(f))
		status = HT_FAILED;
	if (ht_out_finish(out) < 0)
		status = HT_FAILED;
	free_list(s.locate.debug);
	free_list(s.locate.extra);
	return status;
}
