/*
 * http.h - the worker for jobs of type http: one request each, all of them on the loop.
 *
 * libcurl's multi interface does the transfers on awd's own event base: thousands may be under
 * way, and none has a thread. Names are looked up on threads that libcurl starts and ends; at most
 * 64 such lookups begin at a time, and later transfers to a host find the answer remembered.
 *
 * What the host gets:
 *
 *   stdout   the body of the last answer, up to the output limit
 *   stderr   as text: the status line and headers of each answer (trailers too); an empty line;
 *            and lines "name: value" about the transfer: url, address, redirects, times
 *
 * Small ones travel in the outcome, larger ones are written to spool files on the helper thread,
 * and the transfer is paused while the disk is slower than the network. What came before a failure
 * is kept. Headers have a limit of their own (AW_MAX_HEADERSIZE).
 *
 * How an attempt ends: a status that was expected: no class. AW_CLASS_HTTP: another status, too
 * many redirects or one to something that is not http, no HTTP at all. AW_CLASS_TLS.
 * AW_CLASS_CONNECTION: name, connect, reset, and addresses that the configuration denies.
 * AW_CLASS_TIMEOUT: the job's timeout_ms. AW_CLASS_OUTPUT_LIMIT. AW_CLASS_INTERRUPTED: it was
 * under way when awd went down; adopt() ends it so, as nobody can find it again.
 *
 * Safe by default: only http and https, also in redirects; certificates are always verified; no
 * proxy, no .netrc, no cookies, whatever the environment says; and each address that is about to
 * be connected to is held against the deny list, after all names and redirects.
 *
 * Loop thread only.
 */
#ifndef AW_HTTP_H
#define AW_HTTP_H

#include "daemon/addresses.h"
#include "daemon/offload.h"
#include "daemon/spool.h"
#include "daemon/workers/worker.h"

/* What is pointed to outlives the worker; `offload` until the loop has run for the last time. */
struct http_config {
    const struct spool *spool;
    struct offload *offload;
    const struct address_set *deny; /* no connection is made to these */
    const char *ca_file;            /* certificate authorities; NULL: the system's */
};

/* `config` is copied. NULL: out of memory. Without libcurl all jobs end as AW_CLASS_SPAWN. */
struct worker *worker_http_new(struct event_base *base, const struct http_config *config,
                               const struct worker_host *host, void *arg);

#endif
