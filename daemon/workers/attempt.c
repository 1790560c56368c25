#include "daemon/workers/attempt.h"

#include <stdio.h>

#define DEFAULT_GRACE_MS 5000 /* for strangers, whose own is not known */

struct attempt *attempt_find(struct attempt_table *table, uint64_t claim)
{
    struct attempt *a;

    LIST_FOREACH (a, &table->buckets[claim % ATTEMPT_BUCKETS], by_claim)
        if (a->claim == claim)
            return a;
    return NULL;
}

struct attempt *attempt_new(struct attempt_table *table, uint64_t claim, enum attempt_state state)
{
    struct attempt *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->claim = claim;
    a->state = state;
    a->start_fd = a->stdin_fd = -1;
    a->grace_ms = DEFAULT_GRACE_MS;
    LIST_INSERT_HEAD(&table->buckets[claim % ATTEMPT_BUCKETS], a, by_claim);
    return a;
}

void attempt_free(struct attempt *a)
{
    LIST_REMOVE(a, by_claim);
    attempt_start_forget(a);
    free(a->refusal);
    free(a);
}

/* ---- START ----------------------------------------------------------------------------------- */

void attempt_start_forget(struct attempt *a)
{
    free(take_ptr(a->start));
    cleanup_close(&a->start_fd);
    cleanup_close(&a->stdin_fd);
    a->start_fd = a->stdin_fd = -1;
}

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
        .uid = work->uid,
        .gid = work->gid,
        .limits = work->limits,
        .id = bytes_str(work->id),
        .cwd = job->cwd,
        .stdin_file = job->stdin_file,
    };
    if (job->stdin_file.len > 0)
        ret->stdin_kind = RUNNER_STDIN_FILE;
    else if (job->stdin.len > 0)
        ret->stdin_kind = RUNNER_STDIN_FD;
}

enum aw_err attempt_start_set(struct attempt *a, const struct work *work, struct aw_error *err)
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

/* ---- Packets --------------------------------------------------------------------------------- */

/* START needs a packet of its own when descriptors go with it. */
static bool fill_start(struct attempt *a, uint64_t instance, struct runner_link_out *out)
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
    a->instance = instance;
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

bool attempt_fill(struct attempt *a, uint64_t instance, struct runner_link_out *out)
{
    struct runner_packet *packet = &out->packet;

    if ((a->send & SEND_START) && a->state == ATTEMPT_WAITING && !fill_start(a, instance, out))
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
