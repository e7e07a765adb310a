/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "ht-record/statistics.h"
#include "libht/fmt.h"
#include "libht/str.h"

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void
how_it_ended(
    struct ht_str *text, const struct ht_job_result *r, const char *name)
{
	struct ht_fmt took = ht_fmt_ms(r->ms);

	if (r->pid && (r->detached || r->status == -1 || r->unrecorded_exec))
		ht_str_addf(text, "%s (process %d) was recorded for %s%s", name,
		    (int)r->pid, took.s,
		    r->detached		 ? " and runs on"
		    : r->unrecorded_exec ? ", then executed another program"
					 : ", then ended");
	else if (WIFSIGNALED(r->status))
		ht_str_addf(text, "%s was killed by signal %d (%s) after %s",
		    name, WTERMSIG(r->status), strsignal(WTERMSIG(r->status)),
		    took.s);
	else
		ht_str_addf(text, "%s exited with %d after %s", name,
		    WEXITSTATUS(r->status), took.s);
}

/* The same where they are estimates. */
static void
estimates(struct ht_str *text, const struct ht_trace_stats *s)
{
	const struct {
		const char *name, *at;
		struct ht_fmt number, half;
	} row[] = {
	    {"allocations", NULL, ht_fmt_count(s->allocations),
		ht_fmt_count(ht_weight_95_blocks(s->all.blocks_var))},
	    {"temporary", NULL, ht_fmt_count(s->temporary),
		ht_fmt_count(ht_weight_95_blocks(s->temporarily.blocks_var))},
	    {"leaked", NULL, ht_fmt_bytes(s->leaked),
		ht_fmt_bytes(ht_weight_95(s->live.bytes_var))},
	    {"peak", ht_fmt_ms(s->peak_ms).s, ht_fmt_bytes(s->peak),
		ht_fmt_bytes(ht_weight_95(s->at_peak.bytes_var))},
	};
	int w = 0;

	ht_str_addf(text,
	    "\n  estimated from one block in %s:", ht_fmt_binary(s->sampled).s);
	for (size_t i = 0; i < HT_LEN(row); i++)
		w = (int)strlen(row[i].number.s) > w
			? (int)strlen(row[i].number.s)
			: w;
	for (size_t i = 0; i < HT_LEN(row); i++) {
		ht_str_addf(text, "\n  %-11s %*s ± %s", row[i].name, w,
		    row[i].number.s, row[i].half.s);
		if (row[i].at)
			ht_str_addf(text, " at %s", row[i].at);
	}
	if (s->peak_rss)
		ht_str_addf(text, ", peak RSS %s", ht_fmt_bytes(s->peak_rss).s);
}

/* The numbers, in columns that hold whatever their size. */
static void
numbers(struct ht_str *text, const struct ht_trace_stats *s)
{
	struct ht_fmt calls = ht_fmt_count(s->allocations);
	struct ht_fmt leaked = ht_fmt_bytes(s->leaked);
	struct ht_fmt peak = ht_fmt_bytes(s->peak);
	int w = (int)strlen(calls.s);

	w = (int)strlen(leaked.s) > w ? (int)strlen(leaked.s) : w;
	w = (int)strlen(peak.s) > w ? (int)strlen(peak.s) : w;
	ht_str_addf(text, "\n  allocations %*s    temporary %s", w, calls.s,
	    ht_fmt_count(s->temporary).s);
	if (s->allocations)
		ht_str_addf(text, " (%s %%)",
		    ht_fmt_percent(s->temporary, s->allocations).s);
	else
		ht_str_addz(text, "    (it called no function that is known to "
				  "allocate)");
	ht_str_addf(text, "\n  leaked      %*s    in %s block%s", w, leaked.s,
	    ht_fmt_count(s->leaked_blocks).s, s->leaked_blocks == 1 ? "" : "s");
	ht_str_addf(text, "\n  peak        %*s    at %s", w, peak.s,
	    ht_fmt_ms(s->peak_ms).s);
	if (s->peak_rss)
		ht_str_addf(text, ", peak RSS %s", ht_fmt_bytes(s->peak_rss).s);
}

static void
verification(struct ht_str *text, const struct ht_job_result *r)
{
	uint64_t all = r->verified + r->differences + r->unverifiable;

	if (!all)
		return;
	ht_str_addf(text,
	    "\nverified: %" PRIu64 " stacks, %" PRIu64 " differences", all,
	    r->differences);
	if (r->unverifiable)
		ht_str_addf(text,
		    " (%" PRIu64
		    " compared up to a frame without unwind information)",
		    r->unverifiable);
}

/* What the program has noticed of an attach. */
static void
attached(struct ht_str *text, const struct ht_job_result *r)
{
	if (!r->pid)
		return;
	ht_str_addf(text,
	    "\n  longest stop %" PRIu64 ".%" PRIu64 " ms    frees of blocks "
	    "not seen allocated %s",
	    r->stop_us / 1000, r->stop_us % 1000 / 100,
	    ht_fmt_count(r->stats.unseen).s);
	if (r->kept)
		ht_str_addz(text,
		    "\na thread of it was still in a hook: memory of the "
		    "recording stays mapped in it until another attach");
}

static void
next_step(struct ht_str *text, const struct ht_sink *sink)
{
	struct stat st;

	if (!sink->file || sink->failed || stat(sink->file, &st) == -1)
		return;
	ht_str_addf(text, "\nwritten to %s (%s). Look at it with:\n  ",
	    sink->file, ht_fmt_bytes((uint64_t)st.st_size).s);
	if (!sink->whole_job)
		ht_str_addf(text, "ht-symbolize %s%s%s%s | ht-top",
		    *sink->sysroot ? "--sysroot " : "", sink->sysroot,
		    *sink->sysroot ? " " : "", sink->file);
	else
		ht_str_addf(text, "ht-top %s", sink->file);
}

/* What of the program could not be recorded. */
static void
missing(const char *name, const char *note, const char *hidden)
{
	if (*note)
		ht_warn("not all of %s was recorded: %s", name, note);
	if (*hidden)
		ht_warn("%s has %s within, and is stripped, so the functions "
			"of that were not found: what it allocates by them is "
			"missing",
		    name, hidden);
}

static void
warnings(const struct ht_job_result *r, const char *name)
{
	const struct ht_trace_stats *s = &r->stats;

	if (!r->recorded)
		ht_warn("nothing of %s was recorded: %s", name,
		    *r->why ? r->why
			    : "the preload library did not get to run in it");
	else if (r->unrecorded_exec && !r->pid)
		ht_warn("%s executed another program, which could not be "
			"recorded",
		    name);
	missing(name, r->note, r->hidden ? r->hidden : "");
	if (s->lost)
		ht_warn("%s events were lost: all numbers are too small",
		    ht_fmt_count(s->lost).s);
	if (s->missed)
		ht_warn("%s frees were missed", ht_fmt_count(s->missed).s);
}

void
ht_report(const struct ht_job_result *r, const char *program,
    const struct ht_sink *sink)
{
	struct ht_str text = {0};
	char name[256];

	ht_escape(
	    name, sizeof name, base_name(program), strlen(base_name(program)));
	warnings(r, name);
	if (ht_quiet())
		return;
	ht_str_addz(&text, "ht-record: ");
	how_it_ended(&text, r, name);
	if (sink->failed)
		ht_str_addf(&text,
		    "\nrecorded for %s only, then the output was closed:",
		    ht_fmt_ms(r->stats.ms).s);
	if (r->stats.sampled)
		estimates(&text, &r->stats);
	else
		numbers(&text, &r->stats);
	attached(&text, r);
	verification(&text, r);
	next_step(&text, sink);
	ht_str_addc(&text, '\n');
	fwrite(text.data, 1, text.len, stderr);
	ht_str_release(&text);
}

/* ---- children that were followed -------------------------------------- */

#define LARGEST 10     /* shown by name */
#define TRIVIAL 100000 /* bytes at the peak: what libc alone may take */

struct sums {
	size_t recorded, refused, late, failed, trivial;
	uint64_t allocations, lost, verified, differences;
};

static struct sums
sum(const struct ht_followed *f, size_t n)
{
	struct sums s = {0};

	for (size_t i = 0; i < n; i++) {
		s.refused += f[i].refused;
		s.late += f[i].late;
		s.failed += f[i].failed;
		s.lost += f[i].stats.lost;
		if (!f[i].recorded)
			continue;
		s.recorded++;
		s.trivial += f[i].stats.peak < TRIVIAL;
		s.allocations += f[i].stats.allocations;
		s.verified += f[i].verified;
		s.differences += f[i].differences;
	}
	return s;
}

/* Recorded ones first, by their peaks; the pid decides. */
static int
larger(const void *a, const void *b)
{
	const struct ht_followed *x = a, *y = b;

	if (x->recorded != y->recorded)
		return x->recorded ? -1 : 1;
	if (x->stats.peak != y->stats.peak)
		return x->stats.peak > y->stats.peak ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static const char *
plural(size_t n)
{
	return n == 1 ? "" : "es";
}

static void
row(struct ht_str *text, const struct ht_followed *f, int width)
{
	char name[256], file[2048];

	ht_escape(name, sizeof name, f->name, strlen(f->name));
	ht_escape(file, sizeof file, f->file, strlen(f->file));
	ht_str_addf(text, "\n  %9s  %11s  %9s  %-*s  %s",
	    ht_fmt_bytes(f->stats.peak).s, ht_fmt_count(f->stats.allocations).s,
	    ht_fmt_bytes(f->stats.leaked).s, width, name, file);
}

static void
table(struct ht_str *text, const struct ht_followed *f, const struct sums *s)
{
	size_t shown = s->recorded < LARGEST ? s->recorded : LARGEST;
	int width = (int)strlen("program");

	for (size_t i = 0; i < shown; i++)
		if (strlen(f[i].name) > (size_t)width)
			width = (int)strlen(f[i].name);
	ht_str_addf(text, "\n  %9s  %11s  %9s  %-*s  %s", "peak", "allocations",
	    "leaked", width, "program", "file");
	for (size_t i = 0; i < shown; i++)
		row(text, &f[i], width);
	if (s->recorded > shown)
		ht_str_addf(text, "\n  and %s more, none with a higher peak",
		    ht_fmt_count(s->recorded - shown).s);
}

/* The same of a program is said once, however often it ran. */
static void
missing_of_followed(const struct ht_followed *f, size_t n)
{
	char name[256];

	for (size_t i = 0; i < n; i++) {
		size_t before = 0;

		if (!*f[i].note && !*f[i].hidden)
			continue;
		while (before < i && (strcmp(f[before].name, f[i].name) ||
					 strcmp(f[before].note, f[i].note) ||
					 strcmp(f[before].hidden, f[i].hidden)))
			before++;
		ht_escape(name, sizeof name, f[i].name, strlen(f[i].name));
		if (before == i)
			missing(name, f[i].note, f[i].hidden);
	}
}

void
ht_report_followed(struct ht_followed *f, size_t n)
{
	struct sums s = sum(f, n);
	struct ht_str text = {0};

	if (s.refused)
		ht_warn("%s process%s could not be recorded: at most %d can be "
			"at a time",
		    ht_fmt_count(s.refused).s, plural(s.refused),
		    HT_FOLLOW_MAX);
	if (s.late)
		ht_warn("%s process%s could not be recorded: the answer came "
			"too late, or no address space was left for the ring",
		    ht_fmt_count(s.late).s, plural(s.late));
	if (s.lost)
		ht_warn("%s events of children were lost: their numbers are "
			"too small",
		    ht_fmt_count(s.lost).s);
	missing_of_followed(f, n);
	if (ht_quiet())
		return;
	qsort(f, n, sizeof *f, larger);
	ht_str_addf(&text, "ht-record: followed %s process%s: %s allocations",
	    ht_fmt_count(s.recorded).s, plural(s.recorded),
	    ht_fmt_count(s.allocations).s);
	if (s.trivial)
		ht_str_addf(&text, "; %s never held as much as %s",
		    ht_fmt_count(s.trivial).s, ht_fmt_bytes(TRIVIAL).s);
	if (s.recorded)
		table(&text, f, &s);
	if (s.verified + s.differences)
		ht_str_addf(&text,
		    "\nverified: %" PRIu64 " stacks, %" PRIu64 " differences",
		    s.verified + s.differences, s.differences);
	ht_str_addc(&text, '\n');
	fwrite(text.data, 1, text.len, stderr);
	ht_str_release(&text);
}
