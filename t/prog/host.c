/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host NAME…: loads each plugin in turn by its bare name, which its own
 * RUNPATH finds, calls its entry, and unloads it. Says where the entry was.
 */
/* LINK: -fno-optimize-sibling-calls -Wl,-rpath,$ORIGIN/plugins */
#include <dlfcn.h>

#include "truth.h"

static void *volatile kept;

int
main(int argc, char **argv)
{
	char name[100];

	for (int i = 1; i < argc; i++) {
		void *so = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
		void *(*entry)(void);
		void (*drop)(void *);

		if (!so) {
			const char *why = dlerror();

			if (write(2, why, strlen(why)) < 0)
				_exit(99);
			wrong(argv[i]);
		}
		entry = (void *(*)(void))dlsym(so, "entry");
		drop = (void (*)(void *))dlsym(so, "drop");
		if (!entry || !drop)
			wrong("no entry");
		kept = entry();
		drop(kept);
		kept = entry();
		snprintf(name, sizeof name, "at.%d", i);
		say(name, (uintptr_t)entry);
		if (dlclose(so))
			wrong("dlclose");
	}
	return 0;
}
