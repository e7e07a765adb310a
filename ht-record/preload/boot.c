/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the library comes to life: at the first call of a hook, which may be
 * long before its constructor. In the process that is to be recorded it maps
 * the ring; in any other it stays dormant. Either way the program finds an
 * environment without our entries.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ht-record/preload/allocators.h"
#include "ht-record/preload/api.h"
#include "ht-record/preload/frames.h"
#include "ht-record/preload/objects.h"
#include "ht-record/preload/preload.h"
#include "ht-record/preload/sample.h"

static struct ht_live not_started = {HT_NOT_STARTED, 1};
static struct ht_live dormant = {HT_OFF, 1};
struct ht_live *ht_live = &not_started;
struct ht_ring *ht_ring;
struct ht_slots ht_slots;
struct ht_real ht_real;
const char *ht_preload_entry, *ht_ring_entry;
int ht_pid;

/* ---- memory before there is any --------------------------------------- */

char ht_boot_arena[HT_BOOT_ARENA] __attribute__((aligned(64)));
static _Atomic size_t arena_used;

void *
ht_boot_alloc(size_t align, size_t size)
{
	/* The size lies before the block, for realloc. */
	size_t at, end;

	if (align < 16)
		align = 16;
	if (size > sizeof ht_boot_arena || align > 4096)
		return NULL;
	at = atomic_load(&arena_used);
	do {
		size_t block = (at + sizeof(size_t) + align - 1) & ~(align - 1);

		end = block + size;
		if (end > sizeof ht_boot_arena)
			return NULL;
	} while (!atomic_compare_exchange_weak(&arena_used, &at, end));
	at = (at + sizeof(size_t) + align - 1) & ~(align - 1);
	memcpy(ht_boot_arena + at - sizeof(size_t), &size, sizeof size);
	ht_sample_except(ht_boot_arena + at);
	return ht_boot_arena + at;
}

void
ht_boot_except(void)
{
	size_t end = atomic_load(&arena_used);

	for (size_t at = 0; at < end; at += 16)
		ht_sample_except(ht_boot_arena + at);
}

size_t
ht_boot_size(const void *p)
{
	size_t size;

	memcpy(&size, (const char *)p - sizeof size, sizeof size);
	return size;
}

/* ---- the real functions ----------------------------------------------- */

bool
ht_boot_real(void)
{
	static _Atomic int state; /* 0 nothing done, 1 under way, 2 done */
	int none = 0;

	if (atomic_load_explicit(&state, memory_order_acquire) == 2)
		return true;
	if (!atomic_compare_exchange_strong(&state, &none, 1))
		return false;
#define NEXT(name) ht_real.name = dlsym(RTLD_NEXT, #name)
	NEXT(malloc);
	NEXT(free);
	NEXT(calloc);
	NEXT(realloc);
	NEXT(posix_memalign);
	NEXT(aligned_alloc);
	NEXT(memalign);
	NEXT(valloc);
	NEXT(malloc_usable_size);
	NEXT(dlclose);
	NEXT(prctl);
	NEXT(syscall);
	NEXT(mmap);
	NEXT(munmap);
	NEXT(mremap);
	NEXT(brk);
	NEXT(sbrk);
	/* Either may be asked for what it has, no more: dlerror would tell. */
	if (ht_objects_of_musl()) {
		NEXT(exit);
		NEXT(pthread_exit);
	} else {
		NEXT(pvalloc);
	}
#undef NEXT
	atomic_store_explicit(&state, 2, memory_order_release);
	return true;
}

/* ---- the environment -------------------------------------------------- */

/* The value of `name` in the environment; *at is its place there. */
static char *
env_find(const char *name, char ***at)
{
	size_t len = strlen(name);

	for (char **e = environ; e && *e; e++)
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=') {
			*at = e;
			return *e + len + 1;
		}
	return NULL;
}

static void
env_remove(char **at)
{
	do
		at[0] = at[1];
	while (*at++);
}

/* A copy of a piece of the environment that outlives it. */
static const char *
keep(const char *s, size_t len)
{
	static char kept[2 * 4096 + 2];
	static size_t used;
	char *p = kept + used;

	if (len + 1 > sizeof kept - used)
		return NULL;
	memcpy(p, s, len);
	p[len] = '\0';
	used += len + 1;
	return p;
}

/* Takes our entries out; what the user preloads himself stays. Our own is
 * the first of the list: ht-record put it there. */
static void
clean_environment(void)
{
	char **at, *value, *rest;

	value = env_find(HT_ENV, &at);
	if (!value)
		return;
	ht_ring_entry = keep(value, strlen(value));
	env_remove(at);
	value = env_find("LD_PRELOAD", &at);
	if (!value)
		return;
	rest = value + strcspn(value, ": ");
	ht_preload_entry = keep(value, (size_t)(rest - value));
	if (*rest)
		memmove(value, rest + 1, strlen(rest + 1) + 1);
	else
		env_remove(at);
}

/* ---- the ring --------------------------------------------------------- */

struct ht_ring *
ht_boot_map_ring(int fd)
{
	struct ht_ring *r;
	struct stat st;

	if (fstat(fd, &st) == -1 || st.st_size < (off_t)sizeof *r)
		return NULL;
	r = ht_own_mmap(
	    NULL, (size_t)st.st_size, MAP_SHARED | MAP_NORESERVE, fd);
	if (r == MAP_FAILED)
		return NULL;
	if (r->magic != HT_RING_MAGIC || r->version != HT_RING_VERSION) {
		ht_own_munmap(r, (size_t)st.st_size);
		return NULL;
	}
	madvise(r, r->size, MADV_DONTDUMP);
	return r;
}

/* Text, without the locale and the memory that stdio might want. */
char *
ht_put_number(char *p, unsigned n)
{
	if (n >= 10)
		p = ht_put_number(p, n / 10);
	*p++ = (char)('0' + n % 10);
	return p;
}

/* A decimal number and the character `end` behind it; NULL: there is none. */
static const char *
get_number(const char *p, char end, int *n)
{
	unsigned v = 0;
	const char *first = p;

	for (; *p >= '0' && *p <= '9' && v < 100000000; p++)
		v = v * 10 + (unsigned)(*p - '0');
	*n = (int)v;
	return p > first && *p == end ? p + (end != 0) : NULL;
}

/* The recorder's descriptor by way of its socket, or -1. */
static int
ask_for_ring(int recorder, int fd)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char *end = stpcpy(a.sun_path + 1, HT_SOCKET);
	socklen_t len;
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ring_fd = -1;
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.buf,
	    .msg_controllen = sizeof control.buf,
	};

	if (s == -1)
		return -1;
	end = ht_put_number(end, (unsigned)recorder);
	*end++ = '-';
	end = ht_put_number(end, (unsigned)fd);
	len = (socklen_t)(end - (char *)&a);
	if (connect(s, (void *)&a, len) == 0 &&
	    recvmsg(s, &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m))
		memcpy(&ring_fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	close(s);
	return ring_fd;
}

/* The ring behind the descriptor that ht-record holds ready for the next
 * image; NULL if there is none to be had. */
static struct ht_ring *
join_ring(int recorder, int fd)
{
	struct timespec ms = {.tv_nsec = 1000000};
	char path[64],
	    *end = ht_put_number(stpcpy(path, "/proc/"), (unsigned)recorder);

	*ht_put_number(stpcpy(end, "/fd/"), (unsigned)fd) = '\0';
	for (int i = 0; i < 2000; i++) {
		uint32_t nobody = 0;
		struct ht_ring *r = NULL;
		int ring_fd = open(path, O_RDWR | O_CLOEXEC);

		if (ring_fd == -1)
			ring_fd = ask_for_ring(recorder, fd);
		if (ring_fd == -1)
			return NULL;
		r = ht_boot_map_ring(ring_fd);
		close(ring_fd);
		if (!r)
			return NULL;
		if (atomic_compare_exchange_strong(
			&r->claimed, &nobody, (uint32_t)ht_pid))
			return r;
		/* The one of the image before: the next is on its way. */
		ht_own_munmap(r, r->size);
		nanosleep(&ms, NULL);
	}
	return NULL;
}

void *
ht_map_wiped(size_t size)
{
	void *p = ht_map_memory(size);

	return p && madvise(p, size, MADV_WIPEONFORK) == 0 ? p : NULL;
}

static bool
is_us(int pid)
{
	ht_pid = (int)syscall(SYS_getpid);
	return pid == ht_pid;
}

/* How many filters of seccomp a process is under. */
static int
filters_of(const char *status)
{
	static const char *const key[] = {
	    "\nSeccomp:\t", "\nSeccomp_filters:\t"};
	int fd = open(status, O_RDONLY | O_CLOEXEC), n = 0;
	char buf[8192];
	ssize_t len;

	if (fd == -1)
		return 0;
	len = read(fd, buf, sizeof buf - 1);
	close(fd);
	buf[len > 0 ? len : 0] = '\0';
	/* Before Linux 5.9 it is only told that there are some. */
	for (size_t i = 0; i < sizeof key / sizeof *key; i++) {
		const char *p = strstr(buf, key[i]);

		if (p)
			get_number(p + strlen(key[i]), '\n', &n);
	}
	return n;
}

/* Was this image executed under a filter that is none of the recorder's? Then
 * any system call of ours may be the end of it, save for those that ld.so has
 * just made. */
static bool
is_filtered(int recorder)
{
	char path[64], *end = stpcpy(path, "/proc/");
	int n = filters_of("/proc/self/status");

	if (n == 0)
		return false;
	strcpy(ht_put_number(end, (unsigned)recorder), "/status");
	return n != filters_of(path);
}

/* The ring that the environment leads this image to, NULL: to none. */
static struct ht_ring *
find_ring(void)
{
	int recorder, fd, pid, name;
	const char *p;

	if (!(p = ht_ring_entry) || !(p = get_number(p, ':', &recorder)) ||
	    !(p = get_number(p, ':', &fd)))
		return NULL;
	if (get_number(p, '\0', &pid))
		return !is_filtered(recorder) && is_us(pid)
			   ? join_ring(recorder, fd)
			   : NULL;
	if (!(p = get_number(p, ':', &pid)) ||
	    !(p = get_number(p, ':', &name)) ||
	    !get_number(p, '\0', &ht_follower.key) || is_filtered(name))
		return NULL;
	ht_follower.name = name;
	return is_us(pid) ? join_ring(recorder, fd) : ht_child_ring(false);
}

static bool
start(void)
{
	struct ht_live *live;

	ht_ring = find_ring();
	if (!ht_ring)
		return false;
	ht_slots.first =
	    (struct ht_rec *)((char *)ht_ring + ht_ring->records_at);
	ht_slots.mask = ((uint64_t)1 << ht_ring->shift) - 1;
	ht_objects_init(ht_ring->flags & HT_RING_LINK_MAP);
	ht_frames_init(ht_ring);
	ht_sample_init(ht_ring);
	/* Of another allocator it knows nothing. */
	if (!ht_objects_same((uintptr_t)ht_real.malloc,
		(uintptr_t)ht_real.malloc_usable_size))
		ht_real.malloc_usable_size = NULL;
	live = ht_map_wiped((size_t)sysconf(_SC_PAGESIZE));
	if (!live) {
		strcpy(ht_ring->why, "the kernel has no MADV_WIPEONFORK");
	} else if (ht_capture_init() == 0) {
		ht_allocators_init();
		atomic_store(&live->known, 1);
		atomic_store(&live->on, ht_on_for(ht_ring));
		ht_live = live;
		ht_api_init();
		atomic_store(&ht_ring->ready, 1);
		return true;
	}
	atomic_store(&ht_ring->ready, 2);
	return false;
}

void
ht_boot_start(void)
{
	static _Atomic int begun;
	int saved = errno;

	/* Before libc has its environment nothing can be known. */
	if (!environ || atomic_exchange(&begun, 1))
		return;
	clean_environment();
	if (!start())
		ht_live = &dormant;
	errno = saved;
}

__attribute__((constructor)) static void
constructor(void)
{
	ht_boot_real();
	ht_boot_start();
}
