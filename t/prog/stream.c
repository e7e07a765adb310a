/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream EVENTS: a trace of ours of so many allocations and frees, with names,
 * to stdout, always the same one; to stderr what it adds up to, as ht-top
 * --totals calls it, counted as it goes and block by block.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define STRINGS 400
#define STACKS	3000
#define CLASSES 5000
#define SLOTS	8192
#define TICK	5000 /* events */
#define TICK_MS 10

static struct {
	uint32_t cls; /* plus 1; 0: empty */
	uint32_t ms;
} slot[SLOTS];
static uint32_t size_of[CLASSES];
static uint64_t seed = 4711;

static uint32_t
rnd(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 32) % n;
}

/* 0 … n - 1, small ones much more often. */
static uint32_t
skewed(uint32_t n)
{
	return rnd(1 + rnd(1 + rnd(n)));
}

static void
definitions(void)
{
	uint32_t i;

	printf("v 100 3\n#H f ht-record 0.1.0\nX stream\nI 1000 5f0000\n");
	printf("s 6 stream\ns 8 stream.c\n");
	for (i = 0; i < STRINGS; i++)
		printf("s 8 func%04u\n", i);
	for (i = 0; i < STRINGS; i++)
		printf("i %x 1 %x 2 %x\n", 0x1000 + i * 16, i + 3, i + 1);
	for (i = 0; i < STACKS; i++)
		printf("t %x %x\n", 1 + rnd(STRINGS), rnd(i + 1));
	for (i = 0; i < CLASSES; i++) {
		size_of[i] = 8 + 8 * skewed(500);
		printf("a %x %x\n", size_of[i], 1 + rnd(STACKS));
	}
}

/* Lines of events, without printf. */
static char buffer[1 << 16], *at = buffer;

static void
flush(void)
{
	if (fwrite(buffer, 1, at - buffer, stdout) != (size_t)(at - buffer))
		exit(1);
	at = buffer;
}

static void
put(char kind, const char *field, uint64_t v)
{
	char digits[16];
	int n = 0;

	if (kind) {
		*at++ = kind;
		*at++ = ' ';
	}
	while (*field)
		*at++ = *field++;
	do
		digits[n++] = "0123456789abcdef"[v & 15];
	while (v >>= 4);
	while (n > 0)
		*at++ = digits[--n];
}

int
main(int argc, char **argv)
{
	uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000, i;
	uint64_t ms = 0, allocations = 0, temporary = 0, now = 0, peak = 0,
		 total = 0, blocks = 0;
	/* Of the line before, if it was a +: its slot and class. */
	uint32_t last = SLOTS, last_cls = 0;

	definitions();
	for (i = 1; i <= events; i++) {
		uint32_t k = skewed(SLOTS), cls = slot[k].cls;

		if (cls == 0) {
			cls = skewed(CLASSES);
			slot[k].cls = cls + 1;
			slot[k].ms = ms;
			put('+', "", cls);
			allocations++;
			blocks++;
			total += size_of[cls];
			now += size_of[cls];
			peak = now > peak ? now : peak;
			last = k;
			last_cls = cls;
		} else {
			cls--;
			put('-', "", cls);
			if (slot[k].ms != ms)
				put(0, " o", ms - slot[k].ms);
			if (k == last)
				temporary++;
			else if (last < SLOTS && cls == last_cls) {
				*at++ = ' ';
				*at++ = 'x';
			}
			slot[k].cls = 0;
			blocks--;
			now -= size_of[cls];
			last = SLOTS;
		}
		*at++ = '\n';
		if (i % TICK == 0) {
			put('c', "", ms += TICK_MS);
			*at++ = '\n';
		}
		if (at - buffer > (int)sizeof buffer - 100)
			flush();
	}
	flush();
	printf("#E exit 0\n");
	fprintf(stderr,
	    "allocations\t%" PRIu64 "\ntemporary\t%" PRIu64 "\nleaked\t%" PRIu64
	    "\nleaked_blocks\t%" PRIu64 "\ntotal_bytes\t%" PRIu64
	    "\npeak\t%" PRIu64 "\n",
	    allocations, temporary, now, blocks, total, peak);
	return fflush(stdout) ? 1 : 0;
}
