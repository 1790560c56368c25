/*
 * The crowd: any number of bad clients in one process, on one epoll loop. What each does is its
 * act, a line of a table.
 */
#include "tests/fault/hostile.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/sp.h"

#define FRAME    (SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN)
#define TICK_MS  10
#define MAX_DIAL 256 /* connections that are opened in one turn */
#define PIECE    (256u << 10)
#define KEEP     512 /* bytes of an answer that are looked at: an error fits */

struct peer {
    int fd;
    const struct act *act;
    const struct script *script;
    size_t off;          /* of the script: what is written */
    int64_t due_us;      /* paced: when the next byte is */
    bool writable, done; /* done: nothing is written any more */
    size_t n_rounds;     /* how often all of the script was */
    uint8_t hello[SP_HANDSHAKE_LEN];
    size_t n_hello; /* of the daemon's handshake: how much came */
    uint8_t head[FRAME];
    size_t n_head;
    uint8_t body[KEEP];
    size_t n_body, body_len;
    size_t n_answers;
};

static struct shared *shared;
static const struct crowd *crowd;
static struct peer *peers;
static struct script *scripts; /* one for each act of this crowd */
static unsigned n_peers;
static int epoll_fd;

/* ---- What is written ------------------------------------------------------------------------- */

static void write_nothing(struct script *s, const char *id)
{
    (void)s, (void)id;
}

static void write_half_a_handshake(struct script *s, const char *id)
{
    (void)id;
    script_raw(s, "\0SP\0", 4);
}

static void write_hello(struct script *s, const char *id)
{
    struct hello_req req;

    (void)id;
    codec_defaults(&hello_req_schema, &req);
    script_handshake(s);
    for (int i = 0; i < 8; i++)
        script_op(s, OP_HELLO, &req);
}

static void write_gigabyte(struct script *s, const char *id)
{
    uint8_t head[SP_IPC_HEADER_LEN] = {1, 0, 0, 0, 0, 0x40};

    (void)id;
    script_handshake(s);
    script_raw(s, head, sizeof(head));
    script_raw(s, head, sizeof(head));
}

/* The largest message that may be, all of it but the last byte. */
static void write_most_of_it(struct script *s, const char *id)
{
    static uint8_t zeroes[1u << 16];
    size_t left = AW_MAX_MESSAGE - 1;

    (void)id;
    script_handshake(s);
    script_announce(s, AW_MAX_MESSAGE);
    while (left) {
        size_t n = MIN(left, sizeof(zeroes));

        script_raw(s, zeroes, n);
        left -= n;
    }
}

/* Pages of a list, as large as they come. */
static void write_lists(struct script *s, const char *id)
{
    struct list_req list;
    struct stats_req stats;

    (void)id;
    script_handshake(s);
    codec_defaults(&list_req_schema, &list);
    codec_defaults(&stats_req_schema, &stats);
    list.limit = AW_MAX_PAGE;
    for (int i = 0; i < 64; i++)
        script_op(s, i % 2 ? OP_STATS : OP_LIST, i % 2 ? (void *)&stats : &list);
}

static void write_waits(struct script *s, const char *id)
{
    enum { N = 1000 };
    struct bytes ids[N];
    struct wait_req req;

    codec_defaults(&wait_req_schema, &req);
    for (size_t i = 0; i < N; i++)
        ids[i] = bytes_str(id);
    req.ids.v = ids;
    req.ids.n = N;
    script_handshake(s);
    for (int i = 0; i < 32; i++)
        script_op(s, OP_WAIT, &req);
}

static void write_wrong(struct script *s, const char *id)
{
    (void)id;
    script_handshake(s);
    script_wrong(s);
}

/* An endless submit: jobs that do not become due while the test runs. */
static void write_flood(struct script *s, const char *id)
{
    struct job jobs[FLOOD_JOBS];
    struct submit_req req;

    (void)id;
    codec_defaults(&submit_req_schema, &req);
    for (size_t i = 0; i < FLOOD_JOBS; i++) {
        codec_defaults(&job_schema, &jobs[i]);
        jobs[i].type = bytes_str("noop");
        jobs[i].name = bytes_str("flood");
        jobs[i].delay_ms = 86400000;
    }
    req.jobs.v = jobs;
    req.jobs.n = FLOOD_JOBS;
    script_handshake(s);
    script_op(s, OP_SUBMIT, &req);
}

const struct act acts[] = {
    {"connects and closes", write_nothing, 0, false, CLOSES, 0},
    {"connects, asks and closes", write_hello, 0, false, CLOSES, 0},
    {"half a handshake, held open", write_half_a_handshake, 0, true, HOLDS, 0},
    {"one byte a second", write_hello, 1000, true, REPEATS, 0},
    {"announces 1 GB", write_gigabyte, 0, true, HOLDS, 0},
    {"8 MB but for the last byte, held", write_most_of_it, 0, true, HOLDS, 0},
    {"asks for lists and never reads", write_lists, 0, false, REPEATS, 0},
    {"waits for 1,000 futures, again and again", write_waits, 0, false, REPEATS, 0},
    {"every field of every request wrong", write_wrong, 0, true, REPEATS, 64},
    {"submits without end", write_flood, 0, true, REPEATS, 64},
};
const size_t n_acts = ARRAY_SIZE(acts);

static bool is_wrong(const struct act *act)
{
    return act->write == write_wrong;
}

static bool is_flood(const struct act *act)
{
    return act->write == write_flood;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void wrong_answered(const struct peer *p, enum aw_err e)
{
    const char *name = p->script->names[p->n_answers % p->script->n_requests];

    atomic_fetch_add(e ? &shared->wrong : &shared->accepted, 1);
    if (!e && !shared->accepted_name[0])
        snprintf(shared->accepted_name, sizeof(shared->accepted_name), "%s", name ? name : "?");
}

/* Only what fits is looked at: errors do, and so do the answers of hello and of a flood. */
static enum aw_err error_of(const struct peer *p)
{
    struct codec_doc doc;
    struct reply reply;
    enum aw_err e = AW_OK;

    if (p->body_len > KEEP || codec_open(p->body, p->body_len, &doc, NULL))
        return AW_OK;
    if (!codec_read(&doc, &reply_schema, &reply, NULL))
        e = (enum aw_err)reply.err;
    codec_close(&doc);
    return e;
}

static void peer_answered(struct peer *p)
{
    enum aw_err e = is_wrong(p->act) || is_flood(p->act) ? error_of(p) : AW_OK;

    atomic_fetch_add(&shared->answers, 1);
    if (is_wrong(p->act))
        wrong_answered(p, e);
    if (is_flood(p->act) && !e)
        atomic_fetch_add(&shared->flooded, FLOOD_JOBS);
    if (is_flood(p->act) && e)
        atomic_fetch_add(&shared->flood_refused, 1);
    p->n_answers++;
    p->n_head = 0;
}

/* How much of `n` bytes goes to what `have` of `want` have come of. */
static size_t take(uint8_t *to, size_t *have, size_t want, size_t room, const uint8_t *p, size_t n)
{
    size_t some = MIN(n, want - *have);

    if (*have < room)
        memcpy(to + *have, p, MIN(some, room - *have));
    *have += some;
    return some;
}

static void head_done(struct peer *p)
{
    uint32_t id;
    struct aw_error err;

    if (sp_ipc_header_read(p->head, &id, &p->body_len, &err))
        die("the daemon sent no message");
    p->n_body = 0;
}

static void peer_take(struct peer *p, const uint8_t *data, size_t n)
{
    size_t used;

    for (; n; data += used, n -= used) {
        if (p->n_hello < sizeof(p->hello)) {
            used = take(p->hello, &p->n_hello, sizeof(p->hello), sizeof(p->hello), data, n);
            continue;
        }
        if (p->n_head < FRAME) {
            used = take(p->head, &p->n_head, FRAME, FRAME, data, n);
            if (p->n_head == FRAME)
                head_done(p);
        } else {
            used = take(p->body, &p->n_body, p->body_len, KEEP, data, n);
        }
        if (p->n_head == FRAME && p->n_body == p->body_len)
            peer_answered(p);
    }
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void peer_close(struct peer *p)
{
    close(take_fd(p->fd));
}

static void peer_hung_up(struct peer *p)
{
    atomic_fetch_add(&shared->hung_up, 1);
    peer_close(p);
}

/* False: the daemon does not accept any more for now. */
static bool peer_open(struct peer *p)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t act = (size_t)(p->act - crowd->first);
    struct epoll_event event = {.events = EPOLLOUT | EPOLLET, .data.ptr = p};

    *p = (struct peer){.act = p->act, .script = &scripts[act]};
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", crowd->path);
    p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->fd < 0)
        die("socket");
    if (connect(p->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        if (errno != EAGAIN)
            die("connect");
        peer_close(p);
        return false;
    }
    atomic_fetch_add(&shared->opened, 1);
    event.events |= p->act->reads ? EPOLLIN : 0;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, p->fd, &event);
    p->due_us = boottime_us() + (int64_t)(rand() % 1000) * 1000;
    p->writable = true;
    return true;
}

static void peer_read(struct peer *p)
{
    static uint8_t buf[1u << 16];
    ssize_t n;

    while (p->fd >= 0 && (n = recv(p->fd, buf, sizeof(buf), 0)) != 0) {
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            break;
        peer_take(p, buf, (size_t)n);
    }
    if (p->fd >= 0)
        peer_hung_up(p);
}

/* All of the script is written. */
static void script_ended(struct peer *p)
{
    p->n_rounds++;
    if (p->act->then == CLOSES)
        peer_close(p);
    else if (p->act->then == HOLDS)
        p->done = true;
    else
        p->off = SP_HANDSHAKE_LEN;
}

/* Who reads waits for the answers to one round before the next. */
static bool may_write(const struct peer *p)
{
    if (p->fd < 0 || !p->writable || p->done)
        return false;
    return !p->act->reads || p->act->pace_ms || p->off > SP_HANDSHAKE_LEN ||
           p->n_answers >= p->n_rounds * p->script->n_requests;
}

static void peer_write(struct peer *p, size_t most)
{
    size_t left = p->script->len - p->off;
    ssize_t n = left ? send(p->fd, p->script->data + p->off, MIN(left, most), MSG_NOSIGNAL) : 0;

    if (n < 0 && errno == EAGAIN) {
        p->writable = false;
    } else if (n < 0) {
        peer_hung_up(p);
    } else {
        atomic_fetch_add(&shared->bytes, (unsigned long)n);
        p->off += (size_t)n;
        if (p->off == p->script->len)
            script_ended(p);
    }
}

/* True: there is more to do at once. */
static bool peer_go_on(struct peer *p, int64_t now)
{
    if (!may_write(p))
        return false;
    if (!p->act->pace_ms) {
        peer_write(p, PIECE);
        return may_write(p) || p->act->then == CLOSES;
    }
    if (now >= p->due_us) {
        p->due_us = now + (int64_t)p->act->pace_ms * 1000;
        peer_write(p, 1);
    }
    return false;
}

/* ---- The loop -------------------------------------------------------------------------------- */

static void on_event(const struct epoll_event *event)
{
    struct peer *p = event->data.ptr;

    if (p->fd < 0)
        return;
    if (event->events & EPOLLOUT)
        p->writable = true;
    if (p->act->reads && event->events & EPOLLIN)
        peer_read(p);
    else if (event->events & (EPOLLHUP | EPOLLERR))
        peer_hung_up(p);
}

/* All that are closed are opened again, some in each turn. */
static bool peers_go_on(void)
{
    int64_t now = boottime_us();
    unsigned n_dials = 0;
    bool busy = false;

    for (unsigned i = 0; i < n_peers; i++) {
        struct peer *p = &peers[i];

        if (p->fd < 0 && n_dials < MAX_DIAL)
            n_dials += peer_open(p) ? 1 : MAX_DIAL;
        if (p->fd >= 0)
            busy |= peer_go_on(p, now);
    }
    return busy;
}

/* Connections are dealt out in turn, to each act as many as it may have. */
static void peers_make(void)
{
    unsigned *left = calloc(crowd->n, sizeof(*left)), want = crowd->n_conns;

    peers = calloc(want, sizeof(*peers));
    if (!left || !peers)
        die("memory");
    for (size_t k = 0; k < crowd->n; k++)
        left[k] = crowd->first[k].most ? crowd->first[k].most : want;
    while (n_peers < want) {
        unsigned before = n_peers;

        for (size_t k = 0; k < crowd->n && n_peers < want; k++)
            if (left[k]) {
                left[k]--;
                peers[n_peers++] = (struct peer){.fd = -1, .act = &crowd->first[k]};
            }
        if (n_peers == before)
            break;
    }
    free(left);
}

void crowd_run(const struct crowd *c, struct shared *s)
{
    static struct epoll_event events[1024];
    bool busy = true;

    crowd = c;
    shared = s;
    become(c->uid);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    scripts = calloc(c->n, sizeof(*scripts));
    if (epoll_fd < 0 || !scripts)
        die("epoll");
    for (size_t i = 0; i < c->n; i++)
        c->first[i].write(&scripts[i], s->id);
    peers_make();
    for (;;) {
        int n = epoll_wait(epoll_fd, events, ARRAY_SIZE(events), busy ? 0 : TICK_MS);

        for (int i = 0; i < n; i++)
            on_event(&events[i]);
        busy = peers_go_on();
    }
}
