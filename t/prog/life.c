/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Allocates before main and after it: in a constructor, at exit, in the
 * destructors of thread-specific data, in the very last destructor. */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#include <pthread.h>

#include "truth.h"

static struct truth early_truth, main_truth, key_truth, exit_truth, late_truth;
static void *volatile kept;
static pthread_key_t key;

/* No function of its own: the stack is to name its user. */
#define ONE(t, size, drop)                                                     \
	do {                                                                   \
		kept = malloc(size);                                           \
		(t).allocations++;                                             \
		(t).bytes += size;                                             \
		if (drop) {                                                    \
			free(kept);                                            \
			(t).frees++;                                           \
		}                                                              \
	} while (0)

static FRAME __attribute__((constructor(101))) void
early(void)
{
	for (int i = 0; i < 10; i++)
		ONE(early_truth, i, i & 1);
}

static FRAME void
in_main(void)
{
	for (int i = 0; i < 10; i++)
		ONE(main_truth, i, i & 1);
}

static FRAME void
key_gone(void *p)
{
	for (int i = 0; i < 10; i++)
		ONE(key_truth, i, i & 1);
}

static FRAME void
at_exit(void)
{
	for (int i = 0; i < 10; i++)
		ONE(exit_truth, i, i & 1);
}

static FRAME __attribute__((destructor(101))) void
late(void)
{
	for (int i = 0; i < 10; i++)
		ONE(late_truth, i, i & 1);
	say_truth("early", &early_truth);
	say_truth("in_main", &main_truth);
	say_truth("key_gone", &key_truth);
	say_truth("at_exit", &exit_truth);
	say_truth("late", &late_truth);
}

static void *
thread(void *arg)
{
	pthread_setspecific(key, arg);
	return NULL;
}

int
main(void)
{
	atexit(at_exit);
	if (pthread_key_create(&key, key_gone))
		wrong("pthread_key_create");
	for (int i = 0; i < 5; i++) {
		pthread_t id;

		if (pthread_create(&id, NULL, thread, &key))
			wrong("pthread_create");
		pthread_join(id, NULL);
	}
	in_main();
	return 0;
}
