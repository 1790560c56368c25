/*
 * peer_name.h - what the certificate of a TLS client says of who it is. Part of tls.c.
 */
#ifndef AW_PEER_NAME_H
#define AW_PEER_NAME_H

#include <openssl/x509.h>

#include "proto/base.h"

#define PEER_NAME 512

struct peer_name {
    /* The attributes in the certificate's order: "C=DE, O=Example, CN=build". A comma, plus, equals
     * sign or backslash within a value has a backslash before it. "": it has none, one that is too
     * long, or one with characters that are not for the eye, or in another alphabet than UTF-8. */
    char subject[PEER_NAME];
    char cn[PEER_NAME]; /* "": none, more than one, or no subject */
};

/* What stands in a certificate; of two attributes in one part of it, one after the other. */
void peer_name_read(const X509_NAME *subject, struct peer_name *ret);

#endif
