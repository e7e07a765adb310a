/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "ht-top/columns.h"
#include "ht-top/suppressions.h"
#include "libht/fmt.h"
#include "libht/mem.h"

static int
compare(const void *a, const void *b)
{
	const struct ht_suppression *x =
	    *(const struct ht_suppression *const *)a;
	const struct ht_suppression *y =
	    *(const struct ht_suppression *const *)b;

	if (x->bytes != y->bytes)
		return (x->bytes < y->bytes) - (x->bytes > y->bytes);
	return strcmp(x->pattern, y->pattern);
}

const struct ht_suppression **
suppressions_used(const struct ht_suppress *s, size_t *n)
{
	const struct ht_suppression **used =
	    ht_malloc((s->n + 1) * sizeof(struct ht_suppression *));
	size_t i;

	*n = 0;
	for (i = 0; i < s->n; i++)
		if (s->item[i].blocks > 0)
			used[(*n)++] = &s->item[i];
	qsort(used, *n, sizeof(struct ht_suppression *), compare);
	return used;
}

const char *
suppression_origin(const struct ht_suppression *s)
{
	static const char *const names[] = {[HT_SUPPRESS_FILE] = "file",
	    [HT_SUPPRESS_EMBEDDED] = "embedded",
	    [HT_SUPPRESS_BUILTIN] = "built-in"};

	return names[s->origin];
}

void
print_suppressions(const struct report *r)
{
	size_t n, i, width = r->top->width;
	const struct ht_suppression **used =
	    suppressions_used(&r->top->query.suppress, &n);

	ht_out_char(r->out, '\n');
	put_ink(r, INK_TITLE, "SUPPRESSED LEAKS");
	ht_out_char(r->out, '\n');
	if (n == 0)
		ht_out_printf(r->out, "no leak was suppressed\n");
	else
		ht_out_printf(r->out, "%9s %9s %8s  pattern\n", "bytes",
		    "blocks", "from");
	for (i = 0; i < n; i++) {
		struct ht_str s = {0};

		ht_fmt_text(&s, used[i]->pattern, strlen(used[i]->pattern),
		    width ? width - 30 : 0);
		ht_out_printf(r->out, "%9s %9s %8s  %s\n",
		    ht_fmt_bytes(used[i]->bytes).s,
		    ht_fmt_count(used[i]->blocks).s,
		    suppression_origin(used[i]), s.data);
		ht_str_release(&s);
	}
	free(used);
}
