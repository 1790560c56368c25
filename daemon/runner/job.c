#include "daemon/runner/job.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

void jobs_init(struct jobs *jobs)
{
    memset(jobs, 0, sizeof(*jobs));
    TAILQ_INIT(&jobs->live);
    TAILQ_INIT(&jobs->ended);
    TAILQ_INIT(&jobs->leftovers);
    TAILQ_INIT(&jobs->young);
}

static size_t bucket(uint64_t key)
{
    return key % JOB_BUCKETS;
}

struct job *job_new(struct jobs *jobs, const struct runner_start *start)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->claim = start->claim;
    job->serial = ++jobs->serial;
    snprintf(job->id, sizeof(job->id), "%s", (const char *)start->id.data);
    job->state = JOB_RUNNING;
    job->due_us = INT64_MAX;
    job->timeout_ms = start->timeout_ms;
    job->grace_ms = start->grace_ms;
    job->output_limit = start->output_limit;
    job->limits = start->limits;
    job->group.fd = -1;
    LIST_INIT(&job->orphans);
    for (int i = 0; i < RUNNER_STREAMS; i++) {
        stream_init(&job->out[i].stream, (struct spool_file){start->number, start->attempt, i});
        job->out[i].job = job;
    }
    TAILQ_INSERT_TAIL(&jobs->live, job, link);
    LIST_INSERT_HEAD(&jobs->by_claim[bucket(job->claim)], job, by_claim);
    jobs->n_live++;
    return job;
}

static size_t held_bytes(const struct job *job)
{
    size_t sum = 0;

    for (int i = 0; i < RUNNER_STREAMS; i++)
        if (!job->out[i].stream.spooled)
            sum += job->out[i].stream.size;
    return sum;
}

void job_free(struct jobs *jobs, struct job *job)
{
    job_move(jobs, job, JOB_ENDED);
    TAILQ_REMOVE(&jobs->ended, job, link);
    LIST_REMOVE(job, by_claim);
    jobs->n_ended--;
    jobs->held_bytes -= held_bytes(job);
    for (int i = 0; i < RUNNER_STREAMS; i++)
        stream_done(&job->out[i].stream);
    free(job);
}

void job_set_pid(struct jobs *jobs, struct job *job, pid_t pid)
{
    job->pid = pid;
    LIST_INSERT_HEAD(&jobs->by_pid[bucket((uint64_t)pid)], job, by_pid);
    jobs->n_mains++;
}

void job_move(struct jobs *jobs, struct job *job, enum job_state state)
{
    enum job_state from = job->state;

    if (state <= from)
        return;
    job->state = state;
    if (from == JOB_RUNNING && job->pid)
        jobs->n_mains--;
    if (from == JOB_LEFTOVERS)
        TAILQ_REMOVE(&jobs->leftovers, job, leftovers_link);
    if (state == JOB_LEFTOVERS)
        TAILQ_INSERT_TAIL(&jobs->leftovers, job, leftovers_link);
    if (state != JOB_ENDED)
        return;
    if (job->pid)
        LIST_REMOVE(job, by_pid);
    job->due_us = INT64_MAX;
    TAILQ_REMOVE(&jobs->live, job, link);
    TAILQ_INSERT_TAIL(&jobs->ended, job, link);
    jobs->n_live--;
    jobs->n_ended++;
    jobs->held_bytes += held_bytes(job);
}

struct job *job_by_claim(struct jobs *jobs, uint64_t claim)
{
    struct job *job;

    LIST_FOREACH (job, &jobs->by_claim[bucket(claim)], by_claim)
        if (job->claim == claim)
            return job;
    return NULL;
}

/* The newest first: a number that was reused belongs to whom it was given last. */
struct job *job_by_pid(struct jobs *jobs, pid_t pid)
{
    struct job *job;

    LIST_FOREACH (job, &jobs->by_pid[bucket((uint64_t)pid)], by_pid)
        if (job->pid == pid)
            return job;
    return NULL;
}

/* ---- The outcome ---------------------------------------------------------------------------- */

static void say(struct job *job, const char *fmt, ...) AW_PRINTF(2, 3);
static void say(struct job *job, const char *fmt, ...)
{
    size_t len = strlen(job->message);
    va_list ap;

    if (len > 0 && len + 3 < sizeof(job->message)) {
        memcpy(job->message + len, "; ", 3);
        len += 2;
    }
    va_start(ap, fmt);
    vsnprintf(job->message + len, sizeof(job->message) - len, fmt, ap);
    va_end(ap);
}

/* "SIGSEGV", or "signal 40" for those without a name. */
static const char *signal_text(int sig, char *buf, size_t size)
{
    const char *name = sigabbrev_np(sig);

    if (name)
        snprintf(buf, size, "SIG%s", name);
    else
        snprintf(buf, size, "signal %d", sig);
    return buf;
}

static void judge_oom(struct job *job)
{
    job->class = AW_CLASS_OOM;
    if (job->limits.memory)
        say(job, "used more memory than its limit of %" PRIu64 " bytes and was killed",
            job->limits.memory);
    else
        say(job, "was killed when there was no memory left");
}

/* The limits that the kernel keeps by a signal. */
static void judge_signal(struct job *job, int sig)
{
    const uint64_t used_ms = job->main_cpu_us / 1000, time_ms = job->limits.cpu_time_ms;
    /* Who does not end on SIGXCPU is killed some seconds later. The kernel keeps this limit by the
     * ticks of its clock, which may count more than what it tells us of. */
    bool by_time = sig == SIGXCPU || (sig == SIGKILL && used_ms >= time_ms - time_ms / 4);

    if (time_ms && by_time)
        say(job, "used more than its limit of %" PRIu64 " ms of processor time", time_ms);
    else if (sig == SIGXFSZ && job->limits.file_size)
        say(job, "wrote to a file beyond its limit of %" PRIu64 " bytes", job->limits.file_size);
}

static void judge_by_status(struct job *job)
{
    bool signalled = WIFSIGNALED(job->status);
    char buf[32];

    if (!signalled && WEXITSTATUS(job->status) == 0)
        return;
    if (job->events.n_oom_killed > 0) {
        judge_oom(job);
    } else if (signalled) {
        job->class = AW_CLASS_SIGNAL;
        say(job, "killed by %s%s", signal_text(WTERMSIG(job->status), buf, sizeof(buf)),
            WCOREDUMP(job->status) ? " (core dumped)" : "");
        judge_signal(job, WTERMSIG(job->status));
    } else {
        job->class = AW_CLASS_EXIT;
    }
    if (job->events.n_refused > 0)
        say(job, "had as many processes as its limit of %" PRIu64 " allows", job->limits.processes);
}

static void judge_output(struct job *job)
{
    static const char *const names[] = {"stdout", "stderr"};

    for (int i = 0; i < RUNNER_STREAMS; i++) {
        const struct stream *s = &job->out[i].stream;

        if (s->error && s->n_lost)
            say(job, "%" PRIu64 " bytes of %s are lost: %s", s->n_lost, names[i],
                strerror(s->error));
    }
}

void job_judge(struct job *job)
{
    job->class = AW_CLASS_NONE;
    job->message[0] = '\0';
    switch (job->reason) {
    case REASON_NONE:
        judge_by_status(job);
        break;
    case REASON_STOP:
        break;
    case REASON_TIMEOUT:
        job->class = AW_CLASS_TIMEOUT;
        say(job, "ran longer than %" PRIu64 " ms and was ended", job->timeout_ms);
        break;
    case REASON_OUTPUT:
        job->class = AW_CLASS_OUTPUT_LIMIT;
        say(job, "wrote more than its limit of %" PRIu64 " bytes", job->output_limit);
        break;
    case REASON_SHUTDOWN:
        job->class = AW_CLASS_INTERRUPTED;
        say(job, "the runner was told to end");
        break;
    }
    judge_output(job);
    if (job->gave_up)
        say(job, "a process that it left behind would not end, or kept its output open");
}

void job_judge_unstarted(struct job *job, enum aw_class class, const char *why)
{
    job->class = class;
    job->started_us = 0;
    job->ended_us = now_us();
    job->message[0] = '\0';
    say(job, "%s", why);
}

void job_running_msg(const struct job *job, enum runner_msg_type type, struct runner_msg *ret)
{
    *ret = (struct runner_msg){.type = type, .running = {job->claim, job->started_us, job->pid}};
}

static void output_msg(const struct stream *stream, struct runner_output *ret)
{
    ret->size = stream->size;
    ret->spooled = stream->spooled;
    if (!stream->spooled)
        ret->data = bytes_of(stream->data, stream->size);
}

void job_exited_msg(const struct job *job, struct runner_msg *ret)
{
    bool ran = job->started_us != 0;
    struct runner_exited m = {
        .claim = job->claim,
        .class = job->class,
        .stopped = job->reason == REASON_STOP,
        .exit_code = ran && WIFEXITED(job->status) ? WEXITSTATUS(job->status) : -1,
        .signal = ran && WIFSIGNALED(job->status) ? WTERMSIG(job->status) : 0,
        .started_us = job->started_us,
        .ended_us = job->ended_us,
        .cpu_user_us = job->cpu_user_us,
        .cpu_sys_us = job->cpu_sys_us,
        .max_rss_kib = job->max_rss_kib,
        .message = bytes_str(job->message),
    };

    for (int i = 0; i < RUNNER_STREAMS; i++)
        output_msg(&job->out[i].stream, &m.output[i]);
    *ret = (struct runner_msg){.type = RUNNER_EXITED, .exited = m};
}
