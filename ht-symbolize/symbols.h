/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one module file says about its addresses: by DWARF, else by its symbol
 * tables.
 */
#ifndef HT_SYMBOLS_H
#define HT_SYMBOLS_H

#include "ht-symbolize/locate.h"
#include "libht/base.h"
#include "libht/intern.h"

#define SYMBOL_FRAMES 128 /* inlined into each other at one address */

/* Texts are ids in the pool; 0: not known. */
struct symbol_frame {
	uint32_t function, file, line;
};

struct symbols;

/* Opens a module found by locate_module; takes over `fd`. NULL when the file
 * is no ELF file that can be read. `pool` and `l` live longer. */
struct symbols *symbols_open(
    const struct locate *l, struct ht_intern *pool, const char *path, int fd);
void symbols_free(struct symbols *s);

/* The frames at `addr` (an address as the file has them), innermost first;
 * their number, 0 when nothing is known. */
size_t symbols_at(
    struct symbols *s, uint64_t addr, struct symbol_frame *frame, size_t max);

#endif
