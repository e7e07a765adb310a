/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the fuzz targets share: libFuzzer calls LLVMFuzzerTestOneInput with one
 * input after the other, and a target looks at what comes out, not only at
 * whether the sanitizers are content. Each is a program of its own.
 */
#ifndef HT_FUZZ_H
#define HT_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libht/evread.h"
#include "libht/mem.h"
#include "libht/profread.h"
#include "libht/profwrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define check(what) ((what) ? (void)0 : fuzz_failed(__FILE__, __LINE__, #what))

/* A finding: not a crash, but something that is not true. stderr is closed
 * while libFuzzer runs, the text is for the run that repeats it. */
static inline void
fuzz_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
	abort();
}

static inline int
fuzz_fd(const void *data, size_t size)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* The bytes as an input. */
static inline struct ht_in *
fuzz_in(const void *data, size_t size)
{
	return ht_in_fd(fuzz_fd(data, size), "input");
}

/* The same bytes, which come in pieces of some lengths: what a read does not
 * take of a piece is lost, and the first may ask for four bytes only. */
static inline struct ht_in *
fuzz_in_pieces(const uint8_t *data, size_t size)
{
	uint64_t seed = size;
	int fd[2];

	check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) == 0);
	while (size > 0) {
		size_t n;

		seed = ht_hash64(seed + data[size / 2]);
		n = 4 + seed % 300;
		n = n < size ? n : size;
		check(send(fd[0], data, n, MSG_DONTWAIT) == (ssize_t)n);
		data += n;
		size -= n;
	}
	close(fd[0]);
	return ht_in_fd(fd[1], "input");
}

/* The profile as it is written: *size bytes, the caller's. */
static inline char *
fuzz_bytes(const struct ht_prof *p, size_t *size)
{
	int fd = memfd_create("profile", MFD_CLOEXEC);
	struct ht_out *out = ht_out_fd(dup(fd), "profile", HT_PLAIN, 0);
	char *bytes;

	ht_profwrite(out, p);
	check(ht_out_close(out, NULL) == 0);
	*size = (size_t)lseek(fd, 0, SEEK_END);
	bytes = ht_malloc(*size + 1);
	check(pread(fd, bytes, *size, 0) == (ssize_t)*size);
	close(fd);
	return bytes;
}

/* Two profiles are the same, byte for byte. */
static inline void
fuzz_same(const struct ht_prof *a, const struct ht_prof *b)
{
	size_t n, m;
	char *x = fuzz_bytes(a, &n), *y = fuzz_bytes(b, &m);

	check(n == m && memcmp(x, y, n) == 0);
	free(x);
	free(y);
}

/* What is written is read, and is the same. */
static inline void
fuzz_round(const struct ht_prof *p)
{
	struct ht_error err = {""};
	struct ht_profread r = {0};
	struct ht_prof again, none;
	size_t size;
	char *bytes = fuzz_bytes(p, &size);

	r.in = fuzz_in(bytes, size);
	check(ht_profread_next(&r, &again, &err) == 1);
	check(memcmp(&again.sum, &p->sum, sizeof p->sum) == 0);
	fuzz_same(&again, p);
	check(ht_profread_next(&r, &none, &err) == 0);
	ht_prof_release(&again);
	ht_prof_release(&none);
	ht_profread_release(&r);
	ht_in_close(r.in);
	free(bytes);
}

#endif
