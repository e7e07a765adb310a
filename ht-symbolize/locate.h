/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the files of a module are. A trace may come from a stranger and from
 * another machine: of what it names only regular files are opened, without
 * waiting, and a file with another build id than the recorded one is not used.
 */
#ifndef HT_LOCATE_H
#define HT_LOCATE_H

#include "libht/base.h"

struct build_id {
	uint8_t len; /* 0: not known */
	unsigned char bytes[63];
};

struct locate {
	const char *sysroot; /* "" for none */
	char **debug;	     /* directories of debug files, end with NULL */
	char **extra;	     /* directories to look for modules in, too */
};

enum located {
	LOCATED,	 /* here it is */
	LOCATED_NOWHERE, /* no such file, or none that is an ELF file */
	LOCATED_OTHER	 /* only one with another build id */
};

/* A descriptor of the regular file `path`, or -1. */
int locate_open(const char *path);
/* The module `path` as the trace names it, with that build id when it is
 * known: its descriptor in *fd and its name here in *found (to be freed). A
 * separate debug file with the build id will do, when the module is gone. */
enum located locate_module(const struct locate *l, const char *path,
    const struct build_id *id, int *fd, char **found);
/* The debug file of that build id: a descriptor or -1. */
int locate_by_id(
    const struct locate *l, const struct build_id *id, char **found);
/* The debug file that the .gnu_debuglink section of `module` (its name here)
 * names, checked by build id when the module has one, else by the CRC. */
int locate_by_link(const struct locate *l, const char *module,
    const struct build_id *id, const char *link, uint32_t crc, char **found);
/* True for what is there but is no regular file: opening it could wait for
 * ever. For names that libdw opens by itself. */
bool locate_is_trap(const char *dir, size_t len, const char *name);
/* The file that .gnu_debugaltlink of the file `from` names. */
int locate_alt(const struct locate *l, const char *from, const char *name,
    const struct build_id *id, char **found);

#endif
