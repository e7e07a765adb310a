/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The symbols of a module of this process: those it offers the loader, out of
 * its memory; and those that only its file has. Sources: elf(5), System V ABI,
 * "Dynamic Linking", and the format of DT_GNU_HASH that binutils write.
 */
#ifndef HT_DEFINED_H
#define HT_DEFINED_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ht-record/symtab.h"

struct ht_symbols {
	uint64_t bias;
	const ElfW(Sym) * symbol;
	const char *strings;
	const uint32_t *gnu_hash, *hash; /* one of the two, or both */
};

#pragma GCC visibility push(hidden)

/* False: it has none. */
bool ht_symbols_of(struct ht_symbols *s, const struct link_map *map);
/* Whether it defines `name`; *d, unless NULL, says where. */
bool ht_symbols_find(
    const struct ht_symbols *s, const char *name, struct ht_defined *d);
/* The same for all that ht_entry_points names, in .symtab of the file. */
void ht_symbols_in_file(const char *path, struct ht_defined *found);

#pragma GCC visibility pop

#endif
