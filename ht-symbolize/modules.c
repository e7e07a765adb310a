/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ht-symbolize/modules.h"
#include "libht/err.h"
#include "libht/mem.h"
#include "libht/str.h"

void
modules_init(
    struct modules *m, const struct locate *locate, struct ht_intern *pool)
{
	elf_version(EV_CURRENT); /* libelf wants to be asked first */
	*m = (struct modules){.locate = *locate, .pool = pool};
}

void
modules_release(struct modules *m)
{
	for (size_t i = 0; i < m->file_keys.count; i++)
		symbols_free(m->file[i].symbols);
	free(m->file);
	free(m->module);
	ht_intern_release(&m->file_keys);
	ht_intern_release(&m->module_keys);
	spans_release(&m->spans);
}

void
modules_forget(struct modules *m)
{
	spans_clear(&m->spans);
}

static uint32_t
add_file(struct modules *m, uint32_t path, const struct build_id *id)
{
	struct ht_str key = {0};
	uint32_t i;
	bool fresh;

	ht_str_add(&key, &path, sizeof(path));
	ht_str_add(&key, id->bytes, id->len);
	i = ht_intern_add(&m->file_keys, key.data, key.len, &fresh) - 1;
	ht_str_release(&key);
	if (fresh) {
		HT_GROW(m->file, m->file_cap, (size_t)i + 1);
		m->file[i] = (struct module_file){.path = path, .id = *id};
	}
	return i;
}

uint32_t
modules_add(struct modules *m, const char *path, size_t len, uint64_t bias,
    const struct build_id *id)
{
	struct module new = {.bias = bias};
	struct ht_str key = {0};
	uint32_t i;
	bool fresh;

	new.path = ht_intern_add(m->pool, path, len, NULL);
	new.file = add_file(m, new.path, id);
	ht_str_add(&key, &new.file, sizeof(new.file));
	ht_str_add(&key, &new.bias, sizeof(new.bias));
	i = ht_intern_add(&m->module_keys, key.data, key.len, &fresh) - 1;
	ht_str_release(&key);
	if (fresh) {
		HT_GROW(m->module, m->module_cap, (size_t)i + 1);
		m->module[i] = new;
	}
	return i;
}

void
modules_segment(
    struct modules *m, uint32_t module, uint64_t vaddr, uint64_t memsz)
{
	uint64_t start = m->module[module].bias + vaddr; /* may wrap */

	spans_add(&m->spans, start, start + memsz, module);
}

uint32_t
modules_find(struct modules *m, uint64_t ip)
{
	const struct span *s = spans_find(&m->spans, ip);

	return s ? s->id + 1 : 0;
}

static const char *
short_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* The kernel's own module has no file. */
static bool
is_vdso(const char *path)
{
	return !strncmp(path, "linux-vdso.so", 13) ||
	       !strncmp(path, "linux-gate.so", 13) || path[0] == '[';
}

static void
look(struct modules *m, struct module_file *f)
{
	const char *path = ht_intern_get(m->pool, f->path);
	char *found = NULL;
	enum located rc;
	int fd;

	f->looked = true;
	if (is_vdso(path) || strlen(path) != ht_intern_len(m->pool, f->path))
		return;
	rc = locate_module(&m->locate, path, &f->id, &fd, &found);
	if (rc == LOCATED_OTHER)
		ht_warn("%s has another build id than the recorded one: its "
			"names are left out",
		    short_name(path));
	else if (rc == LOCATED_NOWHERE)
		ht_note("%s is not here: its names are left out",
		    *path ? path : "a module without a path");
	if (rc != LOCATED)
		return;
	f->symbols = symbols_open(&m->locate, m->pool, found, fd);
	if (!f->symbols)
		ht_warn("%s cannot be read as an ELF file: its names are left "
			"out",
		    found);
	free(found);
}

size_t
modules_frames(struct modules *m, uint32_t module, uint64_t ip,
    struct symbol_frame *frame, size_t max)
{
	const struct module *mod = &m->module[module];
	struct module_file *f = &m->file[mod->file];
	const char *path = ht_intern_get(m->pool, mod->path);
	uint64_t addr = ip - mod->bias;
	char text[512];
	size_t n = 0;
	int len;

	if (!f->looked)
		look(m, f);
	if (f->symbols)
		n = symbols_at(f->symbols, addr, frame, max);
	if (!n)
		frame[n++] = (struct symbol_frame){0};
	for (size_t i = 0; i < n; i++) {
		if (frame[i].function)
			continue;
		len = snprintf(text, sizeof(text), "%.400s+0x%llx",
		    short_name(path), (unsigned long long)addr);
		frame[i].function =
		    ht_intern_add(m->pool, text, (size_t)len, NULL);
	}
	return n;
}
