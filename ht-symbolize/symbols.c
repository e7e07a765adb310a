/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libdwfl opens the file, and finds what belongs to it: the debug file that
 * our callback locates, the symbol tables of both, the one inside
 * .gnu_debugdata. Its own search is not used: it opens whatever has the right
 * name, and may ask a server on the network.
 */
#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ht-symbolize/demangle.h"
#include "ht-symbolize/dwarf.h"
#include "ht-symbolize/elfsyms.h"
#include "ht-symbolize/spans.h"
#include "ht-symbolize/symbols.h"
#include "libht/map.h"
#include "libht/mem.h"

struct symbols {
	const struct locate *locate;
	struct ht_intern *pool;
	char *path;
	struct build_id id;
	Dwfl *dwfl;
	Dwfl_Module *module;
	struct spans code; /* the executable sections */

	bool looked; /* for DWARF */
	struct dwarf *dwarf;
	Dwarf_Addr bias; /* of its addresses */
	Dwarf *alt;
	int alt_fd;
	struct elfsyms *elf; /* NULL until needed */
	struct ht_map names; /* a function's key → its text in the pool */
	struct ht_map files; /* a file name's address → its text */
	struct ht_str text;
};

/* libdwfl asks for the debug file of a module: by build id, then by the name
 * that the module has for it. */
static int
find_debuginfo(Dwfl_Module *module, void **user, const char *name,
    Dwarf_Addr base, const char *file, const char *link, GElf_Word crc,
    char **found)
{
	struct symbols *s = *user;
	int fd;

	(void)module;
	(void)name;
	(void)base;
	(void)file;
	fd = locate_by_id(s->locate, &s->id, found);
	if (fd < 0 && link && crc)
		fd = locate_by_link(
		    s->locate, s->path, &s->id, link, crc, found);
	return fd;
}

/* libdwfl asks for the module itself only when it was not given one. */
static int
find_elf(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base,
    char **file, Elf **elf)
{
	(void)module;
	(void)user;
	(void)name;
	(void)base;
	(void)file;
	(void)elf;
	return -1;
}

static void
find_code(struct symbols *s, Elf *elf)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	while ((scn = elf_nextscn(elf, scn)))
		if (gelf_getshdr(scn, &sh) && (sh.sh_flags & SHF_EXECINSTR) &&
		    (sh.sh_flags & SHF_ALLOC))
			spans_add(
			    &s->code, sh.sh_addr, sh.sh_addr + sh.sh_size, 0);
}

/* A file without section headers is believed. */
static bool
is_code(void *arg, uint64_t addr)
{
	struct symbols *s = arg;

	return !s->code.count || spans_find(&s->code, addr + s->bias);
}

static int
begin(struct symbols *s, int fd)
{
	static const Dwfl_Callbacks callbacks = {
	    .find_elf = find_elf,
	    .find_debuginfo = find_debuginfo,
	    .section_address = dwfl_offline_section_address,
	};
	GElf_Addr bias;
	const unsigned char *id;
	GElf_Addr where;
	void **user;
	Elf *elf;
	int n;

	s->dwfl = dwfl_begin(&callbacks);
	if (!s->dwfl)
		return -1;
	s->module = dwfl_report_elf(s->dwfl, s->path, s->path, fd, 0, true);
	if (!s->module)
		return -1;
	dwfl_report_end(s->dwfl, NULL, NULL);
	dwfl_module_info(s->module, &user, NULL, NULL, NULL, NULL, NULL, NULL);
	*user = s;
	elf = dwfl_module_getelf(s->module, &bias);
	if (!elf)
		return -1;
	n = dwfl_module_build_id(s->module, &id, &where);
	if (n > 0 && (size_t)n <= sizeof(s->id.bytes)) {
		s->id.len = (uint8_t)n;
		memcpy(s->id.bytes, id, (size_t)n);
	}
	find_code(s, elf);
	return 0;
}

struct symbols *
symbols_open(
    const struct locate *l, struct ht_intern *pool, const char *path, int fd)
{
	struct symbols *s = ht_calloc(1, sizeof(*s));

	s->locate = l;
	s->pool = pool;
	s->path = ht_strdup(path);
	s->alt_fd = -1;
	if (!begin(s, fd))
		return s;
	/* Not taken over by a module that was not made. */
	if (!s->module)
		close(fd);
	symbols_free(s);
	return NULL;
}

void
symbols_free(struct symbols *s)
{
	if (!s)
		return;
	dwarf_free(s->dwarf);
	elfsyms_free(s->elf);
	if (s->dwfl)
		dwfl_end(s->dwfl);
	dwarf_end(s->alt);
	if (s->alt_fd >= 0)
		close(s->alt_fd);
	spans_release(&s->code);
	ht_map_release(&s->names);
	ht_map_release(&s->files);
	ht_str_release(&s->text);
	free(s->path);
	free(s);
}

/* The length of the directory of a file's name. */
static size_t
directory(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

/* What dwz moved into a file that several modules share. False: libdw, which
 * would look for it by itself, must not. */
static bool
find_alt(struct symbols *s, Dwarf *dw)
{
	const char *name, *main_file = NULL, *debug_file = NULL, *from;
	const void *bytes;
	struct build_id id;
	char *found = NULL;
	ssize_t n = dwelf_dwarf_gnu_debugaltlink(dw, &name, &bytes);

	if (n <= 0 || (size_t)n > sizeof(id.bytes))
		return true;
	id.len = (uint8_t)n;
	memcpy(id.bytes, bytes, (size_t)n);
	dwfl_module_info(
	    s->module, NULL, NULL, NULL, NULL, NULL, &main_file, &debug_file);
	from = debug_file ? debug_file : main_file;
	s->alt_fd = locate_alt(s->locate, from, name, &id, &found);
	free(found);
	if (s->alt_fd < 0)
		return !locate_is_trap(from, directory(from), name);
	s->alt = dwarf_begin(s->alt_fd, DWARF_C_READ);
	if (s->alt)
		dwarf_setalt(dw, s->alt);
	return true;
}

/* The .dwo file of a split unit, which libdw opens. */
static bool
may_split(void *arg, const char *dir, const char *name)
{
	struct symbols *s = arg;
	const char *main_file = NULL, *debug_file = NULL;

	dwfl_module_info(
	    s->module, NULL, NULL, NULL, NULL, NULL, &main_file, &debug_file);
	if (!debug_file)
		debug_file = main_file;
	return !locate_is_trap(debug_file, directory(debug_file), name) &&
	       !locate_is_trap(dir, strlen(dir), name);
}

static void
look(struct symbols *s)
{
	static const struct dwarf_callbacks callbacks = {is_code, may_split};
	Dwarf *dw = dwfl_module_getdwarf(s->module, &s->bias);

	s->looked = true;
	if (dw && find_alt(s, dw))
		s->dwarf = dwarf_open(dw, &callbacks, s);
}

static uint32_t
add_text(struct symbols *s, const char *name)
{
	if (demangle(name, &s->text))
		return ht_intern_add(s->pool, s->text.data, s->text.len, NULL);
	return ht_intern_add(s->pool, name, strlen(name), NULL);
}

static const char *
elf_name(struct symbols *s, uint64_t addr, bool exact)
{
	if (!s->elf)
		s->elf = elfsyms_open(s->module, &s->code);
	return elfsyms_at(s->elf, addr, exact);
}

/* The symbol at a function's entry, if it is a mangled name; without what the
 * compiler says of a copy (`.constprop.0`): the function is the same. */
static uint32_t
entry_text(struct symbols *s, uint64_t addr)
{
	const char *symbol = elf_name(s, addr, true), *dot;
	struct ht_str name = {0};
	uint32_t id = 0;

	if (!symbol)
		return 0;
	dot = strchr(symbol, '.');
	ht_str_add(
	    &name, symbol, dot ? (size_t)(dot - symbol) : strlen(symbol));
	if (demangle(name.data, &s->text))
		id = ht_intern_add(s->pool, s->text.data, s->text.len, NULL);
	ht_str_release(&name);
	return id;
}

static uint32_t
plain_text(struct symbols *s, const struct dwarf_frame *f)
{
	ht_str_clear(&s->text);
	ht_str_addz(&s->text, f->scope);
	ht_str_addz(&s->text, f->name);
	return ht_intern_add(s->pool, s->text.data, s->text.len, NULL);
}

/* The linkage name says most, then the symbol, then the plain name. */
static uint32_t
function_text(struct symbols *s, const struct dwarf_frame *f, uint64_t addr)
{
	const char *symbol;
	uint64_t *known;
	bool fresh;

	if (!f->linkage && !f->name) {
		symbol = elf_name(s, addr, false);
		return symbol ? add_text(s, symbol) : 0;
	}
	known = ht_map_put(&s->names, (uintptr_t)f->key, &fresh);
	if (!fresh)
		return (uint32_t)*known;
	if (!f->linkage && f->entry)
		*known = entry_text(s, f->entry + s->bias);
	if (!*known)
		*known =
		    f->linkage ? add_text(s, f->linkage) : plain_text(s, f);
	return (uint32_t)*known;
}

static uint32_t
file_text(struct symbols *s, const char *file)
{
	uint64_t *known;
	bool fresh;

	if (!file)
		return 0;
	known = ht_map_put(&s->files, (uintptr_t)file, &fresh);
	if (fresh)
		*known = ht_intern_add(s->pool, file, strlen(file), NULL);
	return (uint32_t)*known;
}

size_t
symbols_at(
    struct symbols *s, uint64_t addr, struct symbol_frame *frame, size_t max)
{
	struct dwarf_frame found[SYMBOL_FRAMES];
	const char *symbol;
	size_t n = 0;

	if (!s->looked)
		look(s);
	if (max > SYMBOL_FRAMES)
		max = SYMBOL_FRAMES;
	if (s->dwarf)
		n = dwarf_frames(s->dwarf, addr - s->bias, found, max);
	for (size_t i = 0; i < n; i++)
		frame[i] =
		    (struct symbol_frame){function_text(s, &found[i], addr),
			file_text(s, found[i].file), found[i].line};
	if (n)
		return n;
	symbol = elf_name(s, addr, false);
	if (!symbol)
		return 0;
	frame[0] = (struct symbol_frame){add_text(s, symbol), 0, 0};
	return 1;
}
