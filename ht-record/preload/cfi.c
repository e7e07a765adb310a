/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ht-record/preload/cfi.h"

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>

#include "ht-record/preload/objects.h"
#include "ht-record/preload/allocators.h"
#include "ht-record/preload/preload.h"

/* What is taken for the code at an entry point. */
#define ENTRY_SIZE 128

/* Bytes being read. Once a read goes past `end`, `bad` stays set and every
 * read gives 0. */
struct bytes {
	const uint8_t *p, *end;
	bool bad;
};

/* DW_EH_PE_*: how a pointer is written. */
enum {
	PE_ABSPTR = 0x00,
	PE_ULEB128 = 0x01,
	PE_UDATA2 = 0x02,
	PE_UDATA4 = 0x03,
	PE_UDATA8 = 0x04,
	PE_SLEB128 = 0x09,
	PE_SDATA2 = 0x0a,
	PE_SDATA4 = 0x0b,
	PE_SDATA8 = 0x0c,
	PE_PCREL = 0x10,
	PE_DATAREL = 0x30,
	PE_ALIGNED = 0x50,
	PE_OMIT = 0xff
};

static uint8_t
get_u8(struct bytes *in)
{
	if (in->bad || in->p >= in->end) {
		in->bad = true;
		return 0;
	}
	return *in->p++;
}

/* A word of 1, 2, 4 or 8 bytes. */
static uint64_t
get_fixed(struct bytes *in, unsigned size)
{
	uint64_t v = 0;

	if (in->bad || (size_t)(in->end - in->p) < size) {
		in->bad = true;
		return 0;
	}
	for (unsigned i = 0; i < size; i++)
		v |= (uint64_t)in->p[i] << 8 * i;
	in->p += size;
	return v;
}

static int64_t
sign_extend(uint64_t v, unsigned bits)
{
	return (int64_t)(v << (64 - bits)) >> (64 - bits);
}

/* Bits past the 64th are dropped; `bits` tells where a sign would be. */
static uint64_t
get_leb(struct bytes *in, unsigned *bits)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t b;

	do {
		b = get_u8(in);
		if (shift < 64)
			v |= (uint64_t)(b & 0x7f) << shift;
		shift += 7;
	} while (b & 0x80);
	*bits = shift < 64 ? shift : 64;
	return v;
}

static uint64_t
get_uleb(struct bytes *in)
{
	unsigned bits;

	return get_leb(in, &bits);
}

static int64_t
get_sleb(struct bytes *in)
{
	unsigned bits;
	uint64_t v = get_leb(in, &bits);

	return sign_extend(v, bits);
}

static void
skip_bytes(struct bytes *in, uint64_t size)
{
	if (in->bad || (uint64_t)(in->end - in->p) < size)
		in->bad = true;
	else
		in->p += size;
}

static uint64_t
get_pointer_value(struct bytes *in, unsigned form)
{
	switch (form) {
	case PE_ABSPTR:
	case PE_UDATA8:
	case PE_SDATA8:
		return get_fixed(in, 8);
	case PE_ULEB128:
		return get_uleb(in);
	case PE_SLEB128:
		return (uint64_t)get_sleb(in);
	case PE_UDATA2:
		return get_fixed(in, 2);
	case PE_SDATA2:
		return (uint64_t)sign_extend(get_fixed(in, 2), 16);
	case PE_UDATA4:
		return get_fixed(in, 4);
	case PE_SDATA4:
		return (uint64_t)sign_extend(get_fixed(in, 4), 32);
	}
	in->bad = true;
	return 0;
}

/*
 * An encoded pointer. `base` is what DW_EH_PE_datarel adds. Relative to text
 * or function, and indirect, never occur where a pc or a table is meant.
 */
static uint64_t
get_pointer(struct bytes *in, uint8_t encoding, uint64_t base)
{
	uint64_t at = (uintptr_t)in->p, v;

	if (encoding == PE_ALIGNED) {
		skip_bytes(in, -at & 7);
		return get_fixed(in, 8);
	}
	v = get_pointer_value(in, encoding & 0x0f);
	switch (encoding & 0xf0) {
	case PE_ABSPTR:
		return v;
	case PE_PCREL:
		return v + at;
	case PE_DATAREL:
		return v + base;
	}
	in->bad = true;
	return 0;
}

/* Over a pointer of any encoding, whatever it is relative to. */
static void
skip_pointer(struct bytes *in, uint8_t encoding)
{
	if (encoding == PE_OMIT)
		return;
	if (encoding == PE_ALIGNED)
		get_pointer(in, encoding, 0);
	else
		get_pointer_value(in, encoding & 0x0f);
}

/* A module: its program headers bound every read. */
struct module {
	const Elf64_Phdr *ph;
	unsigned nph;
	uint64_t bias, hdr; /* hdr: of .eh_frame_hdr; 0, nowhere: has none */
};

static int
module_find(struct module *m, uint64_t pc)
{
	struct ht_object o;

	if (!ht_object_find(pc, &o) || !o.headers)
		return -1;
	m->hdr = o.eh_frame_hdr;
	m->bias = o.bias;
	m->ph = o.headers;
	m->nph = o.nheaders;
	return 0;
}

int
ht_cfi_module(uint64_t pc, struct dl_phdr_info *info)
{
	struct module m;

	if (module_find(&m, pc) != 0)
		return -1;
	info->dlpi_addr = m.bias;
	info->dlpi_phdr = m.ph;
	info->dlpi_phnum = (Elf64_Half)m.nph;
	return 0;
}

/* The bytes from `at` to the end of its segment; `bad` if it cannot be read. */
static struct bytes
module_bytes(const struct module *m, uint64_t at)
{
	struct bytes in = {.bad = true};

	for (unsigned i = 0; i < m->nph; i++) {
		const Elf64_Phdr *p = &m->ph[i];
		uint64_t start = m->bias + p->p_vaddr;

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_R) ||
		    at - start >= p->p_memsz)
			continue;
		in.p = (const uint8_t *)at;
		in.end = (const uint8_t *)(start + p->p_memsz);
		in.bad = false;
		break;
	}
	return in;
}

/* The length word of a CIE or FDE; `in` is cut to the entry. Returns its
 * second word's size, 4 or 8, or 0 at the section's end. */
static unsigned
entry_open(struct bytes *in)
{
	uint64_t size = get_fixed(in, 4);
	unsigned word = 4;

	if (size == 0xffffffff) {
		size = get_fixed(in, 8);
		word = 8;
	}
	if (in->bad || size == 0 || size > (uint64_t)(in->end - in->p))
		return 0;
	in->end = in->p + size;
	return word;
}

/* The augmentation data behind "z", letter by letter. */
static void
cie_augmentation(struct bytes *in, const char *letter, struct ht_cfi_fde *fde)
{
	for (; *letter; letter++) {
		switch (*letter) {
		case 'L':
			get_u8(in);
			break;
		case 'P':
			skip_pointer(in, get_u8(in));
			break;
		case 'R':
			fde->encoding = get_u8(in);
			break;
		case 'S':
			fde->signal = true;
			break;
		case 'B': /* aarch64: signed with the B key */
			break;
		default: /* "z" tells how long the unknown is */
			return;
		}
	}
}

/* Parses the CIE; *sized: the FDE has augmentation data, too. */
static int
cie_parse(struct bytes in, struct ht_cfi_fde *fde, bool *sized)
{
	unsigned word = entry_open(&in);
	const char *aug;
	uint8_t version;

	if (word == 0 || get_fixed(&in, word) != 0)
		return -1;
	version = get_u8(&in);
	if (version != 1 && version != 3 && version != 4)
		return -1;
	aug = (const char *)in.p;
	while (get_u8(&in) != 0)
		;
	if (in.bad)
		return -1;
	if (version == 4 && (get_u8(&in) != 8 || get_u8(&in) != 0))
		return -1;
	if (aug[0] == 'e' && aug[1] == 'h') { /* GCC 2 */
		get_fixed(&in, 8);
		aug += 2;
	}
	fde->code_align = get_uleb(&in);
	fde->data_align = get_sleb(&in);
	fde->ra_column = version == 1 ? get_u8(&in) : (uint8_t)get_uleb(&in);
	fde->encoding = PE_ABSPTR;
	fde->signal = false;
	*sized = aug[0] == 'z';
	if (*sized) {
		uint64_t size = get_uleb(&in);
		struct bytes data = in;

		skip_bytes(&in, size);
		data.end = in.p;
		cie_augmentation(&data, aug + 1, fde);
		in.bad |= data.bad;
	} else if (aug[0] != '\0') {
		return -1;
	}
	fde->initial = in.p;
	fde->initial_end = in.end;
	return in.bad || fde->ra_column >= HT_REGS ? -1 : 0;
}

/* Parses the FDE at `at`. Returns 1, 0: this is a CIE, or -1. *next is the
 * address behind it, 0 at the end of the section. */
static int
fde_parse(
    const struct module *m, uint64_t at, struct ht_cfi_fde *fde, uint64_t *next)
{
	struct bytes in = module_bytes(m, at);
	unsigned word = entry_open(&in);
	uint64_t here = (uintptr_t)in.p, back = get_fixed(&in, word);
	bool sized;

	*next = word ? (uintptr_t)in.end : 0;
	if (word == 0 || in.bad)
		return -1;
	if (back == 0)
		return 0;
	if (cie_parse(module_bytes(m, here - back), fde, &sized) != 0)
		return -1;
	fde->start = get_pointer(&in, fde->encoding, 0);
	fde->end = fde->start + get_pointer_value(&in, fde->encoding & 0x0f);
	if (sized)
		skip_bytes(&in, get_uleb(&in));
	fde->program = in.p;
	fde->program_end = in.end;
	return in.bad || fde->end < fde->start ? -1 : 1;
}

/* Without a search table: entry by entry. */
static int
fde_scan(
    const struct module *m, uint64_t at, uint64_t pc, struct ht_cfi_fde *fde)
{
	while (at) {
		int ok = fde_parse(m, at, fde, &at);

		if (ok > 0 && pc >= fde->start && pc < fde->end)
			return 0;
	}
	return -1;
}

static unsigned
pointer_size(uint8_t encoding)
{
	switch (encoding & 0x0f) {
	case PE_UDATA2:
	case PE_SDATA2:
		return 2;
	case PE_UDATA4:
	case PE_SDATA4:
		return 4;
	case PE_ABSPTR:
	case PE_UDATA8:
	case PE_SDATA8:
		return 8;
	}
	return 0;
}

/* One field of the search table. */
static uint64_t
table_field(const struct module *m, const struct bytes *table, uint64_t field,
    unsigned size, uint8_t encoding)
{
	struct bytes in = *table;

	in.p += field * size;
	return get_pointer(&in, encoding, m->hdr);
}

/* The address of the last FDE that starts at or before `pc`; 0: none. */
static uint64_t
table_search(const struct module *m, struct bytes table, uint8_t encoding,
    uint64_t count, uint64_t pc)
{
	unsigned size = pointer_size(encoding);
	uint64_t low = 0, high = count;

	if (count > (uint64_t)(table.end - table.p) / (2 * size))
		return 0;
	while (low < high) {
		uint64_t mid = low + (high - low) / 2;

		if (table_field(m, &table, 2 * mid, size, encoding) <= pc)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0)
		return 0;
	return table_field(m, &table, 2 * low - 1, size, encoding);
}

static int
module_fde(const struct module *m, uint64_t pc, struct ht_cfi_fde *fde)
{
	struct bytes in = module_bytes(m, m->hdr);
	uint8_t version = get_u8(&in), frame = get_u8(&in);
	uint8_t count = get_u8(&in), table = get_u8(&in);
	uint64_t at, n;

	if (in.bad || version != 1 || frame == PE_OMIT)
		return -1;
	at = get_pointer(&in, frame, m->hdr);
	if (count == PE_OMIT || table == PE_OMIT || pointer_size(table) == 0)
		return in.bad ? -1 : fde_scan(m, at, pc, fde);
	n = get_pointer(&in, count, m->hdr);
	if (in.bad)
		return -1;
	at = table_search(m, in, table, n, pc);
	if (at == 0 || fde_parse(m, at, fde, &n) <= 0)
		return -1;
	return pc >= fde->start && pc < fde->end ? 0 : -1;
}

/*
 * The augmentation says "signal frame", but only the code proves that the
 * kernel's frame is on the stack. `pc` is in front of the code when it comes
 * from a return address, at one of its two instructions when that was
 * interrupted.
 */
static bool
is_restorer(const struct module *m, uint64_t pc)
{
	static const signed char at[] = {1, 0, -7};

	for (unsigned i = 0; i < sizeof(at); i++) {
		struct bytes in = module_bytes(m, pc + (uint64_t)at[i]);

		if (!in.bad && in.end - in.p >= HT_RESTORER_SIZE &&
		    memcmp(in.p, HT_RESTORER, HT_RESTORER_SIZE) == 0)
			return true;
	}
	return false;
}

int
ht_cfi_find(uint64_t pc, struct ht_cfi_fde *fde)
{
	struct module m;

	if (module_find(&m, pc) != 0 || module_fde(&m, pc, fde) != 0)
		return -1;
	fde->restorer = fde->signal && is_restorer(&m, pc);
	return 0;
}

/* DW_CFA_*. The upper two bits, where set, are the opcode of the first three,
 * the others an operand. */
enum {
	CFA_ADVANCE_LOC = 0x40,
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,
	CFA_NOP = 0x00,
	CFA_SET_LOC = 0x01,
	CFA_ADVANCE_LOC1 = 0x02,
	CFA_ADVANCE_LOC2 = 0x03,
	CFA_ADVANCE_LOC4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REGISTER = 0x09,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_REGISTER = 0x0d,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_DEF_CFA_EXPRESSION = 0x0f,
	CFA_EXPRESSION = 0x10,
	CFA_OFFSET_EXTENDED_SF = 0x11,
	CFA_DEF_CFA_SF = 0x12,
	CFA_DEF_CFA_OFFSET_SF = 0x13,
	CFA_VAL_OFFSET = 0x14,
	CFA_VAL_OFFSET_SF = 0x15,
	CFA_VAL_EXPRESSION = 0x16,
	CFA_MIPS_ADVANCE_LOC8 = 0x1d,
	CFA_GNU_ARGS_SIZE = 0x2e,
	CFA_GNU_NEGATIVE_OFFSET_EXTENDED = 0x2f
};

/* What an operand is. Factored ones come multiplied with their factor. */
enum operand {
	ARG_NONE,
	ARG_REG,   /* a register number */
	ARG_U,	   /* ULEB128 */
	ARG_UD,	   /* ULEB128, by the data alignment */
	ARG_SD,	   /* SLEB128, by the data alignment */
	ARG_ND,	   /* ULEB128, by the data alignment, subtracted */
	ARG_BLOCK, /* the address of an expression's block */
	ARG_LOC1,  /* bytes, by the code alignment */
	ARG_LOC2,
	ARG_LOC4,
	ARG_LOC8,
	ARG_PC, /* an encoded pointer */
	ARG_BAD
};

static const struct {
	uint8_t known, reg, arg;
} operands[0x40] = {
    [CFA_NOP] = {1, 0, ARG_NONE},
    [CFA_SET_LOC] = {1, 0, ARG_PC},
    [CFA_ADVANCE_LOC1] = {1, 0, ARG_LOC1},
    [CFA_ADVANCE_LOC2] = {1, 0, ARG_LOC2},
    [CFA_ADVANCE_LOC4] = {1, 0, ARG_LOC4},
    [CFA_OFFSET_EXTENDED] = {1, 1, ARG_UD},
    [CFA_RESTORE_EXTENDED] = {1, 1, ARG_NONE},
    [CFA_UNDEFINED] = {1, 1, ARG_NONE},
    [CFA_SAME_VALUE] = {1, 1, ARG_NONE},
    [CFA_REGISTER] = {1, 1, ARG_U},
    [CFA_REMEMBER_STATE] = {1, 0, ARG_NONE},
    [CFA_RESTORE_STATE] = {1, 0, ARG_NONE},
    [CFA_DEF_CFA] = {1, 1, ARG_U},
    [CFA_DEF_CFA_REGISTER] = {1, 1, ARG_NONE},
    [CFA_DEF_CFA_OFFSET] = {1, 0, ARG_U},
    [CFA_DEF_CFA_EXPRESSION] = {1, 0, ARG_BLOCK},
    [CFA_EXPRESSION] = {1, 1, ARG_BLOCK},
    [CFA_OFFSET_EXTENDED_SF] = {1, 1, ARG_SD},
    [CFA_DEF_CFA_SF] = {1, 1, ARG_SD},
    [CFA_DEF_CFA_OFFSET_SF] = {1, 0, ARG_SD},
    [CFA_VAL_OFFSET] = {1, 1, ARG_UD},
    [CFA_VAL_OFFSET_SF] = {1, 1, ARG_SD},
    [CFA_VAL_EXPRESSION] = {1, 1, ARG_BLOCK},
    [CFA_MIPS_ADVANCE_LOC8] = {1, 0, ARG_LOC8},
    [CFA_GNU_ARGS_SIZE] = {1, 0, ARG_U},
    [CFA_GNU_NEGATIVE_OFFSET_EXTENDED] = {1, 1, ARG_ND},
};

/* One instruction. */
struct insn {
	uint8_t op;
	uint64_t reg;
	int64_t arg;
};

static int64_t
get_block(struct bytes *in)
{
	int64_t at = (int64_t)(uintptr_t)in->p;

	skip_bytes(in, get_uleb(in));
	return at;
}

static int64_t
get_arg(struct bytes *in, const struct ht_cfi_fde *fde, unsigned arg)
{
	uint64_t data = (uint64_t)fde->data_align, code = fde->code_align;

	switch (arg) {
	case ARG_U:
		return (int64_t)get_uleb(in);
	case ARG_UD:
		return (int64_t)(get_uleb(in) * data);
	case ARG_SD:
		return (int64_t)((uint64_t)get_sleb(in) * data);
	case ARG_ND:
		return (int64_t) - (get_uleb(in) * data);
	case ARG_BLOCK:
		return get_block(in);
	case ARG_LOC1:
		return (int64_t)(get_fixed(in, 1) * code);
	case ARG_LOC2:
		return (int64_t)(get_fixed(in, 2) * code);
	case ARG_LOC4:
		return (int64_t)(get_fixed(in, 4) * code);
	case ARG_LOC8:
		return (int64_t)(get_fixed(in, 8) * code);
	case ARG_PC:
		return (int64_t)get_pointer(in, fde->encoding, 0);
	}
	return 0;
}

/* Reads one instruction; false when it is damaged. */
static bool
insn_read(struct insn *i, struct bytes *in, const struct ht_cfi_fde *fde)
{
	uint8_t byte = get_u8(in), low = byte & 0x3f;

	i->op = byte & 0xc0;
	i->reg = low;
	i->arg = 0;
	switch (i->op) {
	case CFA_ADVANCE_LOC:
		i->arg = (int64_t)(low * fde->code_align);
		break;
	case CFA_OFFSET:
		i->arg = get_arg(in, fde, ARG_UD);
		break;
	case CFA_RESTORE:
		break;
	default:
		i->op = low;
		if (!operands[low].known)
			return false;
		i->reg = operands[low].reg ? get_uleb(in) : 0;
		i->arg = get_arg(in, fde, operands[low].arg);
	}
	return !in->bad;
}

/* Whether the instruction moves the location, and *loc after it. */
static bool
insn_moves(const struct insn *i, uint64_t *loc)
{
	switch (i->op) {
	case CFA_SET_LOC:
		*loc = (uint64_t)i->arg;
		return true;
	case CFA_ADVANCE_LOC:
	case CFA_ADVANCE_LOC1:
	case CFA_ADVANCE_LOC2:
	case CFA_ADVANCE_LOC4:
	case CFA_MIPS_ADVANCE_LOC8:
		*loc += (uint64_t)i->arg;
		return true;
	}
	return false;
}

/* A program being run up to `pc`. */
struct run {
	const struct ht_cfi_fde *fde;
	struct bytes in;
	uint64_t loc, pc;
	struct ht_cfi_row *row;
	const struct ht_cfi_row *initial; /* the row the CIE ends with */
	uint32_t left; /* instructions that may still be read */
};

/*
 * Behind DW_CFA_remember_state. States need no stack: if the matching
 * DW_CFA_restore_state comes before `pc`, nothing in between matters; if not,
 * it does not matter that there was a state to remember.
 */
static bool
skip_remembered(struct run *r)
{
	struct bytes in = r->in;
	uint64_t loc = r->loc;
	unsigned depth = 1;
	struct insn i;

	while (in.p < in.end) {
		if (r->left-- == 0 || !insn_read(&i, &in, r->fde))
			return false;
		if (insn_moves(&i, &loc) && loc > r->pc)
			break;
		if (i.op == CFA_REMEMBER_STATE)
			depth++;
		if (i.op == CFA_RESTORE_STATE && --depth == 0) {
			r->in = in;
			r->loc = loc;
			break;
		}
	}
	return true;
}

static bool
run_cfa(struct ht_cfi_row *row, const struct insn *i)
{
	switch (i->op) {
	case CFA_DEF_CFA:
	case CFA_DEF_CFA_SF:
		row->cfa_how = HT_CFI_VAL_OFFSET;
		row->cfa_reg = (uint8_t)i->reg;
		row->cfa_value = i->arg;
		return i->reg < HT_REGS;
	case CFA_DEF_CFA_REGISTER:
		row->cfa_reg = (uint8_t)i->reg;
		return row->cfa_how == HT_CFI_VAL_OFFSET && i->reg < HT_REGS;
	case CFA_DEF_CFA_OFFSET:
	case CFA_DEF_CFA_OFFSET_SF:
		row->cfa_value = i->arg;
		return row->cfa_how == HT_CFI_VAL_OFFSET;
	case CFA_DEF_CFA_EXPRESSION:
		row->cfa_how = HT_CFI_VAL_EXPR;
		row->cfa_value = i->arg;
		return true;
	}
	return false;
}

/* A rule for a register; those that nobody needs (xmm0 ...) are dropped. */
static void
run_reg(struct run *r, const struct insn *i, enum ht_cfi_how how)
{
	if (i->reg >= HT_REGS)
		return;
	r->row->how[i->reg] = (uint8_t)how;
	r->row->value[i->reg] = i->arg;
}

static bool
run_restore(struct run *r, const struct insn *i)
{
	if (!r->initial)
		return false;
	if (i->reg < HT_REGS) {
		r->row->how[i->reg] = r->initial->how[i->reg];
		r->row->value[i->reg] = r->initial->value[i->reg];
	}
	return true;
}

static bool
run_insn(struct run *r, const struct insn *i)
{
	switch (i->op) {
	case CFA_NOP:
	case CFA_GNU_ARGS_SIZE:
		return true;
	case CFA_OFFSET:
	case CFA_OFFSET_EXTENDED:
	case CFA_OFFSET_EXTENDED_SF:
	case CFA_GNU_NEGATIVE_OFFSET_EXTENDED:
		run_reg(r, i, HT_CFI_OFFSET);
		return true;
	case CFA_VAL_OFFSET:
	case CFA_VAL_OFFSET_SF:
		run_reg(r, i, HT_CFI_VAL_OFFSET);
		return true;
	case CFA_EXPRESSION:
		run_reg(r, i, HT_CFI_EXPR);
		return true;
	case CFA_VAL_EXPRESSION:
		run_reg(r, i, HT_CFI_VAL_EXPR);
		return true;
	case CFA_UNDEFINED:
		run_reg(r, i, HT_CFI_UNDEFINED);
		return true;
	case CFA_SAME_VALUE:
		run_reg(r, i, HT_CFI_SAME);
		return true;
	case CFA_REGISTER:
		run_reg(r, i, HT_CFI_REGISTER);
		return i->arg >= 0 && i->arg < HT_REGS;
	case CFA_RESTORE:
	case CFA_RESTORE_EXTENDED:
		return run_restore(r, i);
	case CFA_REMEMBER_STATE:
		return skip_remembered(r);
	}
	return run_cfa(r->row, i);
}

static int
run_program(struct run *r)
{
	struct insn i;

	while (r->in.p < r->in.end) {
		if (r->left-- == 0 || !insn_read(&i, &r->in, r->fde))
			return -1;
		if (insn_moves(&i, &r->loc)) {
			if (r->loc > r->pc)
				break;
		} else if (!run_insn(r, &i)) {
			return -1;
		}
	}
	return 0;
}

int
ht_cfi_row(const struct ht_cfi_fde *fde, uint64_t pc, struct ht_cfi_row *row)
{
	struct ht_cfi_row initial;
	struct run r = {.fde = fde, .loc = fde->start, .pc = pc, .row = row};

	memset(row, 0, sizeof(*row));
	row->ra_column = fde->ra_column;
	/* Real entries have some thousands at most; skip_remembered() is
	 * quadratic in what a damaged one may hold. */
	r.left = 1u << 22;
	r.in = (struct bytes){.p = fde->initial, .end = fde->initial_end};
	if (run_program(&r) != 0)
		return -1;
	initial = *row;
	r.initial = &initial;
	r.loc = fde->start;
	r.in = (struct bytes){.p = fde->program, .end = fde->program_end};
	if (run_program(&r) != 0 || row->cfa_how == HT_CFI_SAME)
		return -1;
	return 0;
}

/* DW_OP_*, those that a call-frame expression may hold. */
enum {
	OP_ADDR = 0x03,
	OP_DEREF = 0x06,
	OP_CONST1U = 0x08,
	OP_CONST1S = 0x09,
	OP_CONST2U = 0x0a,
	OP_CONST2S = 0x0b,
	OP_CONST4U = 0x0c,
	OP_CONST4S = 0x0d,
	OP_CONST8U = 0x0e,
	OP_CONST8S = 0x0f,
	OP_CONSTU = 0x10,
	OP_CONSTS = 0x11,
	OP_DUP = 0x12,
	OP_DROP = 0x13,
	OP_OVER = 0x14,
	OP_PICK = 0x15,
	OP_SWAP = 0x16,
	OP_ROT = 0x17,
	OP_ABS = 0x19,
	OP_AND = 0x1a,
	OP_DIV = 0x1b,
	OP_MINUS = 0x1c,
	OP_MOD = 0x1d,
	OP_MUL = 0x1e,
	OP_NEG = 0x1f,
	OP_NOT = 0x20,
	OP_OR = 0x21,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_SHR = 0x25,
	OP_SHRA = 0x26,
	OP_XOR = 0x27,
	OP_BRA = 0x28,
	OP_EQ = 0x29,
	OP_GE = 0x2a,
	OP_GT = 0x2b,
	OP_LE = 0x2c,
	OP_LT = 0x2d,
	OP_NE = 0x2e,
	OP_SKIP = 0x2f,
	OP_LIT0 = 0x30,
	OP_REG0 = 0x50,
	OP_BREG0 = 0x70,
	OP_REGX = 0x90,
	OP_BREGX = 0x92,
	OP_DEREF_SIZE = 0x94,
	OP_NOP = 0x96,
	OP_STACK_VALUE = 0x9f,
	OP_GNU_ENCODED_ADDR = 0xf1
};

/* The block of an expression, which the row has seen to be whole. */
static struct bytes
block_open(int64_t value)
{
	const uint8_t *p = (const uint8_t *)(uintptr_t)value;
	struct bytes in = {.p = p, .end = p + 10};
	uint64_t size = get_uleb(&in);

	in.end = in.p + size;
	return in;
}

/* An expression being evaluated. */
#define EVAL_STACK 32
struct eval {
	struct bytes in;
	const struct ht_regs *regs;
	ht_cfi_read *read;
	void *arg;
	unsigned depth;
	uint64_t stack[EVAL_STACK];
};

static bool
push(struct eval *e, uint64_t v)
{
	if (e->depth == EVAL_STACK)
		return false;
	e->stack[e->depth++] = v;
	return true;
}

static bool
push_reg(struct eval *e, uint64_t reg, int64_t offset)
{
	if (reg >= HT_REGS || !(e->regs->known >> reg & 1))
		return false;
	return push(e, e->regs->reg[reg] + (uint64_t)offset);
}

/* The operand of an operation that pushes a constant. */
static uint64_t
eval_const(struct bytes *in, uint8_t op)
{
	unsigned size;

	switch (op) {
	case OP_CONSTU:
		return get_uleb(in);
	case OP_CONSTS:
		return (uint64_t)get_sleb(in);
	case OP_ADDR:
		return get_fixed(in, 8);
	case OP_GNU_ENCODED_ADDR:
		return get_pointer(in, get_u8(in), 0);
	}
	size = 1u << ((op - OP_CONST1U) >> 1);
	if ((op - OP_CONST1U) & 1)
		return (uint64_t)sign_extend(get_fixed(in, size), 8 * size);
	return get_fixed(in, size);
}

static uint64_t
divide(int64_t a, int64_t b)
{
	return b == -1 ? -(uint64_t)a : (uint64_t)(a / b);
}

/* a OP b. False when there is no result. */
static bool
eval_binary(uint8_t op, uint64_t a, uint64_t b, uint64_t *v)
{
	int64_t sa = (int64_t)a, sb = (int64_t)b;

	switch (op) {
	case OP_AND:
		*v = a & b;
		return true;
	case OP_DIV:
		*v = b ? divide(sa, sb) : 0;
		return b != 0;
	case OP_MINUS:
		*v = a - b;
		return true;
	case OP_MOD:
		*v = b ? a % b : 0;
		return b != 0;
	case OP_MUL:
		*v = a * b;
		return true;
	case OP_OR:
		*v = a | b;
		return true;
	case OP_PLUS:
		*v = a + b;
		return true;
	case OP_SHL:
		*v = b < 64 ? a << b : 0;
		return true;
	case OP_SHR:
		*v = b < 64 ? a >> b : 0;
		return true;
	case OP_SHRA:
		*v = (uint64_t)(sa >> (b < 64 ? b : 63));
		return true;
	case OP_XOR:
		*v = a ^ b;
		return true;
	case OP_EQ:
		*v = a == b;
		return true;
	case OP_GE:
		*v = sa >= sb;
		return true;
	case OP_GT:
		*v = sa > sb;
		return true;
	case OP_LE:
		*v = sa <= sb;
		return true;
	case OP_LT:
		*v = sa < sb;
		return true;
	case OP_NE:
		*v = a != b;
		return true;
	}
	return false;
}

/* Operations on the top of the stack alone. */
static bool
eval_unary(struct eval *e, uint8_t op)
{
	uint64_t *top = e->stack + e->depth - 1;

	if (e->depth == 0)
		return false;
	switch (op) {
	case OP_DEREF:
		return e->read(e->arg, *top, 8, top) == 0;
	case OP_DEREF_SIZE: {
		uint8_t size = get_u8(&e->in);

		if (size != 1 && size != 2 && size != 4 && size != 8)
			return false;
		return e->read(e->arg, *top, size, top) == 0;
	}
	case OP_ABS:
		*top = (int64_t)*top < 0 ? -*top : *top;
		return true;
	case OP_NEG:
		*top = -*top;
		return true;
	case OP_NOT:
		*top = ~*top;
		return true;
	case OP_PLUS_UCONST:
		*top += get_uleb(&e->in);
		return true;
	}
	return false;
}

/* Operations that move the stack's words around. */
static bool
eval_stack(struct eval *e, uint8_t op)
{
	uint64_t *top = e->stack + e->depth - 1, t;
	unsigned n = op == OP_PICK ? get_u8(&e->in) : op == OP_OVER;

	if (e->depth == 0)
		return false;
	switch (op) {
	case OP_DUP:
	case OP_OVER:
	case OP_PICK:
		return n < e->depth && push(e, top[-(int)n]);
	case OP_DROP:
		e->depth--;
		return true;
	case OP_SWAP:
		if (e->depth < 2)
			return false;
		t = top[0];
		top[0] = top[-1];
		top[-1] = t;
		return true;
	case OP_ROT:
		if (e->depth < 3)
			return false;
		t = top[0];
		top[0] = top[-1];
		top[-1] = top[-2];
		top[-2] = t;
		return true;
	}
	return false;
}

/* DW_OP_skip and DW_OP_bra: to anywhere in the block [start, end]. */
static bool
eval_jump(struct eval *e, uint8_t op, const uint8_t *start)
{
	int64_t by = sign_extend(get_fixed(&e->in, 2), 16);

	if (e->in.bad)
		return false;
	if (op == OP_BRA) {
		if (e->depth == 0)
			return false;
		if (e->stack[--e->depth] == 0)
			return true;
	}
	if (by < start - e->in.p || by > e->in.end - e->in.p)
		return false;
	e->in.p += by;
	return true;
}

static bool
eval_op(struct eval *e, uint8_t op)
{
	if (op >= OP_LIT0 && op < OP_REG0)
		return push(e, op - OP_LIT0);
	if (op >= OP_REG0 && op < OP_BREG0)
		return push_reg(e, op - OP_REG0, 0);
	if (op >= OP_BREG0 && op < OP_REGX)
		return push_reg(e, op - OP_BREG0, get_sleb(&e->in));
	if (op == OP_REGX)
		return push_reg(e, get_uleb(&e->in), 0);
	if (op == OP_BREGX) {
		uint64_t reg = get_uleb(&e->in);

		return push_reg(e, reg, get_sleb(&e->in));
	}
	if (op == OP_ADDR || op == OP_GNU_ENCODED_ADDR ||
	    (op >= OP_CONST1U && op <= OP_CONSTS))
		return push(e, eval_const(&e->in, op));
	if (op >= OP_DUP && op <= OP_ROT)
		return eval_stack(e, op);
	if (op == OP_NOP)
		return true;
	if (eval_unary(e, op))
		return true;
	if (e->depth < 2 ||
	    !eval_binary(op, e->stack[e->depth - 2], e->stack[e->depth - 1],
		&e->stack[e->depth - 2]))
		return false;
	e->depth--;
	return true;
}

/* What the expression in `block` gives, on a stack that begins with `first`
 * where that is not NULL. */
static int
eval(int64_t block, const uint64_t *first, const struct ht_regs *regs,
    ht_cfi_read *read, void *arg, uint64_t *value)
{
	struct eval e;
	const uint8_t *start;
	unsigned left = 1000; /* a damaged one may loop */

	e.in = block_open(block);
	e.regs = regs;
	e.read = read;
	e.arg = arg;
	e.depth = 0;
	start = e.in.p;
	if (first)
		push(&e, *first);
	while (e.in.p < e.in.end) {
		uint8_t op = get_u8(&e.in);
		bool ok;

		if (op == OP_STACK_VALUE)
			break;
		if (op == OP_SKIP || op == OP_BRA)
			ok = eval_jump(&e, op, start);
		else
			ok = eval_op(&e, op);
		if (!ok || e.in.bad || left-- == 0)
			return -1;
	}
	if (e.depth == 0)
		return -1;
	*value = e.stack[e.depth - 1];
	return 0;
}

/* Whether the block is one DW_OP_breg and perhaps a DW_OP_deref. */
static bool
is_breg(int64_t block, uint8_t *reg, int64_t *offset, bool *deref)
{
	struct bytes in = block_open(block);
	uint8_t op = get_u8(&in);

	if (op < OP_BREG0 || op >= OP_REGX)
		return false;
	*reg = op - OP_BREG0;
	*offset = get_sleb(&in);
	*deref = in.p < in.end;
	if (*deref && get_u8(&in) != OP_DEREF)
		return false;
	return !in.bad && in.p == in.end;
}

static uint64_t
rule_make(enum ht_rule_kind kind, enum ht_rule_fp fp, int64_t n, int64_t k)
{
	if (n != (int32_t)n || k != sign_extend((uint64_t)k, 24))
		return HT_RULE_SLOW;
	return (uint64_t)kind | (uint64_t)fp << 4 | (uint64_t)(uint32_t)n << 8 |
	       (uint64_t)k << 40;
}

/* How the row's CFA is found: a kind and its n; SLOW if otherwise. */
static enum ht_rule_kind
condense_cfa(const struct ht_cfi_row *row, int64_t *n)
{
	uint8_t reg = row->cfa_reg;
	bool deref = false;

	*n = row->cfa_value;
	if (row->cfa_how == HT_CFI_VAL_EXPR &&
	    !is_breg(row->cfa_value, &reg, n, &deref))
		return HT_RULE_SLOW;
	if (reg == HT_REG_RBP)
		return deref ? HT_RULE_FP_AT : HT_RULE_FP;
	return reg == HT_REG_RSP && !deref ? HT_RULE_SP : HT_RULE_SLOW;
}

uint64_t
ht_cfi_condense(const struct ht_cfi_fde *fde, const struct ht_cfi_row *row)
{
	enum ht_rule_kind kind;
	int64_t n, k = row->value[HT_REG_RBP];
	uint8_t reg;
	bool deref;

	if (fde->restorer)
		return HT_RULE_SIGNAL;
	if (row->how[row->ra_column] == HT_CFI_UNDEFINED)
		return HT_RULE_END;
	kind = condense_cfa(row, &n);
	if (kind == HT_RULE_SLOW || row->ra_column != HT_REG_RIP ||
	    row->how[HT_REG_RIP] != HT_CFI_OFFSET ||
	    row->value[HT_REG_RIP] != -8 || row->how[HT_REG_RSP] != HT_CFI_SAME)
		return HT_RULE_SLOW;
	switch (row->how[HT_REG_RBP]) {
	case HT_CFI_SAME:
		return rule_make(kind, HT_FP_SAME, n, 0);
	case HT_CFI_OFFSET:
		return rule_make(kind, HT_FP_AT_CFA, n, k);
	case HT_CFI_EXPR:
		if (is_breg(k, &reg, &k, &deref) && reg == HT_REG_RBP && !deref)
			return rule_make(kind, HT_FP_AT_FP, n, k);
	}
	return HT_RULE_SLOW;
}

/*
 * Whether the process began its life here: at the entry point of ld.so or of
 * the executable. Such code is often without unwind information (ld.so's,
 * which runs all constructors, is), but nobody called it.
 */
static bool
is_entry(uint64_t pc)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)getauxval(AT_BASE);

	return pc - getauxval(AT_ENTRY) < ENTRY_SIZE ||
	       (e && pc - (uintptr_t)e - e->e_entry < ENTRY_SIZE);
}

/*
 * Whether a function of makecontext's returns here, to the first instruction
 * of glibc's __start_context, which leaves for another context.
 */
static bool
is_start_context(const struct bytes *in)
{
	/* mov %rbx,%rsp; mov (%rsp),%rdi; test %rdi,%rdi */
	static const char code[] = "\x48\x89\xdc\x48\x8b\x3c\x24\x48\x85\xff";

	return in->end - in->p >= (ptrdiff_t)sizeof(code) - 1 &&
	       memcmp(in->p, code, sizeof(code) - 1) == 0;
}

/*
 * Whether main or a thread's function returns here, to musl, which has no
 * unwind information: the result goes straight to exit or pthread_exit.
 */
static bool
is_last_call(const struct bytes *in)
{
	/* mov %eax,%edi; mov %rax,%rdi; movslq %eax,%rdi; then call */
	static const char *const code[] = {
	    "\x89\xc7\xe8", "\x48\x89\xc7\xe8", "\x48\x63\xf8\xe8"};

	for (size_t i = 0; i < sizeof(code) / sizeof(code[0]); i++) {
		size_t n = strlen(code[i]);
		struct bytes at = {in->p + n, in->end, false};
		uint64_t target;

		if ((size_t)(in->end - in->p) < n ||
		    memcmp(in->p, code[i], n) != 0)
			continue;
		target = (uint64_t)sign_extend(get_fixed(&at, 4), 32);
		target += (uintptr_t)at.p;
		return !at.bad &&
		       (target == (uintptr_t)ht_real.exit ||
			   target == (uintptr_t)ht_real.pthread_exit);
	}
	return false;
}

/* What the code tells where no unwind information does. */
static uint64_t
rule_by_code(uint64_t pc)
{
	struct module m;
	struct bytes in;

	if (is_entry(pc))
		return HT_RULE_END;
	if (module_find(&m, pc) != 0)
		return HT_RULE_NONE;
	if (is_restorer(&m, pc))
		return HT_RULE_SIGNAL;
	in = module_bytes(&m, pc + 1);
	return !in.bad && (is_start_context(&in) || is_last_call(&in))
		   ? HT_RULE_END
		   : HT_RULE_NONE;
}

uint64_t
ht_cfi_rule(uint64_t pc)
{
	struct ht_cfi_fde fde;
	struct ht_cfi_row row;

	pc = ht_moved_origin(pc);
	if (ht_cfi_find(pc, &fde) != 0)
		return rule_by_code(pc);
	if (ht_cfi_row(&fde, pc, &row) != 0)
		return HT_RULE_NONE;
	return ht_cfi_condense(&fde, &row);
}

static int
step_cfa(const struct ht_cfi_row *row, const struct ht_regs *regs,
    uint64_t *cfa, ht_cfi_read *read, void *arg)
{
	if (row->cfa_how == HT_CFI_VAL_EXPR)
		return eval(row->cfa_value, NULL, regs, read, arg, cfa);
	*cfa = regs->reg[row->cfa_reg] + (uint64_t)row->cfa_value;
	return regs->known >> row->cfa_reg & 1 ? 0 : -1;
}

/* The caller's register `i`. 1: it has none that can be told, or -1. */
static int
step_reg(const struct ht_cfi_row *row, unsigned i, const struct ht_regs *regs,
    uint64_t cfa, uint64_t *v, ht_cfi_read *read, void *arg)
{
	int64_t value = row->value[i];
	uint64_t at;

	switch (row->how[i]) {
	case HT_CFI_SAME:
		*v = i == HT_REG_RSP ? cfa : regs->reg[i];
		return i != HT_REG_RSP && !(regs->known >> i & 1);
	case HT_CFI_OFFSET:
		return read(arg, cfa + (uint64_t)value, 8, v);
	case HT_CFI_VAL_OFFSET:
		*v = cfa + (uint64_t)value;
		return 0;
	case HT_CFI_REGISTER:
		*v = regs->reg[value];
		return !(regs->known >> value & 1);
	case HT_CFI_EXPR:
		if (eval(value, &cfa, regs, read, arg, &at) != 0)
			return -1;
		return read(arg, at, 8, v);
	case HT_CFI_VAL_EXPR:
		return eval(value, &cfa, regs, read, arg, v);
	}
	return 1;
}

int
ht_cfi_step(const struct ht_cfi_row *row, struct ht_regs *regs, uint64_t *cfa,
    ht_cfi_read *read, void *arg)
{
	const unsigned need = 1u << HT_REG_RSP | 1u << HT_REG_RIP;
	struct ht_regs next = {.known = 0};

	/* A return address that stays where it is would never end. */
	if (row->how[HT_REG_RIP] == HT_CFI_SAME && row->ra_column == HT_REG_RIP)
		return -1;
	if (step_cfa(row, regs, cfa, read, arg) != 0)
		return -1;
	for (unsigned i = 0; i < HT_REGS; i++) {
		int got = step_reg(row, i, regs, *cfa, &next.reg[i], read, arg);

		/* What cannot be read or told matters once it is used. */
		if (got == 0)
			next.known |= 1u << i;
	}
	if (row->ra_column != HT_REG_RIP) {
		next.reg[HT_REG_RIP] = next.reg[row->ra_column];
		next.known &= ~(1u << HT_REG_RIP);
		next.known |= (next.known >> row->ra_column & 1) << HT_REG_RIP;
	}
	*regs = next;
	return (next.known & need) == need ? 0 : -1;
}
