/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A trace's addresses into names: writes its s, i and t lines. */
#ifndef HT_RESOLVE_H
#define HT_RESOLVE_H

#include "ht-symbolize/modules.h"
#include "libht/map.h"
#include "libht/out.h"

struct resolve {
	struct ht_out *out;
	struct ht_intern pool; /* all texts of all traces */
	struct modules modules;

	/* Of this trace; ids count from 1. */
	uint32_t trace; /* its number */
	uint32_t texts, ips;
	uint64_t stacks;
	struct {
		uint32_t trace, id;
	} * text; /* [pool id]: the s line of that trace */
	size_t text_cap;
	struct ht_map ip; /* address → index of at[] */
	struct {
		uint32_t id;	 /* the i line */
		uint32_t module; /* as modules_find said */
		uint32_t list;	 /* when the list was this */
	} * at;
	size_t at_count, at_cap;
	uint32_t list; /* raised by every change of the module list */
};

void resolve_init(
    struct resolve *r, struct ht_out *out, const struct locate *locate);
void resolve_release(struct resolve *r);
void resolve_begin(struct resolve *r);

void resolve_forget(struct resolve *r);
uint32_t resolve_module(struct resolve *r, const char *path, size_t len,
    uint64_t bias, const struct build_id *id);
void resolve_segment(
    struct resolve *r, uint32_t module, uint64_t vaddr, uint64_t memsz);

/* The next stack: writes its t line, and what that needs before it. */
void resolve_stack(struct resolve *r, uint64_t ip, uint64_t parent);

#endif
