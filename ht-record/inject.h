/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library into a running program, and out of it again.
 *
 * Nothing is loaded there in the usual sense. dlopen needs a moment at which no
 * thread holds the loader's lock or one of malloc's, which cannot be known of
 * a program stopped anywhere; so neither is called. The recorder reserves
 * memory by system calls that one stopped thread makes, copies an image of
 * libht-attach.so there, relocated already, and has its start run on a stack of
 * its own. That start calls nothing of the program's and waits for nobody, so
 * where that thread is does not matter, nor what it holds. There is no file to
 * be found and no descriptor kept: any mount namespace will do.
 *
 * Then all threads are stopped, for as long as it takes to look where each is,
 * and the first five bytes of each function to be hooked become a jump to its
 * hook. What was there is moved, and goes on behind: that is what a hook calls.
 * So every call is caught: through pointers taken before, within the libc, from
 * libraries of any namespace loaded at any time. The tables of imports that
 * ltrace-like tools rewrite have none of these, and there is one in each
 * module, to be watched for ever. The price is that the first instructions of
 * a dozen functions must be understood (x86.h); they are, or the attach is
 * refused. A thread that is just between them goes on in the copy. A signal
 * handler that will return there is waited for: no word on any stack may be
 * such an address.
 *
 * To withdraw, the bytes are put back, with all threads stopped again. Threads
 * that are in a hook finish; the image and the moved instructions stay for
 * that, asleep, and serve the next attach. The ring and the arena are unmapped
 * once each thread was seen without an address of the image on its stack since.
 * Should that not come (a destructor that never returns under dlclose, say)
 * they stay until another attach finds them so; it puts an image of its own
 * beside one that a thread may still be in.
 *
 * All of this is written down in the process itself (struct ht_head) before it
 * is done, so whoever comes next can undo it. Whoever has all threads stopped
 * has the process for himself, and looks again what is written there.
 */
#ifndef HT_INJECT_H
#define HT_INJECT_H

#include "ht-record/image.h"
#include "ht-record/remote.h"
#include "ht-record/shm.h"

struct ht_injection {
	/* Called before the hooks are in place, for the recorder to take the
	 * ring (ht_clock_own): false, and it all ends. */
	bool (*ready)(struct ht_injection *in);
	void *arg;
	struct ht_ring *ring; /* mapped here, too; ours */
	int ring_fd;	      /* ours */
	uint64_t stop_us;     /* the longest stop of the program so far */
	uint64_t generation;  /* names this attach */
	uint64_t head;	      /* where struct ht_head is there */
	uint64_t debug;	      /* where its loader's list is */
	uint64_t objects;     /* ht_linkmap_state() of that, as last seen */
	bool again;	      /* it failed, and might not another time */
	bool kept;	      /* memory that may be in use was left there */
};

/*
 * Hooks process `pid`. 0 and *in filled in; -1 with *err set to a sentence, and
 * the process as it was, but for an image that may lie there asleep.
 */
int ht_inject(struct ht_injection *in, pid_t pid, struct ht_image *image,
    const struct ht_ring_options *o, struct ht_error *err);
/* Looks whether it has loaded allocators since, and hooks these; what they did
 * before that is not recorded. One that cannot be hooked is told in the ring's
 * note. */
void ht_inject_later(
    struct ht_injection *in, pid_t pid, struct ht_image *image);
/* Undoes it. 0, also if there is nothing to undo; -1 with *err set: the process
 * lives and is still hooked. */
int ht_withdraw(struct ht_injection *in, pid_t pid, struct ht_image *image,
    struct ht_error *err);

#endif
