/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ht-record/preload/defined.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ht-record/preload/allocators.h"
#include "ht-record/preload/preload.h"

bool
ht_symbols_of(struct ht_symbols *s, const struct link_map *map)
{
	*s = (struct ht_symbols){.bias = map->l_addr};
	for (const ElfW(Dyn) *d = map->l_ld; d && d->d_tag != DT_NULL; d++) {
		/* Some loaders put addresses there, some leave offsets. */
		uint64_t at = d->d_un.d_ptr;

		if (at < s->bias)
			at += s->bias;
		if (d->d_tag == DT_SYMTAB)
			s->symbol = (const ElfW(Sym) *)at;
		else if (d->d_tag == DT_STRTAB)
			s->strings = (const char *)at;
		else if (d->d_tag == DT_GNU_HASH)
			s->gnu_hash = (const uint32_t *)at;
		else if (d->d_tag == DT_HASH)
			s->hash = (const uint32_t *)at;
	}
	return s->symbol && s->strings && (s->gnu_hash || s->hash);
}

static bool
matches(const struct ht_symbols *s, uint32_t i, const char *name,
    struct ht_defined *d)
{
	const ElfW(Sym) *sym = &s->symbol[i];

	if (sym->st_shndx == SHN_UNDEF || !sym->st_value ||
	    ELF64_ST_BIND(sym->st_info) == STB_LOCAL ||
	    strcmp(s->strings + sym->st_name, name) != 0)
		return false;
	if (d)
		*d = (struct ht_defined){
		    sym->st_value, sym->st_size, ELF64_ST_TYPE(sym->st_info)};
	return true;
}

static bool
find_gnu(const struct ht_symbols *s, const char *name, struct ht_defined *d)
{
	const uint32_t *head = s->gnu_hash, *buckets, *chain;
	uint32_t h = 5381, i;
	const uint64_t *bloom = (const uint64_t *)(head + 4);
	uint64_t word;

	for (const char *p = name; *p; p++)
		h = h * 33 + (unsigned char)*p;
	if (!head[0] || !head[2])
		return false;
	word = bloom[h / 64 % head[2]];
	if (!(word >> h % 64 & 1) || !(word >> (h >> head[3]) % 64 & 1))
		return false;
	buckets = (const uint32_t *)(bloom + head[2]);
	chain = buckets + head[0];
	i = buckets[h % head[0]];
	if (i < head[1])
		return false;
	for (;; i++) {
		uint32_t v = chain[i - head[1]];

		if ((v | 1) == (h | 1) && matches(s, i, name, d))
			return true;
		if (v & 1)
			return false;
	}
}

static bool
find_sysv(const struct ht_symbols *s, const char *name, struct ht_defined *d)
{
	const uint32_t *bucket = s->hash + 2, *chain = bucket + s->hash[0];
	uint32_t h = 0;

	for (const char *p = name; *p; p++) {
		h = (h << 4) + (unsigned char)*p;
		h ^= h >> 24 & 0xf0;
		h &= 0x0fffffff;
	}
	if (!s->hash[0])
		return false;
	for (uint32_t i = bucket[h % s->hash[0]]; i; i = chain[i])
		if (matches(s, i, name, d))
			return true;
	return false;
}

bool
ht_symbols_find(
    const struct ht_symbols *s, const char *name, struct ht_defined *d)
{
	return s->gnu_hash ? find_gnu(s, name, d) : find_sysv(s, name, d);
}

/* ---- files ------------------------------------------------------------ */

void
ht_symbols_in_file(const char *path, struct ht_defined *found)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *data = MAP_FAILED;
	size_t size = 0;
	struct stat st;

	if (fd == -1)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		size = (size_t)st.st_size;
		data = ht_own_mmap(NULL, size, MAP_PRIVATE, fd);
	}
	close(fd);
	if (data == MAP_FAILED)
		return;
	ht_symtab_find(
	    data, size, ht_entry_points, ht_entry_point_count, found);
	ht_own_munmap(data, size);
}
