/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "ht-symbolize/elfsyms.h"
#include "libht/mem.h"

struct symbol {
	uint64_t start, size;
	const char *name;
	uint8_t rank; /* less is better, see rank_of */
};

struct elfsyms {
	struct symbol *symbol;
	size_t count, cap;
	struct spans spans;
};

/* Of several at one address: functions before labels, sized before unsized,
 * and as people write them: global, weak, local. */
static uint8_t
rank_of(const GElf_Sym *sym)
{
	unsigned bind = GELF_ST_BIND(sym->st_info);

	return (uint8_t)((GELF_ST_TYPE(sym->st_info) == STT_NOTYPE) << 3 |
			 !sym->st_size << 2 |
			 (bind == STB_LOCAL	? 2
			     : bind == STB_WEAK ? 1
						: 0));
}

static bool
is_function(const GElf_Sym *sym, GElf_Word shndx)
{
	unsigned type = GELF_ST_TYPE(sym->st_info);

	return shndx != SHN_UNDEF && shndx != SHN_ABS &&
	       (type == STT_FUNC || type == STT_GNU_IFUNC ||
		   type == STT_NOTYPE);
}

static int
by_address(const void *pa, const void *pb)
{
	const struct symbol *a = pa, *b = pb;

	if (a->start != b->start)
		return (a->start > b->start) - (a->start < b->start);
	if (a->rank != b->rank)
		return a->rank - b->rank;
	if (a->size != b->size)
		return (a->size < b->size) - (a->size > b->size);
	return strcmp(a->name, b->name);
}

static void
read_symbols(struct elfsyms *e, Dwfl_Module *module, struct spans *code)
{
	int n = dwfl_module_getsymtab(module);

	for (int i = 1; i < n; i++) {
		GElf_Sym sym;
		GElf_Addr addr;
		GElf_Word shndx;
		const char *name = dwfl_module_getsym_info(
		    module, i, &sym, &addr, &shndx, NULL, NULL);

		/* $x, $d: marks of some machines' assemblers. */
		if (!name || !*name || *name == '$' ||
		    !is_function(&sym, shndx))
			continue;
		if (code->count && !spans_find(code, addr))
			continue;
		HT_GROW(e->symbol, e->cap, e->count + 1);
		e->symbol[e->count++] =
		    (struct symbol){addr, sym.st_size, name, rank_of(&sym)};
	}
}

/* One range for each address: that of the best symbol there. */
static void
make_spans(struct elfsyms *e, struct spans *code)
{
	for (size_t i = 0, next; i < e->count; i = next) {
		uint64_t start = e->symbol[i].start, end;

		for (next = i + 1; next < e->count; next++)
			if (e->symbol[next].start != start)
				break;
		end = start + e->symbol[i].size;
		if (end == start) {
			const struct span *section = spans_find(code, start);

			end = section ? section->end : UINT64_MAX;
			if (next < e->count && e->symbol[next].start < end)
				end = e->symbol[next].start;
		}
		spans_add(&e->spans, start, end, (uint32_t)i);
	}
}

struct elfsyms *
elfsyms_open(Dwfl_Module *module, struct spans *code)
{
	struct elfsyms *e = ht_calloc(1, sizeof(*e));

	read_symbols(e, module, code);
	if (e->count)
		qsort(e->symbol, e->count, sizeof(*e->symbol), by_address);
	make_spans(e, code);
	return e;
}

void
elfsyms_free(struct elfsyms *e)
{
	if (!e)
		return;
	spans_release(&e->spans);
	free(e->symbol);
	free(e);
}

const char *
elfsyms_at(struct elfsyms *e, uint64_t addr, bool exact)
{
	const struct span *s = spans_find(&e->spans, addr);

	if (!s || (exact && s->start != addr))
		return NULL;
	return e->symbol[s->id].name;
}
