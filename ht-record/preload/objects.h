/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loaded object that owns an address, without the loader's lock: another
 * thread may hold that while it waits for memory, which is to say for us.
 *
 * glibc 2.35 and later answer by _dl_find_object. An older glibc and musl do
 * not, but both keep the list of their objects where debuggers find it
 * (struct link_map; System V ABI, "Dynamic Linking"). What was loaded at start
 * stays for good, so a table of it is made once. What came later is looked up
 * in that list at each question: read as memory that may vanish any moment,
 * and believed where the list hangs together and the program headers belong to
 * it. A snapshot of the list saves most of that work; it counts while one
 * system call finds all of it unchanged.
 */
#ifndef HT_OBJECTS_H
#define HT_OBJECTS_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ht_object {
	uint64_t start, end; /* mapped addresses, half-open; may have holes */
	uint64_t bias;
	uint64_t eh_frame_hdr; /* 0: has none */
	const char *name;      /* "": the executable */
	const ElfW(Phdr) * headers;
	unsigned nheaders;
};

/* To be called once, at start, after ht_probe_init(). With `by_list` the list
 * is used even where the loader has better. */
void ht_objects_init(bool by_list);

/*
 * The object that has the address `pc`; false if there is none. What `o`
 * points to stays as long as the object is loaded. Where no system call may be
 * made, only _dl_find_object knows what was loaded after the start.
 */
bool ht_object_find(uint64_t pc, struct ht_object *o);

/* Whether both addresses are of one object. */
static inline bool
ht_objects_same(uint64_t a, uint64_t b)
{
	struct ht_object x, y;

	return ht_object_find(a, &x) && ht_object_find(b, &y) &&
	       x.start == y.start;
}

/* How memory is copied that may vanish; plainly, where it cannot. */
typedef bool ht_copy(void *to, uint64_t from, size_t size);
bool ht_copy_plainly(void *to, uint64_t from, size_t size);

/* Calls `f` for every object that is loaded, with the way to read it: a thread
 * may have been stopped while it unloads one. To be called when none is loaded
 * or unloaded meanwhile, after ht_probe_init(). Without need it makes no system
 * call, which is dear in a program that is being attached to. */
void ht_objects_each(void (*f)(const struct ht_object *o, ht_copy *copy));

/* Whether the program's libc is musl, whatever this was built for. */
bool ht_objects_of_musl(void);

/* What the loader tells debuggers; NULL: nothing. */
const struct r_debug *ht_objects_debug(void)
    __attribute__((visibility("hidden")));

/* Objects were unloaded: the snapshot is not to be trusted. */
void ht_objects_unloaded(void);

/* The beginning of this library, or of the image that is attached. */
extern const ElfW(Ehdr) ht_image __asm__("__ehdr_start")
    __attribute__((visibility("hidden")));

#endif
