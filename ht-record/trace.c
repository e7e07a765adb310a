/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ht-record/blocks.h"
#include "ht-record/classtable.h"
#include "ht-record/extents.h"
#include "ht-record/names.h"
#include "ht-record/resident.h"
#include "ht-record/shm.h"
#include "ht-record/trace.h"
#include "libht/evwrite.h"
#include "libht/mem.h"

#define NOBODY UINT64_MAX /* no address: not what a thread allocated last */

/* The blocks of one kind of allocations. */
struct kind {
	struct ht_blocks blocks;
	struct ht_extents extents; /* of maps, in place of blocks */
	/* By thread: the address of the block it allocated as its latest
	 * event of this kind, for temporaries. */
	uint64_t last[HT_THREAD_MAX + 1];
};

/* A realloc whose `-` is written and whose result has not been seen. */
struct intent {
	uint32_t slot;	/* the thread, as the ring names it */
	bool temporary; /* the free was counted as that */
	uint64_t address;
	struct ht_block block;
	struct intent *next;
};

/* A map's intent that has no result yet, and what was unmapped by it. */
struct unmapping {
	uint32_t slot; /* the thread, as the ring names it */
	struct ht_extents gone;
	struct unmapping *next;
};

struct ht_trace {
	struct ht_out *out;
	struct ht_ring *ring;
	struct ht_trace_options options;
	struct ht_trace_stats stats;
	struct ht_names names; /* stacks, modules and threads */
	struct kind heap;
	struct kind *kind[HT_KINDS_MAX]; /* NULL: none yet; [0]: the heap */
	struct ht_classes classes;
	uint32_t last_plus; /* class of the `+` just written, + 1 */
	struct intent *intents;
	struct unmapping *unmappings;
	struct ht_map parts; /* hash of a part of a map to its class, + 1 */
	uint64_t rss;	     /* pages, as last written */
	uint64_t rss_looked; /* the same, when maps were last looked at */
	int pid;
	bool by_user, by_program; /* paused */
	uint64_t unseen_told;	  /* in `#U` */
};

static void
no_last(struct kind *k)
{
	for (size_t i = 0; i < HT_LEN(k->last); i++)
		k->last[i] = NOBODY;
}

/* A kind's; they are few blocks, or a pool's, which are dense: no shadow. */
static struct kind *
kind_of(struct ht_trace *t, uint32_t kind)
{
	if (ht_unlikely(!t->kind[kind])) {
		t->kind[kind] = ht_calloc(1, sizeof *t->kind[kind]);
		no_last(t->kind[kind]);
	}
	return t->kind[kind];
}

struct ht_trace *
ht_trace_new(struct ht_out *out, struct ht_ring *ring, int pid,
    const struct ht_trace_options *o)
{
	struct ht_trace *t = ht_calloc(1, sizeof *t);

	t->out = out;
	t->ring = ring;
	t->options = *o;
	t->pid = pid;
	t->stats.sampled = ring->sample;
	no_last(&t->heap);
	ht_blocks_init(&t->heap.blocks);
	t->kind[HT_KIND_HEAP] = &t->heap;
	ht_classes_init(&t->classes);
	ht_names_init(&t->names, ring, pid);
	return t;
}

void
ht_trace_set_out(struct ht_trace *t, struct ht_out *out)
{
	t->out = out;
}

const struct ht_trace_stats *
ht_trace_stats(const struct ht_trace *t)
{
	return &t->stats;
}

void
ht_trace_free(struct ht_trace *t)
{
	if (!t)
		return;
	while (t->intents) {
		struct intent *i = t->intents;

		t->intents = i->next;
		free(i);
	}
	while (t->unmappings) {
		struct unmapping *u = t->unmappings;

		t->unmappings = u->next;
		ht_extents_release(&u->gone);
		free(u);
	}
	ht_map_release(&t->parts);
	ht_names_release(&t->names);
	ht_blocks_release(&t->heap.blocks);
	for (size_t i = 1; i < HT_KINDS_MAX; i++)
		if (t->kind[i]) {
			ht_blocks_release(&t->kind[i]->blocks);
			ht_extents_release(&t->kind[i]->extents);
			free(t->kind[i]);
		}
	ht_classes_release(&t->classes);
	free(t);
}

/* ---- the first lines -------------------------------------------------- */

/* All of /proc/<pid>/<file>, at most `size` bytes; its length. */
static size_t
read_proc(int pid, const char *file, char *buf, size_t size)
{
	char path[64];
	size_t len = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return 0;
	while (len < size && (n = read(fd, buf + len, size - len)) > 0)
		len += (size_t)n;
	close(fd);
	return len;
}

static void
write_command(struct ht_trace *t)
{
	static char buf[HT_TEXT_MAX + 1];
	size_t len = read_proc(t->pid, "cmdline", buf, sizeof buf);

	if (len == 0) {
		/* It has ended already: what it was started with. */
		ht_evwrite_command(t->out, t->options.command);
		return;
	}
	if (len > 0 && len < sizeof buf && buf[len - 1] == '\0')
		len--;
	for (size_t i = 0; i < len; i++)
		if (buf[i] == '\0')
			buf[i] = ' ';
	ht_out_write(t->out, "X ", 2);
	ht_evwrite_rest(t->out, buf, len);
}

uint32_t
ht_trace_parent(int pid)
{
	char buf[512], *p;
	size_t len = read_proc(pid, "stat", buf, sizeof buf - 1);
	int parent = 0;

	buf[len] = '\0';
	p = strrchr(buf, ')');
	if (p)
		sscanf(p, ") %*c %d", &parent);
	return (uint32_t)parent;
}

void
ht_trace_begin(struct ht_trace *t, char *const argv[])
{
	unsigned major = 0, minor = 0, patch = 0;
	const char *exe = ht_names_exe(&t->names);

	sscanf(HT_VERSION, "%u.%u.%u", &major, &minor, &patch);
	ht_evwrite_version(t->out, major << 16 | minor << 8 | patch);
	ht_evwrite_tool(t->out, "ht-record " HT_VERSION, argv);
	ht_evwrite_exe(t->out, exe, strlen(exe));
	write_command(t);
	ht_evwrite_system(t->out, (uint64_t)sysconf(_SC_PAGESIZE),
	    (uint64_t)sysconf(_SC_PHYS_PAGES));
	ht_evwrite_process(t->out, (uint32_t)t->pid,
	    t->options.parent ? t->options.parent : ht_trace_parent(t->pid),
	    (uint64_t)time(NULL));
	if (t->options.attached)
		ht_evwrite_attached(t->out);
	if (t->ring->sample)
		ht_evwrite_sampled(t->out, t->ring->sample);
}

/* Many may come at once: they are told of together. */
static void
write_unseen(struct ht_trace *t)
{
	if (t->stats.unseen > t->unseen_told)
		ht_evwrite_unseen(t->out, t->stats.unseen - t->unseen_told);
	t->unseen_told = t->stats.unseen;
}

/* The user and the program have a switch each: recording is on if both are. */
static bool
is_paused(const struct ht_trace *t)
{
	return t->by_user || t->by_program;
}

static void
pause_by(struct ht_trace *t, bool *whose, bool paused)
{
	bool was = is_paused(t);

	*whose = paused;
	if (was != is_paused(t)) {
		write_unseen(t);
		ht_evwrite_pause(t->out, is_paused(t));
	}
}

void
ht_trace_pause(struct ht_trace *t, bool paused)
{
	pause_by(t, &t->by_user, paused);
}

/* ---- events ----------------------------------------------------------- */

/* The record's first word, with the thread's number in the trace. */
static inline uint64_t
class_key(const struct ht_rec *rec, uint32_t thread)
{
	return ht_rec_w0(ht_rec_stack(rec), ht_rec_size(rec), thread);
}

static __attribute__((noinline)) uint32_t
new_class(struct ht_trace *t, const struct ht_rec *rec, uint32_t thread)
{
	struct ht_carried c = {.size = ht_rec_size(rec)};
	uint32_t stack =
	    ht_names_stack(&t->names, t->out, ht_rec_stack(rec), &c);
	struct ht_class_info info = {
	    .size = c.size,
	    .high = (uint16_t)(c.high >> HT_PTR_BITS),
	    .thread = (uint16_t)thread,
	    .kind = (uint16_t)ht_names_kind(&t->names, ht_rec_stack(rec)),
	    .stack = stack,
	};
	bool plain = info.size == ht_rec_size(rec) && info.high == 0 &&
		     info.kind == HT_KIND_HEAP;

	ht_evwrite_class(t->out, info.size, stack, thread, c.usable);
	return ht_classes_add(
	    &t->classes, class_key(rec, thread), plain, &info);
}

/* The class of a record that allocates, defined on first sight. */
static inline uint32_t
class_of(struct ht_trace *t, const struct ht_rec *rec, uint32_t thread)
{
	uint32_t id = ht_classes_find(&t->classes, class_key(rec, thread))->id;

	return ht_likely(id) ? id - 1 : new_class(t, rec, thread);
}

static uint64_t
shown(const struct ht_trace *t, uint64_t address)
{
	return t->options.addresses ? address : 0;
}

static inline enum ht_temp
how_temporary(bool temporary, bool rule)
{
	return temporary == rule ? HT_TEMP_RULE
	       : temporary	 ? HT_TEMP_YES
				 : HT_TEMP_NO;
}

/* ---- estimates -------------------------------------------------------- */

static void
tally(struct ht_tally *to, const struct ht_weight *w, bool more)
{
	if (more) {
		to->blocks += w->blocks;
		to->blocks_var += w->blocks_var;
		to->bytes_var += w->bytes_var;
	} else {
		to->blocks -= w->blocks;
		to->blocks_var -= w->blocks_var;
		to->bytes_var -= w->bytes_var;
	}
}

static void
whole_numbers(struct ht_trace_stats *s)
{
	s->allocations = (uint64_t)(s->all.blocks >> 32);
	s->temporary = (uint64_t)(s->temporarily.blocks >> 32);
	s->leaked_blocks = (uint64_t)(s->live.blocks >> 32);
}

/* ---- the numbers of the end ------------------------------------------- */

static void
count_born(struct ht_trace_stats *s, uint64_t size)
{
	struct ht_weight w;

	if (ht_likely(!s->sampled)) {
		s->allocations++;
		s->leaked += size;
		s->leaked_blocks++;
	} else {
		w = ht_weight(size, s->sampled);
		tally(&s->all, &w, true);
		tally(&s->live, &w, true);
		s->leaked += w.bytes;
		whole_numbers(s);
	}
	if (s->leaked > s->peak) {
		s->peak = s->leaked;
		s->peak_ms = s->ms;
		s->at_peak = s->live;
	}
}

static void
count_dead(struct ht_trace_stats *s, uint64_t size, bool temporary)
{
	struct ht_weight w;

	if (ht_likely(!s->sampled)) {
		s->leaked -= size;
		s->leaked_blocks--;
		s->temporary += temporary;
		return;
	}
	w = ht_weight(size, s->sampled);
	tally(&s->live, &w, false);
	if (temporary)
		tally(&s->temporarily, &w, true);
	s->leaked -= w.bytes;
	whole_numbers(s);
}

/* It is not dead, and lives as if it had never been. */
static void
count_undead(struct ht_trace_stats *s, uint64_t size, bool temporary)
{
	struct ht_weight w;

	if (ht_likely(!s->sampled)) {
		s->leaked += size;
		s->leaked_blocks++;
		s->temporary -= temporary;
		return;
	}
	w = ht_weight(size, s->sampled);
	tally(&s->live, &w, true);
	if (temporary)
		tally(&s->temporarily, &w, false);
	s->leaked += w.bytes;
	whole_numbers(s);
}

/* ---- blocks ----------------------------------------------------------- */

static void
block_dies(
    struct ht_trace *t, struct ht_block b, uint64_t address, uint32_t thread)
{
	const struct ht_class_info *c = &t->classes.info[b.cls];
	bool temporary = kind_of(t, c->kind)->last[c->thread] == address &&
			 thread == c->thread;
	bool rule = t->last_plus == b.cls + 1;

	if (c->kind == HT_KIND_HEAP)
		count_dead(&t->stats, c->size, temporary);
	ht_evwrite_free(t->out, b.cls, t->stats.ms - b.birth,
	    thread == c->thread ? 0 : thread, how_temporary(temporary, rule),
	    shown(t, address));
	t->last_plus = 0;
}

static void
block_is_born(struct ht_trace *t, const struct ht_rec *rec, uint32_t thread)
{
	struct ht_block old, b = {
				 .cls = class_of(t, rec, thread),
				 .birth = (uint32_t)t->stats.ms,
			     };
	const struct ht_class_info *c = &t->classes.info[b.cls];
	uint64_t address = ht_rec_ptr(rec) | (uint64_t)c->high << HT_PTR_BITS;

	struct kind *k = kind_of(t, c->kind);

	if (ht_unlikely(ht_blocks_put(&k->blocks, address, b, &old))) {
		/* Its free escaped us. It happened, before this. */
		t->stats.missed++;
		ht_evwrite_missed(t->out, 1);
		block_dies(t, old, address, t->classes.info[old.cls].thread);
	}
	ht_evwrite_alloc(t->out, b.cls, shown(t, address));
	t->last_plus = b.cls + 1;
	k->last[thread] = address;
	if (c->kind == HT_KIND_HEAP)
		count_born(&t->stats, c->size);
}

/* True if a block died; *b is what it was. */
static bool
on_free(struct ht_trace *t, struct kind *k, uint64_t address, uint32_t thread,
    struct ht_block *b)
{
	if (ht_likely(ht_blocks_take(&k->blocks, address, b))) {
		block_dies(t, *b, address, thread);
		k->last[thread] = NOBODY;
		return true;
	}
	k->last[thread] = NOBODY;
	t->stats.unseen++;
	return false;
}

static void
on_intent(struct ht_trace *t, struct kind *k, uint64_t address, uint32_t slot,
    enum ht_rec_kind result)
{
	uint32_t thread = ht_names_thread(&t->names, t->out, slot);
	ht_wide temporary = t->stats.temporary + t->stats.temporarily.blocks;
	struct intent *i;
	struct ht_block b;

	if (result == HT_REC_REALLOC_FAIL)
		return; /* nothing will have happened */
	if (!on_free(t, k, address, thread, &b) || result != HT_REC_NONE ||
	    slot == HT_THREAD_MAX) /* shared by many: whose is the next? */
		return;
	i = ht_malloc(sizeof *i);
	*i = (struct intent){slot,
	    t->stats.temporary + t->stats.temporarily.blocks > temporary,
	    address, b, t->intents};
	t->intents = i;
}

/* A realloc failed after its `-` had to be written: the block lives on. */
static void
undo(struct ht_trace *t, const struct intent *i)
{
	const struct ht_class_info *c = &t->classes.info[i->block.cls];
	struct ht_block old;

	ht_evwrite_unfree(t->out, i->block.cls, shown(t, i->address));
	t->last_plus = 0;
	ht_blocks_put(&kind_of(t, c->kind)->blocks, i->address, i->block, &old);
	if (c->kind == HT_KIND_HEAP)
		count_undead(&t->stats, c->size, i->temporary);
}

/* The address in full: its high bits may travel in the stack. */
static uint64_t
address_of(struct ht_trace *t, const struct ht_rec *rec)
{
	uint64_t address = ht_rec_ptr(rec);

	if (ht_unlikely(ht_rec_stack(rec)))
		address |= ht_names_high_bits(&t->names, ht_rec_stack(rec));
	return address;
}

/* The blocks that a record is about. */
static struct kind *
kind_in(struct ht_trace *t, const struct ht_rec *rec)
{
	if (ht_likely(!ht_rec_stack(rec)))
		return &t->heap;
	return kind_of(t, ht_names_kind(&t->names, ht_rec_stack(rec)));
}

static void
on_mark(struct ht_trace *t, const struct ht_rec *rec)
{
	struct ht_mark_text *m = &t->ring->mark[ht_rec_ptr(rec) % HT_MARKS];
	uint32_t len = ht_rec_size(rec);

	write_unseen(t);
	ht_evwrite_mark(t->out, m->text, len < HT_NAME_MAX ? len : HT_NAME_MAX);
	/* Release: pairs with the exchange by which the program takes it. */
	atomic_store_explicit(&m->taken, 0, memory_order_release);
}

/* The result of a realloc of this thread: of the latest that has none. */
static void
settle_intent(struct ht_trace *t, const struct ht_rec *rec)
{
	for (struct intent **at = &t->intents; *at; at = &(*at)->next) {
		struct intent *i = *at;

		if (i->slot != ht_rec_thread(rec))
			continue;
		if (ht_rec_kind(rec->w1) == HT_REC_REALLOC_FAIL) {
			if (i->address != address_of(t, rec))
				continue;
			undo(t, i);
		}
		*at = i->next;
		free(i);
		return;
	}
}

/* What the thread did between two samples is told by the next free. */
static void
note_unsampled(struct ht_trace *t, const struct ht_rec *rec)
{
	enum ht_rec_kind kind = ht_rec_kind(rec->w1);

	if ((kind == HT_REC_FREE || kind == HT_REC_REALLOC) &&
	    ht_rec_size(rec) == HT_FREE_NOT_NEXT)
		t->heap.last[ht_names_thread(
		    &t->names, t->out, ht_rec_thread(rec))] = NOBODY;
}

/* ---- maps --------------------------------------------------------------- */

/* The class of a part of a map: as the map's, but for the size. */
static uint32_t
part_class(struct ht_trace *t, uint32_t cls, uint64_t size)
{
	struct ht_class_info info = t->classes.info[cls];
	uint64_t key = ht_hash64(size + ht_hash64(cls));

	if (info.size == size)
		return cls;
	for (;; key++) {
		bool fresh;
		uint64_t *id = ht_map_put(&t->parts, key, &fresh);
		const struct ht_class_info *c;

		if (fresh) {
			info.size = size;
			ht_evwrite_class(
			    t->out, size, info.stack, info.thread, 0);
			*id = ht_classes_add_unnamed(&t->classes, &info) + 1;
			return (uint32_t)*id - 1;
		}
		c = &t->classes.info[*id - 1];
		if (c->size == size && c->stack == info.stack &&
		    c->thread == info.thread && c->kind == info.kind)
			return (uint32_t)*id - 1;
	}
}

/* A map becomes two, of which the second begins at `at`. */
static void
split(struct ht_trace *t, struct kind *k, size_t place, uint64_t at)
{
	struct ht_extent left = k->extents.at[place], right = left;
	uint64_t age = t->stats.ms - left.block.birth;
	uint32_t whole = left.block.cls;

	left.end = right.start = at;
	left.block.cls = part_class(t, whole, left.end - left.start);
	right.block.cls = part_class(t, whole, right.end - right.start);
	k->extents.at[place] = left;
	ht_extents_insert(&k->extents, place + 1, right);
	ht_evwrite_part(t->out, false, whole, age, shown(t, left.start));
	ht_evwrite_part(
	    t->out, true, left.block.cls, age, shown(t, left.start));
	ht_evwrite_part(t->out, true, right.block.cls, age, shown(t, at));
	t->last_plus = 0;
	/* What ends in parts is not temporary. */
	k->last[t->classes.info[whole].thread] = NOBODY;
}

/* From here on nothing is mapped there; *gone, if not NULL, is what was. The
 * thread is 0 where that is found out by what is mapped next. */
static void
unmap(struct ht_trace *t, struct kind *k, uint64_t start, uint64_t end,
    uint32_t thread, struct ht_extents *gone)
{
	size_t i = ht_extents_find(&k->extents, start);

	while (i < k->extents.count && k->extents.at[i].start < end) {
		struct ht_extent e = k->extents.at[i];

		if (e.start < start) {
			split(t, k, i++, start);
			continue;
		}
		if (e.end > end) {
			split(t, k, i, end);
			e = k->extents.at[i];
		}
		ht_extents_remove(&k->extents, i);
		if (!thread) {
			t->stats.missed++;
			ht_evwrite_missed(t->out, 1);
		}
		block_dies(t, e.block, e.start,
		    thread ? thread : t->classes.info[e.block.cls].thread);
		if (gone)
			ht_extents_insert(gone, gone->count, e);
	}
}

static void
map_is_born(struct ht_trace *t, struct kind *k, const struct ht_rec *rec,
    uint32_t thread)
{
	uint32_t cls = class_of(t, rec, thread);
	uint64_t start = address_of(t, rec);
	struct ht_extent e = {start, start + t->classes.info[cls].size,
	    {cls, (uint32_t)t->stats.ms}};

	/* What was there went in a way that we do not see. */
	unmap(t, k, e.start, e.end, 0, NULL);
	ht_extents_insert(
	    &k->extents, ht_extents_find(&k->extents, e.start), e);
	ht_evwrite_alloc(t->out, cls, shown(t, e.start));
	t->last_plus = cls + 1;
	k->last[thread] = e.start;
}

/* What the thread was about to unmap there has stayed, if it failed. */
static void
settle_unmapping(
    struct ht_trace *t, struct kind *k, const struct ht_rec *rec, bool failed)
{
	struct unmapping **at = &t->unmappings, *u;

	while (*at && (*at)->slot != ht_rec_thread(rec))
		at = &(*at)->next;
	if (!(u = *at))
		return;
	*at = u->next;
	for (size_t i = 0; failed && i < u->gone.count; i++) {
		struct ht_extent e = u->gone.at[i];

		ht_extents_insert(
		    &k->extents, ht_extents_find(&k->extents, e.start), e);
		ht_evwrite_unfree(t->out, e.block.cls, shown(t, e.start));
		t->last_plus = 0;
	}
	ht_extents_release(&u->gone);
	free(u);
}

/* A record of a map: true. Of what is known to have failed nothing is done. */
static bool
on_map(struct ht_trace *t, const struct ht_rec *rec, enum ht_rec_kind result)
{
	uint32_t kind = ht_names_kind(&t->names, ht_rec_stack(rec));
	uint32_t slot = ht_rec_thread(rec), thread;
	struct ht_carried c = {.size = ht_rec_size(rec)};
	uint64_t address = address_of(t, rec);
	struct unmapping *u;
	struct kind *k;

	if (kind != HT_KIND_MMAP && kind != HT_KIND_BRK)
		return false;
	k = kind_of(t, kind);
	ht_names_carried(&t->names, ht_rec_stack(rec), &c);
	thread = ht_names_thread(&t->names, t->out, slot);
	switch (ht_rec_kind(rec->w1)) {
	case HT_REC_REALLOC:
		u = ht_calloc(1, sizeof *u);
		u->slot = slot;
		u->next = t->unmappings;
		t->unmappings = u;
		if (result != HT_REC_REALLOC_FAIL)
			unmap(
			    t, k, address, address + c.size, thread, &u->gone);
		k->last[thread] = NOBODY;
		break;
	case HT_REC_REALLOC_FAIL:
		settle_unmapping(t, k, rec, true);
		break;
	case HT_REC_REALLOC_DONE:
		settle_unmapping(t, k, rec, false);
		/* fall through */
	default:
		if (c.size && !is_paused(t))
			map_is_born(t, k, rec, thread);
		break;
	}
	return true;
}

void
ht_trace_record(
    struct ht_trace *t, const struct ht_rec *rec, enum ht_rec_kind result)
{
	uint32_t slot = ht_rec_thread(rec), thread;
	struct ht_block gone;

	if (t->ring->flags & HT_RING_MAPS && ht_rec_stack(rec) &&
	    on_map(t, rec, result))
		return;
	if (t->stats.sampled)
		note_unsampled(t, rec);
	switch (ht_rec_kind(rec->w1)) {
	case HT_REC_REALLOC_DONE:
		settle_intent(t, rec);
		/* fall through */
	case HT_REC_ALLOC:
		thread = ht_names_thread(&t->names, t->out, slot);
		if (is_paused(t) || ht_rec_ptr(rec) == 0)
			kind_in(t, rec)->last[thread] = NOBODY;
		else
			block_is_born(t, rec, thread);
		break;
	case HT_REC_FREE:
		on_free(t, kind_in(t, rec), address_of(t, rec),
		    ht_names_thread(&t->names, t->out, slot), &gone);
		break;
	case HT_REC_REALLOC:
		on_intent(t, kind_in(t, rec), address_of(t, rec), slot, result);
		break;
	case HT_REC_TICK:
		ht_trace_time(t, ht_rec_ptr(rec));
		break;
	case HT_REC_THREAD:
		ht_names_new_thread(&t->names, slot, (int)ht_rec_ptr(rec));
		break;
	case HT_REC_NAME:
		ht_names_thread_name(&t->names, slot, rec);
		break;
	case HT_REC_LOST:
		t->stats.lost += ht_rec_ptr(rec);
		ht_evwrite_lost(t->out, ht_rec_ptr(rec));
		break;
	case HT_REC_REALLOC_FAIL:
		settle_intent(t, rec);
		break;
	case HT_REC_MARK:
		on_mark(t, rec);
		break;
	case HT_REC_RECORDING:
		pause_by(t, &t->by_program, ht_rec_ptr(rec) == 0);
		break;
	case HT_REC_EXEC:
	case HT_REC_EXEC_FAIL:
	case HT_REC_NONE:
		break;
	}
}

/* ---- the common case -------------------------------------------------- */

/* An allocation of a class that is known, at an address where nothing is.
 * False: not so simple, and nothing was done. */
static inline bool
plain_alloc(struct ht_trace *t, struct ht_trace_stats *s, char **out,
    const struct ht_rec *rec)
{
	uint64_t address = ht_rec_ptr(rec);
	uint64_t *word = ht_blocks_place(&t->heap.blocks, address);
	uint32_t thread = t->names.slot[ht_rec_thread(rec)].number;
	const struct ht_class_slot *c =
	    ht_classes_find(&t->classes, class_key(rec, thread));
	uint32_t id = c->id - 1;
	char *p = *out;

	if (ht_unlikely(!thread || !word || *word || !c->id || !c->plain))
		return false;
	*word = ht_block_pack(address, (struct ht_block){id, (uint32_t)s->ms});
	t->last_plus = c->id;
	t->heap.last[thread] = address;
	s->allocations++;
	s->leaked += ht_rec_size(rec);
	s->leaked_blocks++;
	if (s->leaked > s->peak) {
		s->peak = s->leaked;
		s->peak_ms = s->ms;
	}
	p[0] = '+';
	p[1] = ' ';
	p = ht_evwrite_hex(p + 2, id);
	*p++ = '\n';
	*out = p;
	return true;
}

/* A free of a block that is known. */
static inline bool
plain_free(struct ht_trace *t, struct ht_trace_stats *s, char **out,
    const struct ht_rec *rec)
{
	uint64_t address = ht_rec_ptr(rec);
	uint64_t *word = ht_blocks_place(&t->heap.blocks, address);
	uint32_t thread = t->names.slot[ht_rec_thread(rec)].number;
	const struct ht_class_info *c;
	bool temporary, rule;
	struct ht_block b;
	char *p = *out;

	if (ht_unlikely(!thread || !word || !ht_block_is_at(*word, address) ||
			ht_rec_stack(rec)))
		return false;
	b = ht_block_unpack(*word);
	*word = 0;
	c = &t->classes.info[b.cls];
	temporary = t->heap.last[thread] == address && thread == c->thread;
	rule = t->last_plus == b.cls + 1;
	t->last_plus = 0;
	t->heap.last[thread] = NOBODY;
	s->leaked -= c->size;
	s->leaked_blocks--;
	s->temporary += temporary;
	p[0] = '-';
	p[1] = ' ';
	memcpy(p + 2, c->text, sizeof c->text);
	p += 2 + c->digits;
	if (s->ms != b.birth || temporary != rule || thread != c->thread)
		p = ht_evwrite_how_freed(p, s->ms - b.birth,
		    thread == c->thread ? 0 : thread,
		    how_temporary(temporary, rule));
	*p++ = '\n';
	*out = p;
	return true;
}

size_t
ht_trace_plain(struct ht_trace *t, const struct ht_rec *rec, size_t n)
{
	struct ht_trace_stats s = t->stats;
	char *p;
	size_t i;

	if (t->options.addresses || t->intents || is_paused(t) ||
	    t->stats.sampled)
		return 0;
	ht_out_need(t->out, n * HT_EVWRITE_FREE_MAX);
	p = t->out->p;
	for (i = 0; i < n; i++) {
		enum ht_rec_kind kind = ht_rec_kind(rec[i].w1);

		if (kind == HT_REC_FREE ? !plain_free(t, &s, &p, &rec[i])
		    : kind == HT_REC_ALLOC || kind == HT_REC_REALLOC_DONE
			? !plain_alloc(t, &s, &p, &rec[i])
			: true)
			break;
	}
	t->out->p = p;
	t->stats = s;
	return i;
}

void
ht_trace_prefetch(const struct ht_trace *t, const struct ht_rec *rec, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ht_rec_kind(rec[i].w1) != HT_REC_FREE)
			ht_classes_prefetch(&t->classes,
			    class_key(&rec[i],
				t->names.slot[ht_rec_thread(&rec[i])].number));
		ht_blocks_prefetch(&t->heap.blocks, ht_rec_ptr(&rec[i]));
	}
}

void
ht_trace_time(struct ht_trace *t, uint64_t ms)
{
	if (ms <= t->stats.ms)
		return;
	write_unseen(t);
	t->stats.ms = ms;
	ht_evwrite_time(t->out, ms);
}

/* Pages of maps that are resident. Looked at whenever the resident set has
 * grown by a 64th beyond what it ever was: so it is not often, and never far
 * from the peak. */
static bool
resident_maps(struct ht_trace *t, uint64_t rss, uint64_t *pages)
{
	uint64_t bytes = 0;

	if (!(t->ring->flags & HT_RING_MAPS) ||
	    rss <= t->rss_looked + t->rss_looked / 64)
		return false;
	for (uint32_t kind = HT_KIND_MMAP; kind <= HT_KIND_BRK; kind++)
		if (ht_resident_add(
			t->pid, &kind_of(t, kind)->extents, &bytes) == -1)
			return false;
	t->rss_looked = rss;
	*pages = bytes / (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

void
ht_trace_rss(struct ht_trace *t, uint64_t ms, uint64_t pages)
{
	uint64_t bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE), maps;

	if (bytes > t->stats.peak_rss)
		t->stats.peak_rss = bytes;
	if (pages == t->rss)
		return;
	t->rss = pages;
	ht_trace_time(t, ms);
	if (resident_maps(t, pages, &maps))
		ht_evwrite_rss_maps(t->out, pages, maps);
	else
		ht_evwrite_rss(t->out, pages);
}

void
ht_trace_end(struct ht_trace *t, int end, uint64_t value)
{
	uint64_t lost = atomic_load(&t->ring->lost);

	write_unseen(t);
	if (lost > t->stats.lost) {
		ht_evwrite_lost(t->out, lost - t->stats.lost);
		t->stats.lost = lost;
	}
	ht_evwrite_end(t->out, (enum ht_end)end, value);
}
