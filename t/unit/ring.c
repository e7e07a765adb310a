/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ring alone: the producer's side of the preload library and the
 * recorder's drain, over a ring so small that it is full all the time. Built
 * with SAN=thread it runs under ThreadSanitizer.
 */
#pragma GCC target("cx16")

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ht-record/drain.c"
#include "ht-record/preload/publish.c"

#define THREADS 8
#define EACH	50000u
#define SHIFT	8

/* What publish.c and drain.c need of the rest. */
static struct ht_live live = {HT_ON, 1};
struct ht_live *ht_live = &live;
struct ht_ring *ht_ring;
struct ht_slots ht_slots;
struct ht_node *ht_nodes;

uint32_t
ht_frame_qualifier(uint32_t kind, uint64_t value)
{
	return kind == HT_Q_SIZE ? (uint32_t)value : 0;
}

uint32_t
ht_node_find(uint32_t parent, uint32_t frame)
{
	return parent + frame;
}

bool
ht_clock_sample(struct ht_clock *c, uint64_t ms, struct ht_sample *s)
{
	return (void)c, (void)ms, (void)s, false;
}

void
ht_trace_rss(struct ht_trace *t, uint64_t ms, uint64_t pages)
{
	(void)t, (void)ms, (void)pages;
}

void
ht_trace_prefetch(const struct ht_trace *t, const struct ht_rec *rec, size_t n)
{
	(void)t, (void)rec, (void)n;
}

size_t
ht_trace_plain(struct ht_trace *t, const struct ht_rec *rec, size_t n)
{
	return (void)t, (void)rec, (void)n, 0;
}

/* The consumer: each thread's records come whole and in its order. */
static uint64_t seen[THREADS + 1], got, lost, ticks;
static uint64_t wrong;
static _Atomic int running;

void
ht_trace_record(
    struct ht_trace *t, const struct ht_rec *rec, enum ht_rec_kind result)
{
	uint32_t n = ht_rec_thread(rec);
	uint64_t i = ht_rec_ptr(rec);

	(void)t, (void)result;
	switch (ht_rec_kind(rec->w1)) {
	case HT_REC_ALLOC:
		wrong += i != seen[n] && !ht_ring->flags;
		wrong += i < seen[n];
		wrong += ht_rec_size(rec) != (i & 0xffff);
		wrong += ht_rec_stack(rec) != (i * 7 & HT_STACK_MAX);
		seen[n] = i + 1;
		got++;
		break;
	case HT_REC_LOST:
		lost += i;
		break;
	case HT_REC_TICK:
		ticks++;
		break;
	default:
		wrong++;
	}
}

static void
make_ring(uint32_t flags)
{
	ht_ring = aligned_alloc(4096, 1 << 20);
	memset(ht_ring, 0, 1 << 20);
	ht_ring->shift = SHIFT;
	ht_ring->records_at = 4096;
	ht_ring->flags = flags;
	ht_slots.first = (struct ht_rec *)((char *)ht_ring + 4096);
	ht_slots.mask = (1 << SHIFT) - 1;
	memset(seen, 0, sizeof seen);
	got = lost = wrong = ticks = 0;
	atomic_store(&live.on, HT_ON);
}

static void *
producer(void *arg)
{
	struct ht_thread t = {.number = (uint32_t)(uintptr_t)arg};

	for (uint64_t i = 0; i < EACH; i++)
		ht_publish(&t, HT_REC_ALLOC, i, i & 0xffff,
		    (uint32_t)(i * 7 & HT_STACK_MAX));
	atomic_fetch_sub(&running, 1);
	return NULL;
}

/* `slow`: a recorder that naps. `die_at`: it is gone after so many records. */
static void
run(uint32_t flags, bool slow, uint64_t die_at)
{
	struct timespec nap = {.tv_nsec = 100000};
	struct ht_drain d = {0};
	pthread_t thread[THREADS];

	make_ring(flags);
	d.ring = ht_ring;
	atomic_store(&running, THREADS);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, producer, (void *)(i + 1));
	while (atomic_load(&running) > 0 && d.pos < die_at) {
		atomic_fetch_add(&ht_ring->tick, 1);
		ht_drain(&d, 1000);
		if (slow)
			nanosleep(&nap, NULL);
	}
	if (die_at != UINT64_MAX)
		atomic_store(&ht_ring->alive, FUTEX_OWNER_DIED);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	while (ht_drain(&d, 1000) > 0)
		;
}

static void
test_order(void **state)
{
	(void)state;
	run(0, false, UINT64_MAX);
	assert_int_equal(wrong, 0);
	for (int i = 1; i <= THREADS; i++)
		assert_int_equal(seen[i], EACH);
	assert_true(ticks > 0);
	free(ht_ring);
}

static void
test_lossy(void **state)
{
	(void)state;
	run(HT_RING_LOSSY, true, UINT64_MAX);
	assert_int_equal(wrong, 0);
	assert_true(got < (uint64_t)THREADS * EACH);
	assert_int_equal(got + atomic_load(&ht_ring->lost), THREADS * EACH);
	assert_int_equal(lost, atomic_load(&ht_ring->told));
	free(ht_ring);
}

/* The recorder dies: nobody waits for it. */
static void
test_recorder_gone(void **state)
{
	(void)state;
	run(0, false, EACH);
	assert_int_equal(wrong, 0);
	assert_int_equal(atomic_load(&live.on), HT_OFF);
	free(ht_ring);
}

/* A lap number that wraps, a hint that lags a whole lap behind. */
static void
test_laps(void **state)
{
	struct ht_drain d = {0};
	struct ht_thread t = {.number = 1};
	uint64_t n = ((uint64_t)HT_LAP_MASK + 3) << SHIFT;

	(void)state;
	make_ring(0);
	d.ring = ht_ring;
	for (uint64_t i = 0; i < n; i++) {
		ht_publish(&t, HT_REC_ALLOC, i, i & 0xffff,
		    (uint32_t)(i * 7 & HT_STACK_MAX));
		if (i % 100 == 99) {
			ht_drain(&d, 1000);
			if (i % 1000 == 999 && i > 300)
				atomic_store(&ht_ring->head, i - 300);
		}
	}
	ht_drain(&d, 1000);
	assert_int_equal(wrong, 0);
	assert_int_equal(seen[1], n);
	free(ht_ring);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_lossy),
	    cmocka_unit_test(test_recorder_gone),
	    cmocka_unit_test(test_laps),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
