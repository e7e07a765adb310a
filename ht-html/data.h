/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a page is given, as README.md describes it. */
#ifndef HT_HTML_DATA_H
#define HT_HTML_DATA_H

#include "ht-html/sheet.h"
#include "libht/base.h"
#include "libht/err.h"
#include "libht/out.h"

struct data {
	const struct sheet *sheet;
	const char *title;
	char *const
	    *selection; /* options as they were given; NULL at the end */
	/* Of each side. */
	char *const *file[SHEET_SIDES];
	uint64_t launchers[SHEET_SIDES];
};

/* Writes it, not compressed. 0, or -1 with *err set; what the output says is
 * said when that is closed. */
int data_write(const struct data *d, struct ht_out *out, struct ht_error *err);

#endif
