/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The same allocations each time, of all sizes, for --sample: blocks that stay
 * until the peak is over, blocks that grow, temporary ones and those that are
 * not quite, leaks; and, as `mixture threads`, blocks that threads pass to
 * each other until all are freed.
 */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FRAME __attribute__((noinline))
#define HELD  4000
#define SLOTS 512

static uint64_t state = 1;

static unsigned
next(uint64_t *s, unsigned below)
{
	*s = *s * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(*s >> 33) % below;
}

static void *held[HELD];

static FRAME void
hold_small(void)
{
	for (int i = 0; i < HELD / 2; i++)
		held[i] = malloc(next(&state, 200));
}

static FRAME void
hold_large(void)
{
	for (int i = HELD / 2; i < HELD; i++)
		held[i] = calloc(1 + next(&state, 40), 100);
}

static FRAME void
grow(void)
{
	for (int i = 0; i < HELD; i += 4)
		held[i] = realloc(held[i], 1 + next(&state, 6000));
}

static FRAME void
temporary(void)
{
	for (int i = 0; i < 3000; i++)
		free(malloc(next(&state, 1500)));
}

/* Another block is freed in between: it is not the thread's next event. */
static FRAME void
almost_temporary(void)
{
	for (int i = 0; i < 3000; i++) {
		void *before = malloc(100), *p = malloc(next(&state, 1500));

		free(before);
		free(p);
	}
}

static FRAME void
leak(void)
{
	for (int i = 0; i < 2000; i++)
		memset(malloc(8 + next(&state, 700)), 1, 8);
}

static _Atomic(void *) slot[SLOTS];

static void *
pass_on(void *arg)
{
	uint64_t mine = (uintptr_t)arg;

	for (int i = 0; i < 20000; i++) {
		void *p = malloc(next(&mine, 300));

		if (next(&mine, 3) == 0)
			p = realloc(p, 1 + next(&mine, 2000));
		free(atomic_exchange(&slot[next(&mine, SLOTS)], p));
	}
	return NULL;
}

static void
threads(void)
{
	pthread_t t[8];

	for (uintptr_t i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, pass_on, (void *)(i + 1));
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < SLOTS; i++)
		free(slot[i]);
}

int
main(int argc, char *argv[])
{
	if (argc > 1 && strcmp(argv[1], "threads") == 0) {
		threads();
		return 0;
	}
	leak();
	hold_small();
	hold_large();
	grow();
	for (int i = 0; i < HELD; i++)
		free(held[i]);
	temporary();
	almost_temporary();
	return 0;
}
