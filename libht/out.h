/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Output: buffered, optionally compressed on a thread of its own, with sticky
 * errors: after the first failure every call does nothing, and ht_out_close
 * says what happened. Level 2.
 */
#ifndef HT_OUT_H
#define HT_OUT_H

#include <string.h>

#include "libht/base.h"
#include "libht/err.h"
#include "libht/num.h"

enum ht_codec { HT_PLAIN, HT_GZIP, HT_ZSTD };

struct ht_out {
	char *p, *end; /* room left in the buffer */
	char *buf;     /* its start */
	struct ht_out_state *state;
};

/* Opens `path` (NULL or "-": stdout) for writing, truncated. With level 0 the
 * codec's default level. NULL with *err set on failure. */
struct ht_out *ht_out_open(
    const char *path, enum ht_codec codec, int level, struct ht_error *err);
/* The same over a descriptor, which it owns from then on. */
struct ht_out *ht_out_fd(
    int fd, const char *name, enum ht_codec codec, int level);
/* By the name's ending: .gz, .zst, else plain. */
enum ht_codec ht_out_codec(const char *path);

/* Plain output too is written by a thread from now on, so that a blocked pipe
 * holds up the caller only once 2 MiB wait (compressed output has its thread
 * anyway). Call it before anything is written. 0, or -1: no thread, then the
 * output has failed. */
int ht_out_threaded(struct ht_out *out);
/* In main(), before the first output: a write to a pipe without a reader is
 * an error (EPIPE), not a signal. A child that execs must set SIGPIPE back. */
void ht_out_sigpipe(void);

/* Hands over the buffer; room for at least `n` bytes (n <= 64 KiB) after. */
void ht_out_room(struct ht_out *out, size_t n);
/* Everything written so far is handed to the kernel (or the compressor). */
void ht_out_flush(struct ht_out *out);
void ht_out_write(struct ht_out *out, const void *bytes, size_t n);
void ht_out_printf(struct ht_out *out, const char *fmt, ...) HT_PRINTF(2, 3);

/* True after an error; EPIPE counts. Cheap; may be called from the hot loop. */
bool ht_out_failed(const struct ht_out *out);
/* True when the error was EPIPE: the reader went away. */
bool ht_out_epipe(const struct ht_out *out);
/* Bytes that reached the file so far (after compression). */
uint64_t ht_out_bytes(const struct ht_out *out);

/* Flushes, closes, frees. 0, or -1 with *err set if anything failed since the
 * start, the close included. EPIPE is -1 with an empty text. `err` may be
 * NULL. */
int ht_out_close(struct ht_out *out, struct ht_error *err);
/* The same at the end of a command: what failed is said on stderr. */
int ht_out_finish(struct ht_out *out);

static inline void
ht_out_need(struct ht_out *out, size_t n)
{
	if (ht_unlikely((size_t)(out->end - out->p) < n))
		ht_out_room(out, n);
}

static inline void
ht_out_char(struct ht_out *out, char c)
{
	ht_out_need(out, 1);
	*out->p++ = c;
}

/* A number, lower case hexadecimal. */
static inline void
ht_out_hex(struct ht_out *out, uint64_t v)
{
	ht_out_need(out, 16);
	out->p = ht_hex_put(out->p, v);
}

/* Bytes of `len` that stay when a text is cut to `max`: no UTF-8 sequence is
 * cut in the middle. What is cut so and marked with `…` stays as it is when
 * it is cut again. */
size_t ht_out_cut(const char *bytes, size_t len, size_t max);
/* A sized string, `<length> <bytes>`, made safe for the format: LF, NUL and
 * backslash as \n \0 \\, cut after `max` bytes of input with `…`. */
void ht_out_sized(
    struct ht_out *out, const char *bytes, size_t len, size_t max);

#endif
