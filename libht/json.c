/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "libht/err.h"
#include "libht/json.h"

/* What comes before a value: a comma, a line of its own, its key. */
static void
begin(struct ht_json *j, const char *key)
{
	if (j->more)
		ht_out_char(j->out, ',');
	if (j->depth && (j->inline_at == 0 || j->depth < j->inline_at))
		ht_out_printf(j->out, "\n%*s", (int)j->depth, "");
	else if (j->more)
		ht_out_char(j->out, ' ');
	if (key)
		ht_out_printf(j->out, "\"%s\": ", key);
	j->more = true;
}

void
ht_json_open(struct ht_json *j, const char *key, char bracket)
{
	begin(j, key);
	ht_out_char(j->out, bracket);
	j->depth++;
	j->more = false;
}

void
ht_json_open_line(struct ht_json *j, const char *key, char bracket)
{
	ht_json_open(j, key, bracket);
	if (j->inline_at == 0)
		j->inline_at = j->depth;
}

void
ht_json_close(struct ht_json *j, char bracket)
{
	bool line = j->inline_at == 0 || j->depth < j->inline_at;

	if (j->inline_at == j->depth)
		j->inline_at = 0;
	j->depth--;
	if (j->more && line)
		ht_out_printf(j->out, "\n%*s", (int)j->depth, "");
	ht_out_char(j->out, bracket);
	if (j->depth == 0)
		ht_out_char(j->out, '\n');
	j->more = true;
}

void
ht_json_uint(struct ht_json *j, const char *key, uint64_t v)
{
	ht_json_int(j, key, false, v);
}

void
ht_json_int(struct ht_json *j, const char *key, bool minus, uint64_t v)
{
	begin(j, key);
	ht_out_printf(j->out, "%s%" PRIu64, minus ? "-" : "", v);
}

void
ht_json_null(struct ht_json *j, const char *key)
{
	begin(j, key);
	ht_out_printf(j->out, "null");
}

void
ht_json_bool(struct ht_json *j, const char *key, bool v)
{
	begin(j, key);
	ht_out_printf(j->out, "%s", v ? "true" : "false");
}

/* One byte that is no part of a longer character. */
static void
put_byte(struct ht_out *out, unsigned char c)
{
	if (c == '"' || c == '\\')
		ht_out_printf(out, "\\%c", c);
	else if (c == '\n')
		ht_out_printf(out, "\\n");
	else if (c == '\t')
		ht_out_printf(out, "\\t");
	else if (c < 0x20 || c == 0x7f)
		ht_out_printf(out, "\\u%04x", c);
	else if (c >= 0x80)
		ht_out_printf(out, "\\\\x%02x", c);
	else
		ht_out_char(out, (char)c);
}

void
ht_json_text(struct ht_json *j, const char *key, const char *text, size_t len)
{
	size_t i, n;

	begin(j, key);
	ht_out_char(j->out, '"');
	for (i = 0; i < len; i += n ? n : 1) {
		n = ht_utf8_safe(text + i, len - i);
		if (n > 0)
			ht_out_write(j->out, text + i, n);
		else
			put_byte(j->out, (unsigned char)text[i]);
	}
	ht_out_char(j->out, '"');
}

void
ht_json_textz(struct ht_json *j, const char *key, const char *text)
{
	ht_json_text(j, key, text, strlen(text));
}
