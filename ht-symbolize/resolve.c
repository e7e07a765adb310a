/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "ht-symbolize/resolve.h"
#include "libht/event.h"
#include "libht/evwrite.h"
#include "libht/mem.h"

void
resolve_init(struct resolve *r, struct ht_out *out, const struct locate *locate)
{
	*r = (struct resolve){.out = out};
	modules_init(&r->modules, locate, &r->pool);
}

void
resolve_release(struct resolve *r)
{
	modules_release(&r->modules);
	ht_intern_release(&r->pool);
	ht_map_release(&r->ip);
	free(r->text);
	free(r->at);
}

void
resolve_begin(struct resolve *r)
{
	resolve_forget(r);
	r->trace++;
	r->texts = 0;
	r->ips = 0;
	r->stacks = 0;
	r->at_count = 0;
	ht_map_clear(&r->ip);
}

void
resolve_forget(struct resolve *r)
{
	modules_forget(&r->modules);
	r->list++;
}

uint32_t
resolve_module(struct resolve *r, const char *path, size_t len, uint64_t bias,
    const struct build_id *id)
{
	r->list++;
	return modules_add(&r->modules, path, len, bias, id);
}

void
resolve_segment(
    struct resolve *r, uint32_t module, uint64_t vaddr, uint64_t memsz)
{
	modules_segment(&r->modules, module, vaddr, memsz);
}

/* The id of a text in this trace, written before its first use. */
static uint32_t
text_id(struct resolve *r, uint32_t pool)
{
	if (!pool)
		return 0;
	HT_GROW(r->text, r->text_cap, (size_t)pool + 1);
	if (r->text[pool].trace != r->trace) {
		r->text[pool].trace = r->trace;
		r->text[pool].id = ++r->texts;
		ht_evwrite_string(r->out, ht_intern_get(&r->pool, pool),
		    ht_intern_len(&r->pool, pool));
	}
	return r->text[pool].id;
}

static uint32_t
new_ip(struct resolve *r, uint64_t ip, uint32_t module)
{
	struct symbol_frame frame[SYMBOL_FRAMES];
	struct ht_frame_fn fn[SYMBOL_FRAMES];
	uint32_t path = 0;
	size_t n = 0;

	if (module) {
		n = modules_frames(
		    &r->modules, module - 1, ip, frame, SYMBOL_FRAMES);
		path = text_id(r, r->modules.module[module - 1].path);
	}
	for (size_t i = 0; i < n; i++) {
		fn[i].function = text_id(r, frame[i].function);
		fn[i].file = text_id(r, frame[i].file);
		fn[i].line = frame[i].file ? frame[i].line : 0;
	}
	ht_evwrite_frame(r->out, ip, path, fn, n);
	return ++r->ips;
}

/* The i line of an address. It is looked up anew when the list of modules has
 * changed, and is a new one only when it now lies in another module. */
static uint32_t
ip_id(struct resolve *r, uint64_t ip)
{
	bool fresh;
	uint64_t *at = ht_map_put(&r->ip, ip, &fresh);
	uint32_t module;

	if (!fresh && r->at[*at].list == r->list)
		return r->at[*at].id;
	module = modules_find(&r->modules, ip);
	if (fresh) {
		HT_GROW(r->at, r->at_cap, r->at_count + 1);
		*at = r->at_count++;
	}
	if (fresh || r->at[*at].module != module) {
		r->at[*at].id = new_ip(r, ip, module);
		r->at[*at].module = module;
	}
	r->at[*at].list = r->list;
	return r->at[*at].id;
}

void
resolve_stack(struct resolve *r, uint64_t ip, uint64_t parent)
{
	uint32_t id = ip ? ip_id(r, ip) : 0;

	r->stacks++;
	ht_evwrite_stack(r->out, id, (uint32_t)parent);
}
