/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ht-symbolize/classes.h"
#include "ht-symbolize/filter.h"
#include "ht-symbolize/resolve.h"
#include "libht/evwrite.h"
#include "libht/mem.h"
#include "libht/str.h"

#define MESSAGES  20
#define MOST_HELD ((size_t)4 << 20)

/* What a trace turned out to be. */
enum form {
	FORM_OPEN, /* not known yet: its lines are held back */
	FORM_OURS, /* ht-record's: names are missing, events have classes */
	FORM_RAW,  /* heaptrack's: events have addresses, too */
	FORM_NAMED /* it has its names: nothing to do */
};

struct filter {
	struct ht_out *out;
	struct resolve resolve;
	struct classes classes;
	bool bad;
	unsigned messages;

	struct ht_in *in;  /* for messages: the input, */
	const char *block; /* and the block that is being looked at */

	/* The trace. */
	enum form form;
	bool in_trace;
	bool ours;	    /* `#H … ht-record` was seen */
	bool ended;	    /* #E was seen */
	bool command;	    /* the last line was heaptrack's X, or more of it */
	unsigned version;   /* of the format */
	uint64_t tool;	    /* its version */
	size_t version_len; /* of the v line in `held` */
	struct ht_str held; /* lines, while the form is not known */
	struct ht_str exe, path;
	struct build_id id; /* of the module that the next m line names */
	struct ht_str id_path;
};

/* --- messages ------------------------------------------------------------ */

static void complain(struct filter *f, const char *at, const char *fmt, ...)
    HT_PRINTF(3, 4);

static void
complain(struct filter *f, const char *at, const char *fmt, ...)
{
	uint64_t line = ht_in_lineno(f->in);
	char text[512];
	va_list ap;

	f->bad = true;
	if (f->messages++ >= MESSAGES)
		return;
	if (f->messages == MESSAGES) {
		ht_warn("%s: further errors are not listed", ht_in_name(f->in));
		return;
	}
	for (const char *p = f->block; p < at; p++)
		line += *p == '\n';
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ht_warn(
	    "%s:%llu: %s", ht_in_name(f->in), (unsigned long long)line, text);
}

/* --- fields -------------------------------------------------------------- */

/* One space and a number. */
static bool
number(const char **p, const char *end, uint64_t *v)
{
	const char *s = *p;

	if (s == end || *s++ != ' ' || ht_hex_parse(&s, end, v))
		return false;
	*p = s;
	return true;
}

/* ` <length> <bytes>` */
static bool
sized(const char **p, const char *end, const char **text, size_t *len)
{
	const char *s = *p;
	uint64_t n;

	if (!number(&s, end, &n) || s == end || *s++ != ' ' ||
	    n > (uint64_t)(end - s))
		return false;
	*text = s;
	*len = n;
	*p = s + n;
	return *p == end || **p == ' ';
}

/* One space and a string: sized from version 3 on, before that up to the next
 * space (`rest`: the end of the line). */
static bool
string(struct filter *f, const char **p, const char *end, bool rest,
    const char **text, size_t *len)
{
	const char *s = *p;

	if (f->version >= 3)
		return sized(p, end, text, len);
	if (s == end || *s++ != ' ')
		return false;
	*text = s;
	s = rest ? NULL : memchr(s, ' ', (size_t)(end - s));
	*p = s ? s : end;
	*len = (size_t)(*p - *text);
	return true;
}

/* \n, \0 and \\ are written so in our traces; heaptrack escapes nothing. */
static void
unescape(struct filter *f, struct ht_str *to, const char *s, size_t len)
{
	ht_str_clear(to);
	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if (c == '\\' && f->ours && i + 1 < len) {
			c = s[++i];
			c = c == 'n' ? '\n' : c == '0' ? '\0' : c;
		}
		ht_str_addc(to, c);
	}
}

/* --- a trace's beginning and end ----------------------------------------- */

static void
end_trace(struct filter *f)
{
	if (f->held.len)
		ht_out_write(f->out, f->held.data, f->held.len);
	ht_str_clear(&f->held);
	if (f->in_trace && f->ours && !f->ended) {
		ht_warn("%s: the trace ends in mid-air (no #E line)",
		    ht_in_name(f->in));
		f->bad = true;
	}
	f->in_trace = false;
}

static void
begin_trace(struct filter *f)
{
	f->form = FORM_OPEN;
	f->in_trace = true;
	f->ours = f->ended = f->command = false;
	f->version = 0;
	f->tool = 0;
	f->version_len = 0;
	f->id.len = 0;
	ht_str_clear(&f->exe);
	resolve_begin(&f->resolve);
	classes_clear(&f->classes);
}

/* `v <tool version> [<format version>]`. False: a format that came later. */
static bool
version_line(struct filter *f, const char *p, const char *end)
{
	const char *s = p + 1;
	uint64_t version = 0;

	end_trace(f);
	begin_trace(f);
	if (!number(&s, end, &f->tool))
		complain(f, p, "the v line has no version");
	else if (s != end && !number(&s, end, &version))
		complain(f, p, "the v line has no format version");
	else if (s == end && !version && f->tool == 0x10200)
		version = 1; /* heaptrack 1.0 forgot to write it */
	if (version > HT_FORMAT) {
		complain(f, p,
		    "the trace has format version %llx; this ht-symbolize"
		    " reads versions up to %x",
		    (unsigned long long)version, HT_FORMAT);
		return false;
	}
	f->version = (unsigned)version;
	ht_str_add(&f->held, p, (size_t)(end - p));
	ht_str_addc(&f->held, '\n');
	f->version_len = f->held.len;
	return true;
}

/* The form is known: what was held goes out. What we write is version 3. */
static void
set_form(struct filter *f, enum form form)
{
	size_t skip = 0;

	f->form = form;
	if (form != FORM_NAMED && f->version < 3) {
		ht_evwrite_version(f->out, (uint32_t)f->tool);
		skip = f->version_len;
	}
	if (f->held.len > skip)
		ht_out_write(f->out, f->held.data + skip, f->held.len - skip);
	ht_str_clear(&f->held);
	if (form != FORM_NAMED)
		ht_evwrite_tool(f->out, "ht-symbolize " HT_VERSION, NULL);
}

/* --- what becomes s, i and t lines --------------------------------------- */

static bool
exe_line(struct filter *f, const char *p, const char *end)
{
	const char *text;
	size_t len;

	p++;
	if (!string(f, &p, end, true, &text, &len))
		return false;
	unescape(f, &f->exe, text, len);
	return true;
}

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

/* `#B <string build id> <string path>` */
static bool
build_id_line(struct filter *f, const char *p, const char *end)
{
	const char *hex, *path;
	size_t n, len;

	p += 2;
	f->id.len = 0;
	if (!sized(&p, end, &hex, &n) || !sized(&p, end, &path, &len) ||
	    p != end || n % 2 || !n || n / 2 > sizeof(f->id.bytes))
		return false;
	for (size_t i = 0; i < n; i += 2) {
		int high = hex_digit(hex[i]), low = hex_digit(hex[i + 1]);

		if (high < 0 || low < 0)
			return false;
		f->id.bytes[i / 2] = (unsigned char)(high << 4 | low);
	}
	f->id.len = (uint8_t)(n / 2);
	unescape(f, &f->id_path, path, len);
	return true;
}

/* `m <path> <bias> {<vaddr> <memsz>}…`, or `-` for the path. */
static bool
module_line(struct filter *f, const char *p, const char *end)
{
	static const struct build_id none;
	const struct build_id *id = &none;
	const struct ht_str *name = &f->path;
	const char *text;
	uint64_t bias, vaddr, memsz;
	uint32_t module;
	size_t len;

	p++;
	if (!string(f, &p, end, false, &text, &len))
		return false;
	if (len == 1 && *text == '-') {
		resolve_forget(&f->resolve);
		return true;
	}
	unescape(f, &f->path, text, len);
	if (len == 1 && *text == 'x' && f->exe.len)
		name = &f->exe;
	if (!number(&p, end, &bias))
		return false;
	if (f->id.len && f->id_path.len == name->len &&
	    (name->len == 0 || !memcmp(f->id_path.data, name->data, name->len)))
		id = &f->id;
	module = resolve_module(&f->resolve, name->data, name->len, bias, id);
	f->id.len = 0;
	while (p < end && number(&p, end, &vaddr)) {
		if (!number(&p, end, &memsz))
			return false;
		resolve_segment(&f->resolve, module, vaddr, memsz);
	}
	/* heaptrack ends the line with a space or without. */
	return p == end || (p + 1 == end && *p == ' ');
}

/* `t <ip> <parent>`. There is one line out for every line in, so that ids
 * stay what they are. */
static bool
stack_line(struct filter *f, const char *p, const char *end)
{
	const char *s = p + 1;
	uint64_t ip = 0, parent = 0;
	bool good = number(&s, end, &ip) && number(&s, end, &parent);

	if (good && parent > f->resolve.stacks) {
		complain(f, p, "trace %llx is not defined",
		    (unsigned long long)parent);
		parent = 0;
	}
	resolve_stack(&f->resolve, good ? ip : 0, good ? parent : 0);
	return good;
}

/* --- heaptrack's raw events ---------------------------------------------- */

static bool
alloc_line(struct filter *f, const char *p, const char *end)
{
	const char *s = p + 1;
	uint64_t size, stack, address;
	uint32_t n;
	bool fresh;

	if (!number(&s, end, &size) || !number(&s, end, &stack) ||
	    !number(&s, end, &address))
		return false;
	if (stack > f->resolve.stacks) {
		complain(f, p, "trace %llx is not defined",
		    (unsigned long long)stack);
		stack = 0;
	}
	n = classes_alloc(&f->classes, size, stack, address, &fresh);
	if (fresh)
		ht_evwrite_class(f->out, size, (uint32_t)stack, 1, 0);
	ht_evwrite_alloc(f->out, n, 0);
	return true;
}

static bool
free_line(struct filter *f, const char *p, const char *end)
{
	const char *s = p + 1;
	uint64_t address;
	uint32_t n;

	if (!number(&s, end, &address))
		return false;
	if (classes_free(&f->classes, address, &n))
		ht_evwrite_free(f->out, n, 0, 0, HT_TEMP_RULE, 0);
	return true;
}

/* --- lines --------------------------------------------------------------- */

/* Where a `v <hex> 3` begins that a cut line was glued to, or NULL. */
static const char *
glued(const char *p, const char *end)
{
	const char *v = memrchr(p, 'v', (size_t)(end - p)), *s;
	uint64_t tool, format;

	if (!v || v == p)
		return NULL;
	s = v + 1;
	if (!number(&s, end, &tool) || !number(&s, end, &format) || s != end)
		return NULL;
	return format == HT_FORMAT ? v : NULL;
}

static void
pass(struct filter *f, const char *p, const char *end)
{
	ht_out_write(f->out, p, (size_t)(end - p));
}

/* `#H <string tool and version>…` of ht-record. */
static bool
is_recorder(const char *p, const char *end)
{
	static const char recorder[] = "ht-record";
	const size_t n = sizeof(recorder) - 1;
	const char *tool;
	size_t len;

	if (end - p < 2 || p[1] != 'H')
		return false;
	p += 2;
	return sized(&p, end, &tool, &len) && len >= n &&
	       !memcmp(tool, recorder, n);
}

/* A trace whose form is not known yet: this line may tell. */
static void
tell_form(struct filter *f, const char *p, const char *end)
{
	switch (*p) {
	case '#':
		if (is_recorder(p, end))
			f->ours = true;
		if (end - p > 1 && p[1] == 'B' && f->ours)
			set_form(f, FORM_OURS);
		break;
	case 'x':
	case 'm':
		set_form(f, f->ours ? FORM_OURS : FORM_RAW);
		break;
	case 't': /* of no module: of names, which may all be unknown */
		set_form(f, f->ours ? FORM_OURS : FORM_NAMED);
		break;
	case 's':
	case 'i':
	case 'a':
	case '+':
	case '-':
		set_form(f, FORM_NAMED);
		break;
	default:
		if (f->held.len > MOST_HELD)
			set_form(f, FORM_NAMED);
	}
}

static bool
is_one_of(char c, const char *kinds)
{
	return c && strchr(kinds, c);
}

/* The lines that become others. 1: done, 0: broken, -1: not such a line. */
static int
converted(struct filter *f, const char *p, const char *end)
{
	if (f->form == FORM_RAW && *p == '+')
		return alloc_line(f, p, end);
	if (f->form == FORM_RAW && *p == '-')
		return free_line(f, p, end);
	if (f->form == FORM_NAMED)
		return -1;
	if (*p == 'x')
		return exe_line(f, p, end);
	if (*p == 'm')
		return module_line(f, p, end);
	if (*p == 't')
		return stack_line(f, p, end);
	if (*p == '#' && end - p > 1 && p[1] == 'B')
		return build_id_line(f, p, end);
	/* Names that nothing refers to; ours would have their ids. */
	return is_one_of(*p, "si") ? 1 : -1;
}

/* Lines that say nothing when they are cut: what is left may look whole. */
static bool
is_converted(struct filter *f, char kind)
{
	return (f->form != FORM_NAMED && is_one_of(kind, "xmtsi")) ||
	       (f->form == FORM_RAW && is_one_of(kind, "+-"));
}

static bool one_line(
    struct filter *f, const char *p, const char *end, const char *next);

/* A line that another trace's beginning may be glued to. */
static bool
broken_line(struct filter *f, const char *p, const char *end, const char *next,
    bool convert)
{
	const char *v = glued(p, end);

	if (!v) {
		complain(f, p, "a broken '%c' line", *p);
		return true;
	}
	if (!convert)
		pass(f, p, v);
	return one_line(f, v, end, next);
}

/* heaptrack writes a command with LFs in it as it is: what follows the first
 * line is no record. */
static bool
more_of_command(struct filter *f, const char *p, const char *end)
{
	f->command = f->command && !f->ours &&
		     (p == end || !is_one_of(*p, "sxXtiaImAcRSv+-#") ||
			 (end - p > 1 && p[1] != ' '));
	return f->command;
}

/* One line, p to end, whose LF (if any) ends at next. False: stop. */
static bool
one_line(struct filter *f, const char *p, const char *end, const char *next)
{
	int rc;

	if (p == end || more_of_command(f, p, end)) {
		if (f->form == FORM_OPEN && f->held.len)
			ht_str_add(&f->held, p, (size_t)(next - p));
		else
			pass(f, p, next);
		return true;
	}
	f->command = *p == 'X';
	/* Without a space it may be more of a command that was passed on. */
	if (*p == 'v' &&
	    (f->form != FORM_NAMED || (end - p > 1 && p[1] == ' ')))
		return version_line(f, p, end);
	if (*p == '#' && end - p > 1 && p[1] == 'E')
		f->ended = true;
	if (f->form == FORM_OPEN)
		tell_form(f, p, end);
	if (f->form == FORM_OPEN) {
		ht_str_add(&f->held, p, (size_t)(next - p));
		return true;
	}
	if (end == next && is_converted(f, *p))
		return true;
	/* Only numbers and letters are in these, and never a v. */
	if (is_one_of(*p, "+-cRati") && memchr(p, 'v', (size_t)(end - p)) &&
	    glued(p, end))
		return broken_line(f, p, end, next, is_converted(f, *p));
	rc = converted(f, p, end);
	if (!rc)
		return broken_line(f, p, end, next, true);
	if (rc < 0)
		pass(f, p, next);
	return true;
}

/* --- blocks -------------------------------------------------------------- */

typedef signed char vec __attribute__((vector_size(16)));
typedef long long vec2 __attribute__((vector_size(16)));

/* Where a line begins that has to be looked at (kinds from i on in ASCII, and
 * #), or a v stands, which may be the next trace's behind a cut line. */
static inline vec
special(const char *p)
{
	vec a, b;

	memcpy(&a, p, 16);
	memcpy(&b, p + 1, 16);
	return ((vec)(a == '\n') & ((vec)(b >= 'i') | (vec)(b == '#'))) |
	       (vec)(a == 'v');
}

static inline bool
any(vec v)
{
	vec2 x = (vec2)v;

	return (x[0] | x[1]) != 0;
}

/* The start of the next line in p … end (p is one) that has to be looked at,
 * else end. Reads up to HT_IN_SLACK bytes behind it. */
static const char *
next_special(const char *p, const char *end)
{
	const char *q = p;

	if (p < end && ((signed char)*p >= 'm' || *p == '#'))
		return p;
	for (; q < end; q += 16) {
		vec hit;

		while (end - q >= 64 && !any(special(q) | special(q + 16) |
					     special(q + 32) | special(q + 48)))
			q += 64;
		if (q >= end)
			break;
		hit = special(q);
		if (!any(hit))
			continue;
		for (int i = 0; i < 16 && q + i < end; i++) {
			if (!hit[i])
				continue;
			if (q[i] == '\n' && q + i + 1 < end)
				return q + i + 1;
			if (q[i] == 'v') {
				const char *lf =
				    memrchr(p, '\n', (size_t)(q + i - p));

				return lf ? lf + 1 : p;
			}
		}
	}
	return end;
}

static bool
one_block(struct filter *f, const char *p, const char *end)
{
	while (p < end) {
		const char *lf, *stop;

		if (f->form == FORM_OURS || f->form == FORM_NAMED) {
			stop = next_special(p, end);
			if (stop > p)
				pass(f, p, stop);
			p = stop;
			if (p == end)
				break;
		}
		lf = memchr(p, '\n', (size_t)(end - p));
		stop = lf ? lf + 1 : end;
		if (!one_line(f, p, lf ? lf : end, stop))
			return false;
		p = stop;
	}
	return true;
}

/* A file from before there were v lines begins with one of these. */
static bool
is_trace(const char *p, const char *end)
{
	return end - p >= 2 && is_one_of(*p, "vxXImst") && p[1] == ' ';
}

/* Behind the comments and empty lines that may stand before a trace. */
static const char *
behind_comments(const char *p, const char *end)
{
	static const char profile[] = "# ht-profile ";
	const size_t n = sizeof(profile) - 1;

	while (p < end) {
		size_t left = (size_t)(end - p);
		const char *lf = memchr(p, '\n', left);

		if (*p != '\n' && (left < 2 || p[0] != '#' || p[1] != ' ' ||
				      (left >= n && !memcmp(p, profile, n))))
			break;
		p = lf ? lf + 1 : end;
	}
	return p;
}

static bool
first_block(struct filter *f, const char *p, const char *end)
{
	if (!is_trace(p, end)) {
		ht_warn("%s: this is no trace: it does not begin with a v line",
		    ht_in_name(f->in));
		f->bad = true;
		return false;
	}
	begin_trace(f);
	return true;
}

bool
filter_run(struct filter *f, struct ht_in *in)
{
	bool first = true, stop = false;
	char *p, *end;
	int rc;

	f->in = in;
	while (!stop && !ht_out_failed(f->out) &&
	       (rc = ht_in_block(in, 0, &p, &end)) != 0) {
		f->block = p;
		if (rc < 0) {
			ht_warn("%s", ht_in_error(in)->text);
			f->bad = true;
			continue;
		}
		if (first) {
			const char *start = behind_comments(p, end);

			pass(f, p, start);
			if (start == end)
				continue;
			p += start - p;
			stop = !first_block(f, p, end);
			first = false;
		}
		stop = stop || !one_block(f, p, end);
		if (ht_in_would_block(in))
			ht_out_flush(f->out);
	}
	if (first && !stop && !f->bad) {
		ht_warn("%s: there is no trace: the input is empty",
		    ht_in_name(in));
		f->bad = true;
	}
	if (!stop && ht_in_truncated(in)) {
		ht_warn("%s: the input is cut short", ht_in_name(in));
		f->bad = true;
		f->ended = true; /* said once is enough */
	}
	if (!ht_out_failed(f->out))
		end_trace(f);
	return !stop && !ht_out_failed(f->out);
}

struct filter *
filter_new(struct ht_out *out, const struct locate *locate)
{
	struct filter *f = ht_calloc(1, sizeof(*f));

	f->out = out;
	resolve_init(&f->resolve, out, locate);
	return f;
}

int
filter_free(struct filter *f)
{
	int rc = f->bad ? -1 : 0;

	resolve_release(&f->resolve);
	classes_release(&f->classes);
	ht_str_release(&f->held);
	ht_str_release(&f->exe);
	ht_str_release(&f->path);
	ht_str_release(&f->id_path);
	free(f);
	return rc;
}
