/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library without a loader: see attached.h. In place of boot.c. */
#include <dlfcn.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ht-record/preload/allocators.h"
#include "ht-record/preload/api.h"
#include "ht-record/preload/frames.h"
#include "ht-record/preload/imports.h"
#include "ht-record/preload/objects.h"
#include "ht-record/preload/publish.h"
#include "ht-record/preload/sample.h"

/* A page of its own, which a fork wipes. */
static union {
	struct ht_live live;
	char page[4096];
} live __attribute__((aligned(4096)));

struct ht_live *ht_live = &live.live;
struct ht_ring *ht_ring;
struct ht_slots ht_slots;
struct ht_real ht_real;
int ht_pid;

struct ht_place *ht_places;
uint64_t ht_tid_at;
static _Atomic uint64_t arena_used;

bool
ht_boot_real(void)
{
	return true;
}

void
ht_boot_start(void)
{
}

void *
ht_boot_alloc(size_t align, size_t size)
{
	(void)align, (void)size;
	return NULL;
}

void
ht_boot_except(void)
{
}

size_t
ht_boot_size(const void *p)
{
	(void)p;
	return 0;
}

/* ---- memory ----------------------------------------------------------- */

void *
ht_map_memory(size_t size)
{
	uint64_t at;

	size = (size + 4095) & ~(size_t)4095;
	at = atomic_load(&arena_used);
	do
		if (size > ht_head.arena.size - at)
			return NULL;
	while (!atomic_compare_exchange_weak(&arena_used, &at, at + size));
	return (void *)(ht_head.arena.start + at);
}

/* ---- threads ---------------------------------------------------------- */

#define PLACES (1u << HT_PLACES_LOG2)

/* The place of `tp`; if it has none, the first free one. NULL: all are taken.
 */
static struct ht_place *
find_place(uint64_t tp)
{
	struct ht_place *p = ht_place_of(tp);

	for (unsigned i = 0; i < PLACES; i++) {
		uint64_t at = atomic_load(&p->tp);

		if (at == 0 || at == tp)
			return p;
		if (++p == ht_places + PLACES)
			p = ht_places;
	}
	return NULL;
}

struct ht_thread *
ht_thread_search(uint64_t tp)
{
	struct ht_place *p = ht_places ? find_place(tp) : NULL;
	struct ht_thread *t = p ? atomic_load(&p->thread) : NULL;

	return t && atomic_load(&p->tp) == tp &&
		       atomic_load(&t->tid) == ht_tid_behind(tp)
		   ? t
		   : NULL;
}

void
ht_thread_is(struct ht_thread *t)
{
	uint64_t tp = ht_arch_thread_pointer(), none = 0;
	struct ht_place *p;

	while ((p = find_place(tp))) {
		if (atomic_compare_exchange_strong(&p->tp, &none, tp) ||
		    none == tp) {
			atomic_store_explicit(
			    &p->thread, t, memory_order_release);
			return;
		}
		none = 0;
	}
}

struct ht_ranges *
ht_ranges_here(void)
{
	static struct ht_ranges nobodys; /* while the recorder starts us */
	struct ht_thread *t = ht_thread_known();

	return t ? &t->ranges : &nobodys;
}

/* ---- what we are ------------------------------------------------------ */

static bool
is_in(const struct ht_area *a, uint64_t pc)
{
	return pc - a->start < a->size;
}

static bool
is_moved(uint64_t pc)
{
	for (unsigned i = 0; i < HT_NEAR_MAX; i++)
		if (is_in(&ht_head.near[i], pc))
			return true;
	return false;
}

bool
ht_moved_object(uint64_t pc, struct ht_object *o)
{
	const ElfW(Phdr) *ph =
	    (const ElfW(Phdr) *)((const char *)&ht_image + ht_image.e_phoff);

	if (!is_in(&ht_head.image, pc) && !is_moved(pc))
		return false;
	*o = (struct ht_object){
	    .start = ht_head.image.start,
	    .end = ht_head.image.start + ht_head.image.size,
	    .bias = ht_head.image.start,
	    .name = "libht-attach.so",
	    .headers = ph,
	    .nheaders = ht_image.e_phnum,
	};
	for (unsigned i = 0; i < ht_image.e_phnum; i++)
		if (ph[i].p_type == PT_GNU_EH_FRAME)
			o->eh_frame_hdr = o->bias + ph[i].p_vaddr;
	return true;
}

uint64_t
ht_moved_origin(uint64_t pc)
{
	return is_moved(pc) ? ht_patches_origin(ht_head.patch, pc) : pc;
}

/* ---- the start -------------------------------------------------------- */

/* Run once by the recorder, in a thread that it has stopped anywhere. */
static int
start(void)
{
	ht_pid = (int)syscall(SYS_getpid);
	ht_ring = (struct ht_ring *)ht_head.ring.start;
	ht_slots.first =
	    (struct ht_rec *)((char *)ht_ring + ht_ring->records_at);
	ht_slots.mask = ((uint64_t)1 << ht_ring->shift) - 1;
	ht_tid_at = ht_head.tid_at;
	ht_places = ht_map_memory(PLACES * sizeof *ht_places);
	if (!ht_places) {
		strcpy(ht_ring->why, "there is no memory");
		return -1;
	}
	atomic_store(&ht_ring->claimed, (uint32_t)ht_pid);
	ht_objects_init(ht_ring->flags & HT_RING_LINK_MAP);
	ht_frames_init(ht_ring);
	ht_sample_init(ht_ring);
	/* Calls that come before the recorder says so find it not over. */
	atomic_store(&ht_live->on, HT_NOT_STARTED);
	if (ht_capture_init() == -1)
		return -1;
	ht_api_init();
	ht_objects_each(ht_imports_set);
	return 0;
}

extern char call_function[] __asm__("ht_attached_call");
extern char call_done[] __asm__("ht_attached_done");

/* A call, so that a shadow stack is in step; the system call is one that does
 * nothing: the recorder waits for it. Behind is what a thread finds back by, if
 * the recorder is gone. */
__asm__(".text\n"
	"ht_attached_call:\n\t"
	"call *%rax\n\t"
	"mov %rax, %rdi\n\t"
	"mov $39, %eax\n" /* getpid */
	"ht_attached_done:\n\t"
	"syscall\n\t"
	"mov %rbx, %rsp\n\t"
	"mov $15, %eax\n\t" /* rt_sigreturn */
	"syscall\n\t"
	"hlt\n");

#define HOOK(f)                                                                \
	{                                                                      \
#f, (uint64_t)f, (uint64_t)&ht_real.f, 0, 0                    \
	}

#define MAPPING(f)                                                             \
	{                                                                      \
#f, (uint64_t)f, (uint64_t)&ht_real.f, 0, HT_RING_MAPS         \
	}

extern void *memalign(size_t, size_t);
extern void *valloc(size_t);
extern void *pvalloc(size_t);
extern void *reallocarray(void *, size_t, size_t);
extern void heaptrack_malloc(void *, size_t);
extern void heaptrack_free(void *);
extern void heaptrack_realloc(void *, size_t, void *);

static struct ht_entry entries[HT_PATCHES_MAX];

struct ht_head ht_head = {
    .magic = HT_HEAD_MAGIC,
    .start = (uint64_t)start,
    .call = (uint64_t)call_function,
    .done = (uint64_t)call_done,
    .live = (uint64_t)&live,
    .entry_points = (uint64_t)ht_entry_points,
    .entries = (uint64_t)entries,
    .entry_hook = (uint64_t)ht_entry_hook,
    .heaptrack = {(uint64_t)heaptrack_malloc, (uint64_t)heaptrack_free,
	(uint64_t)heaptrack_realloc},
    .label = "ht-attach",
    .ring_name = "ht-ring",
    .hook =
	{
	    HOOK(malloc),
	    HOOK(free),
	    HOOK(calloc),
	    HOOK(realloc),
	    HOOK(posix_memalign),
	    HOOK(aligned_alloc),
	    HOOK(memalign),
	    HOOK(valloc),
	    HOOK(pvalloc),
	    HOOK(dlclose),
	    HOOK(prctl),
	    {"reallocarray", (uint64_t)reallocarray, 0, 0, 0},
	    {"malloc_usable_size", 0, (uint64_t)&ht_real.malloc_usable_size, 1,
		0},
	    MAPPING(mmap),
	    MAPPING(munmap),
	    MAPPING(mremap),
	    MAPPING(brk),
	    MAPPING(sbrk),
	},
};
