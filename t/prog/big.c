/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blocks around the sizes where a field of a record could end; not touched, so
 * that they cost address space only. Says how many of 4 GiB and more it had. */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#include "truth.h"

static struct truth t;
static unsigned huge;

static FRAME void
big(size_t size)
{
	char *volatile p = malloc(size);
	char *q;

	if (!p)
		return;
	huge += size >> 32 != 0;
	t.allocations++;
	t.bytes += size;
	q = realloc(p, size + (1 << 20));
	if (q) {
		t.allocations++;
		t.frees++;
		t.bytes += size + (1 << 20);
		p = q;
	}
	free(p);
	t.frees++;
	p = calloc(size / 2 + 1, 2);
	if (p) {
		t.allocations++;
		t.bytes += (size / 2 + 1) * 2;
		free(p);
		t.frees++;
	}
}

static FRAME void
stays(void)
{
	void *volatile last = malloc((1 << 24) + 5);

	if (!last)
		wrong("16 MiB");
}

int
main(void)
{
	static const int bit[] = {16, 20, 23, 24, 25, 28, 31, 32};

	for (unsigned i = 0; i < sizeof bit / sizeof *bit; i++)
		for (int k = -2; k <= 2; k++)
			big(((size_t)1 << bit[i]) + k);
	big((size_t)5 << 30);
	stays();
	say_truth("big", &t);
	say("huge", huge);
	return 0;
}
