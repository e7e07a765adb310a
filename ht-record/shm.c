/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ht-record/shm.h"

#define PAGE	  4096u
#define HEAP_MAX  (16u << 20)
#define HEAP_MIN  (1u << 20)
#define FRAME_MAX (1u << 20)
#define FRAME_MIN (1u << 14)
#define NODE_MAX  (1u << 26)
#define NODE_MIN  (1u << 16)
/* As many as nodes, so that it is halved with them. */
#define SAMPLED_MAX NODE_MAX

static uint64_t
page_up(uint64_t n)
{
	return (n + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

/* The areas, one after another. */
static void
lay_out(struct ht_ring *r)
{
	uint64_t at = page_up(sizeof *r);

	r->records_at = at;
	at += page_up(sizeof(struct ht_rec) << r->shift);
	r->heads_at = at;
	at += sizeof(uint32_t) << HT_FRAME_HEADS;
	r->modules_at = at;
	at += page_up(sizeof(struct ht_module) * HT_MODULES_MAX);
	r->heap_at = at;
	at += r->heap_size;
	r->frames_at = at;
	at += sizeof(struct ht_frame) * (uint64_t)r->frame_max;
	r->nodes_at = at;
	at += sizeof(struct ht_node) * (uint64_t)r->node_max;
	if (r->sample) {
		r->filter_at = at;
		at += UINT64_C(1) << HT_FILTER_BITS;
		r->sampled_heads_at = at;
		at += sizeof(uint32_t) << HT_SAMPLED_HEADS;
		r->sampled_at = at;
		at += page_up(
		    sizeof(struct ht_sampled) * (uint64_t)r->sampled_max);
	}
	r->size = at;
}

/* A ring as large as is useful; where address space is limited (RLIMIT_AS),
 * one that leaves the program most of it. */
static void
plan_ring(struct ht_ring *r, const struct ht_ring_options *o)
{
	static _Atomic uint64_t rings;
	struct rlimit as;
	uint64_t most = UINT64_MAX;

	if (prlimit(o->pid, RLIMIT_AS, NULL, &as) == 0 &&
	    as.rlim_cur != RLIM_INFINITY)
		most = as.rlim_cur / 4;
	r->frame_max = FRAME_MAX;
	r->node_max = NODE_MAX;
	r->heap_size = HEAP_MAX;
	r->sample = o->sample;
	/* Of one program's images and children no two are alike. */
	r->seed = o->seed + atomic_fetch_add(&rings, 1);
	r->sampled_max = SAMPLED_MAX;
	while ((sizeof(struct ht_rec) << r->shift) < o->buffer)
		r->shift++;
	lay_out(r);
	while (r->size > most && r->node_max > NODE_MIN) {
		r->node_max /= 2;
		r->sampled_max /= 2;
		if (r->frame_max > FRAME_MIN)
			r->frame_max /= 2;
		if (r->heap_size > HEAP_MIN)
			r->heap_size /= 2;
		lay_out(r);
	}
	r->flags = o->flags;
	/* Index 0 is none; the two roots are there from the start. */
	atomic_init(&r->frames, 1);
	atomic_init(&r->modules, 1);
	atomic_init(&r->sampled, 1);
	atomic_init(&r->nodes, HT_ROOT_CUT + 1);
	r->version = HT_RING_VERSION;
	r->magic = HT_RING_MAGIC;
}

struct ht_ring *
ht_shm_fill(const struct ht_ring_options *o, int file, struct ht_error *err)
{
	struct ht_ring plan = {0}, *r;

	plan_ring(&plan, o);
	if (ftruncate(file, (off_t)plan.size) == -1) {
		if (errno == EFBIG)
			ht_error_set(err,
			    "cannot make the ring: the limit on "
			    "file sizes (ulimit -f) is too small");
		ht_error_errno(err, "cannot make the ring");
		return NULL;
	}
	r = mmap(NULL, plan.size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_NORESERVE, file, 0);
	if (r == MAP_FAILED) {
		ht_error_errno(err, "cannot map the ring");
		return NULL;
	}
	*r = plan;
	return r;
}

struct ht_ring *
ht_shm_new(const struct ht_ring_options *o, int *fd, struct ht_error *err)
{
	int file = memfd_create("ht-ring", MFD_CLOEXEC);
	struct ht_ring *r;

	if (file == -1) {
		ht_error_errno(err, "cannot make the ring");
		return NULL;
	}
	r = ht_shm_fill(o, file, err);
	if (r && *fd == -1) {
		*fd = file;
		return r;
	}
	if (r)
		dup3(file, *fd, O_CLOEXEC);
	close(file);
	return r;
}

struct ht_ring *
ht_shm_map(int file, struct ht_error *err)
{
	struct stat st;
	struct ht_ring *r = MAP_FAILED;

	if (fstat(file, &st) == 0)
		r = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_NORESERVE, file, 0);
	if (r == MAP_FAILED) {
		ht_error_errno(err, "cannot map the ring");
		return NULL;
	}
	return r;
}

void
ht_shm_free(struct ht_ring *r)
{
	if (r)
		munmap(r, r->size);
}
