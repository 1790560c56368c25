/*
 * peer_name.h - what the certificate of a TLS client says of who it is. For net.c alone.
 *
 * nng 1.5.2 tells whether a peer's certificate was verified, and not whose it is. To find out
 * whether it was, its TLS engine asks mbedTLS by mbedtls_ssl_get_verify_result(), on the thread
 * that asks for NNG_OPT_TLS_VERIFIED. This program has that function itself: it does what mbedTLS's
 * does, and notes the peer's subject for that thread. (The linker exports it because libnng needs
 * it.) With an engine that does not come by there, nobody has a name, and so nobody is let in.
 *
 * Belongs into programs only, never into a library.
 */
#ifndef AW_PEER_NAME_H
#define AW_PEER_NAME_H

#include "proto/base.h"

#define PEER_NAME 512

struct peer_name {
    bool verified;
    /* The attributes in the certificate's order: "C=DE, O=Example, CN=build". A comma, plus, equals
     * sign or backslash within a value has a backslash before it. "": it has none, one that is too
     * long, or one with characters that are not for the eye. */
    char subject[PEER_NAME];
    char cn[PEER_NAME]; /* "": none, more than one, or no subject */
};

/* Forgets what this thread has noted; peer_name_noted() has what was noted since. */
void peer_name_forget(void);
const struct peer_name *peer_name_noted(void);

/* A slice of an object identifier's text and of a value, as they stand in a certificate. Appends
 * them to a name; false: not fit for one. For tests too. */
AW_MUSTCHECK bool peer_name_add(struct peer_name *name, const char *attribute, struct bytes value);

#endif
