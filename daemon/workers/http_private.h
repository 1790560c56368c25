/*
 * http_private.h - what the files of the http worker share: http.c (the life of a transfer),
 * http_multi.c (libcurl on libevent), http_request.c (what is asked, and what comes in) and
 * http_verdict.c (what it means).
 */
#ifndef AW_HTTP_PRIVATE_H
#define AW_HTTP_PRIVATE_H

#include <event2/event_struct.h>
#include <sys/queue.h>

#include "daemon/workers/http.h"
#include "daemon/workers/http_curl.h"
#include "daemon/workers/http_stream.h"

/* ---- http_multi.c ---------------------------------------------------------------------------- */

struct http_multi;

/* A transfer is over. It has left the multi; `easy` is the owner's again. */
typedef void (*http_multi_fn)(void *arg, CURL *easy, CURLcode result);

/*
 * A transfer waits for its socket, and there is no memory to wait with: it is to be ended, soon and
 * not from inside this call.
 */
typedef void (*http_stuck_fn)(void *arg, CURL *easy);

/* NULL: out of memory. */
struct http_multi *http_multi_new(struct event_base *base, http_multi_fn over, http_stuck_fn stuck,
                                  void *arg);
/* All transfers have been removed. */
void http_multi_free(struct http_multi *m);

/* Begins a transfer; nothing is called back from inside. */
AW_MUSTCHECK CURLcode http_multi_add(struct http_multi *m, CURL *easy);
/* Ends one early; over() is not called. Never from inside a callback of libcurl. */
void http_multi_remove(struct http_multi *m, CURL *easy);

/* ---- A transfer ------------------------------------------------------------------------------ */

enum transfer_state {
    TRANSFER_PENDING,  /* waits until fewer others are looking up names */
    TRANSFER_STARTING, /* libcurl has it, and may be looking up its name */
    TRANSFER_ACTIVE,   /* it connects, or has a connection */
    TRANSFER_ENDING,   /* libcurl has it no more; `outcome` is known; output goes to the disk */
};

struct http_worker;

struct transfer {
    LIST_ENTRY(transfer) by_claim;
    TAILQ_ENTRY(transfer) pending;
    TAILQ_ENTRY(transfer) todo; /* something to do that a call into the worker must not do */
    struct http_worker *worker;
    enum transfer_state state;
    uint64_t claim;
    CURL *easy;
    struct curl_slist *headers;
    struct event timer;
    struct http_stream streams[N_STREAMS];
    struct outcome outcome;
    struct bytes expect; /* behind the struct */
    uint64_t timeout_ms, output_limit;
    uint64_t n_body, n_headers; /* bytes that were taken */
    const struct address_set *deny;
    bool on_todo;
    bool numeric; /* the host is an address: nothing to look up */
    bool stop_wanted, watch_wanted, watched;
    bool stuck; /* nothing will wake it: it is to be ended */
    bool paused;
    bool in_head; /* its stderr does not end with an empty line */
    bool body_too_large, headers_too_large, out_of_memory;
    char denied[ADDRESS_TEXT]; /* an address that it wanted and must not have; "": none */
    char reason[64];           /* "Not Found", of the last status line */
    char error[CURL_ERROR_SIZE];
};

/* Where to connect to is known: it leaves the state TRANSFER_STARTING. */
void transfer_connects(struct transfer *t);

/* ---- http_request.c -------------------------------------------------------------------------- */

/* Makes t->easy and t->headers from the job. AW_ERR_NO_MEMORY; what was made is in t. */
AW_MUSTCHECK enum aw_err http_request_make(struct transfer *t, const struct http_config *config,
                                           const struct work *work, struct aw_error *err);

/* Lets it go on if its streams have room. */
void http_request_resume(struct transfer *t);

/* ---- http_verdict.c -------------------------------------------------------------------------- */

/* Adds the lines about the transfer to its stderr, and the status to its outcome. */
void http_summary(struct transfer *t);

/* After that: class, exit code and message of the outcome. */
void http_verdict(struct transfer *t, CURLcode result);

#endif
