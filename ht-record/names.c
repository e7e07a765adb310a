/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ht-record/names.h"
#include "ht-record/shm.h"
#include "libht/evwrite.h"
#include "libht/mem.h"

static size_t
read_link(int pid, const char *what, char *to, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, what);
	n = readlink(path, to, size - 1);
	to[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* The path of the executable, for a program that sees no /proc: from its own
 * root directory on. To be freed. */
static char *
path_from_outside(int pid)
{
	char exe[PATH_MAX], root[PATH_MAX];
	size_t n = read_link(pid, "root", root, sizeof root);

	read_link(pid, "exe", exe, sizeof exe);
	return ht_strdup(
	    n > 1 && !strncmp(exe, root, n) && exe[n] == '/' ? exe + n : exe);
}

void
ht_names_init(struct ht_names *n, struct ht_ring *ring, int pid)
{
	const char *heap = (const char *)ring + ring->heap_at;

	*n = (struct ht_names){
	    .ring = ring,
	    .pid = pid,
	    .inner_pid = (int)atomic_load(&ring->claimed),
	};
	n->exe = ring->exe_len ? ht_memdup(heap + ring->exe, ring->exe_len)
			       : path_from_outside(pid);
	n->listed = ht_calloc(HT_MODULES_MAX, 1);
	n->numbers = 1; /* the main thread's */
}

void
ht_names_release(struct ht_names *n)
{
	free(n->exe);
	free(n->stack_of);
	free(n->chain);
	free(n->listed);
}

const char *
ht_names_exe(const struct ht_names *n)
{
	return n->exe;
}

/* ---- modules ---------------------------------------------------------- */

static bool
covers(const struct ht_module *m, uint64_t pc)
{
	for (uint32_t i = 0; i < m->nsegments; i++)
		if (pc - m->bias - m->segment[i].vaddr < m->segment[i].memsz)
			return true;
	return false;
}

static bool
overlap(const struct ht_module *a, const struct ht_module *b)
{
	for (uint32_t i = 0; i < a->nsegments; i++)
		for (uint32_t j = 0; j < b->nsegments; j++) {
			uint64_t s = a->bias + a->segment[i].vaddr;
			uint64_t t = b->bias + b->segment[j].vaddr;

			if (s < t + b->segment[j].memsz &&
			    t < s + a->segment[i].memsz)
				return true;
		}
	return false;
}

static void
write_module(struct ht_names *n, struct ht_out *out, uint32_t index)
{
	const struct ht_module *m = ht_shm_module(n->ring, index);
	const char *name = ht_shm_name(n->ring, m);
	size_t len = m->name_len;
	struct ht_segment seg[HT_SEGMENTS_MAX];

	if (len == 0) {
		name = n->exe;
		len = strlen(name);
	}
	for (uint32_t i = 0; i < m->nsegments; i++)
		seg[i] = (struct ht_segment){
		    .vaddr = m->segment[i].vaddr,
		    .memsz = m->segment[i].memsz,
		};
	if (m->build_id_len)
		ht_evwrite_build_id(
		    out, m->build_id, m->build_id_len, name, len);
	ht_evwrite_module(out, name, len, m->bias, seg, m->nsegments);
}

/* The same file at the same place, published twice by two threads. */
static bool
same_module(const struct ht_ring *r, const struct ht_module *a,
    const struct ht_module *b)
{
	return a->bias == b->bias && a->name_len == b->name_len &&
	       a->build_id_len == b->build_id_len &&
	       !memcmp(a->build_id, b->build_id, a->build_id_len) &&
	       !memcmp(ht_shm_name(r, a), ht_shm_name(r, b), a->name_len);
}

/* The list is only ever appended to, so what is to go needs a new list. */
static void
rewrite_list(struct ht_names *n, struct ht_out *out)
{
	ht_evwrite_no_modules(out);
	for (uint32_t i = 1; i < n->modules; i++)
		if (n->listed[i])
			write_module(n, out, i);
}

/* Brings module `index` into the list; those in its place leave it. */
static void
list_module(struct ht_names *n, struct ht_out *out, uint32_t index)
{
	const struct ht_module *m = ht_shm_module(n->ring, index);
	bool rewrite = false;

	for (uint32_t i = 1; i < n->modules; i++) {
		const struct ht_module *o = ht_shm_module(n->ring, i);

		if (!n->listed[i] || !overlap(m, o))
			continue;
		if (same_module(n->ring, m, o))
			return;
		n->listed[i] = false;
		rewrite = true;
	}
	if (rewrite)
		rewrite_list(n, out);
	n->listed[index] = true;
	if (index >= n->modules)
		n->modules = index + 1;
	write_module(n, out, index);
}

/* No module may own `pc`: it is code of nobody's, maybe in a dead one's
 * place. */
static void
unlist_at(struct ht_names *n, struct ht_out *out, uint64_t pc)
{
	bool rewrite = false;

	for (uint32_t i = 1; i < n->modules; i++)
		if (n->listed[i] && covers(ht_shm_module(n->ring, i), pc)) {
			n->listed[i] = false;
			rewrite = true;
		}
	if (rewrite)
		rewrite_list(n, out);
}

static void
need_module(struct ht_names *n, struct ht_out *out, const struct ht_frame *f)
{
	uint32_t m = atomic_load(&f->module);

	if (m == HT_NO_MODULE)
		unlist_at(n, out, atomic_load(&f->pc));
	else if (m && m - 1 < HT_MODULES_MAX && !n->listed[m - 1])
		list_module(n, out, m - 1);
}

/* ---- stacks ----------------------------------------------------------- */

static bool
is_qualifier(const struct ht_frame *f)
{
	uint32_t m = atomic_load(&f->module);

	return m == HT_Q_SIZE || m == HT_Q_POINTER || m == HT_Q_USABLE;
}

/* The node itself, below the qualifiers on it, and what these say. */
static uint32_t
strip(const struct ht_names *n, uint32_t node, struct ht_carried *c)
{
	while (node > HT_ROOT_CUT) {
		const struct ht_node *k = ht_shm_node(n->ring, node);
		const struct ht_frame *f = ht_shm_frame(n->ring, k->frame);

		if (!is_qualifier(f))
			break;
		if (atomic_load(&f->module) == HT_Q_SIZE)
			c->size = atomic_load(&f->pc);
		else if (atomic_load(&f->module) == HT_Q_USABLE)
			c->usable = atomic_load(&f->pc);
		else
			c->high = atomic_load(&f->pc) << HT_PTR_BITS;
		node = k->parent;
	}
	return node;
}

uint64_t
ht_names_high_bits(const struct ht_names *n, uint32_t node)
{
	struct ht_carried c = {0};

	strip(n, node, &c);
	return c.high;
}

/* The kind that the node itself says. */
static uint32_t
kind_at(const struct ht_names *n, uint32_t node)
{
	const struct ht_frame *f;

	if (node <= HT_ROOT_CUT)
		return HT_KIND_HEAP;
	f = ht_shm_frame(n->ring, ht_shm_node(n->ring, node)->frame);
	return atomic_load(&f->module) == HT_Q_KIND
		   ? (uint32_t)atomic_load(&f->pc) % HT_KINDS_MAX
		   : HT_KIND_HEAP;
}

void
ht_names_carried(const struct ht_names *n, uint32_t node, struct ht_carried *c)
{
	strip(n, node, c);
}

uint32_t
ht_names_kind(const struct ht_names *n, uint32_t node)
{
	struct ht_carried c;

	return kind_at(n, strip(n, node, &c));
}

/* Bytes of the module heap, or NULL: a lie. */
static const char *
heap_text(const struct ht_names *n, uint64_t at, uint32_t len)
{
	const struct ht_ring *r = n->ring;

	if (at > r->heap_size || len > r->heap_size - at)
		return NULL;
	return (const char *)r + r->heap_at + at;
}

/* What the allocations of the stack just written are. */
static void
write_kind(struct ht_names *n, struct ht_out *out, uint32_t kind)
{
	static const char *const known[HT_KIND_NAMED] = {
	    [HT_KIND_MMAP] = "mmap", [HT_KIND_BRK] = "brk"};
	uint64_t at = atomic_load(&n->ring->kind[kind]);
	const char *name = heap_text(n, at >> 32, (uint32_t)at);
	char text[8 + HT_NAME_MAX];
	int len;

	if (kind < HT_KIND_NAMED && known[kind])
		len = snprintf(text, sizeof text, "%s", known[kind]);
	else if (at && name && (uint32_t)at <= HT_NAME_MAX)
		len = snprintf(
		    text, sizeof text, "pool %.*s", (int)(uint32_t)at, name);
	else
		len = snprintf(text, sizeof text, "pool");
	ht_evwrite_kind(out, n->stacks, text, (size_t)len);
}

/* A stack is written once more for each kind of allocations that it makes, as
 * it is what carries the kind. */
static void
write_stack(struct ht_names *n, struct ht_out *out, uint32_t node)
{
	uint32_t kind = kind_at(n, node);
	const struct ht_node *k = ht_shm_node(n->ring, node);
	const struct ht_frame *f = ht_shm_frame(n->ring, k->frame);
	bool known = true;

	if (kind && k->parent > HT_ROOT_CUT) {
		k = ht_shm_node(n->ring, k->parent);
		f = ht_shm_frame(n->ring, k->frame);
	} else if (kind) {
		known = false;
	}
	if (known)
		need_module(n, out, f);
	ht_evwrite_stack(out, known ? atomic_load(&f->pc) : 0,
	    k->parent > HT_ROOT_CUT ? n->stack_of[k->parent] : 0);
	n->stack_of[node] = ++n->stacks;
	if (k->parent == HT_ROOT_CUT)
		ht_evwrite_cut(out, n->stacks);
	if (kind)
		write_kind(n, out, kind);
}

uint32_t
ht_names_stack(
    struct ht_names *n, struct ht_out *out, uint32_t node, struct ht_carried *c)
{
	size_t depth = 0;
	uint32_t i;

	node = strip(n, node, c);
	if (node <= HT_ROOT_CUT)
		return 0;
	/* Parents have smaller ids than their children. */
	HT_GROW(n->stack_of, n->stack_cap, (size_t)node + 1);
	for (i = node; i > HT_ROOT_CUT && !n->stack_of[i];
	     i = ht_shm_node(n->ring, i)->parent) {
		HT_GROW(n->chain, n->chain_cap, depth + 1);
		n->chain[depth++] = i;
	}
	while (depth > 0)
		write_stack(n, out, n->chain[--depth]);
	return n->stack_of[node];
}

/* ---- threads ---------------------------------------------------------- */

static void
thread_name(const struct ht_names *n, int tid, char name[16])
{
	char path[64];
	ssize_t len = 0;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/task/%d/comm", n->pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd != -1) {
		len = read(fd, name, 16);
		close(fd);
	}
	if (len > 0 && name[len - 1] == '\n')
		len--;
	name[len > 0 ? len : 0] = '\0';
}

/* The tid as we see it of a thread that calls itself `tid`: another where the
 * program lives in a pid namespace of its own. */
static int
outer_tid(const struct ht_names *n, int tid)
{
	char path[300], buf[4096], *p, *end;
	struct dirent *e;
	int found = 0;
	DIR *dir;

	if (n->inner_pid == 0 || n->inner_pid == n->pid)
		return tid;
	if (tid == n->inner_pid)
		return n->pid;
	snprintf(path, sizeof path, "/proc/%d/task", n->pid);
	dir = opendir(path);
	while (dir && !found && (e = readdir(dir))) {
		FILE *f;

		snprintf(path, sizeof path, "/proc/%d/task/%s/status", n->pid,
		    e->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		buf[fread(buf, 1, sizeof buf - 1, f)] = '\0';
		fclose(f);
		/* "NSpid:", then the tid in each namespace, outermost first. */
		if ((p = strstr(buf, "\nNSpid:")) &&
		    (end = strchr(p + 1, '\n'))) {
			*end = '\0';
			p = strrchr(p, '\t');
			if (p && atoi(p) == tid)
				found = atoi(e->d_name);
		}
	}
	if (dir)
		closedir(dir);
	return found ? found : tid;
}

void
ht_names_new_thread(struct ht_names *n, uint32_t slot, int tid)
{
	/* Whoever was there is gone: its number is free again. The last one
	 * is shared and never is. */
	uint32_t number = n->slot[slot].number;

	if (number && number < HT_THREAD_MAX)
		n->number[number].taken = false;
	n->slot[slot] = (struct ht_slot){.tid = outer_tid(n, tid)};
}

void
ht_names_thread_name(
    struct ht_names *n, uint32_t slot, const struct ht_rec *rec)
{
	ht_rec_name(rec, n->slot[slot].name);
	n->slot[slot].name[HT_NAME_SIZE - 1] = '\0';
}

static uint32_t
pick_number(struct ht_names *n, const char *name)
{
	for (uint32_t i = 2; i <= n->numbers; i++)
		if (!n->number[i].taken && !strcmp(n->number[i].name, name))
			return i;
	if (n->numbers < HT_THREAD_MAX)
		n->numbers++;
	return n->numbers;
}

uint32_t
ht_names_thread_slow(struct ht_names *n, struct ht_out *out, uint32_t slot)
{
	struct ht_slot *s = &n->slot[slot];
	char name[16 + 1] = "";
	uint32_t number;

	thread_name(n, s->tid, name);
	if (!*name)
		memcpy(name, s->name, HT_NAME_SIZE); /* it is gone */
	number = s->tid == n->pid ? 1 : pick_number(n, name);
	s->number = number;
	n->number[number].taken = true;
	strcpy(n->number[number].name, name);
	ht_evwrite_thread(
	    out, number, (uint32_t)s->tid, *name ? name : NULL, strlen(name));
	return number;
}
