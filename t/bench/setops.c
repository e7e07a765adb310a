/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * setops ROUNDS
 *
 * What programs that minimise logic do all day: families of sets, split on one
 * element, cofactored, intersected and merged, recursively; each set is a small
 * block, each family an array that grows. Single-threaded, about 14 frames
 * deep, little work between two allocations.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS 16 /* of a set: one bit for and one against each variable */
#define VARS  (WORDS * 32)

struct family {
	size_t n, cap;
	uint64_t **set;
};

static uint64_t seed = 1;

static uint64_t
draw(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed >> 29;
}

/* Few bits are clear: most variables do not matter to a set. */
static uint64_t
dense(void)
{
	uint64_t x = 0;

	for (int i = 0; i < 5; i++)
		x |= draw() << 32 | (uint32_t)draw();
	return x;
}

static __attribute__((noinline)) uint64_t *
set_new(void)
{
	uint64_t *s = malloc(WORDS * sizeof *s);

	if (!s)
		abort();
	return s;
}

static __attribute__((noinline)) uint64_t *
set_or(const uint64_t *a, const uint64_t *b)
{
	uint64_t *s = set_new();

	for (int i = 0; i < WORDS; i++)
		s[i] = a[i] | b[i];
	return s;
}

static void
family_add(struct family *f, uint64_t *s)
{
	if (f->n == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 4;
		f->set = realloc(f->set, f->cap * sizeof *f->set);
		if (!f->set)
			abort();
	}
	f->set[f->n++] = s;
}

static struct family *
family_new(void)
{
	struct family *f = calloc(1, sizeof *f);

	if (!f)
		abort();
	return f;
}

static void
family_free(struct family *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->set[i]);
	free(f->set);
	free(f);
}

/* The sets that do not exclude one value of a variable, with it raised. */
static __attribute__((noinline)) struct family *
cofactor(const struct family *f, int var, int value)
{
	struct family *r = family_new();
	uint64_t raise[WORDS] = {0};
	int word = var / 32, bit = var % 32 * 2;

	raise[word] = 3ull << bit;
	for (size_t i = 0; i < f->n; i++)
		if (f->set[i][word] >> (bit + value) & 1)
			family_add(r, set_or(f->set[i], raise));
	return r;
}

static int
covers(const uint64_t *a, const uint64_t *b)
{
	for (int i = 0; i < WORDS; i++)
		if (b[i] & ~a[i])
			return 0;
	return 1;
}

static int
absorbed(const struct family *f, const uint64_t *s)
{
	for (size_t i = f->n < 12 ? 0 : f->n - 12; i < f->n; i++)
		if (covers(f->set[i], s))
			return 1;
	return 0;
}

/* Both halves, less what another set covers; frees them. */
static __attribute__((noinline)) struct family *
merge(struct family *a, struct family *b)
{
	struct family *r = family_new();
	size_t n = a->n < b->n ? a->n : b->n;

	for (size_t i = 0; i < n; i++) {
		uint64_t *s = set_or(a->set[i], b->set[n - 1 - i]);

		if (absorbed(r, s))
			free(s);
		else
			family_add(r, s);
	}
	family_free(a);
	family_free(b);
	return r;
}

/* The variable that most sets depend on, after `var` where many are equal. */
static __attribute__((noinline)) int
busiest(const struct family *f, int var)
{
	uint16_t count[VARS * 2] = {0};
	int best = var, most = -1;

	for (size_t i = 0; i < f->n; i++)
		for (int w = 0; w < WORDS; w++)
			for (uint64_t x = ~f->set[i][w]; x; x &= x - 1)
				count[w * 64 + __builtin_ctzll(x)]++;
	for (int k = 1; k <= VARS; k++) {
		int v = (var + k) % VARS;
		int n = count[2 * v] + count[2 * v + 1];

		if (n > most) {
			most = n;
			best = v;
		}
	}
	return best;
}

static struct family *
simplify(const struct family *f, int var, int depth)
{
	struct family *part[2];

	if (depth == 0 || f->n < 2)
		return cofactor(f, var, 0);
	var = busiest(f, var);
	for (int v = 0; v < 2; v++) {
		struct family *c = cofactor(f, var, v);

		part[v] = simplify(c, var, depth - 1);
		family_free(c);
	}
	return merge(part[0], part[1]);
}

int
main(int argc, char **argv)
{
	long rounds = argc == 2 ? atol(argv[1]) : 0;
	size_t left = 0;

	for (long i = 0; i < rounds; i++) {
		struct family *f = family_new(), *r;

		for (int k = 0; k < 40; k++) {
			uint64_t *s = set_new();

			for (int w = 0; w < WORDS; w++)
				s[w] = dense();
			family_add(f, s);
		}
		r = simplify(f, (int)(draw() % VARS), 9);
		left += r->n;
		family_free(r);
		family_free(f);
	}
	printf("%zu\n", left);
	return rounds ? 0 : 2;
}
