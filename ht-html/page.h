/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The page: the template that web/ is built to, with data in it. */
#ifndef HT_HTML_PAGE_H
#define HT_HTML_PAGE_H

#include "ht-html/data.h"
#include "libht/base.h"
#include "libht/err.h"
#include "libht/out.h"

/* 0, or -1 with *err set. What `out` says is said when it is closed. */
int page_write(const struct data *d, struct ht_out *out, struct ht_error *err);

#endif
