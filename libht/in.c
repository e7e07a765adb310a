/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "libht/in.h"
#include "libht/mem.h"

#define CHUNK	  (HT_LINE_MAX / 4) /* bytes read or inflated at a time */
#define RAW	  (HT_LINE_MAX / 8) /* compressed bytes read at a time */
#define CHUNKS	  5		    /* one with the caller, one being filled */
#define FOLLOW_MS 100		    /* between looks at a file that may grow */

/*
 * A chunk has room for a whole line before its data: the partial line that
 * the chunk before it ended with is copied there, so that every line lies in
 * one piece. Pages that never held such a line cost nothing.
 */
#define HEAD (HT_LINE_MAX + HT_IN_SLACK)

struct chunk {
	char *mem; /* HEAD + CHUNK + HT_IN_SLACK bytes */
	size_t len;
};

enum form { FORM_NONE, FORM_GZIP, FORM_ZSTD, FORM_ZERO, FORM_OTHER };

struct ht_in {
	int fd;
	char *name;
	struct ht_error err;
	bool truncated, started, skipping;
	bool follow; /* the end of the file is not the end */
	void (*wait)(void *arg);
	void *wait_arg;
	bool eof;   /* there are no more chunks */
	bool fatal; /* err is to be handed out once the rest was */

	char *pos, *end;     /* what was not handed out yet */
	char *block;	     /* start of the last block; it ends at pos */
	uint64_t lineno;     /* of its first line */
	struct chunk *chunk; /* that pos points into */
	struct chunk pool[CHUNKS];

	/* Compressed input. The thread fills pool[fill % CHUNKS]; the caller
	 * holds pool[take % CHUNKS] once holding is set. */
	bool threaded;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more, less;
	unsigned fill, take;  /* counters, under the lock */
	bool holding;	      /* the caller's */
	bool ended, quit;     /* under the lock */
	int wake;	      /* eventfd: ends the thread's poll */
	struct ht_error terr; /* the thread's, read after `ended` */
	bool ttruncated;

	/* The thread's alone. */
	char *raw;
	size_t raw_at, raw_len;
	bool raw_eof;
	z_stream gz;
	bool gz_on;
	ZSTD_DCtx *zstd;
};

struct ht_in *
ht_in_fd(int fd, const char *name)
{
	struct ht_in *in = ht_calloc(1, sizeof(*in));

	in->fd = fd;
	in->name = ht_strdup(name);
	in->lineno = 1;
	in->wake = -1;
	return in;
}

struct ht_in *
ht_in_open(const char *path, struct ht_error *err)
{
	int fd;

	if (!path || !strcmp(path, "-"))
		return ht_in_fd(STDIN_FILENO, "stdin");
	do
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	while (fd < 0 && errno == EINTR);
	if (fd < 0) {
		ht_error_errno(err, "cannot open '%s'", path);
		return NULL;
	}
	return ht_in_fd(fd, path);
}

void
ht_in_follow(struct ht_in *in)
{
	struct stat st;

	in->follow = fstat(in->fd, &st) == 0 && S_ISREG(st.st_mode);
}

void
ht_in_on_wait(struct ht_in *in, void (*wait)(void *arg), void *arg)
{
	in->wait = wait;
	in->wait_arg = arg;
}

static volatile sig_atomic_t stopped;

void
ht_in_stop_following(void)
{
	stopped = 1;
}

/* For the thread that reads, not for the one that inflates. */
static void
while_waiting(struct ht_in *in)
{
	if (in->wait)
		in->wait(in->wait_arg);
}

/* Time for a file to grow. False: told to quit. */
static bool
wait_for_more(struct ht_in *in)
{
	if (stopped)
		return false;
	if (!in->threaded)
		while_waiting(in);
	return poll(&(struct pollfd){in->wake, POLLIN, 0}, 1, FOLLOW_MS) <= 0;
}

/* read(2), without its surprises. */
static ssize_t
read_some(struct ht_in *in, void *p, size_t n)
{
	for (;;) {
		ssize_t r = read(in->fd, p, n);

		if (r == 0 && in->follow && wait_for_more(in))
			continue;
		if (r >= 0 || (errno != EINTR && errno != EAGAIN))
			return r;
		if (errno == EAGAIN)
			poll(&(struct pollfd){in->fd, POLLIN, 0}, 1, -1);
	}
}

static bool
readable(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	return poll(&p, 1, 0) != 0;
}

static char *
chunk_data(struct chunk *c)
{
	if (!c->mem)
		c->mem = ht_malloc(HEAD + CHUNK + HT_IN_SLACK);
	return c->mem + HEAD;
}

/* --- the decompression thread ------------------------------------------- */

/* More compressed bytes behind those that are left in raw. False: no more, or
 * told to quit, or an error. */
static bool
refill(struct ht_in *in)
{
	struct pollfd p[2] = {{in->fd, POLLIN, 0}, {in->wake, POLLIN, 0}};
	size_t left = in->raw_len - in->raw_at;
	ssize_t r;

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	if (p[1].revents)
		return false;
	memmove(in->raw, in->raw + in->raw_at, left);
	in->raw_at = 0;
	in->raw_len = left;
	r = read_some(in, in->raw + left, RAW - left);
	if (r < 0)
		ht_error_errno(&in->terr, "cannot read '%s'", in->name);
	else
		in->raw_len += (size_t)r;
	in->raw_eof = r == 0;
	return r > 0;
}

/* A member of which not even the magic is whole counts as one (cut short). */
static enum form
sniff(const unsigned char *p, size_t n)
{
	static const unsigned char zstd[] = {0x28, 0xb5, 0x2f, 0xfd};

	if (n && p[0] == 0x1f && (n < 2 || p[1] == 0x8b))
		return FORM_GZIP;
	if (n && !memcmp(p, zstd, n < 4 ? n : 4))
		return FORM_ZSTD;
	/* A skippable frame, RFC 8878 3.1.2. */
	if (n >= 4 && (p[0] & 0xf0) == 0x50 && p[1] == 0x2a && p[2] == 0x4d &&
	    p[3] == 0x18)
		return FORM_ZSTD;
	return n && !p[0] ? FORM_ZERO : FORM_OTHER;
}

/* At the start of a member or frame: which kind follows. FORM_NONE: the end,
 * which may be padded with zeros (gzip accepts that too). */
static enum form
next_member(struct ht_in *in)
{
	enum form form;

	for (;;) {
		while (in->raw_len - in->raw_at < 4 && refill(in))
			;
		if (in->raw_at == in->raw_len)
			return FORM_NONE;
		form = sniff((unsigned char *)in->raw + in->raw_at,
		    in->raw_len - in->raw_at);
		if (form != FORM_ZERO)
			return form;
		while (in->raw_at < in->raw_len && !in->raw[in->raw_at])
			in->raw_at++;
	}
}

/* Some bytes out of the open member into p. 1, 0: the member has ended, -1. */
static int
inflate_some(struct ht_in *in, char *p, size_t room, size_t *made)
{
	int rc;

	in->gz.next_in = (Bytef *)in->raw + in->raw_at;
	in->gz.avail_in = (uInt)(in->raw_len - in->raw_at);
	in->gz.next_out = (Bytef *)p;
	in->gz.avail_out = (uInt)room;
	rc = inflate(&in->gz, Z_NO_FLUSH);
	in->raw_at = in->raw_len - in->gz.avail_in;
	*made = room - in->gz.avail_out;
	if (rc == Z_STREAM_END)
		return 0;
	if (rc == Z_OK || rc == Z_BUF_ERROR)
		return 1;
	return ht_error_set(&in->terr, "%s: broken gzip data: %s", in->name,
	    in->gz.msg ? in->gz.msg : "no memory");
}

static int
unzstd_some(struct ht_in *in, char *p, size_t room, size_t *made)
{
	ZSTD_inBuffer from = {in->raw, in->raw_len, in->raw_at};
	ZSTD_outBuffer to = {p, room, 0};
	size_t rc = ZSTD_decompressStream(in->zstd, &to, &from);

	in->raw_at = from.pos;
	*made = to.pos;
	if (ZSTD_isError(rc))
		return ht_error_set(&in->terr, "%s: broken zstd data: %s",
		    in->name, ZSTD_getErrorName(rc));
	return rc ? 1 : 0;
}

static int
open_member(struct ht_in *in, enum form form)
{
	if (form == FORM_GZIP) {
		int rc = in->gz_on ? inflateReset(&in->gz)
				   : inflateInit2(&in->gz, 15 + 16);

		in->gz_on = true;
		return rc == Z_OK ? 0 : -1;
	}
	if (!in->zstd)
		in->zstd = ZSTD_createDCtx();
	if (!in->zstd)
		return -1;
	ZSTD_DCtx_reset(in->zstd, ZSTD_reset_session_only);
	return 0;
}

/* Hands the filled chunk over and waits for a free one. False: quit. */
static bool
publish(struct ht_in *in, size_t len)
{
	bool quit;

	pthread_mutex_lock(&in->lock);
	in->pool[in->fill % CHUNKS].len = len;
	in->fill++;
	pthread_cond_signal(&in->more);
	while (in->fill - in->take == CHUNKS && !in->quit)
		pthread_cond_wait(&in->less, &in->lock);
	quit = in->quit;
	pthread_mutex_unlock(&in->lock);
	return !quit;
}

/* One member. 0, or -1: error, cut short, or told to quit. */
static int
decompress_member(struct ht_in *in, enum form form, size_t *len)
{
	int rc = 1;

	while (rc) {
		char *p = chunk_data(&in->pool[in->fill % CHUNKS]);
		size_t made = 0;

		rc = form == FORM_GZIP
			 ? inflate_some(in, p + *len, CHUNK - *len, &made)
			 : unzstd_some(in, p + *len, CHUNK - *len, &made);
		*len += made;
		if (rc < 0)
			return -1;
		/* A reader at the end of a live pipe gets what there is. */
		if (*len == CHUNK || (*len && in->raw_at == in->raw_len &&
					 (in->follow || !readable(in->fd)))) {
			if (!publish(in, *len))
				return -1;
			*len = 0;
			continue;
		}
		if (rc && in->raw_at == in->raw_len && !refill(in)) {
			in->ttruncated = in->raw_eof;
			if (in->raw_eof && !stopped)
				ht_error_set(&in->terr,
				    "%s: the compressed stream is cut short",
				    in->name);
			return -1;
		}
	}
	return 0;
}

static void *
decompress(void *arg)
{
	struct ht_in *in = arg;
	enum form form;
	size_t len = 0;

	while ((form = next_member(in)) != FORM_NONE) {
		if (form == FORM_OTHER) {
			ht_error_set(&in->terr,
			    "%s: there are other bytes behind the compressed"
			    " data",
			    in->name);
			break;
		}
		if (open_member(in, form)) {
			ht_error_set(
			    &in->terr, "%s: no memory to decompress", in->name);
			break;
		}
		if (decompress_member(in, form, &len))
			break;
	}
	if (len)
		publish(in, len);
	pthread_mutex_lock(&in->lock);
	in->ended = true;
	pthread_cond_signal(&in->more);
	pthread_mutex_unlock(&in->lock);
	return NULL;
}

/* --- the reader --------------------------------------------------------- */

/* An error that ends the input; handed out once, behind what was read. */
static void
fatal(struct ht_in *in, const struct ht_error *e)
{
	in->err = *e;
	in->fatal = true;
	in->eof = true;
}

static void
cannot(struct ht_in *in, const char *what)
{
	struct ht_error e = {0};

	ht_error_errno(&e, "cannot %s '%s'", what, in->name);
	fatal(in, &e);
}

static void
start_thread(struct ht_in *in, const char *head, size_t len)
{
	sigset_t all, old;
	int error;

	in->raw = ht_malloc(RAW);
	memcpy(in->raw, head, len);
	in->raw_len = len;
	in->wake = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&in->lock, NULL);
	pthread_cond_init(&in->more, NULL);
	pthread_cond_init(&in->less, NULL);
	/* Signals are for the command's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = in->wake < 0
		    ? errno
		    : pthread_create(&in->thread, NULL, decompress, in);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	in->threaded = !error;
	if (error) {
		errno = error;
		cannot(in, "start a thread to read");
	}
}

/* The first bytes tell the form. Plain: they are the first chunk. */
static void
start(struct ht_in *in)
{
	struct chunk *c = &in->pool[0];
	char *p = chunk_data(c);
	enum form form;
	size_t n = 0;

	in->started = true;
	/* A larger pipe: fewer turns between the processes. May fail. */
	fcntl(in->fd, F_SETPIPE_SZ, HT_PIPE_SIZE);
	while (n < 4) {
		ssize_t r = read_some(in, p + n, n ? 4 - n : RAW);

		if (r < 0) {
			cannot(in, "read");
			return;
		}
		n += (size_t)r;
		if (!r || (p[0] != 0x1f && p[0] != 0x28 && p[0] >> 4 != 5))
			break;
	}
	form = sniff((unsigned char *)p, n);
	if (form == FORM_GZIP || form == FORM_ZSTD) {
		start_thread(in, p, n);
		return;
	}
	in->chunk = c;
	in->pos = p;
	in->end = p + n;
	in->eof = !n;
}

/* The next chunk of plain input: there are two, in turn. */
static struct chunk *
next_plain(struct ht_in *in)
{
	struct chunk *c = &in->pool[in->chunk == &in->pool[0]];
	ssize_t r;

	while (in->wait && !readable(in->fd)) {
		while_waiting(in);
		poll(&(struct pollfd){in->fd, POLLIN, 0}, 1, FOLLOW_MS);
	}
	r = read_some(in, chunk_data(c), CHUNK);
	if (r < 0)
		cannot(in, "read");
	if (r <= 0)
		return NULL;
	c->len = (size_t)r;
	return c;
}

/* Under the lock. */
static void
wait_for_chunk(struct ht_in *in)
{
	struct timespec t;

	if (!in->wait) {
		pthread_cond_wait(&in->more, &in->lock);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += FOLLOW_MS * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	if (pthread_cond_timedwait(&in->more, &in->lock, &t) == ETIMEDOUT) {
		pthread_mutex_unlock(&in->lock);
		while_waiting(in);
		pthread_mutex_lock(&in->lock);
	}
}

static struct chunk *
next_inflated(struct ht_in *in)
{
	struct chunk *c = NULL;

	pthread_mutex_lock(&in->lock);
	while (in->fill - in->take <= in->holding && !in->ended)
		wait_for_chunk(in);
	if (in->fill - in->take > in->holding)
		c = &in->pool[(in->take + in->holding) % CHUNKS];
	pthread_mutex_unlock(&in->lock);
	if (c)
		return c;
	in->truncated |= in->ttruncated;
	if (in->terr.text[0])
		fatal(in, &in->terr);
	return NULL;
}

/* The caller's chunk is no longer needed: its rest was copied. */
static void
give_back(struct ht_in *in)
{
	if (!in->threaded)
		return;
	if (in->holding) {
		pthread_mutex_lock(&in->lock);
		in->take++;
		pthread_cond_signal(&in->less);
		pthread_mutex_unlock(&in->lock);
	}
	in->holding = true;
}

/* The next chunk, with what is left of this one before it; at the end eof is
 * set and the rest stays where it is. */
static void
next_chunk(struct ht_in *in)
{
	size_t rest = (size_t)(in->end - in->pos);
	struct chunk *c;

	while_waiting(in);
	c = in->threaded ? next_inflated(in) : next_plain(in);
	if (!c) {
		in->eof = true;
		return;
	}
	if (rest)
		memcpy(chunk_data(c) - rest, in->pos, rest);
	in->pos = chunk_data(c) - rest;
	in->end = chunk_data(c) + c->len;
	in->chunk = c;
	give_back(in);
}

typedef signed char vec __attribute__((vector_size(16)));

/* LFs from p to end. */
static uint64_t
count_lines(const char *p, const char *end)
{
	uint64_t n = 0;

	while (end - p >= 16) {
		vec sum = {0}, v;
		size_t rounds = (size_t)(end - p) / 16;

		if (rounds > 127)
			rounds = 127;
		for (; rounds; rounds--, p += 16) {
			memcpy(&v, p, 16);
			sum -= (vec)(v == '\n');
		}
		for (int i = 0; i < 16; i++)
			n += (uint64_t)sum[i];
	}
	for (; p < end; p++)
		n += *p == '\n';
	return n;
}

static int
too_long(struct ht_in *in)
{
	in->skipping = true;
	in->err.text[0] = '\0';
	return ht_error_set(&in->err, "%s:%llu: a line is longer than 1 MiB",
	    in->name, (unsigned long long)in->lineno);
}

/* Passes over the rest of a line that was too long. */
static void
skip_line(struct ht_in *in)
{
	char *lf = NULL;

	for (;;) {
		size_t left = (size_t)(in->end - in->pos);

		lf = left ? memchr(in->pos, '\n', left) : NULL;
		in->pos = lf ? lf + 1 : in->end;
		if (lf || in->eof)
			break;
		next_chunk(in);
	}
	if (lf)
		in->lineno++;
	else
		in->truncated = true;
	in->skipping = false;
}

/* The end of the whole lines from pos on, at most max bytes of them but at
 * least one; NULL when none is whole. */
static char *
whole_lines(struct ht_in *in, size_t max)
{
	size_t left = (size_t)(in->end - in->pos);
	char *lf;

	if (!left)
		return NULL;
	if (!max || max > left)
		max = left;
	lf = memrchr(in->pos, '\n', max);
	if (!lf && max < left)
		lf = memchr(in->pos + max, '\n', left - max);
	return lf ? lf + 1 : NULL;
}

/* The line at pos, which may not have its end yet. Only one that began in an
 * earlier chunk can be longer than a chunk. */
static bool
first_too_long(const struct ht_in *in)
{
	if ((size_t)(in->end - in->pos) <= HT_LINE_MAX)
		return false;
	return !memchr(in->pos, '\n', HT_LINE_MAX + 1);
}

/* What is left when the input has ended. */
static int
last_line(struct ht_in *in, char **first, char **end)
{
	if (in->pos != in->end) {
		in->truncated = true;
		*first = in->pos;
		*end = in->pos = in->end;
		return 1;
	}
	if (!in->fatal)
		return 0;
	in->fatal = false;
	return -1;
}

int
ht_in_block(struct ht_in *in, size_t max, char **first, char **end)
{
	if (in->block)
		in->lineno += count_lines(in->block, in->pos);
	if (!in->started)
		start(in);
	if (in->skipping)
		skip_line(in);
	for (;;) {
		char *lf = whole_lines(in, max);

		in->block = in->pos;
		if (first_too_long(in))
			return too_long(in);
		if (lf) {
			*first = in->pos;
			*end = in->pos = lf;
			return 1;
		}
		if (in->eof)
			return last_line(in, first, end);
		next_chunk(in);
	}
}

bool
ht_in_starts(struct ht_in *in, const char *text)
{
	size_t want = strlen(text), n;

	if (!in->started)
		start(in);
	for (;;) {
		n = (size_t)(in->end - in->pos);
		n = n < want ? n : want;
		if (n > 0 && memcmp(in->pos, text, n) != 0)
			return false;
		if (n == want || in->eof)
			return n == want;
		next_chunk(in);
	}
}

int
ht_in_line(struct ht_in *in, char **line, size_t *len)
{
	char *end;
	int rc = ht_in_block(in, 1, line, &end);

	if (rc > 0)
		*len = (size_t)(end - *line) - (end[-1] == '\n');
	return rc;
}

void
ht_in_unget(struct ht_in *in, const char *from)
{
	in->pos -= in->pos - from;
}

const char *
ht_in_name(const struct ht_in *in)
{
	return in->name;
}

uint64_t
ht_in_lineno(const struct ht_in *in)
{
	return in->lineno;
}

const struct ht_error *
ht_in_error(const struct ht_in *in)
{
	return &in->err;
}

void
ht_in_clear_error(struct ht_in *in)
{
	in->err.text[0] = '\0';
}

bool
ht_in_truncated(const struct ht_in *in)
{
	return in->truncated;
}

bool
ht_in_would_block(struct ht_in *in)
{
	bool none;

	if (in->eof || whole_lines(in, 0))
		return false;
	if (!in->threaded)
		return !readable(in->fd);
	pthread_mutex_lock(&in->lock);
	none = in->fill - in->take <= in->holding && !in->ended;
	pthread_mutex_unlock(&in->lock);
	return none;
}

static void
stop_thread(struct ht_in *in)
{
	uint64_t one = 1;

	pthread_mutex_lock(&in->lock);
	in->quit = true;
	pthread_cond_signal(&in->less);
	pthread_mutex_unlock(&in->lock);
	while (write(in->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(in->thread, NULL);
	pthread_mutex_destroy(&in->lock);
	pthread_cond_destroy(&in->more);
	pthread_cond_destroy(&in->less);
}

void
ht_in_close(struct ht_in *in)
{
	if (in->threaded)
		stop_thread(in);
	if (in->wake >= 0)
		close(in->wake);
	if (in->gz_on)
		inflateEnd(&in->gz);
	ZSTD_freeDCtx(in->zstd);
	free(in->raw);
	for (size_t i = 0; i < CHUNKS; i++)
		free(in->pool[i].mem);
	if (in->fd != STDIN_FILENO)
		close(in->fd);
	free(in->name);
	free(in);
}
