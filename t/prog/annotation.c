/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LINK: -shared -fPIC */
/* A library that allocates nothing itself, and includes <ht.h>. */
#include "../../ht-record/preload/ht.h"

static char room[100];

void
in_library(void)
{
	ht_mark("library");
	ht_pool_alloc("arena", room, 40);
	ht_pool_free("arena", room);
}
