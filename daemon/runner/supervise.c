#include "daemon/runner/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "daemon/log.h"
#include "daemon/runner/launch.h"

#define YOUNG_US          5000
#define LOOK_AGAIN_US     1000  /* for whom a job may have left behind: tree.h */
#define LEFTOVER_GRACE_MS 2000  /* at most, for what a job leaves behind */
#define KILL_AGAIN_US     10000 /* then twice that, and so on, up to: */
#define KILL_AGAIN_MAX_US 1000000
#define GIVE_UP_US        10000000           /* on leftovers that SIGKILL does not end */
#define LINGER_US         500000             /* for a pipe that somebody outside the tree holds */
#define SHUTDOWN_GRACE_MS 10000              /* at most */
#define MAX_HELD_BYTES    (16u << 20)        /* of output in the memory of records */
#define MAX_JOBS          (2 * AW_MAX_SLOTS) /* running, and not yet acknowledged */
#define DRAIN_READS       16

static void due_set(struct runner *runner, struct job *job, int64_t boot_us)
{
    job->due_us = boot_us;
    runner->next_due_us = MIN(runner->next_due_us, boot_us);
}

static int64_t after_ms(uint64_t ms)
{
    return boottime_us() + (int64_t)ms * 1000;
}

/* ---- The end -------------------------------------------------------------------------------- */

static void stream_shut(struct runner *runner, struct job_stream *out)
{
    if (out->stream.fd < 0)
        return;
    reactor_set(&runner->reactor, &out->source, 0);
    close(take_fd(out->stream.fd));
}

static void young_leave(struct runner *runner, struct job *job)
{
    if (job->young)
        TAILQ_REMOVE(&runner->jobs.young, job, young_link);
    job->young = false;
}

/* Its group, if it has one, goes; what happened in it stays. */
static void group_leave(struct runner *runner, struct job *job)
{
    if (!job->cgroup)
        return;
    reactor_set(&runner->reactor, &job->group, 0);
    job->events = cgroup_events(&runner->cgroups, job->cgroup);
    cgroup_give(&runner->cgroups, take_ptr(job->cgroup));
}

static void job_record(struct runner *runner, struct job *job)
{
    group_leave(runner, job);
    young_leave(runner, job);
    tree_let_go(&runner->tree, job);
    for (int i = 0; i < RUNNER_STREAMS; i++) {
        stream_shut(runner, &job->out[i]);
        if (runner->jobs.held_bytes > MAX_HELD_BYTES)
            stream_spill(&job->out[i].stream, &runner->spool);
        if (job->out[i].stream.file_fd >= 0)
            close(take_fd(job->out[i].stream.file_fd));
    }
    job_move(&runner->jobs, job, JOB_ENDED);
    if (!LIST_EMPTY(&runner->tree.strays))
        runner->tree.strays_due_us = 0; /* it may have been the last that could own them */
    peer_tell(runner, job, TELL_EXITED);
}

static void job_finish(struct runner *runner, struct job *job)
{
    group_leave(runner, job);
    if (job->started_us)
        job_judge(job);
    job_record(runner, job);
}

static void job_fail(struct runner *runner, struct job *job, enum aw_class class, const char *why)
{
    job_judge_unstarted(job, class, why);
    job_record(runner, job);
}

/* ---- Ending it ------------------------------------------------------------------------------ */

/* Once in a turn is enough, however many jobs are to be ended: what is new is found next time. */
static void tree_know(struct runner *runner)
{
    if (!runner->tree_known)
        tree_refresh(&runner->tree, &runner->jobs);
    runner->tree_known = true;
}

static void job_kill(struct runner *runner, struct job *job)
{
    int64_t boot_us = boottime_us();

    if (job->phase != PHASE_KILL) {
        job->phase = PHASE_KILL;
        job->kill_again_us = KILL_AGAIN_US;
        job->give_up_us = boot_us + GIVE_UP_US;
    }
    tree_signal(&runner->tree, job, SIGKILL);
    due_set(runner, job, boot_us + job->kill_again_us);
    job->kill_again_us = MIN(job->kill_again_us * 2, KILL_AGAIN_MAX_US);
}

/* A second call can only make it faster. */
static void tree_end(struct runner *runner, struct job *job, uint64_t grace_ms)
{
    int64_t due_us = after_ms(grace_ms);

    if (job->phase == PHASE_KILL)
        return;
    if (grace_ms == 0) {
        job_kill(runner, job);
    } else if (job->phase == PHASE_NONE) {
        job->phase = PHASE_TERM;
        tree_signal(&runner->tree, job, SIGTERM);
        due_set(runner, job, due_us);
    } else {
        due_set(runner, job, MIN(job->due_us, due_us));
    }
}

/* The caller has seen to it that the tree is known. */
static void job_end(struct runner *runner, struct job *job, enum job_reason reason,
                    uint64_t grace_ms)
{
    if (job->reason == REASON_NONE && (job->state == JOB_RUNNING || reason == REASON_OUTPUT))
        job->reason = reason;
    if (job->state == JOB_RUNNING || job->state == JOB_LEFTOVERS)
        tree_end(runner, job, grace_ms);
}

/* ---- Output --------------------------------------------------------------------------------- */

static uint64_t output_total(const struct job *job)
{
    uint64_t sum = 0;

    for (int i = 0; i < RUNNER_STREAMS; i++)
        sum += job->out[i].stream.size + job->out[i].stream.n_lost;
    return sum;
}

static enum stream_read output_read(struct runner *runner, struct job_stream *out)
{
    struct job *job = out->job;
    uint64_t total = output_total(job), room = UINT64_MAX;
    enum stream_read got;

    if (job->output_limit)
        room = total < job->output_limit ? job->output_limit - total : 0;
    got = stream_read(&out->stream, &runner->spool, room);
    if (got == STREAM_EOF)
        stream_shut(runner, out);
    if (job->output_limit && job->reason == REASON_NONE && output_total(job) > job->output_limit) {
        tree_know(runner);
        job_end(runner, job, REASON_OUTPUT, job->grace_ms);
    }
    if (job->watched && out->stream.spooled && out->stream.size != out->told)
        peer_tell(runner, job, TELL_GROWN);
    return got;
}

static bool output_closed(const struct job *job)
{
    for (int i = 0; i < RUNNER_STREAMS; i++)
        if (job->out[i].stream.fd >= 0)
            return false;
    return true;
}

static void on_output(struct source *source, uint32_t events)
{
    struct job_stream *out = SOURCE_OWNER(source, struct job_stream, source);
    struct job *job = out->job;
    struct runner *runner = job->runner;

    (void)events;
    output_read(runner, out);
    if (job->state == JOB_DRAINING && output_closed(job))
        job_finish(runner, job);
}

/* False: not to all of it, for want of memory. What was not reached stays open. */
static bool output_listen(struct runner *runner, struct job *job)
{
    for (int i = 0; i < RUNNER_STREAMS; i++) {
        struct job_stream *out = &job->out[i];

        if (out->stream.fd < 0)
            continue;
        out->source.fd = out->stream.fd;
        out->source.ready = on_output;
        if (!reactor_set(&runner->reactor, &out->source, EPOLLIN))
            return false;
    }
    return true;
}

static void young_enter(struct runner *runner, struct job *job, int64_t boot_us)
{
    job->young = true;
    job->young_until_us = boot_us + YOUNG_US;
    TAILQ_INSERT_TAIL(&runner->jobs.young, job, young_link);
}

static void grow_up(struct runner *runner, struct job *job)
{
    if (!job->young)
        return;
    young_leave(runner, job);
    if (output_listen(runner, job))
        peer_tell(runner, job, TELL_STARTED);
    else
        young_enter(runner, job, boottime_us()); /* until there is memory */
}

/* Nothing of the tree is left: what is in the pipes is all that there will be. */
static void job_drain(struct runner *runner, struct job *job)
{
    job_move(&runner->jobs, job, JOB_DRAINING);
    for (int i = 0; i < RUNNER_STREAMS; i++)
        for (int n = 0; n < DRAIN_READS; n++)
            if (output_read(runner, &job->out[i]) != STREAM_MORE)
                break;
    if (output_closed(job)) {
        job_finish(runner, job);
        return;
    }
    young_leave(runner, job);
    (void)!output_listen(runner, job); /* what comes now is then lost with what it lingers for */
    due_set(runner, job, boottime_us() + LINGER_US);
}

void supervise_watch(struct runner *runner, struct job *job)
{
    if (job->state == JOB_ENDED)
        return;
    grow_up(runner, job);
    job->watched = true;
    for (int i = 0; i < RUNNER_STREAMS; i++) {
        stream_spill(&job->out[i].stream, &runner->spool);
        job->out[i].told = UINT64_MAX;
    }
    peer_tell(runner, job, TELL_GROWN);
}

/* ---- The beginning -------------------------------------------------------------------------- */

static void job_launch(struct runner *runner, struct job *job, const struct runner_start *start,
                       int stdin_fd)
{
    struct spawned child;
    struct aw_error err;
    int64_t boot_us;

    if (cgroup_take(&runner->cgroups, &start->limits, job, &job->cgroup, &err) != AW_OK ||
        launch(runner, job, start, stdin_fd, &child, &err) != AW_OK) {
        job_fail(runner, job, AW_CLASS_SPAWN, err.text);
        return;
    }
    job_set_pid(&runner->jobs, job, child.pid);
    job->report = child.report;
    boot_us = boottime_us();
    job->started_us = now_us();
    young_enter(runner, job, boot_us);
    if (job->timeout_ms)
        due_set(runner, job, boot_us + (int64_t)job->timeout_ms * 1000);
}

bool supervise_start(struct runner *runner, const struct runner_start *start, int stdin_fd)
{
    struct job *job;

    if (job_by_claim(&runner->jobs, start->claim))
        return true; /* it came before the connection broke, and again after it */
    job = job_new(&runner->jobs, start);
    if (!job)
        return false;
    job->runner = runner;
    if (runner->going_down)
        job_fail(runner, job, AW_CLASS_INTERRUPTED, "the runner was told to end");
    else if (runner->jobs.n_live + runner->jobs.n_ended > MAX_JOBS)
        job_fail(runner, job, AW_CLASS_SPAWN, "the runner has as many jobs as it can hold");
    else
        job_launch(runner, job, start, stdin_fd);
    return true;
}

void supervise_stop(struct runner *runner, struct job *job, uint64_t grace_ms)
{
    tree_know(runner);
    job_end(runner, job, REASON_STOP, grace_ms);
}

void supervise_shutdown(struct runner *runner)
{
    struct job *job;

    tree_refresh(&runner->tree, &runner->jobs);
    TAILQ_FOREACH (job, &runner->jobs.live, link)
        job_end(runner, job, REASON_SHUTDOWN, MIN(job->grace_ms, SHUTDOWN_GRACE_MS));
}

/* ---- Children that ended -------------------------------------------------------------------- */

static uint64_t time_us(struct timeval tv)
{
    return (uint64_t)tv.tv_sec * 1000000 + (uint64_t)tv.tv_usec;
}

static void main_ended(struct runner *runner, struct job *job, int status,
                       const struct rusage *usage)
{
    uint64_t user_us = time_us(usage->ru_utime), sys_us = time_us(usage->ru_stime);

    job->status = status;
    job->ended_us = now_us();
    job->cpu_user_us += user_us;
    job->cpu_sys_us += sys_us;
    job->main_cpu_us = user_us + sys_us;
    job->max_rss_kib = MAX(job->max_rss_kib, (uint64_t)usage->ru_maxrss);
    job_move(&runner->jobs, job, JOB_LEFTOVERS);
}

/* Was it its program at all? If not, there is nothing to judge when the rest is done. */
static void main_ask(struct job *job)
{
    struct aw_error err;

    if (job->report && spawn_ended(take_ptr(job->report), &err) != AW_OK &&
        job->reason == REASON_NONE)
        job_judge_unstarted(job, AW_CLASS_SPAWN, err.text);
}

static void on_group(struct source *source, uint32_t events)
{
    struct job *job = SOURCE_OWNER(source, struct job, group);

    (void)events;
    job->runner->children_ended = true; /* not by wait(), but it is as good a reason to look */
    reactor_set(&job->runner->reactor, source, 0);
}

/*
 * Nobody who is left would be our child by now, but in the group there may be one who is just going
 * away, or whom we cannot see. If it is not empty, it is looked at again when that changes.
 */
static bool group_is_empty(struct runner *runner, struct job *job)
{
    if (!job->cgroup || !cgroup_populated(job->cgroup))
        return true;
    job->group.fd = job->cgroup->events_fd;
    job->group.ready = on_group;
    /* Without memory for that, it is its due time that comes. */
    (void)reactor_set(&runner->reactor, &job->group, EPOLLPRI);
    return false;
}

/* The main process has ended: is anything left? */
static void job_settle(struct runner *runner, struct job *job)
{
    bool gone = LIST_EMPTY(&job->orphans);

    if (gone && !job->cgroup && runner->tree.unsure)
        runner->settle_due_us = boottime_us() + LOOK_AGAIN_US;
    else if (gone && group_is_empty(runner, job))
        job_drain(runner, job);
    else if (job->phase == PHASE_KILL)
        tree_signal(&runner->tree, job, SIGKILL);
    else if (job->phase == PHASE_NONE)
        tree_end(runner, job, MIN(job->grace_ms, LEFTOVER_GRACE_MS));
}

static void settle_all(struct runner *runner)
{
    struct job *job, *next;

    runner->settle_due_us = INT64_MAX;
    if (TAILQ_EMPTY(&runner->jobs.leftovers))
        return;
    tree_refresh(&runner->tree, &runner->jobs);
    for (job = TAILQ_FIRST(&runner->jobs.leftovers); job; job = next) {
        next = TAILQ_NEXT(job, leftovers_link);
        job_settle(runner, job);
    }
}

void supervise_reap(struct runner *runner)
{
    struct rusage usage;
    int status;
    pid_t pid;

    while ((pid = wait4(-1, &status, WNOHANG | __WALL, &usage)) > 0) {
        struct job *job = job_by_pid(&runner->jobs, pid);

        if (job && job->state == JOB_RUNNING) {
            main_ended(runner, job, status, &usage);
            main_ask(job);
        } else {
            tree_reaped(&runner->tree, pid, &usage);
        }
    }
    settle_all(runner);
}

/* ---- Time ----------------------------------------------------------------------------------- */

static void leftovers_due(struct runner *runner, struct job *job, int64_t boot_us)
{
    if (job->phase == PHASE_KILL && boot_us >= job->give_up_us) {
        job->gave_up = true;
        job_drain(runner, job);
    } else {
        job_kill(runner, job);
    }
}

static void job_due(struct runner *runner, struct job *job, int64_t boot_us)
{
    switch (job->state) {
    case JOB_RUNNING:
        if (job->phase == PHASE_NONE)
            job_end(runner, job, REASON_TIMEOUT, job->grace_ms);
        else
            job_kill(runner, job);
        break;
    case JOB_LEFTOVERS:
        leftovers_due(runner, job, boot_us);
        break;
    case JOB_DRAINING:
        job->gave_up = true;
        job_finish(runner, job);
        break;
    case JOB_ENDED:
        break;
    }
}

/* Only when the first of them may be due, which is seldom: no need for a heap. */
static void due_all(struct runner *runner, int64_t boot_us)
{
    struct job *job, *next;

    runner->next_due_us = INT64_MAX;
    tree_refresh(&runner->tree, &runner->jobs);
    for (job = TAILQ_FIRST(&runner->jobs.live); job; job = next) {
        next = TAILQ_NEXT(job, link);
        if (job->due_us <= boot_us)
            job_due(runner, job, boot_us);
        else
            runner->next_due_us = MIN(runner->next_due_us, job->due_us);
    }
}

void supervise_tick(struct runner *runner, int64_t boot_us)
{
    struct job *job;

    while ((job = TAILQ_FIRST(&runner->jobs.young)) && job->young_until_us <= boot_us)
        grow_up(runner, job);
    if (runner->settle_due_us <= boot_us)
        settle_all(runner);
    if (runner->next_due_us <= boot_us)
        due_all(runner, boot_us);
    if (runner->tree.strays_due_us <= boot_us)
        tree_end_strays(&runner->tree, &runner->jobs, boot_us);
}

int64_t supervise_due_us(const struct runner *runner)
{
    const struct job *young = TAILQ_FIRST(&runner->jobs.young);
    int64_t due_us = MIN(runner->next_due_us, runner->tree.strays_due_us);

    due_us = MIN(due_us, runner->settle_due_us);
    return young ? MIN(due_us, young->young_until_us) : due_us;
}
