/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The symbols that only a file has: .symtab (elf(5)). Of an executable, most
 * functions are in no other table. The recorder has this, and so has the
 * library in the program.
 */
#ifndef HT_SYMTAB_H
#define HT_SYMTAB_H

#include <stddef.h>
#include <stdint.h>

#include "ht-record/ring.h"

struct ht_defined {
	uint64_t value, size; /* as the file has them; value 0: it is not */
	unsigned type;	      /* STT_* */
};

/*
 * Looks in the file of `size` bytes at `data`, which may be anything, for what
 * the `n` entry points at `points` name: found[i] is where the i-th is defined.
 * What is not there stays as it is.
 */
void ht_symtab_find(const char *data, size_t size,
    const struct ht_entry_point *points, unsigned n, struct ht_defined *found);

#endif
