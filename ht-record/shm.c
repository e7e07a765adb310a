/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ht-record/shm.h"

#define PAGE      4096u
#define HEAP_SIZE (16u << 20)
#define FRAME_MAX (1u << 20)
#define NODE_MAX  (1u << 26)

static uint64_t
page_up(uint64_t n)
{
	return (n + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

static void
lay_out(struct ht_ring *r, const struct ht_ring_options *o)
{
	uint64_t at = page_up(sizeof *r);

	while ((sizeof(struct ht_rec) << r->shift) < o->buffer)
		r->shift++;
	r->records_at = at;
	at += page_up(sizeof(struct ht_rec) << r->shift);
	r->heads_at = at;
	at += sizeof(uint32_t) << HT_FRAME_HEADS;
	r->modules_at = at;
	at += page_up(sizeof(struct ht_module) * HT_MODULES_MAX);
	r->heap_at = at;
	at += r->heap_size = HEAP_SIZE;
	r->frames_at = at;
	at += sizeof(struct ht_frame) * (uint64_t)(r->frame_max = FRAME_MAX);
	r->nodes_at = at;
	at += sizeof(struct ht_node) * (uint64_t)(r->node_max = NODE_MAX);
	r->size = at;
	r->flags = o->flags;
	/* Index 0 is none; the two roots are there from the start. */
	atomic_init(&r->frames, 1);
	atomic_init(&r->modules, 1);
	atomic_init(&r->nodes, HT_ROOT_CUT + 1);
	atomic_init(&r->seen, 0);
	r->version = HT_RING_VERSION;
	r->magic = HT_RING_MAGIC;
}

static int
memory_file(uint64_t size)
{
	int fd = memfd_create("ht-ring", MFD_CLOEXEC);

	if (fd != -1 && ftruncate(fd, (off_t)size) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

struct ht_ring *
ht_shm_new(const struct ht_ring_options *o, int *fd, struct ht_error *err)
{
	struct ht_ring plan = {0}, *r;
	int file;

	lay_out(&plan, o);
	file = memory_file(plan.size);
	if (file == -1) {
		if (errno == EFBIG)
			ht_error_set(err, "cannot make the ring: the limit on "
			                  "file sizes (ulimit -f) is too small");
		ht_error_errno(err, "cannot make the ring");
		return NULL;
	}
	r = mmap(NULL, plan.size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_NORESERVE, file, 0);
	if (r == MAP_FAILED) {
		ht_error_errno(err, "cannot map the ring");
		close(file);
		return NULL;
	}
	*r = plan;
	if (*fd == -1) {
		*fd = file;
	} else {
		dup3(file, *fd, O_CLOEXEC);
		close(file);
	}
	return r;
}

void
ht_shm_free(struct ht_ring *r)
{
	if (r)
		munmap(r, r->size);
}
