/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <elf.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#include "ht-record/preload/api.h"
#include "ht-record/preload/frames.h"
#include "ht-record/preload/objects.h"
#include "ht-record/preload/preload.h"

/* What only the program needs to know of a module. */
struct module_note {
	uint64_t start, end;	 /* mapped addresses, half-open */
	_Atomic uint32_t frames; /* list of its frames, through `link` */
};

static struct ht_ring *ring;
static struct ht_frame *frames;
struct ht_node *ht_nodes;
static struct ht_module *modules;
static _Atomic uint32_t *heads;
static char *heap;
static struct module_note note[HT_MODULES_MAX];
_Atomic uint64_t ht_frames_epoch = 1;

static inline uint64_t
hash(uint64_t x)
{
	x *= UINT64_C(0x9e3779b97f4a7c15);
	x ^= x >> 32;
	return x * UINT64_C(0x9e3779b97f4a7c15);
}

struct ht_frame *
ht_frame_ptr(uint32_t index)
{
	return &frames[index];
}

static const _Atomic uint32_t modules_max = HT_MODULES_MAX;

/* A fresh index out of `counter`, or 0 when all `max` are in use; it may become
 * less (rlimits.c), so it is looked at once more. */
static uint32_t
hand_out(_Atomic uint32_t *counter, const _Atomic uint32_t *max)
{
	if (atomic_load_explicit(counter, memory_order_relaxed) >=
	    atomic_load_explicit(max, memory_order_relaxed))
		return 0;
	uint32_t i = atomic_fetch_add(counter, 1);
	return i < atomic_load(max) ? i : 0;
}

/* ---- modules ---------------------------------------------------------- */

static bool
same_object(uint32_t i, const struct ht_object *o)
{
	const struct ht_module *m = &modules[i];

	return note[i].start == o->start && note[i].end == o->end &&
	       strlen(o->name) == m->name_len &&
	       memcmp(o->name, heap + m->name, m->name_len) == 0;
}

static bool
is_live(uint32_t i)
{
	return atomic_load_explicit(&modules[i].state, memory_order_acquire) ==
	       HT_MODULE_LIVE;
}

static void
close_module(uint32_t i)
{
	uint32_t f =
	    atomic_load_explicit(&note[i].frames, memory_order_acquire);

	atomic_store_explicit(
	    &modules[i].state, HT_MODULE_GONE, memory_order_release);
	for (; f; f = atomic_load(&frames[f].link))
		atomic_store_explicit(
		    &frames[f].key, HT_FRAME_DEAD, memory_order_release);
	atomic_fetch_add(&ht_frames_epoch, 1);
}

/* The same file at the same place again: its frames are what they were. */
static bool
reopen_module(uint32_t i, const struct ht_module *as)
{
	struct ht_module *m = &modules[i];
	uint32_t f;

	if (atomic_load(&m->state) != HT_MODULE_GONE || !as->build_id_len ||
	    m->bias != as->bias || m->name_len != as->name_len ||
	    m->nsegments != as->nsegments ||
	    m->build_id_len != as->build_id_len ||
	    memcmp(m->build_id, as->build_id, as->build_id_len) ||
	    memcmp(heap + m->name, heap + as->name, as->name_len))
		return false;
	for (f = atomic_load(&note[i].frames); f;
	     f = atomic_load(&frames[f].link))
		atomic_store(&frames[f].key, atomic_load(&frames[f].pc));
	atomic_store_explicit(&m->state, HT_MODULE_LIVE, memory_order_release);
	return true;
}

static void
read_build_id(struct ht_module *m, const ElfW(Phdr) * ph, uint64_t bias)
{
	const char *p = (const char *)(bias + ph->p_vaddr);
	const char *end = p + ph->p_memsz;

	while ((size_t)(end - p) > sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *n = (const ElfW(Nhdr) *)p;
		const char *name = p + sizeof *n;
		size_t name_size = (n->n_namesz + 3u) & ~(size_t)3;
		const char *desc = name + name_size;

		if (name_size > (size_t)(end - name) ||
		    n->n_descsz > (size_t)(end - desc))
			return;
		if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 &&
		    memcmp(name, "GNU", 4) == 0) {
			m->build_id_len = n->n_descsz < HT_BUILD_ID_MAX
					      ? n->n_descsz
					      : HT_BUILD_ID_MAX;
			memcpy(m->build_id, desc, m->build_id_len);
			return;
		}
		p = desc + ((n->n_descsz + 3u) & ~(size_t)3);
	}
}

/* Segments and build id, from the program headers in memory. */
static void
read_headers(struct ht_module *m, const struct ht_object *o)
{
	const ElfW(Phdr) *ph = o->headers;

	for (unsigned i = 0; i < o->nheaders; i++, ph++) {
		if (ph->p_type == PT_LOAD && m->nsegments < HT_SEGMENTS_MAX) {
			m->segment[m->nsegments].vaddr = ph->p_vaddr;
			m->segment[m->nsegments++].memsz = ph->p_memsz;
		}
		if (ph->p_type == PT_NOTE && !m->build_id_len)
			read_build_id(m, ph, m->bias);
	}
}

uint32_t
ht_frames_keep(const char *text, uint32_t *len)
{
	uint32_t at =
	    atomic_fetch_add_explicit(&ring->heap, *len, memory_order_relaxed);

	if (*len > ring->heap_size || at > ring->heap_size - *len)
		return *len = 0;
	memcpy(heap + at, text, *len);
	return at;
}

/* Publishes the object; its index, or UINT32_MAX when there is no room. Two
 * threads may do this at the same time: then it is there twice, which does no
 * harm: both are closed together. */
static uint32_t
new_module(const struct ht_object *o)
{
	uint32_t count = atomic_load(&ring->modules);
	uint32_t i = hand_out(&ring->modules, &modules_max);
	struct ht_module *m = &modules[i];

	if (i == 0)
		return UINT32_MAX;
	m->bias = o->bias;
	m->name_len = (uint32_t)strlen(o->name);
	m->name = ht_frames_keep(o->name, &m->name_len);
	read_headers(m, o);
	ht_api_enable(o, ht_copy_plainly);
	note[i].start = o->start;
	note[i].end = o->end;
	for (uint32_t j = 1; j < count; j++)
		if (reopen_module(j, m))
			return j;
	atomic_store_explicit(&m->state, HT_MODULE_LIVE, memory_order_release);
	return i;
}

/* The module that owns `pc` now: index, or UINT32_MAX for none. What else we
 * thought to be at its place has been unloaded behind our back. */
static uint32_t
module_at(uint64_t pc)
{
	struct ht_object o;
	uint32_t count = atomic_load(&ring->modules), found = UINT32_MAX;

	if (!ht_object_find(pc, &o))
		return UINT32_MAX;
	for (uint32_t i = 1; i < count && i < HT_MODULES_MAX; i++) {
		if (!is_live(i) || note[i].start >= o.end ||
		    note[i].end <= o.start)
			continue;
		if (same_object(i, &o))
			found = i;
		else
			close_module(i);
	}
	return found != UINT32_MAX ? found : new_module(&o);
}

void
ht_frames_dlclose_begin(void)
{
	atomic_fetch_add(&ht_frames_epoch, HT_CLOSING);
}

void
ht_frames_dlclose_end(void)
{
	uint32_t count = atomic_load(&ring->modules);
	struct ht_object o;

	ht_objects_unloaded();
	for (uint32_t i = 1; i < count && i < HT_MODULES_MAX; i++)
		if (is_live(i) &&
		    !(ht_object_find(note[i].start, &o) && same_object(i, &o)))
			close_module(i);
	atomic_fetch_sub(&ht_frames_epoch, HT_CLOSING);
}

/* ---- frames ----------------------------------------------------------- */

/* Completes a frame whose key was just put in place. Whoever finds it so does
 * the same: the fields come out equal, so nobody waits for anybody. */
static void
complete_frame(uint32_t f, uint64_t key)
{
	uint32_t m = module_at(key);
	uint32_t none = 0, first;

	atomic_store_explicit(&frames[f].pc, key, memory_order_relaxed);
	if (m == UINT32_MAX) {
		atomic_store_explicit(
		    &frames[f].module, HT_NO_MODULE, memory_order_release);
		return;
	}
	if (!atomic_compare_exchange_strong(&frames[f].module, &none, m + 1))
		return;
	first = atomic_load(&note[m].frames);
	do
		atomic_store(&frames[f].link, first);
	while (!atomic_compare_exchange_weak(&note[m].frames, &first, f));
}

/* Walks the trie for `key`; inserts a frame when it is not there. */
static inline __attribute__((always_inline)) uint32_t
find_frame(uint64_t key)
{
	uint64_t h = hash(key);
	_Atomic uint32_t *link = &heads[h >> (64 - HT_FRAME_HEADS)];
	uint32_t fresh = 0;

	for (h <<= HT_FRAME_HEADS;; h <<= 2) {
		uint32_t f = atomic_load_explicit(link, memory_order_acquire);

		if (!f) {
			if (!fresh) {
				fresh =
				    hand_out(&ring->frames, &ring->frame_max);
				if (!fresh)
					return 0;
				atomic_store_explicit(&frames[fresh].key, key,
				    memory_order_relaxed);
			}
			if (atomic_compare_exchange_strong(link, &f, fresh))
				return fresh;
		}
		if (atomic_load_explicit(
			&frames[f].key, memory_order_relaxed) == key)
			return f;
		link = &frames[f].next[h >> 62];
	}
}

/* A frame that was found need not be the one that is there now: true if its
 * module is no longer what is mapped at its pc. */
static bool
stale(uint32_t f, uint32_t module)
{
	struct ht_object o;

	if (module == HT_NO_MODULE)
		return ht_object_find(atomic_load(&frames[f].pc), &o);
	return !ht_object_find(atomic_load(&frames[f].pc), &o) ||
	       !same_object(module - 1, &o);
}

uint32_t
ht_frame_at(uint64_t pc)
{
	for (;;) {
		uint32_t f = find_frame(pc);
		uint32_t m;

		if (unlikely(!f))
			return 0;
		m = atomic_load_explicit(
		    &frames[f].module, memory_order_acquire);
		if (unlikely(!m)) {
			complete_frame(f, pc);
			return f;
		}
		if (likely(m != HT_NO_MODULE &&
			   atomic_load_explicit(&ht_frames_epoch,
			       memory_order_relaxed) < HT_CLOSING))
			return f;
		if (!stale(f, m))
			return f;
		atomic_store(&frames[f].key, HT_FRAME_DEAD);
		atomic_fetch_add(&ht_frames_epoch, 1);
	}
}

uint32_t
ht_frame_qualifier(uint32_t kind, uint64_t value)
{
	uint64_t tag = kind == HT_Q_SIZE      ? 1
		       : kind == HT_Q_POINTER ? 2
		       : kind == HT_Q_KIND    ? 4
					      : 8;
	uint32_t f = find_frame(value | tag << 60);

	if (f) {
		atomic_store(&frames[f].pc, value);
		atomic_store_explicit(
		    &frames[f].module, kind, memory_order_release);
	}
	return f;
}

/* ---- kinds ------------------------------------------------------------ */

uint32_t
ht_kind_of_pool(const char *name, size_t length)
{
	uint32_t len = length < HT_NAME_MAX ? (uint32_t)length : HT_NAME_MAX;
	uint64_t kept = 0;
	uint32_t i;

	for (i = HT_KIND_NAMED; i < HT_KINDS_MAX - 1; i++) {
		/* Acquire: pairs with the exchange below, for the text. */
		uint64_t at =
		    atomic_load_explicit(&ring->kind[i], memory_order_acquire);

		if (at == 0) {
			if (!kept) {
				kept = (uint64_t)ht_frames_keep(name, &len)
				       << 32;
				kept |= len;
			}
			if (!len)
				break; /* no room for a name */
			if (atomic_compare_exchange_strong(
				&ring->kind[i], &at, kept))
				return i;
		}
		if ((uint32_t)at == len &&
		    memcmp(heap + (at >> 32), name, len) == 0)
			return i;
	}
	return HT_KINDS_MAX - 1;
}

/* ---- nodes ------------------------------------------------------------ */

uint32_t
ht_node_find(uint32_t parent, uint32_t frame)
{
	_Atomic uint32_t *link = &ht_nodes[parent].child;
	uint64_t h = hash(frame);
	uint32_t fresh = 0;

	for (;; h <<= 2) {
		uint32_t n = atomic_load_explicit(link, memory_order_acquire);

		if (!n) {
			if (!fresh) {
				fresh = hand_out(&ring->nodes, &ring->node_max);
				if (!fresh)
					return 0;
				ht_nodes[fresh].frame = frame;
				ht_nodes[fresh].parent = parent;
			}
			/* Release: whoever follows the link sees the node. */
			if (atomic_compare_exchange_strong(link, &n, fresh))
				return fresh;
		}
		if (ht_nodes[n].frame == frame)
			return n;
		link = &ht_nodes[n].next[h >> 62];
	}
}

uint32_t
ht_node_frame(uint32_t *node)
{
	const struct ht_node *n = &ht_nodes[*node];

	*node = n->parent;
	return n->frame;
}

/* ---- start ------------------------------------------------------------ */

static void
note_executable(void)
{
	char path[1024];
	ssize_t len = readlink("/proc/self/exe", path, sizeof path);

	ring->exe_len = len > 0 ? (uint32_t)len : 0;
	ring->exe = ht_frames_keep(path, &ring->exe_len);
}

void
ht_frames_init(struct ht_ring *r)
{
	char *base = (char *)r;

	/* Of the ring before, in a forked child. */
	for (uint32_t i = ring ? atomic_load(&ring->modules) : 0; i-- > 0;)
		if (i < HT_MODULES_MAX)
			note[i] = (struct module_note){0};
	ring = r;
	heads = (_Atomic uint32_t *)(base + r->heads_at);
	modules = (struct ht_module *)(base + r->modules_at);
	heap = base + r->heap_at;
	frames = (struct ht_frame *)(base + r->frames_at);
	ht_nodes = (struct ht_node *)(base + r->nodes_at);
	note_executable();
}
