/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <libelf.h>
#include <elfutils/libdwelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ht-symbolize/locate.h"
#include "libht/mem.h"
#include "libht/str.h"

int
locate_open(const char *path)
{
	struct stat st;
	int fd;

	/* Not even opened when it is a device: an open can have effects. */
	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return -1;
	do
		fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Whether the file is ELF, and has that build id (when one is asked for). */
static enum located
check(int fd, const struct build_id *id)
{
	enum located rc = LOCATED_NOWHERE;
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	const void *bytes;
	ssize_t n;

	if (elf && elf_kind(elf) == ELF_K_ELF) {
		rc = LOCATED;
		if (id->len) {
			n = dwelf_elf_gnu_build_id(elf, &bytes);
			if (n != id->len || memcmp(bytes, id->bytes, id->len))
				rc = LOCATED_OTHER;
		}
	}
	elf_end(elf);
	return rc;
}

/* Opens and checks; *worst becomes LOCATED_OTHER when that is the reason. */
static int
try(const char *path, const struct build_id *id, enum located *worst)
{
	int fd = locate_open(path);
	enum located rc;

	if (fd < 0)
		return -1;
	rc = check(fd, id);
	if (rc == LOCATED)
		return fd;
	if (rc == LOCATED_OTHER && worst)
		*worst = rc;
	close(fd);
	return -1;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int
locate_by_id(const struct locate *l, const struct build_id *id, char **found)
{
	struct ht_str s = {0};
	int fd = -1;

	if (id->len < 2)
		return -1;
	for (size_t i = 0; l->debug[i] && fd < 0; i++) {
		ht_str_clear(&s);
		ht_str_addf(
		    &s, "%s/.build-id/%02x/", l->debug[i], id->bytes[0]);
		for (size_t k = 1; k < id->len; k++)
			ht_str_addf(&s, "%02x", id->bytes[k]);
		ht_str_addz(&s, ".debug");
		fd = try(s.data, id, NULL);
	}
	if (fd >= 0)
		*found = ht_strdup(s.data);
	ht_str_release(&s);
	return fd;
}

enum located
locate_module(const struct locate *l, const char *path,
    const struct build_id *id, int *fd, char **found)
{
	enum located worst = LOCATED_NOWHERE;
	struct ht_str s = {0};

	*fd = -1;
	for (size_t i = 0; l->extra[i] && *fd < 0; i++) {
		ht_str_clear(&s);
		ht_str_addf(&s, "%s/%s", l->extra[i], base_name(path));
		*fd = try(s.data, id, &worst);
	}
	if (*fd < 0) {
		ht_str_clear(&s);
		ht_str_addf(&s, "%s%s%s", l->sysroot,
		    *l->sysroot && *path != '/' ? "/" : "", path);
		*fd = try(s.data, id, &worst);
	}
	if (*fd >= 0)
		*found = ht_strdup(s.data);
	else
		*fd = locate_by_id(l, id, found);
	ht_str_release(&s);
	return *fd >= 0 ? LOCATED : worst;
}

/* The checksum of .gnu_debuglink: CRC-32 as in ISO 3309, over the file. */
static uint32_t
crc_of(int fd)
{
	static uint32_t table[256];
	unsigned char buf[65536];
	uint32_t crc = ~UINT32_C(0);
	ssize_t n;

	for (uint32_t i = 0; !table[1] || i < 256; i++) {
		uint32_t c = i & 255;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ UINT32_C(0xedb88320) : c >> 1;
		table[i & 255] = c;
	}
	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			crc = table[(crc ^ buf[i]) & 255] ^ crc >> 8;
	lseek(fd, 0, SEEK_SET);
	return ~crc;
}

int
locate_by_link(const struct locate *l, const char *module,
    const struct build_id *id, const char *link, uint32_t crc, char **found)
{
	struct ht_str s = {0};
	int all = (int)(base_name(module) - module), dir, fd = -1;
	size_t root = strlen(l->sysroot);
	const char *inside;

	inside = strncmp(module, l->sysroot, root) ? module : module + root;
	dir = all - (int)(inside - module);
	for (size_t i = 0; fd < 0 && (i < 2 || l->debug[i - 2]); i++) {
		ht_str_clear(&s);
		if (i < 2)
			ht_str_addf(
			    &s, "%.*s%s", all, module, i ? ".debug/" : "");
		else
			ht_str_addf(
			    &s, "%s/%.*s", l->debug[i - 2], dir, inside);
		ht_str_addz(&s, base_name(link));
		if (!strcmp(s.data, module))
			continue;
		fd = try(s.data, id, NULL);
		if (fd >= 0 && !id->len && crc_of(fd) != crc) {
			close(fd);
			fd = -1;
		}
	}
	if (fd >= 0)
		*found = ht_strdup(s.data);
	ht_str_release(&s);
	return fd;
}

int
locate_alt(const struct locate *l, const char *from, const char *name,
    const struct build_id *id, char **found)
{
	struct ht_str s = {0};
	int fd = locate_by_id(l, id, found);

	if (fd >= 0)
		return fd;
	if (*name == '/')
		ht_str_addz(&s, l->sysroot);
	else
		ht_str_add(&s, from, (size_t)(base_name(from) - from));
	ht_str_addz(&s, name);
	fd = try(s.data, id, NULL);
	if (fd >= 0)
		*found = ht_strdup(s.data);
	ht_str_release(&s);
	return fd;
}

bool
locate_is_trap(const char *dir, size_t len, const char *name)
{
	struct ht_str s = {0};
	struct stat st;
	bool trap;

	if (*name != '/' && len)
		ht_str_addf(&s, "%.*s/", (int)len, dir);
	ht_str_addz(&s, name);
	trap = !stat(s.data, &st) && !S_ISREG(st.st_mode);
	ht_str_release(&s);
	return trap;
}
