/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * x86-64 machine code: how long an instruction is, and moving the first few of
 * a function elsewhere. Strict: what is not understood is refused. After the
 * opcode maps of Intel's manual, volume 2, appendix A. The recorder has this,
 * and so has the library in the program.
 */
#ifndef HT_X86_H
#define HT_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ht-record/ring.h"

enum ht_x86_kind {
	HT_X86_PLAIN, /* goes on behind itself, or to where a register says */
	HT_X86_NOP,   /* does nothing; int3 too */
	HT_X86_JCC,   /* the four that name a place relative to themselves */
	HT_X86_JUMP,
	HT_X86_CALL,
	HT_X86_LOOP, /* loop, jrcxz: cannot reach far */
	HT_X86_END,  /* never goes on: ret, an indirect jump */
};

struct ht_x86 {
	unsigned len;
	enum ht_x86_kind kind;
	unsigned rel, rel_size; /* where the relative target is; its bytes */
	unsigned rip;		/* where a displacement from rip is; 0: none */
};

/* The instruction at `p`, of which `n` bytes can be read. 0, or -1: it is not
 * understood, or longer than that. */
int ht_x86_decode(const uint8_t *p, size_t n, struct ht_x86 *i);

#define HT_X86_JUMP_SIZE 5  /* bytes of a jump within 2 GB */
#define HT_X86_FAR_SIZE	 14 /* of one that reaches everything */

/* The first instructions of a function, moved. */
struct ht_x86_moved {
	unsigned taken; /* bytes of the function */
	unsigned size;	/* of the copy, with the jump back */
	unsigned count; /* instructions */
	bool calls;	/* one of them is a call: not for a shadow stack */
	/* Where each began, from the function, and where it is in the copy. */
	uint8_t from[HT_X86_JUMP_SIZE + 1], to[HT_X86_JUMP_SIZE + 1];
	uint8_t code[HT_MOVED_MAX];
};

/*
 * Moves what a jump over the entry of a function would overwrite to address
 * `to`, and makes it go on behind. The function is the `size` bytes at `code`,
 * which lie at address `at`, within 2 GB of `to`. 0; -1 with *why set to the
 * reason: it is too short, not understood, or jumps into what would be
 * overwritten.
 */
int ht_x86_move(struct ht_x86_moved *m, const uint8_t *code, size_t size,
    uint64_t at, uint64_t to, const char **why);

/* Writes a jump from address `at` to `to`: near; or far, which leaves every
 * register as it is. */
void ht_x86_jump(uint8_t code[HT_X86_JUMP_SIZE], uint64_t at, uint64_t to);
void ht_x86_far_jump(uint8_t code[HT_X86_FAR_SIZE], uint64_t to);

#endif
