/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The functions of a module's symbol tables: .symtab of the module or its
 * debug file, .dynsym, .gnu_debugdata. */
#ifndef HT_ELFSYMS_H
#define HT_ELFSYMS_H

#include <elfutils/libdwfl.h>

#include "ht-symbolize/spans.h"
#include "libht/base.h"

struct elfsyms;

/* `code`: the executable sections; a symbol of size 0 reaches to the next
 * symbol or the end of its section. Both live longer. Never NULL. */
struct elfsyms *elfsyms_open(Dwfl_Module *module, struct spans *code);
void elfsyms_free(struct elfsyms *e);

/* The name of the symbol that covers `addr` (exact: that begins there), as
 * the file has it, without a version; or NULL. */
const char *elfsyms_at(struct elfsyms *e, uint64_t addr, bool exact);

#endif
