/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Suppressions, up to an empty line, and names: a pattern matches what a slow
 * and simple matcher says, and of what leaked nothing is lost or hidden twice.
 */
#include "libht/str.h"
#include "libht/suppress.h"
#include "t/fuzz/fuzz.h"

#define NAMES 40

/* Whether all of `s` matches `p`, of which `*` is any text. One row of a table
 * for each byte of `p`. */
static bool
glob(const char *p, size_t np, const char *s)
{
	size_t i, j, n = strlen(s);
	bool *row = ht_calloc(n + 1, sizeof *row), old, up, match;

	row[0] = true;
	for (i = 0; i < np; i++) {
		for (old = false, j = 0; j <= n; j++) {
			up = row[j];
			if (p[i] == '*')
				row[j] = up || (j > 0 && row[j - 1]);
			else
				row[j] = j > 0 && old && p[i] == s[j - 1];
			old = up;
		}
	}
	match = row[n];
	free(row);
	return match;
}

static bool
simple_match(const char *pattern, const char *name)
{
	bool start = *pattern == '^', end;
	size_t n = strlen(pattern += start);
	struct ht_str s = {0};
	bool match;

	end = n > 0 && pattern[n - 1] == '$';
	if (!start)
		ht_str_addc(&s, '*');
	ht_str_add(&s, pattern, n - end);
	if (!end)
		ht_str_addc(&s, '*');
	match = *name && glob(s.data, s.len, name);
	ht_str_release(&s);
	return match;
}

/* One row for each name: a function of it leaked a block. */
static void
leak(struct ht_prof *p, const char *name, size_t len)
{
	struct ht_frame f = {.symbolised = true, .count = 1};
	struct ht_frame_fn fn = {0};
	uint32_t row;

	fn.function = ht_prof_text(p, name, len);
	row = ht_prof_row(
	    p, ht_prof_stack(p, 0, ht_prof_frame(p, f, &fn)), len, 0, 0, 0);
	p->row[row - 1].allocs++;
	p->row[row - 1].leaked++;
}

static void
check_names(struct ht_suppress *s, const char *text, size_t size)
{
	uint64_t leaked, bytes, want = 0, hidden = 0;
	struct ht_prof p = {0};
	size_t i, n, names = 0;

	for (; size > 0 && names < NAMES; names++) {
		const char *lf = memchr(text, '\n', size);

		n = lf ? (size_t)(lf - text) : size;
		leak(&p, text, n);
		text += n + (lf != NULL);
		size -= n + (lf != NULL);
	}
	ht_prof_sum(&p);
	leaked = p.sum.leaked_blocks;
	bytes = p.sum.leaked;
	for (n = 1; n <= p.text.count; n++) {
		const char *name = ht_intern_get(&p.text, (uint32_t)n);
		bool any = false;

		for (i = 0; i < s->n; i++) {
			bool match = simple_match(s->item[i].pattern, name);

			check(ht_suppress_match(s->item[i].pattern, name) ==
			      match);
			any |= match;
		}
		for (i = 0; any && i < p.nrow; i++) {
			uint32_t f = p.stack[p.row[i].stack - 1].frame;

			if (p.fn[p.frame[f - 1].first].function == n)
				want += p.row[i].leaked;
		}
	}
	ht_suppress_apply(s, &p);
	for (i = 0; i < s->n; i++)
		hidden += s->item[i].blocks;
	check(s->blocks == want && hidden == want);
	check(p.sum.leaked_blocks + want == leaked);
	check(p.sum.leaked + s->bytes == bytes);
	ht_prof_release(&p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *lf;
	struct ht_suppress s = {0};

	while (size > 0) {
		size_t n;

		lf = memchr(text, '\n', size);
		n = lf ? (size_t)(lf - text) : size;
		if (n > 0)
			ht_suppress_line(&s, text, n, HT_SUPPRESS_FILE);
		text += n + (lf != NULL);
		size -= n + (lf != NULL);
		if (n == 0)
			break;
	}
	check_names(&s, text, size);
	ht_suppress_release(&s);
	return 0;
}
