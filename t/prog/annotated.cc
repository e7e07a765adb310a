/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* annotated [LIBRARY]: C++ that includes <ht.h>; loads a library that does. */
#include "../../ht-record/preload/ht.h"

#include <dlfcn.h>

namespace
{
struct arena {
	char room[4096];
	unsigned used = 0;

	void *
	take(unsigned n)
	{
		void *p = room + used;

		used += n;
		ht_pool_alloc("arena", p, n);
		return p;
	}
};

arena a;
} // namespace

int
main(int argc, char **argv)
{
	void *library;

	ht_mark("program");
	a.take(10);
	a.take(20);
	library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : nullptr;
	if (library)
		reinterpret_cast<void (*)()>(dlsym(library, "in_library"))();
	ht_mark("end");
	return argc > 1 && !library;
}
