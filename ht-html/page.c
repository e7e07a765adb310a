/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "ht-html/page.h"
#include "ht-html/spool.h"

#define MARK "@HT_DATA@" /* where the data goes; there is one */

/* The build's dist/page.html, HT_TEMPLATE. */
__asm__(".section .rodata\n"
	".global page_template, page_template_end\n"
	"page_template:\n"
	".incbin \"" HT_TEMPLATE "\"\n"
	"page_template_end:\n"
	".previous\n");
extern const char page_template[], page_template_end[];

int
page_write(const struct data *d, struct ht_out *out, struct ht_error *err)
{
	size_t len = (size_t)(page_template_end - page_template);
	const char *mark = memmem(page_template, len, MARK, sizeof MARK - 1),
		   *rest;
	struct spool data;
	int rc;

	if (mark == NULL)
		return ht_error_set(
		    err, "the page's template has no place for data");
	rest = mark + sizeof MARK - 1;
	if ((rc = spool_begin(&data, HT_GZIP, 0, err)) == 0) {
		rc = data_write(d, data.out, err);
		rc |= spool_end(&data, err);
	}
	if (rc == 0) {
		ht_out_write(
		    out, page_template, (size_t)(mark - page_template));
		rc = spool_base64(&data, out, err);
		ht_out_write(out, rest, (size_t)(page_template_end - rest));
	}
	spool_release(&data);
	return rc;
}
