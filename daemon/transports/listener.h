/*
 * listener.h - a stream socket that is listened on, and accept(). Part of the stream transport.
 *
 * Goes on accepting whatever happens: without files or memory it tries again a little later. Loop
 * thread.
 */
#ifndef AW_LISTENER_H
#define AW_LISTENER_H

#include "proto/base.h"

struct addrinfo;
struct event_base;
struct listener;

/* A new connection: non-blocking, and the callee's. */
typedef void (*listener_fn)(void *arg, int fd);

/*
 * Listens on `path`; its file gets `mode` before anybody can connect. A socket file that nobody
 * listens on is replaced. AW_ERR_INVALID: the path is too long, or something else than a socket is
 * there; AW_ERR_NOT_PERMITTED: anybody may write to its directory; AW_ERR_SYSTEM: another process
 * listens there (and does not suffer), or a call failed.
 */
AW_MUSTCHECK enum aw_err listener_new(struct event_base *base, const char *path, unsigned mode,
                                      listener_fn on_accept, void *arg, struct listener **ret,
                                      struct aw_error *err);

/*
 * Listens on an address of tcp; `name` is what it is called in sentences. AW_ERR_SYSTEM, with the
 * cause in *ret_errno.
 */
AW_MUSTCHECK enum aw_err listener_new_tcp(struct event_base *base, const struct addrinfo *addr,
                                          const char *name, listener_fn on_accept, void *arg,
                                          struct listener **ret, int *ret_errno,
                                          struct aw_error *err);

/* Removes the file, if it is still the one that was made. */
void listener_free(struct listener *listener);

#endif
