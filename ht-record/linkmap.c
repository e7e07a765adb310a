/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ht-record/linkmap.h"
#include "libht/mem.h"

#define OBJECTS_MAX 65536 /* no list is longer */
#define DYNAMIC_MAX 512	  /* entries */
#define CHAIN_MAX   100000

static int
read_auxv(struct ht_linkmap *m, struct ht_remote *r)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/auxv", (int)r->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	n = read(fd, m->auxv, sizeof m->auxv - 2 * sizeof m->auxv[0]);
	close(fd);
	return n > 0 ? 0 : -1;
}

uint64_t
ht_linkmap_aux(const struct ht_linkmap *m, uint64_t type)
{
	for (const uint64_t *v = m->auxv; v[0]; v += 2)
		if (v[0] == type)
			return v[1];
	return 0;
}

/* A string of the process, at most `size` bytes with its NUL. */
static int
read_string(struct ht_remote *r, uint64_t at, char *to, size_t size)
{
	for (size_t n = 0; n < size; n++) {
		if (ht_remote_read(r, at + n, to + n, 1) == -1)
			return -1;
		if (!to[n])
			return 0;
	}
	return -1;
}

/* The executable's dynamic section; 0: it has none. */
static uint64_t
dynamic_section(const struct ht_linkmap *m, struct ht_remote *r)
{
	uint64_t at = ht_linkmap_aux(m, AT_PHDR), bias = 0, dynamic = 0;
	uint64_t n = ht_linkmap_aux(m, AT_PHNUM);
	bool based = false;
	ElfW(Phdr) ph;

	if (ht_linkmap_aux(m, AT_PHENT) != sizeof ph)
		return 0;
	for (uint64_t i = 0; i < n; i++) {
		if (ht_remote_read(r, at + i * sizeof ph, &ph, sizeof ph) == -1)
			return 0;
		if (ph.p_type == PT_PHDR) {
			bias = at - ph.p_vaddr;
			based = true;
		}
		/* Without PT_PHDR: the headers lie in the first segment. */
		if (ph.p_type == PT_LOAD && ph.p_offset == 0 && !based)
			bias = at - sizeof(ElfW(Ehdr)) - ph.p_vaddr;
		if (ph.p_type == PT_DYNAMIC)
			dynamic = ph.p_vaddr;
	}
	return dynamic ? bias + dynamic : 0;
}

static size_t
read_dynamic(struct ht_remote *r, uint64_t at, ElfW(Dyn) * d, size_t max)
{
	size_t n = 0;

	while (n < max &&
	       ht_remote_read(r, at + n * sizeof *d, &d[n], sizeof *d) == 0 &&
	       d[n].d_tag != DT_NULL)
		n++;
	return n;
}

/* Notes an object. What cannot be read has no symbols. */
static void
add_object(struct ht_linkmap *m, struct ht_remote *r, const struct link_map *l)
{
	static ElfW(Dyn) d[DYNAMIC_MAX];
	size_t n = read_dynamic(r, (uint64_t)l->l_ld, d, DYNAMIC_MAX);
	struct ht_linked *o;
	char name[4096] = "";

	if (l->l_name)
		read_string(r, (uint64_t)l->l_name, name, sizeof name);
	HT_GROW(m->object, m->cap, m->objects + 1);
	o = &m->object[m->objects++];
	*o = (struct ht_linked){.name = ht_strdup(name), .bias = l->l_addr};
	for (size_t i = 0; i < n; i++) {
		/* Some loaders put addresses there, some leave offsets. */
		uint64_t at = d[i].d_un.d_ptr;

		if (at < o->bias)
			at += o->bias;
		switch (d[i].d_tag) {
		case DT_SYMTAB:
			o->symbols = at;
			break;
		case DT_STRTAB:
			o->strings = at;
			break;
		case DT_GNU_HASH:
			o->gnu_hash = at;
			break;
		case DT_HASH:
			o->hash = at;
			break;
		}
	}
}

int
ht_linkmap_read(struct ht_linkmap *m, struct ht_remote *r, struct ht_error *err)
{
	ElfW(Dyn) d[DYNAMIC_MAX];
	uint64_t at, list = 0, debug = 0;
	struct link_map l;
	size_t n;

	*m = (struct ht_linkmap){0};
	if (read_auxv(m, r) == -1)
		return ht_error_errno(err,
		    "cannot read of process %d how it "
		    "was started",
		    (int)r->pid);
	at = dynamic_section(m, r);
	if (!at || !ht_linkmap_aux(m, AT_BASE))
		return ht_error_set(err,
		    "cannot record process %d: it is statically linked, so its "
		    "functions cannot be found",
		    (int)r->pid);
	n = read_dynamic(r, at, d, DYNAMIC_MAX);
	for (size_t i = 0; i < n; i++)
		if (d[i].d_tag == DT_DEBUG)
			debug = d[i].d_un.d_ptr;
	if (!debug ||
	    ht_remote_read(r, debug + offsetof(struct r_debug, r_map), &list,
		sizeof list) == -1 ||
	    !list)
		return ht_error_set(err,
		    "cannot record process %d: its loader has not started it "
		    "yet",
		    (int)r->pid);
	m->debug = debug;
	while (list && m->objects < OBJECTS_MAX &&
	       ht_remote_read(r, list, &l, sizeof l) == 0) {
		add_object(m, r, &l);
		list = (uint64_t)l.l_next;
	}
	return 0;
}

bool
ht_linkmap_changes(uint64_t debug, struct ht_remote *r)
{
	struct r_debug d;

	return ht_remote_read(r, debug, &d, sizeof d) == 0 &&
	       d.r_state != RT_CONSISTENT;
}

uint64_t
ht_linkmap_state(uint64_t debug, struct ht_remote *r)
{
	uint64_t state = 1, at;
	struct r_debug d;
	struct link_map l;

	if (ht_remote_read(r, debug, &d, sizeof d) == -1 ||
	    d.r_state != RT_CONSISTENT)
		return 0;
	at = (uint64_t)d.r_map;
	for (unsigned n = 0; at && n < OBJECTS_MAX; n++) {
		if (ht_remote_read(r, at, &l, sizeof l) == -1)
			return 0;
		state = (state ^ at ^ (uint64_t)l.l_ld) *
			UINT64_C(0x9e3779b97f4a7c15);
		at = (uint64_t)l.l_next;
	}
	return state | 1;
}

void
ht_linkmap_release(struct ht_linkmap *m)
{
	for (size_t i = 0; i < m->objects; i++)
		free(m->object[i].name);
	free(m->object);
	*m = (struct ht_linkmap){0};
}

const struct ht_linked *
ht_linkmap_object(const struct ht_linkmap *m, const char *part)
{
	for (size_t i = 0; i < m->objects; i++)
		if (strstr(m->object[i].name, part))
			return &m->object[i];
	return NULL;
}

/* ---- symbols ---------------------------------------------------------- */

/* Is symbol number `i` a definition of `name`? */
static bool
defines(struct ht_remote *r, const struct ht_linked *o, uint32_t i,
    const char *name, struct ht_symbol *s)
{
	ElfW(Sym) sym;
	char its[64];
	size_t len = strlen(name) + 1;

	if (ht_remote_read(r, o->symbols + i * sizeof sym, &sym, sizeof sym) ==
		-1 ||
	    sym.st_shndx == SHN_UNDEF || !sym.st_value ||
	    ELF64_ST_BIND(sym.st_info) == STB_LOCAL || len > sizeof its ||
	    ht_remote_read(r, o->strings + sym.st_name, its, len) == -1 ||
	    memcmp(its, name, len) != 0)
		return false;
	s->at = o->bias + sym.st_value;
	s->size = sym.st_size;
	s->type = ELF64_ST_TYPE(sym.st_info);
	return true;
}

static uint32_t
word_at(struct ht_remote *r, uint64_t at)
{
	uint32_t v;

	return ht_remote_read(r, at, &v, sizeof v) == 0 ? v : 0;
}

static bool
find_gnu(struct ht_remote *r, const struct ht_linked *o, const char *name,
    struct ht_symbol *s)
{
	uint32_t head[4], h = 5381, i, v;
	uint64_t buckets, chain, bloom = 0;

	for (const char *p = name; *p; p++)
		h = h * 33 + (unsigned char)*p;
	if (ht_remote_read(r, o->gnu_hash, head, sizeof head) == -1 ||
	    !head[0] || !head[2])
		return false;
	if (ht_remote_read(r, o->gnu_hash + sizeof head + h / 64 % head[2] * 8,
		&bloom, sizeof bloom) == -1 ||
	    !(bloom >> h % 64 & 1) || !(bloom >> (h >> head[3]) % 64 & 1))
		return false;
	buckets = o->gnu_hash + sizeof head + head[2] * UINT64_C(8);
	chain = buckets + head[0] * UINT64_C(4);
	i = word_at(r, buckets + h % head[0] * UINT64_C(4));
	if (i < head[1])
		return false;
	for (unsigned n = 0; n < CHAIN_MAX; n++, i++) {
		v = word_at(r, chain + (i - head[1]) * UINT64_C(4));
		if ((v | 1) == (h | 1) && defines(r, o, i, name, s))
			return true;
		if (v & 1)
			return false;
	}
	return false;
}

static bool
find_sysv(struct ht_remote *r, const struct ht_linked *o, const char *name,
    struct ht_symbol *s)
{
	uint32_t head[2], h = 0, i;

	for (const char *p = name; *p; p++) {
		h = (h << 4) + (unsigned char)*p;
		h ^= h >> 24 & 0xf0;
		h &= 0x0fffffff;
	}
	if (ht_remote_read(r, o->hash, head, sizeof head) == -1 || !head[0])
		return false;
	i = word_at(r, o->hash + 8 + h % head[0] * UINT64_C(4));
	for (unsigned n = 0; i && n < CHAIN_MAX; n++) {
		if (defines(r, o, i, name, s))
			return true;
		i = word_at(
		    r, o->hash + 8 + (head[0] + (uint64_t)i) * UINT64_C(4));
	}
	return false;
}

bool
ht_linkmap_find_in(const struct ht_linkmap *m, struct ht_remote *r,
    size_t object, const char *name, struct ht_symbol *s)
{
	const struct ht_linked *o = &m->object[object];

	s->object = object;
	return o->symbols && o->strings &&
	       (o->gnu_hash ? find_gnu(r, o, name, s)
			    : o->hash && find_sysv(r, o, name, s));
}

bool
ht_linkmap_find(const struct ht_linkmap *m, struct ht_remote *r,
    const char *name, struct ht_symbol *s)
{
	for (size_t i = 0; i < m->objects; i++) {
		/* Of one that was loaded at the start: it stands aside. */
		if (strstr(m->object[i].name, "libht-preload.so"))
			continue;
		if (ht_linkmap_find_in(m, r, i, name, s))
			return true;
	}
	return false;
}
