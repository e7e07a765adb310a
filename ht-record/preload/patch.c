/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Allocators in a program that was started under us: see allocators.h. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ht-record/preload/allocators.h"
#include "ht-record/preload/objects.h"
#include "ht-record/preload/preload.h"
#include "ht-record/preload/defined.h"
#include "ht-record/x86.h"

#if defined(__x86_64__)

#define PAGE	     UINT64_C(4096)
#define SLOT	     128u	  /* bytes of near memory for each function */
#define MOVED	     HT_STUB_SIZE /* in a slot: behind the way to the hook */
#define REACH	     (UINT64_C(1900) << 20)
#define CODE_MAX     (256u << 10) /* of a function */
#define CODE_SIZE    16u	  /* where its symbol has none */
#define MODULES_MAX  32		  /* that are allocators, at a time */
#define SEEN_MAX     4096	  /* modules that need not be looked at again */
#define SHSTK_STATUS 0x5005	  /* of asm/prctl.h, where it is young enough */
#define POINTS_MAX   HT_POINTS_MAX

extern const ElfW(Dyn) own_dynamic[] __asm__("_DYNAMIC")
    __attribute__((visibility("hidden")));

/* An allocator. Its hooks are patches [first, first + count). */
struct module {
	const ElfW(Dyn) * dynamic; /* NULL: none */
	uint64_t bias;
	struct ht_area all, near; /* itself; moved instructions */
	unsigned first, count;
};

static struct module modules[MODULES_MAX];
static struct ht_patch patches[HT_PATCHES_MAX];
static struct ht_entry entries[HT_PATCHES_MAX];
static struct ht_area loader_near;
static struct {
	const struct link_map *map;
	const void *dynamic;
} seen[SEEN_MAX];
static bool busy; /* a signal handler loads modules */

/* The first is told. */
static void
say(const char *what, const char *name, const char *why)
{
	char *p = ht_ring->note, *end = p + sizeof ht_ring->note - 1;
	const char *part[] = {"'", what, "' of ", *name ? name : "the program",
	    " cannot be hooked: ", why};

	if (*p)
		return;
	for (unsigned i = 0; i < sizeof part / sizeof *part; i++)
		for (const char *s = part[i]; *s && p < end;)
			*p++ = *s++;
	*p = '\0';
}

/* ---- memory ----------------------------------------------------------- */

/* Memory that jumps from all of [start, end) reach, and back. Below `module`,
 * which that is part of: above an executable the heap grows. */
static bool
map_near(struct ht_area *a, uint64_t module, uint64_t start, uint64_t end,
    uint64_t size)
{
	size = (size + PAGE - 1) & ~(PAGE - 1);
	for (uint64_t down = 0; down < 64; down++) {
		uint64_t hint = (module & ~(PAGE - 1)) - size - (down << 20);
		uint64_t at =
		    (uint64_t)ht_own_mmap((void *)(hint < module ? hint : PAGE),
			size, MAP_PRIVATE | MAP_ANONYMOUS, -1);

		if (at == (uint64_t)MAP_FAILED)
			return false;
		if ((at > start ? at - start : start - at) < REACH &&
		    (at > end ? at - end : end - at) < REACH) {
			*a = (struct ht_area){at, size};
			return true;
		}
		ht_own_munmap((void *)at, size);
	}
	return false;
}

static void
unmap(struct ht_area *a)
{
	if (a->size)
		ht_own_munmap((void *)a->start, a->size);
	*a = (struct ht_area){0};
}

static bool
protect(uint64_t start, uint64_t end, int prot)
{
	start &= ~(PAGE - 1);
	end = (end + PAGE - 1) & ~(PAGE - 1);
	return mprotect((void *)start, end - start, prot) == 0;
}

/* ---- patches ---------------------------------------------------------- */

static bool
is_patched(uint64_t at)
{
	for (unsigned i = 0; i < HT_PATCHES_MAX; i++)
		if (patches[i].at == at)
			return true;
	return false;
}

/* A function that is to be hooked. */
struct found {
	const struct ht_entry_point *point;
	uint64_t at, size; /* at 0: none */
	unsigned type;	   /* STT_* */
};

static bool
has_shadow_stack(void)
{
	uint64_t features = 0;

	return syscall(SYS_arch_prctl, SHSTK_STATUS, &features) == 0 &&
	       features & 1;
}

/* Writes the way to the hook, and the moved instructions behind it. */
static int
move(struct ht_patch *p, struct ht_entry *e, const struct found *f,
    uint64_t slot, const char **why)
{
	size_t size = f->size ? f->size : CODE_SIZE;
	uint8_t *code = (uint8_t *)slot;
	uint64_t self = (uintptr_t)e;
	struct ht_x86_moved m;

	if (f->type != STT_FUNC && f->type != STT_NOTYPE) {
		*why = "it is no plain function";
		return -1;
	}
	if (ht_x86_move(&m, (const uint8_t *)f->at,
		size < CODE_MAX ? size : CODE_MAX, f->at, slot + MOVED,
		why) == -1)
		return -1;
	if (m.calls && has_shadow_stack()) {
		*why = "it begins with a call";
		return -1;
	}
	memcpy(code, "\x49\xbb", 2); /* mov $self, %r11 */
	memcpy(code + 2, &self, sizeof self);
	ht_x86_far_jump(code + 10, (uintptr_t)ht_entry_hook);
	memcpy(code + MOVED, m.code, m.size);
	*p = (struct ht_patch){
	    .at = f->at,
	    .moved = slot + MOVED,
	    .size = HT_X86_JUMP_SIZE,
	    .taken = (uint8_t)m.taken,
	    .count = (uint8_t)m.count,
	    .back = (uint8_t)(m.size - HT_X86_JUMP_SIZE),
	};
	memcpy(p->old, (const void *)f->at, p->size);
	memcpy(p->from, m.from, sizeof p->from);
	memcpy(p->to, m.to, sizeof p->to);
	ht_x86_jump(p->new, p->at, slot);
	e->point = f->point;
	e->real = p->moved;
	return 0;
}

/* Do our own hooks lead there? Then they are seen by these, and no name of
 * another family leads there, or that is hooked for it. */
static bool
is_seen(const struct found *f)
{
	const uint64_t *real = (const uint64_t *)&ht_real;

	if (f->point->family != HT_ENTRY_STANDARD)
		return false;
	for (unsigned i = 0; i < sizeof ht_real / sizeof *real; i++)
		if (real[i] == f->at)
			return true;
	return false;
}

/* Our own hooks call what lies behind the jump. */
static void
go_behind(uint64_t at, uint64_t moved)
{
	uint64_t *real = (uint64_t *)&ht_real;

	for (unsigned i = 0; i < sizeof ht_real / sizeof *real; i++)
		if (real[i] == at)
			real[i] = moved;
}

/* A run of `count` patches that are free; HT_PATCHES_MAX: there is none. */
static unsigned
free_patches(unsigned count)
{
	unsigned run = 0;

	for (unsigned i = 0; i < HT_PATCHES_MAX; i++) {
		bool taken = false;

		for (unsigned k = 0; k < MODULES_MAX; k++)
			taken |= i - modules[k].first < modules[k].count;
		run = taken ? 0 : run + 1;
		if (run == count)
			return i + 1 - count;
	}
	return HT_PATCHES_MAX;
}

/* What says how large the blocks of `f` are. */
static uint64_t
usable_of(const struct found *f, const struct found *found, unsigned count,
    bool executable)
{
	for (unsigned i = count; i > 0; i--)
		if (found[i - 1].type == STT_FUNC &&
		    ht_entry_knows(found[i - 1].point, f->point, executable))
			return found[i - 1].at;
	return 0;
}

/* Plans the patches of a module. */
static void
plan(struct module *m, const struct found *found, unsigned count,
    const char *name)
{
	bool executable = m->dynamic == ht_objects_debug()->r_map->l_ld;
	unsigned first = m->first;
	const char *why = "";

	for (unsigned i = 0; i < count; i++) {
		unsigned k = first + m->count;

		if (found[i].point->op == HT_ENTRY_USABLE ||
		    is_patched(found[i].at) || is_seen(&found[i]))
			continue;
		entries[k] = (struct ht_entry){
		    .module = m->all,
		    .usable = (size_t(*)(void *))usable_of(
			&found[i], found, count, executable),
		};
		if (move(&patches[k], &entries[k], &found[i],
			m->near.start + (uint64_t)m->count * SLOT, &why) == 0)
			m->count++;
		else
			say(found[i].point->name, name, why);
	}
}

static bool
apply(const struct module *m)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (unsigned i = m->first; i < m->first + m->count; i++) {
		low = patches[i].at < low ? patches[i].at : low;
		high = patches[i].at > high ? patches[i].at : high;
	}
	high += HT_X86_JUMP_SIZE;
	if (!protect(m->near.start, m->near.start + m->near.size,
		PROT_READ | PROT_EXEC) ||
	    !protect(low, high, PROT_READ | PROT_WRITE | PROT_EXEC))
		return false;
	for (unsigned i = m->first; i < m->first + m->count; i++) {
		memcpy((void *)patches[i].at, patches[i].new, patches[i].size);
		go_behind(patches[i].at, patches[i].moved);
	}
	protect(low, high, PROT_READ | PROT_EXEC);
	return true;
}

static void
forget(struct module *m)
{
	for (unsigned i = m->first; i < m->first + m->count; i++)
		patches[i].at = 0;
	unmap(&m->near);
	*m = (struct module){0};
}

/* Where a module is: by its headers, which lie at its start, or where the
 * kernel says. */
static struct ht_area
extent(const struct link_map *map)
{
	bool executable = map == ht_objects_debug()->r_map;
	const ElfW(Ehdr) *e = (const ElfW(Ehdr) *)map->l_addr;
	const ElfW(Phdr) *ph = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	uint64_t n = getauxval(AT_PHNUM), low = UINT64_MAX, high = 0;

	if (!executable) {
		ph = (const ElfW(Phdr) *)((const char *)e + e->e_phoff);
		n = e->e_phnum;
	}
	for (; n > 0; n--, ph++) {
		uint64_t start = map->l_addr + ph->p_vaddr;

		if (ph->p_type != PT_LOAD)
			continue;
		low = start < low ? start : low;
		high = start + ph->p_memsz > high ? start + ph->p_memsz : high;
	}
	return (struct ht_area){low, high - low};
}

static void
hook(const struct link_map *map, const struct found *found, unsigned count)
{
	const char *name = map->l_name, *why = NULL;
	uint64_t low = UINT64_MAX, high = 0;
	struct module *m = modules;

	while (m < modules + MODULES_MAX && m->dynamic)
		m++;
	for (unsigned i = 0; i < count; i++) {
		low = found[i].at < low ? found[i].at : low;
		high = found[i].at > high ? found[i].at : high;
	}
	if (m == modules + MODULES_MAX ||
	    free_patches(count) == HT_PATCHES_MAX) {
		say(found[0].point->name, name, "there are too many of them");
		return;
	}
	*m = (struct module){
	    .dynamic = map->l_ld,
	    .bias = map->l_addr,
	    .all = extent(map),
	    .first = free_patches(count),
	};
	if (!map_near(&m->near, m->all.start, low, high, count * SLOT))
		why = "there is no memory near it";
	else
		plan(m, found, count, name);
	if (!why && m->count && !apply(m))
		why = "its code may not be changed";
	if (why)
		say(found[0].point->name, name, why);
	if (why || !m->count)
		forget(m);
	else
		ht_ring->allocators |= map == ht_objects_debug()->r_map
					   ? HT_ALLOCATOR_WITHIN
					   : HT_ALLOCATOR_ELSEWHERE;
}

/* ---- modules ---------------------------------------------------------- */

/* Looks whether it is an allocator, and hooks that. */
static void
look_at(const struct link_map *map, bool executable)
{
	static struct found found[POINTS_MAX];
	static struct ht_defined in_file[POINTS_MAX];
	bool has[HT_ENTRY_FAMILIES] = {false};
	struct ht_symbols s;
	unsigned n = 0;

	_Static_assert(HT_ENTRY_OPERATORS == HT_ENTRY_FAMILIES - 1,
	    "all others come before");
	if (!ht_symbols_of(&s, map) ||
	    ht_symbols_find(&s, "__libc_start_main", NULL))
		return; /* the libc has hooks already */
	memset(in_file, 0, sizeof in_file);
	ht_symbols_in_file(
	    executable ? "/proc/self/exe" : map->l_name, in_file);
	for (unsigned i = 0; i < ht_entry_point_count; i++) {
		const struct ht_entry_point *p = &ht_entry_points[i];
		bool first = p->family != HT_ENTRY_OPERATORS &&
			     (i == 0 || p[-1].family != p->family);
		struct ht_defined d;

		if (!has[p->family] && !first)
			continue;
		if (!ht_symbols_find(&s, p->name, &d))
			d = in_file[i];
		if (!d.value)
			continue;
		has[p->family] = has[HT_ENTRY_OPERATORS] = true;
		found[n++] =
		    (struct found){p, map->l_addr + d.value, d.size, d.type};
	}
	if (n)
		hook(map, found, n);
}

static bool
is_loaded(const struct module *m, const struct r_debug *d)
{
	for (const struct link_map *l = d->r_map; l; l = l->l_next)
		if (l->l_ld == m->dynamic && l->l_addr == m->bias)
			return true;
	return false;
}

/* What is new on the loader's list; its lock is held, or this is the start. */
static void
look_at_list(const struct r_debug *d)
{
	const struct link_map *first = d->r_map;
	unsigned i = 0;

	for (struct module *m = modules; m < modules + MODULES_MAX; m++)
		if (m->dynamic && !is_loaded(m, d))
			forget(m);
	for (const struct link_map *l = first; l; l = l->l_next, i++) {
		if (i < SEEN_MAX && seen[i].map == l &&
		    seen[i].dynamic == l->l_ld)
			continue;
		if (i < SEEN_MAX) {
			seen[i].map = l;
			seen[i].dynamic = l->l_ld;
		}
		if (l->l_addr != getauxval(AT_BASE) && l->l_ld != own_dynamic)
			look_at(l, l == first);
	}
	/* What comes to lie there next is another. */
	for (; i < SEEN_MAX && seen[i].map; i++)
		seen[i].map = NULL;
}

static __attribute__((used)) void
list_changed(void)
{
	const struct r_debug *d = ht_objects_debug();
	int saved = errno;

	/* In between two states it is not to be looked at. */
	if (!busy && d->r_state == RT_CONSISTENT && !ht_no_calls()) {
		busy = true;
		look_at_list(d);
		busy = false;
	}
	errno = saved;
}

extern char loader_hook[] __asm__("ht_loader_hook");

/* In place of a function that does nothing, so its caller may count on every
 * register. */
__asm__(".text\n"
	"ht_loader_hook:\n\t"
	".cfi_startproc\n\t"
	"push %rbp\n\t"
	".cfi_def_cfa_offset 16\n\t"
	".cfi_offset %rbp, -16\n\t"
	"mov %rsp, %rbp\n\t"
	".cfi_def_cfa_register %rbp\n\t"
	"push %rax\n\t"
	"push %rcx\n\t"
	"push %rdx\n\t"
	"push %rsi\n\t"
	"push %rdi\n\t"
	"push %r8\n\t"
	"push %r9\n\t"
	"push %r10\n\t"
	"push %r11\n\t"
	"push %r11\n\t"
	"and $-16, %rsp\n\t"
	"call list_changed\n\t"
	"mov -8(%rbp), %rax\n\t"
	"mov -16(%rbp), %rcx\n\t"
	"mov -24(%rbp), %rdx\n\t"
	"mov -32(%rbp), %rsi\n\t"
	"mov -40(%rbp), %rdi\n\t"
	"mov -48(%rbp), %r8\n\t"
	"mov -56(%rbp), %r9\n\t"
	"mov -64(%rbp), %r10\n\t"
	"mov -72(%rbp), %r11\n\t"
	"leave\n\t"
	".cfi_def_cfa %rsp, 8\n\t"
	"ret\n\t"
	".cfi_endproc\n");

/* The function does nothing, and only padding follows it. */
static bool
watch_loader(uint64_t at)
{
	const uint8_t *code = (const uint8_t *)at;
	uint8_t jump[HT_X86_JUMP_SIZE];
	struct ht_x86_moved m;
	const char *why;
	unsigned size = HT_X86_JUMP_SIZE;

	if (!at || !map_near(&loader_near, at, at, at, PAGE))
		return false;
	while (size <= 16 &&
	       ht_x86_move(&m, code, size, at, loader_near.start, &why) == -1)
		size++;
	if (size > 16 || (code[0] != 0xc3 && code[4] != 0xc3))
		return false;
	ht_x86_far_jump((uint8_t *)loader_near.start, (uintptr_t)loader_hook);
	ht_x86_jump(jump, at, loader_near.start);
	if (!protect(loader_near.start, loader_near.start + PAGE,
		PROT_READ | PROT_EXEC) ||
	    !protect(at, at + sizeof jump, PROT_READ | PROT_WRITE | PROT_EXEC))
		return false;
	memcpy((void *)at, jump, sizeof jump);
	return protect(at, at + sizeof jump, PROT_READ | PROT_EXEC);
}

void
ht_allocators_init(void)
{
	const struct r_debug *d = ht_objects_debug();

	if (!d || ht_no_calls())
		return;
	look_at_list(d);
	if (!watch_loader(d->r_brk))
		unmap(&loader_near);
}

static bool
is_moved(uint64_t pc)
{
	for (const struct module *m = modules; m < modules + MODULES_MAX; m++)
		if (pc - m->near.start < m->near.size)
			return true;
	return false;
}

uint64_t
ht_moved_origin(uint64_t pc)
{
	return is_moved(pc) ? ht_patches_origin(patches, pc) : pc;
}

/* It passes for ours: no stack is to show it. */
bool
ht_moved_object(uint64_t pc, struct ht_object *o)
{
	return is_moved(pc) && ht_object_find((uintptr_t)ht_entry_hook, o);
}

#else

void
ht_allocators_init(void)
{
}

uint64_t
ht_moved_origin(uint64_t pc)
{
	return pc;
}

bool
ht_moved_object(uint64_t pc, struct ht_object *o)
{
	(void)pc, (void)o;
	return false;
}

#endif
