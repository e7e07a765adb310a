/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libht/evwrite.h"

/* Room for `max` bytes is left; returns how many it took. */
static size_t
put_escaped(struct ht_out *out, const char *text, size_t len, size_t max)
{
	size_t i, cut = len < max ? len : max;

	for (i = 0; i < cut; i++) {
		char c = text[i];

		ht_out_need(out, 2);
		if (ht_likely(c != '\n' && c != '\0' && c != '\\')) {
			*out->p++ = c;
			continue;
		}
		*out->p++ = '\\';
		*out->p++ = c == '\n' ? 'n' : c == '\0' ? '0' : '\\';
	}
	if (cut < len)
		ht_out_write(out, "\xe2\x80\xa6", 3);
	return cut;
}

void
ht_evwrite_rest(struct ht_out *out, const char *text, size_t len)
{
	put_escaped(out, text, len, HT_TEXT_MAX);
	ht_out_char(out, '\n');
}

static void
put_argv(struct ht_out *out, char *const argv[])
{
	size_t i, left = HT_TEXT_MAX;

	for (i = 0; argv[i]; i++) {
		size_t took, len = strlen(argv[i]);

		if (i > 0)
			ht_out_char(out, ' ');
		took = put_escaped(out, argv[i], len, left);
		if (took < len)
			break;
		left -= took;
	}
}

void
ht_evwrite_command(struct ht_out *out, char *const argv[])
{
	ht_out_write(out, "X ", 2);
	put_argv(out, argv);
	ht_out_char(out, '\n');
}

void
ht_evwrite_tool(struct ht_out *out, const char *tool, char *const argv[])
{
	ht_out_write(out, "#H ", 3);
	ht_out_sized(out, tool, strlen(tool), HT_TEXT_MAX);
	if (argv) {
		ht_out_char(out, ' ');
		put_argv(out, argv);
	}
	ht_out_char(out, '\n');
}

void
ht_evwrite_suppression(struct ht_out *out, const char *text, size_t len)
{
	ht_out_write(out, "S ", 2);
	ht_evwrite_rest(out, text, len);
}

void
ht_evwrite_build_id(struct ht_out *out, const void *id, size_t len,
    const char *path, size_t path_len)
{
	static const char digit[] = "0123456789abcdef";
	const unsigned char *b = id;
	size_t i;

	ht_out_write(out, "#B ", 3);
	ht_out_hex(out, 2 * len);
	ht_out_char(out, ' ');
	for (i = 0; i < len; i++) {
		ht_out_char(out, digit[b[i] >> 4]);
		ht_out_char(out, digit[b[i] & 15]);
	}
	ht_out_char(out, ' ');
	ht_out_sized(out, path, path_len, HT_TEXT_MAX);
	ht_out_char(out, '\n');
}

void
ht_evwrite_process(
    struct ht_out *out, uint32_t pid, uint32_t parent, uint64_t start)
{
	ht_evwrite_line(out, "#P", 3, pid, parent, start, 0);
}

void
ht_evwrite_thread(struct ht_out *out, uint32_t thread, uint32_t tid,
    const char *name, size_t len)
{
	ht_evwrite_line(out, "#T", 2, thread, tid, 0, 0);
	if (name == NULL)
		return;
	out->p[-1] = ' ';
	ht_out_sized(out, name, len, HT_TEXT_MAX);
	ht_out_char(out, '\n');
}

void
ht_evwrite_kind(
    struct ht_out *out, uint32_t stack, const char *kind, size_t len)
{
	ht_evwrite_line(out, "#K", 1, stack, 0, 0, 0);
	out->p[-1] = ' ';
	ht_evwrite_rest(out, kind, len);
}

void
ht_evwrite_mark(struct ht_out *out, const char *text, size_t len)
{
	ht_out_write(out, "#M ", 3);
	ht_out_sized(out, text, len, HT_TEXT_MAX);
	ht_out_char(out, '\n');
}

void
ht_evwrite_end(struct ht_out *out, enum ht_end end, uint64_t value)
{
	switch (end) {
	case HT_END_EXIT:
		ht_evwrite_line(out, "#E exit", 1, value, 0, 0, 0);
		break;
	case HT_END_SIGNAL:
		ht_evwrite_line(out, "#E signal", 1, value, 0, 0, 0);
		break;
	case HT_END_EXEC:
		ht_evwrite_line(out, "#E exec", 0, 0, 0, 0, 0);
		break;
	case HT_END_DETACHED:
		ht_evwrite_line(out, "#E detached", 0, 0, 0, 0, 0);
		break;
	case HT_END_STOPPED:
		ht_evwrite_line(out, "#E stopped", 0, 0, 0, 0, 0);
		break;
	case HT_END_NONE:
	case HT_END_TRUNCATED:
		break;
	}
}
