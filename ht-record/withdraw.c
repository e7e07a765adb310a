/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "ht-record/inject.h"
#include "ht-record/target.h"

#define TRIES 40 /* at a stop without a thread in the image: a second or so */

static void
nap_ms(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

/* Undoes what the image at t->head has done. 0, or -1. */
static int
withdraw(struct ht_target *t, struct ht_ring *ring, bool *kept)
{
	uint64_t generation = t->head.generation;

	for (long i = 0; i < TRIES; i++) {
		if (ht_remote_stop_all(&t->remote, t->err) == -1)
			return -1;
		/* Another recorder may have been there since. */
		if (!ht_target_read_head(t, t->head_at) ||
		    t->head.generation != generation)
			break;
		ht_target_unhook(t, ring);
		*kept = ht_target_has_memory(t);
		if (*kept && ht_target_is_quiet(t))
			*kept = ht_target_free_memory(t) == -1;
		if (!*kept)
			break;
		ht_remote_go(&t->remote);
		nap_ms(1 + i);
	}
	ht_remote_go(&t->remote);
	return 0;
}

/* Is it the one that was put there by `arg`? */
static bool
is_ours(struct ht_target *t, bool same, void *arg)
{
	const struct ht_injection *in = arg;

	(void)same;
	return t->head.generation == in->generation;
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
	struct ht_target t;
	int r = 0;

	if (ht_target_open(&t, pid, image, err) == -1)
		return has_ended(pid) ? 0 : -1;
	if (ht_target_images(&t, is_ours, in))
		r = withdraw(&t, in->ring, &in->kept);
	if (t.remote.longest > in->stop_us)
		in->stop_us = t.remote.longest;
	ht_target_close(&t);
	return r == -1 && has_ended(pid) ? 0 : r;
}
