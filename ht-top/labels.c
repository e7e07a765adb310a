/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ht-top/labels.h"
#include "libht/fmt.h"

#define LOCATION_MAX 26 /* columns */

struct ht_place
place_by(const struct ht_prof *p, enum ht_by by, uint32_t id)
{
	struct ht_place place = ht_place(p, id);

	switch (by) {
	case HT_BY_MODULE:
		place.file = 0;
		/* fallthrough */
	case HT_BY_FILE:
		place.function = 0;
		place.offset = 0;
		if (place.file)
			place.module = 0;
		/* fallthrough */
	case HT_BY_FUNCTION:
		place.line = 0;
		break;
	default:
		break;
	}
	if (by == HT_BY_MODULE || by == HT_BY_FILE)
		place.inlined = false;
	return place;
}

uint32_t
place_text(const struct ht_place *place)
{
	return place->file ? place->file : place->module;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

void
add_function(struct ht_str *s, const struct report *r, uint32_t function)
{
	const struct ht_intern *text = &r->p->text;
	const char *name = ht_intern_get(text, function);
	size_t len = ht_intern_len(text, function);

	if (r->top->shorten)
		ht_fmt_shorten(s, name, len);
	else
		ht_str_add(s, name, len);
}

/* An address in a module, or what else there is. */
static void
add_address(struct ht_str *s, const struct report *r, const struct ht_place *p,
    size_t width)
{
	struct ht_str whole = {0};

	ht_place_label(&whole, r->p, p);
	if (p->module && !p->cut)
		ht_fmt_function(s, whole.data, whole.len, width);
	else
		ht_str_addz(s, whole.data);
	ht_str_release(&whole);
}

/* A file or module by itself: its end says more than its beginning. */
static void
add_path(
    struct ht_str *s, const struct ht_intern *text, uint32_t id, size_t width)
{
	ht_fmt_path(s, ht_intern_get(text, id), ht_intern_len(text, id), width);
}

void
add_name(struct ht_str *s, const struct report *r, enum ht_by by,
    const struct ht_place *p, size_t width)
{
	struct ht_str name = {0};

	if ((by == HT_BY_FILE || by == HT_BY_MODULE) && place_text(p)) {
		add_path(s, &r->p->text, place_text(p), width);
	} else if (p->function == 0) {
		add_address(s, r, p, width);
	} else {
		add_function(&name, r, p->function);
		ht_fmt_function(s, name.data ? name.data : "", name.len, width);
		ht_str_release(&name);
	}
}

void
add_location(struct ht_str *s, const struct report *r, enum ht_by by,
    const struct ht_place *p)
{
	const struct ht_intern *text = &r->p->text;
	uint32_t id = place_text(p);
	const char *path = ht_intern_get(text, id), *shown = path;
	size_t limit = r->top->width ? LOCATION_MAX : 0;
	char line[16] = "";

	/* Without a function the module is the name. */
	if (id == 0 || by == HT_BY_FILE || by == HT_BY_MODULE ||
	    (p->file == 0 && p->function == 0))
		return;
	if (r->top->width)
		shown = base_name(path);
	/* Nor next to a name that ht-symbolize made of module and offset. */
	if (p->file == 0 && strncmp(ht_intern_get(text, p->function),
				base_name(path), strlen(base_name(path))) == 0)
		return;
	if (p->file && p->line)
		snprintf(line, sizeof line, ":%" PRIu32, p->line);
	ht_fmt_text(s, shown, ht_intern_len(text, id) - (size_t)(shown - path),
	    limit ? limit - strlen(line) : 0);
	ht_str_addz(s, line);
}

void
add_value(
    struct ht_str *s, const struct report *r, uint64_t value, size_t width)
{
	const struct ht_intern *text = &r->p->text;

	if (r->top->by == HT_BY_SIZE)
		ht_str_addf(s, "%s byte%s", ht_fmt_count(value).s,
		    value == 1 ? "" : "s");
	else if (value == 0 && r->top->by == HT_BY_KIND)
		ht_str_addz(s, ht_kind_name(r->p, 0));
	else if (value == 0)
		ht_str_addz(s, "(unknown)");
	else
		ht_fmt_text(s, ht_intern_get(text, (uint32_t)value),
		    ht_intern_len(text, (uint32_t)value), width);
}

static int
by_text(const struct ht_intern *text, uint32_t a, uint32_t b)
{
	return a == b ? 0
		      : strcmp(ht_intern_get(text, a), ht_intern_get(text, b));
}

int
compare_places(
    const struct ht_prof *p, const struct ht_place *x, const struct ht_place *y)
{
	int c = by_text(&p->text, x->function, y->function);

	if (c == 0)
		c = by_text(&p->text, x->file, y->file);
	if (c == 0)
		c = (x->line > y->line) - (x->line < y->line);
	if (c == 0)
		c = by_text(&p->text, x->module, y->module);
	if (c == 0)
		c = (x->offset > y->offset) - (x->offset < y->offset);
	return c ? c : x->inlined - y->inlined;
}
