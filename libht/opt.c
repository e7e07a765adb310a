/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libht/err.h"
#include "libht/opt.h"
#include "libht/str.h"

#define MAX_OPTIONS 64

static void
print(FILE *f, const char *text)
{
	if (fputs(text, f) < 0 || fflush(f))
		exit(HT_FAILED);
}

/* What getopt_long wants, made from the table. */
static void
tables(const struct ht_opts *o, struct option *lopt, char *sopt)
{
	static const struct ht_opt common[] = {
	    {"help", 'h', false}, {"version", 'V', false}, {NULL, 0, false}};
	const struct ht_opt *table[] = {o->opt, o->more, common};
	size_t n = 0;

	if (o->stop_at_operand)
		*sopt++ = '+';
	*sopt++ = ':';
	for (size_t k = 0; k < HT_LEN(table); k++) {
		for (const struct ht_opt *p = table[k]; p && p->name; p++) {
			if (n == MAX_OPTIONS)
				abort();
			lopt[n++] =
			    (struct option){p->name, p->value, NULL, p->letter};
			if (p->letter > 255)
				continue;
			*sopt++ = (char)p->letter;
			if (p->value)
				*sopt++ = ':';
		}
	}
	lopt[n] = (struct option){0};
	*sopt = '\0';
}

static const struct ht_opt *
by_letter(const struct ht_opts *o, int letter)
{
	for (const struct ht_opt *p = o->opt; p->name; p++)
		if (p->letter == letter)
			return p;
	for (const struct ht_opt *p = o->more; p && p->name; p++)
		if (p->letter == letter)
			return p;
	return NULL;
}

/* After getopt_long's ? or : (optopt: 0 for an unknown long option, else the
 * letter of the option, known or not). */
static void
bad_option(const struct ht_opts *o, int c)
{
	const struct ht_opt *p = by_letter(o, optopt);
	const char *word = o->argv[optind - 1];
	char name[64];
	size_t len;

	if (!optopt)
		ht_opt_fail(o, "unknown option '%s'", word);
	snprintf(name, sizeof(name), "-%c", optopt);
	if (!p && optopt != 'h' && optopt != 'V')
		ht_opt_fail(o, "unknown option '%s'", name);
	len = strcspn(word, "=");
	if (!strncmp(word, "--", 2) && p &&
	    !strncmp(word + 2, p->name, len - 2))
		snprintf(name, sizeof(name), "--%s", p->name);
	ht_opt_fail(o,
	    c == ':' ? "option '%s' wants a value"
		     : "option '%s' takes no value",
	    name);
}

int
ht_opt_next(struct ht_opts *o)
{
	struct option lopt[MAX_OPTIONS + 1];
	char sopt[2 * MAX_OPTIONS + 3];
	int c;

	if (!o->index) {
		optind = 0; /* getopt starts afresh */
		opterr = 0;
	}
	tables(o, lopt, sopt);
	optopt = 0;
	c = getopt_long(o->argc, o->argv, sopt, lopt, NULL);
	o->index = optind;
	o->value = optarg;
	o->letter = c;
	if (c == '?' || c == ':')
		bad_option(o, c);
	if (c == 'h') {
		print(stdout, o->usage);
		exit(HT_OK);
	}
	if (c == 'V') {
		printf("%s " HT_VERSION " (format %d)\n", ht_name(), HT_FORMAT);
		print(stdout, "");
		exit(HT_OK);
	}
	return c;
}

/* How messages name the option returned last. */
static void
option_name(const struct ht_opts *o, struct ht_str *s)
{
	const struct ht_opt *p = by_letter(o, o->letter);

	ht_str_addf(s, "--%s", p ? p->name : "?");
}

static void
put_number(struct ht_str *s, enum ht_unit unit, uint64_t v)
{
	static const char prefix[] = "kMGT";
	size_t k = 0;

	while (unit == HT_UNIT_SIZE && v && v % 1024 == 0 && k < 4) {
		v /= 1024;
		k++;
	}
	ht_str_addf(s, "%llu", (unsigned long long)v);
	if (k)
		ht_str_addc(s, prefix[k - 1]);
	if (unit == HT_UNIT_TIME)
		ht_str_addz(s, "ms");
}

uint64_t
ht_opt_num(
    const struct ht_opts *o, enum ht_unit unit, uint64_t min, uint64_t max)
{
	static const char *const what[] = {
	    "a number", "a size (k, M, G)", "a time (ms, s, m, h)"};
	struct ht_str text = {0};
	uint64_t v;

	if (!ht_num_parse(o->value, unit, min, max, &v))
		return v;
	option_name(o, &text);
	ht_str_addf(&text, ": '%s' is not %s from ", o->value, what[unit]);
	put_number(&text, unit, min);
	if (max == UINT64_MAX) {
		ht_str_addz(&text, " on");
	} else {
		ht_str_addz(&text, " to ");
		put_number(&text, unit, max);
	}
	ht_opt_fail(o, "%s", text.data);
}

int
ht_opt_choice(const struct ht_opts *o, const char *const names[])
{
	struct ht_str text = {0};

	for (int i = 0; names[i]; i++)
		if (!strcmp(names[i], o->value))
			return i;
	option_name(o, &text);
	ht_str_addf(&text, ": '%s' is not one of", o->value);
	for (int i = 0; names[i]; i++)
		ht_str_addf(&text, "%s %s", i ? "," : "", names[i]);
	ht_opt_fail(o, "%s", text.data);
}

void
ht_opt_fail(const struct ht_opts *o, const char *fmt, ...)
{
	const char *end = o->usage;
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ht_warn("%s", text);
	/* The synopsis: all of it would push the message off the screen. */
	do
		end += strcspn(end, "\n") + 1;
	while (*end == ' ');
	fprintf(stderr, "%.*s(%s -h explains the options.)\n",
	    (int)(end - o->usage), o->usage, ht_name());
	exit(HT_USAGE);
}
