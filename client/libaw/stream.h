/*
 * stream.h - a non-blocking byte stream to a daemon: what a transport is to the rest of libaw.
 *
 * ipc is a unix socket of our own (stream_ipc.c); tcp and tls+tcp are nng's streams, in a module
 * that is loaded when one is opened first (stream_nng.c). SP's framing lies above, in mux.c.
 *
 * A stream connects while it is being used: until it is connected reads and writes give nothing
 * yet. It is used by one thread at a time. No function blocks.
 */
#ifndef AW_CLIENT_STREAM_H
#define AW_CLIENT_STREAM_H

#include <sys/uio.h>

#include "proto/base.h"

#define STREAM_MAX_URL 512

struct stream_config {
    const char *address; /* ipc: a path; else a URL */
    const char *tls_ca_file;
    const char *tls_cert_key_file;
};

struct stream;

struct stream_ops {
    /*
     * Begins to connect. AW_ERR_UNREACHABLE: nobody is there (now); AW_ERR_NOT_PERMITTED,
     * AW_ERR_USAGE, AW_ERR_SYSTEM, AW_ERR_NO_MEMORY: trying again is of no use.
     */
    enum aw_err (*open)(const struct stream_config *config, struct stream **ret,
                        struct aw_error *err);

    /*
     * Read or write what is possible now. AW_OK with 0 bytes: nothing now, poll. Otherwise the
     * connection is over (or never came about), and the sentence says why.
     */
    enum aw_err (*read)(struct stream *s, void *buf, size_t size, size_t *ret_n,
                        struct aw_error *err);
    enum aw_err (*write)(struct stream *s, const struct iovec *iov, int n_iov, size_t *ret_n,
                         struct aw_error *err);

    /* What to poll, and for which events, when nothing can be read, or written either. */
    int (*fd)(const struct stream *s);
    short (*events)(const struct stream *s, bool want_write);

    /* Closes at once and frees; what is not sent yet is dropped. */
    void (*close)(struct stream *s);

    bool message_type; /* messages begin with the byte 01, as on ipc */
};

/* Embedded first in each transport's own struct. */
struct stream {
    const struct stream_ops *ops;
};

extern const struct stream_ops stream_ipc_ops;

/*
 * The ops for a URL with that scheme; loads the module if it must. AW_ERR_USAGE: there is no such
 * transport. AW_ERR_SYSTEM: the module cannot be loaded.
 */
AW_MUSTCHECK enum aw_err stream_ops_find(const char *address, const struct stream_ops **ret,
                                         struct aw_error *err);

/* What the module exports. The name holds a number that changes with this header. */
#define STREAM_MODULE_FILE   "libaw-nng.so"
#define STREAM_MODULE_SYMBOL "aw_stream_module_1"

#endif
