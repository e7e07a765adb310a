/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <elf.h>
#include <link.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ht-record/inject.h"
#include "ht-record/linkmap.h"
#include "ht-record/maps.h"
#include "ht-record/x86.h"
#include "libht/mem.h"
#include "libht/str.h"

#define PAGE	     UINT64_C(4096)
#define CODE_MAX     (256u << 10) /* of a function */
#define CODE_SIZE    16u	  /* where its symbol has none */
#define SLOT	     128u	  /* bytes of a near page for each function */
#define MOVED	     16u	  /* in a slot: behind the jump to the hook */
#define STACK	     (UINT64_C(64) << 10) /* for the start */
#define PATCH_TRIES  300
#define QUIET_TRIES  40
#define SCAN_MAX     (UINT64_C(64) << 20) /* bytes of a stack */
#define HAYSTACK_MAX (UINT64_C(1) << 20)  /* code that may hold an image */
#define TID_BYTES    4096		  /* behind the thread pointer */

/* Of linux/prctl.h and linux/ptrace.h, where they are young enough. */
#define SET_VMA		0x53564d41
#define SUSPEND_SECCOMP (1 << 21)
#define RESTORER	"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05"
#define RESTORER_SIZE	9
#define UCONTEXT_SP	160

/* A process that is being worked upon. */
struct target {
	struct ht_remote remote;
	struct ht_linkmap linked;
	struct ht_maps maps;
	struct ht_image *image;
	uint64_t head_at;    /* of the image that is there; 0: none */
	struct ht_head head; /* what is there, or is to be */
	uint64_t syscall_at;
	unsigned patches;
	struct ht_x86_moved moved[HT_PATCHES_MAX];
	unsigned hook[HT_PATCHES_MAX]; /* which each patch is for */
	bool seccomp;
	struct ht_error *err;
};

static void
nap_us(long us)
{
	struct timespec t = {.tv_nsec = us * 1000};

	nanosleep(&t, NULL);
}

/* ---- stacks ----------------------------------------------------------- */

/* What is looked for: an address in one of some ranges. */
struct wanted {
	struct ht_area area[HT_PATCHES_MAX];
	unsigned count;
	uint64_t low, high;
	uint64_t restorer; /* seen last */
};

static void
want(struct wanted *w, uint64_t start, uint64_t size)
{
	if (!size)
		return;
	if (!w->count || start < w->low)
		w->low = start;
	if (!w->count || start + size > w->high)
		w->high = start + size;
	w->area[w->count++] = (struct ht_area){start, size};
}

static bool
is_wanted(const struct wanted *w, uint64_t v)
{
	if (v < w->low || v >= w->high)
		return false;
	for (unsigned i = 0; i < w->count; i++)
		if (v - w->area[i].start < w->area[i].size)
			return true;
	return false;
}

/* Is that where the kernel lets a signal handler return to? */
static bool
is_restorer(struct target *t, struct wanted *w, uint64_t v)
{
	const struct ht_map *m;
	char code[RESTORER_SIZE];

	if (v == w->restorer)
		return true;
	m = ht_maps_find(&t->maps, v);
	if (!m || !m->exec ||
	    ht_remote_read(&t->remote, v, code, sizeof code) == -1 ||
	    memcmp(code, RESTORER, RESTORER_SIZE) != 0)
		return false;
	w->restorer = v;
	return true;
}

/*
 * Is there a wanted word on the stack from `sp` up? A handler's own stack leads
 * on to the one that it interrupted. `depth`: so many may follow.
 */
static bool
stack_has(
    struct target *t, struct wanted *w, uint64_t sp, uint64_t end, int depth)
{
	static uint64_t room[4][8192];
	const struct ht_map *m = ht_maps_find(&t->maps, sp);
	uint64_t *word, at = sp & ~UINT64_C(7), last = 0, next;

	if (!m || depth == 0)
		return false;
	word = room[depth - 1];
	if (end <= sp || end > m->end)
		end = m->end;
	if (end - at > SCAN_MAX)
		end = at + SCAN_MAX;
	while (at + 8 <= end) {
		size_t n = (end - at) / 8 < HT_LEN(room[0])
			       ? (size_t)((end - at) / 8)
			       : HT_LEN(room[0]);

		if (ht_remote_read(&t->remote, at, word, n * 8) == -1)
			return false;
		for (size_t i = 0; i < n; i++) {
			if (is_wanted(w, word[i]))
				return true;
			/* Most words are no addresses, or like the last. */
			if (word[i] < PAGE || word[i] >> 47 ||
			    word[i] == last ||
			    word[i] - m->start < m->end - m->start)
				continue;
			last = word[i];
			if (is_restorer(t, w, last) &&
			    ht_remote_read(&t->remote,
				at + i * 8 + 8 + UCONTEXT_SP, &next,
				sizeof next) == 0 &&
			    next - m->start >= m->end - m->start &&
			    stack_has(t, w, next, 0, depth - 1))
				return true;
		}
		at += n * 8;
	}
	return false;
}

/* Is a stopped thread in what is wanted, or will it return there? */
static bool
threads_have(struct target *t, struct wanted *w, bool pc)
{
	for (size_t i = 0; i < t->remote.threads; i++) {
		const struct user_regs_struct *r = &t->remote.thread[i].regs;

		if ((pc && is_wanted(w, r->rip)) ||
		    stack_has(t, w, r->rsp, r->fs_base, 4))
			return true;
	}
	return false;
}

/* ---- what is there ---------------------------------------------------- */

/* The head of the image, if the page at `at` is the first of one; of this very
 * file, if `same`. 0: it is not. */
static uint64_t
image_head(struct target *t, uint64_t at, bool same, struct ht_head *h)
{
	const struct ht_image *im = t->image;
	char *code;
	ElfW(Ehdr) e;
	bool is = true;

	if (ht_remote_read(&t->remote, at, &e, sizeof e) == -1 ||
	    memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 ||
	    ht_remote_read(&t->remote, at + e.e_entry, h, sizeof *h) == -1 ||
	    h->magic != HT_HEAD_MAGIC)
		return 0;
	if (same) {
		code = ht_malloc(im->code);
		is = ht_remote_read(&t->remote, at, code, im->code) == 0 &&
		     memcmp(code, im->file, im->code) == 0;
		free(code);
	}
	return is ? at + e.e_entry : 0;
}

/* Looks for an image of ours: of this very file; or of any, best one whose
 * patches are in place. Its head; 0: there is none. */
static uint64_t
find_head(struct target *t, bool same)
{
	uint64_t found = 0, head;
	struct ht_head h;

	for (size_t i = 0; i < t->maps.count; i++) {
		const struct ht_map *m = &t->maps.map[i];

		/* It may have grown together with its neighbours. */
		if (m->file || !m->exec || m->write ||
		    m->end - m->start > HAYSTACK_MAX)
			continue;
		for (uint64_t at = m->start; at < m->end; at += PAGE) {
			head = image_head(t, at, same, &h);
			if (!head)
				continue;
			if (same || h.patched)
				return head;
			found = head;
		}
	}
	return found;
}

static bool
read_head(struct target *t, uint64_t at)
{
	if (ht_remote_read(&t->remote, at, &t->head, sizeof t->head) == -1 ||
	    t->head.magic != HT_HEAD_MAGIC)
		return false;
	t->head_at = at;
	return true;
}

static int
write_head(struct target *t)
{
	return ht_remote_write(
	    &t->remote, t->head_at, &t->head, sizeof t->head);
}

static uint32_t
ring_word(struct target *t, size_t offset)
{
	uint32_t v = 0;

	ht_remote_read(&t->remote, t->head.ring.start + offset, &v, sizeof v);
	return v;
}

/* Does the recorder that hooked it live? */
static bool
is_recorded(struct target *t)
{
	uint32_t alive = ring_word(t, offsetof(struct ht_ring, alive));

	return t->head.patched && alive && !(alive & FUTEX_OWNER_DIED);
}

static void
target_close(struct target *t)
{
	ht_remote_close(&t->remote);
	ht_linkmap_release(&t->linked);
	ht_maps_release(&t->maps);
}

static int
target_open(
    struct target *t, pid_t pid, struct ht_image *image, struct ht_error *err)
{
	*t = (struct target){.image = image, .err = err};
	if (ht_remote_open(&t->remote, pid, err) == -1)
		return -1;
	if (ht_maps_read(&t->maps, pid) == -1) {
		ht_error_errno(
		    err, "cannot see the memory of process %d", (int)pid);
		target_close(t);
		return -1;
	}
	return 0;
}

/* ---- out -------------------------------------------------------------- */

static void
unpatch(struct target *t)
{
	struct ht_head *h = &t->head;
	uint32_t off = 0;

	for (unsigned i = 0; i < HT_PATCHES_MAX; i++) {
		const struct ht_patch *p = &h->patch[i];
		uint8_t is[sizeof p->new];

		/* Another tool's change on top of ours is not ours to undo. */
		if (p->at &&
		    ht_remote_read(&t->remote, p->at, is, p->size) == 0 &&
		    memcmp(is, p->new, p->size) == 0)
			ht_remote_write(&t->remote, p->at, p->old, p->size);
	}
	ht_remote_write(&t->remote, h->live, &off, sizeof off);
	h->patched = 0;
	write_head(t);
}

/* Who waits for room in the ring is to stop that. */
static void
stop_ring(struct target *t, struct ht_ring *ring)
{
	uint32_t stop =
	    ring_word(t, offsetof(struct ht_ring, control)) | HT_CTL_STOP;

	ht_remote_write(&t->remote,
	    t->head.ring.start + offsetof(struct ht_ring, control), &stop,
	    sizeof stop);
	if (!ring)
		return;
	atomic_fetch_add(&ring->space, 1);
	syscall(SYS_futex, &ring->space, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static bool
has_memory(const struct ht_head *h)
{
	for (unsigned i = 0; i < HT_OLD_AREAS; i++)
		if (h->old[i].size)
			return true;
	return h->ring.size || h->arena.size;
}

/* Is no thread in the image, or on its way back there? */
static bool
is_quiet(struct target *t)
{
	struct wanted w = {0};

	want(&w, t->head.image.start, t->image->text);
	for (unsigned i = 0; i < HT_NEAR_MAX; i++)
		want(&w, t->head.near[i].start, t->head.near[i].size);
	return ht_maps_read(&t->maps, t->remote.pid) == 0 &&
	       !threads_have(t, &w, true);
}

static int
work(struct target *t)
{
	return ht_remote_work_begin(&t->remote, t->syscall_at, t->err);
}

static void
unmap(struct target *t, struct ht_area *a)
{
	if (a->size && ht_remote_syscall(&t->remote, SYS_munmap, a->start,
			   a->size, 0, 0, 0, 0) == 0)
		a->size = 0;
}

/* The memory that only a recording needs; all threads are stopped and none is
 * in the image. */
static int
unmap_memory(struct target *t)
{
	struct ht_head *h = &t->head;

	if (work(t) == -1)
		return -1;
	unmap(t, &h->ring);
	unmap(t, &h->arena);
	for (unsigned i = 0; i < HT_OLD_AREAS; i++)
		unmap(t, &h->old[i]);
	ht_remote_work_end(&t->remote);
	return write_head(t);
}

/* Puts empty memory in place of an area, which may be in use; it is noted. */
static void
retire(struct target *t, struct ht_area *a)
{
	struct ht_head *h = &t->head;

	if (!a->size)
		return;
	ht_remote_syscall(&t->remote, SYS_mmap, a->start, a->size,
	    PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, UINT64_MAX,
	    0);
	for (unsigned i = 0; i < HT_OLD_AREAS; i++)
		if (!h->old[i].size) {
			h->old[i] = *a;
			break;
		}
	a->size = 0;
}

static int
retire_memory(struct target *t)
{
	uint64_t ring = t->head.ring.start;
	uint32_t stop = HT_CTL_STOP;

	if (work(t) == -1)
		return -1;
	retire(t, &t->head.ring);
	retire(t, &t->head.arena);
	ht_remote_work_end(&t->remote);
	ht_remote_write(&t->remote, ring + offsetof(struct ht_ring, control),
	    &stop, sizeof stop);
	return write_head(t);
}

/* Any instruction for a system call: the image has one. */
static void
find_syscall(struct target *t)
{
	t->syscall_at = t->head.done;
}

/* Undoes what the image at t->head has done; `ring`: our view of its, or NULL.
 * 0, or -1. */
static int
withdraw(struct target *t, struct ht_ring *ring, bool *kept)
{
	bool last = false;

	*kept = false;
	find_syscall(t);
	for (unsigned i = 0; i < QUIET_TRIES; i++) {
		last = i == QUIET_TRIES - 1;
		if (ht_remote_stop_all(&t->remote, t->err) == -1)
			return -1;
		if (t->head.patched) {
			unpatch(t);
			stop_ring(t, ring);
		}
		if (!has_memory(&t->head))
			break;
		if (is_quiet(t)) {
			unmap_memory(t);
			break;
		}
		if (last) {
			retire_memory(t);
			*kept = true;
			break;
		}
		ht_remote_go(&t->remote);
		nap_us(1000 + 1000 * (long)i);
	}
	ht_remote_go(&t->remote);
	return 0;
}

static bool
has_ended(pid_t pid)
{
	return kill(pid, 0) == -1 && errno == ESRCH;
}

int
ht_withdraw(struct ht_injection *in, pid_t pid, struct ht_image *image,
    struct ht_error *err)
{
	struct target t;
	uint64_t at;
	int r = 0;

	if (target_open(&t, pid, image, err) == -1)
		return has_ended(pid) ? 0 : -1;
	at = find_head(&t, false);
	if (at && read_head(&t, at))
		r = withdraw(&t, in->ring, &in->kept);
	if (t.remote.longest > in->stop_us)
		in->stop_us = t.remote.longest;
	target_close(&t);
	return r == -1 && has_ended(pid) ? 0 : r;
}

/* ---- in: what to hook ------------------------------------------------- */

static const char *
object_name(const struct target *t, size_t i)
{
	const char *name = t->linked.object[i].name;
	const char *slash = strrchr(name, '/');

	return !*name ? "the program" : slash ? slash + 1 : name;
}

static bool
is_patched_already(const struct target *t, uint64_t at)
{
	for (unsigned i = 0; i < t->patches; i++)
		if (t->head.patch[i].at == at)
			return true;
	return false;
}

/* The near page that jumps from `at` reach, a new one if there is none; NULL:
 * there can be none. */
static struct ht_area *
near_page(struct target *t, uint64_t at)
{
	for (unsigned i = 0; i < HT_NEAR_MAX; i++) {
		struct ht_area *a = &t->head.near[i];
		uint64_t far = at > a->start ? at - a->start : a->start - at;

		if (!a->size) {
			a->start = ht_maps_near(&t->maps, at, PAGE);
			a->size = a->start ? PAGE : 0;
			return a->size ? a : NULL;
		}
		if (far < UINT64_C(2000) << 20)
			return a;
	}
	return NULL;
}

/* Plans the patch of one function. */
static int
plan_patch(struct target *t, unsigned hook, const struct ht_symbol *s)
{
	struct ht_patch *p = &t->head.patch[t->patches];
	struct ht_x86_moved *m = &t->moved[t->patches];
	size_t size = s->size ? s->size : CODE_SIZE;
	struct ht_area *near = near_page(t, s->at);
	struct ht_error why = {""};
	uint8_t *code;
	int r = -1;

	if (size > CODE_MAX)
		size = CODE_MAX;
	code = ht_malloc(size);
	if (s->type != STT_FUNC && s->type != STT_NOTYPE)
		ht_error_set(&why, "it is no plain function");
	else if (!near)
		ht_error_set(&why, "there is no room near it");
	else if (ht_remote_read(&t->remote, s->at, code, size) == -1)
		ht_error_errno(&why, "it cannot be read");
	else
		r = ht_x86_move(m, code, size, s->at,
		    near->start + t->patches * SLOT + MOVED, &why);
	if (r == 0) {
		*p = (struct ht_patch){
		    .at = s->at,
		    .moved = near->start + t->patches * SLOT + MOVED,
		    .size = HT_X86_JUMP_SIZE,
		    .taken = (uint8_t)m->taken,
		    .count = (uint8_t)m->count,
		};
		memcpy(p->old, code, p->size);
		memcpy(p->from, m->from, sizeof p->from);
		memcpy(p->to, m->to, sizeof p->to);
		ht_x86_jump(p->new, p->at, p->moved - MOVED);
		t->hook[t->patches++] = hook;
	}
	free(code);
	if (r == -1)
		ht_error_set(t->err,
		    "cannot record process %d: '%s' of %s cannot be hooked: %s",
		    (int)t->remote.pid, t->head.hook[hook].name,
		    object_name(t, s->object), why.text);
	return r;
}

/* Finds the functions and plans their patches. */
static int
plan(struct target *t)
{
	const struct ht_hook *hook = t->head.hook;
	struct ht_symbol s;

	t->patches = 0;
	memset(t->head.patch, 0, sizeof t->head.patch);
	for (unsigned i = 0; i < HT_HOOKS_MAX && *hook[i].name; i++) {
		if (!ht_linkmap_find(
			&t->linked, &t->remote, hook[i].name, &s)) {
			if (i > 1)
				continue;
			return ht_error_set(t->err,
			    "cannot record process %d: it has no function "
			    "'%s': its C library is not known",
			    (int)t->remote.pid, hook[i].name);
		}
		/* aligned_alloc is mostly memalign. */
		if (!is_patched_already(t, s.at) && plan_patch(t, i, &s) == -1)
			return -1;
	}
	return 0;
}

/* ---- in: memory ------------------------------------------------------- */

static uint64_t
resolve(void *arg, const char *name)
{
	struct target *t = arg;
	struct ht_symbol s;

	return ht_linkmap_find(&t->linked, &t->remote, name, &s) &&
		       s.type != STT_GNU_IFUNC
		   ? s.at
		   : 0;
}

static int
refused(struct target *t, const char *what, long result)
{
	errno = (int)-result;
	return ht_error_errno(t->err,
	    "cannot record process %d: in it the kernel refused %s",
	    (int)t->remote.pid, what);
}

/* Maps memory there; 0 with the error set if that is refused. */
static uint64_t
map(struct target *t, uint64_t at, uint64_t size, int prot, int flags,
    const char *what)
{
	long r =
	    ht_remote_syscall(&t->remote, SYS_mmap, at, size, (uint64_t)prot,
		(uint64_t)(MAP_PRIVATE | MAP_ANONYMOUS | flags), UINT64_MAX, 0);

	if (r > -4096 && r < 0) {
		refused(t, what, r);
		return 0;
	}
	return (uint64_t)r;
}

/* What /proc/PID/maps calls it. An older kernel has no names. */
static void
name_memory(struct target *t, uint64_t at, uint64_t size)
{
	ht_remote_syscall(&t->remote, SYS_prctl, SET_VMA, 0, at, size,
	    t->head.image.start + t->image->head +
		offsetof(struct ht_head, label),
	    0);
}

/* The image's memory, for one that is not there yet. */
static int
map_image(struct target *t)
{
	struct ht_image *im = t->image;
	uint64_t base = map(t, 0, im->size, PROT_NONE, 0, "memory");

	if (!base ||
	    !map(t, base, im->text, PROT_READ | PROT_EXEC, MAP_FIXED,
		"memory for code") ||
	    !map(t, base + im->data, im->size - im->data,
		PROT_READ | PROT_WRITE, MAP_FIXED, "memory"))
		return -1;
	t->head.image = (struct ht_area){base, im->size};
	return 0;
}

/* Fresh data; with the text, if there is a new one. */
static int
write_image(struct target *t, bool fresh)
{
	struct ht_image *im = t->image;
	uint64_t base = t->head.image.start, live;
	struct ht_head *h, *old = &t->head;
	long r;

	if (ht_image_relocate(im, base, resolve, t, t->err) == -1)
		return -1;
	h = ht_image_head(im);
	h->image = old->image;
	memcpy(h->near, old->near, sizeof h->near);
	memcpy(h->old, old->old, sizeof h->old);
	memcpy(h->patch, old->patch, sizeof h->patch);
	memcpy(h->auxv, t->linked.auxv, sizeof h->auxv);
	t->head = *h;
	t->head_at = base + im->head;
	live = h->live;
	if (!fresh)
		ht_remote_syscall(&t->remote, SYS_madvise, base + im->data,
		    im->size - im->data, MADV_DONTNEED, 0, 0, 0);
	if ((fresh && ht_remote_write(&t->remote, base, im->memory, im->text) ==
			  -1) ||
	    ht_remote_write(&t->remote, base + im->data, im->memory + im->data,
		im->filled) == -1)
		return ht_error_errno(t->err,
		    "cannot write to the memory of process %d",
		    (int)t->remote.pid);
	r = ht_remote_syscall(
	    &t->remote, SYS_madvise, live, PAGE, MADV_WIPEONFORK, 0, 0, 0);
	if (r < 0)
		return refused(t, "MADV_WIPEONFORK", r);
	if (fresh) {
		name_memory(t, base, im->text);
		name_memory(t, base + im->data, im->size - im->data);
	}
	return 0;
}

/* Before all else, while what is planned is still free. */
static int
map_near(struct target *t)
{
	for (unsigned i = 0; i < HT_NEAR_MAX; i++) {
		struct ht_area *a = &t->head.near[i];

		/* There is one of an attach before. */
		if (!a->size || ht_maps_find(&t->maps, a->start))
			continue;
		if (map(t, a->start, a->size, PROT_READ | PROT_EXEC,
			MAP_FIXED_NOREPLACE, "memory for code") != a->start)
			return ht_error_set(t->err,
			    "cannot record process %d: there is no room near "
			    "its C library",
			    (int)t->remote.pid);
	}
	return 0;
}

/* The moved instructions, with the jumps to the hooks. */
static int
write_near(struct target *t)
{
	struct ht_head *h = &t->head;

	for (unsigned i = 0; i < HT_NEAR_MAX && h->near[i].size; i++)
		name_memory(t, h->near[i].start, h->near[i].size);
	for (unsigned i = 0; i < t->patches; i++) {
		const struct ht_patch *p = &h->patch[i];
		const struct ht_hook *hook = &h->hook[t->hook[i]];
		uint8_t code[MOVED + HT_MOVED_MAX] = {0};

		ht_x86_far_jump(code, hook->hook);
		memcpy(code + MOVED, t->moved[i].code, t->moved[i].size);
		if (ht_remote_write(&t->remote, p->moved - MOVED, code,
			sizeof code) == -1 ||
		    (hook->real && ht_remote_write(&t->remote, hook->real,
				       &p->moved, sizeof p->moved) == -1))
			return ht_error_errno(t->err,
			    "cannot write to the memory of process %d",
			    (int)t->remote.pid);
	}
	return 0;
}

static int
map_arena(struct target *t)
{
	struct ht_error quiet = {""}, *err = t->err;
	uint64_t at = 0, size = UINT64_C(1) << 30;

	t->err = &quiet;
	for (; !at && size > UINT64_C(8) << 20; size /= 4)
		at = map(t, 0, size, PROT_READ | PROT_WRITE, MAP_NORESERVE,
		    "memory");
	t->err = err;
	if (!at)
		return ht_error_set(t->err, "%s", quiet.text);
	size *= 4;
	name_memory(t, at, size);
	t->head.arena = (struct ht_area){at, size};
	return 0;
}

/* ---- in: the ring ----------------------------------------------------- */

/* A copy of the descriptor `fd` of the process. */
static int
take_descriptor(struct target *t, int fd)
{
	int pid_fd = (int)syscall(SYS_pidfd_open, t->remote.pid, 0), copy = -1;
	char path[64];

	if (pid_fd != -1) {
		copy = (int)syscall(SYS_pidfd_getfd, pid_fd, fd, 0);
		close(pid_fd);
	}
	if (copy == -1) {
		snprintf(path, sizeof path, "/proc/%d/fd/%d",
		    (int)t->remote.pid, fd);
		copy = open(path, O_RDWR | O_CLOEXEC);
	}
	return copy;
}

/* A memory file of the process's: its descriptor there. Where all descriptors
 * are in use, one more is allowed for the moment. */
static long
make_file(struct target *t)
{
	uint64_t name = t->head_at + offsetof(struct ht_head, ring_name);
	struct rlimit was, more;
	long fd = ht_remote_syscall(
	    &t->remote, SYS_memfd_create, name, MFD_CLOEXEC, 0, 0, 0, 0);

	if (fd != -EMFILE ||
	    prlimit(t->remote.pid, RLIMIT_NOFILE, NULL, &was) == -1)
		return fd;
	more = was;
	more.rlim_cur += 64;
	if (more.rlim_cur > more.rlim_max)
		more.rlim_max = more.rlim_cur;
	if (prlimit(t->remote.pid, RLIMIT_NOFILE, &more, NULL) == -1)
		return fd;
	fd = ht_remote_syscall(
	    &t->remote, SYS_memfd_create, name, MFD_CLOEXEC, 0, 0, 0, 0);
	prlimit(t->remote.pid, RLIMIT_NOFILE, &was, NULL);
	return fd;
}

/* Makes the ring in a file of the process, so in memory that is its own, and
 * maps it here and there. No descriptor stays. */
static int
make_ring(
    struct target *t, struct ht_injection *in, const struct ht_ring_options *o)
{
	struct ht_ring_options options = *o;
	long fd = make_file(t), at;
	int r = -1;

	options.pid = t->remote.pid;
	if (fd < 0)
		return refused(t, "a memory file", fd);
	in->ring_fd = take_descriptor(t, (int)fd);
	if (in->ring_fd == -1) {
		ht_error_errno(t->err, "cannot share memory with process %d",
		    (int)t->remote.pid);
	} else if ((in->ring = ht_shm_fill(&options, in->ring_fd, t->err))) {
		at = ht_remote_syscall(&t->remote, SYS_mmap, 0, in->ring->size,
		    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
		    (uint64_t)fd, 0);
		if (at > -4096 && at < 0) {
			refused(t, "memory for the ring", at);
		} else {
			t->head.ring =
			    (struct ht_area){(uint64_t)at, in->ring->size};
			r = 0;
		}
	}
	ht_remote_syscall(&t->remote, SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0);
	if (r == 0) {
		ht_remote_syscall(&t->remote, SYS_madvise, t->head.ring.start,
		    t->head.ring.size, MADV_DONTDUMP, 0, 0, 0);
		if (t->seccomp)
			atomic_fetch_or(&in->ring->control, HT_CTL_NO_CALLS);
	}
	return r;
}

/* ---- in: the start ---------------------------------------------------- */

/* A number behind `key` in /proc/PID/task/TID/status, the last of the line; -1:
 * there is none. */
static long
status_number(pid_t pid, pid_t tid, const char *key)
{
	char path[64], *line = NULL, *last;
	size_t size = 0, len = strlen(key);
	long n = -1;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/status", pid, tid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (n == -1 && getline(&line, &size, f) > 0)
		if (!strncmp(line, key, len)) {
			last = strrchr(line, '\t');
			n = last ? atol(last) : -1;
		}
	free(line);
	fclose(f);
	return n;
}

/* Where libc notes a thread's tid, from its thread pointer: where it is so for
 * the thread that is stopped. */
static int
find_tid(struct target *t)
{
	static const uint32_t usual[] = {0x2d0, 0x30}; /* glibc, musl */
	const struct ht_remote_thread *th = &t->remote.worker;
	uint32_t word[TID_BYTES / 4];
	long tid = status_number(t->remote.pid, th->tid, "NSpid:");
	uint64_t tp = th->regs.fs_base;
	size_t n = HT_LEN(word);

	if (tid == -1)
		tid = th->tid;
	while (n > 64 && ht_remote_read(&t->remote, tp, word, n * 4) == -1)
		n /= 2;
	for (size_t i = 0; tp && i < HT_LEN(usual); i++)
		if (usual[i] / 4 < n && word[usual[i] / 4] == (uint32_t)tid) {
			t->head.tid_at = usual[i];
			return 0;
		}
	for (size_t i = 0; tp && i < n; i++)
		if (word[i] == (uint32_t)tid) {
			t->head.tid_at = i * 4;
			return 0;
		}
	return ht_error_set(t->err,
	    "cannot record process %d: its C library does not say where it "
	    "keeps the ids of threads",
	    (int)t->remote.pid);
}

static int
run_start(struct target *t, struct ht_injection *in)
{
	struct ht_head *h = &t->head;
	uint64_t stack = map(t, 0, STACK, PROT_READ | PROT_WRITE, 0, "memory");
	long r;

	/* The main thread's pointer, if it is the one that works. */
	h->main_thread = t->remote.worker.tid == t->remote.pid
			     ? t->remote.worker.regs.fs_base
			     : 0;
	if (!stack)
		return -1;
	if (write_head(t) == -1)
		return ht_error_errno(t->err,
		    "cannot write to the memory of process %d",
		    (int)t->remote.pid);
	r = ht_remote_call(
	    &t->remote, h->call, h->done, h->start, stack + STACK);
	ht_remote_syscall(&t->remote, SYS_munmap, stack, STACK, 0, 0, 0, 0);
	if (r == 0)
		return 0;
	if (r == -1)
		return ht_error_set(t->err, "cannot record process %d: %s",
		    (int)t->remote.pid, in->ring->why);
	return ht_error_set(t->err,
	    "cannot record process %d: the library could not start in it",
	    (int)t->remote.pid);
}

/* ---- in: the patches -------------------------------------------------- */

/* Puts the jumps in place, all threads being stopped. False: a signal handler
 * will return to between two of the instructions that are replaced. */
static bool
patch(struct target *t, bool *failed)
{
	struct ht_head *h = &t->head;
	struct wanted w = {0};
	uint32_t on = 1;

	*failed = true;
	for (unsigned i = 0; i < t->patches; i++) {
		uint8_t is[sizeof h->patch[i].old];

		want(&w, h->patch[i].at + 1, HT_X86_JUMP_SIZE - 1);
		if (ht_remote_read(&t->remote, h->patch[i].at, is,
			h->patch[i].size) == -1 ||
		    memcmp(is, h->patch[i].old, h->patch[i].size) != 0) {
			ht_error_set(t->err,
			    "cannot record process %d: its code has changed",
			    (int)t->remote.pid);
			return false;
		}
	}
	*failed = false;
	if (ht_maps_read(&t->maps, t->remote.pid) == -1 ||
	    threads_have(t, &w, false))
		return false;
	for (size_t i = 0; i < t->remote.threads; i++) {
		struct ht_remote_thread *th = &t->remote.thread[i];
		uint64_t pc = th->regs.rip;

		for (unsigned k = 0; k < t->patches; k++) {
			const struct ht_patch *p = &h->patch[k];

			if (pc - p->at - 1 >= p->size - 1u)
				continue;
			for (unsigned j = 0; j < p->count; j++)
				if (p->at + p->from[j] == pc)
					ht_remote_move(th, p->moved + p->to[j]);
		}
	}
	h->patched = 1;
	*failed = write_head(t) == -1;
	for (unsigned i = 0; !*failed && i < t->patches; i++)
		*failed = ht_remote_write(&t->remote, h->patch[i].at,
			      h->patch[i].new, h->patch[i].size) == -1;
	if (!*failed)
		*failed =
		    ht_remote_write(&t->remote, h->live, &on, sizeof on) == -1;
	if (*failed) {
		ht_error_errno(t->err, "cannot write to the code of process %d",
		    (int)t->remote.pid);
		unpatch(t);
	}
	return !*failed;
}

static int
patch_when_possible(struct target *t)
{
	struct ht_error *err = t->err;
	bool failed = false;

	for (unsigned i = 0; !failed && i < PATCH_TRIES; i++) {
		struct ht_error why = {""};
		bool done = false;

		t->err = &why;
		if (ht_remote_stop_all(&t->remote, t->err) == 0)
			done = patch(t, &failed);
		else
			failed = !t->remote.again;
		ht_remote_go(&t->remote);
		t->err = err;
		if (done)
			return 0;
		if (failed || (i == PATCH_TRIES - 1 && *why.text))
			return ht_error_set(err, "%s", why.text);
		nap_us(1000 + 200 * (long)i);
	}
	return ht_error_set(t->err,
	    "cannot record process %d: a signal handler has interrupted an "
	    "allocation in it and does not return",
	    (int)t->remote.pid);
}

/* ---- in --------------------------------------------------------------- */

/* Any instruction for a system call that the process has. */
static int
find_first_syscall(struct target *t)
{
	uint64_t at = ht_linkmap_aux(&t->linked, AT_SYSINFO_EHDR);
	const struct ht_map *m = ht_maps_find(&t->maps, at);
	size_t size = m ? (size_t)(m->end - at) : 0;
	struct ht_symbol s;
	char *code, *p = NULL;

	if (!size && ht_linkmap_find(&t->linked, &t->remote, "syscall", &s)) {
		at = s.at;
		size = 64;
	}
	code = ht_malloc(size + 1);
	if (ht_remote_read(&t->remote, at, code, size) == 0)
		p = memmem(code, size, "\x0f\x05", 2);
	t->syscall_at = p ? at + (uint64_t)(p - code) : 0;
	free(code);
	return p ? 0
		 : ht_error_set(t->err,
		       "cannot record process %d: it has no way to make a "
		       "system call",
		       (int)t->remote.pid);
}

/* A system call of ours could be the end of a process under seccomp, were that
 * not suspended. */
static void
mind_seccomp(struct target *t)
{
	t->seccomp =
	    status_number(t->remote.pid, t->remote.pid, "Seccomp:") > 0;
	if (t->seccomp)
		t->remote.options = SUSPEND_SECCOMP;
}

/* What is done while one thread is stopped and works. */
static int
prepare(struct target *t, struct ht_injection *in,
    const struct ht_ring_options *o, bool fresh)
{
	int r = -1;

	if (ht_remote_stop_one(&t->remote, t->err) == -1)
		return -1;
	if (work(t) == -1) {
		ht_remote_go(&t->remote);
		return -1;
	}
	if (map_near(t) == 0 && (!fresh || map_image(t) == 0) &&
	    write_image(t, fresh) == 0 && write_near(t) == 0 &&
	    map_arena(t) == 0 && make_ring(t, in, o) == 0 && find_tid(t) == 0)
		r = run_start(t, in);
	ht_remote_work_end(&t->remote);
	return r;
}

/* Takes back what a failure leaves half done. */
static void
give_up(struct target *t)
{
	struct ht_error ignored = {""}, *err = t->err;
	bool kept;

	ht_remote_go(&t->remote);
	t->err = &ignored;
	if (t->head_at && t->head.done)
		withdraw(t, NULL, &kept);
	t->err = err;
}

static int
inject(
    struct target *t, struct ht_injection *in, const struct ht_ring_options *o)
{
	uint64_t at = find_head(t, false);
	struct ht_head none = {0};
	bool fresh, kept;

	if (at && read_head(t, at) && is_recorded(t))
		return ht_error_set(t->err, "process %d is recorded already",
		    (int)t->remote.pid);
	/* Of a recorder that died, and its guardian with it. */
	if (at &&
	    (t->head.patched || t->head.ring.size || t->head.arena.size) &&
	    withdraw(t, NULL, &kept) == -1)
		return -1;
	at = find_head(t, true);
	fresh = !at || !read_head(t, at);
	if (ht_linkmap_read(&t->linked, &t->remote, t->err) == -1 ||
	    find_first_syscall(t) == -1)
		return -1;
	if (fresh) {
		t->head_at = 0;
		t->head = none;
		if (ht_image_relocate(t->image, 0, resolve, t, t->err) == -1)
			return -1;
		memcpy(t->head.hook, ht_image_head(t->image)->hook,
		    sizeof t->head.hook);
	}
	if (plan(t) == -1)
		return -1;
	mind_seccomp(t);
	if (prepare(t, in, o, fresh) == 0 && in->ready(in) &&
	    patch_when_possible(t) == 0)
		return 0;
	give_up(t);
	return -1;
}

int
ht_inject(struct ht_injection *in, pid_t pid, struct ht_image *image,
    const struct ht_ring_options *o, struct ht_error *err)
{
	struct target t;
	int r;

	in->ring = NULL;
	in->ring_fd = -1;
	if (target_open(&t, pid, image, err) == -1)
		return -1;
	r = inject(&t, in, o);
	if (t.remote.longest > in->stop_us)
		in->stop_us = t.remote.longest;
	in->head = t.head_at;
	in->again = t.remote.again;
	target_close(&t);
	if (r == -1 && in->ring) {
		ht_shm_free(in->ring);
		close(in->ring_fd);
		in->ring = NULL;
	}
	return r;
}
