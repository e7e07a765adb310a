/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Allocators other than the libc's: jemalloc, tcmalloc, mimalloc, the Boehm
 * collector, and whatever else defines malloc. What they offer beside the
 * libc's functions cannot be exported by us: a program that asks whether there
 * is a mallocx would find one, and an operator new of ours would have no next
 * definition in a program that has no C++ but a plugin. So they are reached
 * where they are: a jump over the entry of each of their functions leads to a
 * hook (x86.h tells how).
 *
 * What is hooked this way is looked for at the start, before there are threads,
 * and whenever the loader says that its list has changed, by the function that
 * debuggers have a breakpoint on (r_brk of struct r_debug), which has a jump
 * over its entry, too. A module is on the list then and nothing of it has run,
 * so no thread can be between two of the instructions that are replaced, and
 * none has to be stopped. (To wrap dlopen would be to become its caller.)
 *
 * A module is an allocator if it defines the first function of a family in
 * allocators.c. The executable's own symbols are known from its file, too
 * (.symtab), since one that is linked into it need not be exported. The
 * functions of the libc's names are among them: calls that do not come by way
 * of our own hooks lead there, as those of an executable with its own malloc
 * do. What our hooks call lies behind the jump.
 */
#ifndef HT_ALLOCATORS_H
#define HT_ALLOCATORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ht-record/ring.h"

#pragma GCC visibility push(hidden)

extern const struct ht_entry_point ht_entry_points[];
extern const unsigned ht_entry_point_count; /* at most HT_POINTS_MAX */

/* The hook of all of them, by way of machine code: r11 is the struct ht_entry
 * and the rest is as the program has it. */
extern char ht_entry_hook[];

/* hooks.c: `arg` are the six registers of arguments, and behind them a word: if
 * it is set, the function at that address is to be called as if there were no
 * hook. `frame` is the hook's. */
#define HT_ENTRY_TAIL 6
unsigned __int128 ht_entry_call(
    uint64_t *arg, const struct ht_entry *e, const uintptr_t *frame);

#ifndef HT_ATTACHED
/* Hooks those that are there, once, and those that will come. */
void ht_allocators_init(void);
#endif

/* Where the instruction at `pc` was, or what it is as if one was at, if it is
 * in what lies between a hooked function and its hook; else `pc`. */
uint64_t ht_moved_origin(uint64_t pc);
/* The object that such a `pc` is said to be in: the library itself; false: it
 * is none such. In an attach, also if it is in the image. */
struct ht_object;
bool ht_moved_object(uint64_t pc, struct ht_object *o);

/* ht_moved_origin() as far as these patches say, HT_PATCHES_MAX of them. */
uint64_t ht_patches_origin(const struct ht_patch *patch, uint64_t pc);

#pragma GCC visibility pop

#endif
