/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * heaptrack's raw form says which address was allocated or freed; this turns
 * it into allocation classes, as heaptrack_interpret does: a class is a size
 * and a stack, numbered from 0 in the order of their first use.
 */
#ifndef HT_CLASSES_H
#define HT_CLASSES_H

#include "libht/intern.h"
#include "libht/map.h"

struct classes {
	struct ht_intern key;  /* ids: class + 1 */
	struct ht_map pointer; /* address → class */
};

/* An allocation; its class, *fresh when it is a new one. */
uint32_t classes_alloc(struct classes *c, uint64_t size, uint64_t stack,
    uint64_t address, bool *fresh);
/* A free; false: nothing was live at that address. */
bool classes_free(struct classes *c, uint64_t address, uint32_t *class_);
void classes_clear(struct classes *c);
void classes_release(struct classes *c);

#endif
