/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Input: a file or stdin, plain, gzip (any number of members) or zstd (any
 * number of frames), told by its first bytes, never by its name. Level 2.
 * With compressed input a second thread inflates.
 *
 * Lines are handed out where they lie in the buffer: no copy. A line is at
 * most HT_LINE_MAX bytes without its LF.
 */
#ifndef HT_IN_H
#define HT_IN_H

#include "libht/base.h"
#include "libht/err.h"

#ifndef HT_LINE_MAX /* the build for fuzzing has small buffers */
#define HT_LINE_MAX ((size_t)1 << 20)
#endif
#define HT_IN_SLACK ((size_t)64)

struct ht_in;

/* Opens `path`; NULL or "-" is stdin. NULL on failure, with *err set
 * ("cannot open 'x': No such file or directory"). */
struct ht_in *ht_in_open(const char *path, struct ht_error *err);
/* The same over a descriptor, which it owns from then on. */
struct ht_in *ht_in_fd(int fd, const char *name);

/* At the end of a file that may still grow, waits for more, as tail -f does.
 * Before the first read. Of other than files the end is the end. */
void ht_in_follow(struct ht_in *in);
/* Whoever reads is called back before it waits for more input, again and again
 * while it waits, and now and then while it does not. Before the first read. */
void ht_in_on_wait(struct ht_in *in, void (*wait)(void *arg), void *arg);
/* From now on the end of a followed file is its end. For signal handlers. */
void ht_in_stop_following(void);

/* Whether the input begins with this text. Before the first block. */
bool ht_in_starts(struct ht_in *in, const char *text);

/*
 * A block of whole lines: *start to *end, the last byte is LF, save for the
 * last block of an input that does not end in one. At most `max` bytes unless
 * one line is longer (0: what is there). The bytes stay valid and may be
 * changed (LFs excepted: they count lines) until the next call; at least
 * HT_IN_SLACK bytes behind *end may be read, of any value.
 *
 * 1; 0 at the end of the input; -1 on an error that ends the input: a read
 * error, a broken or truncated compressed stream (all that could be read was
 * handed out before), or a line longer than HT_LINE_MAX: then the error is
 * set, the line is passed over, and the next call goes on behind it.
 */
int ht_in_block(struct ht_in *in, size_t max, char **start, char **end);

/* The next line, *line to *line + *len, without its LF. As ht_in_block. */
int ht_in_line(struct ht_in *in, char **line, size_t *len);

/* Gives back the bytes from `from` on of the last block: the next call hands
 * them out again. `from` is the start of a line. */
void ht_in_unget(struct ht_in *in, const char *from);

/* What messages need. The error is the one that the last -1 was about. The
 * line is the one handed out last (the first line of the last block; from 1).
 * ht_in_block does not count lines by itself in the block it hands out until
 * the next call, so for a line inside a block add the LFs before it. */
const char *ht_in_name(const struct ht_in *in);
uint64_t ht_in_lineno(const struct ht_in *in);
const struct ht_error *ht_in_error(const struct ht_in *in);
void ht_in_clear_error(struct ht_in *in);
/* True once the input is known to end too early: a partial last line, or a
 * compressed stream cut short. */
bool ht_in_truncated(const struct ht_in *in);
/* True when more input may come later on this descriptor right now: nothing
 * is buffered (so a filter may flush what it holds before it blocks). */
bool ht_in_would_block(struct ht_in *in);

void ht_in_close(struct ht_in *in);

#endif
