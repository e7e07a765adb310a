/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "libht/mem.h"
#include "libht/out.h"

#define BLOCK  ((size_t)256 << 10)
#define QUEUED 8 /* blocks on their way to the thread */

struct block {
	char *data;
	size_t len;
};

/*
 * The caller fills a block; with a thread, full ones go through `queue` to it
 * and come back through `spare`. One block more than QUEUED exists: the one
 * being filled.
 */
struct ht_out_state {
	int fd;
	char *name;
	enum ht_codec codec;
	int level;
	atomic_bool failed;  /* set once, by whoever writes */
	atomic_bool epipe;   /* set before `failed` */
	atomic_ullong bytes; /* that reached the file; a statistic */
	struct ht_error err; /* by whoever writes, before `failed` */

	bool threaded;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more, less;
	struct block queue[QUEUED], spare[QUEUED];
	unsigned head, queued, spares, blocks; /* under the lock */
	bool done;			       /* under the lock */

	z_stream gz;
	ZSTD_CCtx *zstd;
	char *zbuf;
	size_t zcap;
};

static void
failure(struct ht_out_state *s, const char *what)
{
	if (atomic_load(&s->failed))
		return;
	if (errno == EPIPE)
		atomic_store(&s->epipe, true);
	else
		ht_error_errno(&s->err, "cannot %s '%s'", what, s->name);
	/* Release: partner of the loads in ht_out_failed and _close. */
	atomic_store(&s->failed, true);
}

static void
write_all(struct ht_out_state *s, const char *p, size_t n)
{
	while (n && !atomic_load_explicit(&s->failed, memory_order_relaxed)) {
		ssize_t w = write(s->fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno == EAGAIN) {
			/* Somebody else made it non-blocking. */
			poll(&(struct pollfd){s->fd, POLLOUT, 0}, 1, -1);
			continue;
		}
		if (w < 0) {
			failure(s, "write");
			return;
		}
		p += w;
		n -= (size_t)w;
		atomic_fetch_add_explicit(
		    &s->bytes, (unsigned long long)w, memory_order_relaxed);
	}
}

static void
write_gzip(struct ht_out_state *s, char *p, size_t n, bool end)
{
	s->gz.next_in = (Bytef *)p;
	s->gz.avail_in = (uInt)n;
	do {
		s->gz.next_out = (Bytef *)s->zbuf;
		s->gz.avail_out = (uInt)s->zcap;
		deflate(&s->gz, end ? Z_FINISH : Z_NO_FLUSH);
		write_all(s, s->zbuf, s->zcap - s->gz.avail_out);
	} while (!s->gz.avail_out);
}

static void
write_zstd(struct ht_out_state *s, const char *p, size_t n, bool end)
{
	ZSTD_inBuffer in = {p, n, 0};
	ZSTD_outBuffer out = {s->zbuf, s->zcap, 0};
	size_t left;

	do {
		out.pos = 0;
		left = ZSTD_compressStream2(
		    s->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left)) {
			errno = ENOMEM;
			failure(s, "compress");
			return;
		}
		write_all(s, s->zbuf, out.pos);
	} while (in.pos < in.size || (end && left));
}

static void
consume(struct ht_out_state *s, char *p, size_t n, bool end)
{
	if (atomic_load_explicit(&s->failed, memory_order_relaxed))
		return;
	if (s->codec == HT_GZIP)
		write_gzip(s, p, n, end);
	else if (s->codec == HT_ZSTD)
		write_zstd(s, p, n, end);
	else
		write_all(s, p, n);
}

static void *
writer(void *arg)
{
	struct ht_out_state *s = arg;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct block b;

		while (!s->queued && !s->done)
			pthread_cond_wait(&s->more, &s->lock);
		if (!s->queued)
			break;
		b = s->queue[s->head];
		pthread_mutex_unlock(&s->lock);
		consume(s, b.data, b.len, false);
		pthread_mutex_lock(&s->lock);
		s->head = (s->head + 1) % QUEUED;
		s->queued--;
		s->spare[s->spares++] = b;
		pthread_cond_signal(&s->less);
	}
	pthread_mutex_unlock(&s->lock);
	consume(s, NULL, 0, true);
	return NULL;
}

/* Signals are for the threads of the command, not for this one. */
static int
start_thread(struct ht_out_state *s)
{
	sigset_t all, old;
	int error;

	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->more, NULL);
	pthread_cond_init(&s->less, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&s->thread, NULL, writer, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error) {
		errno = error;
		failure(s, "start a thread to write");
		return -1;
	}
	s->threaded = true;
	return 0;
}

static int
start_codec(struct ht_out_state *s)
{
	bool good = false;

	s->zcap = BLOCK;
	s->zbuf = ht_malloc(s->zcap);
	if (s->codec == HT_GZIP) {
		good = deflateInit2(&s->gz,
			   s->level ? s->level : Z_DEFAULT_COMPRESSION,
			   Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
	} else {
		s->zstd = ZSTD_createCCtx();
		good = s->zstd &&
		       !ZSTD_isError(ZSTD_CCtx_setParameter(
			   s->zstd, ZSTD_c_compressionLevel, s->level)) &&
		       !ZSTD_isError(ZSTD_CCtx_setParameter(
			   s->zstd, ZSTD_c_checksumFlag, 1));
	}
	if (good)
		return 0;
	errno = EINVAL;
	failure(s, "compress");
	return -1;
}

struct ht_out *
ht_out_fd(int fd, const char *name, enum ht_codec codec, int level)
{
	struct ht_out *out = ht_calloc(1, sizeof(*out));
	struct ht_out_state *s = ht_calloc(1, sizeof(*s));

	/* A larger pipe: fewer turns between the processes. May fail. */
	fcntl(fd, F_SETPIPE_SZ, HT_PIPE_SIZE);
	s->fd = fd;
	s->name = ht_strdup(name);
	s->codec = codec;
	s->level = level;
	s->blocks = 1;
	out->state = s;
	out->buf = out->p = ht_malloc(BLOCK);
	out->end = out->buf + BLOCK;
	if (codec != HT_PLAIN && !start_codec(s))
		start_thread(s);
	return out;
}

int
ht_out_threaded(struct ht_out *out)
{
	struct ht_out_state *s = out->state;

	return s->threaded ? 0 : start_thread(s);
}

struct ht_out *
ht_out_open(
    const char *path, enum ht_codec codec, int level, struct ht_error *err)
{
	int fd;

	if (!path || !strcmp(path, "-"))
		return ht_out_fd(STDOUT_FILENO, "stdout", codec, level);
	do
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	while (fd < 0 && errno == EINTR);
	if (fd < 0) {
		ht_error_errno(err, "cannot write '%s'", path);
		return NULL;
	}
	return ht_out_fd(fd, path, codec, level);
}

enum ht_codec
ht_out_codec(const char *path)
{
	size_t n = path ? strlen(path) : 0;

	if (n > 3 && !strcmp(path + n - 3, ".gz"))
		return HT_GZIP;
	if (n > 4 && !strcmp(path + n - 4, ".zst"))
		return HT_ZSTD;
	return HT_PLAIN;
}

void
ht_out_sigpipe(void)
{
	signal(SIGPIPE, SIG_IGN);
}

/* The full block goes to the thread; an empty one comes back. */
static void
exchange(struct ht_out *out)
{
	struct ht_out_state *s = out->state;
	struct block b = {out->buf, (size_t)(out->p - out->buf)};

	pthread_mutex_lock(&s->lock);
	while (s->queued == QUEUED || (!s->spares && s->blocks > QUEUED))
		pthread_cond_wait(&s->less, &s->lock);
	s->queue[(s->head + s->queued++) % QUEUED] = b;
	pthread_cond_signal(&s->more);
	if (s->spares) {
		b = s->spare[--s->spares];
	} else {
		b.data = NULL;
		s->blocks++;
	}
	pthread_mutex_unlock(&s->lock);
	out->buf = b.data ? b.data : ht_malloc(BLOCK);
	out->p = out->buf;
	out->end = out->buf + BLOCK;
}

void
ht_out_flush(struct ht_out *out)
{
	struct ht_out_state *s = out->state;

	if (out->p == out->buf)
		return;
	if (s->threaded && !atomic_load(&s->failed)) {
		exchange(out);
		return;
	}
	consume(s, out->buf, (size_t)(out->p - out->buf), false);
	out->p = out->buf;
}

void
ht_out_room(struct ht_out *out, size_t n)
{
	if ((size_t)(out->end - out->p) < n)
		ht_out_flush(out);
}

void
ht_out_write(struct ht_out *out, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n) {
		size_t room = (size_t)(out->end - out->p);

		if (room > n)
			room = n;
		if (room)
			memcpy(out->p, p, room);
		out->p += room;
		p += room;
		n -= room;
		if (n)
			ht_out_flush(out);
	}
}

void
ht_out_printf(struct ht_out *out, const char *fmt, ...)
{
	char small[512];
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof(small)) {
		ht_out_write(out, small, (size_t)n);
	} else if (n > 0) {
		char *big = ht_malloc((size_t)n + 1);

		vsnprintf(big, (size_t)n + 1, fmt, again);
		ht_out_write(out, big, (size_t)n);
		free(big);
	}
	va_end(again);
}

size_t
ht_out_cut(const char *bytes, size_t len, size_t max)
{
	size_t n = max;

	if (len <= max)
		return len;
	while (n && max - n < 3 && (bytes[n] & 0xc0) == 0x80)
		n--;
	return n;
}

void
ht_out_sized(struct ht_out *out, const char *bytes, size_t len, size_t max)
{
	static const char mark[] = "\xe2\x80\xa6";
	size_t n = ht_out_cut(bytes, len, max), extra = 0;

	for (size_t i = 0; i < n; i++)
		extra += bytes[i] == '\n' || !bytes[i] || bytes[i] == '\\';
	ht_out_hex(out, n + extra + (n < len ? sizeof(mark) - 1 : 0));
	ht_out_char(out, ' ');
	if (!extra)
		ht_out_write(out, bytes, n);
	for (size_t i = 0; extra && i < n; i++) {
		char c = bytes[i];

		if (c == '\n' || !c || c == '\\') {
			ht_out_char(out, '\\');
			c = c == '\n' ? 'n' : c ? c : '0';
		}
		ht_out_char(out, c);
	}
	if (n < len)
		ht_out_write(out, mark, sizeof(mark) - 1);
}

bool
ht_out_failed(const struct ht_out *out)
{
	return atomic_load_explicit(&out->state->failed, memory_order_acquire);
}

bool
ht_out_epipe(const struct ht_out *out)
{
	return ht_out_failed(out) && atomic_load(&out->state->epipe);
}

uint64_t
ht_out_bytes(const struct ht_out *out)
{
	return atomic_load_explicit(&out->state->bytes, memory_order_relaxed);
}

static void
finish(struct ht_out *out)
{
	struct ht_out_state *s = out->state;

	ht_out_flush(out);
	if (!s->threaded) {
		consume(s, NULL, 0, true);
		return;
	}
	pthread_mutex_lock(&s->lock);
	s->done = true;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	while (s->spares)
		free(s->spare[--s->spares].data);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->more);
	pthread_cond_destroy(&s->less);
}

int
ht_out_close(struct ht_out *out, struct ht_error *err)
{
	struct ht_out_state *s = out->state;
	int rc;

	finish(out);
	/* EINTR: Linux has closed it all the same. */
	if (close(s->fd) && errno != EINTR)
		failure(s, "close");
	rc = atomic_load(&s->failed) ? -1 : 0;
	if (rc && err && s->err.text[0])
		ht_error_set(err, "%s", s->err.text);
	if (s->codec == HT_GZIP)
		deflateEnd(&s->gz);
	ZSTD_freeCCtx(s->zstd);
	free(s->zbuf);
	free(s->name);
	free(out->buf);
	free(s);
	free(out);
	return rc;
}

int
ht_out_finish(struct ht_out *out)
{
	struct ht_error err = {""};

	if (ht_out_close(out, &err) == 0)
		return 0;
	if (err.text[0])
		ht_warn("%s", err.text);
	return -1;
}
