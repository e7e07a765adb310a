/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads what `objdump -d -w` prints and says of which instructions ht thinks
 * otherwise than objdump: by their length, or by where they jump.
 */
/* LINK: -I. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../ht-record/x86.c"

int
main(void)
{
	static char line[4096];
	unsigned long all = 0, refused = 0, wrong = 0;

	while (fgets(line, sizeof line, stdin)) {
		char *p = line, *tab = strchr(line, '\t'), *text;
		uint8_t code[32] = {0};
		unsigned n = 0, byte;
		int used;
		uint64_t at = strtoull(line, NULL, 16), to;
		struct ht_x86 i;

		if (!tab || !(text = strchr(tab + 1, '\t')))
			continue;
		*text = '\0';
		for (p = tab + 1;
		     n < 16 && sscanf(p, "%2x%n", &byte, &used) == 1; p += used)
			code[n++] = (uint8_t)byte;
		*text = '\t';
		if (strstr(text, "(bad)") || strstr(text, ".byte"))
			continue;
		all++;
		if (ht_x86_decode(code, sizeof code, &i) == -1) {
			refused++;
			printf("refused: %s", line);
			continue;
		}
		if (i.len != n) {
			wrong++;
			printf("%u, not %u: %s", i.len, n, line);
		} else if (i.rel_size) {
			p = text + 1;
			while (!strncmp(p, "bnd ", 4) ||
			       !strncmp(p, "data16 ", 7) ||
			       !strncmp(p, "rex.W ", 6))
				p = strchr(p, ' ') + 1;
			p += strcspn(p, " ");
			to = strtoull(p, NULL, 16);
			if (target(code, &i, at) != to) {
				wrong++;
				printf("to %" PRIx64 ": %s",
				    target(code, &i, at), line);
			}
		} else if (i.rip && !strstr(text, "(%rip)")) {
			wrong++;
			printf("rip: %s", line);
		} else if (!i.rip && strstr(text, "(%rip)")) {
			wrong++;
			printf("no rip: %s", line);
		}
	}
	fprintf(stderr, "%lu instructions, %lu refused, %lu wrong\n", all,
	    refused, wrong);
	return wrong != 0;
}
