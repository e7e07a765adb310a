/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "libht/in.h"
#include "libht/out.h"
#include "libht/str.h"

/* Input from bytes in memory, by way of a file without a name. */
static struct ht_in *
from(const void *bytes, size_t len)
{
	char path[] = "/tmp/ht-unit-in.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, bytes, len), len);
	lseek(fd, 0, SEEK_SET);
	return ht_in_fd(fd, "file");
}

static void
compress(struct ht_str *to, enum ht_codec codec, const char *bytes, size_t n)
{
	char path[] = "/tmp/ht-unit-in.XXXXXX", buf[65536];
	struct ht_out *out = ht_out_fd(mkstemp(path), path, codec, 0);
	FILE *f;

	ht_out_write(out, bytes, n);
	assert_int_equal(ht_out_close(out, NULL), 0);
	f = fopen(path, "r");
	while ((n = fread(buf, 1, sizeof(buf), f)))
		ht_str_add(to, buf, n);
	fclose(f);
	unlink(path);
}

static void
next_is(struct ht_in *in, const char *want, uint64_t lineno)
{
	char *line;
	size_t len;

	assert_int_equal(ht_in_line(in, &line, &len), 1);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(line, want, len);
	assert_int_equal(ht_in_lineno(in), lineno);
}

static void
ends(struct ht_in *in, int rc, bool truncated)
{
	char *line;
	size_t len;

	assert_int_equal(ht_in_line(in, &line, &len), rc);
	assert_int_equal(ht_in_line(in, &line, &len), 0);
	assert_int_equal(ht_in_line(in, &line, &len), 0);
	assert_int_equal(ht_in_truncated(in), truncated);
	ht_in_close(in);
}

static void
lines(void **state)
{
	struct ht_in *in = from("one\n\nthree\n", 11);

	(void)state;
	next_is(in, "one", 1);
	next_is(in, "", 2);
	next_is(in, "three", 3);
	ends(in, 0, false);
	ends(from("", 0), 0, false);
	in = from("one\ncut", 7);
	next_is(in, "one", 1);
	next_is(in, "cut", 2);
	ends(in, 0, true);
	/* What looks like the start of something compressed. */
	in = from("(\n", 2);
	next_is(in, "(", 1);
	ends(in, 0, false);
	in = from("P", 1);
	next_is(in, "P", 1);
	ends(in, 0, true);
}

static void
blocks_and_unget(void **state)
{
	struct ht_in *in = from("one\ntwo\nthree\nfour\n", 19);
	char *start, *end;

	(void)state;
	assert_int_equal(ht_in_block(in, 9, &start, &end), 1);
	assert_int_equal(end - start, 8);
	ht_in_unget(in, start + 4);
	assert_int_equal(ht_in_block(in, 3, &start, &end), 1);
	assert_memory_equal(start, "two\n", 4);
	assert_int_equal(end - start, 4);
	assert_int_equal(ht_in_lineno(in), 2);
	assert_int_equal(ht_in_block(in, 0, &start, &end), 1);
	assert_int_equal(end - start, 11);
	assert_int_equal(ht_in_lineno(in), 3);
	ends(in, 0, false);
}

/* Lines of many lengths, so that each kind of border falls inside one. */
static void
make_lines(struct ht_str *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		ht_str_addf(s, "%u ", i);
		for (unsigned k = i * 7919 % 300; k; k--)
			ht_str_addc(s, (char)('a' + k % 26));
		ht_str_addc(s, '\n');
	}
}

static void
check_lines(struct ht_in *in, const struct ht_str *s, unsigned n)
{
	const char *p = s->data;
	char *start, *end;

	while (ht_in_block(in, 0, &start, &end) > 0) {
		assert_true(end[-1] == '\n');
		assert_memory_equal(p, start, (size_t)(end - start));
		p += end - start;
	}
	assert_int_equal(p - s->data, s->len);
	assert_int_equal(ht_in_lineno(in), n + 1);
	ends(in, 0, false);
}

static void
compressed(void **state)
{
	struct ht_str text = {0};
	size_t cut;

	(void)state;
	make_lines(&text, 20000);
	check_lines(from(text.data, text.len), &text, 20000);
	cut = text.len / 2; /* in mid-line: members know no lines */
	for (int a = HT_GZIP; a <= HT_ZSTD; a++) {
		for (int b = HT_GZIP; b <= HT_ZSTD; b++) {
			struct ht_str all = {0};

			compress(&all, a, text.data, cut);
			compress(&all, b, text.data + cut, text.len - cut);
			check_lines(from(all.data, all.len), &text, 20000);
			ht_str_add(&all, "\0\0\0\0\0", 5);
			check_lines(from(all.data, all.len), &text, 20000);
			ht_str_release(&all);
		}
	}
	ht_str_release(&text);
}

static void
cut_short(void **state)
{
	struct ht_str text = {0};

	(void)state;
	make_lines(&text, 20000);
	for (int codec = HT_GZIP; codec <= HT_ZSTD; codec++) {
		struct ht_str all = {0};
		size_t drop[] = {1, 5, 1000, 0, 0};
		char *start, *end;

		compress(&all, codec, text.data, text.len);
		drop[3] = all.len - 1;
		drop[4] = all.len - 3;
		for (size_t i = 0; i < HT_LEN(drop); i++) {
			struct ht_in *in = from(all.data, all.len - drop[i]);
			const char *p = text.data;
			int rc;

			while ((rc = ht_in_block(in, 0, &start, &end)) > 0) {
				assert_memory_equal(
				    p, start, (size_t)(end - start));
				p += end - start;
			}
			assert_int_equal(rc, -1);
			assert_string_equal(ht_in_error(in)->text,
			    "file: the compressed stream is cut short");
			ends(in, 0, true);
		}
		ht_str_release(&all);
	}
	ht_str_release(&text);
}

static void
garbage_behind(void **state)
{
	(void)state;
	for (int codec = HT_GZIP; codec <= HT_ZSTD; codec++) {
		struct ht_str all = {0};
		struct ht_in *in;

		compress(&all, codec, "one\n", 4);
		ht_str_addz(&all, "text");
		in = from(all.data, all.len);
		next_is(in, "one", 1);
		ends(in, -1, false);
		ht_str_release(&all);
	}
}

static void
broken_inside(void **state)
{
	struct ht_str text = {0};

	(void)state;
	make_lines(&text, 20000);
	for (int codec = HT_GZIP; codec <= HT_ZSTD; codec++) {
		struct ht_str all = {0};
		struct ht_in *in;
		char *start, *end;
		int rc;

		compress(&all, codec, text.data, text.len);
		for (size_t i = 0; i < 64; i++)
			all.data[all.len / 2 + i] ^= 0x5a;
		in = from(all.data, all.len);
		while ((rc = ht_in_block(in, 0, &start, &end)) > 0)
			;
		assert_int_equal(rc, -1);
		assert_non_null(strstr(ht_in_error(in)->text, "broken"));
		ht_in_close(in);
		ht_str_release(&all);
	}
	ht_str_release(&text);
}

static void
long_lines(void **state)
{
	struct ht_str s = {0};

	(void)state;
	for (int more = 0; more < 2; more++) {
		size_t n = HT_LINE_MAX + (size_t)more;
		struct ht_in *in;
		char *line, *big = malloc(n);
		size_t len;

		memset(big, 'x', n);
		ht_str_clear(&s);
		ht_str_addz(&s, "first\n");
		ht_str_add(&s, big, n);
		ht_str_addz(&s, "\nthird\n");
		ht_str_add(&s, big, n);
		in = from(s.data, s.len);
		next_is(in, "first", 1);
		assert_int_equal(ht_in_line(in, &line, &len), more ? -1 : 1);
		if (more)
			assert_string_equal(ht_in_error(in)->text,
			    "file:2: a line is longer than 1 MiB");
		else
			assert_int_equal(len, n);
		next_is(in, "third", 3);
		ends(in, more ? -1 : 1, true);
		free(big);
	}
	ht_str_release(&s);
}

/* What a live pipe has is handed out at once, compressed or not. */
static void
live_pipe(void **state)
{
	(void)state;
	for (int codec = HT_PLAIN; codec <= HT_GZIP; codec++) {
		struct ht_str member = {0};
		struct ht_in *in;
		int p[2];

		compress(&member, codec, "one\nt", 5);
		assert_int_equal(pipe(p), 0);
		in = ht_in_fd(p[0], "pipe");
		assert_true(ht_in_would_block(in));
		assert_int_equal(
		    write(p[1], member.data, member.len), member.len);
		next_is(in, "one", 1);
		assert_true(ht_in_would_block(in));
		ht_str_clear(&member);
		compress(&member, codec, "wo\n", 3);
		assert_int_equal(
		    write(p[1], member.data, member.len), member.len);
		next_is(in, "two", 2);
		if (codec == HT_PLAIN) {
			close(p[1]);
			ends(in, 0, false);
		} else {
			/* Closed while the thread waits for more. */
			ht_in_close(in);
			close(p[1]);
		}
		ht_str_release(&member);
	}
}

static void
cannot_open(void **state)
{
	struct ht_error err = {0};

	(void)state;
	assert_null(ht_in_open("/nonexistent/x", &err));
	assert_string_equal(err.text,
	    "cannot open '/nonexistent/x': No such file or directory");
	/* A directory opens but does not read. */
	ends(ht_in_open("/", &err), -1, false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines),
	    cmocka_unit_test(blocks_and_unget),
	    cmocka_unit_test(compressed),
	    cmocka_unit_test(cut_short),
	    cmocka_unit_test(garbage_behind),
	    cmocka_unit_test(broken_inside),
	    cmocka_unit_test(long_lines),
	    cmocka_unit_test(live_pipe),
	    cmocka_unit_test(cannot_open),
	};

	return cmocka_run_group_tests_name("in", tests, NULL, NULL);
}
