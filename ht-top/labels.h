/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the rows of a report are called. */
#ifndef HT_TOP_LABELS_H
#define HT_TOP_LABELS_H

#include "ht-top/top.h"
#include "libht/place.h"
#include "libht/str.h"

/* A place, without what the grouping does not tell apart: the line where it is
 * by function, the function where it is by file … */
struct ht_place place_by(const struct ht_prof *p, enum ht_by by, uint32_t id);
/* By file and module a place is one or the other; its text, or 0. */
uint32_t place_text(const struct ht_place *place);

/* A place's name, escaped, in at most `width` columns (0: no limit). */
void add_name(struct ht_str *s, const struct report *r, enum ht_by by,
    const struct ht_place *p, size_t width);
/* `file:line`, or the module where no file is known; nothing where the name
 * says it. */
void add_location(struct ht_str *s, const struct report *r, enum ht_by by,
    const struct ht_place *p);
/* A row that is no place: of a thread, a kind, a size. */
void add_value(
    struct ht_str *s, const struct report *r, uint64_t value, size_t width);
/* The name of a function as it is printed, not escaped: "" unknown. */
void add_function(struct ht_str *s, const struct report *r, uint32_t function);
/* For sorting: by all that is known of two places. */
int compare_places(const struct ht_prof *p, const struct ht_place *x,
    const struct ht_place *y);

#endif
