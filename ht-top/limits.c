/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "ht-top/costs.h"
#include "ht-top/limits.h"
#include "libht/mem.h"
#include "libht/num.h"
#include "libht/str.h"

/* The numbers that can be limited, some under two names. */
static const struct {
	const char *name;
	enum unit unit;
	size_t at; /* in a profile */
} values[] = {
    {"calls", UNIT_COUNT, offsetof(struct ht_prof, sum.allocs)},
    {"allocations", UNIT_COUNT, offsetof(struct ht_prof, sum.allocs)},
    {"temporary", UNIT_COUNT, offsetof(struct ht_prof, sum.temporary)},
    {"leaked", UNIT_BYTES, offsetof(struct ht_prof, sum.leaked)},
    {"leaked_blocks", UNIT_COUNT, offsetof(struct ht_prof, sum.leaked_blocks)},
    {"total", UNIT_BYTES, offsetof(struct ht_prof, sum.bytes)},
    {"total_bytes", UNIT_BYTES, offsetof(struct ht_prof, sum.bytes)},
    {"peak", UNIT_BYTES, offsetof(struct ht_prof, sum.peak)},
    {"peak_rss", UNIT_BYTES, offsetof(struct ht_prof, peak_rss)},
    {"runtime_ms", UNIT_MS, offsetof(struct ht_prof, runtime_ms)},
    {"lost", UNIT_COUNT, offsetof(struct ht_prof, lost)},
    {"others", UNIT_COUNT, offsetof(struct ht_prof, sum.others)},
    {"freed_by_others", UNIT_COUNT, offsetof(struct ht_prof, sum.others)},
};

/* A longer one comes before its beginning. */
static const char *const ops[] = {[OP_GE] = ">=",
    [OP_LE] = "<=",
    [OP_NE] = "!=",
    [OP_GT] = ">",
    [OP_LT] = "<",
    [OP_EQ] = "="};
static const enum limit_op op_order[] = {
    OP_GE, OP_LE, OP_NE, OP_GT, OP_LT, OP_EQ};

static uint64_t
value_of(size_t i, const struct ht_prof *p)
{
	uint64_t v;

	memcpy(&v, (const char *)p + values[i].at, sizeof v);
	return v;
}

/* `5%`, `0.125%`: up to three decimals. */
static int
parse_percent(const char *s, uint64_t *thousandths)
{
	const char *end = s + strlen(s) - 1, *dot = strchr(s, '.');
	uint64_t whole, part = 0, unit = 1000;
	char digits[32];
	size_t n = (size_t)((dot ? dot : end) - s);

	if (n >= sizeof digits)
		return -1;
	memcpy(digits, s, n);
	digits[n] = '\0';
	if (ht_num_parse(digits, HT_UNIT_NONE, 0, UINT32_MAX, &whole) < 0)
		return -1;
	if (dot && (end - dot < 2 || end - dot > 4))
		return -1;
	for (s = dot ? dot + 1 : end; s < end; s++) {
		if (*s < '0' || *s > '9')
			return -1;
		part = part * 10 + (uint64_t)(*s - '0');
		unit /= 10;
	}
	*thousandths = whole * 1000 + part * unit;
	return 0;
}

static int
parse_value(struct limit *l, const char *s)
{
	static const enum ht_unit unit[] = {[UNIT_COUNT] = HT_UNIT_NONE,
	    [UNIT_BYTES] = HT_UNIT_SIZE,
	    [UNIT_MS] = HT_UNIT_TIME};
	size_t len;

	l->minus = *s == '-';
	l->relative = *s == '-' || *s == '+';
	s += l->relative;
	len = strlen(s);
	l->percent = len > 0 && s[len - 1] == '%';
	if (l->percent) {
		l->relative = true;
		return parse_percent(s, &l->value);
	}
	return ht_num_parse(
	    s, unit[values[l->value_of].unit], 0, UINT64_MAX, &l->value);
}

/* One limit: l->text without spaces. */
static int
parse(struct limit *l, struct ht_error *err)
{
	size_t n = strcspn(l->text, "<>=!"), i, k;
	const char *s = l->text + n;

	for (i = 0; i < HT_LEN(values); i++)
		if (strlen(values[i].name) == n &&
		    memcmp(values[i].name, l->text, n) == 0)
			break;
	for (k = 0; k < HT_LEN(op_order); k++)
		if (strncmp(s, ops[op_order[k]], strlen(ops[op_order[k]])) == 0)
			break;
	if (k == HT_LEN(op_order))
		return ht_error_set(err,
		    "'%s' is no limit: a name, one of > >= < <= = !=, and a"
		    " number, as in leaked>1M",
		    l->text);
	if (i == HT_LEN(values))
		return ht_error_set(err,
		    "'%.*s' is not one of calls, temporary, leaked,"
		    " leaked_blocks, total, peak, peak_rss, runtime_ms, lost",
		    (int)n, l->text);
	l->value_of = i;
	l->op = op_order[k];
	s += strlen(ops[l->op]);
	s += l->op == OP_EQ && *s == '='; /* == too */
	if (parse_value(l, s) < 0)
		return ht_error_set(err,
		    "'%s' is no value of %s: %s, or a percentage such as +5%%",
		    s, values[i].name,
		    values[i].unit == UNIT_BYTES ? "bytes (k, M, G)"
		    : values[i].unit == UNIT_MS	 ? "a time (ms, s, m, h)"
						 : "a number");
	return 0;
}

int
limits_add(struct limits *l, const char *text, struct ht_error *err)
{
	char *copy = ht_strdup(text), *rest = copy, *one;
	int rc = 0;

	while (rc == 0 && (one = strsep(&rest, ",")) != NULL) {
		char *to = one, *from;

		for (from = one; *from; from++)
			if (*from != ' ')
				*to++ = *from;
		*to = '\0';
		HT_GROW(l->limit, l->cap, l->n + 1);
		l->limit[l->n] = (struct limit){.text = ht_strdup(one)};
		rc = parse(&l->limit[l->n++], err);
	}
	free(copy);
	return rc;
}

const char *
limits_relative(const struct limits *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->limit[i].relative)
			return l->limit[i].text;
	return NULL;
}

static __int128
signed_of(uint64_t n, bool minus)
{
	return minus ? -(__int128)n : (__int128)n;
}

static bool
is_exceeded(const struct limit *l, struct amount a, uint64_t base)
{
	__int128 have = signed_of(a.n, a.minus);
	__int128 want = signed_of(l->value, l->minus);

	/* In thousandths of a percent of the base; 2^64 times 100,000 fits. */
	if (l->percent) {
		have *= 100000;
		want *= base;
	}
	switch (l->op) {
	case OP_GT:
		return have > want;
	case OP_GE:
		return have >= want;
	case OP_LT:
		return have < want;
	case OP_LE:
		return have <= want;
	case OP_EQ:
		return have == want;
	case OP_NE:
		return have != want;
	}
	return false;
}

static void
say(const struct limit *l, struct amount a, uint64_t base, bool diff)
{
	const char *name = values[l->value_of].name;
	enum unit unit = values[l->value_of].unit;
	struct amount size = {a.n, false};
	struct ht_fmt percent = ht_fmt_percent(a.n, base);
	struct ht_str more = {0};

	if (unit != UNIT_COUNT)
		ht_str_addz(&more, amount_text(size, unit, false).s);
	if (diff && percent.s[0])
		ht_str_addf(&more, "%s%s %%", more.len ? ", " : "", percent.s);
	ht_warn("limit %s: %s is %s%s%s%s%s", l->text, name,
	    amount_text(size, UNIT_COUNT, false).s, more.len ? " (" : "",
	    more.len ? more.data : "", more.len ? ")" : "",
	    !diff     ? ""
	    : a.minus ? " below the base"
		      : " above the base");
	ht_str_release(&more);
}

bool
limits_check(
    struct limits *l, const struct ht_prof *base, const struct ht_prof *later)
{
	bool any = false;
	size_t i;

	for (i = 0; i < l->n; i++) {
		struct limit *limit = &l->limit[i];
		uint64_t was = base ? value_of(limit->value_of, base) : 0;
		struct amount a =
		    amount_between(was, value_of(limit->value_of, later));

		limit->exceeded = is_exceeded(limit, a, was);
		if (limit->exceeded)
			say(limit, a, was, base != NULL);
		any |= limit->exceeded;
	}
	return any;
}

void
limits_release(struct limits *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->limit[i].text);
	free(l->limit);
	memset(l, 0, sizeof *l);
}
