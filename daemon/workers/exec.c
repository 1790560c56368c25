#include "daemon/workers/exec.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/queue.h>

#include "daemon/log.h"
#include "daemon/workers/runner_link.h"

#define BUCKETS           1024
#define STRANGER_GRACE_MS 5000

/*
 * Where an attempt stands:
 *
 *   start --> WAITING --> SENT --> RUNNING --+--> ENDED --> RECORDED --> freed
 *                ^          |         ^      |
 *                |          |         |      |      ENDED: the host was told
 *   adopt --> ADOPTED ------+---------+      |      RECORDED: the host has it in its store, and the
 *                |          |         |      |                runner is to be told so
 *                +----------+---------+--> CLEANING (its runner is dead)
 *
 *   REFUSED: the host is to be told at once, without the runner.
 *   STRANGER: the runner has it, and we do not want it.
 */
enum attempt_state {
    ATTEMPT_WAITING,
    ATTEMPT_SENT,
    ATTEMPT_RUNNING,
    ATTEMPT_ADOPTED,
    ATTEMPT_CLEANING,
    ATTEMPT_REFUSED,
    ATTEMPT_ENDED,
    ATTEMPT_RECORDED,
    ATTEMPT_STRANGER,
};

/* What the runner is to be told of it. */
enum {
    SEND_START = 1 << 0,
    SEND_STOP = 1 << 1,
    SEND_WATCH = 1 << 2,
    SEND_CLEAN = 1 << 3,
    SEND_ACK = 1 << 4,
};

struct attempt {
    LIST_ENTRY(attempt) by_claim;
    TAILQ_ENTRY(attempt) outbox; /* while `send` is not 0, or REFUSED */
    uint64_t claim;
    char id[AW_MAX_ID];
    enum attempt_state state;
    unsigned send;
    uint64_t instance; /* of the runner that it was sent to, or that said it has it; 0: none */
    bool confirmed;    /* by the runner, since it was last connected */
    bool stop_wanted, watch_wanted;
    uint64_t grace_ms; /* the job's own, until stop() says another */
    int64_t claimed_us;
    int64_t started_us;
    pid_t pid;
    void *start; /* the encoded START until it has surely arrived */
    size_t start_len;
    int start_fd;  /* the same, if it is too long for a packet; else -1 */
    int stdin_fd;  /* -1: none */
    char *refusal; /* REFUSED: why it cannot be started; NULL: it was stopped */
};

TAILQ_HEAD(attempt_list, attempt);

struct exec_worker {
    struct worker worker;
    struct runner_link *link;
    struct runner_welcome runner; /* the one that is connected */
    bool ready;                   /* it has told all that it holds */
    struct attempt_list outbox;
    struct attempt_list refused;
    struct event refusals;
    LIST_HEAD(, attempt) attempts[BUCKETS];
};

static struct exec_worker *exec_worker(struct worker *w)
{
    return (struct exec_worker *)w; /* `worker` is its first member */
}

/* ---- Attempts ----------------------------------------------------------------------------------
 */

static struct attempt *attempt_find(struct exec_worker *x, uint64_t claim)
{
    struct attempt *a;

    LIST_FOREACH (a, &x->attempts[claim % BUCKETS], by_claim)
        if (a->claim == claim)
            return a;
    return NULL;
}

static struct attempt *attempt_new(struct exec_worker *x, uint64_t claim, enum attempt_state state)
{
    struct attempt *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->claim = claim;
    a->state = state;
    a->start_fd = a->stdin_fd = -1;
    a->grace_ms = STRANGER_GRACE_MS;
    LIST_INSERT_HEAD(&x->attempts[claim % BUCKETS], a, by_claim);
    return a;
}

/* The START has arrived, or will never be sent. */
static void start_forget(struct attempt *a)
{
    free(take_ptr(a->start));
    cleanup_close(&a->start_fd);
    cleanup_close(&a->stdin_fd);
    a->start_fd = a->stdin_fd = -1;
}

static void send_want(struct exec_worker *x, struct attempt *a, unsigned what)
{
    if (!x->ready || a->state == ATTEMPT_REFUSED)
        return; /* it is found out anew when the runner is ready */
    if (!a->send)
        TAILQ_INSERT_TAIL(&x->outbox, a, outbox);
    a->send |= what;
    runner_link_kick(x->link);
}

static void send_nothing(struct exec_worker *x, struct attempt *a)
{
    if (a->send)
        TAILQ_REMOVE(&x->outbox, a, outbox);
    a->send = 0;
}

static void attempt_free(struct exec_worker *x, struct attempt *a)
{
    send_nothing(x, a);
    if (a->state == ATTEMPT_REFUSED)
        TAILQ_REMOVE(&x->refused, a, outbox);
    LIST_REMOVE(a, by_claim);
    start_forget(a);
    free(a->refusal);
    free(a);
}

/* The host is told once. What comes after that is recorded(), perhaps from inside ended(). */
static void attempt_ended(struct exec_worker *x, struct attempt *a, const struct outcome *outcome)
{
    send_nothing(x, a);
    start_forget(a);
    a->state = ATTEMPT_ENDED;
    x->worker.host->ended(x->worker.arg, a->claim, outcome);
}

/* It ends without the runner: it was stopped before it began, or cannot be started. */
static void attempt_refuse(struct exec_worker *x, struct attempt *a, const char *why)
{
    send_nothing(x, a);
    start_forget(a);
    a->state = ATTEMPT_REFUSED;
    a->refusal = why ? strdup(why) : NULL;
    TAILQ_INSERT_TAIL(&x->refused, a, outbox);
    event_active(&x->refusals, EV_WRITE, 0);
}

static void on_refusals(evutil_socket_t fd, short what, void *arg)
{
    struct exec_worker *x = arg;
    struct attempt *a;

    (void)fd;
    (void)what;
    while ((a = TAILQ_FIRST(&x->refused))) {
        struct outcome outcome = {.exit_code = NO_EXIT_CODE, .ended_us = now_us()};

        TAILQ_REMOVE(&x->refused, a, outbox);
        outcome.stopped = a->stop_wanted;
        if (!a->stop_wanted) {
            outcome.class = AW_CLASS_SPAWN;
            snprintf(outcome.message, sizeof(outcome.message), "%s",
                     a->refusal ? a->refusal : "out of memory");
        }
        attempt_ended(x, a, &outcome);
    }
}

/* ---- From the runner ---------------------------------------------------------------------------
 */

static void attempt_clean(struct exec_worker *x, struct attempt *a)
{
    if (a->state != ATTEMPT_CLEANING)
        log_job(LOG_WARNING, a->id, "interrupted: the runner or the machine went down");
    a->state = ATTEMPT_CLEANING;
    start_forget(a);
    send_want(x, a, SEND_CLEAN);
}

/* Not in the runner, but not lost either: the START that it never got can still be given to it. */
static void attempt_begin(struct exec_worker *x, struct attempt *a)
{
    if (a->stop_wanted) {
        attempt_refuse(x, a, NULL);
        return;
    }
    a->state = ATTEMPT_WAITING;
    send_want(x, a, SEND_START);
}

/* The runner has told all that it holds, and this attempt was not among it. */
static void attempt_missed(struct exec_worker *x, struct attempt *a)
{
    bool same = a->instance == x->runner.instance;
    bool never_began = a->claimed_us && x->runner.started_us < a->claimed_us;

    switch (a->state) {
    case ATTEMPT_WAITING:
        attempt_begin(x, a);
        break;
    case ATTEMPT_SENT:
        same ? attempt_begin(x, a) : attempt_clean(x, a);
        break;
    case ATTEMPT_ADOPTED:
        never_began && (a->start || a->start_fd >= 0) ? attempt_begin(x, a) : attempt_clean(x, a);
        break;
    case ATTEMPT_RUNNING:
    case ATTEMPT_CLEANING:
        attempt_clean(x, a);
        break;
    case ATTEMPT_RECORDED:
    case ATTEMPT_STRANGER:
        attempt_free(x, a); /* the record went down with its runner */
        break;
    case ATTEMPT_REFUSED:
    case ATTEMPT_ENDED:
        break;
    }
}

/* The runner holds it: what it should be told of it is to be told (again). */
static void attempt_resume(struct exec_worker *x, struct attempt *a)
{
    if (a->state == ATTEMPT_RECORDED || (a->state == ATTEMPT_STRANGER && !a->stop_wanted))
        send_want(x, a, SEND_ACK);
    else if (a->stop_wanted && a->state != ATTEMPT_ENDED)
        send_want(x, a, SEND_STOP);
    if (a->watch_wanted && a->state == ATTEMPT_RUNNING)
        send_want(x, a, SEND_WATCH);
}

static void on_ready(struct exec_worker *x)
{
    struct attempt *a, *next;

    x->ready = true;
    for (size_t i = 0; i < BUCKETS; i++)
        for (a = LIST_FIRST(&x->attempts[i]); a; a = next) {
            next = LIST_NEXT(a, by_claim);
            a->confirmed ? attempt_resume(x, a) : attempt_missed(x, a);
        }
}

static void confirm(struct exec_worker *x, struct attempt *a)
{
    a->confirmed = true;
    a->instance = x->runner.instance;
}

static void on_running(struct exec_worker *x, const struct runner_running *m)
{
    struct attempt *a = attempt_find(x, m->claim);

    if (!a) {
        log_msg(LOG_WARNING, "the runner has an attempt that nobody knows: claim %" PRIu64,
                m->claim);
        a = attempt_new(x, m->claim, ATTEMPT_STRANGER);
        if (!a)
            return;
        a->stop_wanted = true;
        confirm(x, a);
        send_want(x, a, SEND_STOP);
        return;
    }
    confirm(x, a);
    if (a->state != ATTEMPT_SENT && a->state != ATTEMPT_WAITING && a->state != ATTEMPT_ADOPTED)
        return;
    a->state = ATTEMPT_RUNNING;
    a->pid = m->pid;
    a->started_us = m->started_us;
    start_forget(a);
    if (a->watch_wanted)
        send_want(x, a, SEND_WATCH);
    x->worker.host->started(x->worker.arg, m->claim, m->pid, m->started_us);
}

static void outcome_fill(const struct runner_exited *m, struct outcome *ret)
{
    *ret = (struct outcome){
        .class = m->class,
        .stopped = m->stopped,
        .exit_code = m->exit_code,
        .signal = m->signal,
        .started_us = m->started_us,
        .ended_us = m->ended_us,
        .cpu_user_us = m->cpu_user_us,
        .cpu_sys_us = m->cpu_sys_us,
        .max_rss_kib = m->max_rss_kib,
    };
    for (int i = 0; i < N_STREAMS; i++)
        ret->output[i] =
            (struct output){m->output[i].size, m->output[i].data, m->output[i].spooled};
    memcpy(ret->message, m->message.data, m->message.len);
}

static void on_exited(struct exec_worker *x, const struct runner_exited *m)
{
    struct attempt *a = attempt_find(x, m->claim);
    struct outcome outcome;

    if (!a)
        a = attempt_new(x, m->claim, ATTEMPT_STRANGER);
    if (!a)
        return; /* it is told again with the next connection */
    confirm(x, a);
    switch (a->state) {
    case ATTEMPT_STRANGER:
        a->stop_wanted = false;
        send_want(x, a, SEND_ACK);
        break;
    case ATTEMPT_RECORDED:
        send_want(x, a, SEND_ACK);
        break;
    case ATTEMPT_REFUSED:
    case ATTEMPT_ENDED:
        break;
    default:
        outcome_fill(m, &outcome);
        attempt_ended(x, a, &outcome);
    }
}

static void on_grown(struct exec_worker *x, const struct runner_grown *m)
{
    struct attempt *a = attempt_find(x, m->claim);

    if (a && a->state == ATTEMPT_RUNNING)
        x->worker.host->grown(x->worker.arg, m->claim, m->stream, m->size);
}

static void on_cleaned(struct exec_worker *x, const struct runner_cleaned *m)
{
    struct attempt *a = attempt_find(x, m->claim);
    struct outcome outcome = {
        .class = AW_CLASS_INTERRUPTED, .exit_code = NO_EXIT_CODE, .ended_us = now_us()};

    if (!a || a->state != ATTEMPT_CLEANING)
        return;
    outcome.stopped = a->stop_wanted;
    outcome.started_us = a->started_us ? a->started_us : a->claimed_us;
    snprintf(outcome.message, sizeof(outcome.message),
             "the runner or the machine went down while it ran");
    if (m->n_left) {
        size_t len = strlen(outcome.message);

        snprintf(outcome.message + len, sizeof(outcome.message) - len,
                 "; %" PRIu32 " of its processes could not be ended", m->n_left);
    }
    attempt_ended(x, a, &outcome);
}

static void on_message(void *arg, const struct runner_msg *msg)
{
    struct exec_worker *x = arg;

    switch (msg->type) {
    case RUNNER_RUNNING:
    case RUNNER_STARTED:
        on_running(x, &msg->running);
        break;
    case RUNNER_EXITED:
        on_exited(x, &msg->exited);
        break;
    case RUNNER_READY:
        on_ready(x);
        break;
    case RUNNER_GROWN:
        on_grown(x, &msg->grown);
        break;
    case RUNNER_CLEANED:
        on_cleaned(x, &msg->cleaned);
        break;
    default: /* the link lets nothing else through but a second WELCOME, which says nothing new */
        break;
    }
}

static void on_up(void *arg, const struct runner_welcome *welcome)
{
    struct exec_worker *x = arg;

    x->runner = *welcome;
    log_msg(LOG_INFO, "connected to aw-runner, process %d", (int)welcome->pid);
}

static void on_down(void *arg)
{
    struct exec_worker *x = arg;
    struct attempt *a;

    x->ready = false;
    for (size_t i = 0; i < BUCKETS; i++)
        LIST_FOREACH (a, &x->attempts[i], by_claim) {
            send_nothing(x, a);
            a->confirmed = false;
        }
}

/* ---- To the runner -----------------------------------------------------------------------------
 */

/* START needs a packet of its own when descriptors go with it. */
static bool fill_start(struct exec_worker *x, struct attempt *a, struct runner_link_out *out)
{
    struct runner_msg by_fd = {.type = RUNNER_START_FD, .start_fd = {a->claim, a->stdin_fd >= 0}};
    bool alone = a->start_fd >= 0 || a->stdin_fd >= 0;

    if (alone && out->packet.len > 0)
        return false;
    if (a->start_fd >= 0) {
        out->fds[out->n_fds++] = a->start_fd;
        if (!runner_packet_add(&out->packet, &by_fd))
            return false;
    } else if (!runner_packet_add_raw(&out->packet, a->start, a->start_len)) {
        return false;
    }
    if (a->stdin_fd >= 0)
        out->fds[out->n_fds++] = a->stdin_fd;
    a->state = ATTEMPT_SENT;
    a->instance = x->runner.instance;
    return true;
}

static bool fill_clean(const struct attempt *a, struct runner_packet *packet)
{
    const struct runner_msg msg = {
        .type = RUNNER_CLEAN,
        .clean = {a->claim, a->started_us, a->pid, bytes_str(a->id)},
    };

    return runner_packet_add(packet, &msg);
}

static bool fill_claim(const struct attempt *a, enum runner_msg_type type,
                       struct runner_packet *packet)
{
    const struct runner_msg msg = {.type = type, .claim = {a->claim}};

    return runner_packet_add(packet, &msg);
}

static bool fill_stop(const struct attempt *a, struct runner_packet *packet)
{
    const struct runner_msg msg = {.type = RUNNER_STOP, .stop = {a->claim, a->grace_ms}};

    return runner_packet_add(packet, &msg);
}

/* All that is to be said of one attempt. False: not all of it fits. */
static bool fill_attempt(struct exec_worker *x, struct attempt *a, struct runner_link_out *out)
{
    struct runner_packet *packet = &out->packet;

    if ((a->send & SEND_START) && a->state == ATTEMPT_WAITING && !fill_start(x, a, out))
        return false;
    if (a->send != SEND_START && out->n_fds > 0)
        return false; /* a packet with descriptors holds one message */
    if ((a->send & SEND_CLEAN) && !fill_clean(a, packet))
        return false;
    if ((a->send & SEND_STOP) && !fill_stop(a, packet))
        return false;
    if ((a->send & SEND_WATCH) && !fill_claim(a, RUNNER_WATCH, packet))
        return false;
    if ((a->send & SEND_ACK) && !fill_claim(a, RUNNER_ACK, packet))
        return false;
    return true;
}

static void on_fill(void *arg, struct runner_link_out *out)
{
    struct exec_worker *x = arg;
    struct attempt *a;

    while (out->n_fds == 0 && (a = TAILQ_FIRST(&x->outbox))) {
        bool acked = a->send & SEND_ACK;

        if (!fill_attempt(x, a, out))
            return;
        send_nothing(x, a);
        if (acked)
            attempt_free(x, a);
    }
}

/* ---- From the host -----------------------------------------------------------------------------
 */

static void start_fields(const struct work *work, struct runner_start *ret)
{
    const struct job *job = work->job;

    *ret = (struct runner_start){
        .claim = work->claim,
        .number = work->number,
        .attempt = work->attempt,
        .output_limit = work->output_limit,
        .timeout_ms = job->timeout_ms,
        .grace_ms = job->grace_ms,
        .umask = (int)job->umask,
        .nice = (int)job->nice,
        .merge_stderr = job->merge_stderr,
        .id = bytes_str(work->id),
        .cwd = job->cwd,
        .stdin_file = job->stdin_file,
    };
    if (job->stdin_file.len > 0)
        ret->stdin_kind = RUNNER_STDIN_FILE;
    else if (job->stdin.len > 0)
        ret->stdin_kind = RUNNER_STDIN_FD;
}

/* Encodes all that is needed to start it, at any time from now on. */
static enum aw_err start_encode(struct attempt *a, const struct work *work, struct aw_error *err)
{
    struct runner_start start;
    enum aw_err e;

    start_fields(work, &start);
    e = runner_start_new(&start, work->job->argv, work->job->env, &a->start, &a->start_len, err);
    if (e == AW_OK && start.stdin_kind == RUNNER_STDIN_FD)
        e = runner_memfd_new("stdin", work->job->stdin, &a->stdin_fd, err);
    if (e == AW_OK && a->start_len > RUNNER_MAX_INLINE_START) {
        e = runner_memfd_new("start", bytes_of(a->start, a->start_len), &a->start_fd, err);
        free(take_ptr(a->start));
    }
    return e;
}

static struct attempt *attempt_take(struct exec_worker *x, const struct work *work,
                                    enum attempt_state state, struct aw_error *err)
{
    struct attempt *a = attempt_new(x, work->claim, state);

    if (!a) {
        /* Nobody could be told how it ended, and it would hold its slot for ever. */
        log_job(LOG_CRIT, work->id, "out of memory");
        abort();
    }
    snprintf(a->id, sizeof(a->id), "%s", work->id);
    a->grace_ms = work->job->grace_ms;
    if (start_encode(a, work, err) != AW_OK)
        start_forget(a);
    return a;
}

static void exec_start(struct worker *w, const struct work *work)
{
    struct exec_worker *x = exec_worker(w);
    struct aw_error err;
    struct attempt *a = attempt_take(x, work, ATTEMPT_WAITING, &err);

    if (a->start || a->start_fd >= 0)
        send_want(x, a, SEND_START);
    else
        attempt_refuse(x, a, err.text);
}

static void exec_adopt(struct worker *w, const struct work *work)
{
    struct exec_worker *x = exec_worker(w);
    struct aw_error err;
    struct attempt *a = attempt_take(x, work, ATTEMPT_ADOPTED, &err);

    a->claimed_us = work->started_us;
    if (x->ready)
        attempt_missed(x, a);
}

static void exec_stop(struct worker *w, uint64_t claim, int64_t grace_ms)
{
    struct exec_worker *x = exec_worker(w);
    struct attempt *a = attempt_find(x, claim);

    if (!a || a->state >= ATTEMPT_REFUSED)
        return;
    a->stop_wanted = true;
    if (grace_ms >= 0)
        a->grace_ms = (uint64_t)MIN(grace_ms, AW_MAX_DURATION_MS);
    if (a->state == ATTEMPT_WAITING)
        attempt_refuse(x, a, NULL);
    else if (a->state == ATTEMPT_SENT || a->state == ATTEMPT_RUNNING)
        send_want(x, a, SEND_STOP);
}

static void exec_recorded(struct worker *w, uint64_t claim)
{
    struct exec_worker *x = exec_worker(w);
    struct attempt *a = attempt_find(x, claim);

    if (!a || a->state != ATTEMPT_ENDED)
        return;
    a->state = ATTEMPT_RECORDED;
    if (a->confirmed)
        send_want(x, a, SEND_ACK);
    else if (x->ready || !a->instance)
        attempt_free(x, a); /* the runner has no record of it */
}

static void exec_watch(struct worker *w, uint64_t claim)
{
    struct exec_worker *x = exec_worker(w);
    struct attempt *a = attempt_find(x, claim);

    if (!a || a->state >= ATTEMPT_CLEANING)
        return;
    a->watch_wanted = true;
    if (a->state == ATTEMPT_RUNNING || a->state == ATTEMPT_SENT)
        send_want(x, a, SEND_WATCH);
}

static void exec_free(struct worker *w)
{
    struct exec_worker *x = exec_worker(w);
    struct attempt *a;

    if (!x)
        return;
    runner_link_free(x->link);
    event_del(&x->refusals);
    for (size_t i = 0; i < BUCKETS; i++)
        while ((a = LIST_FIRST(&x->attempts[i])))
            attempt_free(x, a);
    free(x);
}

struct worker *worker_exec_new(struct event_base *base, const struct exec_config *config,
                               const struct worker_host *host, void *arg)
{
    static const struct worker_ops ops = {
        .type = "exec",
        .start = exec_start,
        .adopt = exec_adopt,
        .stop = exec_stop,
        .recorded = exec_recorded,
        .watch = exec_watch,
        .free = exec_free,
    };
    static const struct runner_link_owner owner = {on_up, on_down, on_message, on_fill};
    struct exec_worker *x = calloc(1, sizeof(*x));

    if (!x)
        return NULL;
    x->worker = (struct worker){&ops, host, arg};
    TAILQ_INIT(&x->outbox);
    TAILQ_INIT(&x->refused);
    event_assign(&x->refusals, base, -1, 0, on_refusals, x);
    x->link = runner_link_new(base, config, &owner, x);
    if (!x->link) {
        free(x);
        return NULL;
    }
    return &x->worker;
}

void worker_exec_adopted_all(struct worker *w)
{
    runner_link_open(exec_worker(w)->link);
}

pid_t worker_exec_runner_pid(const struct worker *w)
{
    return runner_link_pid(((const struct exec_worker *)w)->link);
}

void worker_exec_release(struct worker *w)
{
    runner_link_release(exec_worker(w)->link);
}
