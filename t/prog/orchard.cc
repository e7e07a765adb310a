/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inlined functions, templates, recursion, a lambda and operators: the same
 * blocks in every run, all but a few of them live at one sharp peak. */
#include <map>
#include <string>
#include <vector>

#define FRAME __attribute__((noinline, noipa))

static void *volatile sink;

template <typename T, int N> struct basket {
	T *item[N];
	inline __attribute__((always_inline)) void
	fill()
	{
		for (int i = 0; i < N; i++)
			item[i] = new T;
	}
	~basket()
	{
		for (int i = 0; i < N; i++)
			delete item[i];
	}
};

struct apple {
	char flesh[96];
};
struct pear {
	char flesh[160];
};

FRAME static void
branch(std::vector<apple *> &fruit, int depth)
{
	fruit.push_back(new apple);
	if (depth > 0)
		branch(fruit, depth - 1);
	sink = &fruit; /* no tail call */
}

FRAME static void
chatter(int n)
{
	for (int i = 0; i < n; i++)
		delete new pear;
}

FRAME static size_t
count_words(const char *text)
{
	std::map<std::string, int> words;
	auto add = [&](const std::string &word) {
		words["a rather long prefix, to be sure: " + word]++;
	};

	for (const char *p = text; *p; p++)
		add(std::string(1 + *p % 3, *p));
	return words.size();
}

FRAME static int
season()
{
	basket<apple, 40> apples;
	basket<pear, 25> pears;
	std::vector<apple *> wild;

	wild.reserve(64);
	apples.fill();
	pears.fill();
	branch(wild, 12);
	char *top = new char[65536];
	sink = top;
	delete[] top;
	for (apple *a : wild)
		delete a;
	return (int)wild.size();
}

int
main()
{
	char *leak = new char[480];

	sink = leak;
	chatter(100);
	int n = season();
	chatter(11);
	n += (int)count_words("the quick brown fox jumps over the lazy dog");
	leak = new char[32];
	sink = leak;
	return n == 0;
}
