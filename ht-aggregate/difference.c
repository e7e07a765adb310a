/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ht-aggregate/difference.h"
#include "libht/diff.h"
#include "libht/err.h"
#include "libht/mem.h"
#include "libht/place.h"
#include "libht/str.h"

/* Stacks by their names, with what both profiles say of them. */
struct stacks {
	struct ht_walk walk;
	struct ht_intern name;
	struct ht_sum *base, *later; /* of name id - 1 */
	size_t base_cap, later_cap;
};

/* --- names --------------------------------------------------------------- */

static void
add_text(struct ht_str *s, const struct ht_intern *t, uint32_t id)
{
	size_t len = ht_intern_len(t, id), size = 4 * len + 1, i, n;
	char *safe = ht_malloc(size);

	n = ht_escape(safe, size, ht_intern_get(t, id), len);
	/* `;` is between functions. */
	for (i = 0; i < n; i++)
		if (safe[i] == ';')
			safe[i] = ':';
	ht_str_add(s, safe, n);
	free(safe);
}

static void
add_place(struct ht_str *s, const struct ht_prof *p, uint32_t id)
{
	struct ht_place place = ht_place(p, id);

	if (place.cut)
		ht_str_addz(s, "(cut)");
	else if (place.function)
		add_text(s, &p->text, place.function);
	else if (place.module)
		add_text(s, &p->text, place.module);
	else
		ht_str_addz(s, "(unknown)");
	if (place.known && !place.function && !place.symbolised)
		ht_str_addf(s, "+0x%" PRIx64, place.offset);
}

/* The id of a stack's name: its functions from the root to the leaf. */
static uint32_t
name_of(struct stacks *st, const struct ht_prof *p, uint32_t stack)
{
	struct ht_str s = {0};
	uint32_t id;
	size_t i;

	ht_walk_stack(&st->walk, stack);
	for (i = st->walk.n; i-- > 0;) {
		add_place(&s, p, st->walk.place[i]);
		if (i > 0)
			ht_str_addc(&s, ';');
	}
	id = ht_intern_add(&st->name, s.data, s.len, NULL);
	ht_str_release(&s);
	return id;
}

/* --- the table ----------------------------------------------------------- */

static bool
is_same(const struct ht_sum *base, const struct ht_sum *later)
{
	return base->allocs == later->allocs &&
	       base->temporary == later->temporary &&
	       base->leaked == later->leaked &&
	       base->leaked_blocks == later->leaked_blocks &&
	       base->bytes == later->bytes && base->peak == later->peak;
}

static void
put_line(struct ht_out *out, const struct ht_sum *base,
    const struct ht_sum *later, const char *name)
{
	const int64_t v[] = {ht_diff(base->allocs, later->allocs),
	    ht_diff(base->temporary, later->temporary),
	    ht_diff(base->leaked, later->leaked),
	    ht_diff(base->leaked_blocks, later->leaked_blocks),
	    ht_diff(base->bytes, later->bytes),
	    ht_diff(base->peak, later->peak)};
	size_t i;

	for (i = 0; i < HT_LEN(v); i++)
		ht_out_printf(out, "%" PRId64 "\t", v[i]);
	ht_out_write(out, name, strlen(name));
	ht_out_char(out, '\n');
}

static int
by_name(const void *a, const void *b, void *arg)
{
	const struct ht_intern *t = arg;

	return strcmp(ht_intern_get(t, *(const uint32_t *)a),
	    ht_intern_get(t, *(const uint32_t *)b));
}

static void
put_stacks(struct ht_out *out, struct stacks *st)
{
	uint32_t *id = ht_malloc((st->name.count + 1) * sizeof *id);
	size_t i;

	for (i = 0; i < st->name.count; i++)
		id[i] = (uint32_t)(i + 1);
	qsort_r(id, st->name.count, sizeof *id, by_name, &st->name);
	for (i = 0; i < st->name.count; i++) {
		const struct ht_sum *base = &st->base[id[i] - 1];
		const struct ht_sum *later = &st->later[id[i] - 1];

		if (!is_same(base, later))
			put_line(
			    out, base, later, ht_intern_get(&st->name, id[i]));
	}
	free(id);
}

void
difference_print(struct ht_out *out, const struct ht_query *q,
    const struct ht_prof *base, const struct ht_prof *later)
{
	struct stacks st;
	struct ht_diff d;
	size_t i;

	memset(&st, 0, sizeof st);
	ht_diff_make(&d, base, later);
	ht_walk_init(&st.walk, &d.both, &q->alloc_fn, q->all_frames);
	for (i = 0; i < d.both.nrow; i++) {
		struct ht_sum a = ht_row_sum(&d.base[i]);
		struct ht_sum b = ht_row_sum(&d.both.row[i]);
		uint32_t id = name_of(&st, &d.both, d.both.row[i].stack);

		HT_GROW(st.base, st.base_cap, id);
		HT_GROW(st.later, st.later_cap, id);
		ht_sum_add(&st.base[id - 1], &a);
		ht_sum_add(&st.later[id - 1], &b);
	}
	ht_out_printf(out, "allocations\ttemporary\tleaked\tleaked_blocks\t"
			   "total_bytes\tpeak\tstack\n");
	put_line(out, &base->sum, &later->sum, "(all)");
	put_stacks(out, &st);
	ht_walk_release(&st.walk);
	ht_intern_release(&st.name);
	free(st.base);
	free(st.later);
	ht_diff_release(&d);
}
