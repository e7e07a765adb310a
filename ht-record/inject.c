/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ht-record/foreign.h"
#include "ht-record/inject.h"
#include "ht-record/linkmap.h"
#include "ht-record/target.h"
#include "ht-record/x86.h"
#include "libht/mem.h"

#define CODE_MAX    (256u << 10) /* of a function */
#define CODE_SIZE   16u		 /* where its symbol has none */
#define SLOT	    128u	 /* bytes of a near page for each function */
#define LIBC_MAX    (UINT64_C(16) << 20) /* of its code */
#define MOVED	    HT_STUB_SIZE /* in a slot: behind the way to the hook */
#define NEAR_SIZE   (uint64_t)(HT_PATCHES_MAX * SLOT)
#define STACK	    (UINT64_C(64) << 10) /* for the start */
#define PATCH_TRIES 300
#define PATIENCE    1
#define LOADING_MAX 30	 /* waits for a moment without a change of the list */
#define TID_BYTES   4096 /* behind the thread pointer */

/* Of linux/prctl.h, where that is young enough. */
#define SET_VMA 0x53564d41

/* What the image needs of the process: a name in its file, and where that is;
 * 0: nowhere. */
struct import {
	const char *name;
	uint64_t at;
};

/* What an attach works with. */
struct work {
	struct ht_target t;
	struct ht_linkmap linked;
	struct ht_injection *in;
	const struct ht_ring_options *options;
	struct ht_remote_way way;
	bool shadow_stack;
	struct import import[32];
	unsigned imports;
	bool nameless;		 /* the kernel has no names for memory */
	int patience;		 /* so often is waited for who is inside */
	int loading;		 /* and for who loads or unloads an object */
	struct ht_inside inside; /* an image that could be used */
	struct ht_symbol symbol[HT_HOOKS_MAX]; /* of each hook; `at` 0: none */
	struct ht_foreigners foreign;	       /* hooks from HT_HOOKS_MAX on */
	char unhooked[192]; /* the first of these that cannot be */
	unsigned patches;
	unsigned first; /* patch that is not in place yet */
	struct ht_x86_moved moved[HT_PATCHES_MAX];
	unsigned hook[HT_PATCHES_MAX]; /* which each patch is for */
};

static void
nap_us(long us)
{
	struct timespec t = {.tv_nsec = us * 1000};

	nanosleep(&t, NULL);
}

/* ---- in: what to hook ------------------------------------------------- */

static const char *
object_name(const struct work *w, size_t i)
{
	const char *name = w->linked.object[i].name;
	const char *slash = strrchr(name, '/');

	return !*name ? "the program" : slash ? slash + 1 : name;
}

static bool
is_patched_already(const struct work *w, uint64_t at)
{
	for (unsigned i = 0; i < w->patches; i++)
		if (w->t.head.patch[i].at == at)
			return true;
	return false;
}

/* The near page that jumps from `at` reach, a new one if there is none; NULL:
 * there can be none. */
static struct ht_area *
near_page(struct work *w, uint64_t at)
{
	for (unsigned i = 0; i < HT_NEAR_MAX; i++) {
		struct ht_area *a = &w->t.head.near[i];
		uint64_t far = at > a->start ? at - a->start : a->start - at;

		if (!a->size) {
			a->start = ht_maps_near(&w->t.maps, at, NEAR_SIZE);
			a->size = a->start ? NEAR_SIZE : 0;
			return a->size ? a : NULL;
		}
		if (far < UINT64_C(2000) << 20)
			return a;
	}
	return NULL;
}

/* Plans the patch of one function. */
static int
plan_patch(struct work *w, unsigned hook, const char *name,
    const struct ht_symbol *s, struct ht_error *err)
{
	struct ht_patch *p = &w->t.head.patch[w->patches];
	struct ht_x86_moved *m = &w->moved[w->patches];
	size_t size = s->size ? s->size : CODE_SIZE;
	struct ht_area *near = near_page(w, s->at);
	const char *why = "";
	uint8_t *code;
	int r = -1;

	if (size > CODE_MAX)
		size = CODE_MAX;
	code = ht_malloc(size);
	if (s->type != STT_FUNC && s->type != STT_NOTYPE)
		why = "it is no plain function";
	else if (!near)
		why = "there is no room near it";
	else if (ht_remote_read(&w->t.remote, s->at, code, size) == -1)
		why = "it cannot be read";
	else
		r = ht_x86_move(m, code, size, s->at,
		    near->start + w->patches * SLOT + MOVED, &why);
	if (r == 0 && m->calls && w->shadow_stack) {
		why = "it begins with a call";
		r = -1;
	}
	if (r == 0) {
		*p = (struct ht_patch){
		    .at = s->at,
		    .moved = near->start + w->patches * SLOT + MOVED,
		    .size = HT_X86_JUMP_SIZE,
		    .taken = (uint8_t)m->taken,
		    .count = (uint8_t)m->count,
		    .back = (uint8_t)(m->size - HT_X86_JUMP_SIZE),
		};
		memcpy(p->old, code, p->size);
		memcpy(p->from, m->from, sizeof p->from);
		memcpy(p->to, m->to, sizeof p->to);
		ht_x86_jump(p->new, p->at, p->moved - MOVED);
		w->hook[w->patches++] = hook;
	}
	free(code);
	if (r == -1)
		ht_error_set(err, "'%s' of %s cannot be hooked: %s", name,
		    object_name(w, s->object), why);
	return r;
}

static const struct ht_entry_point *
foreign_point(const struct work *w, const struct ht_foreign *f)
{
	const struct ht_image *im = w->t.image;

	/* The image may be relocated by now. */
	return (const struct ht_entry_point
		       *)(im->memory +
			  (ht_image_head(im)->entry_points - im->base)) +
	       f->point;
}

static const char *
foreign_name(const struct work *w, const struct ht_foreign *f)
{
	return w->t.image->memory +
	       ((uintptr_t)foreign_point(w, f)->name - w->t.image->base);
}

/* Finds the functions; while the process runs. */
static int
find_functions(struct work *w)
{
	const struct ht_hook *hook = ht_image_head(w->t.image)->hook;

	for (unsigned i = 0; i < HT_HOOKS_MAX && *hook[i].name; i++) {
		struct ht_symbol *s = &w->symbol[i];

		if (!ht_linkmap_find(
			&w->linked, &w->t.remote, hook[i].name, s)) {
			s->at = 0;
			/* malloc and free there must be. */
			if (i < 2)
				return ht_error_set(w->t.err,
				    "cannot record process %d: it has no "
				    "function '%s': its C library is not known",
				    (int)w->t.remote.pid, hook[i].name);
		}
		/* Of another allocator it knows nothing. */
		if (hook[i].only_called && s->object != w->symbol[0].object)
			s->at = 0;
	}
	return 0;
}

/* Plans those of other allocators, as far as there is room. One that cannot be
 * hooked is told, and the rest are. */
static void
plan_foreign(struct work *w)
{
	struct ht_error why = {""}, *first = &why, ignored;

	for (unsigned i = 0; i < w->foreign.entries; i++) {
		const struct ht_foreign *f = &w->foreign.entry[i];

		if (foreign_point(w, f)->op != HT_ENTRY_USABLE &&
		    w->patches < HT_PATCHES_MAX &&
		    !is_patched_already(w, f->symbol.at) &&
		    plan_patch(w, HT_HOOKS_MAX + i, foreign_name(w, f),
			&f->symbol, first) == -1)
			first = &ignored;
	}
	snprintf(w->unhooked, sizeof w->unhooked, "%s", why.text);
}

/* Plans the patches, all threads being stopped. */
static int
plan(struct work *w)
{
	const struct ht_hook *hook = ht_image_head(w->t.image)->hook;
	uint32_t flags = w->options->flags;
	struct ht_error why = {""};

	w->patches = 0;
	memset(w->t.head.patch, 0, sizeof w->t.head.patch);
	for (unsigned i = 0; i < HT_HOOKS_MAX; i++)
		/* aligned_alloc is mostly memalign. */
		if (w->symbol[i].at && !hook[i].only_called &&
		    (!hook[i].only_with || flags & hook[i].only_with) &&
		    !is_patched_already(w, w->symbol[i].at) &&
		    plan_patch(w, i, hook[i].name, &w->symbol[i], &why) == -1)
			return ht_error_set(w->t.err,
			    "cannot record process %d: %s",
			    (int)w->t.remote.pid, why.text);
	plan_foreign(w);
	return 0;
}

/* ---- in: memory ------------------------------------------------------- */

/* Looked up once, while the process runs, and remembered for when it is
 * stopped. */
static uint64_t
resolve(void *arg, const char *name)
{
	struct work *w = arg;
	struct ht_symbol s;
	unsigned i = 0;

	for (; i < w->imports; i++)
		if (!strcmp(w->import[i].name, name))
			return w->import[i].at;
	if (!ht_linkmap_find(&w->linked, &w->t.remote, name, &s) ||
	    s.type == STT_GNU_IFUNC)
		s.at = 0;
	if (i < HT_LEN(w->import))
		w->import[w->imports++] = (struct import){name, s.at};
	return s.at;
}

static int
refused(struct work *w, const char *what, long result)
{
	errno = (int)-result;
	return ht_error_errno(w->t.err,
	    "cannot record process %d: in it the kernel refused %s",
	    (int)w->t.remote.pid, what);
}

/* Maps memory there; 0 with the error set if that is refused. */
static uint64_t
map(struct work *w, uint64_t at, uint64_t size, int prot, int flags,
    const char *what)
{
	long r =
	    ht_remote_syscall(&w->t.remote, SYS_mmap, at, size, (uint64_t)prot,
		(uint64_t)(MAP_PRIVATE | MAP_ANONYMOUS | flags), UINT64_MAX, 0);

	if (r > -4096 && r < 0) {
		refused(w, what, r);
		return 0;
	}
	return (uint64_t)r;
}

/* What /proc/PID/maps calls it. An older kernel has no names. */
static void
name_memory(struct work *w, uint64_t at, uint64_t size)
{
	if (!w->nameless)
		w->nameless = ht_remote_syscall(&w->t.remote, SYS_prctl,
				  SET_VMA, 0, at, size,
				  w->t.head.image.start + w->t.image->head +
				      offsetof(struct ht_head, label),
				  0) < 0;
}

/* The image's memory, for one that is not there yet. */
static int
map_image(struct work *w)
{
	struct ht_image *im = w->t.image;
	uint64_t base = map(w, 0, im->size, PROT_NONE, 0, "memory");

	if (!base ||
	    !map(w, base, im->text, PROT_READ | PROT_EXEC, MAP_FIXED,
		"memory for code") ||
	    !map(w, base + im->data, im->size - im->data,
		PROT_READ | PROT_WRITE, MAP_FIXED, "memory"))
		return -1;
	w->t.head.image = (struct ht_area){base, im->size};
	return 0;
}

static uint64_t
new_generation(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec)
		   << 22 |
	       (uint64_t)getpid();
}

/* Fresh data; with the text, if there is a new one. */
static int
write_image(struct work *w, bool fresh)
{
	struct ht_image *im = w->t.image;
	uint64_t base = w->t.head.image.start, live;
	struct ht_head *h, *old = &w->t.head;
	long r;

	if (ht_image_relocate(im, base, resolve, w, w->t.err) == -1)
		return -1;
	h = ht_image_head(im);
	h->image = old->image;
	h->generation = w->in->generation = new_generation();
	memcpy(h->near, old->near, sizeof h->near);
	memcpy(h->patch, old->patch, sizeof h->patch);
	memcpy(h->auxv, w->linked.auxv, sizeof h->auxv);
	w->t.head = *h;
	w->t.head_at = base + im->head;
	live = h->live;
	if (!fresh)
		ht_remote_syscall(&w->t.remote, SYS_madvise, base + im->data,
		    im->size - im->data, MADV_DONTNEED, 0, 0, 0);
	if ((fresh && ht_remote_write(
			  &w->t.remote, base, im->memory, im->text) == -1) ||
	    ht_remote_write(&w->t.remote, base + im->data,
		im->memory + im->data, im->filled) == -1)
		return ht_error_errno(w->t.err,
		    "cannot write to the memory of process %d",
		    (int)w->t.remote.pid);
	r = ht_remote_syscall(
	    &w->t.remote, SYS_madvise, live, HT_PAGE, MADV_WIPEONFORK, 0, 0, 0);
	if (r < 0)
		return refused(w, "MADV_WIPEONFORK", r);
	for (unsigned i = 0; i < HT_NEAR_MAX && h->near[i].size; i++)
		name_memory(w, h->near[i].start, h->near[i].size);
	if (fresh) {
		name_memory(w, base, im->text);
		name_memory(w, base + im->data, im->size - im->data);
	}
	return 0;
}

/* Before all else, while what is planned is still free. */
static int
map_near(struct work *w)
{
	for (unsigned i = 0; i < HT_NEAR_MAX; i++) {
		struct ht_area *a = &w->t.head.near[i];

		/* There is one of an attach before. */
		if (!a->size || ht_maps_find(&w->t.maps, a->start))
			continue;
		if (map(w, a->start, a->size, PROT_READ | PROT_EXEC,
			MAP_FIXED_NOREPLACE, "memory for code") != a->start)
			return ht_error_set(w->t.err,
			    "cannot record process %d: there is no room near "
			    "its C library",
			    (int)w->t.remote.pid);
	}
	return 0;
}

/* What says how large the blocks of a function are, or 0. */
static uint64_t
usable_of(struct work *w, const struct ht_foreign *f)
{
	uint64_t at = 0;

	for (unsigned i = 0; i < w->foreign.entries; i++) {
		const struct ht_foreign *say = &w->foreign.entry[i];

		if (say->symbol.object == f->symbol.object &&
		    say->symbol.type == STT_FUNC &&
		    ht_entry_knows(foreign_point(w, say), foreign_point(w, f),
			f->symbol.object == 0))
			at = say->symbol.at;
	}
	return at;
}

/* What the hook of patch number `i`, of another allocator, is to know. */
static int
write_entry(struct work *w, unsigned i, uint64_t *at)
{
	const struct ht_foreign *f =
	    &w->foreign.entry[w->hook[i] - HT_HOOKS_MAX];
	const struct ht_entry_point *point = foreign_point(w, f);
	struct ht_entry e = {
	    .point = (const struct ht_entry_point
		    *)(uintptr_t)(w->t.head.entry_points +
				  f->point * sizeof *point),
	    .real = w->t.head.patch[i].moved,
	    .module = f->module,
	    .usable = (size_t(*)(void *))(uintptr_t)usable_of(w, f),
	};

	if (point->throws) {
		e.nothrow =
		    ht_foreign_at(&w->foreign, f->symbol.object, f->point + 1);
		for (unsigned k = 0; k < w->patches; k++)
			if (w->t.head.patch[k].at == e.nothrow)
				e.nothrow = w->t.head.patch[k].moved;
	}
	*at = w->t.head.entries + i * sizeof e;
	return ht_remote_write(&w->t.remote, *at, &e, sizeof e);
}

/* The moved instructions, with the jumps to the hooks. */
static int
write_near(struct work *w)
{
	struct ht_head *h = &w->t.head;

	for (unsigned i = 0; i < HT_HOOKS_MAX; i++)
		if (h->hook[i].only_called && w->symbol[i].at &&
		    ht_remote_write(&w->t.remote, h->hook[i].real,
			&w->symbol[i].at, sizeof w->symbol[i].at) == -1)
			return ht_error_errno(w->t.err,
			    "cannot write to the memory of process %d",
			    (int)w->t.remote.pid);
	for (unsigned i = w->first; i < w->patches; i++) {
		const struct ht_patch *p = &h->patch[i];
		static const struct ht_hook none;
		const struct ht_hook *hook =
		    w->hook[i] < HT_HOOKS_MAX ? &h->hook[w->hook[i]] : &none;
		uint8_t code[MOVED + HT_MOVED_MAX] = {0};
		uint64_t entry = 0;
		int r = 0;

		if (hook == &none) {
			r = write_entry(w, i, &entry);
			memcpy(code, "\x49\xbb", 2); /* mov $entry, %r11 */
			memcpy(code + 2, &entry, sizeof entry);
			ht_x86_far_jump(code + 10, h->entry_hook);
		} else {
			ht_x86_far_jump(code, hook->hook);
		}
		memcpy(code + MOVED, w->moved[i].code, w->moved[i].size);
		if (r == -1 ||
		    ht_remote_write(&w->t.remote, p->moved - MOVED, code,
			sizeof code) == -1 ||
		    (hook->real && ht_remote_write(&w->t.remote, hook->real,
				       &p->moved, sizeof p->moved) == -1))
			return ht_error_errno(w->t.err,
			    "cannot write to the memory of process %d",
			    (int)w->t.remote.pid);
	}
	return 0;
}

static int
map_arena(struct work *w)
{
	struct ht_error quiet = {""}, *err = w->t.err;
	uint64_t at = 0, size = UINT64_C(1) << 30;

	w->t.err = &quiet;
	for (; !at && size > UINT64_C(8) << 20; size /= 4)
		at = map(w, 0, size, PROT_READ | PROT_WRITE, MAP_NORESERVE,
		    "memory");
	w->t.err = err;
	if (!at)
		return ht_error_set(w->t.err, "%s", quiet.text);
	size *= 4;
	name_memory(w, at, size);
	w->t.head.arena = (struct ht_area){at, size};
	return 0;
}

/* ---- in: the ring ----------------------------------------------------- */

/* A copy of the descriptor `fd` of the process. */
static int
take_descriptor(struct work *w, int fd)
{
	int pid_fd = (int)syscall(SYS_pidfd_open, w->t.remote.pid, 0),
	    copy = -1;
	char path[64];

	if (pid_fd != -1) {
		copy = (int)syscall(SYS_pidfd_getfd, pid_fd, fd, 0);
		close(pid_fd);
	}
	if (copy == -1) {
		snprintf(path, sizeof path, "/proc/%d/fd/%d",
		    (int)w->t.remote.pid, fd);
		copy = open(path, O_RDWR | O_CLOEXEC);
	}
	return copy;
}

/* A memory file of the process's: its descriptor there. Where all descriptors
 * are in use, one more is allowed for the moment. */
static long
make_file(struct work *w)
{
	uint64_t name = w->t.head_at + offsetof(struct ht_head, ring_name);
	struct rlimit was, more;
	long fd = ht_remote_syscall(
	    &w->t.remote, SYS_memfd_create, name, MFD_CLOEXEC, 0, 0, 0, 0);

	if (fd != -EMFILE ||
	    prlimit(w->t.remote.pid, RLIMIT_NOFILE, NULL, &was) == -1)
		return fd;
	more = was;
	more.rlim_cur += 64;
	if (more.rlim_cur > more.rlim_max)
		more.rlim_max = more.rlim_cur;
	if (prlimit(w->t.remote.pid, RLIMIT_NOFILE, &more, NULL) == -1)
		return fd;
	fd = ht_remote_syscall(
	    &w->t.remote, SYS_memfd_create, name, MFD_CLOEXEC, 0, 0, 0, 0);
	prlimit(w->t.remote.pid, RLIMIT_NOFILE, &was, NULL);
	return fd;
}

/* Tells of other allocators: which are hooked, and of the first that is not. */
static void
note_foreign(struct work *w, const char *unhooked)
{
	struct ht_ring *ring = w->in->ring;

	if (!*ring->note)
		snprintf(ring->note, sizeof ring->note, "%s", unhooked);
	for (unsigned i = w->first; i < w->patches; i++)
		if (w->hook[i] >= HT_HOOKS_MAX)
			ring->allocators |=
			    w->foreign.entry[w->hook[i] - HT_HOOKS_MAX]
					.symbol.object == 0
				? HT_ALLOCATOR_WITHIN
				: HT_ALLOCATOR_ELSEWHERE;
}

/* Makes the ring in a file of the process, so in memory that is its own, and
 * maps it here and there. No descriptor stays. */
static int
make_ring(struct work *w)
{
	struct ht_injection *in = w->in;
	struct ht_ring_options options = *w->options;
	long fd = make_file(w), at;
	int r = -1;

	options.pid = w->t.remote.pid;
	if (fd < 0)
		return refused(w, "a memory file", fd);
	in->ring_fd = take_descriptor(w, (int)fd);
	if (in->ring_fd == -1) {
		ht_error_errno(w->t.err, "cannot share memory with process %d",
		    (int)w->t.remote.pid);
	} else if ((in->ring = ht_shm_fill(&options, in->ring_fd, w->t.err))) {
		at = ht_remote_syscall(&w->t.remote, SYS_mmap, 0,
		    in->ring->size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_NORESERVE, (uint64_t)fd, 0);
		if (at > -4096 && at < 0) {
			refused(w, "memory for the ring", at);
		} else {
			w->t.head.ring =
			    (struct ht_area){(uint64_t)at, in->ring->size};
			r = 0;
		}
	}
	ht_remote_syscall(&w->t.remote, SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0);
	if (r == 0) {
		note_foreign(w, w->unhooked);
		ht_remote_syscall(&w->t.remote, SYS_madvise,
		    w->t.head.ring.start, w->t.head.ring.size, MADV_DONTDUMP, 0,
		    0, 0);
		if (w->t.seccomp)
			atomic_fetch_or(&in->ring->control, HT_CTL_NO_CALLS);
	}
	return r;
}

/* ---- in: the start ---------------------------------------------------- */

/* Where libc notes a thread's tid, from its thread pointer: where it is so for
 * the thread that is stopped. */
static int
find_tid(struct work *w)
{
	static const uint32_t usual[] = {0x2d0, 0x30}; /* glibc, musl */
	const struct ht_remote_thread *th = &w->t.remote.worker;
	uint32_t word[TID_BYTES / 4];
	long tid = ht_target_number(&w->t, th->tid, "NSpid:");
	uint64_t tp = th->regs.fs_base;
	size_t n = HT_LEN(word);

	if (tid == -1)
		tid = th->tid;
	while (n > 64 && ht_remote_read(&w->t.remote, tp, word, n * 4) == -1)
		n /= 2;
	for (size_t i = 0; tp && i < HT_LEN(usual); i++)
		if (usual[i] / 4 < n && word[usual[i] / 4] == (uint32_t)tid) {
			w->t.head.tid_at = usual[i];
			return 0;
		}
	for (size_t i = 0; tp && i < n; i++)
		if (word[i] == (uint32_t)tid) {
			w->t.head.tid_at = i * 4;
			return 0;
		}
	return ht_error_set(w->t.err,
	    "cannot record process %d: its C library does not say where it "
	    "keeps the ids of threads",
	    (int)w->t.remote.pid);
}

static int
run_start(struct work *w)
{
	struct ht_head *h = &w->t.head;
	uint64_t stack = map(w, 0, STACK, PROT_READ | PROT_WRITE, 0, "memory");
	long r;

	if (!stack)
		return -1;
	r = ht_remote_call(
	    &w->t.remote, h->call, h->done, h->start, stack + STACK);
	ht_remote_syscall(&w->t.remote, SYS_munmap, stack, STACK, 0, 0, 0, 0);
	if (r == 0)
		return 0;
	if (r == -1)
		return ht_error_set(w->t.err, "cannot record process %d: %s",
		    (int)w->t.remote.pid, w->in->ring->why);
	return ht_error_set(w->t.err,
	    "cannot record process %d: the library could not start in it",
	    (int)w->t.remote.pid);
}

/* ---- in: the patches -------------------------------------------------- */

/* Will a signal handler return to between two of the instructions that are
 * replaced? */
static bool
will_return_between(struct work *w, struct ht_wanted *wanted)
{
	for (size_t i = 0; i < w->t.remote.threads; i++)
		if (ht_target_thread_has(
			&w->t, &w->t.remote.thread[i], wanted, false))
			return true;
	return false;
}

/* Where heaptrack_api.h found nobody, or the image when it was asleep. */
static void
fill_tables(struct work *w)
{
	const struct ht_head *h = &w->t.head;
	uint64_t is[HT_LEN(h->heaptrack)];

	for (size_t k = 0; k < w->foreign.tables; k++) {
		bool free = ht_remote_read(&w->t.remote, w->foreign.table[k],
				is, sizeof is) == 0;

		for (size_t i = 0; i < HT_LEN(is); i++)
			free &=
			    !is[i] || is[i] - h->image.start < h->image.size;
		if (free)
			ht_remote_write(&w->t.remote, w->foreign.table[k],
			    h->heaptrack, sizeof h->heaptrack);
	}
}

/* Puts the jumps in place, all threads being stopped. False, and not *failed:
 * that cannot be done now. */
static bool
patch(struct work *w, bool *failed)
{
	struct ht_head *h = &w->t.head;
	struct ht_wanted wanted = {0};
	const struct ht_ring *r = w->in->ring;
	uint32_t on = ht_on_for(r);
	uint64_t generation = 0;

	*failed = true;
	ht_remote_read(&w->t.remote,
	    w->t.head_at + offsetof(struct ht_head, generation), &generation,
	    sizeof generation);
	if (generation != h->generation) {
		ht_error_set(w->t.err,
		    "process %d is recorded already, from a moment ago",
		    (int)w->t.remote.pid);
		return false;
	}
	for (unsigned i = w->first; i < w->patches; i++) {
		uint8_t is[sizeof h->patch[i].old];

		ht_want(&wanted, h->patch[i].at + 1, HT_X86_JUMP_SIZE - 1);
		if (ht_remote_read(&w->t.remote, h->patch[i].at, is,
			h->patch[i].size) == -1 ||
		    memcmp(is, h->patch[i].old, h->patch[i].size) != 0) {
			ht_error_set(w->t.err,
			    "cannot record process %d: its code has changed",
			    (int)w->t.remote.pid);
			return false;
		}
	}
	*failed = false;
	if (ht_maps_read(&w->t.maps, w->t.remote.pid) == -1 ||
	    will_return_between(w, &wanted))
		return false;
	for (size_t i = 0; i < w->t.remote.threads; i++) {
		struct ht_remote_thread *th = &w->t.remote.thread[i];
		uint64_t pc = th->regs.rip;

		for (unsigned k = w->first; k < w->patches; k++) {
			const struct ht_patch *p = &h->patch[k];

			if (pc - p->at - 1 >= p->size - 1u)
				continue;
			for (unsigned j = 0; j < p->count; j++)
				if (p->at + p->from[j] == pc)
					ht_remote_move(th, p->moved + p->to[j]);
		}
	}
	h->patched = 1;
	*failed = ht_target_write_head(&w->t) == -1;
	for (unsigned i = w->first; !*failed && i < w->patches; i++)
		*failed = ht_remote_write(&w->t.remote, h->patch[i].at,
			      h->patch[i].new, h->patch[i].size) == -1;
	if (!*failed)
		*failed = ht_remote_write(
			      &w->t.remote, h->live, &on, sizeof on) == -1;
	if (!*failed)
		fill_tables(w);
	if (*failed) {
		ht_error_errno(w->t.err,
		    "cannot write to the code of process %d",
		    (int)w->t.remote.pid);
		if (!w->first)
			ht_target_unhook(&w->t, NULL);
	}
	return !*failed;
}

static int
patch_when_possible(struct work *w)
{
	struct ht_error *err = w->t.err;
	bool failed = false;

	for (unsigned i = 0; !failed && i < PATCH_TRIES; i++) {
		struct ht_error why = {""};
		bool done = false;

		w->t.err = &why;
		if (ht_remote_stop_all(&w->t.remote, w->t.err) == 0)
			done = patch(w, &failed);
		else
			failed = !w->t.remote.again;
		ht_remote_go(&w->t.remote);
		w->t.err = err;
		if (done)
			return 0;
		if (failed || (i == PATCH_TRIES - 1 && *why.text))
			return ht_error_set(err, "%s", why.text);
		nap_us(1000 + 200 * (long)i);
	}
	return ht_error_set(w->t.err,
	    "cannot record process %d: a signal handler has interrupted an "
	    "allocation in it and does not return",
	    (int)w->t.remote.pid);
}

/* ---- in --------------------------------------------------------------- */

/* Looks for instructions in the code from `at` to `end`; 0: there are none. */
static uint64_t
find_code(struct work *w, uint64_t at, uint64_t end, const char *what, size_t n)
{
	size_t size = end > at && end - at < LIBC_MAX ? (size_t)(end - at) : 0;
	char *code = ht_malloc(size + 1), *p = NULL;

	if (size && ht_remote_read(&w->t.remote, at, code, size) == 0)
		p = memmem(code, size, what, n);
	if (p)
		at += (uint64_t)(p - code);
	free(code);
	return p ? at : 0;
}

/* The code that a thread of it will work with: of the libc, else of the kernel,
 * where nothing follows a system call by which it would find back. */
static int
find_way(struct work *w)
{
	uint64_t at = ht_linkmap_aux(&w->linked, AT_SYSINFO_EHDR);
	const struct ht_map *m = ht_maps_find(&w->t.maps, at);
	struct ht_symbol s = {0};

	if (ht_linkmap_find(&w->linked, &w->t.remote, "syscall", &s) &&
	    (m = ht_maps_find(&w->t.maps, s.at))) {
		w->way.sigreturn = find_code(
		    w, m->start, m->end, HT_RESTORER, HT_RESTORER_SIZE);
		w->way.syscall =
		    find_code(w, m->start, m->end, "\x0f\x05\xc3", 3);
	}
	if (w->way.sigreturn && w->way.syscall)
		return 0;
	m = ht_maps_find(&w->t.maps, at);
	w->way = (struct ht_remote_way){
	    m ? find_code(w, at, m->end, "\x0f\x05", 2) : 0, 0};
	if (!w->way.syscall && s.at)
		w->way.syscall = find_code(w, s.at, s.at + 64, "\x0f\x05", 2);
	return w->way.syscall
		   ? 0
		   : ht_error_set(w->t.err,
			 "cannot record process %d: it has no way to make a "
			 "system call",
			 (int)w->t.remote.pid);
}

/* Where returns are compared with calls, none may be made by a jump. */
static bool
has_shadow_stack(pid_t pid)
{
	char path[64], *line = NULL;
	size_t size = 0;
	bool has = false;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && getline(&line, &size, f) > 0)
		has |= !strncmp(line, "x86_Thread_features:", 20) &&
		       strstr(line, "shstk");
	free(line);
	if (f)
		fclose(f);
	return has;
}

/* A recorder that lives has it. One that died, and its guardian with it, is
 * cleaned up after. */
static bool
is_in_use(struct ht_target *t, bool same, void *arg)
{
	(void)same, (void)arg;
	if (ht_target_is_recorded(t))
		return true;
	ht_target_unhook(t, NULL);
	return false;
}

/* An image that no thread is in can be used again; another is left alone. The
 * memory of a recording is gone only when all are out. */
static bool
is_of_use(struct ht_target *t, bool same, void *arg)
{
	struct work *w = arg;

	if (!same)
		return false;
	if (!ht_target_has_memory(t))
		return true;
	free(w->inside.tid);
	if (ht_target_note_inside(t, &w->inside))
		return false;
	return ht_target_free_memory(t) == 0;
}

/* Is it recorded from its start on? A child of such a process has the ring
 * mapped, too. */
static bool
is_launched(struct work *w)
{
	struct ht_target *t = &w->t;
	struct ht_ring r;

	for (size_t i = 0; i < t->maps.count; i++)
		if (t->maps.map[i].ring &&
		    ht_remote_read(
			&t->remote, t->maps.map[i].start, &r, sizeof r) == 0 &&
		    r.magic == HT_RING_MAGIC && (long)r.claimed == t->pid &&
		    r.alive && !(r.alive & FUTEX_OWNER_DIED) &&
		    !(r.control & HT_CTL_STOP))
			return true;
	return false;
}

/* How an attach is up to the patches. REFUSED: with the error set. */
enum prepared {
	REFUSED = -1,
	PREPARED,
	INSIDE,	 /* there is an image that will be of use in a moment */
	LOADING, /* see is_loading() */
};

/* Everything but the patches. All threads are stopped, one works. */
static enum prepared
put_image(struct work *w)
{
	static const struct ht_head none;
	bool fresh;
	int r;

	w->inside.count = 0;
	fresh = !ht_target_images(&w->t, is_of_use, w);
	if (fresh && w->inside.count && w->patience-- > 0)
		return INSIDE;
	if (fresh)
		w->t.head = none;
	if (plan(w) == -1 || ht_remote_work_begin(&w->t.remote, &w->way,
				 ht_target_room(&w->t), w->t.err) == -1)
		return REFUSED;
	if (map_near(w) == -1 || (fresh && map_image(w) == -1) ||
	    write_image(w, fresh) == -1)
		return REFUSED;
	/* The main thread's pointer, if it is the one that works. */
	w->t.head.main_thread = w->t.remote.worker.tid == w->t.remote.pid
				    ? w->t.remote.worker.regs.fs_base
				    : 0;
	r = write_near(w) == -1 || map_arena(w) == -1 || make_ring(w) == -1 ||
		    find_tid(w) == -1
		? -1
		: 0;
	/* What there is now, it says, so that it can be freed. */
	if (ht_target_write_head(&w->t) == -1 && r == 0)
		r = ht_error_errno(w->t.err,
		    "cannot write to the memory of process %d",
		    (int)w->t.remote.pid);
	return r == 0 && run_start(w) == 0 ? PREPARED : REFUSED;
}

/* One who is stopped while he changes the loader's list would have the start
 * read it with care: by system calls, each of which takes long there. */
static bool
is_loading(struct work *w)
{
	return w->loading > 0 &&
	       ht_linkmap_changes(w->linked.debug, &w->t.remote);
}

static enum prepared
prepare(struct work *w)
{
	enum prepared r = REFUSED;

	if (ht_remote_stop_all(&w->t.remote, w->t.err) == -1)
		return REFUSED;
	if (is_loading(w))
		r = LOADING;
	else if (ht_maps_read(&w->t.maps, w->t.remote.pid) == -1)
		ht_error_errno(w->t.err, "cannot see the memory of process %d",
		    (int)w->t.remote.pid);
	else if (ht_target_images(&w->t, is_in_use, NULL) || is_launched(w))
		ht_error_set(w->t.err, "process %d is recorded already",
		    (int)w->t.remote.pid);
	else
		r = put_image(w);
	ht_remote_go(&w->t.remote);
	return r;
}

/* Whoever is to be waited for has a moment. */
static void
wait_for(struct work *w, enum prepared what)
{
	if (what == INSIDE) {
		ht_target_wait_outside(&w->t, &w->inside);
		return;
	}
	do {
		nap_us(300 + 100 * (LOADING_MAX - w->loading));
		w->loading--;
	} while (is_loading(w));
}

static int
inject(struct work *w)
{
	enum prepared r;

	if (ht_linkmap_read(&w->linked, &w->t.remote, w->t.err) == -1 ||
	    ht_image_relocate(w->t.image, 0, resolve, w, w->t.err) == -1 ||
	    find_functions(w) == -1 || find_way(w) == -1)
		return -1;
	ht_foreign_find(&w->foreign, &w->linked, &w->t.remote, w->t.image);
	w->shadow_stack = has_shadow_stack(w->t.remote.pid);
	w->patience = PATIENCE;
	w->loading = LOADING_MAX;
	if (is_loading(w))
		wait_for(w, LOADING);
	while ((r = prepare(w)) > PREPARED)
		wait_for(w, r);
	if (r == REFUSED)
		return -1;
	return w->in->ready(w->in) ? patch_when_possible(w) : -1;
}

int
ht_inject(struct ht_injection *in, pid_t pid, struct ht_image *image,
    const struct ht_ring_options *o, struct ht_error *err)
{
	struct work *w = ht_calloc(1, sizeof *w);
	struct ht_error ignored = {""};
	int r;

	in->ring = NULL;
	in->ring_fd = -1;
	in->generation = 0;
	w->in = in;
	w->options = o;
	if (ht_target_open(&w->t, pid, image, err) == -1) {
		free(w);
		return -1;
	}
	r = inject(w);
	if (w->t.remote.longest > in->stop_us)
		in->stop_us = w->t.remote.longest;
	in->head = w->t.head_at;
	in->debug = w->linked.debug;
	in->objects = 0; /* what came meanwhile is later, too */
	in->again = w->t.remote.again;
	ht_target_close(&w->t);
	ht_linkmap_release(&w->linked);
	free(w->inside.tid);
	ht_foreign_release(&w->foreign);
	free(w);
	if (r == -1 && in->generation)
		ht_withdraw(in, pid, image, &ignored);
	if (r == -1 && in->ring) {
		ht_shm_free(in->ring);
		close(in->ring_fd);
		in->ring = NULL;
	}
	return r;
}

/* ---- later ------------------------------------------------------------ */

/* What was unloaded is not hooked any more. */
static void
forget_gone(struct work *w)
{
	for (unsigned i = 0; i < w->patches; i++) {
		struct ht_patch *p = &w->t.head.patch[i];
		uint8_t is[sizeof p->new];

		if (ht_remote_read(&w->t.remote, p->at, is, p->size) == -1 ||
		    memcmp(is, p->new, p->size) != 0)
			p->at = 0;
	}
}

/* What was loaded since may lie far from what was mapped for others. */
static int
map_more(struct work *w)
{
	struct ht_remote_way way = {w->t.head.done, w->t.head.done + 2};
	int r = -1;

	if (ht_remote_stop_all(&w->t.remote, w->t.err) == -1)
		return -1;
	if (ht_maps_read(&w->t.maps, w->t.remote.pid) == 0 &&
	    ht_remote_work_begin(
		&w->t.remote, &way, ht_target_room(&w->t), w->t.err) == 0) {
		r = map_near(w);
		ht_remote_work_end(&w->t.remote);
	}
	ht_remote_go(&w->t.remote);
	return r;
}

static void
inject_later(struct work *w)
{
	struct ht_injection *in = w->in;
	const char *unhooked = w->unhooked;

	if (!ht_target_read_head(&w->t, in->head) ||
	    w->t.head.generation != in->generation || !w->t.head.patched ||
	    ht_linkmap_read(&w->linked, &w->t.remote, w->t.err) == -1)
		return;
	ht_foreign_find(&w->foreign, &w->linked, &w->t.remote, w->t.image);
	while (w->patches < HT_PATCHES_MAX && w->t.head.patch[w->patches].moved)
		w->patches++;
	forget_gone(w);
	w->shadow_stack = has_shadow_stack(w->t.remote.pid);
	w->first = w->patches;
	plan_foreign(w);
	fill_tables(w);
	if (w->patches > w->first &&
	    (map_more(w) == -1 || write_near(w) == -1 ||
		patch_when_possible(w) == -1))
		unhooked = w->t.err->text;
	/* What comes and goes meanwhile may be why: the next look tells. */
	if (ht_linkmap_state(in->debug, &w->t.remote) != in->objects) {
		in->objects = 0;
		unhooked = "";
	}
	note_foreign(w, unhooked);
}

/* Has it loaded or unloaded anything? */
static bool
objects_changed(struct ht_injection *in, pid_t pid)
{
	struct ht_error ignored = {""};
	struct ht_remote r;
	uint64_t now = 0;

	if (ht_remote_open(&r, pid, &ignored) == 0) {
		now = ht_linkmap_state(in->debug, &r);
		ht_remote_close(&r);
	}
	if (!now || now == in->objects)
		return false;
	in->objects = now;
	return true;
}

void
ht_inject_later(struct ht_injection *in, pid_t pid, struct ht_image *image)
{
	struct ht_error err = {""};
	struct work *w;

	if (!objects_changed(in, pid))
		return;
	w = ht_calloc(1, sizeof *w);
	w->in = in;
	if (ht_target_open(&w->t, pid, image, &err) == 0) {
		inject_later(w);
		if (w->t.remote.longest > in->stop_us)
			in->stop_us = w->t.remote.longest;
		ht_target_close(&w->t);
	}
	ht_linkmap_release(&w->linked);
	ht_foreign_release(&w->foreign);
	free(w);
}
