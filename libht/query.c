/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "libht/mem.h"
#include "libht/query.h"

/* --- options ----------------------------------------------------------------
 */

enum {
	OPT_FILTER = 1024,
	OPT_EXCLUDE,
	OPT_FROM,
	OPT_TO,
	OPT_AT,
	OPT_BUCKET,
	OPT_ALLOC_FN,
	OPT_IGNORE_FN,
	OPT_SUPPRESSIONS,
	OPT_NO_BUILTIN,
	OPT_NO_EMBEDDED,
	OPT_ALL_IMAGES,
	OPT_ALL_FRAMES,
	OPT_FOLLOW
};

const struct ht_opt ht_query_options[] = {
    {"filter", OPT_FILTER, true},
    {"exclude", OPT_EXCLUDE, true},
    {"from", OPT_FROM, true},
    {"to", OPT_TO, true},
    {"at", OPT_AT, true},
    {"bucket", OPT_BUCKET, true},
    {"alloc-fn", OPT_ALLOC_FN, true},
    {"ignore-fn", OPT_IGNORE_FN, true},
    {"suppressions", OPT_SUPPRESSIONS, true},
    {"disable-builtin-suppressions", OPT_NO_BUILTIN, false},
    {"disable-embedded-suppressions", OPT_NO_EMBEDDED, false},
    {"all-images", OPT_ALL_IMAGES, false},
    {"all-frames", OPT_ALL_FRAMES, false},
    {"follow", OPT_FOLLOW, false},
    {NULL, 0, false},
};

void
ht_query_init(struct ht_query *q)
{
	memset(q, 0, sizeof *q);
	q->to.value = UINT64_MAX;
}

void
ht_query_release(struct ht_query *q)
{
	size_t i;

	for (i = 0; i < q->nfilter; i++)
		if (q->filter[i].key != HT_FILTER_SIZE)
			ht_pattern_release(&q->filter[i].pattern);
	ht_patterns_release(&q->alloc_fn);
	ht_patterns_release(&q->ignore_fn);
	ht_suppress_release(&q->suppress);
	if (q->from.mark)
		ht_pattern_release(&q->from.pattern);
	if (q->to.mark)
		ht_pattern_release(&q->to.pattern);
	memset(q, 0, sizeof *q);
}

static void
set_moment(struct ht_moment *m, const struct ht_opts *o, const char *name)
{
	static const struct {
		const char *unit;
		uint64_t factor, divisor;
	} units[] = {{"", 1, 1}, {"s", 1, 1}, {"ms", 1, 1000}, {"m", 60, 1},
	    {"min", 60, 1}, {"h", 3600, 1}, {"%", 1, 1}};
	static const char mark[] = "mark=";
	struct ht_error err = {""};
	const char *unit;
	uint64_t v;
	size_t i;

	if (m->mark)
		ht_pattern_release(&m->pattern);
	*m = (struct ht_moment){.given = o->value};
	if (strncmp(o->value, mark, strlen(mark)) == 0) {
		if (ht_pattern_init(
			&m->pattern, o->value + strlen(mark), &err) < 0)
			ht_opt_fail(o, "--%s: %s", name, err.text);
		m->mark = true;
		return;
	}
	if (ht_num_thousandths(o->value, &unit, &v) == 0)
		for (i = 0; i < HT_LEN(units); i++) {
			if (strcmp(unit, units[i].unit) != 0 ||
			    __builtin_mul_overflow(v, units[i].factor, &v))
				continue;
			m->value = v / units[i].divisor;
			m->percent = *unit == '%';
			if (!m->percent || v <= 100000)
				return;
		}
	ht_opt_fail(o,
	    "--%s: '%s' is no time: seconds (1.5), with a unit (300ms, 2m, 1h),"
	    " in percent of the run (50%%), or mark=TEXT",
	    name, o->value);
}

static void
set_bucket(struct ht_query *q, const struct ht_opts *o)
{
	struct ht_moment width = {0};

	set_moment(&width, o, "bucket");
	if (width.percent || width.mark || width.value == 0)
		ht_opt_fail(o, "--bucket: '%s' is no width: a time from 1ms on",
		    o->value);
	q->bucket = width.value;
}

/* N, A..B, A.. or ..B */
static int
parse_sizes(struct ht_filter *f, const char *text)
{
	const char *dots = strstr(text, "..");
	char *low;
	int rc = 0;

	if (dots == NULL) {
		rc = ht_num_parse(
		    text, HT_UNIT_SIZE, 0, UINT64_MAX - 1, &f->min);
		f->max = f->min;
		return rc;
	}
	low = ht_memdup(text, (size_t)(dots - text));
	f->min = 0;
	f->max = UINT64_MAX;
	if (*low)
		rc = ht_num_parse(low, HT_UNIT_SIZE, 0, UINT64_MAX, &f->min);
	if (dots[2])
		rc |= ht_num_parse(
		    dots + 2, HT_UNIT_SIZE, f->min, UINT64_MAX, &f->max);
	if (!*low && !dots[2])
		rc = -1;
	free(low);
	return rc;
}

/* The key before the first `=`, if it looks like one: C++ has functions with
 * `=` in their names, `operator=` and its like. */
static enum ht_filter_key
filter_key(const struct ht_opts *o, const char *name, const char **text)
{
	static const char *const keys[] = {
	    "function", "file", "module", "thread", "kind", "size"};
	size_t n = strspn(*text, "abcdefghijklmnopqrstuvwxyz"), i;

	if (n == 0 || (*text)[n] != '=' || strncmp(*text, "operator", n) == 0)
		return HT_FILTER_FUNCTION;
	for (i = 0; i < HT_LEN(keys); i++)
		if (strlen(keys[i]) == n && strncmp(*text, keys[i], n) == 0) {
			*text += n + 1;
			return (enum ht_filter_key)i;
		}
	ht_opt_fail(o,
	    "--%s: '%.*s' is not one of function, file, module, thread, kind,"
	    " size",
	    name, (int)n, *text);
}

static void
add_filter(struct ht_query *q, const struct ht_opts *o, bool exclude)
{
	const char *name = exclude ? "exclude" : "filter", *text = o->value;
	struct ht_error err = {""};
	struct ht_filter *f;

	if (q->nfilter == HT_QUERY_FILTERS)
		ht_opt_fail(
		    o, "--%s: more than %d filters", name, HT_QUERY_FILTERS);
	f = &q->filter[q->nfilter++];
	f->given = o->value;
	f->exclude = exclude;
	f->key = filter_key(o, name, &text);
	if (f->key == HT_FILTER_SIZE) {
		if (parse_sizes(f, text) < 0)
			ht_opt_fail(o,
			    "--%s: '%s' is no size: 64, 100..4k, 1M.. or ..16",
			    name, text);
	} else if (ht_pattern_init(&f->pattern, text, &err) < 0) {
		ht_opt_fail(o, "--%s: %s", name, err.text);
	}
}

static void
add_function(struct ht_patterns *l, const struct ht_opts *o, const char *name)
{
	struct ht_error err = {""};

	if (ht_patterns_add(l, o->value, &err) < 0)
		ht_opt_fail(o, "--%s: %s", name, err.text);
}

void
ht_query_option(struct ht_query *q, const struct ht_opts *o, int letter)
{
	struct ht_error err = {""};

	switch (letter) {
	case OPT_FILTER:
	case OPT_EXCLUDE:
		add_filter(q, o, letter == OPT_EXCLUDE);
		break;
	case OPT_FROM:
		set_moment(&q->from, o, "from");
		q->has_from = true;
		break;
	case OPT_TO:
		set_moment(&q->to, o, "to");
		q->has_to = true;
		break;
	case OPT_AT:
		set_moment(&q->to, o, "at");
		q->at = true;
		break;
	case OPT_BUCKET:
		set_bucket(q, o);
		break;
	case OPT_ALLOC_FN:
		add_function(&q->alloc_fn, o, "alloc-fn");
		break;
	case OPT_IGNORE_FN:
		add_function(&q->ignore_fn, o, "ignore-fn");
		break;
	case OPT_SUPPRESSIONS:
		if (ht_suppress_file(&q->suppress, o->value, &err) < 0)
			ht_opt_fail(o, "--suppressions: %s", err.text);
		break;
	case OPT_NO_BUILTIN:
		q->no_builtin = true;
		break;
	case OPT_NO_EMBEDDED:
		q->no_embedded = true;
		break;
	case OPT_ALL_IMAGES:
		q->all_images = true;
		break;
	case OPT_ALL_FRAMES:
		q->all_frames = true;
		break;
	case OPT_FOLLOW:
		q->follow = true;
		break;
	default:
		abort();
	}
}

/* The moment, or where the bucket that it is in begins, or ends. */
static uint64_t
bucket_start(const struct ht_query *q, uint64_t ms)
{
	return q->bucket ? ms - ms % q->bucket : ms;
}

static uint64_t
bucket_end(const struct ht_query *q, uint64_t ms)
{
	uint64_t over = q->bucket ? ms % q->bucket : 0;

	if (over && __builtin_add_overflow(ms, q->bucket - over, &ms))
		return UINT64_MAX;
	return ms;
}

void
ht_query_ready(struct ht_query *q, const struct ht_opts *o)
{
	if (q->at && (q->has_from || q->has_to))
		ht_opt_fail(o, "--at goes with neither --from nor --to");
	if (q->bucket && (q->from.mark || q->to.mark))
		ht_opt_fail(o, "--bucket: a mark is at no multiple of it");
	if (q->to.mark)
		q->to.value = UINT64_MAX;
	if (q->has_from && q->has_to && !q->from.mark && !q->to.mark &&
	    q->from.percent == q->to.percent && q->from.value >= q->to.value)
		ht_opt_fail(o, "--from is not before --to");
	if (q->bucket && !ht_query_windowed(q))
		ht_opt_fail(o, "--bucket goes with --from, --to or --at");
	if (!q->from.percent)
		q->from.value = bucket_start(q, q->from.value);
	if (!q->to.percent)
		q->to.value = bucket_end(q, q->to.value);
	if (ht_query_percent(q) && q->follow)
		ht_opt_fail(o, "--follow: what still grows has no percentages");
	if (!q->no_builtin)
		ht_suppress_builtin(&q->suppress);
}

/* --- windows -----------------------------------------------------------------
 */

bool
ht_query_windowed(const struct ht_query *q)
{
	return q->has_from || q->has_to || q->at;
}

bool
ht_query_percent(const struct ht_query *q)
{
	return q->from.percent || q->to.percent;
}

static uint64_t
moment_ms(const struct ht_moment *m, uint64_t runtime_ms)
{
	if (!m->percent)
		return m->value;
	/* The end of the run is in what goes up to 100 %. */
	if (m->value == 100000)
		return UINT64_MAX;
	return (uint64_t)((unsigned __int128)runtime_ms * m->value / 100000);
}

void
ht_query_window(
    const struct ht_query *q, uint64_t runtime_ms, uint64_t *from, uint64_t *to)
{
	*from = q->from.mark ? UINT64_MAX
			     : bucket_start(q, moment_ms(&q->from, runtime_ms));
	*to = bucket_end(q, moment_ms(&q->to, runtime_ms));
}

/* --- rows
 * --------------------------------------------------------------------- */

void
ht_select_init(
    struct ht_select *s, const struct ht_query *q, const struct ht_prof *p)
{
	memset(s, 0, sizeof *s);
	s->q = q;
	s->p = p;
	s->heap_only = ht_query_heap_only(q);
	ht_walk_init(&s->walk, p, &q->alloc_fn, q->all_frames);
}

void
ht_select_release(struct ht_select *s)
{
	ht_walk_release(&s->walk);
	free(s->stack);
	free(s->ignored);
	memset(s, 0, sizeof *s);
}

static const char *
text(const struct ht_select *s, uint32_t id)
{
	return ht_intern_get(&s->p->text, id);
}

/* Whether a filter by a place matches it. */
static bool
match_frame(const struct ht_select *s, const struct ht_filter *f,
    const struct ht_frame *frame)
{
	uint32_t i;

	if (f->key == HT_FILTER_MODULE)
		return ht_pattern_match(&f->pattern, text(s, frame->module));
	for (i = frame->first; i < frame->first + frame->count; i++) {
		const struct ht_frame_fn *fn = &s->p->fn[i];
		uint32_t name =
		    f->key == HT_FILTER_FILE ? fn->file : fn->function;

		if (name && ht_pattern_match(&f->pattern, text(s, name)))
			return true;
	}
	return false;
}

/* Bit i: filter i matches the frame. */
static uint64_t
frame_bits(const struct ht_select *s, uint32_t id)
{
	uint64_t bits = 0;
	size_t i;

	for (i = 0; id && i < s->q->nfilter; i++)
		if (s->q->filter[i].key <= HT_FILTER_MODULE &&
		    match_frame(s, &s->q->filter[i], &s->p->frame[id - 1]))
			bits |= (uint64_t)1 << i;
	return bits;
}

/* Bit i: filter i matches one of the stack's frames. */
static uint64_t
stack_bits(struct ht_select *s, uint32_t id)
{
	HT_GROW(s->stack, s->stack_cap, s->p->nstack + 1);
	/* Of stack 0, which no filter by a place matches, there is nothing. */
	for (; s->nstack < s->p->nstack; s->nstack++) {
		const struct ht_stack *st = &s->p->stack[s->nstack];

		s->stack[s->nstack + 1] =
		    s->stack[st->parent] | frame_bits(s, st->frame);
	}
	return s->stack[id];
}

/* Whether the function that allocates is one that --ignore-fn names. */
static bool
ignored(struct ht_select *s, uint32_t stack)
{
	struct ht_place place;
	bool yes;

	HT_GROW(s->ignored, s->ignored_cap, s->p->nstack + 1);
	if (s->ignored[stack])
		return s->ignored[stack] == 2;
	ht_walk_stack(&s->walk, stack);
	place = ht_place(s->p, s->walk.place[0]);
	yes = place.function &&
	      ht_patterns_is(&s->q->ignore_fn, text(s, place.function));
	s->ignored[stack] = yes ? 2 : 1;
	return yes;
}

bool
ht_query_heap_only(const struct ht_query *q)
{
	size_t i;

	for (i = 0; i < q->nfilter; i++)
		if (q->filter[i].key == HT_FILTER_KIND)
			return false;
	return !q->all_kinds;
}

/* Whether the filters by kind let this one pass. */
static bool
kind_passes(const struct ht_query *q, const char *name)
{
	size_t i;

	for (i = 0; i < q->nfilter; i++)
		if (q->filter[i].key == HT_FILTER_KIND &&
		    ht_pattern_match(&q->filter[i].pattern, name) ==
			q->filter[i].exclude)
			return false;
	return true;
}

uint64_t
ht_query_live(const struct ht_query *q, const struct ht_cost *k,
    const struct ht_tables *t, uint64_t *epoch)
{
	uint64_t live = k->now;
	size_t i;

	*epoch = k->epoch;
	if (ht_query_heap_only(q))
		return live;
	if (!kind_passes(q, HT_KIND_HEAP))
		live = *epoch = 0;
	for (i = 0; i < k->nkind && i < t->nkind; i++)
		if (kind_passes(q, ht_intern_get(&t->text, t->kind[i]))) {
			ht_plus(&live, k->kind[i].now);
			*epoch += k->kind[i].epoch;
		}
	return live;
}

bool
ht_select_row(struct ht_select *s, const struct ht_prof_row *row)
{
	const struct ht_query *q = s->q;
	uint64_t bits = q->nfilter ? stack_bits(s, row->stack) : 0;
	size_t i;

	if (row->kind && s->heap_only)
		return false;
	for (i = 0; i < q->nfilter; i++) {
		const struct ht_filter *f = &q->filter[i];
		bool match = bits >> i & 1;

		if (f->key == HT_FILTER_SIZE)
			match = row->size >= f->min && row->size <= f->max;
		else if (f->key == HT_FILTER_THREAD)
			match =
			    ht_pattern_match(&f->pattern, text(s, row->thread));
		else if (f->key == HT_FILTER_KIND)
			match = ht_pattern_match(
			    &f->pattern, ht_kind_name(s->p, row->kind));
		if (match == f->exclude)
			return false;
	}
	return q->ignore_fn.n == 0 || !ignored(s, row->stack);
}

static bool
keep(void *select, const struct ht_prof_row *row)
{
	return (row->allocs || row->peak || row->leaked || row->life.n) &&
	       ht_select_row(select, row);
}

void
ht_query_apply(struct ht_query *q, struct ht_prof *p)
{
	struct ht_select select;
	uint32_t i;

	ht_select_init(&select, q, p);
	ht_prof_keep(p, keep, &select);
	ht_select_release(&select);
	if (q->at)
		return;
	for (i = 1; !q->no_embedded && i <= p->suppression.count; i++)
		ht_suppress_line(&q->suppress,
		    ht_intern_get(&p->suppression, i),
		    ht_intern_len(&p->suppression, i), HT_SUPPRESS_EMBEDDED);
	ht_suppress_apply(&q->suppress, p);
}
