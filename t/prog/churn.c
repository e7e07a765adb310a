/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* churn [THREADS [AT-ONCE]]: threads that come and go; what one leaves, main
 * frees. */
/* LINK: -fno-builtin -fno-optimize-sibling-calls */
#define _GNU_SOURCE
#include <pthread.h>

#include "truth.h"

#define AT_ONCE_MAX 200

static struct truth t;
static void *left[AT_ONCE_MAX][5];

static FRAME void
visit(void **mine)
{
	for (int i = 0; i < 10; i++) {
		void *volatile p = malloc(100 + i);

		if (i < 5)
			mine[i] = p;
		else
			free(p);
	}
}

static void *
thread(void *arg)
{
	visit(arg);
	return NULL;
}

int
main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1000;
	int at_once = argc > 2 ? atoi(argv[2]) : 50;
	pthread_t id[AT_ONCE_MAX];

	if (at_once < 1 || at_once > AT_ONCE_MAX)
		wrong("usage: churn [THREADS [AT-ONCE]]");
	while (n > 0) {
		int k, now = n < at_once ? n : at_once;

		for (k = 0; k < now; k++)
			if (pthread_create(&id[k], NULL, thread, left[k]))
				wrong("pthread_create");
		for (k = 0; k < now; k++) {
			pthread_join(id[k], NULL);
			for (int i = 0; i < 5; i++)
				free(left[k][i]);
			t.allocations += 10;
			t.frees += 10;
			t.bytes += 1045;
		}
		n -= now;
	}
	say_truth("visit", &t);
	return 0;
}
