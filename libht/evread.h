/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading the event stream, ht-events(5): ours and every heaptrack file,
 * versions 0 to 3, raw or interpreted. Level 3.
 *
 *	struct ht_evread *r = ht_evread_open(path, &err);
 *	while ((rc = ht_evread_next(r, &ev)) != 0)
 *		if (rc < 0)
 *			ht_warn("%s", ht_evread_error(r));
 *		else
 *			… ev.kind, r->t …
 *	failed |= ht_evread_close(r) < 0;
 *
 * What a line defines is in the tables (stack.h) when its event is handed
 * out. Each trace begins with HT_EV_VERSION, which empties the tables, and
 * ends with one HT_EV_END, after which they still hold everything. A trace in
 * heaptrack's raw form or of version 0, whose lines name addresses, is turned
 * into one with classes here: consumers see one form. `temporary` is exact on
 * our files, and by heaptrack's rule on heaptrack's.
 *
 * A class's `live` and `allocs` are kept here. #F, which undoes the last free
 * of a class, comes as HT_EV_UNFREE.
 */
#ifndef HT_EVREAD_H
#define HT_EVREAD_H

#include <endian.h>
#include <string.h>

#include "libht/base.h"
#include "libht/err.h"
#include "libht/event.h"
#include "libht/in.h"
#include "libht/stack.h"

#define HT_EVREAD_ERRORS 20 /* so many messages an input */

struct ht_evread {
	char *p, *end;	    /* what is left of the block */
	const char *fast;   /* end where lines of + and - need no care, or p */
	uint64_t last;	    /* class of the `+` before, plus 1; else 0 */
	struct ht_tables t; /* of the trace being read */
	struct ht_evread_state *state;
};

/* Opens `path` (NULL or "-": stdin). NULL with *err set on failure. */
struct ht_evread *ht_evread_open(const char *path, struct ht_error *err);
/* The same over an input, which it owns from then on. */
struct ht_evread *ht_evread_new(struct ht_in *in);

/*
 * The next record. 1; 0 at the end; -1 with ht_evread_error set: a bad line,
 * a truncated trace, an unreadable input. After -1 go on calling: what can be
 * read safely is, and 0 comes where nothing can. After HT_EVREAD_ERRORS of
 * them bad lines are passed over in silence, save for one last -1 that says
 * how many.
 */
HT_HOT int ht_evread_next(struct ht_evread *r, struct ht_event *ev);

/* The text of the last -1: `file:line: what`. */
const char *ht_evread_error(const struct ht_evread *r);
/* True when the trace that is being read, or was the last, has no proper end
 * where one was to be expected. */
bool ht_evread_truncated(const struct ht_evread *r);
/* + and - lines of this trace so far. */
uint64_t ht_evread_events(const struct ht_evread *r);
/* 0, or -1 if there was any error. Frees. */
int ht_evread_close(struct ht_evread *r);

int ht_evread_slow(struct ht_evread *r, struct ht_event *ev);
/* A line `- <cls>` that goes on at `p`, with a space if it is in order. */
int ht_evread_free(
    struct ht_evread *r, struct ht_event *ev, uint32_t cls, const char *p);

/*
 * One to seven hexadecimal digits at `p`, of which eight bytes can be read,
 * all at once, as bytes of a word. They end before a byte without bits 4 and
 * 6: a space or LF, but look at it, since a few others are like them. Returns
 * how many digits, 0 if it is anything else.
 */
HT_HOT unsigned
ht_evread_id(const char *p, uint32_t *id)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t x, stop, d, over;
	unsigned n;

	memcpy(&x, p, 8);
	x = le64toh(x);
	/* Digits have bit 4 set, letters bit 6, space and LF neither. */
	stop = ~(x | x >> 2) & 0x10 * ones;
	if (ht_unlikely(stop == 0))
		return 0;
	n = (unsigned)__builtin_ctzll(stop) >> 3;
	if (ht_unlikely(n == 0))
		return 0;
	/* Right-aligned, with '0' in front. */
	x = x << (64 - 8 * n) | 0x30 * ones >> 8 * n;
	d = (x & 0x0f * ones) + 9 * (x >> 6 & ones);
	over = (d + 6 * ones) >> 4 & ones;
	/* Spelled again, it must be the same: nothing else was there, save
	 * for letters from g on. */
	if (ht_unlikely(
		(x ^ (d + 0x30 * ones + 0x27 * over)) | (d & 0x10 * ones)))
		return 0;
	d = (d << 4 | d >> 8) & UINT64_C(0x00ff00ff00ff00ff);
	d = (d << 8 | d >> 16) & UINT64_C(0x0000ffff0000ffff);
	*id = (uint32_t)(d << 16 | d >> 32);
	return n;
}

HT_HOT int
ht_evread_next(struct ht_evread *r, struct ht_event *ev)
{
	struct ht_class *c;
	char *p = r->p;
	unsigned n;
	uint32_t id;

	if (ht_unlikely(p >= r->fast))
		return ht_evread_slow(r, ev);
	if (ht_unlikely((p[0] != '+' && p[0] != '-') || p[1] != ' '))
		return ht_evread_slow(r, ev);
	n = ht_evread_id(p + 2, &id);
	if (ht_unlikely(n == 0 || id >= r->t.ncls))
		return ht_evread_slow(r, ev);
	c = &r->t.cls[id];
	ev->cls = id;
	ev->address = 0;
	if (p[0] == '+') {
		if (ht_unlikely(p[2 + n] != '\n'))
			return ht_evread_slow(r, ev);
		ev->kind = HT_EV_ALLOC;
		c->live++;
		c->allocs++;
		r->last = (uint64_t)id + 1;
	} else {
		if (ht_unlikely(c->live == 0))
			return ht_evread_slow(r, ev);
		if (p[2 + n] != '\n')
			return ht_evread_free(r, ev, id, p + 2 + n);
		ev->kind = HT_EV_FREE;
		ev->temporary = r->last == (uint64_t)id + 1;
		ev->age = 0;
		ev->part = false;
		ev->thread = 0;
		c->freed_temp = ev->temporary;
		c->live--;
		r->last = 0;
	}
	r->p = p + 3 + n;
	return 1;
}

#endif
