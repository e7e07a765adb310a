/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ht-record/image.h"
#include "libht/mem.h"

#define PAGE UINT64_C(4096)

static uint64_t
page_up(uint64_t n)
{
	return (n + PAGE - 1) & ~(PAGE - 1);
}

static const ElfW(Phdr) * headers(const struct ht_image *i, unsigned *n)
{
	const ElfW(Ehdr) *e = (const ElfW(Ehdr) *)i->file;

	*n = e->e_phnum;
	return (const ElfW(Phdr) *)(i->file + e->e_phoff);
}

/* It is our own file; but it may have been cut. */
static bool
lay_out(struct ht_image *i)
{
	const ElfW(Ehdr) *e = (const ElfW(Ehdr) *)i->file;
	const ElfW(Phdr) * ph;
	unsigned n;

	if (i->file_size < sizeof *e || memcmp(e->e_ident, ELFMAG, SELFMAG))
		return false;
	ph = headers(i, &n);
	if (e->e_phoff + n * sizeof *ph > i->file_size)
		return false;
	for (unsigned k = 0; k < n; k++) {
		if (ph[k].p_type != PT_LOAD)
			continue;
		if (ph[k].p_offset + ph[k].p_filesz > i->file_size)
			return false;
		i->size = page_up(ph[k].p_vaddr + ph[k].p_memsz);
		if (ph[k].p_flags & PF_W) {
			i->data = ph[k].p_vaddr & ~(PAGE - 1);
			i->filled = ph[k].p_vaddr + ph[k].p_filesz - i->data;
		} else {
			i->code = ph[k].p_vaddr + ph[k].p_filesz;
			i->text = page_up(i->code);
		}
	}
	i->head = e->e_entry;
	return i->text <= i->data && i->head >= i->data &&
	       i->head + sizeof(struct ht_head) <= i->data + i->filled;
}

int
ht_image_open(struct ht_image *i, const char *path, struct ht_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *file = MAP_FAILED;
	struct stat st;

	*i = (struct ht_image){0};
	if (fd == -1)
		return ht_error_errno(err, "cannot open '%s'", path);
	if (fstat(fd, &st) == 0 && st.st_size > 0)
		file = mmap(
		    NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		return ht_error_errno(err, "cannot read '%s'", path);
	i->file = file;
	i->file_size = (size_t)st.st_size;
	if (!lay_out(i)) {
		ht_image_close(i);
		return ht_error_set(err, "'%s' is damaged", path);
	}
	i->memory = ht_malloc(i->size);
	return 0;
}

void
ht_image_close(struct ht_image *i)
{
	if (i->file)
		munmap((void *)i->file, i->file_size);
	free(i->memory);
	*i = (struct ht_image){0};
}

/* What relocating works with. */
struct tables {
	const ElfW(Rela) * rela[2];
	size_t count[2];
	const ElfW(Sym) * symbol;
	const char *strings;
};

static void
find_tables(const struct ht_image *i, struct tables *t)
{
	const ElfW(Phdr) * ph;
	const ElfW(Dyn) *d = NULL;
	unsigned n;

	*t = (struct tables){0};
	ph = headers(i, &n);
	for (unsigned k = 0; k < n; k++)
		if (ph[k].p_type == PT_DYNAMIC)
			d = (const ElfW(Dyn) *)(i->memory + ph[k].p_vaddr);
	for (; d && d->d_tag != DT_NULL; d++) {
		const char *at = i->memory + d->d_un.d_ptr;
		size_t count = d->d_un.d_val / sizeof(ElfW(Rela));

		if (d->d_tag == DT_RELA)
			t->rela[0] = (const ElfW(Rela) *)at;
		else if (d->d_tag == DT_RELASZ)
			t->count[0] = count;
		else if (d->d_tag == DT_JMPREL)
			t->rela[1] = (const ElfW(Rela) *)at;
		else if (d->d_tag == DT_PLTRELSZ)
			t->count[1] = count;
		else if (d->d_tag == DT_SYMTAB)
			t->symbol = (const ElfW(Sym) *)at;
		else if (d->d_tag == DT_STRTAB)
			t->strings = at;
	}
}

static int
relocate_one(struct ht_image *i, const struct tables *t, const ElfW(Rela) * r,
    ht_image_resolve *resolve, void *arg, struct ht_error *err)
{
	const ElfW(Sym) *s = &t->symbol[ELF64_R_SYM(r->r_info)];
	const char *name = t->strings + s->st_name;
	uint64_t value = i->base + (uint64_t)r->r_addend;

	if (ELF64_R_TYPE(r->r_info) != R_X86_64_RELATIVE) {
		value = s->st_shndx != SHN_UNDEF ? i->base + s->st_value
						 : resolve(arg, name);
		if (!value && ELF64_ST_BIND(s->st_info) != STB_WEAK)
			return ht_error_set(err,
			    "it has no function '%s': its C library is not "
			    "known",
			    name);
		if (ELF64_R_TYPE(r->r_info) == R_X86_64_64)
			value += (uint64_t)r->r_addend;
	}
	memcpy(i->memory + r->r_offset, &value, sizeof value);
	return 0;
}

int
ht_image_relocate(struct ht_image *i, uint64_t base, ht_image_resolve *resolve,
    void *arg, struct ht_error *err)
{
	const ElfW(Phdr) * ph;
	struct tables t;
	unsigned n;

	memset(i->memory, 0, i->size);
	ph = headers(i, &n);
	for (unsigned k = 0; k < n; k++)
		if (ph[k].p_type == PT_LOAD)
			memcpy(i->memory + ph[k].p_vaddr,
			    i->file + ph[k].p_offset, ph[k].p_filesz);
	i->base = base;
	find_tables(i, &t);
	for (int k = 0; k < 2; k++)
		for (size_t j = 0; j < t.count[k]; j++)
			if (relocate_one(
				i, &t, &t.rela[k][j], resolve, arg, err) == -1)
				return -1;
	return 0;
}
