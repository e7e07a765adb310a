/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "libht/mem.h"
#include "libht/pattern.h"

static int
compile(
    struct ht_pattern *p, const char *spec, size_t len, struct ht_error *err)
{
	char *text = ht_memdup(spec, len), why[128];
	int rc = regcomp(&p->regex, text, REG_EXTENDED | REG_NOSUB);

	free(text);
	if (rc == 0)
		return 0;
	regerror(rc, NULL, why, sizeof why);
	return ht_error_set(
	    err, "'%.*s' is no regular expression: %s", (int)len, spec, why);
}

int
ht_pattern_init(struct ht_pattern *p, const char *spec, struct ht_error *err)
{
	size_t len = strlen(spec);

	memset(p, 0, sizeof *p);
	if (len == 0 || !strcmp(spec, "//"))
		return ht_error_set(err, "an empty pattern matches anything");
	if (len > 2 && spec[0] == '/' && spec[len - 1] == '/')
		return compile(p, spec + 1, len - 2, err);
	p->text = ht_strdup(spec);
	return 0;
}

bool
ht_pattern_match(const struct ht_pattern *p, const char *name)
{
	if (p->text)
		return strstr(name, p->text) != NULL;
	return regexec(&p->regex, name, 0, NULL, 0) == 0;
}

bool
ht_pattern_is(const struct ht_pattern *p, const char *function)
{
	size_t len;

	if (p->text == NULL)
		return ht_pattern_match(p, function);
	len = strlen(p->text);
	if (strncmp(function, p->text, len) != 0)
		return false;
	return function[len] == '\0' || function[len] == '(';
}

void
ht_pattern_release(struct ht_pattern *p)
{
	if (p->text == NULL)
		regfree(&p->regex);
	free(p->text);
	memset(p, 0, sizeof *p);
}

int
ht_patterns_add(struct ht_patterns *l, const char *spec, struct ht_error *err)
{
	HT_GROW(l->pattern, l->cap, l->n + 1);
	if (ht_pattern_init(&l->pattern[l->n], spec, err) < 0)
		return -1;
	l->n++;
	return 0;
}

bool
ht_patterns_is(const struct ht_patterns *l, const char *function)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (ht_pattern_is(&l->pattern[i], function))
			return true;
	return false;
}

void
ht_patterns_release(struct ht_patterns *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		ht_pattern_release(&l->pattern[i]);
	free(l->pattern);
	memset(l, 0, sizeof *l);
}
