#include "daemon/workers/exec.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <inttypes.h>
#include <stdio.h>

#include "daemon/log.h"
#include "daemon/workers/attempt.h"

/*
 * Where an attempt stands, and what the runner is to be told of it, is in attempt.h. Here is what
 * moves it: the host, the runner, and the runner's coming and going.
 */
struct exec_worker {
    struct worker worker;
    struct runner_link *link;
    struct runner_welcome runner; /* the one that is connected */
    bool ready;                   /* it has told all that it holds */
    struct attempt_list outbox;
    struct attempt_list refused;
    struct event refusals;
    struct attempt_table attempts;
};

static struct exec_worker *exec_worker(struct worker *w)
{
    return (struct exec_worker *)w; /* `worker` is its first member */
}

/* ---- Attempts ------------------------------------------------------------------------------- */

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

static void attempt_drop(struct exec_worker *x, struct attempt *a)
{
    send_nothing(x, a);
    if (a->state == ATTEMPT_REFUSED)
        TAILQ_REMOVE(&x->refused, a, outbox);
    attempt_free(a);
}

/* The host is told once. What comes after that is recorded(), perhaps from inside ended(). */
static void attempt_ended(struct exec_worker *x, struct attempt *a, const struct outcome *outcome)
{
    send_nothing(x, a);
    attempt_start_forget(a);
    a->state = ATTEMPT_ENDED;
    x->worker.host->ended(x->worker.arg, a->claim, outcome);
}

/* It ends without the runner: it was stopped before it began, or cannot be started. */
static void attempt_refuse(struct exec_worker *x, struct attempt *a, const char *why)
{
    send_nothing(x, a);
    attempt_start_forget(a);
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
        outcome.unbegun = !a->stop_wanted && a->claimed_us;
        if (!a->stop_wanted && !outcome.unbegun) {
            outcome.class = AW_CLASS_SPAWN;
            snprintf(outcome.message, sizeof(outcome.message), "%s",
                     a->refusal ? a->refusal : "out of memory");
        }
        attempt_ended(x, a, &outcome);
    }
}

/* ---- From the runner ------------------------------------------------------------------------ */

static void attempt_clean(struct exec_worker *x, struct attempt *a)
{
    if (a->state != ATTEMPT_CLEANING)
        log_job(LOG_WARNING, a->id, "interrupted: the runner or the machine went down");
    a->state = ATTEMPT_CLEANING;
    attempt_start_forget(a);
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
        never_began ? attempt_refuse(x, a, NULL) : attempt_clean(x, a);
        break;
    case ATTEMPT_RUNNING:
    case ATTEMPT_CLEANING:
        attempt_clean(x, a);
        break;
    case ATTEMPT_RECORDED:
    case ATTEMPT_STRANGER:
        attempt_drop(x, a); /* the record went down with its runner */
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
    for (size_t i = 0; i < ATTEMPT_BUCKETS; i++)
        for (a = LIST_FIRST(&x->attempts.buckets[i]); a; a = next) {
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
    struct attempt *a = attempt_find(&x->attempts, m->claim);

    if (!a) {
        log_msg(LOG_WARNING, "the runner has an attempt that nobody knows: claim %" PRIu64,
                m->claim);
        a = attempt_new(&x->attempts, m->claim, ATTEMPT_STRANGER);
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
    attempt_start_forget(a);
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
    struct attempt *a = attempt_find(&x->attempts, m->claim);
    struct outcome outcome;

    if (!a)
        a = attempt_new(&x->attempts, m->claim, ATTEMPT_STRANGER);
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
    struct attempt *a = attempt_find(&x->attempts, m->claim);

    if (a && a->state == ATTEMPT_RUNNING)
        x->worker.host->grown(x->worker.arg, m->claim, m->stream, m->size);
}

static void on_cleaned(struct exec_worker *x, const struct runner_cleaned *m)
{
    struct attempt *a = attempt_find(&x->attempts, m->claim);
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
    for (size_t i = 0; i < ATTEMPT_BUCKETS; i++)
        LIST_FOREACH (a, &x->attempts.buckets[i], by_claim) {
            send_nothing(x, a);
            a->confirmed = false;
        }
}

/* ---- To the runner -------------------------------------------------------------------------- */

static void on_fill(void *arg, struct runner_link_out *out)
{
    struct exec_worker *x = arg;
    struct attempt *a;

    while (out->n_fds == 0 && (a = TAILQ_FIRST(&x->outbox))) {
        bool acked = a->send & SEND_ACK;

        if (!attempt_fill(a, x->runner.instance, out))
            return;
        send_nothing(x, a);
        if (acked)
            attempt_drop(x, a);
    }
}

/* ---- From the host -------------------------------------------------------------------------- */

/* NULL: out of memory. */
static struct attempt *attempt_take(struct exec_worker *x, const struct work *work,
                                    enum attempt_state state, struct aw_error *err)
{
    struct attempt *a = attempt_new(&x->attempts, work->claim, state);

    if (!a)
        return NULL;
    snprintf(a->id, sizeof(a->id), "%s", work->id);
    a->grace_ms = work->job->grace_ms;
    if (attempt_start_set(a, work, err) != AW_OK)
        attempt_start_forget(a);
    return a;
}

static bool exec_start(struct worker *w, const struct work *work)
{
    struct exec_worker *x = exec_worker(w);
    struct aw_error err;
    struct attempt *a = attempt_take(x, work, ATTEMPT_WAITING, &err);

    if (!a)
        return false;
    if (attempt_has_start(a))
        send_want(x, a, SEND_START);
    else
        attempt_refuse(x, a, err.text);
    return true;
}

static bool exec_adopt(struct worker *w, const struct work *work)
{
    struct exec_worker *x = exec_worker(w);
    struct aw_error err;
    struct attempt *a = attempt_take(x, work, ATTEMPT_ADOPTED, &err);

    if (!a)
        return false;
    a->claimed_us = work->started_us;
    if (x->ready)
        attempt_missed(x, a);
    return true;
}

static void exec_stop(struct worker *w, uint64_t claim, int64_t grace_ms)
{
    struct exec_worker *x = exec_worker(w);
    struct attempt *a = attempt_find(&x->attempts, claim);

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
    struct attempt *a = attempt_find(&x->attempts, claim);

    if (!a || a->state != ATTEMPT_ENDED)
        return;
    a->state = ATTEMPT_RECORDED;
    if (a->confirmed)
        send_want(x, a, SEND_ACK);
    else if (x->ready || !a->instance)
        attempt_drop(x, a); /* the runner has no record of it */
}

static void exec_watch(struct worker *w, uint64_t claim)
{
    struct exec_worker *x = exec_worker(w);
    struct attempt *a = attempt_find(&x->attempts, claim);

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
    for (size_t i = 0; i < ATTEMPT_BUCKETS; i++)
        while ((a = LIST_FIRST(&x->attempts.buckets[i])))
            attempt_drop(x, a);
    free(x);
}

struct worker *worker_exec_new(struct event_base *base, const struct exec_config *config,
                               const struct worker_host *host, void *arg)
{
    static const struct worker_ops ops = {
        .type = "exec",
        .may_be_held = true,
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
