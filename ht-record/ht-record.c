/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ht-record/attach.h"
#include "ht-record/job.h"
#include "ht-record/program.h"
#include "ht-record/statistics.h"
#include "ht-record/sink.h"
#include "libht/mem.h"
#include "libht/num.h"
#include "libht/opt.h"
#include "libht/str.h"
#include "libht/weight.h"

static const char usage[] =
    "usage: ht-record [-q] [-o FILE] [--buffer SIZE] [--interval MS]\n"
    "                 [--addresses] [--lossy] [--unwind NAME]\n"
    "                 [--delay TIME] [--follow] [--sample BYTES]\n"
    "                 [--usable] [--mmap]\n"
    "                 PROGRAM [ARG...]\n"
    "       ht-record -p PID [--duration TIME] [OPTION...]\n"
    "\n"
    "Records every heap allocation of PROGRAM, or of a process that runs\n"
    "already, with the stack that made it.\n"
    "\n"
    "  -o, --output FILE   write the trace there (.gz and .zst compress);\n"
    "                      the program keeps its stdout\n"
    "  -p, --pid PID       attach to this process, and leave it as it was on\n"
    "                      Ctrl-C or when the time is over\n"
    "      --duration TIME how long to record it (s, unless ms, m or h is\n"
    "                      said)\n"
    "      --follow        record children too, each into a file of its own\n"
    "      --sample BYTES  record one block for so many bytes, on average:\n"
    "                      all numbers become estimates\n"
    "      --delay TIME    how long to wait before allocations are recorded\n"
    "  -q, --quiet         no statistics at the end\n"
    "      --buffer SIZE   of the ring to the program (default 16M)\n"
    "      --interval MS   between two ticks of the clock (default 10)\n"
    "      --addresses     write the address of each block\n"
    "      --lossy         drop events rather than let the program wait\n"
    "      --usable        record how much of each block can be used\n"
    "      --mmap          record maps of memory, too: mmap, brk and the like\n"
    "      --unwind NAME   how stacks are captured: rules or libunwind\n"
    "  -h, --help          this text\n"
    "  -V, --version       versions of the tool and of the format\n"
    "\n"
    "In FILE, %p becomes the pid and %n the name of the program.\n"
    "Without -o the trace goes to stdout and the program's stdout to stderr.\n"
    "If stdout is a terminal the whole job is done: the trace is symbolised\n"
    "and compressed into ht.PROGRAM.PID.gz.\n";

struct options {
	struct ht_job_options job;
	const char *output;
	bool quiet, follow;
};

/* A time in seconds, unless its unit is named. */
static uint64_t
seconds(struct ht_opts *opts)
{
	char with_unit[64];
	size_t len = strlen(opts->value);

	if (len > 0 && len < sizeof with_unit - 2 &&
	    strspn(opts->value, "0123456789") == len) {
		strcpy(stpcpy(with_unit, opts->value), "s");
		opts->value = with_unit;
	}
	return ht_opt_num(opts, HT_UNIT_TIME, 1, UINT64_C(1) << 40);
}

static void
check_output(struct ht_opts *opts, const struct options *o)
{
	struct ht_error err = {""};

	if (o->output && ht_sink_check(o->output, o->follow, &err) == -1)
		ht_opt_fail(opts, "%s", err.text);
	if (o->follow && !o->output && !isatty(STDOUT_FILENO))
		ht_opt_fail(opts, "with --follow each process has a file of "
				  "its own: name them, as in -o 't.%%p.zst'");
}

static void
parse(struct options *o, int argc, char *argv[])
{
	enum {
		BUFFER = 256,
		INTERVAL,
		ADDRESSES,
		LOSSY,
		UNWIND,
		DURATION,
		DELAY,
		FOLLOW,
		SAMPLE,
		USABLE,
		MMAP
	};
	static const struct ht_opt table[] = {
	    {"output", 'o', true},
	    {"pid", 'p', true},
	    {"duration", DURATION, true},
	    {"delay", DELAY, true},
	    {"follow", FOLLOW, false},
	    {"sample", SAMPLE, true},
	    {"quiet", 'q', false},
	    {"buffer", BUFFER, true},
	    {"interval", INTERVAL, true},
	    {"addresses", ADDRESSES, false},
	    {"lossy", LOSSY, false},
	    {"unwind", UNWIND, true},
	    {"usable", USABLE, false},
	    {"mmap", MMAP, false},
	    {NULL, 0, false},
	};
	static const char *const unwinders[] = {"rules", "libunwind", NULL};
	struct ht_opts opts = {
	    .argc = argc,
	    .argv = argv,
	    .usage = usage,
	    .opt = table,
	    .stop_at_operand = true,
	};
	int c;

	while ((c = ht_opt_next(&opts)) != -1) {
		if (c == 'o')
			o->output = strcmp(opts.value, "-") ? opts.value : NULL;
		else if (c == 'q')
			o->quiet = true;
		else if (c == 'p')
			o->job.pid =
			    (pid_t)ht_opt_num(&opts, HT_UNIT_NONE, 1, INT_MAX);
		else if (c == DURATION)
			o->job.duration_ms = seconds(&opts);
		else if (c == DELAY)
			o->job.delay_ms = seconds(&opts);
		else if (c == FOLLOW)
			o->follow = true;
		else if (c == SAMPLE)
			o->job.ring.sample = ht_opt_num(
			    &opts, HT_UNIT_SIZE, HT_SAMPLE_MIN, HT_SAMPLE_MAX);
		else if (c == BUFFER)
			o->job.ring.buffer = ht_opt_num(
			    &opts, HT_UNIT_SIZE, 64 << 10, UINT64_C(16) << 30);
		else if (c == INTERVAL)
			o->job.interval_ms =
			    (unsigned)ht_opt_num(&opts, HT_UNIT_TIME, 1, 60000);
		else if (c == ADDRESSES)
			o->job.trace.addresses = true;
		else if (c == LOSSY)
			o->job.ring.flags |= HT_RING_LOSSY;
		else if (c == USABLE)
			o->job.ring.flags |= HT_RING_USABLE;
		else if (c == MMAP)
			o->job.ring.flags |= HT_RING_MAPS;
		else if (c == UNWIND && ht_opt_choice(&opts, unwinders) == 1)
			o->job.ring.flags |= HT_RING_LIBUNWIND;
	}
	if (o->job.pid && opts.index < argc)
		ht_opt_fail(&opts,
		    "with -p the program runs already: '%s' is one argument "
		    "too many",
		    argv[opts.index]);
	if (o->job.pid && o->job.ring.flags & HT_RING_LIBUNWIND)
		ht_opt_fail(&opts, "--unwind libunwind is not for -p: it would "
				   "have to be loaded into the process");
	if (!o->job.pid && o->job.duration_ms)
		ht_opt_fail(&opts, "--duration is for -p");
	if (o->job.pid && o->follow)
		ht_opt_fail(&opts, "--follow is for a program that is started, "
				   "not for -p");
	check_output(&opts, o);
	if (!o->job.pid && opts.index >= argc)
		ht_opt_fail(&opts, "no program is named");
	o->job.program = argv + opts.index;
}

/* Of the samples; tests want to know it. */
static uint64_t
seed(void)
{
	const char *wanted = getenv("HT_SEED");
	uint64_t n = 0;

	if (wanted &&
	    ht_num_parse(wanted, HT_UNIT_NONE, 0, UINT64_MAX, &n) == 0)
		return n;
	if (getrandom(&n, sizeof n, 0) != sizeof n)
		n = (uint64_t)getpid() << 32 ^ (uint64_t)time(NULL);
	return n;
}

/* A file of the same installation, beside ht-record: to be freed. */
static char *
beside_us(const char *relative)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	struct ht_str s = {0};

	if (n == -1)
		ht_die(HT_CANNOT, "cannot find where ht-record lies");
	path[n] = '\0';
	*strrchr(path, '/') = '\0';
	ht_str_addf(&s, "%s/%s", path, relative);
	return s.data;
}

/* The image for a program that runs: to be freed. */
static char *
attach_library(void)
{
	char *path = beside_us("../lib/libht-attach.so");
	char *real = realpath(path, NULL);

	if (!real)
		ht_die(
		    HT_FAILED, "cannot find '%s': %s", path, strerror(errno));
	free(path);
	return real;
}

/* The preload library, by a path that LD_PRELOAD can express: to be freed. */
static char *
library(void)
{
	char *path = beside_us("../lib/libht-preload.so");
	struct ht_str s = {0};
	char *real = realpath(path, NULL);
	int fd;

	if (!real)
		ht_die(
		    HT_CANNOT, "cannot find '%s': %s", path, strerror(errno));
	free(path);
	if (!strpbrk(real, ": \t"))
		return real;
	/* The separators of the list: go through a descriptor of ours. */
	fd = open(real, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		ht_die(HT_CANNOT, "cannot open '%s'", real);
	free(real);
	ht_str_addf(&s, "/proc/%d/fd/%d", (int)getpid(), fd);
	return s.data;
}

static void
start_follower(
    struct options *o, struct ht_follow *follow, const char *symbolize)
{
	struct ht_follow_output output = {o->output, symbolize};
	static struct ht_job_options child;
	struct ht_error err = {""};

	child = o->job;
	child.program = NULL;
	child.delay_ms = 0;
	if (ht_follow_start(follow, &child, &output, &err) == -1)
		ht_die(HT_CANNOT, "%s", err.text);
	o->job.follow = follow;
}

/* Waits for the children, and tells of them. */
static void
end_follower(struct ht_follow *follow, const char *name)
{
	size_t n;
	struct ht_followed *all = ht_follow_end(follow, name, &n);

	ht_report_followed(all, n);
	free(all);
}

int
main(int argc, char *argv[])
{
	struct options o = {
	    .job.ring.buffer = 16 << 20,
	    .job.interval_ms = 10,
	    .job.argv = argv,
	};
	struct ht_job_result result;
	struct ht_sink sink = {0};
	struct ht_error err = {""};
	struct ht_follow follow;
	struct ht_job *job;
	char *lib, *symbolize, *name;
	int status = 0, failed = HT_CANNOT;

	ht_set_name("ht-record");
	parse(&o, argc, argv);
	ht_found_note(&o.job.found);
	ht_set_quiet(o.quiet);
	if (o.job.pid) {
		failed = HT_FAILED;
		status = ht_attach_check(o.job.pid, &err) ? failed : 0;
	} else {
		status = ht_program_check(o.job.program[0], &err);
	}
	if (status)
		ht_die(status, "%s", err.text);
	name =
	    o.job.pid ? ht_attach_name(o.job.pid) : ht_strdup(o.job.program[0]);
	if (o.job.pid && ht_attach_other_root(o.job.pid))
		snprintf(sink.sysroot, sizeof sink.sysroot, "/proc/%d/root",
		    (int)o.job.pid);
	o.job.ring.seed = seed();
	if (getenv("HT_VERIFY") && *getenv("HT_VERIFY") == '1')
		o.job.ring.flags |= HT_RING_VERIFY;
	if (getenv("HT_UNPROVED") && *getenv("HT_UNPROVED") == '1')
		o.job.ring.flags |= HT_RING_UNPROVED;
	if (getenv("HT_LINK_MAP") && *getenv("HT_LINK_MAP") == '1')
		o.job.ring.flags |= HT_RING_LINK_MAP;
	lib = o.job.pid ? attach_library() : library();
	symbolize = beside_us("ht-symbolize");
	o.job.library = lib;
	sink.whole_job = !o.output && isatty(STDOUT_FILENO);
	if (o.follow)
		start_follower(&o, &follow, symbolize);
	job = ht_job_new(&o.job, !o.output && !sink.whole_job, &err);
	if (!job)
		ht_die(failed, "%s", err.text);
	if (ht_sink_open(&sink, o.output, symbolize, name, ht_job_pid(job),
		&err) == -1) {
		ht_job_free(job);
		ht_die(failed, "%s", err.text);
	}
	status = ht_job_run(job, sink.out, &result, &err);
	ht_sink_close(&sink);
	ht_job_free(job);
	if (status && o.follow)
		ht_follow_drop(&follow);
	if (status)
		ht_die(status, "%s", err.text);
	ht_report(&result, name, &sink);
	if (o.follow)
		end_follower(&follow, name);
	free(name);
	free(lib);
	free(symbolize);
	if (o.job.pid)
		return sink.failed ? HT_FAILED : HT_OK;
	return WIFSIGNALED(result.status) ? 128 + WTERMSIG(result.status)
					  : WEXITSTATUS(result.status);
}
