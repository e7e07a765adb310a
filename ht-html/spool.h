/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Output that is kept in memory, maybe compressed, to go into another. */
#ifndef HT_HTML_SPOOL_H
#define HT_HTML_SPOOL_H

#include "libht/base.h"
#include "libht/err.h"
#include "libht/out.h"

struct spool {
	struct ht_out *out; /* to be written to, until spool_end */
	int fd;
	uint64_t size; /* once it has ended */
};

/* Each: 0, or -1 with *err set. spool_release is right after any of them. */
int spool_begin(
    struct spool *s, enum ht_codec codec, int level, struct ht_error *err);
int spool_end(struct spool *s, struct ht_error *err);
/* All of it, as it is, or in base64. What `out` says is not told here. */
int spool_copy(const struct spool *s, struct ht_out *out, struct ht_error *err);
int spool_base64(
    const struct spool *s, struct ht_out *out, struct ht_error *err);
void spool_release(struct spool *s);

#endif
