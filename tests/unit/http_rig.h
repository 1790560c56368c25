/*
 * http_rig.h - the http worker, a web server on the same loop, and a host that only takes notes.
 *
 * The server listens on 127.0.0.1 and does what the path says:
 *
 *   /echo          200: the request as text: method, headers, an empty line, body
 *   /status/N      N, with the body "body of N"
 *   /big/N         200, N bytes "x"
 *   /header/N      200, with a header of N bytes
 *   /loop          302 to itself
 *   /to?URL        302 to URL
 *   /hang          nothing, ever
 *   /half          200, the beginning of a body, and the connection is closed
 *   /gate          200 "open", once rig_open_gate() is called; until then it counts in rig->n_gate
 *   /drip          200, "first "; and "second" once rig_open_gate() is called
 *
 * Names are looked up by the rig, too: here.test is 127.0.0.1, metadata.test is 169.254.169.254,
 * mapped.test is ::ffff:169.254.169.254, and slow.test is 127.0.0.1 after rig_resolver_go().
 */
#ifndef AW_HTTP_RIG_H
#define AW_HTTP_RIG_H

#include "daemon/workers/http.h"
#include "tests/unit/unit.h"

#define RIG_MAX_JOBS 512

struct rig_job {
    unsigned n_ended, n_grown;
    bool inside; /* ended() came from inside of a call into the worker */
    uint64_t grown[N_STREAMS];
    struct outcome outcome; /* with no data: */
    char *data[N_STREAMS];
};

struct evhttp_request;

struct rig {
    struct event_base *base;
    struct offload *offload;
    struct spool spool;
    struct address_set *deny;
    struct worker *worker;
    struct evhttp *server;
    struct evhttp_request *gate[RIG_MAX_JOBS];
    size_t n_gate;
    uint16_t port;
    char dir[64];
    char url[256]; /* the last one made */
    bool in_call;
    uint64_t n_claims;
    struct rig_job jobs[RIG_MAX_JOBS]; /* by claim */
};

struct rig *rig_new(void);
/* The same with a deny list of its own. */
struct rig *rig_new_denying(char *const *deny, size_t n);
void rig_free(struct rig *rig);

/* The URL of a path on the server; valid until the next one is made. */
struct bytes rig_url(struct rig *rig, const char *path);
/* The same by a name, or another address. */
struct bytes rig_url_at(struct rig *rig, const char *host, const char *path);

/* A job that asks for this URL, or for this path of the server. */
struct job rig_job(struct bytes url);
struct job rig_get(struct rig *rig, const char *path);

/* Each returns the claim of a new attempt. */
uint64_t rig_start(struct rig *rig, const struct job *job);
uint64_t rig_start_limited(struct rig *rig, const struct job *job, uint64_t output_limit);
uint64_t rig_adopt(struct rig *rig, const struct job *job);
void rig_stop(struct rig *rig, uint64_t claim);
void rig_watch(struct rig *rig, uint64_t claim);

void rig_open_gate(struct rig *rig);
void rig_resolver_go(void);
/* Lookups of slow.test that are waiting. */
int rig_resolver_waiting(void);

/* Runs the loop until the attempt has ended, and returns how. */
const struct outcome *rig_ended(struct rig *rig, uint64_t claim);
/* The same in one: a job that has no more to it. */
const struct outcome *rig_run(struct rig *rig, const struct job *job);

/* Runs the job, which is to fail like that: `message` is a part of what is said. */
void rig_check_fails(struct rig *rig, const struct job *job, enum aw_class class,
                     const char *message);
void rig_check_succeeds(struct rig *rig, const struct job *job);

/* Runs the loop until fn() says so; the test fails if that takes half a minute. */
void rig_until(struct rig *rig, bool (*fn)(struct rig *rig, const void *arg), const void *arg);

/* All of a stream's output, from the outcome or the spool file; the caller frees it. */
char *rig_output(struct rig *rig, uint64_t claim, int stream, size_t *ret_len);
void rig_check_stdout(struct rig *rig, uint64_t claim, const char *want);
/* That the stream has this text in it somewhere. */
void rig_check_has(struct rig *rig, uint64_t claim, int stream, const char *want);

int rig_threads(void);

#endif
