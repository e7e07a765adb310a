/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "libht/err.h"
#include "libht/opt.h"

static const struct ht_opt table[] = {{"output", 'o', true},
    {"quiet", 'q', false}, {"buffer", 256, true}, {NULL, 0, false}};

static struct ht_opts
opts(const char **argv, bool stop)
{
	struct ht_opts o = {.argv = (char **)argv,
	    .usage = "usage: x\n",
	    .opt = table,
	    .stop_at_operand = stop};

	while (argv[o.argc])
		o.argc++;
	return o;
}

static void
walks(void **state)
{
	const char *argv[] = {
	    "x", "-q", "file", "-o", "out", "--buffer=4k", "--", "-q", NULL};
	struct ht_opts o = opts(argv, false);

	(void)state;
	assert_int_equal(ht_opt_next(&o), 'q');
	assert_int_equal(ht_opt_next(&o), 'o');
	assert_string_equal(o.value, "out");
	assert_int_equal(ht_opt_next(&o), 256);
	assert_int_equal(ht_opt_num(&o, HT_UNIT_SIZE, 1, 1 << 20), 4096);
	assert_int_equal(ht_opt_next(&o), -1);
	assert_int_equal(o.index, 6);
	assert_string_equal(argv[6], "file");
	assert_string_equal(argv[7], "-q");
}

static void
stops_at_operand(void **state)
{
	const char *argv[] = {"x", "-q", "prog", "-o", NULL};
	struct ht_opts o = opts(argv, true);

	(void)state;
	assert_int_equal(ht_opt_next(&o), 'q');
	assert_int_equal(ht_opt_next(&o), -1);
	assert_int_equal(o.index, 2);
}

/* Runs the options in a child; what it wrote to fd, and its status. */
static int
child(const char **argv, int fd, char *text, size_t size)
{
	int p[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (!pid) {
		struct ht_opts o = opts(argv, false);
		int c;

		dup2(p[1], fd);
		ht_set_name("x");
		while ((c = ht_opt_next(&o)) != -1)
			if (c == 256)
				ht_opt_num(&o, HT_UNIT_SIZE, 4096, 1 << 30);
			else if (c == 'o')
				ht_opt_choice(
				    &o, (const char *const[]){"a", "b", NULL});
		_exit(0);
	}
	close(p[1]);
	n = read(p[0], text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(p[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
complains(void **state)
{
	static const struct {
		const char *arg[4], *want;
	} t[] = {
	    {{"--colour"}, "x: unknown option '--colour'\n"},
	    {{"-q", "-Z"}, "x: unknown option '-Z'\n"},
	    {{"--quiet", "-Zq"}, "x: unknown option '-Z'\n"},
	    {{"file", "--nope"}, "x: unknown option '--nope'\n"},
	    {{"-o"}, "x: option '-o' wants a value\n"},
	    {{"--output"}, "x: option '--output' wants a value\n"},
	    {{"--quiet=1"}, "x: option '--quiet' takes no value\n"},
	    {{"--help=1"}, "x: option '-h' takes no value\n"},
	    {{"--buffer", "1"},
		"x: --buffer: '1' is not a size (k, M, G) from 4k to 1G\n"},
	    {{"-o", "c"}, "x: --output: 'c' is not one of a, b\n"},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < HT_LEN(t); i++) {
		const char *argv[6] = {"x"};

		for (int k = 0; k < 4 && t[i].arg[k]; k++)
			argv[k + 1] = t[i].arg[k];
		assert_int_equal(child(argv, 2, text, sizeof(text)), 2);
		assert_memory_equal(text, t[i].want, strlen(t[i].want));
	}
}

static void
help_and_version(void **state)
{
	const char *help[] = {"x", "-h", NULL},
		   *version[] = {"x", "--version", NULL};
	char text[512];

	(void)state;
	assert_int_equal(child(help, 1, text, sizeof(text)), 0);
	assert_string_equal(text, "usage: x\n");
	assert_int_equal(child(version, 1, text, sizeof(text)), 0);
	assert_string_equal(text, "x " HT_VERSION " (format 3)\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(walks),
	    cmocka_unit_test(stops_at_operand),
	    cmocka_unit_test(complains),
	    cmocka_unit_test(help_and_version),
	};

	return cmocka_run_group_tests_name("opt", tests, NULL, NULL);
}
