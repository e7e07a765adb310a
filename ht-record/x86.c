/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <string.h>

#include "ht-record/x86.h"

/* What follows an opcode. */
enum {
	NONE = 0,
	M = 1,	   /* ModRM, and what that asks for */
	B = 2,	   /* an immediate byte */
	W = 4,	   /* two bytes */
	Z = 8,	   /* four, or two behind the prefix 66 */
	V = 16,	   /* eight behind REX.W, else as Z */
	O = 32,	   /* an address of eight bytes */
	R = 64,	   /* a relative target: one byte, or four with Z */
	BAD = 128, /* no instruction, a prefix out of place, or not known */
};

/* clang-format off */
static const uint8_t one[256] = {
	M, M, M, M, B, Z, BAD, BAD, /* 00 */
	M, M, M, M, B, Z, BAD, BAD,
	M, M, M, M, B, Z, BAD, BAD, /* 10 */
	M, M, M, M, B, Z, BAD, BAD,
	M, M, M, M, B, Z, BAD, BAD, /* 20 */
	M, M, M, M, B, Z, BAD, BAD,
	M, M, M, M, B, Z, BAD, BAD, /* 30 */
	M, M, M, M, B, Z, BAD, BAD,
	BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, /* 40 */
	BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
	0, 0, 0, 0, 0, 0, 0, 0, /* 50 */
	0, 0, 0, 0, 0, 0, 0, 0,
	BAD, BAD, BAD, M, BAD, BAD, BAD, BAD, /* 60 */
	Z, M | Z, B, M | B, 0, 0, 0, 0,
	R, R, R, R, R, R, R, R, /* 70 */
	R, R, R, R, R, R, R, R,
	M | B, M | Z, BAD, M | B, M, M, M, M, /* 80 */
	M, M, M, M, M, M, M, M,
	0, 0, 0, 0, 0, 0, 0, 0, /* 90 */
	0, 0, BAD, 0, 0, 0, 0, 0,
	O, O, O, O, 0, 0, 0, 0, /* a0 */
	B, Z, 0, 0, 0, 0, 0, 0,
	B, B, B, B, B, B, B, B, /* b0 */
	V, V, V, V, V, V, V, V,
	M | B, M | B, W, 0, BAD, BAD, M | B, M | Z, /* c0 */
	W | B, 0, W, 0, 0, B, BAD, 0,
	M, M, M, M, BAD, BAD, BAD, 0, /* d0 */
	M, M, M, M, M, M, M, M,
	R, R, R, R, B, B, B, B, /* e0 */
	R | Z, R | Z, BAD, R, 0, 0, 0, 0,
	BAD, 0, BAD, BAD, 0, 0, M, M, /* f0 */
	0, 0, 0, 0, 0, 0, M, M,
};

/* Behind 0f. */
static const uint8_t two[256] = {
	M, M, M, M, BAD, 0, 0, 0, /* 00 */
	0, 0, BAD, 0, BAD, M, 0, BAD,
	M, M, M, M, M, M, M, M, /* 10 */
	M, M, M, M, M, M, M, M,
	M, M, M, M, BAD, BAD, BAD, BAD, /* 20 */
	M, M, M, M, M, M, M, M,
	0, 0, 0, 0, 0, 0, BAD, 0, /* 30 */
	BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
	M, M, M, M, M, M, M, M, /* 40 */
	M, M, M, M, M, M, M, M,
	M, M, M, M, M, M, M, M, /* 50 */
	M, M, M, M, M, M, M, M,
	M, M, M, M, M, M, M, M, /* 60 */
	M, M, M, M, M, M, M, M,
	M | B, M | B, M | B, M | B, M, M, M, 0, /* 70 */
	M, M, BAD, BAD, M, M, M, M,
	R | Z, R | Z, R | Z, R | Z, R | Z, R | Z, R | Z, R | Z, /* 80 */
	R | Z, R | Z, R | Z, R | Z, R | Z, R | Z, R | Z, R | Z,
	M, M, M, M, M, M, M, M, /* 90 */
	M, M, M, M, M, M, M, M,
	0, 0, 0, M, M | B, M, BAD, BAD, /* a0 */
	0, 0, 0, M, M | B, M, M, M,
	M, M, M, M, M, M, M, M, /* b0 */
	M, M, M | B, M, M, M, M, M,
	M, M, M | B, M, M | B, M | B, M | B, M, /* c0 */
	0, 0, 0, 0, 0, 0, 0, 0,
	M, M, M, M, M, M, M, M, /* d0 */
	M, M, M, M, M, M, M, M,
	M, M, M, M, M, M, M, M, /* e0 */
	M, M, M, M, M, M, M, M,
	M, M, M, M, M, M, M, M, /* f0 */
	M, M, M, M, M, M, M, M,
};
/* clang-format on */

/* An instruction being read. */
struct reader {
	const uint8_t *p;
	size_t n;
	unsigned at;
	uint8_t modrm;
	bool data16, address32, rex_w;
	bool vector; /* VEX or EVEX */
};

static int
next(struct reader *r)
{
	return r->at < r->n ? r->p[r->at++] : -1;
}

static void
read_prefixes(struct reader *r)
{
	for (;; r->at++) {
		uint8_t c = r->at < r->n ? r->p[r->at] : 0;

		if (c == 0x66)
			r->data16 = true;
		else if (c == 0x67)
			r->address32 = true;
		else if (c != 0x26 && c != 0x2e && c != 0x36 && c != 0x3e &&
			 c != 0x64 && c != 0x65 && c != 0xf0 && c != 0xf2 &&
			 c != 0xf3)
			break;
	}
	if (r->at < r->n && r->p[r->at] >> 4 == 4)
		r->rex_w = r->p[r->at++] & 8;
}

/* What follows opcode `op` of the vector map `map`. */
static unsigned
vector_form(unsigned map, int op)
{
	if (map == 1 && op == 0x77)
		return NONE; /* vzeroupper */
	if (map == 1 && (two[op] & (R | BAD)))
		return BAD;
	if (map == 1)
		return M | (two[op] & B);
	return map == 3 ? M | B : map == 2 || map == 5 || map == 6 ? M : BAD;
}

/* The opcode; *op is it, *map 0 for the first, 1 behind 0f. Returns what
 * follows. */
static unsigned
read_opcode(struct reader *r, int *op, unsigned *map)
{
	bool plain = !r->rex_w && !r->data16;
	int c = *op = next(r);

	*map = 0;
	if (c == 0xc5 || c == 0xc4 || c == 0x62) {
		int p0 = next(r);

		*map = c == 0xc5 ? 1 : (unsigned)p0 & (c == 0xc4 ? 31 : 7);
		for (int more = c == 0xc5   ? 0
				: c == 0xc4 ? 1
					    : 2;
		     more > 0; more--)
			next(r);
		r->vector = true;
		*op = next(r);
		return *op < 0 || !plain ? BAD : vector_form(*map, *op);
	}
	if (c != 0x0f)
		return c < 0 ? BAD : one[c];
	*map = 1;
	c = *op = next(r);
	if (c == 0x38 || c == 0x3a) {
		*map = c == 0x38 ? 2 : 3;
		*op = next(r);
		return *op < 0 ? BAD : c == 0x38 ? M : M | B;
	}
	return c < 0 ? BAD : two[c];
}

/* ModRM, SIB and displacement. */
static int
read_modrm(struct reader *r, struct ht_x86 *i)
{
	int m = next(r);
	unsigned mod = (unsigned)m >> 6, rm = m & 7, disp = 0;

	if (m < 0)
		return -1;
	r->modrm = (uint8_t)m;
	if (mod == 3)
		return 0;
	if (rm == 4) {
		int sib = next(r);

		if (sib < 0)
			return -1;
		if (mod == 0 && (sib & 7) == 5)
			disp = 4;
	} else if (mod == 0 && rm == 5) {
		disp = 4;
		i->rip = r->at;
		if (r->address32)
			return -1;
	}
	r->at += mod == 1 ? 1 : mod == 2 ? 4 : disp;
	return 0;
}

static unsigned
immediate_size(const struct reader *r, unsigned form)
{
	unsigned z = r->data16 && !r->rex_w ? 2 : 4;

	return !!(form & B) + (form & W ? 2 : 0) + (form & Z ? z : 0) +
	       (form & V ? r->rex_w ? 8 : z : 0) +
	       (form & O ? r->address32 ? 4 : 8 : 0) +
	       ((form & (R | Z)) == R ? 1 : 0);
}

static enum ht_x86_kind
kind_of(const struct reader *r, unsigned map, int op, unsigned form)
{
	unsigned reg = r->modrm >> 3 & 7;

	if (r->vector)
		return HT_X86_PLAIN;
	if (form & R)
		return op == 0xe8		  ? HT_X86_CALL
		       : op >> 2 == 0xe0 >> 2	  ? HT_X86_LOOP
		       : op == 0xe9 || op == 0xeb ? HT_X86_JUMP
						  : HT_X86_JCC;
	if (map == 1)
		return op == 0x1f   ? HT_X86_NOP
		       : op == 0x0b ? HT_X86_END
				    : HT_X86_PLAIN;
	if (map == 0 && (op == 0xc2 || op == 0xc3 || op == 0xf4 ||
			    (op == 0xff && (reg == 4 || reg == 5))))
		return HT_X86_END;
	if (map == 0 && (op == 0xcc || (op == 0x90 && !r->rex_w)))
		return HT_X86_NOP;
	return HT_X86_PLAIN;
}

int
ht_x86_decode(const uint8_t *p, size_t n, struct ht_x86 *i)
{
	struct reader r = {.p = p, .n = n};
	unsigned form, map;
	int op;

	*i = (struct ht_x86){0};
	read_prefixes(&r);
	form = read_opcode(&r, &op, &map);
	if (form & BAD || (form & M && read_modrm(&r, i) == -1))
		return -1;
	if (!r.vector && map == 0) {
		/* test is the only one of its group with an immediate; 8f is
		 * pop, or AMD's XOP. */
		if ((op == 0xf6 || op == 0xf7) && !(r.modrm >> 3 & 6))
			form |= op == 0xf6 ? B : Z;
		if (op == 0x8f && r.modrm >> 3 & 7)
			return -1;
		if (op == 0xc7 && r.modrm == 0xf8)
			return -1; /* xbegin names a place, too */
	}
	/* With 66 the two makers disagree. */
	if (form & R && form & Z && r.data16 && !r.rex_w)
		return -1;
	if (form & R) {
		i->rel = r.at;
		i->rel_size = form & Z ? 4 : 1;
	}
	r.at += immediate_size(&r, form);
	i->kind = kind_of(&r, map, op, form);
	i->len = r.at;
	return r.at <= n && r.at <= 15 ? 0 : -1;
}

/* ---- moving ----------------------------------------------------------- */

static int32_t
get32(const uint8_t *p)
{
	int32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static void
put32(uint8_t *p, int64_t v)
{
	int32_t w = (int32_t)v;

	memcpy(p, &w, sizeof w);
}

/* Where the relative jump at address `at` leads. */
static uint64_t
target(const uint8_t *p, const struct ht_x86 *i, uint64_t at)
{
	int64_t by = i->rel_size == 4 ? get32(p + i->rel) : (int8_t)p[i->rel];

	return at + i->len + (uint64_t)by;
}

void
ht_x86_jump(uint8_t code[HT_X86_JUMP_SIZE], uint64_t at, uint64_t to)
{
	code[0] = 0xe9;
	put32(code + 1, (int64_t)(to - (at + HT_X86_JUMP_SIZE)));
}

void
ht_x86_far_jump(uint8_t code[HT_X86_FAR_SIZE], uint64_t to)
{
	memcpy(code, "\xff\x25\0\0\0\0", 6); /* jmp *0(%rip) */
	memcpy(code + 6, &to, sizeof to);
}

/* A call returns to where it was, so that its frame has unwind information:
 * push $low; movl $high, 4(%rsp); jmp. As it takes five bytes, nothing behind
 * it is moved. */
static void
move_call(struct ht_x86_moved *m, uint64_t function, uint64_t back,
    uint64_t here, uint8_t *out)
{
	out[0] = 0x68;
	put32(out + 1, (int32_t)back);
	memcpy(out + 5, "\xc7\x44\x24\x04", 4);
	put32(out + 9, (int64_t)(back >> 32));
	ht_x86_jump(out + 13, here + 13, function);
	m->size += 13 + HT_X86_JUMP_SIZE;
	m->calls = true;
}

/* Adds one instruction, now at `at`, to the copy. */
static int
move_one(struct ht_x86_moved *m, const uint8_t *p, const struct ht_x86 *i,
    uint64_t at, uint64_t to, const char **why)
{
	uint64_t here = to + m->size;
	uint8_t *out = m->code + m->size;

	switch (i->kind) {
	case HT_X86_CALL:
		move_call(m, target(p, i, at), at + i->len, here, out);
		return 0;
	case HT_X86_LOOP:
		*why = "it begins with a loop";
		return -1;
	case HT_X86_JCC:
		out[0] = 0x0f;
		out[1] = (uint8_t)(0x80 | (p[i->rel - 1] & 15));
		put32(out + 2, (int64_t)(target(p, i, at) - (here + 6)));
		m->size += 6;
		return 0;
	case HT_X86_JUMP:
		ht_x86_jump(out, here, target(p, i, at));
		m->size += HT_X86_JUMP_SIZE;
		return 0;
	default:
		memcpy(out, p, i->len);
		if (i->rip)
			put32(out + i->rip,
			    get32(p + i->rip) + (int64_t)(at - here));
		m->size += i->len;
		return 0;
	}
}

/* Does anything of the function lead to what is taken from it, its very first
 * byte apart? */
static int
check_targets(const uint8_t *code, size_t size, unsigned taken, uint64_t at,
    const char **why)
{
	struct ht_x86 i;

	for (size_t o = 0; o < size; o += i.len) {
		if (ht_x86_decode(code + o, size - o, &i) == -1)
			*why = "an instruction of it is not understood";
		else if (i.rel_size &&
			 target(code + o, &i, at + o) - at - 1 < taken - 1)
			*why = "it jumps to where the hook would be";
		else
			continue;
		return -1;
	}
	return 0;
}

int
ht_x86_move(struct ht_x86_moved *m, const uint8_t *code, size_t size,
    uint64_t at, uint64_t to, const char **why)
{
	struct ht_x86 i;
	bool ended = false;

	*m = (struct ht_x86_moved){0};
	while (m->taken < HT_X86_JUMP_SIZE) {
		const uint8_t *p = code + m->taken;

		*why = "it is too short";
		if (m->taken >= size)
			return -1;
		if (ht_x86_decode(p, size - m->taken, &i) == -1) {
			*why = "an instruction of it is not understood";
			return -1;
		}
		if (ended && i.kind != HT_X86_NOP)
			return -1;
		ended |= i.kind == HT_X86_END || i.kind == HT_X86_JUMP;
		m->from[m->count] = (uint8_t)m->taken;
		m->to[m->count++] = (uint8_t)m->size;
		if (move_one(m, p, &i, at + m->taken, to, why) == -1)
			return -1;
		m->taken += i.len;
	}
	if (check_targets(code, size, m->taken, at, why) == -1)
		return -1;
	ht_x86_jump(m->code + m->size, to + m->size, at + m->taken);
	m->size += HT_X86_JUMP_SIZE;
	return 0;
}
