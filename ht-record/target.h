/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that is being hooked or unhooked: what inject.c and withdraw.c
 * share. What is known of it is only as good as the stop in which it was
 * looked at: another recorder may come in between.
 */
#ifndef HT_TARGET_H
#define HT_TARGET_H

#include "ht-record/image.h"
#include "ht-record/maps.h"
#include "ht-record/remote.h"
#include "ht-record/ring.h"

#define HT_PAGE UINT64_C(4096)
/* What a signal handler returns to, in each libc: a call of rt_sigreturn. */
#define HT_RESTORER	 "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05"
#define HT_RESTORER_SIZE 9

struct ht_target {
	struct ht_remote remote;
	long pid;     /* as it knows itself */
	bool seccomp; /* a thread of it may not make every system call */
	struct ht_maps maps;
	struct ht_image *image; /* of our file */
	uint64_t head_at;	/* of the image in it that we mean; 0: none */
	struct ht_head head;	/* what is there, or is to be */
	struct ht_error *err;
};

/* 0, or -1 with *err set. */
int ht_target_open(struct ht_target *t, pid_t pid, struct ht_image *image,
    struct ht_error *err);
void ht_target_close(struct ht_target *t);

/*
 * Calls `each` for every image of ours that is in it, t->head being its head;
 * `same`: the image is of the very file that we have. Ends when `each` returns
 * true, and returns that.
 */
bool ht_target_images(struct ht_target *t,
    bool (*each)(struct ht_target *t, bool same, void *arg), void *arg);

/* The head, there and here. */
bool ht_target_read_head(struct ht_target *t, uint64_t at);
int ht_target_write_head(struct ht_target *t);

/* A set of addresses that stacks are searched for: areas apart, by address. */
struct ht_wanted {
	struct ht_area area[HT_PATCHES_MAX];
	unsigned count;
	uint64_t low, high;
	uint64_t restorer;  /* seen last */
	uint64_t other[64]; /* code that is none */
};

void ht_want(struct ht_wanted *w, uint64_t start, uint64_t size);
/* Has the stack of a stopped thread such a word, or, if `pc`, is it there? Also
 * true if that cannot be seen, t->maps being of another moment. */
bool ht_target_thread_has(struct ht_target *t,
    const struct ht_remote_thread *thread, struct ht_wanted *w, bool pc);

/* From where on the stack of the first thread may be written to, below what it
 * uses; 0: it is on none of a usual kind. t->maps are of this stop. */
uint64_t ht_target_room(const struct ht_target *t);

/* Those who are in an image, or on their way back there. */
struct ht_inside {
	struct ht_target *t;
	struct ht_wanted wanted;
	pid_t *tid; /* to be freed */
	size_t count;
};

/* Notes those who are in the image of t->head: is there one? All threads are
 * stopped, and t->maps are of this moment. */
bool ht_target_note_inside(struct ht_target *t, struct ht_inside *in);
/* Waits, for seconds, until these have left it; new ones cannot get there.
 * Nothing is stopped. False: somebody stays. */
bool ht_target_wait_outside(struct ht_target *t, struct ht_inside *in);

/* A number behind `key` in /proc/PID/task/TID/status, the last of the line; -1:
 * there is none. */
long ht_target_number(const struct ht_target *t, pid_t tid, const char *key);

/* Is it hooked, by a recorder that lives? */
bool ht_target_is_recorded(struct ht_target *t);
/* Puts back what was there before it was hooked, if it is; `ring`: our view of
 * its ring, or NULL. All threads are stopped. */
void ht_target_unhook(struct ht_target *t, struct ht_ring *ring);
/* Unmaps what only a recording needs; nobody is inside, nor can get there. 0,
 * or -1 with t->err set. */
int ht_target_free_memory(struct ht_target *t);
static inline bool
ht_target_has_memory(const struct ht_target *t)
{
	return t->head.ring.size || t->head.arena.size;
}

#endif
