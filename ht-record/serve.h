/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hands the ring to an image that cannot open it through /proc (it changed
 * its user, or sees no /proc): by an abstract socket that passes the
 * descriptor, to the recorded process only.
 */
#ifndef HT_SERVE_H
#define HT_SERVE_H

#include <sys/types.h>

struct ht_server;

/* Starts a thread that answers for `ring_fd`; NULL when it cannot: then the
 * way through /proc is the only one. */
struct ht_server *ht_serve_start(int ring_fd);
/* The process that may ask. */
void ht_serve_allow(struct ht_server *s, pid_t pid);
/* Sends a ring's descriptor, and some bytes, by a connection. */
void ht_serve_send(int to, int ring_fd, const void *data, size_t size);
void ht_serve_stop(struct ht_server *s);

#endif
