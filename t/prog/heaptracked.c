/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LINK: -shared -fPIC */
/*
 * A library with a pool that is annotated by heaptrack_api.h; by its other way,
 * with dlsym, where HEAPTRACK_API_DLSYM is defined. pooled(n): so many blocks,
 * of which one in two is reallocated and all but the first are freed.
 */
#include <heaptrack_api.h>

static char room[100 * 1000];

void
pooled(int n)
{
	int i;

	for (i = 0; i < n; i++) {
		char *p = room + 100 * i;

		heaptrack_report_alloc(p, 40);
		if (i % 2)
			heaptrack_report_realloc(p, 60, p);
	}
	for (i = 1; i < n; i++) {
		heaptrack_report_free(room + 100 * i);
	}
}
