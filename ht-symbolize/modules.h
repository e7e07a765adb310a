/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The modules of a trace: which one an address belongs to, now. A file is
 * looked for and opened when the first address in it is asked for.
 */
#ifndef HT_MODULES_H
#define HT_MODULES_H

#include "ht-symbolize/locate.h"
#include "ht-symbolize/spans.h"
#include "ht-symbolize/symbols.h"
#include "libht/intern.h"

/* One file at one place. The same file at the same place is the same
 * instance, also in another list or trace. */
struct module {
	uint32_t path; /* in the pool */
	uint32_t file; /* index */
	uint64_t bias;
};

struct module_file {
	uint32_t path;
	struct build_id id;
	struct symbols *symbols;
	bool looked;
};

struct modules {
	struct locate locate;
	struct ht_intern *pool;
	struct ht_intern module_keys, file_keys; /* ids: index + 1 */
	struct module *module;
	struct module_file *file;
	size_t module_cap, file_cap;
	struct spans spans; /* the list of now; ids are indices */
};

void modules_init(
    struct modules *m, const struct locate *locate, struct ht_intern *pool);
void modules_release(struct modules *m);

/* The list of now becomes empty. */
void modules_forget(struct modules *m);
/* A module of the list; `id` of length 0 when not known. Its index, for
 * modules_segment. */
uint32_t modules_add(struct modules *m, const char *path, size_t len,
    uint64_t bias, const struct build_id *id);
void modules_segment(
    struct modules *m, uint32_t module, uint64_t vaddr, uint64_t memsz);

/* The index of the module that holds `ip`, plus 1; 0: none. */
uint32_t modules_find(struct modules *m, uint64_t ip);
/* The frames at `ip` in that module, innermost first; at least one: at worst
 * its function is `module+0x1234`. */
size_t modules_frames(struct modules *m, uint32_t module, uint64_t ip,
    struct symbol_frame *frame, size_t max);

#endif
