/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lines of a report in text: numbers at the left, a name, and where it is
 * at the right end. */
#ifndef HT_TOP_COLUMNS_H
#define HT_TOP_COLUMNS_H

#include "ht-top/labels.h"
#include "ht-top/top.h"

enum ink { INK_NONE, INK_TITLE, INK_FAINT, INK_WARNING, INK_MORE, INK_LESS };

/* Text with the terminal's attributes, where it is one that has them. */
void put_ink(const struct report *r, enum ink ink, const char *text);

/* What the sections differ in. */
struct layout {
	const char *title;
	const char *head, *other_head; /* of the cost and the other number */
	enum unit unit, other_unit;
	bool of_other; /* percent of the other number, else of the total */
	const char *none;
};
const struct layout *layout_of(const struct report *r, enum cost sort);

struct columns {
	const struct report *r;
	const struct layout *l;
	enum cost sort;
	enum ht_by by;
	/* Of estimates: the other number is half the interval. */
	bool halves;
	bool tree; /* the other number is the node's own cost */
	int cost_width, percent_width, other_width;
	size_t name_at;	 /* the column where names begin */
	uint32_t module; /* shown last as a location: not said again */
};

/* One line of them: what its numbers are about. */
struct line {
	struct costs costs;
	struct amount other;
};

void columns_init(struct columns *c, const struct report *r, enum cost sort);
/* The numbers of a row; `self` is for trees, else NULL. */
struct line line_of(const struct columns *c, const struct costs *costs,
    const struct costs *self);
/* Makes the columns wide enough. Before columns_ready. */
void columns_fit(struct columns *c, const struct line *line);
/* They are: prints the title and the heads. `title` NULL: the layout's. */
void columns_ready(struct columns *c, const char *title);
/* A title with the total of the sort's cost at the right. */
void put_title(const struct report *r, enum cost sort, const char *title);
/* The numbers; line NULL: blank. */
void put_numbers(
    const struct columns *c, const struct line *line, bool percent);
/* The rest of a line: a name, indented, how often it follows upon itself, and
 * its location, or how many frames are folded away below it. */
void put_place(
    struct columns *c, uint32_t id, size_t indent, size_t times, size_t folded);
/* Words in place of a name. */
void put_note(const struct columns *c, size_t indent, const char *fmt, ...)
    HT_PRINTF(3, 4);
/* A name that is no place's. */
void put_value(const struct columns *c, uint64_t value);

#endif
