/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "libht/in.h"
#include "libht/out.h"

static char path[64];

static struct ht_out *
create(enum ht_codec codec)
{
	int fd;

	strcpy(path, "/tmp/ht-unit-out.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	return ht_out_fd(fd, path, codec, 0);
}

/* Lines of rising numbers, enough for many blocks. */
static void
fill(struct ht_out *out, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		ht_out_need(out, 32);
		*out->p++ = '+';
		*out->p++ = ' ';
		ht_out_hex(out, i);
		ht_out_char(out, '\n');
	}
}

static void
check(unsigned n)
{
	struct ht_error err = {0};
	struct ht_in *in = ht_in_open(path, &err);
	char *line, want[32];
	size_t len;
	unsigned i = 0;

	assert_non_null(in);
	while (ht_in_line(in, &line, &len) > 0) {
		int w = snprintf(want, sizeof(want), "+ %x", i++);

		assert_int_equal(len, w);
		assert_memory_equal(line, want, len);
	}
	assert_int_equal(i, n);
	assert_string_equal(ht_in_error(in)->text, "");
	assert_false(ht_in_truncated(in));
	ht_in_close(in);
	unlink(path);
}

static void
round_trips(void **state)
{
	static const enum ht_codec codec[] = {
	    HT_PLAIN, HT_PLAIN, HT_GZIP, HT_ZSTD};

	(void)state;
	for (size_t i = 0; i < HT_LEN(codec); i++) {
		struct ht_out *out = create(codec[i]);

		if (i == 1)
			assert_int_equal(ht_out_threaded(out), 0);
		fill(out, 600000);
		assert_false(ht_out_failed(out));
		assert_int_equal(ht_out_close(out, NULL), 0);
		check(600000);
	}
}

static void
empty_is_valid(void **state)
{
	(void)state;
	for (int codec = HT_PLAIN; codec <= HT_ZSTD; codec++) {
		assert_int_equal(ht_out_close(create(codec), NULL), 0);
		check(0);
	}
}

static void
full_disk_is_sticky(void **state)
{
	(void)state;
	for (int codec = HT_PLAIN; codec <= HT_ZSTD; codec++) {
		struct ht_error err = {0};
		struct ht_out *out = ht_out_open("/dev/full", codec, 0, &err);

		assert_non_null(out);
		fill(out, 2000000);
		assert_int_equal(ht_out_close(out, &err), -1);
		assert_string_equal(err.text,
		    "cannot write '/dev/full': No space left on device");
	}
}

static void
closed_pipe_is_quiet(void **state)
{
	(void)state;
	ht_out_sigpipe();
	for (int threaded = 0; threaded < 2; threaded++) {
		struct ht_error err = {0};
		struct ht_out *out;
		int p[2];

		assert_int_equal(pipe(p), 0);
		close(p[0]);
		out = ht_out_fd(p[1], "pipe", HT_PLAIN, 0);
		if (threaded)
			ht_out_threaded(out);
		fill(out, 2000000);
		assert_true(ht_out_failed(out));
		assert_true(ht_out_epipe(out));
		assert_int_equal(ht_out_close(out, &err), -1);
		assert_string_equal(err.text, "");
	}
}

/* A pipe that nobody reads yet holds 1 MiB; the thread takes the rest. */
static void
thread_takes_what_the_pipe_does_not(void **state)
{
	struct ht_out *out;
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	out = ht_out_fd(p[1], "pipe", HT_PLAIN, 0);
	assert_int_equal(ht_out_threaded(out), 0);
	fill(out, 300000);
	ht_out_flush(out);
	close(p[0]);
	assert_int_equal(ht_out_close(out, NULL), -1);
}

static void
sized_strings(void **state)
{
	struct ht_out *out = create(HT_PLAIN);
	char text[256], big[70000];
	FILE *f;
	size_t n;

	(void)state;
	ht_out_sized(out, "a b", 3, 65536);
	ht_out_char(out, ';');
	ht_out_sized(out, "x\ny\0z\\", 6, 65536);
	ht_out_char(out, ';');
	ht_out_sized(out, "", 0, 65536);
	ht_out_char(out, ';');
	ht_out_sized(out, "gr\xc3\xbc\xc3\x9f", 6, 3);
	ht_out_char(out, ';');
	ht_out_sized(out, "12345", 5, 5);
	ht_out_printf(out, ";%s;", "f");
	assert_int_equal(ht_out_close(out, NULL), 0);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	assert_string_equal(
	    text, "3 a b;9 x\\ny\\0z\\\\;0 ;5 gr\xe2\x80\xa6;5 12345;f;");
	unlink(path);
	memset(big, 'b', sizeof(big));
	out = create(HT_PLAIN);
	ht_out_sized(out, big, sizeof(big), 65536);
	ht_out_char(out, '\n');
	assert_int_equal(ht_out_close(out, NULL), 0);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%zx", &n), 1);
	assert_int_equal(n, 65536 + 3);
	fclose(f);
	unlink(path);
}

static void
names_choose_the_codec(void **state)
{
	(void)state;
	assert_int_equal(ht_out_codec("a.gz"), HT_GZIP);
	assert_int_equal(ht_out_codec("a.zst"), HT_ZSTD);
	assert_int_equal(ht_out_codec("a.ht"), HT_PLAIN);
	assert_int_equal(ht_out_codec(".gz"), HT_PLAIN);
	assert_int_equal(ht_out_codec(NULL), HT_PLAIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(round_trips),
	    cmocka_unit_test(empty_is_valid),
	    cmocka_unit_test(full_disk_is_sticky),
	    cmocka_unit_test(closed_pipe_is_quiet),
	    cmocka_unit_test(thread_takes_what_the_pipe_does_not),
	    cmocka_unit_test(sized_strings),
	    cmocka_unit_test(names_choose_the_codec),
	};

	return cmocka_run_group_tests_name("out", tests, NULL, NULL);
}
