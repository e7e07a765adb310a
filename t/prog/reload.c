/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reload ROUNDS STAYS NAME…: three threads call the plugin STAYS while the
 * first loads, calls and unloads the others, over and over. So objects come
 * and go at the addresses of others while a pc is looked up at every call.
 */
/* LINK: -fno-optimize-sibling-calls */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

#include "truth.h"

#define THREADS 3

struct plugin {
	void *so;
	void *(*entry)(void);
	void (*drop)(void *);
};

static struct plugin stays;
static _Atomic int stop;

static struct plugin
load(const char *name)
{
	struct plugin p = {dlopen(name, RTLD_NOW | RTLD_LOCAL), NULL, NULL};

	if (!p.so)
		wrong(name);
	p.entry = (void *(*)(void))dlsym(p.so, "entry");
	p.drop = (void (*)(void *))dlsym(p.so, "drop");
	if (!p.entry || !p.drop)
		wrong("no entry");
	return p;
}

static void
call(const struct plugin *p)
{
	p->drop(p->entry());
}

static void *
run(void *calls)
{
	while (!stop) {
		call(&stays);
		++*(unsigned long long *)calls;
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	unsigned long long calls[THREADS] = {0}, sum = 0;
	pthread_t thread[THREADS];

	stays = load(argv[2]);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, run, &calls[i]))
			wrong("pthread_create");
	for (int n = atoi(argv[1]); n > 0; n--)
		for (int i = 3; i < argc; i++) {
			struct plugin p = load(argv[i]);

			call(&p);
			if (dlclose(p.so))
				wrong("dlclose");
		}
	stop = 1;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		sum += calls[i];
	}
	say("calls", sum);
	return 0;
}
