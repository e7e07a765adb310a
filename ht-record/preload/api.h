/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who annotates itself with <ht.h>. Each module that does has an ELF note that
 * leads to a pointer (ht.h), which is set when the module is seen: at the start
 * of recording, when it is loaded and says so (ht_api_join), and at the latest
 * when it allocates. A call that finds recording over takes it back.
 */
#ifndef HT_API_H
#define HT_API_H

#define HT_NO_API /* of our own there is nothing to be told */
#include "ht-record/preload/ht.h"
#include "ht-record/preload/objects.h"

/* hooks.c has them. */
extern const struct ht_api_functions ht_api_functions
    __attribute__((visibility("hidden")));

/* Sets the pointers of all modules that are loaded. Once, at start. */
void ht_api_init(void);
/* That of one, which stays loaded meanwhile. */
void ht_api_enable(const struct ht_object *o, ht_copy *copy);
/* Takes it back if recording is over. */
void ht_api_leave(struct ht_api *api);

#endif
