#include "daemon/runner/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "daemon/log.h"
#include "daemon/runner/supervise.h"

#define MAX_RECEIVES                                                            \
    16 /* in a row, so that one who talks without end does not hold up the rest \
        */

/* ---- Who is connected ----------------------------------------------------------------------- */

static void peer_drop(struct runner *runner, const char *why)
{
    struct peer *peer = &runner->peer;
    struct job *job;

    if (!peer_connected(peer))
        return;
    if (why)
        log_msg(LOG_WARNING, "dropped the connection to awd: %s", why);
    reactor_set(&runner->reactor, &peer->source, 0);
    close(take_fd(peer->source.fd));
    while ((job = TAILQ_FIRST(&peer->tell))) {
        TAILQ_REMOVE(&peer->tell, job, tell_link);
        job->tell = 0;
    }
    TAILQ_FOREACH (job, &runner->jobs.live, link)
        job->watched = false;
    peer->out.len = 0;
    peer->pid = 0;
    peer->greeted = peer->welcome_due = peer->ready_due = false;
    runner->alone_since_us = boottime_us();
}

static bool uid_allowed(const struct runner_config *config, uid_t uid)
{
    for (size_t i = 0; i < config->n_allow_uids; i++)
        if (config->allow_uids[i] == uid)
            return true;
    return uid == 0 || uid == geteuid();
}

static void on_peer(struct source *source, uint32_t events);

static void peer_take(struct runner *runner, int fd, pid_t pid)
{
    struct peer *peer = &runner->peer;

    peer_drop(runner, "another one has connected");
    peer->source.fd = fd;
    peer->source.ready = on_peer;
    peer->pid = pid;
    if (!reactor_set(&runner->reactor, &peer->source, EPOLLIN))
        peer_drop(runner, "out of memory");
}

static void on_connect(struct source *source, uint32_t events)
{
    struct runner *runner = SOURCE_OWNER(source, struct peer, listener)->runner;
    _cleanup_close_ int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct ucred cred;
    socklen_t len = sizeof(cred);

    (void)events;
    if (fd < 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ||
        !uid_allowed(&runner->config, cred.uid)) {
        log_msg(LOG_WARNING, "refused a connection of user %d, process %d", (int)cred.uid,
                (int)cred.pid);
        return;
    }
    peer_take(runner, take_fd(fd), cred.pid);
}

/* ---- What it says --------------------------------------------------------------------------- */

/* A message as it came, with its descriptors. */
struct incoming {
    struct runner_msg msg;
    int fds[RUNNER_MAX_FDS];
    size_t n_fds;
    const char *why; /* it cannot be right */
};

static void on_hello(struct runner *runner, struct incoming *in)
{
    struct peer *peer = &runner->peer;
    struct job *job;

    if (in->msg.hello.version != RUNNER_WIRE_VERSION) {
        in->why = "it speaks another version";
        peer->welcome_due = true;
        peer_flush(runner);
        return;
    }
    if (peer->greeted) {
        in->why = "a second HELLO";
        return;
    }
    runner->released = false;
    peer->greeted = peer->welcome_due = peer->ready_due = true;
    TAILQ_FOREACH (job, &runner->jobs.live, link)
        peer_tell(runner, job, TELL_RUNNING);
    TAILQ_FOREACH (job, &runner->jobs.ended, link)
        peer_tell(runner, job, TELL_EXITED);
}

static void on_start(struct runner *runner, struct incoming *in)
{
    const struct runner_start *start = &in->msg.start;
    bool has_fd = start->stdin_kind == RUNNER_STDIN_FD;

    if (in->n_fds != has_fd)
        in->why = "START with a wrong number of descriptors";
    else if (!supervise_start(runner, start, has_fd ? in->fds[0] : -1))
        in->why = "out of memory";
}

static void on_start_fd(struct runner *runner, struct incoming *in)
{
    struct incoming inner = {.n_fds = in->msg.start_fd.has_stdin, .fds = {in->fds[1], -1}};
    struct bytes map, rest;
    struct aw_error err;

    if (in->n_fds != 1 + inner.n_fds) {
        in->why = "START_FD with a wrong number of descriptors";
        return;
    }
    if (runner_memfd_map(in->fds[0], RUNNER_MAX_START, &map, &err) != AW_OK) {
        in->why = "START_FD without a sealed memfd";
        return;
    }
    rest = map;
    if (runner_msg_get(&rest, &inner.msg, &err) != AW_OK || rest.len > 0 ||
        inner.msg.type != RUNNER_START || inner.msg.start.claim != in->msg.start_fd.claim)
        in->why = "START_FD without a good START";
    else
        on_start(runner, &inner);
    if (inner.why)
        in->why = inner.why;
    munmap((void *)map.data, map.len);
}

static void on_clean(struct runner *runner, struct incoming *in)
{
    struct job *job = job_by_claim(&runner->jobs, in->msg.clean.claim);

    /* One of ours needs no search: it ends as any other, and awd gets its record. */
    if (job)
        supervise_stop(runner, job, 0);
    else if (!clean_add(&runner->cleaner, &in->msg.clean))
        in->why = "out of memory";
}

static void on_ack(struct runner *runner, struct job *job)
{
    if (job->state != JOB_ENDED)
        return;
    if (job->tell)
        TAILQ_REMOVE(&runner->peer.tell, job, tell_link);
    job_free(&runner->jobs, job);
}

static void on_message(struct runner *runner, struct incoming *in)
{
    struct job *job;

    switch (in->msg.type) {
    case RUNNER_HELLO:
        on_hello(runner, in);
        break;
    case RUNNER_START:
        on_start(runner, in);
        break;
    case RUNNER_START_FD:
        on_start_fd(runner, in);
        break;
    case RUNNER_STOP:
        if ((job = job_by_claim(&runner->jobs, in->msg.stop.claim)))
            supervise_stop(runner, job, in->msg.stop.grace_ms);
        break;
    case RUNNER_ACK:
        if ((job = job_by_claim(&runner->jobs, in->msg.claim.claim)))
            on_ack(runner, job);
        break;
    case RUNNER_WATCH:
        if ((job = job_by_claim(&runner->jobs, in->msg.claim.claim)))
            supervise_watch(runner, job);
        break;
    case RUNNER_CLEAN:
        on_clean(runner, in);
        break;
    case RUNNER_RELEASE:
        runner->released = true;
        break;
    default:
        in->why = "a message that only a runner sends";
    }
}

static void on_packet(struct runner *runner, struct incoming *in, struct bytes rest)
{
    struct aw_error err;

    do {
        if (runner_msg_get(&rest, &in->msg, &err) != AW_OK) {
            peer_drop(runner, err.text);
            return;
        }
        if (in->n_fds > 0 && rest.len > 0)
            in->why = "descriptors with more than one message";
        else if (!runner->peer.greeted && in->msg.type != RUNNER_HELLO)
            in->why = "no HELLO";
        else
            on_message(runner, in);
    } while (!in->why && rest.len > 0);
    if (in->why)
        peer_drop(runner, in->why);
}

/*
 * One packet for each time that epoll says so: mostly there is no other, and one who talks without
 * end does not hold up the rest.
 */
static void on_peer(struct source *source, uint32_t events)
{
    struct runner *runner = SOURCE_OWNER(source, struct peer, source)->runner;
    static unsigned char buf[RUNNER_MAX_PACKET];
    struct incoming in = {.fds = {-1, -1}};
    struct aw_error err;
    size_t len;
    enum aw_err e;

    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    e = runner_recv(source->fd, buf, &len, in.fds, &in.n_fds, &err);
    if (e == AW_ERR_BUSY)
        return;
    if (e != AW_OK) {
        peer_drop(runner, e == AW_ERR_UNREACHABLE ? NULL : err.text);
        return;
    }
    on_packet(runner, &in, bytes_of(buf, len));
    for (size_t i = 0; i < in.n_fds; i++)
        close(in.fds[i]);
}

/* ---- What it is told ------------------------------------------------------------------------ */

void peer_tell(struct runner *runner, struct job *job, unsigned what)
{
    if (!runner->peer.greeted)
        return;
    if (!job->tell)
        TAILQ_INSERT_TAIL(&runner->peer.tell, job, tell_link);
    job->tell |= what;
    if (job->tell & TELL_EXITED)
        job->tell = TELL_EXITED; /* it says all that the others would */
}

static bool add_running(struct runner_packet *packet, const struct job *job,
                        enum runner_msg_type type)
{
    struct runner_msg msg;

    job_running_msg(job, type, &msg);
    return runner_packet_add(packet, &msg);
}

static bool add_exited(struct runner_packet *packet, const struct job *job)
{
    struct runner_msg msg;

    job_exited_msg(job, &msg);
    return runner_packet_add(packet, &msg);
}

static bool add_grown(struct runner_packet *packet, struct job *job)
{
    for (int i = 0; i < RUNNER_STREAMS; i++) {
        struct job_stream *out = &job->out[i];
        uint64_t size = out->stream.spooled ? out->stream.size : 0;
        struct runner_msg msg = {.type = RUNNER_GROWN, .grown = {job->claim, i, size}};

        if (out->told == size)
            continue;
        if (!runner_packet_add(packet, &msg))
            return false;
        out->told = size;
    }
    return true;
}

/* False: the packet is full, and the job stays on the list. */
static bool add_job(struct runner_packet *packet, struct job *job)
{
    if ((job->tell & TELL_RUNNING) && !add_running(packet, job, RUNNER_RUNNING))
        return false;
    job->tell &= ~(unsigned)(TELL_RUNNING | (job->tell & TELL_RUNNING ? TELL_STARTED : 0));
    if ((job->tell & TELL_STARTED) && !add_running(packet, job, RUNNER_STARTED))
        return false;
    job->tell &= ~(unsigned)TELL_STARTED;
    if ((job->tell & TELL_GROWN) && !add_grown(packet, job))
        return false;
    job->tell &= ~(unsigned)TELL_GROWN;
    if ((job->tell & TELL_EXITED) && !add_exited(packet, job))
        return false;
    job->tell = 0;
    return true;
}

static bool add_cleaned(struct runner_packet *packet, struct clean_list *done)
{
    struct clean_task *task;

    while ((task = TAILQ_FIRST(done))) {
        struct runner_msg msg = {.type = RUNNER_CLEANED, .cleaned = {task->claim, task->n_left}};

        if (!runner_packet_add(packet, &msg))
            return false;
        TAILQ_REMOVE(done, task, link);
        clean_task_free(task);
    }
    return true;
}

static bool add_welcome(struct runner_packet *packet, const struct peer *peer)
{
    const struct runner_msg msg = {
        .type = RUNNER_WELCOME,
        .welcome = {RUNNER_WIRE_VERSION, getpid(), peer->started_us, peer->instance}};

    return runner_packet_add(packet, &msg);
}

/* Fills the packet with as much as it holds. */
static void packet_fill(struct runner *runner)
{
    struct peer *peer = &runner->peer;
    const struct runner_msg ready = {.type = RUNNER_READY};
    struct job *job;

    if (peer->welcome_due && !add_welcome(&peer->out, peer))
        return;
    peer->welcome_due = false;
    while ((job = TAILQ_FIRST(&peer->tell))) {
        if (!add_job(&peer->out, job))
            return;
        TAILQ_REMOVE(&peer->tell, job, tell_link);
    }
    if (peer->ready_due && !runner_packet_add(&peer->out, &ready))
        return;
    peer->ready_due = false;
    if (peer->greeted && !add_cleaned(&peer->out, &runner->cleaner.done))
        return;
}

void peer_flush(struct runner *runner)
{
    struct peer *peer = &runner->peer;
    struct aw_error err;
    enum aw_err e = AW_OK;

    if (!peer_connected(peer))
        return;
    for (;;) {
        if (peer->out.len == 0)
            packet_fill(runner);
        if (peer->out.len == 0)
            break;
        e = runner_send(peer->source.fd, peer->out.data, peer->out.len, NULL, 0, &err);
        if (e != AW_OK)
            break;
        peer->out.len = 0;
    }
    if (e != AW_OK && e != AW_ERR_BUSY)
        peer_drop(runner, e == AW_ERR_UNREACHABLE ? NULL : err.text);
    else if (!reactor_set(&runner->reactor, &peer->source,
                          e == AW_ERR_BUSY ? EPOLLIN | EPOLLOUT : EPOLLIN))
        peer_drop(runner, "out of memory");
}

/* ---- Listening ------------------------------------------------------------------------------ */

enum aw_err peer_open(struct runner *runner, int listen_fd, struct aw_error *err)
{
    struct peer *peer = &runner->peer;

    peer->runner = runner;
    peer->source.fd = -1;
    peer->started_us = now_us();
    TAILQ_INIT(&peer->tell);
    peer->listener.fd = listen_fd;
    peer->listener.ready = on_connect;
    if (getrandom(&peer->instance, sizeof(peer->instance), 0) < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "random number: %s", strerror(errno));
    if (fcntl(listen_fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(listen_fd, F_SETFD, FD_CLOEXEC) < 0 ||
        !reactor_set(&runner->reactor, &peer->listener, EPOLLIN))
        return aw_fail(err, AW_ERR_SYSTEM, "socket to listen on: %s", strerror(errno));
    runner->alone_since_us = boottime_us();
    return AW_OK;
}

void peer_close(struct runner *runner)
{
    struct peer *peer = &runner->peer;

    peer_drop(runner, NULL);
    if (peer->listener.fd >= 0) {
        reactor_set(&runner->reactor, &peer->listener, 0);
        close(take_fd(peer->listener.fd));
    }
}
