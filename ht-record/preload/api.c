/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ht-record/preload/api.h"

#include <elf.h>
#include <string.h>

#include "ht-record/preload/preload.h"
#include "ht-record/preload/probe.h"

#define NOTES_MAX 4096 /* bytes of a segment of notes that are looked at */

/* A module's note, as <ht.h> has it. */
struct note {
	ElfW(Nhdr) head;
	char name[4];
	int64_t distance; /* from here to the pointer */
} __attribute__((packed));

static const struct note expected = {{3, 8, 1}, "ht", 0};

static void
set(struct ht_api *api)
{
	__atomic_store_n(&api->functions, &ht_api_functions, __ATOMIC_RELEASE);
}

void
ht_api_leave(struct ht_api *api)
{
	const struct ht_api_functions *ours = &ht_api_functions;
	bool over = atomic_load(&ht_live->on) == HT_OFF;

#ifndef HT_ATTACHED
	/* A forked child may have a ring yet. */
	over &= atomic_load(&ht_live->known) == 1 || !ht_follower.name;
#endif
	/* Of an image that was put beside this one they may be by now. */
	if (over)
		__atomic_compare_exchange_n(&api->functions, &ours, NULL, false,
		    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* In a copy of the notes at `at`. */
static void
look(const char *notes, size_t size, uint64_t at)
{
	size_t i = 0;

	while (size - i >= sizeof(ElfW(Nhdr))) {
		ElfW(Nhdr) head;
		struct note n;
		size_t whole;

		memcpy(&head, notes + i, sizeof head);
		whole = sizeof head + ((head.n_namesz + 3ull) & ~3ull) +
			((head.n_descsz + 3ull) & ~3ull);
		if (whole > size - i)
			return;
		if (whole == sizeof n) {
			memcpy(&n, notes + i, sizeof n);
			if (memcmp(&n, &expected,
				offsetof(struct note, distance)) == 0) {
				set((struct ht_api *)(at + i +
						      offsetof(struct note,
							  distance) +
						      (uint64_t)n.distance));
				return;
			}
		}
		i += whole;
	}
}

void
ht_api_enable(const struct ht_object *o, ht_copy *copy)
{
	char notes[NOTES_MAX];

	for (unsigned i = 0; i < o->nheaders; i++) {
		const ElfW(Phdr) *ph = &o->headers[i];
		uint64_t at = o->bias + ph->p_vaddr;
		size_t size = ph->p_memsz < NOTES_MAX ? ph->p_memsz : NOTES_MAX;

		/* Notes of another alignment are no others' than the ABI's. */
		if (ph->p_type == PT_NOTE && ph->p_align <= 4 &&
		    copy(notes, at, size))
			look(notes, size, at);
	}
}

void
ht_api_init(void)
{
	ht_objects_each(ht_api_enable);
}

#ifndef HT_ATTACHED
/* A library's constructor has come to where <ht.h> has it call this. */
extern void ht_api_join(struct ht_api *);
HT_EXPORT void
ht_api_join(struct ht_api *api)
{
	if (ht_is_on())
		set(api);
}
#endif
