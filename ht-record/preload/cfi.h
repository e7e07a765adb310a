/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Call-frame information: what .eh_frame says about a pc. Found through
 * objects.h and .eh_frame_hdr, so without a lock; nothing is allocated.
 * The formats: Linux Standard Base Core 5.0, chapter 10.6; DWARF 5, 6.4.
 *
 * A `pc` here is the address that is looked up: return address - 1, or the
 * very pc of a frame that a signal interrupted. Whatever a section holds, no
 * function here reads outside the readable segments of its module.
 */
#ifndef HT_CFI_H
#define HT_CFI_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ht-record/preload/arch.h"

/*
 * A rule: the row of a pc in one word, never 0. From bit 0 up:
 *
 *   kind 4 | how to find the caller's rbp 2 | - 2 | n 32 | k 24
 *
 * n and k are signed. For the kinds up to HT_RULE_FP_AT the return address
 * lies at CFA-8 and the caller's rsp is the CFA.
 */
enum ht_rule_kind {
	HT_RULE_SP = 1, /* CFA = rsp + n */
	HT_RULE_FP,	/* CFA = rbp + n */
	HT_RULE_FP_AT,	/* CFA = the word at rbp + n */
	HT_RULE_SIGNAL, /* the kernel's signal frame; n and k unused */
	HT_RULE_SLOW,	/* has a row, but not one that fits */
	HT_RULE_NONE,	/* no unwind information, or none that can be read */
	HT_RULE_END	/* the outermost frame: return address undefined */
};

enum ht_rule_fp {
	HT_FP_SAME,   /* unchanged */
	HT_FP_AT_CFA, /* at CFA + k */
	HT_FP_AT_FP   /* at rbp + k */
};

static inline enum ht_rule_kind
ht_rule_kind(uint64_t rule)
{
	return (enum ht_rule_kind)(rule & 15);
}

static inline enum ht_rule_fp
ht_rule_fp(uint64_t rule)
{
	return (enum ht_rule_fp)(rule >> 4 & 3);
}

static inline int64_t
ht_rule_n(uint64_t rule)
{
	return (int32_t)(rule >> 8);
}

static inline int64_t
ht_rule_k(uint64_t rule)
{
	return (int64_t)rule >> 40;
}

/* A frame description entry, with what its CIE says. */
struct ht_cfi_fde {
	uint64_t start, end;		      /* the pcs it describes */
	const uint8_t *initial, *initial_end; /* the CIE's instructions */
	const uint8_t *program, *program_end; /* its own */
	uint64_t code_align;
	int64_t data_align;
	uint8_t ra_column, encoding;
	bool signal;   /* augmentation 'S' */
	bool restorer; /* and the code at pc is the kernel's way back */
};

/* How to find a register of the caller. */
enum ht_cfi_how {
	HT_CFI_SAME, /* nothing is said, or "same value" */
	HT_CFI_UNDEFINED,
	HT_CFI_OFFSET,	   /* at CFA + value */
	HT_CFI_VAL_OFFSET, /* is CFA + value */
	HT_CFI_REGISTER,   /* is register `value` */
	HT_CFI_EXPR,	   /* at the address that a DWARF expression gives */
	HT_CFI_VAL_EXPR	   /* is what a DWARF expression gives */
};

/* A row. Where `how` says expression, the value is the address of its block:
 * a ULEB128 length and the bytes, known to be inside the section. */
struct ht_cfi_row {
	uint8_t ra_column;
	uint8_t cfa_how; /* HT_CFI_VAL_OFFSET of cfa_reg, or _VAL_EXPR */
	uint8_t cfa_reg;
	uint8_t how[HT_REGS];
	int64_t cfa_value;
	int64_t value[HT_REGS];
};

/* Finds the entry of `pc`. 0; -1: the module has none, or it is damaged, or
 * there is no such module. */
int ht_cfi_find(uint64_t pc, struct ht_cfi_fde *fde);

/* Runs the entry's program up to `pc`. 0, or -1 when it is damaged. */
int ht_cfi_row(
    const struct ht_cfi_fde *fde, uint64_t pc, struct ht_cfi_row *row);

/* The row as a rule; HT_RULE_SLOW where it does not fit. */
uint64_t ht_cfi_condense(
    const struct ht_cfi_fde *fde, const struct ht_cfi_row *row);

/* All three in one; HT_RULE_NONE when one of them fails, but what the code
 * proves: HT_RULE_SIGNAL in the way back from a signal handler, HT_RULE_END
 * where the process, a thread of musl's or a coroutine of makecontext's was
 * entered. */
uint64_t ht_cfi_rule(uint64_t pc);

/* The rule of `pc`, kept in *word once it is known. */
static inline uint64_t
ht_cfi_cached(_Atomic uint64_t *word, uint64_t pc)
{
	/* Relaxed: the rule is all in this one word, and whoever computes it
	 * comes to the same. */
	uint64_t rule = atomic_load_explicit(word, memory_order_relaxed);

	if (__builtin_expect(rule == 0, 0)) {
		rule = ht_cfi_rule(pc);
		atomic_store_explicit(word, rule, memory_order_relaxed);
	}
	return rule;
}

/* The module of `pc`: its dlpi_addr, dlpi_phdr and dlpi_phnum. 0 or -1. */
struct dl_phdr_info;
int ht_cfi_module(uint64_t pc, struct dl_phdr_info *info);

/* Reads `size` (1, 2, 4 or 8) bytes at `addr` into *value, zero-extended.
 * 0, or -1 when they cannot be read. */
typedef int ht_cfi_read(
    void *arg, uint64_t addr, unsigned size, uint64_t *value);

/*
 * From a frame's registers to its caller's, in place. Returns 0, or -1: a
 * register that is needed is not known or memory cannot be read; then `regs`
 * is not to be used any more. The caller's pc is in HT_REG_RIP, its CFA of
 * the callee in *cfa.
 */
int ht_cfi_step(const struct ht_cfi_row *row, struct ht_regs *regs,
    uint64_t *cfa, ht_cfi_read *read, void *arg);

#endif
