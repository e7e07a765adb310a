/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "ht-record/inject.h"
#include "ht-record/target.h"

/* Another recorder may have been there since. */
static bool
is_still(struct ht_target *t, uint64_t generation)
{
	return ht_target_read_head(t, t->head_at) &&
	       t->head.generation == generation;
}

/* Unmaps what only a recording needs. False: it stays. */
static bool
free_memory(struct ht_target *t, uint64_t generation)
{
	struct ht_error ignored = {""};
	bool done;

	if (ht_remote_stop_all(&t->remote, &ignored) == -1)
		return false;
	done = !is_still(t, generation) || ht_target_free_memory(t) == 0;
	ht_remote_go(&t->remote);
	return done;
}

/* Undoes what the image at t->head has done. 0, or -1. */
static int
withdraw(struct ht_target *t, struct ht_ring *ring, bool *kept)
{
	uint64_t generation = t->head.generation;
	struct ht_inside inside = {0};

	*kept = false;
	if (ht_remote_stop_all(&t->remote, t->err) == -1)
		return -1;
	if (is_still(t, generation)) {
		ht_target_unhook(t, ring);
		*kept = ht_target_has_memory(t);
	}
	if (*kept && ht_maps_read(&t->maps, t->remote.pid) == 0 &&
	    !ht_target_note_inside(t, &inside))
		*kept = ht_target_free_memory(t) == -1;
	ht_remote_go(&t->remote);
	if (inside.count && ht_target_wait_outside(t, &inside))
		*kept = !free_memory(t, generation);
	free(inside.tid);
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
