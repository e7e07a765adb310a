/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ht-record/preload/objects.h"

#include <elf.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>

#include "ht-record/preload/allocators.h"
#include "ht-record/preload/preload.h"
#include "ht-record/preload/probe.h"

/* glibc's struct dl_find_object: older headers do not have it. */
struct found {
	unsigned long long flags;
	void *start, *end;
	struct link_map *map;
	void *eh_frame;
	unsigned long long reserved[8];
};

/* Weak: each libc has its own of these. */
extern int loader_find(void *, struct found *) __asm__("_dl_find_object")
    __attribute__((weak));
extern struct r_debug glibc_debug __asm__("_r_debug") __attribute__((weak));
extern struct r_debug *musl_debug __asm__("_dl_debug_addr")
    __attribute__((weak));

#define PAGE	    4096ull
#define HEADERS_MAX 32	 /* of an object */
#define START_MAX   1024 /* objects loaded at start; the rest is "later" */
#define LATER_MAX   2048
#define LIST_MAX    65536 /* no list is longer */
#define TRIES	    100	  /* while others load and unload */

static bool ask_loader;

static struct ht_object at_start[START_MAX];
static unsigned start_count;
static const struct link_map *start_last; /* never freed */

/* An object as the list had it. */
struct later {
	const struct link_map *at;
	struct link_map map;
	uint64_t start, end; /* equal: it owns nothing */
};

/*
 * The snapshot, by one writer at a time: `version` is odd meanwhile. A writer
 * that never comes back, because a signal handler jumped away from it, leaves
 * it so: then every question walks the list, which is slow, not wrong.
 */
static struct {
	_Atomic uint32_t version;
	unsigned count;
	uint32_t unloads;
	struct later object[LATER_MAX];
} snapshot;
static _Atomic uint32_t unloads;

/* ---- one object ------------------------------------------------------- */

bool
ht_copy_plainly(void *to, uint64_t from, size_t size)
{
	memcpy(to, (const void *)from, size);
	return true;
}

static bool
in_segment(const ElfW(Phdr) * ph, unsigned n, uint64_t bias, uint64_t pc)
{
	for (; n > 0; n--, ph++) {
		uint64_t start = (bias + ph->p_vaddr) & ~(PAGE - 1);
		uint64_t end = bias + ph->p_vaddr + ph->p_memsz;

		if (ph->p_type == PT_LOAD && pc >= start &&
		    pc < ((end + PAGE - 1) & ~(PAGE - 1)))
			return true;
	}
	return false;
}

static void
measure(struct ht_object *o, const ElfW(Phdr) * ph)
{
	o->start = UINT64_MAX;
	o->end = o->eh_frame_hdr = 0;
	for (unsigned i = 0; i < o->nheaders; i++, ph++) {
		uint64_t start = o->bias + ph->p_vaddr;
		uint64_t end = start + ph->p_memsz;

		if (ph->p_type == PT_GNU_EH_FRAME)
			o->eh_frame_hdr = start;
		if (ph->p_type != PT_LOAD)
			continue;
		start &= ~(PAGE - 1);
		o->start = start < o->start ? start : o->start;
		o->end = end > o->end ? end : o->end;
	}
}

/* Are these the object's program headers? The list says where its dynamic
 * section is, and so do they. */
static bool
take_headers(struct ht_object *o, const struct link_map *map, uint64_t at,
    unsigned n, uint64_t pc, ht_copy *copy)
{
	ElfW(Phdr) ph[HEADERS_MAX];
	bool proved = false;

	if (n > HEADERS_MAX || at % 8 || !copy(ph, at, n * sizeof *ph))
		return false;
	for (unsigned i = 0; i < n; i++)
		proved |= ph[i].p_type == PT_DYNAMIC &&
			  map->l_addr + ph[i].p_vaddr == (uintptr_t)map->l_ld;
	if (!proved)
		return false;
	o->bias = map->l_addr;
	o->headers = (const ElfW(Phdr) *)at;
	o->nheaders = n;
	o->name = map->l_name ? map->l_name : "";
	measure(o, ph);
	return pc == 0 || in_segment(ph, n, o->bias, pc);
}

/* Describes the object of a list entry; false if it does not have `pc` (0: no
 * matter), or nothing can be said of it: it is being loaded or unloaded. */
static bool
describe(
    struct ht_object *o, const struct link_map *map, uint64_t pc, ht_copy *copy)
{
	ElfW(Ehdr) e;

	return map->l_addr && copy(&e, map->l_addr, sizeof e) &&
	       memcmp(e.e_ident, ELFMAG, SELFMAG) == 0 &&
	       e.e_phentsize == sizeof(ElfW(Phdr)) &&
	       take_headers(
		   o, map, map->l_addr + e.e_phoff, e.e_phnum, pc, copy);
}

/* The executable's headers need not be at its start, and musl has a name for
 * it. */
static bool
describe_executable(struct ht_object *o, const struct link_map *map)
{
	if (!take_headers(o, map, getauxval(AT_PHDR),
		(unsigned)getauxval(AT_PHNUM), 0, ht_copy_plainly) &&
	    !describe(o, map, 0, ht_copy_plainly))
		return false;
	o->name = "";
	return true;
}

/* ---- the list --------------------------------------------------------- */

enum answer { FOUND, NONE, DISTURBED };

/* Where a walk of the list is. */
struct place {
	const struct link_map *prev, *at;
	struct link_map map; /* what `at` holds */
	unsigned steps;
};

/* To the next entry. DISTURBED: this is no list, or was one a moment ago. */
static enum answer
step(struct place *p)
{
	p->prev = p->at;
	p->at = p->map.l_next;
	if (!p->at)
		return NONE;
	if (++p->steps > LIST_MAX ||
	    !ht_probe_copy(&p->map, (uintptr_t)p->at, sizeof p->map) ||
	    p->map.l_prev != p->prev)
		return DISTURBED;
	return FOUND;
}

static enum answer
walk_list(uint64_t pc, struct ht_object *o)
{
	struct place p = {.at = start_last, .map = *start_last};
	enum answer a;

	while ((a = step(&p)) == FOUND)
		if (describe(o, &p.map, pc, ht_probe_copy))
			return FOUND;
	return a;
}

/* ---- the snapshot ----------------------------------------------------- */

static bool
fill_snapshot(void)
{
	struct place p = {.at = start_last, .map = *start_last};
	enum answer a;

	snapshot.unloads = atomic_load(&unloads);
	snapshot.count = 0;
	while ((a = step(&p)) == FOUND && snapshot.count < LATER_MAX) {
		struct later *l = &snapshot.object[snapshot.count++];
		struct ht_object o = {.start = 0};

		if (!describe(&o, &p.map, 0, ht_probe_copy))
			o.start = o.end = 0;
		l->at = p.at;
		l->map = p.map;
		l->start = o.start;
		l->end = o.end;
	}
	return a == NONE;
}

static void
take_snapshot(void)
{
	uint32_t version = atomic_load(&snapshot.version);

	if (version & 1 || !atomic_compare_exchange_strong(
			       &snapshot.version, &version, version + 1))
		return;
	if (!fill_snapshot())
		snapshot.count = 0;
	/* Pairs with the reader's two loads around its use of the rest. */
	atomic_store_explicit(
	    &snapshot.version, version + 2, memory_order_release);
}

/* Is what the snapshot says of these what the list says now? */
static bool
batch_holds(const struct later *l, unsigned n)
{
	struct link_map map[HT_GATHER_MAX];
	uint64_t from[HT_GATHER_MAX];

	for (unsigned i = 0; i < n; i++)
		from[i] = (uintptr_t)l[i].at;
	if (!ht_probe_gather(map, from, n, sizeof *map))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (memcmp(&map[i], &l[i].map, sizeof *map) != 0)
			return false;
	return true;
}

static bool
snapshot_holds(unsigned count)
{
	if (count == 0 || count > LATER_MAX ||
	    snapshot.object[0].at != start_last->l_next ||
	    snapshot.object[count - 1].map.l_next ||
	    snapshot.unloads != atomic_load(&unloads))
		return false;
	for (unsigned i = 0; i < count; i += HT_GATHER_MAX)
		if (!batch_holds(&snapshot.object[i],
			count - i < HT_GATHER_MAX ? count - i : HT_GATHER_MAX))
			return false;
	return true;
}

/* DISTURBED: the snapshot is of no use. */
static enum answer
ask_snapshot(uint64_t pc, struct ht_object *o)
{
	uint32_t version =
	    atomic_load_explicit(&snapshot.version, memory_order_acquire);
	unsigned count = snapshot.count;
	struct link_map map;
	enum answer a = NONE;

	if (version & 1 || !snapshot_holds(count))
		return DISTURBED;
	for (unsigned i = 0; i < count && a == NONE; i++)
		if (pc >= snapshot.object[i].start &&
		    pc < snapshot.object[i].end) {
			map = snapshot.object[i].map;
			a = FOUND;
		}
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&snapshot.version, memory_order_relaxed) !=
	    version)
		return DISTURBED;
	/* Another file may have come to lie where this one was. */
	if (a == FOUND && !describe(o, &map, pc, ht_probe_copy))
		return DISTURBED;
	return a;
}

void
ht_objects_unloaded(void)
{
	atomic_fetch_add(&unloads, 1);
}

/* ---- questions -------------------------------------------------------- */

static bool
find_at_start(uint64_t pc, struct ht_object *o)
{
	for (unsigned i = 0; i < start_count; i++) {
		const struct ht_object *s = &at_start[i];

		if (pc >= s->start && pc < s->end &&
		    in_segment(s->headers, s->nheaders, s->bias, pc)) {
			*o = *s;
			return true;
		}
	}
	return false;
}

static bool
find_later(uint64_t pc, struct ht_object *o)
{
	enum answer a = DISTURBED;

	if (!start_last || !start_last->l_next || ht_no_calls())
		return false;
	a = ask_snapshot(pc, o);
	if (a != DISTURBED)
		return a == FOUND;
	take_snapshot();
	for (unsigned i = 0; i < TRIES && a == DISTURBED; i++)
		a = walk_list(pc, o);
	return a == FOUND;
}

static bool
find_by_loader(uint64_t pc, struct ht_object *o)
{
	struct found f;
	const ElfW(Ehdr) * e;

	if (loader_find((void *)pc, &f) != 0 || !f.map)
		return false;
	e = f.start;
	o->start = (uintptr_t)f.start;
	o->end = (uintptr_t)f.end;
	o->bias = f.map->l_addr;
	o->eh_frame_hdr = (uintptr_t)f.eh_frame;
	o->name = f.map->l_name ? f.map->l_name : "";
	o->headers = NULL;
	o->nheaders = 0;
	if (o->name[0] == '\0') {
		o->headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
		o->nheaders = (unsigned)getauxval(AT_PHNUM);
	} else if (memcmp(e->e_ident, ELFMAG, SELFMAG) == 0 &&
		   e->e_phentsize == sizeof(ElfW(Phdr)) &&
		   e->e_phoff % 8 == 0 &&
		   e->e_phoff + e->e_phnum * sizeof(ElfW(Phdr)) <= PAGE) {
		/* A page at least is mapped there; glibc wants them in it. */
		o->headers = (const ElfW(Phdr) *)((const char *)e + e->e_phoff);
		o->nheaders = e->e_phnum;
	}
	return true;
}

bool
ht_object_find(uint64_t pc, struct ht_object *o)
{
	if (ht_moved_object(pc, o))
		return true;
	if (likely(ask_loader))
		return find_by_loader(pc, o);
	return find_at_start(pc, o) || find_later(pc, o);
}

/* ---- start ------------------------------------------------------------ */

bool
ht_objects_of_musl(void)
{
	return &musl_debug && musl_debug;
}

const struct r_debug *
ht_objects_debug(void)
{
	if (&glibc_debug)
		return &glibc_debug;
	return ht_objects_of_musl() ? musl_debug : NULL;
}

static const struct link_map *
list_head(void)
{
	const struct r_debug *debug = ht_objects_debug();

	return debug ? debug->r_map : NULL;
}

/* Nothing is unloaded meanwhile: this is the first call of a hook, which an
 * object that is loaded later makes before it is on the list. */
static void
note_start(void)
{
	const struct link_map *map = list_head();
	ht_copy *copy = ht_probe_init() == 0 ? ht_probe_copy : ht_copy_plainly;

	for (; map && start_count < START_MAX; map = map->l_next) {
		struct ht_object *o = &at_start[start_count];

		if (start_last ? describe(o, map, 0, copy)
			       : describe_executable(o, map))
			start_count++;
		start_last = map;
	}
}

void
ht_objects_init(bool by_list)
{
	ask_loader = loader_find && !by_list;
	if (!ask_loader)
		note_start();
}

/* glibc says when it is not at work. */
static bool
is_consistent(void)
{
	return &glibc_debug && glibc_debug.r_state == RT_CONSISTENT;
}

void
ht_objects_each(void (*f)(const struct ht_object *o, ht_copy *copy))
{
	const struct link_map *map = list_head();
	ht_copy *copy = is_consistent() ? ht_copy_plainly : ht_probe_copy;
	bool executable = true;
	unsigned n = 0;

	for (; map && n < LIST_MAX; map = map->l_next, n++) {
		struct ht_object o;

		if (executable ? describe_executable(&o, map)
			       : describe(&o, map, 0, copy))
			f(&o, copy);
		executable = false;
	}
}
