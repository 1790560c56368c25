/* A client as it should be: submits a job, waits for its end, and does it again. */
#include "tests/fault/hostile.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "proto/sp.h"

#define JOBS_PER_CONNECTION 10
#define MAX_JOBS            100000
#define MAX_TRIES           3000 /* a minute at least */

/*
 * A process that is stopped and continued finds its calls of a socket with a time limit
 * interrupted, though it handles no signal: signal(7).
 */
static bool interrupted(ssize_t rc)
{
    return rc < 0 && errno == EINTR;
}

static bool write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

        if (interrupted(n))
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_all(int fd, void *data, size_t len)
{
    char *p = data;

    while (len) {
        ssize_t n = recv(fd, p, len, 0);

        if (interrupted(n))
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

int plain_dial(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 120};
    uint8_t hello[SP_HANDSHAKE_LEN], answer[SP_HANDSHAKE_LEN];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    do
        rc = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
    while (interrupted(rc));
    if (rc < 0)
        die("the honest client cannot connect");
    sp_handshake_write(hello, SP_REQ);
    if (write_all(fd, hello, sizeof(hello)) && read_all(fd, answer, sizeof(answer)))
        return fd;
    close(fd);
    return -1;
}

static bool send_request(int fd, enum op op, const void *req)
{
    struct script s = {0};
    bool sent;

    script_op(&s, op, req);
    sent = write_all(fd, s.data, s.len);
    free(s.data);
    return sent;
}

enum aw_err plain_ask(int fd, enum op op, const void *req, void *rep, struct codec_doc *doc,
                      uint8_t **ret_body, uint64_t *ret_retry_ms)
{
    uint8_t head[SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN];
    struct aw_error err = {.text = ""};
    struct reply reply;
    uint32_t id;
    size_t len;

    *ret_body = NULL;
    *doc = (struct codec_doc){0};
    if (!send_request(fd, op, req) || !read_all(fd, head, sizeof(head)))
        return AW_ERR_UNREACHABLE;
    if (sp_ipc_header_read(head, &id, &len, &err) || !(*ret_body = malloc(len + 1)))
        die("the daemon sent no message");
    if (!read_all(fd, *ret_body, len))
        return AW_ERR_UNREACHABLE;
    if (codec_open(*ret_body, len, doc, &err) || codec_read(doc, &reply_schema, &reply, &err))
        die("the daemon sent no answer");
    *ret_retry_ms = reply.retry_after_ms;
    if (!reply.err && codec_read(doc, op_info(op)->rep, rep, &err))
        die("the daemon sent no answer");
    return (enum aw_err)reply.err;
}

/* ---- One job after the other ----------------------------------------------------------------- */

struct honest {
    struct shared *shared;
    const char *path;
    int fd;
    unsigned n_on_this; /* jobs on this connection */
    char (*ids)[AW_MAX_ID];
    size_t n_ids;
};

static void sleep_ms(uint64_t ms)
{
    struct timespec ts = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    nanosleep(&ts, NULL);
}

static void lost(struct honest *h, const char *id, const char *what)
{
    if (atomic_fetch_add(&h->shared->n_lost, 1) == 0)
        snprintf(h->shared->lost, sizeof(h->shared->lost), "%s: %s", id, what);
}

static void hang_up(struct honest *h)
{
    if (h->fd >= 0)
        close(take_fd(h->fd));
    h->n_on_this = 0;
}

/* Told to come again, or hung up on, it does come again. False: in vain. */
static bool ask(struct honest *h, enum op op, const void *req, void *rep, struct codec_doc *doc,
                uint8_t **body)
{
    uint64_t retry_ms = 0;

    for (int tries = 0; tries < MAX_TRIES; tries++) {
        enum aw_err e = AW_ERR_UNREACHABLE;

        *doc = (struct codec_doc){0};
        *body = NULL;
        if (h->fd < 0)
            h->fd = plain_dial(h->path);
        if (h->fd >= 0)
            e = plain_ask(h->fd, op, req, rep, doc, body, &retry_ms);
        if (!e)
            return true;
        codec_close(doc);
        free(*body);
        atomic_fetch_add(&h->shared->refused[atomic_load(&h->shared->phase)], 1);
        if (e == AW_ERR_UNREACHABLE)
            hang_up(h);
        sleep_ms(retry_ms ? MIN(retry_ms, 100) : 20);
    }
    lost(h, op_info(op)->name, "refused again and again");
    return false;
}

static bool submit(struct honest *h, char id[AW_MAX_ID])
{
    struct job job;
    struct submit_req req;
    struct submit_rep rep;
    struct codec_doc doc;
    uint64_t key[2] = {(uint64_t)getpid(), h->n_ids};
    uint8_t *body;

    codec_defaults(&job_schema, &job);
    codec_defaults(&submit_req_schema, &req);
    job.type = bytes_str("noop");
    req.request = bytes_of(key, sizeof(key)); /* asked twice, it is done once */
    req.jobs.v = &job;
    req.jobs.n = 1;
    if (!ask(h, OP_SUBMIT, &req, &rep, &doc, &body))
        return false;
    snprintf(id, AW_MAX_ID, "%.*s", (int)rep.ids.v[0].len, (const char *)rep.ids.v[0].data);
    codec_close(&doc);
    free(body);
    return true;
}

static bool await(struct honest *h, const char *id)
{
    struct bytes ids[] = {bytes_str(id)};
    struct wait_req req;
    struct wait_rep rep;
    struct codec_doc doc;
    uint8_t *body;
    bool done;

    codec_defaults(&wait_req_schema, &req);
    req.ids.v = ids;
    req.ids.n = 1;
    do {
        if (!ask(h, OP_WAIT, &req, &rep, &doc, &body))
            return false;
        done = rep.done;
        if (done && (rep.jobs.n != 1 || rep.jobs.v[0].state != AW_SUCCEEDED))
            lost(h, id, "waited for, and not succeeded");
        codec_close(&doc);
        free(body);
    } while (!done);
    return true;
}

static void one_job(struct honest *h)
{
    int64_t begin = boottime_us();
    uint32_t phase = (uint32_t)atomic_load(&h->shared->phase);
    unsigned n;

    if (!submit(h, h->ids[h->n_ids]) || !await(h, h->ids[h->n_ids]))
        return;
    h->n_ids++;
    n = atomic_load(&h->shared->n_samples);
    if (n < MAX_SAMPLES) {
        h->shared->samples[n] = (struct sample){(uint32_t)(boottime_us() - begin), phase};
        atomic_store(&h->shared->n_samples, n + 1);
    }
    if (++h->n_on_this == JOBS_PER_CONNECTION)
        hang_up(h);
}

/* Each of its jobs is there, and is what it was. */
static void look_again(struct honest *h)
{
    struct status_req req;
    struct status_rep rep;
    struct codec_doc doc;
    struct bytes id;
    uint8_t *body;

    codec_defaults(&status_req_schema, &req);
    req.ids.v = &id;
    req.ids.n = 1;
    for (size_t i = 0; i < h->n_ids; i++) {
        id = bytes_str(h->ids[i]);
        if (!ask(h, OP_STATUS, &req, &rep, &doc, &body)) {
            lost(h, h->ids[i], "its status was refused");
            return;
        }
        if (rep.jobs.n != 1 || rep.jobs.v[0].err || rep.jobs.v[0].state != AW_SUCCEEDED)
            lost(h, h->ids[i], "is not what it was");
        codec_close(&doc);
        free(body);
    }
}

void honest_run(const char *path, uint32_t uid, struct shared *shared)
{
    struct honest h = {.shared = shared, .path = path, .fd = -1};

    become(uid);
    h.ids = calloc(MAX_JOBS, sizeof(*h.ids));
    if (!h.ids)
        die("memory");
    while (!atomic_load(&shared->stop) && h.n_ids < MAX_JOBS) {
        one_job(&h);
        sleep_ms(1);
    }
    look_again(&h);
    hang_up(&h);
    free(h.ids);
}
