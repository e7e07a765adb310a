/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ht-record/preload/imports.h"

#include <elf.h>
#include <string.h>
#include <sys/mman.h>

#include "ht-record/preload/preload.h"
#include "ht-record/preload/probe.h"

#define PAGE 4096ull
#define MANY 64 /* entries of a table that are copied at a time */

extern void heaptrack_malloc(void *, size_t);
extern void heaptrack_realloc(void *, size_t, void *);
extern void heaptrack_free(void *);

#define FUNCTIONS 3
static const struct {
	const char *name;
	uint64_t at;
} function[FUNCTIONS] = {
    {"heaptrack_malloc", (uint64_t)heaptrack_malloc},
    {"heaptrack_realloc", (uint64_t)heaptrack_realloc},
    {"heaptrack_free", (uint64_t)heaptrack_free},
};

/* What a module's dynamic section says: addresses and sizes, 0: nothing. */
struct dynamic {
	uint64_t tag[DT_NUM];
	uint64_t relative; /* entries of the relocations that have no symbol */
	uint64_t gnu_hash;
};

static bool
read_dynamic(const struct ht_object *o, ht_copy *copy, struct dynamic *d)
{
	uint64_t at = 0, end = 0;
	ElfW(Dyn) e;

	memset(d, 0, sizeof *d);
	for (unsigned i = 0; i < o->nheaders; i++)
		if (o->headers[i].p_type == PT_DYNAMIC) {
			at = o->bias + o->headers[i].p_vaddr;
			end = at + o->headers[i].p_memsz;
		}
	for (; at < end && copy(&e, at, sizeof e); at += sizeof e) {
		if (e.d_tag == DT_NULL)
			break;
		if (e.d_tag > 0 && e.d_tag < DT_NUM)
			d->tag[e.d_tag] = e.d_un.d_val;
		else if (e.d_tag == DT_RELACOUNT)
			d->relative = e.d_un.d_val;
		else if (e.d_tag == DT_GNU_HASH)
			d->gnu_hash = e.d_un.d_ptr;
	}
	return d->tag[DT_SYMTAB] && d->tag[DT_STRTAB];
}

/* glibc has made them addresses, musl has not. */
static uint64_t
address(const struct ht_object *o, uint64_t v)
{
	return v < o->bias ? v + o->bias : v;
}

/* Symbols from 1 on to look at: those without a definition come first, where
 * there is a hash of the others. */
static uint32_t
imports(const struct ht_object *o, ht_copy *copy, const struct dynamic *d)
{
	uint32_t head[4];

	if (d->gnu_hash && copy(head, address(o, d->gnu_hash), sizeof head))
		return head[1];
	if (d->tag[DT_HASH] && copy(head, address(o, d->tag[DT_HASH]), 8))
		return head[1];
	return 0;
}

/* Which function a symbol is; FUNCTIONS: none. */
static unsigned
which(const struct ht_object *o, ht_copy *copy, const struct dynamic *d,
    const ElfW(Sym) * s)
{
	uint64_t at = address(o, d->tag[DT_STRTAB]) + s->st_name;
	char name[20] = "";

	if (ELF64_ST_BIND(s->st_info) != STB_WEAK || s->st_shndx != SHN_UNDEF)
		return FUNCTIONS;
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		size_t n = strlen(function[i].name) + 1;

		if (copy(name, at, n) && memcmp(name, function[i].name, n) == 0)
			return i;
	}
	return FUNCTIONS;
}

/* The symbols' numbers; false: it has none of them. */
static bool
find_symbols(const struct ht_object *o, ht_copy *copy, const struct dynamic *d,
    uint32_t number[FUNCTIONS])
{
	uint64_t table = address(o, d->tag[DT_SYMTAB]);
	uint32_t n = imports(o, copy, d), k;
	ElfW(Sym) s[MANY];
	bool any = false;

	memset(number, 0, FUNCTIONS * sizeof *number);
	for (uint32_t i = 1; i < n; i += k) {
		k = n - i < MANY ? n - i : MANY;
		if (!copy(s, table + i * sizeof *s, k * sizeof *s))
			break;
		for (uint32_t j = 0; j < k; j++) {
			unsigned f = which(o, copy, d, &s[j]);

			if (f == FUNCTIONS)
				continue;
			number[f] = i + j;
			any = true;
		}
	}
	return any;
}

/* Nothing is there, a stub of the module's own that would look for it, or an
 * image of ours that is asleep. */
static bool
is_free(const struct ht_object *o, uint64_t value)
{
	struct ht_object owner;

	return value == 0 || value - o->start < o->end - o->start ||
	       !ht_object_find(value, &owner);
}

/* The table may be of those that the loader made read-only. */
static void
set(const struct ht_object *o, ht_copy *copy, uint64_t at, uint64_t value)
{
	uint64_t page = at & ~(PAGE - 1);
	uint64_t now;
	bool protected = false;

	if (!copy(&now, at, sizeof now) || !is_free(o, now))
		return;
	for (unsigned i = 0; i < o->nheaders; i++) {
		const ElfW(Phdr) *ph = &o->headers[i];

		protected |= ph->p_type == PT_GNU_RELRO &&
			     at - o->bias - ph->p_vaddr < ph->p_memsz;
	}
	if (protected && mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE))
		return;
	*(volatile uint64_t *)at = value;
	if (protected)
		mprotect((void *)page, PAGE, PROT_READ);
}

static void
relocate(const struct ht_object *o, ht_copy *copy,
    const uint32_t number[FUNCTIONS], uint64_t table, uint64_t first,
    uint64_t n)
{
	ElfW(Rela) r[MANY];
	uint64_t k;

	for (uint64_t i = first; i < n; i += k) {
		k = n - i < MANY ? n - i : MANY;
		if (!copy(r, table + i * sizeof *r, k * sizeof *r))
			return;
		for (uint64_t j = 0; j < k; j++)
			for (unsigned f = 0; f < FUNCTIONS; f++)
				if (number[f] &&
				    ELF64_R_SYM(r[j].r_info) == number[f] &&
				    (ELF64_R_TYPE(r[j].r_info) ==
					    R_X86_64_GLOB_DAT ||
					ELF64_R_TYPE(r[j].r_info) ==
					    R_X86_64_JUMP_SLOT))
					set(o, copy, o->bias + r[j].r_offset,
					    function[f].at);
	}
}

void
ht_imports_set(const struct ht_object *o, ht_copy *copy)
{
	uint32_t number[FUNCTIONS];
	struct dynamic d;

	if (!read_dynamic(o, copy, &d) || !find_symbols(o, copy, &d, number))
		return;
	if (d.tag[DT_RELA])
		relocate(o, copy, number, address(o, d.tag[DT_RELA]),
		    d.relative, d.tag[DT_RELASZ] / sizeof(ElfW(Rela)));
	if (d.tag[DT_JMPREL])
		relocate(o, copy, number, address(o, d.tag[DT_JMPREL]), 0,
		    d.tag[DT_PLTRELSZ] / sizeof(ElfW(Rela)));
}
