/*
 * tls.h - TLS between a connection and its socket, by OpenSSL. Part of the stream transport.
 *
 * Both sides show certificates; a client's must be signed by the configured authority. TLS 1.2 and
 * 1.3; no renegotiation, no sessions to resume. Nothing here waits: what cannot be done now says
 * so. Loop thread.
 */
#ifndef AW_TLS_H
#define AW_TLS_H

#include <sys/types.h>

#include "daemon/transports/peer_name.h"

struct tls_context;
struct tls;

/*
 * `cert` names a PEM file with our certificate (and those between it and its authority) and its
 * key, `ca` one with the authorities whose word is taken for clients. AW_ERR_NOT_PERMITTED,
 * AW_ERR_INVALID: a file is not fit (key_file.h), AW_ERR_NO_MEMORY.
 */
AW_MUSTCHECK enum aw_err tls_context_new(const char *cert, const char *ca, struct tls_context **ret,
                                         struct aw_error *err);

/* After all of its connections. NULL does nothing. */
void tls_context_free(struct tls_context *context);

/* The server's side of a connected, non-blocking socket, which stays the caller's. NULL: out of
 * memory. */
struct tls *tls_new(struct tls_context *context, int fd);

/* Says goodbye, if that is possible now. NULL does nothing. */
void tls_free(struct tls *tls);

/* What it costs beside its socket, in bytes, about: the more, the more was said to shake hands. */
size_t tls_memory(const struct tls *tls);

enum tls_step { TLS_DONE, TLS_AWAITS_BYTES, TLS_AWAITS_ROOM, TLS_FAILED };

/* Goes on with the handshake. TLS_FAILED: *ret_why says why, a static text. */
AW_MUSTCHECK enum tls_step tls_handshake(struct tls *tls, const char **ret_why);

/* Once it is done: whose certificate the client has. Lives as long as `tls`. */
const struct peer_name *tls_peer(const struct tls *tls);

/*
 * As recv() and send() do: the number of bytes; 0: the end; -1 and errno, EAGAIN: not now. After
 * tls_recv() with EAGAIN, tls_awaits_room() says that it can go on once the socket can be written
 * to, not when there is something to read.
 */
ssize_t tls_recv(struct tls *tls, void *buf, size_t len);
ssize_t tls_send(struct tls *tls, const void *data, size_t len);
bool tls_awaits_room(const struct tls *tls);

/* Whether tls_recv() has something without the socket. */
bool tls_pending(const struct tls *tls);

#endif
