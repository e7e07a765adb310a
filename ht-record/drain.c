/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ht-record/drain.h"
#include "ht-record/shm.h"

#define BATCH	  64   /* records taken at a time, and prefetched for */
#define TAIL_STEP 1024 /* records between two moves of the tail */
#define LOOKAHEAD 4096 /* records searched for how a realloc went */

static inline bool
is_published(const struct ht_rec *rec, uint32_t lap, uint64_t *w1)
{
	/* Acquire: pairs with the compare-and-swap that published. */
	*w1 = __atomic_load_n(&rec->w1, __ATOMIC_ACQUIRE);
	return ht_rec_lap(*w1) == lap;
}

/* How the realloc went whose intent is at `pos`: HT_REC_NONE if that is not
 * known yet. A signal handler may have its own reallocs in between. */
static enum ht_rec_kind
result_of(const struct ht_drain *d, uint32_t thread)
{
	const struct ht_ring *r = d->ring;
	const struct ht_rec *records = ht_shm_records(r);
	uint64_t mask = ((uint64_t)1 << r->shift) - 1, w1;
	unsigned inner = 0;

	for (uint64_t pos = d->pos + 1; pos < d->pos + LOOKAHEAD; pos++) {
		const struct ht_rec *rec = &records[pos & mask];
		enum ht_rec_kind kind;

		if (pos - d->pos > mask ||
		    !is_published(rec, ht_lap(pos, r->shift), &w1))
			break;
		kind = ht_rec_kind(w1);
		if (kind < HT_REC_REALLOC || kind > HT_REC_REALLOC_FAIL ||
		    ht_rec_thread(rec) != thread)
			continue;
		if (kind == HT_REC_REALLOC)
			inner++;
		else if (inner-- == 0)
			return kind;
	}
	return HT_REC_NONE;
}

/* The samples taken up to `ms`, each at its own time. */
static void
take_samples(struct ht_drain *d, uint64_t ms)
{
	struct ht_sample s;

	while (ht_clock_sample(d->clock, ms, &s))
		ht_trace_rss(d->trace, s.ms, s.pages);
}

static void
take(struct ht_drain *d, const struct ht_rec *rec)
{
	enum ht_rec_kind result = HT_REC_NONE;

	switch (ht_rec_kind(rec->w1)) {
	case HT_REC_REALLOC:
		result = result_of(d, ht_rec_thread(rec));
		break;
	case HT_REC_TICK:
		take_samples(d, ht_rec_ptr(rec));
		break;
	case HT_REC_EXEC:
		d->exec_pending = true;
		break;
	case HT_REC_EXEC_FAIL:
		d->exec_pending = false;
		break;
	default:
		break;
	}
	ht_trace_record(d->trace, rec, result);
}

/* Hysteresis: whoever waits for room sleeps on until half of it is there. */
static void
give_room(struct ht_ring *r, uint64_t pos, bool half)
{
	/* Release: we are done with the slots. Then, in the total order of
	 * the two, the look at `waiters`; the program does it the other way
	 * round. */
	atomic_store(&r->tail, pos);
	if (half && atomic_load(&r->waiters)) {
		atomic_store(&r->waiters, 0);
		atomic_fetch_add(&r->space, 1);
		syscall(
		    SYS_futex, &r->space, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	}
}

/* The next records that are there, at most BATCH; returns how many. */
static size_t
gather(const struct ht_drain *d, size_t max, struct ht_rec rec[BATCH])
{
	const struct ht_ring *r = d->ring;
	uint64_t size = (uint64_t)1 << r->shift;
	uint64_t at = d->pos & (size - 1);
	const struct ht_rec *slot = ht_shm_records(r) + at;
	uint32_t lap = ht_lap(d->pos, r->shift);
	size_t n = 0;

	if (max > BATCH)
		max = BATCH;
	if (max > size - at)
		max = size - at;
	for (; n < max; n++) {
		if (!is_published(&slot[n], lap, &rec[n].w1))
			break;
		rec[n].w0 = __atomic_load_n(&slot[n].w0, __ATOMIC_RELAXED);
	}
	ht_trace_prefetch(d->trace, rec, n);
	return n;
}

size_t
ht_drain(struct ht_drain *d, size_t max)
{
	struct ht_ring *r = d->ring;
	uint64_t half = (uint64_t)1 << r->shift >> 1;
	uint64_t first = d->pos, told = d->pos;
	struct ht_rec rec[BATCH];
	size_t n = BATCH;

	/* A reader on the heels of the writers takes the cache lines away that
	 * they are about to write: what is no whole batch waits. */
	while (n == BATCH && (n = gather(d, max - (d->pos - first), rec)) > 0) {
		for (size_t i = 0; i < n;) {
			size_t plain = ht_trace_plain(d->trace, &rec[i], n - i);

			i += plain;
			d->pos += plain;
			if (i < n) {
				take(d, &rec[i++]);
				d->pos++;
			}
		}
		if (d->pos - told >= TAIL_STEP) {
			told = d->pos;
			give_room(r, told, told - first >= half);
		}
	}
	give_room(r, d->pos, true);
	return (size_t)(d->pos - first);
}

void
ht_drain_idle(struct ht_drain *d)
{
	/* Not later than the ticks that the program has been shown: what it
	 * does next comes after them. */
	take_samples(d, atomic_load(&d->ring->tick));
}
