/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * heaptrack_api.h in a program that was attached to. Its functions are weak
 * symbols: where nobody had them when a module was loaded the loader left 0 in
 * the module's table of imports, which is where they are put now. There they
 * stay: they lead into the image, which stays too. Attached only.
 */
#ifndef HT_IMPORTS_H
#define HT_IMPORTS_H

#include "ht-record/preload/objects.h"

/* In one module, while nobody runs. */
void ht_imports_set(const struct ht_object *o, ht_copy *copy);

#endif
