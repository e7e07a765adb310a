/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Histograms in text: a line for each power of two, with a bar. */
#include <stdio.h>

#include "ht-top/buckets.h"
#include "ht-top/columns.h"
#include "libht/fmt.h"

#define BAR 26 /* columns */

static struct amount
blocks_of(const struct bucket *b)
{
	return amount_between(b->base_blocks, b->blocks);
}

/* As long as the largest is BAR columns; a difference is longer the larger it
 * is, up or down. */
static void
put_bar(const struct report *r, uint64_t n, uint64_t largest)
{
	static const char bar[BAR + 1] = "##########################";
	unsigned __int128 columns = (unsigned __int128)n * BAR;
	int len = largest ? (int)((columns + largest - 1) / largest) : 0;

	ht_out_printf(r->out, "%s%.*s\n", len ? "  " : "", len, bar);
}

static void
put_bucket(const struct report *r, const char *name, const struct buckets *all,
    const struct bucket *b, uint64_t largest)
{
	bool diff = r->base != NULL;
	struct amount n = blocks_of(b);
	uint64_t whole = diff ? all->total.base_blocks : all->total.blocks;

	if (bucket_is_empty(b))
		return;
	ht_out_printf(r->out, "%16s %13s %6s %9s", name,
	    amount_text(n, UNIT_COUNT, diff).s,
	    amount_percent(n, whole, diff).s,
	    amount_text(
		amount_between(b->base_bytes, b->bytes), UNIT_BYTES, diff)
		.s);
	put_bar(r, n.n, largest);
}

static uint64_t
largest_of(const struct buckets *b)
{
	uint64_t largest = blocks_of(&b->never).n, n;
	unsigned i;

	n = blocks_of(&b->unknown).n;
	largest = n > largest ? n : largest;
	for (i = 0; i < HT_HIST_BUCKETS; i++) {
		n = blocks_of(&b->bucket[i]).n;
		largest = n > largest ? n : largest;
	}
	return largest;
}

static void
put_head(const struct report *r, const char *title, const char *what)
{
	ht_out_char(r->out, '\n');
	put_ink(r, INK_TITLE, title);
	ht_out_printf(
	    r->out, "\n%16s %13s %6s %9s\n", what, "calls", "%", "bytes");
}

/* `64..127`, `4k..8k-1`: powers of two, so units are binary here. */
static void
name_size(char *to, size_t size, unsigned i)
{
	static const char unit[][3] = {"", "k", "M", "G", "T", "P", "E"};
	unsigned u = i ? (i - 1) / 10 : 0;
	unsigned long long from = ht_hist_start(i) >> (10 * u);
	bool next = 2 * from == 1024;

	if (i < 2)
		snprintf(to, size, "%llu", from);
	else if (u == 0)
		snprintf(to, size, "%llu..%llu", from, 2 * from - 1);
	else
		snprintf(to, size, "%llu%s..%llu%s-1", from, unit[u],
		    next ? 1 : 2 * from, unit[u + next]);
}

/* Ages are in ms, the least of the bucket; the first is what was freed in the
 * clock tick of its birth. */
static void
name_age(char *to, size_t size, unsigned i)
{
	uint64_t ms = ht_hist_start(i);

	if (i == 0)
		snprintf(to, size, "less than a tick");
	else if (ms < 1000)
		snprintf(to, size, "%llu ms", (unsigned long long)ms);
	else
		snprintf(to, size, "%s", ht_fmt_ms(ms).s);
}

static void
put_buckets(const struct report *r, const struct buckets *b, uint64_t largest,
    void (*name)(char *to, size_t size, unsigned i))
{
	unsigned i;

	for (i = 0; i < HT_HIST_BUCKETS; i++) {
		char text[64];

		name(text, sizeof text, i);
		put_bucket(r, text, b, &b->bucket[i], largest);
	}
}

void
print_sizes(const struct report *r)
{
	struct buckets b;
	uint64_t largest;

	buckets_sizes(&b, r);
	largest = largest_of(&b);
	put_head(r, "SIZES OF ALLOCATIONS", "size");
	put_buckets(r, &b, largest, name_size);
}

void
print_lifetimes(const struct report *r)
{
	struct buckets b;
	uint64_t largest;

	buckets_lifetimes(&b, r);
	largest = largest_of(&b);
	put_head(r, "LIFETIMES OF BLOCKS", "freed after");
	put_buckets(r, &b, largest, name_age);
	put_bucket(r, "not known", &b, &b.unknown, largest);
	put_bucket(r, ht_query_windowed(&r->top->query) ? "alive" : "never", &b,
	    &b.never, largest);
}
