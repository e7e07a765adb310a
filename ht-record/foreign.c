/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ht-record/foreign.h"
#include "ht-record/symtab.h"
#include "libht/mem.h"

#define HEADERS_MAX 64

/* heaptrack_api.h's table, in C and in C++. */
static const struct ht_entry_point tables[] = {
    {.name = "heaptrack_api", .variable = 1},
    {.name = "_ZL13heaptrack_api", .variable = 1},
};
#define TABLE_SIZE 24

/* What the file of an object has in .symtab; the first is the executable. */
static void
look_in_file(pid_t pid, const struct ht_linked *o, bool executable,
    const struct ht_entry_point *points, unsigned n, struct ht_defined *found)
{
	char path[PATH_MAX];
	void *data = MAP_FAILED;
	struct stat st;
	int fd;

	if (executable)
		snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	else
		snprintf(path, sizeof path, "/proc/%d/%s/%s", (int)pid,
		    *o->name == '/' ? "root" : "cwd", o->name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		data = mmap(
		    NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (data == MAP_FAILED)
		return;
	ht_symtab_find(data, (size_t)st.st_size, points, n, found);
	munmap(data, (size_t)st.st_size);
}

/* Where an object is, by its headers. */
static struct ht_area
extent(const struct ht_linkmap *m, struct ht_remote *r,
    const struct ht_linked *o, bool executable)
{
	uint64_t at = ht_linkmap_aux(m, AT_PHDR), low = UINT64_MAX, high = 0;
	uint64_t n = ht_linkmap_aux(m, AT_PHNUM);
	ElfW(Phdr) ph[HEADERS_MAX];
	ElfW(Ehdr) e;

	if (!executable) {
		if (ht_remote_read(r, o->bias, &e, sizeof e) == -1)
			return (struct ht_area){0};
		at = o->bias + e.e_phoff;
		n = e.e_phnum;
	}
	if (n > HEADERS_MAX || ht_remote_read(r, at, ph, n * sizeof *ph) == -1)
		return (struct ht_area){0};
	for (uint64_t i = 0; i < n; i++) {
		uint64_t start = o->bias + ph[i].p_vaddr;
		uint64_t end = start + ph[i].p_memsz;

		if (ph[i].p_type != PT_LOAD)
			continue;
		low = start < low ? start : low;
		high = end > high ? end : high;
	}
	return high ? (struct ht_area){low, high - low} : (struct ht_area){0};
}

static void
add(struct ht_foreigners *f, unsigned point, const struct ht_symbol *s,
    const struct ht_area *module)
{
	HT_GROW(f->entry, f->cap, f->entries + 1);
	f->entry[f->entries++] = (struct ht_foreign){point, *s, *module};
}

static void
look_at(struct ht_foreigners *f, const struct ht_linkmap *m,
    struct ht_remote *r, size_t object, const struct ht_entry_point *points,
    unsigned n)
{
	const struct ht_linked *o = &m->object[object];
	struct ht_defined in_file[HT_POINTS_MAX + HT_LEN(tables)] = {{0}};
	bool has[HT_ENTRY_FAMILIES] = {false};
	struct ht_area module;
	struct ht_symbol s;

	if (ht_linkmap_find_in(m, r, object, "__libc_start_main", &s))
		return; /* the libc has hooks already */
	module = extent(m, r, o, object == 0);
	look_in_file(r->pid, o, object == 0, points,
	    n + (unsigned)HT_LEN(tables), in_file);
	for (unsigned i = n; i < n + HT_LEN(tables); i++)
		if (in_file[i].value && in_file[i].size == TABLE_SIZE) {
			HT_GROW(f->table, f->tables_cap, f->tables + 1);
			f->table[f->tables++] = o->bias + in_file[i].value;
		}
	for (unsigned i = 0; i < n; i++) {
		const struct ht_entry_point *p = &points[i];
		bool first = p->family != HT_ENTRY_OPERATORS &&
			     (i == 0 || p[-1].family != p->family);

		if (!has[p->family] && !first)
			continue;
		if (!ht_linkmap_find_in(m, r, object, p->name, &s))
			s = (struct ht_symbol){
			    in_file[i].value ? o->bias + in_file[i].value : 0,
			    in_file[i].size, in_file[i].type, object};
		if (!s.at)
			continue;
		has[p->family] = has[HT_ENTRY_OPERATORS] = true;
		add(f, i, &s, &module);
	}
}

void
ht_foreign_find(struct ht_foreigners *f, const struct ht_linkmap *m,
    struct ht_remote *r, const struct ht_image *image)
{
	const struct ht_head *h = ht_image_head(image);
	const struct ht_entry_point *there =
	    (const void *)(image->memory + (h->entry_points - image->base));
	struct ht_entry_point points[HT_POINTS_MAX + HT_LEN(tables)];
	unsigned n = 0;

	for (; there[n].name; n++) {
		points[n] = there[n];
		points[n].name =
		    image->memory + ((uintptr_t)there[n].name - image->base);
	}
	memcpy(&points[n], tables, sizeof tables);
	for (size_t i = 0; i < m->objects; i++)
		if (m->object[i].bias != ht_linkmap_aux(m, AT_BASE) &&
		    !strstr(m->object[i].name, "libht-preload.so"))
			look_at(f, m, r, i, points, n);
}

uint64_t
ht_foreign_at(const struct ht_foreigners *f, size_t object, unsigned point)
{
	for (size_t i = 0; i < f->entries; i++)
		if (f->entry[i].point == point &&
		    f->entry[i].symbol.object == object)
			return f->entry[i].symbol.at;
	return 0;
}

void
ht_foreign_release(struct ht_foreigners *f)
{
	free(f->entry);
	free(f->table);
	*f = (struct ht_foreigners){0};
}
