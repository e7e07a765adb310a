/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process that does to another what ptrace does: it hooks it, and undoes
 * that when it is told to, or when ht-record is gone, however that came. A
 * signal to ht-record, SIGKILL included, does not reach it: it is a session of
 * its own. What is half done when that happens it finishes first.
 */
#ifndef HT_GUARDIAN_H
#define HT_GUARDIAN_H

#include <sys/types.h>

#include "ht-record/shm.h"

struct ht_guardian;

/* How it went, so far. */
struct ht_guarded {
	uint64_t stop_us;    /* the longest stop of the program */
	uint64_t head;	     /* address of struct ht_head in it */
	uint64_t generation; /* names this attach there */
	bool kept;	     /* memory that may be in use was left there */
};

/* Forks it; to be done before there are threads. NULL with *err set. `image`,
 * which has to stay, is the path of libht-attach.so. Nothing is done to `pid`
 * yet. */
struct ht_guardian *ht_guardian_new(pid_t pid, const char *image,
    const struct ht_ring_options *o, struct ht_error *err);

/* Lets it put the image there. Returns the ring, to be freed by the caller, who
 * is to own it (ht_clock_own) before the hooks go in; NULL with *err set. */
struct ht_ring *ht_guardian_ring(
    struct ht_guardian *g, struct ht_guarded *how, struct ht_error *err);
/* Lets it hook. 0, or -1 with *err set. */
int ht_guardian_hook(
    struct ht_guardian *g, struct ht_guarded *how, struct ht_error *err);

/* Asks it to undo all that; the ring has to be drained meanwhile. */
void ht_guardian_withdraw(struct ht_guardian *g);
/* Whether it has; fills in *how. -1 with *err set: it could not. */
int ht_guardian_done(
    struct ht_guardian *g, struct ht_guarded *how, struct ht_error *err);

/* If it was killed, as a call has said: undoes here what it would have, and
 * fills in *how, which says what was done so far. `ring` is still mapped. */
void ht_guardian_stand_in(
    struct ht_guardian *g, struct ht_ring *ring, struct ht_guarded *how);

/* Waits for its end. What is still hooked it undoes. */
void ht_guardian_free(struct ht_guardian *g);

#endif
