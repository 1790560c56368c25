/*
 * hostile.h - a crowd of bad clients, an honest one beside them, and what both do to the daemon.
 *
 * hostile.c starts a process with the crowd for each of its acts, and one process with the honest
 * client for the whole time; what these say is in memory that all of them share.
 */
#ifndef AW_HOSTILE_H
#define AW_HOSTILE_H

#include <stdatomic.h>

#include "proto/codec.h"
#include "proto/messages.h"

#define MAX_PHASES  32
#define MAX_SAMPLES 262144
#define FLOOD_JOBS  100 /* in one submit of the flood */

/* ---- What all processes see ------------------------------------------------------------------ */

/* One submit and the wait for its end, by the honest client. */
struct sample {
    uint32_t us;
    uint32_t phase;
};

struct shared {
    atomic_int phase;
    atomic_bool stop;
    char id[AW_MAX_ID]; /* of a job of the crowd's user that does not end */

    /* Written by the honest client. */
    struct sample samples[MAX_SAMPLES];
    atomic_uint n_samples;
    atomic_uint refused[MAX_PHASES]; /* told to come again later; it did */
    atomic_uint n_lost;              /* jobs that were not what they should be */
    char lost[256];                  /* the first of them */

    /* Written by the crowd; of all acts together. */
    atomic_ulong opened, hung_up; /* connections: made; and closed by the daemon */
    atomic_ulong bytes;           /* written */
    atomic_ulong answers;
    atomic_ulong wrong;    /* requests with something wrong in them that were refused ... */
    atomic_ulong accepted; /* ... and that were not: a fault */
    char accepted_name[128];
    atomic_ulong flooded;       /* jobs that were acknowledged */
    atomic_ulong flood_refused; /* submits that were not */
};

/* ---- Scripts: what a bad client writes ------------------------------------------------------- */

struct script {
    uint8_t *data;
    size_t len, cap;
    size_t n_requests;
    const char **names; /* of requests: what is wrong with each; NULL: none are kept */
};

void script_handshake(struct script *s);
/* One request with this body. `name` is kept, and must outlive the script; NULL: nothing is. */
void script_request(struct script *s, const void *body, size_t len, const char *name);
/* The header of a message, and nothing behind it. */
void script_announce(struct script *s, uint64_t len);
void script_raw(struct script *s, const void *data, size_t len);

/* A valid request, by the codec. */
void script_op(struct script *s, enum op op, const void *req);

/*
 * Requests of every operation with every field wrong: of every other type, out of its range or
 * length, missing, given twice; and bodies that are none. Made from the tables of messages.h. Each
 * must be refused with an error.
 */
void script_wrong(struct script *s);

/* ---- The processes --------------------------------------------------------------------------- */

struct act {
    const char *name;
    void (*write)(struct script *s, const char *id); /* `id`: a job that does not end */
    unsigned pace_ms;                                /* a byte each so often; 0: all at once */
    bool reads;
    enum { CLOSES, HOLDS, REPEATS } then; /* REPEATS: what is behind the handshake */
    unsigned most;                        /* connections of it at most; 0: any number */
};

extern const struct act acts[];
extern const size_t n_acts;

struct crowd {
    const char *path;
    const struct act *first; /* connections take turns among so many acts */
    size_t n;
    unsigned n_conns;
    uint32_t uid; /* to act as, if root; 0: as oneself */
};

/* Goes on until it is killed. */
void crowd_run(const struct crowd *crowd, struct shared *shared);

/* Submits and waits until shared->stop; then looks at all its jobs once more. */
void honest_run(const char *path, uint32_t uid, struct shared *shared);

/* Blocking: dials and shakes hands; -1 when it was hung up on. */
int plain_dial(const char *path);
/* Blocking: asks, and reads the answer into *rep. The error of it, or AW_ERR_UNREACHABLE. */
enum aw_err plain_ask(int fd, enum op op, const void *req, void *rep, struct codec_doc *doc,
                      uint8_t **ret_body, uint64_t *ret_retry_ms);

void become(uint32_t uid);
void die(const char *what) __attribute__((noreturn));

#endif
