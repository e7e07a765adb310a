/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ht-top/watch.h"
#include "libht/in.h"
#include "libht/mem.h"
#include "libht/str.h"

#define ROWS_ELSE 24 /* where the terminal does not tell */

static bool painted;

static void
on_signal(int sig)
{
	(void)sig;
	ht_in_stop_following();
}

bool
watch_begin(const struct top *top)
{
	struct sigaction sa = {
	    .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	if (!top->query.follow)
		return false;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	return top->format == FORMAT_TEXT && isatty(STDOUT_FILENO);
}

static size_t
terminal_rows(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_row == 0)
		return ROWS_ELSE;
	return w.ws_row;
}

/* From the top left corner, each line to its end, and nothing below. */
static void
paint(const char *text, size_t len)
{
	size_t rows = terminal_rows() - 1;
	const char *end = text + len, *lf;
	struct ht_str s = {0};

	ht_str_addz(&s, painted ? "\033[H" : "\033[H\033[2J");
	for (; rows > 0 && text < end; rows--, text = lf + 1) {
		lf = memchr(text, '\n', (size_t)(end - text));
		if (lf == NULL)
			break;
		ht_str_add(&s, text, (size_t)(lf - text));
		ht_str_addz(&s, "\033[K\n");
	}
	ht_str_addz(&s, "\033[J");
	painted = true;
	for (text = s.data; s.len > 0;) {
		ssize_t n = write(STDOUT_FILENO, text, s.len);

		if (n <= 0)
			break;
		text += n;
		s.len -= (size_t)n;
	}
	ht_str_release(&s);
}

/* What was printed into a file. */
static void
paint_file(int fd)
{
	struct stat st;
	char *text;

	if (fstat(fd, &st) < 0 || st.st_size == 0)
		return;
	text = ht_malloc((size_t)st.st_size);
	if (pread(fd, text, (size_t)st.st_size, 0) == st.st_size)
		paint(text, (size_t)st.st_size);
	free(text);
}

void
watch_paint(void (*print)(void *arg, struct ht_out *out), void *arg)
{
	int fd = memfd_create("report", MFD_CLOEXEC), copy;
	struct ht_out *out;

	if (fd < 0)
		return;
	copy = dup(fd);
	out = ht_out_fd(fd, "report", HT_PLAIN, 0);
	print(arg, out);
	ht_out_close(out, NULL);
	if (copy >= 0) {
		paint_file(copy);
		close(copy);
	}
}

void
watch_end(struct ht_out *out)
{
	if (painted)
		ht_out_printf(out, "\033[H\033[J");
}
