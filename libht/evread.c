/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "libht/evread.h"
#include "libht/mem.h"
#include "libht/num.h"
#include "libht/str.h"
#include "libht/weight.h"

/* No size of a block is larger: no address space holds one. */
#define SIZE_LIMIT   ((uint64_t)1 << 56)
#define THREAD_LIMIT 0xffff
#define VERSION_TEXT 32
#define BUILD_ID_MAX 63		     /* bytes */
#define PROFILE	     "# ht-profile " /* how one begins */

enum phase {
	BEFORE, /* nothing but comments so far */
	INSIDE, /* of a trace */
	BEHIND, /* its #E */
	OVER	/* no more is read */
};

struct ht_evread_state {
	struct ht_in *in;
	enum phase phase;
	struct ht_error error;
	char *block, *line, *line_end; /* what is being read */
	uint64_t errors;
	bool told;		    /* how many errors were not shown */
	bool end_due;		    /* HT_EV_END is to be given */
	char glued[VERSION_TEXT];   /* a `v` line that the last line may hold */
	char version[VERSION_TEXT]; /* a `v` line to be read before all else */

	/* Of the trace. */
	bool command;	/* the last line was X, and heaptrack's */
	bool addressed; /* has x or m lines: `t` names addresses */
	/* Pointer form: address to class plus 1; classes by (size, stack). */
	struct ht_map live, known;
	uint64_t last_address; /* version 0: of the `+` before, or 0 */
};

/* A line being taken apart. */
struct cursor {
	const char *p, *end;
	bool strict; /* nothing may follow the fields that are known */
};

struct ht_evread *
ht_evread_new(struct ht_in *in)
{
	struct ht_evread *r = ht_calloc(1, sizeof *r);

	r->state = ht_calloc(1, sizeof *r->state);
	r->state->in = in;
	return r;
}

struct ht_evread *
ht_evread_open(const char *path, struct ht_error *err)
{
	struct ht_in *in = ht_in_open(path, err);

	return in ? ht_evread_new(in) : NULL;
}

int
ht_evread_close(struct ht_evread *r)
{
	struct ht_evread_state *s = r->state;
	int rc = s->errors > 0 ? -1 : 0;

	ht_in_close(s->in);
	ht_map_release(&s->live);
	ht_map_release(&s->known);
	ht_tables_release(&r->t);
	free(s);
	free(r);
	return rc;
}

const char *
ht_evread_error(const struct ht_evread *r)
{
	return r->state->error.text;
}

bool
ht_evread_truncated(const struct ht_evread *r)
{
	return r->t.end == HT_END_TRUNCATED;
}

uint64_t
ht_evread_events(const struct ht_evread *r)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < r->t.ncls; i++)
		n += 2 * r->t.cls[i].allocs - r->t.cls[i].live;
	return n;
}

/* --- errors ------------------------------------------------------------- */

static uint64_t
line_number(const struct ht_evread_state *s)
{
	uint64_t n = ht_in_lineno(s->in);
	const char *p = s->block;

	while ((p = memchr(p, '\n', (size_t)(s->line - p))) != NULL) {
		n++;
		p++;
	}
	return n;
}

/* An error about the input as a whole. */
static int HT_PRINTF(2, 3) complain(struct ht_evread *r, const char *fmt, ...)
{
	struct ht_evread_state *s = r->state;
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	s->errors++;
	s->error.text[0] = '\0';
	return ht_error_set(&s->error, "%s: %s", ht_in_name(s->in), text);
}

/* The trace stops here, without #E. 0, or -1 if it should not have. */
static int
cut_off(struct ht_evread *r, bool in_a_line, bool input_ends)
{
	struct ht_evread_state *s = r->state;
	bool wrong = in_a_line || r->t.ours;
	uint64_t events = ht_evread_events(r);

	s->phase = BEFORE;
	s->end_due = true;
	r->fast = r->p;
	r->t.end = wrong ? HT_END_TRUNCATED : HT_END_NONE;
	if (!wrong)
		return 0;
	return complain(r,
	    "the trace ends in mid-air (%s): %llu event%s read%s",
	    r->t.ours ? "no #E line" : "in the middle of a line",
	    (unsigned long long)events, events == 1 ? "" : "s",
	    input_ends ? ", the program may still run" : "");
}

/* Whether `p` to `end` is the text of a `v` line. */
static bool
is_version(const char *p, const char *end)
{
	uint64_t v;

	if (end - p < 5 || end - p >= VERSION_TEXT || p[0] != 'v' ||
	    p[1] != ' ')
		return false;
	p += 2;
	if (ht_hex_parse(&p, end, &v) < 0 || end - p != 2 || p[0] != ' ')
		return false;
	return p[1] >= '0' && p[1] <= '3';
}

/* The `v` line at the end of a line that was cut before it, or NULL. */
static char *
find_glued(char *line, char *end)
{
	char *p;

	if (end - line < 6 || end[-2] != ' ')
		return NULL;
	for (p = end - 5; p > line && end - p < VERSION_TEXT; p--)
		if (is_version(p, end))
			return p;
	return NULL;
}

/* The line is no good; says so, or finds that it is two. 0 when it is to be
 * passed over in silence, else -1. */
static int HT_PRINTF(2, 3) reject(struct ht_evread *r, const char *fmt, ...)
{
	struct ht_evread_state *s = r->state;
	char text[400], *glued = find_glued(s->line, s->line_end);
	va_list ap;

	if (glued && s->phase == INSIDE) {
		r->p = glued;
		return cut_off(r, true, false);
	}
	if (s->errors++ >= HT_EVREAD_ERRORS)
		return 0;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	s->error.text[0] = '\0';
	return ht_error_set(&s->error, "%s:%llu: %s", ht_in_name(s->in),
	    (unsigned long long)line_number(s), text);
}

static int
broken(struct ht_evread *r)
{
	struct ht_evread_state *s = r->state;
	size_t len = (size_t)(s->line_end - s->line);

	if (memchr(s->line, '\0', len))
		return reject(r, "a NUL byte in the line");
	return reject(r, "not a record: '%.*s'%s", len > 60 ? 60 : (int)len,
	    s->line, len > 60 ? "..." : "");
}

/* After an error nothing more can be told from this input. */
static int
stop(struct ht_evread *r, int rc)
{
	r->state->phase = OVER;
	r->p = r->end;
	r->fast = r->p;
	return rc;
}

/* --- fields ------------------------------------------------------------- */

static int
get_num(struct cursor *c, uint64_t *v)
{
	if (c->end - c->p < 2 || *c->p != ' ')
		return -1;
	c->p++;
	return ht_hex_parse(&c->p, c->end, v);
}

static int
get_u32(struct cursor *c, uint32_t *v)
{
	uint64_t n;

	if (get_num(c, &n) < 0 || n > UINT32_MAX)
		return -1;
	*v = (uint32_t)n;
	return 0;
}

/* ` <length> <bytes>` */
static int
get_sized(struct cursor *c, const char **text, size_t *len)
{
	uint64_t n;

	if (get_num(c, &n) < 0 || c->p == c->end || *c->p != ' ')
		return -1;
	c->p++;
	if (n > (uint64_t)(c->end - c->p))
		return -1;
	*text = c->p;
	*len = (size_t)n;
	c->p += n;
	return 0;
}

/* One space, then the rest of the line. */
static int
get_rest(struct cursor *c, const char **text, size_t *len)
{
	if (c->p == c->end || *c->p != ' ')
		return -1;
	*text = c->p + 1;
	*len = (size_t)(c->end - c->p - 1);
	c->p = c->end;
	return 0;
}

/* A word, as in files before version 3. */
static int
get_word(struct cursor *c, const char **text, size_t *len)
{
	const char *sp;

	if (c->p == c->end || *c->p != ' ')
		return -1;
	*text = ++c->p;
	sp = memchr(c->p, ' ', (size_t)(c->end - c->p));
	c->p = sp ? sp : c->end;
	*len = (size_t)(c->p - *text);
	return 0;
}

static int
get_end(const struct cursor *c)
{
	if (c->p == c->end || (!c->strict && *c->p == ' '))
		return 0;
	return -1;
}

/* The intern id of a text, its escapes undone if the writer makes them. */
static uint32_t
keep(struct ht_evread *r, const char *text, size_t len)
{
	struct ht_str s = {0};
	uint32_t id;
	size_t i;

	if (!r->t.ours || memchr(text, '\\', len) == NULL)
		return ht_intern_add(&r->t.text, text, len, NULL);
	for (i = 0; i < len; i++) {
		char next = i + 1 < len ? text[i + 1] : ' ';

		if (text[i] != '\\' || !strchr("n0\\", next) || !next) {
			ht_str_addc(&s, text[i]);
			continue;
		}
		i++;
		ht_str_addc(&s, next == 'n' ? '\n' : next == '0' ? '\0' : '\\');
	}
	id = ht_intern_add(&r->t.text, s.data, s.len, NULL);
	ht_str_release(&s);
	return id;
}

/* The string that an `i` line means, as intern id. */
static int
get_string(struct ht_evread *r, struct cursor *c, uint32_t *id)
{
	if (get_u32(c, id) < 0)
		return -1;
	if (*id > r->t.nstring)
		return -1;
	if (*id)
		*id = r->t.string[*id - 1];
	return 0;
}

/* --- definitions: even a broken one takes its number ---------------------- */

static int
read_string(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	struct ht_tables *t = &r->t;
	bool good;

	good = t->format >= 3 ? get_sized(c, &ev->text, &ev->len) == 0
			      : get_rest(c, &ev->text, &ev->len) == 0;
	good = good && get_end(c) == 0;
	HT_GROW(t->string, t->string_cap, t->nstring + 1);
	t->string[t->nstring++] = good ? keep(r, ev->text, ev->len) : 0;
	if (!good)
		return broken(r);
	ev->kind = HT_EV_STRING;
	ev->id = (uint32_t)t->nstring;
	return 1;
}

/* ` [<function> [<file> <line> {<function> <file> <line>}…]]` */
static int
read_functions(struct ht_evread *r, struct cursor *c)
{
	struct ht_tables *t = &r->t;

	while (c->p != c->end) {
		struct ht_frame_fn fn = {0, 0, 0};

		if (get_string(r, c, &fn.function) < 0)
			return -1;
		if (c->p != c->end && (get_string(r, c, &fn.file) < 0 ||
					  get_u32(c, &fn.line) < 0))
			return -1;
		HT_GROW(t->fn, t->fn_cap, t->nfn + 1);
		t->fn[t->nfn++] = fn;
	}
	return 0;
}

static int
read_frame(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	struct ht_tables *t = &r->t;
	struct ht_frame f = {.symbolised = true};
	bool good;

	f.first = (uint32_t)t->nfn;
	good = get_num(c, &f.ip) == 0 && get_string(r, c, &f.module) == 0 &&
	       read_functions(r, c) == 0;
	if (!good) {
		t->nfn = f.first;
		f.module = 0;
	}
	f.count = (uint32_t)(t->nfn - f.first);
	HT_GROW(t->frame, t->frame_cap, t->nframe + 1);
	t->frame[t->nframe++] = f;
	if (!good)
		return reject(r, "not a frame, or a string not defined");
	ev->kind = HT_EV_FRAME;
	ev->id = (uint32_t)t->nframe;
	return 1;
}

static int
read_stack(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	struct ht_tables *t = &r->t;
	struct ht_stack stack = {0};
	uint64_t at = 0, parent = 0;
	int rc = 1;

	if (get_num(c, &at) < 0 || get_num(c, &parent) < 0 || get_end(c) < 0)
		rc = broken(r);
	else if (parent > t->nstack)
		rc = reject(
		    r, "stack %llx is not defined", (unsigned long long)parent);
	else if (!r->state->addressed && at > t->nframe)
		rc = reject(
		    r, "frame %llx is not defined", (unsigned long long)at);
	if (rc > 0) {
		stack.frame =
		    r->state->addressed ? ht_tables_frame(t, at) : (uint32_t)at;
		stack.parent = (uint32_t)parent;
	}
	HT_GROW(t->stack, t->stack_cap, t->nstack + 1);
	t->stack[t->nstack++] = stack;
	ev->kind = HT_EV_STACK;
	ev->id = (uint32_t)t->nstack;
	return rc;
}

static void
set_stack(struct ht_tables *t, struct ht_class *c, uint32_t stack)
{
	c->stack = stack;
	if (stack == 0)
		return;
	c->other = t->stack[stack - 1].kind != 0;
	t->stack[stack - 1].used = 1;
}

static int
read_class(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	struct ht_tables *t = &r->t;
	struct ht_class *cls = ht_tables_class(t);
	uint64_t size = 0, stack = 0, thread = 1, usable = 0;
	bool good;

	good = get_num(c, &size) == 0 && get_num(c, &stack) == 0;
	if (good && c->end - c->p > 1 && c->p[1] != 'u')
		good = get_num(c, &thread) == 0;
	if (good && c->end - c->p > 2 && c->p[0] == ' ' && c->p[1] == 'u') {
		c->p += 2;
		good = ht_hex_parse(&c->p, c->end, &usable) == 0;
	}
	if (!r->t.ours && good && thread > r->t.nthread)
		thread = 1; /* whatever heaptrack may put there */
	cls->thread = 1;
	if (!good || get_end(c) < 0)
		return broken(r);
	if (size >= SIZE_LIMIT)
		return reject(
		    r, "%llx is no size of a block", (unsigned long long)size);
	if (stack > t->nstack)
		return reject(
		    r, "stack %llx is not defined", (unsigned long long)stack);
	if (thread != 1 &&
	    (thread == 0 || thread > t->nthread || !t->thread[thread - 1].tid))
		return reject(r, "thread %llx is not defined",
		    (unsigned long long)thread);
	cls->size = size;
	set_stack(t, cls, (uint32_t)stack);
	cls->thread = (uint16_t)thread;
	cls->usable = usable;
	ev->kind = HT_EV_CLASS;
	ev->cls = (uint32_t)(t->ncls - 1);
	return 1;
}

/* --- blocks ------------------------------------------------------------- */

/* What follows `- <cls>`, from `p` on; the line begins at r->p. */
static int
read_fields(
    struct ht_evread *r, struct ht_event *ev, uint32_t cls, const char *p)
{
	struct ht_evread_state *s = r->state;
	struct ht_class *c = &r->t.cls[cls];
	bool temporary = r->last == (uint64_t)cls + 1;
	uint64_t v[4] = {0, 0, 0, 0}; /* o w x-or-t @ */
	int rank = -1;

	s->line = r->p;
	while (*p == ' ') {
		static const char order[] = "owx@";
		char field = *++p;
		const char *at = strchr(order, field == 't' ? 'x' : field);

		if (field == '\0' || at == NULL || at - order <= rank)
			break;
		rank = (int)(at - order);
		p++;
		if (rank == 2)
			temporary = field == 't';
		else if (ht_hex_parse(&p, r->end, &v[rank]) < 0)
			break;
	}
	s->line_end = memchr(p, '\n', (size_t)(r->end - p));
	r->p = s->line_end + 1;
	/* heaptrack's reader looks no further than the class. */
	if (ht_unlikely(p != s->line_end) &&
	    (r->t.ours || memchr(p, '\0', (size_t)(s->line_end - p)) ||
		find_glued(s->line, s->line_end)))
		return broken(r);
	if (v[1] && (v[1] > r->t.nthread || !r->t.thread[v[1] - 1].tid))
		return reject(
		    r, "thread %llx is not defined", (unsigned long long)v[1]);
	ev->kind = HT_EV_FREE;
	ev->cls = cls;
	ev->temporary = temporary;
	ev->age = v[0];
	ev->thread = (uint32_t)v[1];
	ev->part = false;
	ev->address = v[3];
	c->freed_temp = temporary;
	c->live--;
	r->last = 0;
	return 1;
}

int
ht_evread_free(
    struct ht_evread *r, struct ht_event *ev, uint32_t cls, const char *p)
{
	int rc = *p == ' ' ? read_fields(r, ev, cls, p) : 0;

	return rc ? rc : ht_evread_slow(r, ev);
}

static void
count_alloc(struct ht_evread *r, struct ht_event *ev, uint32_t cls)
{
	ev->kind = HT_EV_ALLOC;
	ev->cls = cls;
	r->t.cls[cls].live++;
	r->t.cls[cls].allocs++;
	r->last = (uint64_t)cls + 1;
}

static int
get_class(struct ht_evread *r, struct cursor *c, uint32_t *cls, int *rc)
{
	uint64_t v;

	if (get_num(c, &v) < 0) {
		*rc = broken(r);
		return -1;
	}
	if (v >= r->t.ncls) {
		*rc = reject(
		    r, "class %llx is not defined", (unsigned long long)v);
		return -1;
	}
	*cls = (uint32_t)v;
	return 0;
}

/* ` @<address>`, if it is there. */
static int
get_address(struct cursor *c, uint64_t *address)
{
	if (c->end - c->p < 3 || c->p[0] != ' ' || c->p[1] != '@')
		return 0;
	c->p += 2;
	return ht_hex_parse(&c->p, c->end, address);
}

static int
read_alloc(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	uint64_t address = 0;
	uint32_t cls;
	int rc;

	if (get_class(r, c, &cls, &rc) < 0)
		return rc;
	if (get_address(c, &address) < 0 || get_end(c) < 0)
		return broken(r);
	count_alloc(r, ev, cls);
	ev->address = address;
	return 1;
}

static int
read_free(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	uint32_t cls;
	int rc;

	if (get_class(r, c, &cls, &rc) < 0)
		return rc;
	if (c->p != c->end && *c->p != ' ')
		return broken(r);
	if (r->t.cls[cls].live == 0)
		return reject(
		    r, "a free of class %x, which has no live block", cls);
	r->p = r->state->line;
	return read_fields(r, ev, cls, c->p);
}

static int
read_unfree(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	struct ht_class *k;
	uint64_t address = 0;
	uint32_t cls;
	int rc;

	if (get_class(r, c, &cls, &rc) < 0)
		return rc;
	if (get_address(c, &address) < 0 || get_end(c) < 0)
		return broken(r);
	k = &r->t.cls[cls];
	if (ht_class_frees(k) == 0)
		return reject(
		    r, "no free of class %x is there to be undone", cls);
	k->live++;
	ev->kind = HT_EV_UNFREE;
	ev->cls = cls;
	ev->temporary = k->freed_temp;
	ev->part = false;
	ev->address = address;
	k->freed_temp = false;
	r->last = 0; /* as the writer has it */
	return 1;
}

/* `#G`: a block is no more, and `#N`: one is there; as parts of one. */
static int
read_part(
    struct ht_evread *r, struct cursor *c, struct ht_event *ev, bool comes)
{
	struct ht_class *k;
	uint64_t address = 0, age = 0;
	uint32_t cls;
	int rc;

	if (get_class(r, c, &cls, &rc) < 0)
		return rc;
	if (c->end - c->p > 2 && c->p[0] == ' ' && c->p[1] == 'o') {
		c->p += 2;
		if (ht_hex_parse(&c->p, c->end, &age) < 0)
			return broken(r);
	}
	if (get_address(c, &address) < 0 || get_end(c) < 0)
		return broken(r);
	k = &r->t.cls[cls];
	if (!comes && k->live == 0)
		return reject(
		    r, "class %x has no live block that could go", cls);
	k->live += comes ? 1 : UINT64_MAX;
	k->parts += comes ? 1 : UINT64_MAX;
	k->freed_temp = false;
	ev->kind = comes ? HT_EV_UNFREE : HT_EV_FREE;
	ev->cls = cls;
	ev->temporary = false;
	ev->part = true;
	ev->age = age;
	ev->thread = 0;
	ev->address = address;
	r->last = 0;
	return 1;
}

/* The class of so many bytes by that stack, in the pointer form. */
static uint32_t
class_of(struct ht_evread *r, uint64_t size, uint32_t stack)
{
	struct ht_tables *t = &r->t;
	uint64_t key = ht_hash64(size) + (uint64_t)stack * 0x9e3779b97f4a7c15;

	for (;; key++) {
		bool fresh;
		uint64_t *v = ht_map_put(&r->state->known, key, &fresh);
		struct ht_class *c;

		if (fresh) {
			*v = t->ncls;
			c = ht_tables_class(t);
			c->size = size;
			set_stack(t, c, stack);
			c->thread = 1;
			return (uint32_t)*v;
		}
		c = &t->cls[*v];
		if (c->size == size && c->stack == stack)
			return (uint32_t)*v;
	}
}

/* `+ <size> <stack> <address>` */
static int
read_pointer_alloc(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	struct ht_evread_state *s = r->state;
	uint64_t size, stack, address;
	uint32_t cls;

	if (get_num(c, &size) < 0 || get_num(c, &stack) < 0 ||
	    get_num(c, &address) < 0 || get_end(c) < 0)
		return broken(r);
	if (size >= SIZE_LIMIT)
		return reject(
		    r, "%llx is no size of a block", (unsigned long long)size);
	if (stack > r->t.nstack)
		return reject(
		    r, "stack %llx is not defined", (unsigned long long)stack);
	cls = class_of(r, size, (uint32_t)stack);
	*ht_map_put(&s->live, address, NULL) = (uint64_t)cls + 1;
	s->last_address = address;
	count_alloc(r, ev, cls);
	ev->address = address;
	return 1;
}

/* `- <address>`; of one not live it is nothing. */
static int
read_pointer_free(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	struct ht_evread_state *s = r->state;
	uint64_t address, cls;
	bool temporary;

	if (get_num(c, &address) < 0 || get_end(c) < 0)
		return broken(r);
	if (!ht_map_del(&s->live, address, &cls))
		return 0;
	cls--;
	/* heaptrack compares addresses in version 0, classes later. */
	temporary =
	    r->t.format == 0 ? s->last_address == address : r->last == cls + 1;
	s->last_address = 0;
	r->last = 0;
	r->t.cls[cls].live--;
	ev->part = false;
	ev->kind = HT_EV_FREE;
	ev->cls = (uint32_t)cls;
	ev->temporary = temporary;
	ev->address = address;
	return 1;
}

/* --- the header and the rest --------------------------------------------- */

static int
read_version(
    struct ht_evread *r, const char *text, size_t len, struct ht_event *ev)
{
	struct ht_evread_state *s = r->state;
	struct cursor c = {text + 1, text + len, false};
	uint64_t tool, format = 0;
	bool good = get_num(&c, &tool) == 0;

	/* heaptrack before 1.0.0 wrote one number only. */
	if (good && c.p == c.end)
		format = tool == 0x10200 ? 1 : 0;
	else
		good = good && get_num(&c, &format) == 0 && get_end(&c) == 0;
	if (!good)
		return stop(
		    r, s->phase == BEFORE && s->errors == 0
			   ? complain(r, "this is no trace: it does not begin"
					 " with a 'v' line")
			   : broken(r));
	if (format > HT_FORMAT)
		return stop(r,
		    complain(r,
			"the format version is %llu: this ht reads versions 0"
			" to %d",
			(unsigned long long)format, HT_FORMAT));
	ht_tables_clear(&r->t);
	ht_map_clear(&s->live);
	ht_map_clear(&s->known);
	s->addressed = false;
	s->command = false;
	s->last_address = 0;
	s->phase = INSIDE;
	r->last = 0;
	r->t.format = (uint32_t)format;
	r->t.tool_version = (uint32_t)tool;
	r->t.symbolised = true;
	r->t.nthread = 1;
	HT_GROW(r->t.thread, r->t.thread_cap, 1);
	r->t.thread[0].tid = 1;
	r->t.thread[0].name = 0;
	ev->kind = HT_EV_VERSION;
	ev->value = tool;
	ev->id = (uint32_t)format;
	return 1;
}

static int
read_exe(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	r->state->addressed = true;
	r->t.symbolised = false;
	if ((r->t.format >= 3 ? get_sized(c, &ev->text, &ev->len)
			      : get_rest(c, &ev->text, &ev->len)) < 0 ||
	    get_end(c) < 0)
		return broken(r);
	r->t.exe = keep(r, ev->text, ev->len);
	ev->kind = HT_EV_EXE;
	return 1;
}

static int
read_module(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	struct ht_tables *t = &r->t;
	uint64_t bias, addr, size;
	uint32_t module;

	r->state->addressed = true;
	t->symbolised = false;
	if ((t->format >= 3 ? get_sized(c, &ev->text, &ev->len)
			    : get_word(c, &ev->text, &ev->len)) < 0)
		return broken(r);
	if (ev->len == 1 && ev->text[0] == '-' && get_end(c) == 0) {
		ht_tables_no_modules(t);
		ev->kind = HT_EV_NO_MODULES;
		return 1;
	}
	if (get_num(c, &bias) < 0)
		return broken(r);
	module = !t->ours && ev->len == 1 && ev->text[0] == 'x' && t->exe
		     ? t->exe
		     : keep(r, ev->text, ev->len);
	while (c->p != c->end) {
		uint64_t start, end;

		if (get_num(c, &addr) < 0 || get_num(c, &size) < 0)
			return broken(r);
		start = bias + addr; /* a bias may be "negative" */
		if (__builtin_add_overflow(start, size, &end))
			return reject(r, "a segment beyond the last address");
		ht_tables_range(t, start, end, bias, module);
	}
	ev->kind = HT_EV_MODULE;
	return 1;
}

static int
read_time(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	if (get_num(c, &ev->value) < 0 || get_end(c) < 0)
		return broken(r);
	if (ev->value < r->t.ms)
		return reject(r, "time runs backwards: %llx ms after %llx",
		    (unsigned long long)ev->value, (unsigned long long)r->t.ms);
	r->t.ms = ev->value;
	ev->kind = HT_EV_TIME;
	return 1;
}

/* A line that is one number. */
static int
read_value(struct ht_evread *r, struct cursor *c, struct ht_event *ev,
    enum ht_event_kind kind)
{
	if (get_num(c, &ev->value) < 0 || get_end(c) < 0)
		return broken(r);
	ev->kind = kind;
	return 1;
}

/* A line whose last value counts. */
static int
read_last(struct ht_evread *r, struct cursor *c, struct ht_event *ev,
    enum ht_event_kind kind, uint64_t *last)
{
	int rc = read_value(r, c, ev, kind);

	if (rc > 0)
		*last = ev->value;
	return rc;
}

/* Classes defined before it would have been of another rate. */
static int
read_sampled(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	int rc = read_value(r, c, ev, HT_EV_SAMPLED);

	if (rc <= 0)
		return rc;
	if (!ht_weight_is_rate(ev->value))
		return reject(r, "%llx is no rate of samples",
		    (unsigned long long)ev->value);
	if (r->t.ncls > 0)
		return reject(r, "the rate of samples comes after a class");
	r->t.sampled = ev->value;
	return 1;
}

static int
read_rss(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	uint64_t pages, maps = 0;
	bool known = false;
	int rc;

	if (get_num(c, &pages) < 0)
		return broken(r);
	if (c->end - c->p > 2 && c->p[0] == ' ' && c->p[1] == 'm') {
		c->p += 2;
		known = true;
		if (ht_hex_parse(&c->p, c->end, &maps) < 0 || maps > pages)
			return broken(r);
	}
	rc = get_end(c) < 0 ? broken(r) : 1;
	ev->kind = HT_EV_RSS;
	ev->value = pages;
	ev->maps = maps + known;
	if (rc > 0 && ev->value > r->t.peak_rss)
		r->t.peak_rss = ev->value;
	return rc;
}

/* A line that adds to a sum. */
static int
read_count(struct ht_evread *r, struct cursor *c, struct ht_event *ev,
    enum ht_event_kind kind, uint64_t *sum)
{
	int rc = read_value(r, c, ev, kind);

	if (rc > 0 && __builtin_add_overflow(*sum, ev->value, sum)) {
		*sum = UINT64_MAX;
		return reject(r, "the sum of these counts does not fit");
	}
	return rc;
}

static int
read_text(struct ht_evread *r, struct cursor *c, struct ht_event *ev,
    enum ht_event_kind kind)
{
	if (get_rest(c, &ev->text, &ev->len) < 0)
		return broken(r);
	ev->kind = kind;
	return 1;
}

static int
read_command(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	int rc = read_text(r, c, ev, HT_EV_COMMAND);

	if (rc > 0)
		r->t.command = keep(r, ev->text, ev->len);
	r->state->command = !r->t.ours;
	return rc;
}

/* heaptrack writes a suppression sized, people without. */
static int
read_suppression(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	struct cursor sized = *c;

	if (get_sized(&sized, &ev->text, &ev->len) == 0 && sized.p == c->end) {
		ev->kind = HT_EV_SUPPRESSION;
		return 1;
	}
	return read_text(r, c, ev, HT_EV_SUPPRESSION);
}

static int
read_system(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	if (get_num(c, &r->t.page_size) < 0 || get_num(c, &r->t.pages) < 0 ||
	    get_end(c) < 0)
		return broken(r);
	ev->kind = HT_EV_SYSTEM;
	return 1;
}

/* Totals start here: what came before is forgotten. */
static int
read_attached(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	size_t i;

	if (get_end(c) < 0)
		return broken(r);
	for (i = 0; i < r->t.ncls; i++)
		r->t.cls[i].live = r->t.cls[i].allocs = 0;
	ht_map_clear(&r->state->live);
	r->t.attached = true;
	ev->kind = HT_EV_ATTACHED;
	return 1;
}

static int
read_tool(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	static const char recorder[] = "ht-record";
	const char *command;
	size_t len;

	if (get_sized(c, &ev->text, &ev->len) < 0 ||
	    (c->p != c->end && get_rest(c, &command, &len) < 0))
		return broken(r);
	if (ev->len >= sizeof recorder - 1 &&
	    memcmp(ev->text, recorder, sizeof recorder - 1) == 0)
		r->t.ours = true;
	r->t.tool = keep(r, ev->text, ev->len);
	ev->kind = HT_EV_TOOL;
	return 1;
}

/* Hexadecimal, as ht-symbolize reads it too. */
static bool
is_build_id(const char *id, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!memchr("0123456789abcdef", id[i], 16))
			return false;
	return len > 0 && len % 2 == 0 && len / 2 <= BUILD_ID_MAX;
}

static int
read_build_id(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	const char *id;
	size_t len;

	if (get_sized(c, &id, &len) < 0 || !is_build_id(id, len) ||
	    get_sized(c, &ev->text, &ev->len) < 0 || get_end(c) < 0)
		return broken(r);
	ev->kind = HT_EV_BUILD_ID;
	return 1;
}

static int
read_process(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	if (get_num(c, &r->t.pid) < 0 || get_num(c, &r->t.parent_pid) < 0 ||
	    get_num(c, &r->t.start) < 0 || get_end(c) < 0)
		return broken(r);
	ev->kind = HT_EV_PROCESS;
	return 1;
}

static int
read_thread(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	struct ht_tables *t = &r->t;
	uint32_t tid;

	if (get_u32(c, &ev->id) < 0 || get_u32(c, &tid) < 0 ||
	    (c->p != c->end && get_sized(c, &ev->text, &ev->len) < 0) ||
	    get_end(c) < 0)
		return broken(r);
	if (ev->id == 0 || ev->id > THREAD_LIMIT || tid == 0)
		return reject(r, "%x is no number of a thread", ev->id);
	if (ev->id > t->nthread) {
		HT_GROW(t->thread, t->thread_cap, ev->id);
		memset(t->thread + t->nthread, 0,
		    (ev->id - t->nthread) * sizeof *t->thread);
		t->nthread = ev->id;
	}
	t->thread[ev->id - 1].tid = tid;
	t->thread[ev->id - 1].name = ev->text ? keep(r, ev->text, ev->len) : 0;
	ev->kind = HT_EV_THREAD;
	return 1;
}

/* `#C <stack>` */
static int
read_cut(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	if (get_u32(c, &ev->id) < 0 || get_end(c) < 0)
		return broken(r);
	if (ev->id == 0 || ev->id > r->t.nstack)
		return reject(r, "stack %x is not defined", ev->id);
	r->t.stack[ev->id - 1].cut = 1;
	ev->kind = HT_EV_CUT;
	return 1;
}

/* `#K <stack> <kind>` */
static int
read_kind(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	struct ht_stack *stack;

	if (get_u32(c, &ev->id) < 0 || get_rest(c, &ev->text, &ev->len) < 0 ||
	    ev->len == 0 || get_end(c) < 0)
		return broken(r);
	if (ev->id == 0 || ev->id > r->t.nstack)
		return reject(r, "stack %x is not defined", ev->id);
	stack = &r->t.stack[ev->id - 1];
	if (stack->used)
		return reject(r,
		    "stack %x has allocations: too late for their kind",
		    ev->id);
	stack->kind =
	    ht_tables_kind(&r->t, keep(r, ev->text, ev->len)) & 0x3fffffff;
	ev->kind = HT_EV_KIND;
	return 1;
}

static int
read_mark(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	if (get_sized(c, &ev->text, &ev->len) < 0 || get_end(c) < 0)
		return broken(r);
	ev->id = keep(r, ev->text, ev->len);
	ev->kind = HT_EV_MARK;
	return 1;
}

static int
read_pause(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	int rc = read_value(r, c, ev, HT_EV_PAUSE);

	if (rc > 0 && ev->value > 1)
		return broken(r);
	return rc;
}

static int
read_end(struct ht_evread *r, struct cursor *c)
{
	static const struct {
		const char *name;
		enum ht_end end;
		bool value;
	} ends[] = {
	    {"exit", HT_END_EXIT, true},
	    {"signal", HT_END_SIGNAL, true},
	    {"exec", HT_END_EXEC, false},
	    {"detached", HT_END_DETACHED, false},
	    {"stopped", HT_END_STOPPED, false},
	};
	struct ht_evread_state *s = r->state;
	const char *word;
	uint64_t value = 0;
	size_t i, len;

	if (get_word(c, &word, &len) < 0)
		return broken(r);
	for (i = 0; i < HT_LEN(ends); i++)
		if (strlen(ends[i].name) == len &&
		    memcmp(ends[i].name, word, len) == 0)
			break;
	if (i == HT_LEN(ends) || (ends[i].value && get_num(c, &value) < 0) ||
	    c->p != c->end)
		return broken(r);
	r->t.end = ends[i].end;
	r->t.end_value = value;
	s->phase = BEHIND;
	s->end_due = true;
	return 0;
}

static int
read_extension(struct ht_evread *r, struct cursor *c, struct ht_event *ev)
{
	if (memchr(r->state->line, '\0', (size_t)(c->end - r->state->line)))
		return broken(r);
	c->strict = true;
	switch (c->p < c->end ? *c->p++ : ' ') {
	case 'H':
		return read_tool(r, c, ev);
	case 'B':
		return read_build_id(r, c, ev);
	case 'P':
		return read_process(r, c, ev);
	case 'T':
		return read_thread(r, c, ev);
	case 'K':
		return read_kind(r, c, ev);
	case 'C':
		return read_cut(r, c, ev);
	case 'G':
	case 'N':
		return read_part(r, c, ev, r->state->line[1] == 'N');
	case 'F':
		return read_unfree(r, c, ev);
	case 'L':
		return read_count(r, c, ev, HT_EV_LOST, &r->t.lost);
	case 'U':
		return read_count(r, c, ev, HT_EV_UNSEEN, &r->t.unseen);
	case 'D':
		return read_count(r, c, ev, HT_EV_MISSED, &r->t.missed);
	case 'M':
		return read_mark(r, c, ev);
	case 'Q':
		return read_pause(r, c, ev);
	case 'S':
		return read_sampled(r, c, ev);
	case 'R':
		return read_last(r, c, ev, HT_EV_OWN_RSS, &r->t.own_rss);
	case 'E':
		return read_end(r, c);
	default:
		ev->kind = HT_EV_COMMENT; /* or a letter of the future */
		return 1;
	}
}

/* --- lines -------------------------------------------------------------- */

static int
read_line(struct ht_evread *r, struct ht_event *ev)
{
	const struct ht_evread_state *s = r->state;
	bool pointers = r->t.format == 0 || (s->addressed && !r->t.ours);
	struct cursor c = {s->line + 1, s->line_end, r->t.ours};

	if (s->line == s->line_end)
		return reject(r, "an empty line");
	/* Nothing of it is believed, but what it defines takes its number. */
	if (memchr(s->line, '\0', (size_t)(s->line_end - s->line)))
		c.p = c.end;
	switch (*s->line) {
	case '+':
		return pointers ? read_pointer_alloc(r, &c, ev)
				: read_alloc(r, &c, ev);
	case '-':
		return pointers ? read_pointer_free(r, &c, ev)
				: read_free(r, &c, ev);
	case 'c':
		return read_time(r, &c, ev);
	case 'R':
		return read_rss(r, &c, ev);
	case 's':
		return read_string(r, &c, ev);
	case 'i':
		return read_frame(r, &c, ev);
	case 't':
		return read_stack(r, &c, ev);
	case 'a':
		return read_class(r, &c, ev);
	case 'x':
		return read_exe(r, &c, ev);
	case 'X':
		return read_command(r, &c, ev);
	case 'I':
		return read_system(r, &c, ev);
	case 'm':
		return read_module(r, &c, ev);
	case 'A':
		return read_attached(r, &c, ev);
	case 'S':
		return read_suppression(r, &c, ev);
	case '#':
		return read_extension(r, &c, ev);
	default:
		return broken(r);
	}
}

static bool
starts(const struct ht_evread_state *s, const char *with)
{
	size_t n = strlen(with);

	return (size_t)(s->line_end - s->line) >= n &&
	       memcmp(s->line, with, n) == 0;
}

/* Before the first trace: what kind of file is this? */
static int
read_first(struct ht_evread *r, struct ht_event *ev)
{
	struct ht_evread_state *s = r->state;

	if (starts(s, PROFILE))
		return stop(r, reject(r, "a profile needs a file of its own"));
	if (s->line == s->line_end || starts(s, "# "))
		return 0;
	if (starts(s, "v "))
		return read_version(
		    r, s->line, (size_t)(s->line_end - s->line), ev);
	if (starts(s, "x ") || starts(s, "X ")) {
		/* heaptrack's oldest files have no version. */
		r->p = s->line;
		return read_version(r, "v 0 0", 5, ev);
	}
	return stop(r,
	    complain(r, "this is no trace: it does not begin with a 'v' line"));
}

/* The next line of the block, or of the next block. 1, 0 at the end, -1. */
static int
take_line(struct ht_evread *r)
{
	struct ht_evread_state *s = r->state;
	int rc;

	if (r->p == r->end) {
		rc = ht_in_block(s->in, 0, &r->p, &r->end);
		if (rc <= 0) {
			r->p = r->end = s->block = s->line = NULL;
			r->fast = r->p;
			return rc;
		}
		s->block = r->p;
		s->line = r->p;
	}
	s->line = r->p;
	s->line_end = memchr(r->p, '\n', (size_t)(r->end - r->p));
	if (s->line_end == NULL) {
		/* The last line, cut: it may have meant anything. */
		s->line_end = r->end;
		r->p = r->end;
		r->fast = r->p;
		return 2;
	}
	r->p = s->line_end + 1;
	return 1;
}

/* The input has ended, by itself (rc 0), with an error, or inside a line. */
static int
finish(struct ht_evread *r, int rc)
{
	struct ht_evread_state *s = r->state;
	enum phase was = s->phase;
	char *first, *end;

	/* Behind a cut line there may be the reason why it was cut. */
	if (rc == 2 && ht_in_block(s->in, 0, &first, &end) < 0)
		rc = -1;
	if (rc < 0) {
		s->errors++;
		s->error = *ht_in_error(s->in);
		if (was == INSIDE) {
			s->end_due = true;
			r->t.end = HT_END_TRUNCATED;
		}
		return stop(r, -1);
	}
	if (was == BEFORE && !s->glued[0] && r->t.format == 0 &&
	    r->t.nthread == 0)
		rc = complain(r,
		    rc == 2 ? "this is no trace: it does not begin with a 'v'"
			      " line"
			    : "there is no trace in it");
	else if (was == INSIDE)
		rc = cut_off(r, rc == 2, true);
	else if (rc == 2)
		rc = complain(r, "the last line is cut");
	else
		rc = 0;
	return stop(r, rc);
}

/* heaptrack writes a command with LFs in it as it is: what follows the first
 * line is no record. */
static bool
more_of_command(struct ht_evread_state *s)
{
	size_t n = (size_t)(s->line_end - s->line);

	if (!s->command)
		return false;
	s->command = n == 0 || !strchr("sxXtiaImAcRSv+-#", s->line[0]) ||
		     (n > 1 && s->line[1] != ' ');
	return s->command;
}

/* What the trace's state asks for before the line itself is looked at: 1 when
 * it is to be read as a record, else as step(). */
static int
sort_out(struct ht_evread *r, struct ht_event *ev, bool *record)
{
	struct ht_evread_state *s = r->state;
	bool glued = s->glued[0] != '\0';

	*record = false;
	if (glued && s->phase == INSIDE &&
	    (starts(s, "#H ") || starts(s, "x "))) {
		/* The line before was two: a cut one and a `v` line. */
		memcpy(s->version, s->glued, sizeof s->version);
		s->glued[0] = '\0';
		r->p = s->line;
		return cut_off(r, true, false);
	}
	s->glued[0] = '\0';
	if (s->phase == BEFORE)
		return read_first(r, ev);
	if (more_of_command(s))
		return 0;
	if (starts(s, "v ") || starts(s, PROFILE)) {
		if (s->phase == INSIDE) {
			r->p = s->line;
			return cut_off(r, false, false);
		}
		if (*s->line == '#')
			return read_first(r, ev);
		return read_version(
		    r, s->line, (size_t)(s->line_end - s->line), ev);
	}
	if (s->line == s->line_end && !r->t.ours)
		return 0;
	if (s->phase == BEHIND && !starts(s, "# "))
		return reject(r, "a line behind the end of the trace");
	*record = true;
	return 0;
}

/* 1 an event, 0 go on, -1 error, 2 the end. */
static int
step(struct ht_evread *r, struct ht_event *ev)
{
	struct ht_evread_state *s = r->state;
	bool record;
	char *glued;
	int rc;

	memset(ev, 0, sizeof *ev);
	if (s->end_due) {
		s->end_due = false;
		ev->kind = HT_EV_END;
		ev->end = r->t.end;
		ev->value = r->t.end_value;
		return 1;
	}
	if (s->version[0]) {
		rc = read_version(r, s->version, strlen(s->version), ev);
		s->version[0] = '\0';
		return rc;
	}
	if (s->phase == OVER) {
		if (s->told || s->errors <= HT_EVREAD_ERRORS)
			return 2;
		s->told = true;
		return complain(r, "%llu more errors are not shown",
		    (unsigned long long)(s->errors - HT_EVREAD_ERRORS));
	}
	rc = take_line(r);
	if (rc != 1)
		return finish(r, rc);
	rc = sort_out(r, ev, &record);
	if (!record)
		return rc;
	rc = read_line(r, ev);
	if (rc > 0 && ev->kind != HT_EV_TOOL) {
		glued = find_glued(s->line, s->line_end);
		if (glued) {
			memcpy(s->glued, glued, (size_t)(s->line_end - glued));
			s->glued[s->line_end - glued] = '\0';
		}
	}
	return rc;
}

int
ht_evread_slow(struct ht_evread *r, struct ht_event *ev)
{
	struct ht_evread_state *s = r->state;
	int rc;

	do {
		rc = step(r, ev);
		/* Lines with addresses, behind a command, and what is not
		 * inside a trace, go this way each. */
		r->fast = s->phase == INSIDE && !s->glued[0] && !s->end_due &&
				  !s->version[0] && !s->command &&
				  r->t.format > 0 &&
				  (!s->addressed || r->t.ours)
			      ? r->end
			      : r->p;
	} while (rc == 0);
	return rc == 2 ? 0 : rc;
}
