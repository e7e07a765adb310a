/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "libht/in.h"
#include "libht/mem.h"
#include "libht/suppress.h"

/* What is never freed by intention, whatever the program: the dynamic linker's
 * and the C library's own tables, which live as long as the process, and the
 * C++ library's reserve for exceptions when memory is out. */
static const char *const builtin[] = {
    /* ld.so: loaded objects and thread-local storage */
    "^_dl_new_object$",
    "^_dl_allocate_tls",
    "^_dl_map_object_deps$",
    "^_dl_check_map_versions$",
    "*tls_get_addr*",
    "^add_to_global",
    /* libc: exit handlers, buffers of stdio, locales, character sets, time
     * zones, name services */
    "^__new_exitfn$",
    "^_IO_file_doallocate$",
    "^_nl_load_locale",
    "^_nl_intern_locale_data$",
    "^_nl_make_l10nflist$",
    "^__gconv_",
    "^tzset_internal$",
    "^__tzfile_read$",
    "^__nss_",
    "^nss_parse_",
    /* libstdc++ */
    "^(anonymous namespace)::pool::pool",
    "^__gnu_cxx::__freeres",
    /* registries of libraries that a program keeps until it ends */
    "libfontconfig.so",
    "^g_quark_",
    "^g_type_register_",
    "^g_type_init",
};

/* The text before the next `*` or the `$` at the end of the pattern, which is
 * moved to it. */
static size_t
segment(const char **pattern, const char **start)
{
	size_t n = strcspn(*pattern, "*");

	*start = *pattern;
	if (n > 0 && (*pattern)[n] == '\0' && (*pattern)[n - 1] == '$')
		n--;
	*pattern += n;
	return n;
}

static const char *
find(const char *name, const char *text, size_t len)
{
	return memmem(name, strlen(name), text, len);
}

static bool
ends_with(const char *name, const char *text, size_t len)
{
	size_t n = strlen(name);

	return n >= len && memcmp(name + n - len, text, len) == 0;
}

bool
ht_suppress_match(const char *pattern, const char *name)
{
	bool held = *pattern == '^';
	const char *text;
	size_t n;

	if (*name == '\0')
		return false;
	pattern += held;
	for (;;) {
		n = segment(&pattern, &text);
		if (*pattern == '$' && held)
			return strlen(name) == n && memcmp(name, text, n) == 0;
		if (*pattern == '$')
			return ends_with(name, text, n);
		if (held && strncmp(name, text, n) != 0)
			return false;
		if (!held && (name = find(name, text, n)) == NULL)
			return false;
		if (*pattern == '\0')
			return true;
		name += n;
		held = false;
		pattern++;
	}
}

static void
add(struct ht_suppress *s, const char *pattern, size_t len,
    enum ht_suppress_origin origin)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (strlen(s->item[i].pattern) == len &&
		    memcmp(s->item[i].pattern, pattern, len) == 0)
			return;
	HT_GROW(s->item, s->cap, s->n + 1);
	s->item[s->n++] = (struct ht_suppression){
	    .pattern = ht_memdup(pattern, len), .origin = origin};
}

int
ht_suppress_line(struct ht_suppress *s, const char *line, size_t len,
    enum ht_suppress_origin origin)
{
	static const char leak[] = "leak:";
	size_t n = sizeof leak - 1;

	for (; len && strchr(" \t", line[0]) && line[0]; len--)
		line++;
	while (len && line[len - 1] && strchr(" \t\r", line[len - 1]))
		len--;
	if (len == 0 || line[0] == '#')
		return 0;
	if (len <= n || memcmp(line, leak, n) != 0 || memchr(line, 0, len))
		return -1;
	add(s, line + n, len - n, origin);
	return 0;
}

int
ht_suppress_file(struct ht_suppress *s, const char *path, struct ht_error *err)
{
	struct ht_in *in = ht_in_open(path, err);
	char *line;
	size_t len;
	int rc;

	if (in == NULL)
		return -1;
	while ((rc = ht_in_line(in, &line, &len)) > 0) {
		if (ht_suppress_line(s, line, len, HT_SUPPRESS_FILE) == 0)
			continue;
		rc = ht_error_set(err, "%s:%llu: no suppression: '%.*s'", path,
		    (unsigned long long)ht_in_lineno(in),
		    len > 60 ? 60 : (int)len, line);
		break;
	}
	if (rc < 0 && ht_in_error(in)->text[0])
		ht_error_set(err, "%s", ht_in_error(in)->text);
	ht_in_close(in);
	return rc;
}

void
ht_suppress_builtin(struct ht_suppress *s)
{
	size_t i;

	for (i = 0; i < HT_LEN(builtin); i++)
		add(s, builtin[i], strlen(builtin[i]), HT_SUPPRESS_BUILTIN);
}

void
ht_suppress_restart(struct ht_suppress *s, size_t n)
{
	size_t i;

	while (s->n > n)
		free(s->item[--s->n].pattern);
	for (i = 0; i < n; i++)
		s->item[i].blocks = s->item[i].bytes = 0;
	s->blocks = s->bytes = 0;
}

void
ht_suppress_release(struct ht_suppress *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->item[i].pattern);
	free(s->item);
	memset(s, 0, sizeof *s);
}

/* --- applying ----------------------------------------------------------------
 */

#define NO_MATCH UINT32_MAX

/* What is known so far: 0 nothing, NO_MATCH, or an item plus 1. */
struct known {
	const struct ht_suppress *s;
	const struct ht_prof *p;
	uint32_t *text, *stack;
};

static uint32_t
match_text(struct known *k, uint32_t id)
{
	const char *name = ht_intern_get(&k->p->text, id);
	uint32_t i;

	if (k->text[id])
		return k->text[id];
	for (i = 0; i < k->s->n; i++)
		if (ht_suppress_match(k->s->item[i].pattern, name))
			break;
	k->text[id] = i < k->s->n ? i + 1 : NO_MATCH;
	return k->text[id];
}

static uint32_t
match_frame(struct known *k, uint32_t id)
{
	const struct ht_frame *f;
	uint32_t i, best;

	if (id == 0)
		return NO_MATCH;
	f = &k->p->frame[id - 1];
	best = match_text(k, f->module);
	for (i = f->first; i < f->first + f->count; i++) {
		uint32_t function = match_text(k, k->p->fn[i].function);
		uint32_t file = match_text(k, k->p->fn[i].file);

		best = function < best ? function : best;
		best = file < best ? file : best;
	}
	return best;
}

/* Of each stack what it matches. The array is the caller's. */
static uint32_t *
match_stacks(const struct ht_suppress *s, const struct ht_prof *p)
{
	struct known k = {.s = s, .p = p};
	size_t i;

	k.text = ht_calloc(p->text.count + 1, sizeof *k.text);
	k.stack = ht_calloc(p->nstack + 1, sizeof *k.stack);
	k.stack[0] = NO_MATCH;
	for (i = 0; i < p->nstack; i++) {
		k.stack[i + 1] = match_frame(&k, p->stack[i].frame);
		if (k.stack[i + 1] == NO_MATCH)
			k.stack[i + 1] = k.stack[p->stack[i].parent];
	}
	free(k.text);
	return k.stack;
}

bool *
ht_suppress_stacks(const struct ht_suppress *s, const struct ht_prof *p)
{
	bool *yes = ht_calloc(p->nstack + 1, sizeof *yes);
	uint32_t *stack = match_stacks(s, p);
	size_t i;

	for (i = 0; i <= p->nstack; i++)
		yes[i] = stack[i] != NO_MATCH;
	free(stack);
	return yes;
}

void
ht_suppress_apply(struct ht_suppress *s, struct ht_prof *p)
{
	uint32_t *stack;
	size_t i;

	if (s->n == 0)
		return;
	stack = match_stacks(s, p);
	for (i = 0; i < p->nrow; i++) {
		struct ht_prof_row *row = &p->row[i];
		struct ht_suppression *item;
		uint64_t bytes =
		    ht_weight_bytes(row->leaked, row->size, row->sampled);
		uint64_t blocks =
		    ht_weight_blocks(row->leaked, row->size, row->sampled);

		if (stack[row->stack] == NO_MATCH || row->leaked == 0)
			continue;
		item = &s->item[stack[row->stack] - 1];
		ht_plus(&item->blocks, blocks);
		ht_plus(&item->bytes, bytes);
		ht_plus(&s->blocks, blocks);
		ht_plus(&s->bytes, bytes);
		row->leaked = 0;
	}
	ht_prof_sum(p);
	free(stack);
}
