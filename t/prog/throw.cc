/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exceptions and longjmp through frames that allocate; what is allocated after
 * them must show the stack as it then is. */
#include <csetjmp>
#include <stdexcept>

#include "truth.h"

static truth thrower_truth, jumper_truth, after_truth;
static void *volatile kept;
static jmp_buf env;
static volatile int mark;

struct holder {
	void *p;
	holder() : p(malloc(50))
	{
	}
	~holder()
	{
		free(p);
		mark++;
	}
};

FRAME static void
thrower(int depth)
{
	void *volatile p = malloc(depth);

	thrower_truth.allocations++;
	thrower_truth.bytes += depth;
	free(p);
	thrower_truth.frees++;
	if (depth == 1)
		throw std::runtime_error("deep enough");
	try {
		thrower(depth - 1);
	} catch (const std::logic_error &) {
		abort();
	} catch (...) {
		if (depth % 3)
			throw;
		throw std::runtime_error("again");
	}
	mark++;
}

FRAME static void
jumper(int depth)
{
	void *volatile p = malloc(depth);

	jumper_truth.allocations++;
	jumper_truth.bytes += depth;
	if (depth == 1)
		longjmp(env, 1);
	jumper(depth - 1);
	mark++;
}

FRAME static void
afterwards()
{
	void *volatile p = malloc(11);

	kept = p;
	after_truth.allocations++;
	after_truth.bytes += 11;
	mark++;
}

int
main()
{
	for (int i = 0; i < 50; i++) {
		try {
			thrower(20);
		} catch (const std::exception &) {
			afterwards();
		}
		if (!setjmp(env))
			jumper(30);
		else
			afterwards();
	}
	say_truth("thrower", &thrower_truth);
	say_truth("jumper", &jumper_truth);
	say_truth("afterwards", &after_truth);
	return 0;
}
