/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ht-record/target.h"
#include "libht/mem.h"

#define ROOM		8192 /* of a stack that is left alone, at its end */
#define SUSPEND_SECCOMP (1 << 21)	     /* of linux/ptrace.h */
#define PATIENCE_MS	1024		     /* the last of waits that double */
#define SCAN_MAX	(UINT64_C(64) << 20) /* bytes of a stack */
#define HAYSTACK_MAX	(UINT64_C(1) << 20)  /* code that may hold an image */

/* Where the interrupted stack pointer is from what a signal handler returns to;
 * arch.h of the preload library knows the same. */
#define UCONTEXT_SP 160

/* ---- stacks ----------------------------------------------------------- */

void
ht_want(struct ht_wanted *w, uint64_t start, uint64_t size)
{
	unsigned i;

	if (!size)
		return;
	if (!w->count || start < w->low)
		w->low = start;
	if (!w->count || start + size > w->high)
		w->high = start + size;
	for (i = w->count++; i > 0 && w->area[i - 1].start > start; i--)
		w->area[i] = w->area[i - 1];
	w->area[i] = (struct ht_area){start, size};
}

static bool
is_wanted(const struct ht_wanted *w, uint64_t v)
{
	unsigned low = 0, high = w->count;

	if (v < w->low || v >= w->high)
		return false;
	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (w->area[mid].start <= v)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 && v - w->area[low - 1].start < w->area[low - 1].size;
}

/* Is that where the kernel lets a signal handler return to? */
static bool
is_restorer(struct ht_target *t, struct ht_wanted *w, uint64_t v)
{
	uint64_t *other = &w->other[v % HT_LEN(w->other)];
	const struct ht_map *m;
	char code[HT_RESTORER_SIZE];

	if (v == w->restorer)
		return true;
	/* Threads return to the same places. */
	if (v == *other)
		return false;
	m = ht_maps_find(&t->maps, v);
	if (!m || !m->exec ||
	    ht_remote_read(&t->remote, v, code, sizeof code) == -1 ||
	    memcmp(code, HT_RESTORER, HT_RESTORER_SIZE) != 0) {
		*other = v;
		return false;
	}
	w->restorer = v;
	return true;
}

/*
 * Is there a wanted word on the stack from `sp` up? A handler's own stack leads
 * on to the one that it interrupted. `depth`: so many may follow. True also if
 * it is not known.
 */
static bool
stack_has(struct ht_target *t, struct ht_wanted *w, uint64_t sp, uint64_t end,
    int depth)
{
	static uint64_t room[4][8192];
	const struct ht_map *m = ht_maps_find(&t->maps, sp);
	uint64_t *word, at = sp & ~UINT64_C(7), last = 0, next;

	if (!m)
		return true;
	if (depth == 0)
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
			return true;
		for (size_t i = 0; i < n; i++) {
			if (is_wanted(w, word[i]))
				return true;
			/* Most words are no addresses, or like the last. */
			if (word[i] < HT_PAGE || word[i] >> 47 ||
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

bool
ht_target_thread_has(struct ht_target *t, const struct ht_remote_thread *thread,
    struct ht_wanted *w, bool pc)
{
	const struct user_regs_struct *r = &thread->regs;

	return (pc && is_wanted(w, r->rip)) ||
	       stack_has(t, w, r->rsp, r->fs_base, 4);
}

uint64_t
ht_target_room(const struct ht_target *t)
{
	const struct ht_remote_thread *first = &t->remote.thread[0];
	const struct ht_map *m = ht_maps_find(&t->maps, first->regs.rsp);

	if (!m || !m->write ||
	    !(m->stack || (first->regs.rsp < first->regs.fs_base &&
			      first->regs.fs_base < m->end)))
		return 0;
	return m->start + ROOM;
}

/* ---- what is there ---------------------------------------------------- */

bool
ht_target_read_head(struct ht_target *t, uint64_t at)
{
	if (ht_remote_read(&t->remote, at, &t->head, sizeof t->head) == -1 ||
	    t->head.magic != HT_HEAD_MAGIC)
		return false;
	t->head_at = at;
	return true;
}

int
ht_target_write_head(struct ht_target *t)
{
	return ht_remote_write(
	    &t->remote, t->head_at, &t->head, sizeof t->head);
}

/* The head of the image, if the page at `at` is the first of one; else 0.
 * *same: it is of our file. */
static uint64_t
image_head(struct ht_target *t, uint64_t at, bool *same)
{
	const struct ht_image *im = t->image;
	uint64_t magic;
	ElfW(Ehdr) e;
	char *code;

	if (ht_remote_read(&t->remote, at, &e, sizeof e) == -1 ||
	    memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 ||
	    ht_remote_read(&t->remote, at + e.e_entry, &magic, sizeof magic) ==
		-1 ||
	    magic != HT_HEAD_MAGIC)
		return 0;
	code = ht_malloc(im->code);
	*same = ht_remote_read(&t->remote, at, code, im->code) == 0 &&
		memcmp(code, im->file, im->code) == 0;
	free(code);
	return at + e.e_entry;
}

bool
ht_target_images(struct ht_target *t,
    bool (*each)(struct ht_target *t, bool same, void *arg), void *arg)
{
	bool same;

	for (size_t i = 0; i < t->maps.count; i++) {
		const struct ht_map *m = &t->maps.map[i];

		/* It may have grown together with its neighbours. */
		if (m->file || !m->exec || m->write ||
		    m->end - m->start > HAYSTACK_MAX)
			continue;
		for (uint64_t at = m->start; at < m->end; at += HT_PAGE) {
			uint64_t head = image_head(t, at, &same);

			if (head && ht_target_read_head(t, head) &&
			    each(t, same, arg))
				return true;
		}
	}
	return false;
}

static uint32_t
ring_word(struct ht_target *t, size_t offset)
{
	uint32_t v = 0;

	ht_remote_read(&t->remote, t->head.ring.start + offset, &v, sizeof v);
	return v;
}

/* A forked child has that of its parent mapped, too. */
static bool
has_own_ring(struct ht_target *t)
{
	return ring_word(t, offsetof(struct ht_ring, claimed)) ==
	       (uint32_t)t->pid;
}

/* Does the recorder that hooked it live? */
bool
ht_target_is_recorded(struct ht_target *t)
{
	uint32_t alive = ring_word(t, offsetof(struct ht_ring, alive));

	return t->head.patched && alive && !(alive & FUTEX_OWNER_DIED) &&
	       has_own_ring(t);
}

long
ht_target_number(const struct ht_target *t, pid_t tid, const char *key)
{
	char path[64], *line = NULL, *last;
	size_t size = 0, len = strlen(key);
	long n = -1;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/status",
	    (int)t->remote.pid, (int)tid);
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

static bool
has_seccomp(struct ht_target *t)
{
	char path[64];
	bool has = false;
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/task", (int)t->remote.pid);
	dir = opendir(path);
	while (dir && !has && (e = readdir(dir)))
		has = atoi(e->d_name) > 0 &&
		      ht_target_number(t, atoi(e->d_name), "Seccomp:") > 0;
	if (dir)
		closedir(dir);
	return has;
}

void
ht_target_close(struct ht_target *t)
{
	ht_remote_close(&t->remote);
	ht_maps_release(&t->maps);
}

int
ht_target_open(struct ht_target *t, pid_t pid, struct ht_image *image,
    struct ht_error *err)
{
	*t = (struct ht_target){.image = image, .err = err};
	if (ht_remote_open(&t->remote, pid, err) == -1)
		return -1;
	if (ht_maps_read(&t->maps, pid) == -1) {
		ht_error_errno(
		    err, "cannot see the memory of process %d", (int)pid);
		ht_target_close(t);
		return -1;
	}
	t->pid = ht_target_number(t, pid, "NSpid:");
	if (t->pid == -1)
		t->pid = pid;
	/* A system call of ours could be its end, were that not suspended. */
	t->seccomp = has_seccomp(t);
	if (t->seccomp)
		t->remote.options = SUSPEND_SECCOMP;
	return 0;
}

/* ---- undoing ---------------------------------------------------------- */

bool
ht_target_note_inside(struct ht_target *t, struct ht_inside *in)
{
	*in = (struct ht_inside){
	    .t = t,
	    .tid = ht_calloc(t->remote.threads, sizeof *in->tid),
	};
	ht_want(&in->wanted, t->head.image.start, t->image->text);
	for (unsigned i = 0; i < HT_NEAR_MAX; i++)
		ht_want(
		    &in->wanted, t->head.near[i].start, t->head.near[i].size);
	for (size_t i = 0; i < t->remote.threads; i++)
		if (ht_target_thread_has(
			t, &t->remote.thread[i], &in->wanted, true))
			in->tid[in->count++] = t->remote.thread[i].tid;
	return in->count > 0;
}

static bool
is_inside(struct ht_remote_thread *thread, void *arg)
{
	struct ht_inside *in = arg;

	return ht_target_thread_has(in->t, thread, &in->wanted, true);
}

/* Only they are stopped, each for itself; and seldom, as they must run to
 * leave.
 */
bool
ht_target_wait_outside(struct ht_target *t, struct ht_inside *in)
{
	for (long ms = 1; in->count && ms <= PATIENCE_MS; ms *= 2) {
		struct timespec nap = {ms / 1000, ms % 1000 * 1000000};

		nanosleep(&nap, NULL);
		if (ht_maps_read(&t->maps, t->remote.pid) == 0)
			in->count = ht_remote_visit(
			    &t->remote, in->tid, in->count, is_inside, in);
	}
	return in->count == 0;
}

static void
unpatch(struct ht_target *t)
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
	ht_target_write_head(t);
}

/* Who waits for room in the ring is to stop that. */
static void
stop_ring(struct ht_target *t, struct ht_ring *ring)
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

void
ht_target_unhook(struct ht_target *t, struct ht_ring *ring)
{
	if (!t->head.patched)
		return;
	unpatch(t);
	if (has_own_ring(t))
		stop_ring(t, ring);
}

static void
unmap(struct ht_target *t, struct ht_area *a)
{
	if (a->size && ht_remote_syscall(&t->remote, SYS_munmap, a->start,
			   a->size, 0, 0, 0, 0) == 0)
		a->size = 0;
}

int
ht_target_free_memory(struct ht_target *t)
{
	struct ht_head *h = &t->head;

	struct ht_remote_way way = {h->done, h->done + 2};

	if (ht_remote_work_begin(&t->remote, &way, ht_target_room(t), t->err) ==
	    -1)
		return -1;
	unmap(t, &h->ring);
	unmap(t, &h->arena);
	ht_remote_work_end(&t->remote);
	return ht_target_write_head(t);
}
