/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Call-frame information: modules made here byte by byte, damaged ones, and
 * every row of the libc that this program runs on as readelf prints it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <gnu/libc-version.h>

#include "ht-record/preload/cfi.c"

struct ht_real ht_real;

#define CODE 0x100000 /* of the module: only pcs, no memory */

/* A module: headers in its first page, then .eh_frame_hdr and .eh_frame. */
static struct {
	uint8_t *mem;
	size_t size, hdr, at;
	bool loaded;
} mod;

struct question {
	uint64_t pc;
	struct ht_object *o;
};

static int
look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct question *q = arg;
	bool found = false;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const Elf64_Phdr *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_GNU_EH_FRAME)
			q->o->eh_frame_hdr = info->dlpi_addr + p->p_vaddr;
		found |= p->p_type == PT_LOAD &&
			 q->pc - info->dlpi_addr - p->p_vaddr < p->p_memsz;
	}
	q->o->bias = info->dlpi_addr;
	q->o->name = info->dlpi_name;
	q->o->headers = info->dlpi_phdr;
	q->o->nheaders = info->dlpi_phnum;
	return found;
}

/* In place of objects.c: finds the one that is made here, too. */
uint64_t
ht_moved_origin(uint64_t pc)
{
	return pc;
}

bool
ht_object_find(uint64_t pc, struct ht_object *o)
{
	struct question q = {pc, o};
	uint64_t off = pc - (uintptr_t)mod.mem;

	memset(o, 0, sizeof(*o));
	if (!mod.loaded || off < CODE || off >= 2 * CODE)
		return dl_iterate_phdr(look_at, &q) != 0;
	o->bias = (uintptr_t)mod.mem;
	o->name = "made";
	o->eh_frame_hdr = (uintptr_t)mod.mem + mod.hdr;
	o->headers =
	    (const Elf64_Phdr *)(mod.mem + ((Elf64_Ehdr *)mod.mem)->e_phoff);
	o->nheaders = ((Elf64_Ehdr *)mod.mem)->e_phnum;
	return true;
}

static void
put(const void *p, size_t n)
{
	assert_true(mod.at + n <= mod.size);
	memcpy(mod.mem + mod.at, p, n);
	mod.at += n;
}

static void
put_u(uint64_t v, unsigned n)
{
	put(&v, n);
}

static void
mod_open(size_t size)
{
	Elf64_Ehdr e = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64},
	    .e_phoff = sizeof(e),
	    .e_phentsize = sizeof(Elf64_Phdr),
	    .e_phnum = 1};
	Elf64_Phdr p = {.p_type = PT_LOAD, .p_flags = PF_R, .p_memsz = size};

	mod.mem = calloc(1, size);
	mod.size = size;
	mod.at = 0;
	mod.loaded = true;
	put(&e, sizeof(e));
	put(&p, sizeof(p));
	mod.at = mod.hdr = 4096;
}

static void
mod_close(void)
{
	free(mod.mem);
	mod.loaded = false;
}

/* .eh_frame_hdr without a table; .eh_frame follows. */
static void
put_hdr(void)
{
	put("\x01\x1b\xff\xff", 4);
	put_u(4, 4);
}

/* A CIE with pointers encoded as `encoding`; returns where it is. */
static size_t
put_cie(
    const char *augmentation, uint8_t encoding, const char *program, size_t n)
{
	size_t at = mod.at, len = strlen(augmentation) + 1;
	bool sized = augmentation[0] == 'z';

	put_u(4 + 1 + len + 3 + (sized ? 2 : 0) + n, 4);
	put_u(0, 4);
	put_u(1, 1);
	put(augmentation, len);
	put("\x01\x78\x10", 3); /* code 1, data -8, return address 16 */
	if (sized) {
		put_u(1, 1);
		put_u(encoding, 1);
	}
	put(program, n);
	return at;
}

/* An FDE of [CODE + start, + size), pcrel sdata4. */
static size_t
put_fde(
    size_t cie, uint64_t start, uint32_t size, const char *program, size_t n)
{
	size_t at = mod.at;

	put_u(4 + 4 + 4 + 1 + n, 4);
	put_u(mod.at - cie, 4);
	put_u(CODE + start - mod.at, 4);
	put_u(size, 4);
	put_u(0, 1);
	put(program, n);
	return at;
}

static uint64_t
rule(uint64_t off)
{
	return ht_cfi_rule((uintptr_t)mod.mem + CODE + off);
}

static uint64_t
fast(enum ht_rule_kind kind, int64_t n, enum ht_rule_fp fp, int64_t k)
{
	return rule_make(kind, fp, n, k);
}

#define BYTES(s) (s), sizeof(s) - 1
/* CFA = rsp + 8, return address at CFA - 8 */
#define INITIAL "\x0c\x07\x08\x90\x01"

/* One function with this program; the rule of its byte `off`. */
static uint64_t
rule_of(const char *program, size_t n, uint64_t off)
{
	uint64_t r;

	mod_open(8192);
	put_hdr();
	put_fde(put_cie("zR", 0x1b, BYTES(INITIAL)), 0, 100, program, n);
	put_u(0, 4);
	r = rule(off);
	mod_close();
	return r;
}

static void
rows(void **state)
{
	/* push rbp; mov rsp, rbp; ... leave; ret, as GCC writes it */
	static const char p[] = "\x41\x0e\x10\x86\x02\x43\x0d\x06"
				"\x60\x0a\xc6\x0c\x07\x08\x41\x0b\x41";
	const uint64_t in = fast(HT_RULE_FP, 16, HT_FP_AT_CFA, -16);

	(void)state;
	assert_true(rule_of(BYTES(p), 0) == fast(HT_RULE_SP, 8, 0, 0));
	assert_true(
	    rule_of(BYTES(p), 1) == fast(HT_RULE_SP, 16, HT_FP_AT_CFA, -16));
	assert_true(
	    rule_of(BYTES(p), 3) == fast(HT_RULE_SP, 16, HT_FP_AT_CFA, -16));
	assert_true(rule_of(BYTES(p), 4) == in);
	assert_true(rule_of(BYTES(p), 35) == in);
	assert_true(rule_of(BYTES(p), 36) == fast(HT_RULE_SP, 8, 0, 0));
	assert_true(rule_of(BYTES(p), 37) == in);
	assert_true(rule_of(BYTES(p), 99) == in);
	assert_true(rule_of(BYTES(p), 100) == HT_RULE_NONE);
	/* states in states, one of them not restored in time */
	assert_true(rule_of(BYTES("\x0a\x0e\x10\x0a\x0e\x18\x0b\x41\x0b\x41"),
			0) == fast(HT_RULE_SP, 16, 0, 0));
	assert_true(rule_of(BYTES("\x0a\x0e\x10\x0a\x0e\x18\x0b\x41\x0b\x41"),
			1) == fast(HT_RULE_SP, 8, 0, 0));
}

static void
programs(void **state)
{
	(void)state;
	/* set_loc, the three sizes of advance_loc, args_size */
	assert_true(rule_of(BYTES("\x02\x05\x0e\x10\x03\x05\x00\x0e\x18"
				  "\x04\x05\x00\x00\x00\x0e\x20\x2e\x10"),
			16) == fast(HT_RULE_SP, 32, 0, 0));
	/* signed and factored ones; a register far away is dropped */
	assert_true(rule_of(BYTES("\x12\x06\x7e\x11\x06\x02\x05\x30\x01"), 0) ==
		    fast(HT_RULE_FP, 16, HT_FP_AT_CFA, -16));
	assert_true(rule_of(BYTES("\x13\x7c\x2f\x06\x02"), 0) ==
		    fast(HT_RULE_SP, 32, HT_FP_AT_CFA, 16));
	/* [rbp - 8], rbp at rbp + 0: over-aligned frames */
	assert_true(rule_of(BYTES("\x0f\x03\x76\x78\x06\x10\x06\x02\x76\x00"),
			0) == fast(HT_RULE_FP_AT, -8, HT_FP_AT_FP, 0));
	/* no return address; one that is elsewhere; other registers */
	assert_true(rule_of(BYTES("\x07\x10"), 0) == HT_RULE_END);
	assert_true(rule_of(BYTES("\x90\x02"), 0) == HT_RULE_SLOW);
	assert_true(rule_of(BYTES("\x0c\x03\x10"), 0) == HT_RULE_SLOW);
	assert_true(rule_of(BYTES("\x09\x06\x03"), 0) == HT_RULE_SLOW);
	assert_true(rule_of(BYTES("\x07\x06"), 0) == HT_RULE_SLOW);
	assert_true(rule_of(BYTES("\x14\x07\x00"), 0) == HT_RULE_SLOW);
	/* as large as a word takes, and larger */
	assert_true(rule_of(BYTES("\x0e\xff\xff\xff\xff\x07"), 0) ==
		    fast(HT_RULE_SP, INT32_MAX, 0, 0));
	assert_true(
	    rule_of(BYTES("\x0e\x80\x80\x80\x80\x08"), 0) == HT_RULE_SLOW);
	/* damaged: unknown, cut off, restored without having remembered */
	assert_true(rule_of(BYTES("\x3f"), 0) == HT_RULE_NONE);
	assert_true(rule_of(BYTES("\x0e\x80"), 0) == HT_RULE_NONE);
	assert_true(rule_of(BYTES("\x0f\x7f\x30"), 0) == HT_RULE_NONE);
	assert_true(rule_of(BYTES("\x0b"), 0) == HT_RULE_NONE);
	assert_true(rule_of(BYTES("\x0d\x40"), 0) == HT_RULE_NONE);
	assert_true(rule_of(BYTES("\x09\x06\x40"), 0) == HT_RULE_NONE);
	assert_true(rule_of(BYTES("\x0f\x01\x30\x0e\x08"), 0) == HT_RULE_NONE);
}

/* The ways to write a module's tables. */
static void
tables(void **state)
{
	const uint64_t plain = fast(HT_RULE_SP, 8, 0, 0);
	size_t cie, fde[3], back;

	(void)state;
	mod_open(8192);
	put("\x01\x1b\x03\x3b", 4);
	put_u(4 + 4 + 3 * 8, 4);
	put_u(3, 4);
	back = mod.at;
	mod.at += 3 * 8;
	cie = put_cie("zR", 0x1b, BYTES(INITIAL));
	for (unsigned i = 0; i < 3; i++)
		fde[i] = put_fde(cie, 200 * i, 100, BYTES("\x00"));
	mod.at = back;
	for (unsigned i = 0; i < 3; i++) {
		put_u(CODE + 200 * i - mod.hdr, 4);
		put_u(fde[i] - mod.hdr, 4);
	}
	for (unsigned i = 0; i < 3; i++) {
		assert_true(rule(200 * i) == plain);
		assert_true(rule(200 * i + 99) == plain);
		assert_true(rule(200 * i + 100) == HT_RULE_NONE);
	}
	/* a table that would be longer than the module */
	mod.at = back - 4;
	put_u(1u << 30, 4);
	assert_true(rule(0) == HT_RULE_NONE);
	mod_close();

	/* no augmentation: absolute pointers; 64-bit lengths; no table */
	mod_open(8192);
	put_hdr();
	cie = mod.at;
	put_u(0xffffffff, 4);
	put_u(8 + 1 + 1 + 3 + 5, 8);
	put_u(0, 8);
	put_u(3, 1);
	put("\0\x01\x78\x10" INITIAL, 9);
	put_u(0xffffffff, 4);
	put_u(8 + 16, 8);
	put_u(mod.at - cie, 8);
	put_u((uintptr_t)mod.mem + CODE + 50, 8);
	put_u(10, 8);
	put_u(0, 4);
	assert_true(rule(49) == HT_RULE_NONE);
	assert_true(rule(50) == plain);
	assert_true(rule(59) == plain);
	mod_close();
}

/* 'S' alone does not make a signal frame; the code must be there as well. */
static void
signal_frame(void **state)
{
	struct ht_cfi_fde fde;

	(void)state;
	mod_open(8192);
	put_hdr();
	put_fde(put_cie("zRS", 0x1b, BYTES(INITIAL)), 0, 100, BYTES("\x00"));
	put_u(0, 4);
	assert_int_equal(ht_cfi_find((uintptr_t)mod.mem + CODE, &fde), 0);
	assert_true(fde.signal && !fde.restorer);
	assert_true(rule(0) == fast(HT_RULE_SP, 8, 0, 0));
	mod_close();
}

/* Expressions. */

static int
read_any(void *arg, uint64_t addr, unsigned size, uint64_t *value)
{
	(void)arg;
	if (addr == 0xbad)
		return -1;
	*value = size == 8 ? addr + 1000 : size;
	return 0;
}

static int
value_of(const char *expression, size_t n, uint64_t *value)
{
	struct ht_regs regs = {.known = 1u << 3 | 1u << 7};
	uint8_t block[100] = {(uint8_t)n};

	regs.reg[3] = 333;
	regs.reg[7] = 777;
	memcpy(block + 1, expression, n);
	return eval(
	    (int64_t)(uintptr_t)block, NULL, &regs, read_any, NULL, value);
}

#define gives(expression, want)                                                \
	do {                                                                   \
		uint64_t v_;                                                   \
		assert_int_equal(value_of(BYTES(expression), &v_), 0);         \
		assert_true(v_ == (uint64_t)(want));                           \
	} while (0)

#define fails(expression)                                                      \
	do {                                                                   \
		uint64_t v_;                                                   \
		assert_int_equal(value_of(BYTES(expression), &v_), -1);        \
	} while (0)

static void
operations(void **state)
{
	(void)state;
	gives("\x30", 0);
	gives("\x4f", 31);
	gives("\x03\x08\x07\x06\x05\x04\x03\x02\x01", 0x0102030405060708);
	gives("\x08\xff", 255);
	gives("\x09\xff", -1);
	gives("\x0a\xfe\xff", 65534);
	gives("\x0b\xfe\xff", -2);
	gives("\x0c\xff\xff\xff\xff", 0xffffffff);
	gives("\x0d\xff\xff\xff\xff", -1);
	gives("\x0e\x01\x00\x00\x00\x00\x00\x00\x80", 0x8000000000000001);
	gives("\x0f\xff\xff\xff\xff\xff\xff\xff\xff", -1);
	gives("\x10\xe5\x8e\x26", 624485);
	gives("\x11\x80\x7f", -128);
	gives("\x53", 333);
	gives("\x90\x03", 333);
	gives("\x77\x7f", 776);
	gives("\x92\x07\x01", 778);
	fails("\x50"); /* rax is not known */
	fails("\x70\x00");
	fails("\x90\x20");
	gives("\x32\x12\x22", 4);
	gives("\x32\x33\x13", 2);
	gives("\x32\x33\x14\x1c\x1c", 1);
	gives("\x32\x33\x34\x15\x02", 2);
	gives("\x32\x33\x16\x1c", 1);
	gives("\x31\x32\x33\x17\x1c\x1c", 4);
	gives("\x35\x06", 1005);
	gives("\x35\x94\x04", 4);
	fails("\x35\x94\x03");
	fails("\x0a\xad\x0b\x06");
	gives("\x09\xfb\x19", 5);
	gives("\x3c\x3a\x1a", 8);
	gives("\x09\xf9\x32\x1b", -3);
	gives("\x33\x35\x1c", -2);
	gives("\x37\x34\x1d", 3);
	gives("\x37\x34\x1e", 28);
	gives("\x37\x1f", -7);
	gives("\x30\x20", -1);
	gives("\x3c\x33\x21", 15);
	gives("\x37\x23\x90\x01", 151);
	gives("\x31\x34\x24", 16);
	gives("\x09\x80\x34\x25", 0x0ffffffffffffff8);
	gives("\x09\x80\x34\x26", -8);
	gives("\x31\x08\x40\x24", 0);
	gives("\x09\x80\x08\x40\x26", -1);
	gives("\x3c\x3a\x27", 6);
	gives("\x33\x33\x29\x33\x34\x2a\x24", 1);
	gives("\x34\x33\x2b", 1);
	gives("\x09\xff\x30\x2c", 1);
	gives("\x33\x33\x2d", 0);
	gives("\x33\x34\x2e", 1);
	gives("\x31\x28\x01\x00\x13\x35", 5); /* bra over a drop */
	gives("\x37\x2f\x01\x00\x13\x96", 7); /* skip over it; nop */
	gives("\x37\x9f\x35", 7);
}

static void
bad_expressions(void **state)
{
	char many[40];
	uint64_t v;

	(void)state;
	fails("");
	fails("\x12");
	fails("\x13");
	fails("\x31\x16");
	fails("\x31\x31\x17");
	fails("\x31\x22");
	fails("\x31\x15\x01");
	fails("\x06");
	fails("\x28\x00\x00");
	fails("\x31\x30\x1b");
	fails("\x31\x30\x1d");
	gives("\x0f\x00\x00\x00\x00\x00\x00\x00\x80\x09\xff\x1b", UINT64_C(1)
								      << 63);
	fails("\x31\x2f\xfd\xff\x31"); /* round and round */
	fails("\x31\x2f\x10\x00");     /* out of the block */
	fails("\x31\x2f\x00\x80");
	fails("\x0c\x01\x02");
	fails("\x31\x93\x08");
	fails("\x9c");
	memset(many, 0x31, sizeof(many));
	assert_int_equal(value_of(many, 32, &v), 0);
	assert_int_equal(value_of(many, 33, &v), -1);
}

/* A small generator, so that a failure can be had again. */
static uint32_t
chance(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Damages bytes; the sanitizers tell if anything is read out of bounds. */
static void
damaged(void **state)
{
	static const char p[] = "\x41\x0e\x10\x86\x02\x43\x0d\x06"
				"\x60\x0a\xc6\x0c\x07\x08\x41\x0b\x41"
				"\x0f\x05\x77\x10\x06\x23\x08\x10\x03\x02"
				"\x77\x00\x16\x0c\x03\x77\x00\x06\x41";
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 30000; round++) {
		size_t cie, end;
		struct ht_cfi_fde fde;
		struct ht_cfi_row row;

		mod_open(4096 + 256);
		put_hdr();
		cie = put_cie("zR", 0x1b, BYTES(INITIAL));
		for (unsigned i = 0; i < 2; i++)
			put_fde(cie, 50 * i, 50, BYTES(p));
		put_u(0, 4);
		end = mod.at;
		for (unsigned i = chance(&seed) % 4 + 1; i > 0; i--)
			mod.mem[mod.hdr + chance(&seed) % (end - mod.hdr)] =
			    (uint8_t)chance(&seed);
		for (unsigned off = 0; off < 100; off += 7) {
			uint64_t pc = (uintptr_t)mod.mem + CODE + off, cfa;
			struct ht_regs regs = {.known = 0x1ffff};

			if (ht_cfi_find(pc, &fde) != 0 ||
			    ht_cfi_row(&fde, pc, &row) != 0)
				continue;
			ht_cfi_condense(&fde, &row);
			ht_cfi_step(&row, &regs, &cfa, read_any, NULL);
		}
		mod_close();
	}
}

/* Every row that readelf shows of a loaded object. */

static const char *const names[HT_REGS] = {"rax", "rdx", "rcx", "rbx", "rsi",
    "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    "ra"};

static unsigned
reg_of(const char *name, size_t n)
{
	for (unsigned i = 0; i < HT_REGS; i++)
		if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
			return i;
	return HT_REGS;
}

/* One cell, such as "c-16", against the rule of a register. */
static bool
cell_agrees(const char *cell, const struct ht_cfi_row *row, unsigned reg)
{
	int64_t value = row->value[reg];

	switch (row->how[reg]) {
	case HT_CFI_SAME:
		return cell[0] == 'u' || cell[0] == 's';
	case HT_CFI_UNDEFINED:
		return cell[0] == 'u';
	case HT_CFI_OFFSET:
		return cell[0] == 'c' && strtoll(cell + 1, NULL, 10) == value;
	case HT_CFI_VAL_OFFSET:
		return cell[0] == 'v' && strtoll(cell + 1, NULL, 10) == value;
	case HT_CFI_REGISTER:
		return cell[0] == 'r' && strtoll(cell + 1, NULL, 10) == value;
	case HT_CFI_EXPR:
		return strcmp(cell, "exp") == 0;
	case HT_CFI_VAL_EXPR:
		return strcmp(cell, "vexp") == 0;
	}
	return false;
}

static bool
cfa_agrees(const char *cell, const struct ht_cfi_row *row)
{
	size_t n = strcspn(cell, "+-");

	if (row->cfa_how == HT_CFI_VAL_EXPR)
		return strcmp(cell, "exp") == 0;
	return reg_of(cell, n) == row->cfa_reg &&
	       strtoll(cell + n, NULL, 10) == row->cfa_value;
}

/* The table that follows a "LOC CFA" line. */
struct columns {
	unsigned n, reg[HT_REGS];
};

static void
columns_read(struct columns *c, char *line)
{
	char *save, *word = strtok_r(line, " \n", &save);

	c->n = 0;
	strtok_r(NULL, " \n", &save); /* LOC, and CFA */
	while (word && (word = strtok_r(NULL, " \n", &save)))
		c->reg[c->n++] = reg_of(word, strlen(word));
}

static void
row_check(const struct columns *c, char *line, uint64_t bias)
{
	char *save, *word = strtok_r(line, " \n", &save);
	uint64_t pc = bias + strtoull(word, NULL, 16);
	struct ht_cfi_fde fde;
	struct ht_cfi_row row;

	assert_int_equal(ht_cfi_find(pc, &fde), 0);
	assert_int_equal(ht_cfi_row(&fde, pc, &row), 0);
	assert_true(cfa_agrees(strtok_r(NULL, " \n", &save), &row));
	for (unsigned i = 0; i < c->n; i++) {
		word = strtok_r(NULL, " \n", &save);
		while (word && word[0] == '(') /* "r9 (r9)" */
			word = strtok_r(NULL, " \n", &save);
		assert_non_null(word);
		if (c->reg[i] < HT_REGS)
			assert_true(cell_agrees(word, &row, c->reg[i]));
	}
}

static void
as_readelf_has_it(const void *symbol)
{
	struct ht_object o;
	struct columns c = {0};
	char line[1024];
	unsigned checked = 0;
	bool in_fde = false;
	FILE *f;

	assert_true(ht_object_find((uintptr_t)symbol, &o));
	snprintf(line, sizeof(line), "LC_ALL=C readelf -wNF '%s' 2>/dev/null",
	    o.name);
	f = popen(line, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, " FDE ") || strstr(line, " CIE "))
			in_fde = strstr(line, " FDE ") != NULL;
		else if (strstr(line, "   LOC "))
			columns_read(&c, line);
		else if (in_fde && strspn(line, "0123456789abcdef") == 16) {
			row_check(&c, line, o.bias);
			checked++;
		}
	}
	assert_int_equal(pclose(f), 0);
	assert_true(checked > 1000);
}

static void
libc_by_readelf(void **state)
{
	(void)state;
	as_readelf_has_it((const void *)(uintptr_t)&gnu_get_libc_version);
}

static void
loader_by_readelf(void **state)
{
	(void)state;
	as_readelf_has_it((const void *)getauxval(AT_BASE));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows),
	    cmocka_unit_test(programs),
	    cmocka_unit_test(tables),
	    cmocka_unit_test(signal_frame),
	    cmocka_unit_test(operations),
	    cmocka_unit_test(bad_expressions),
	    cmocka_unit_test(damaged),
	    cmocka_unit_test(libc_by_readelf),
	    cmocka_unit_test(loader_by_readelf),
	};

	return cmocka_run_group_tests_name("cfi", tests, NULL, NULL);
}
