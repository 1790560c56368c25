/*
 * net_listener.h - an address of tcp or TLS that nng listens on: how large a message may be, whose
 * certificates are asked for, what is said when it does not work. For net.c.
 */
#ifndef AW_NET_LISTENER_H
#define AW_NET_LISTENER_H

#include <nng/nng.h>

#include "daemon/endpoint.h"

/*
 * Begins to listen; the socket owns the listener. `tls`: by the certificate and the authority of
 * `config`, and nobody without a certificate of that gets in. AW_ERR_INVALID, AW_ERR_NOT_PERMITTED:
 * the files are not what they should be; AW_ERR_SYSTEM, AW_ERR_NO_MEMORY. May start threads of
 * nng's.
 */
AW_MUSTCHECK enum aw_err net_listener_start(nng_socket socket, const struct endpoint_config *config,
                                            const char *url, bool tls, struct aw_error *err);

#endif
