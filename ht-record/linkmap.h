/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The modules of a process and their symbols, read out of its memory: so they
 * are what it runs, whatever became of the files, and in whatever namespace
 * those lie. It may be running meanwhile. Found as a debugger does: by the
 * executable's DT_DEBUG (System V ABI, "Dynamic Linking").
 */
#ifndef HT_LINKMAP_H
#define HT_LINKMAP_H

#include "ht-record/remote.h"
#include "ht-record/ring.h"

struct ht_linked {
	char *name; /* as the loader has it; "": the executable */
	uint64_t bias;
	uint64_t symbols, strings, gnu_hash, hash; /* addresses */
};

struct ht_linkmap {
	struct ht_linked
	    *object; /* in the order in which names are looked up */
	size_t objects, cap;
	uint64_t auxv[2 * HT_AUXV_MAX];
	uint64_t debug; /* address of the loader's struct r_debug */
};

struct ht_symbol {
	uint64_t at, size;
	unsigned type; /* STT_* */
	size_t object; /* where it is defined */
};

/* 0; -1 with *err set: there is no loader in it, or not yet, or it is of
 * another machine. */
int ht_linkmap_read(
    struct ht_linkmap *m, struct ht_remote *r, struct ht_error *err);
/* A number that is another once objects have come or gone, by the list at
 * `debug`; 0: that is just happening. */
uint64_t ht_linkmap_state(uint64_t debug, struct ht_remote *r);
/* Is an object being loaded or unloaded? Not known of musl. */
bool ht_linkmap_changes(uint64_t debug, struct ht_remote *r);
void ht_linkmap_release(struct ht_linkmap *m);

/* The definition of `name` that the program's own references lead to: the
 * first. False: there is none. */
bool ht_linkmap_find(const struct ht_linkmap *m, struct ht_remote *r,
    const char *name, struct ht_symbol *s);
/* The same in object number `object` alone. */
bool ht_linkmap_find_in(const struct ht_linkmap *m, struct ht_remote *r,
    size_t object, const char *name, struct ht_symbol *s);
/* The object whose name contains `part`, or NULL. */
const struct ht_linked *ht_linkmap_object(
    const struct ht_linkmap *m, const char *part);
/* A value of the auxiliary vector, or 0. */
uint64_t ht_linkmap_aux(const struct ht_linkmap *m, uint64_t type);

#endif
