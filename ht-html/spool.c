/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ht-html/spool.h"

#define BLOCK 49152 /* bytes at a time; divides by 3 */

int
spool_begin(
    struct spool *s, enum ht_codec codec, int level, struct ht_error *err)
{
	int copy;

	*s = (struct spool){.fd = memfd_create("ht-html", MFD_CLOEXEC)};
	if (s->fd < 0)
		return ht_error_errno(err, "cannot keep the page in memory");
	copy = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return ht_error_errno(err, "cannot keep the page in memory");
	s->out = ht_out_fd(copy, "the page in memory", codec, level);
	return 0;
}

int
spool_end(struct spool *s, struct ht_error *err)
{
	off_t size;
	int rc = ht_out_close(s->out, err);

	s->out = NULL;
	size = lseek(s->fd, 0, SEEK_END);
	if (rc == 0 && size < 0)
		rc = ht_error_errno(err, "cannot keep the page in memory");
	s->size = size < 0 ? 0 : (uint64_t)size;
	return rc;
}

static void
put_base64(struct ht_out *out, const unsigned char *p, size_t n)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i;

	for (i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		if (i + 1 < n)
			v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < n)
			v |= p[i + 2];
		ht_out_char(out, digit[v >> 18]);
		ht_out_char(out, digit[v >> 12 & 63]);
		ht_out_char(out, i + 1 < n ? digit[v >> 6 & 63] : '=');
		ht_out_char(out, i + 2 < n ? digit[v & 63] : '=');
	}
}

static void
put_bytes(struct ht_out *out, const unsigned char *p, size_t n)
{
	ht_out_write(out, p, n);
}

static int
copy(const struct spool *s, struct ht_out *out, struct ht_error *err,
    void (*put)(struct ht_out *out, const unsigned char *p, size_t n))
{
	unsigned char block[BLOCK];
	uint64_t at = 0;

	while (at < s->size) {
		size_t want = s->size - at < BLOCK ? s->size - at : BLOCK;
		ssize_t n = pread(s->fd, block, want, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		/* Memory is never read short. */
		if (n != (ssize_t)want)
			return ht_error_errno(
			    err, "cannot read the page in memory");
		put(out, block, want);
		at += want;
	}
	return 0;
}

int
spool_copy(const struct spool *s, struct ht_out *out, struct ht_error *err)
{
	return copy(s, out, err, put_bytes);
}

int
spool_base64(const struct spool *s, struct ht_out *out, struct ht_error *err)
{
	return copy(s, out, err, put_base64);
}

void
spool_release(struct spool *s)
{
	if (s->out)
		ht_out_close(s->out, NULL);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->out = NULL;
}
