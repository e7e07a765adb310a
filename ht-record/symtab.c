/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ht-record/symtab.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>

struct file {
	const char *data;
	size_t size;
};

/* What is looked for, and a set of how their names begin: most symbols of most
 * programs are none of them at a glance. */
struct search {
	const struct ht_entry_point *points;
	unsigned n;
	struct ht_defined *found;
	uint64_t begin[64];
};

static const void *
bytes_at(const struct file *f, uint64_t at, uint64_t n)
{
	return at <= f->size && n <= f->size - at ? f->data + at : NULL;
}

/* Of the first three bytes; no name is shorter. */
static unsigned
beginning(const char *name)
{
	return ((unsigned char)name[0] * 31u + (unsigned char)name[1]) * 31u +
	       (unsigned char)name[2];
}

static bool
may_be_wanted(const struct search *s, const char *name)
{
	unsigned b;

	if (!name[0] || !name[1])
		return false;
	b = beginning(name);
	return s->begin[b / 64 % 64] >> b % 64 & 1;
}

static void
note(const struct search *s, const char *name, const ElfW(Sym) * sym)
{
	unsigned type = ELF64_ST_TYPE(sym->st_info);

	for (unsigned i = 0; i < s->n; i++)
		if (s->points[i].variable == (type == STT_OBJECT) &&
		    !strcmp(s->points[i].name, name))
			s->found[i] = (struct ht_defined){
			    sym->st_value, sym->st_size, type};
}

static void
search_table(const struct search *s, const struct file *f,
    const ElfW(Shdr) * table, const ElfW(Shdr) * names)
{
	const ElfW(Sym) *sym = bytes_at(f, table->sh_offset, table->sh_size);
	const char *text = bytes_at(f, names->sh_offset, names->sh_size);
	uint64_t size = names->sh_size;

	if (!sym || !text || !size || text[size - 1])
		return;
	for (size_t n = table->sh_size / sizeof *sym; n > 0; n--, sym++) {
		unsigned type = ELF64_ST_TYPE(sym->st_info);

		if ((type == STT_FUNC || type == STT_NOTYPE ||
			type == STT_OBJECT) &&
		    sym->st_shndx != SHN_UNDEF && sym->st_value &&
		    sym->st_name < size &&
		    may_be_wanted(s, text + sym->st_name))
			note(s, text + sym->st_name, sym);
	}
}

void
ht_symtab_find(const char *data, size_t size,
    const struct ht_entry_point *points, unsigned n, struct ht_defined *found)
{
	struct file f = {data, size};
	struct search s = {.points = points, .n = n, .found = found};
	const ElfW(Ehdr) *e = bytes_at(&f, 0, sizeof *e);
	const ElfW(Shdr) *sh = NULL;

	if (e && !memcmp(e->e_ident, ELFMAG, SELFMAG) &&
	    e->e_shentsize == sizeof *sh)
		sh = bytes_at(&f, e->e_shoff, e->e_shnum * sizeof *sh);
	for (unsigned i = 0; i < n; i++) {
		unsigned b = beginning(points[i].name);

		s.begin[b / 64 % 64] |= UINT64_C(1) << b % 64;
	}
	for (unsigned i = 0; sh && i < e->e_shnum; i++)
		if (sh[i].sh_type == SHT_SYMTAB && sh[i].sh_link < e->e_shnum)
			search_table(&s, &f, &sh[i], &sh[sh[i].sh_link]);
}
