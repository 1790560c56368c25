/*
 * address.h - where the daemon may be: what the caller said, or the usual places.
 *
 * Pure but for the environment, which is read once, by address_init().
 */
#ifndef AW_CLIENT_ADDRESS_H
#define AW_CLIENT_ADDRESS_H

#include "proto/base.h"

#define ADDRESS_MAX 2 /* places to look at */

/* Addresses to try in this order, in the form that stream_ops_find() takes. */
struct address {
    char *v[ADDRESS_MAX];
    size_t n;
};

/*
 * `url` NULL: from $AWD_SOCKET, or the user's socket and the system's. A relative path is made
 * absolute. AW_ERR_USAGE: "" or a relative ipc:// URL.
 */
AW_MUSTCHECK enum aw_err address_init(struct address *a, const char *url, struct aw_error *err);
void address_done(struct address *a);

#endif
