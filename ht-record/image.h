/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The image of libht-attach.so: what a loader would make of the file. */
#ifndef HT_IMAGE_H
#define HT_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "ht-record/ring.h"
#include "libht/base.h"
#include "libht/err.h"

struct ht_image {
	char *memory;	  /* what is to be at its address, `size` bytes */
	uint64_t size;	  /* whole pages */
	uint64_t text;	  /* [0, text) is code, and may be written by nobody */
	uint64_t code;	  /* bytes of it in the file */
	uint64_t data;	  /* [data, data + filled) is data, the rest zero */
	uint64_t filled;  /* bytes */
	uint64_t head;	  /* offset of struct ht_head */
	uint64_t base;	  /* relocated to there */
	const char *file; /* mapped */
	size_t file_size;
};

/* Where an image has to look for what it does not define: the address of
 * `name`, or 0. */
typedef uint64_t ht_image_resolve(void *arg, const char *name);

/* 0, or -1 with *err set. */
int ht_image_open(struct ht_image *i, const char *path, struct ht_error *err);
/* Makes it afresh, for address `base`. 0; -1 with *err set: it needs something
 * that is not there. */
int ht_image_relocate(struct ht_image *i, uint64_t base,
    ht_image_resolve *resolve, void *arg, struct ht_error *err);
void ht_image_close(struct ht_image *i);

static inline struct ht_head *
ht_image_head(const struct ht_image *i)
{
	return (struct ht_head *)(i->memory + i->head);
}

#endif
