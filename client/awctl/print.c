#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "client/awctl/awctl.h"
#include "client/awctl/limit_opts.h"
#include "client/awctl/print.h"
#include "client/awctl/utf8.h"
#include "proto/text.h"

void clean_text(const char *text, char *buf, size_t size)
{
    size_t n = 0;

    for (; *text && n + 1 < size; text++)
        buf[n++] = (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text;
    buf[n] = '\0';
    if (!utf8_valid(buf, n))
        for (char *p = buf; *p; p++)
            if (*p & 0x80)
                *p = '?';
}

const char *size_text(uint64_t bytes, char buf[TEXT_SMALL])
{
    static const char units[] = "KMGTPE";
    double v = (double)bytes;
    int i = -1;

    for (; v >= 1024 && i < 5; i++)
        v /= 1024;
    if (i < 0)
        snprintf(buf, 32, "%" PRIu64, bytes);
    else
        snprintf(buf, 32, "%.1f%c", v, units[i]);
    return buf;
}

const char *time_text(int64_t us, char buf[TEXT_SMALL])
{
    time_t t = (time_t)(us / 1000000);
    struct tm tm;

    localtime_r(&t, &tm);
    strftime(buf, 32, "%Y-%m-%d %H:%M:%S", &tm);
    return buf;
}

const char *run_text(const struct aw_status *s, char buf[TEXT_SMALL])
{
    int64_t end = aw_state_is_final(s->state) ? s->ended_us : now_us();

    *buf = '\0';
    if (s->started_us)
        duration_format(buf, 32, MAX((end - s->started_us) / 1000, INT64_C(0)));
    return buf;
}

/* Below ten milliseconds, where latencies of small things are, parts of one count. */
const char *latency_text(int64_t us, char buf[TEXT_SMALL])
{
    if (us < 10000)
        snprintf(buf, TEXT_SMALL, "%" PRId64 ".%02" PRId64 "ms", us / 1000, us % 1000 / 10);
    else
        duration_format(buf, TEXT_SMALL, us / 1000);
    return buf;
}

/* ---- One job ------------------------------------------------------------------------------ */

static void line(const char *name, const char *value)
{
    if (*value)
        printf("%-10s %s\n", name, value);
}

static void time_line(const char *name, int64_t us)
{
    char text[32];

    if (us)
        line(name, time_text(us, text));
}

static void text_line(const char *name, const char *value)
{
    char text[1024];

    clean_text(value, text, sizeof(text));
    line(name, text);
}

const char *user_text(uint32_t uid, char *buf, size_t size)
{
    struct passwd *pw = getpwuid(uid);

    if (pw)
        clean_text(pw->pw_name, buf, size);
    else
        snprintf(buf, size, "%" PRIu32, uid);
    return buf;
}

static void user_line(uint32_t uid)
{
    char name[256];

    printf("%-10s %s\n", "user", user_text(uid, name, sizeof(name)));
}

static void usage_lines(const struct aw_status *s)
{
    char run[32], user[32], sys[32], out[32], err[32], rss[32];

    line("ran", run_text(s, run));
    if (!aw_state_is_final(s->state) || !s->started_us)
        return;
    duration_format(user, sizeof(user), (int64_t)(s->cpu_user_us / 1000));
    duration_format(sys, sizeof(sys), (int64_t)(s->cpu_sys_us / 1000));
    printf("%-10s %s user, %s system, %s of memory\n", "used", user, sys,
           size_text(s->max_rss_kib * 1024, rss));
    printf("%-10s %s on stdout, %s on stderr\n", "output", size_text(s->stdout_size, out),
           size_text(s->stderr_size, err));
}

void print_status(const struct aw_status *s)
{
    char text[VERDICT_TEXT];

    line("id", s->id);
    text_line("state", verdict_text(s, text));
    if (s->err)
        return;
    if (s->cancel_requested && !aw_state_is_final(s->state))
        line("", "(told to stop)");
    if (*s->message && s->error_class != AW_CLASS_EXIT && s->error_class != AW_CLASS_SIGNAL)
        text_line("message", s->message);
    text_line("name", s->name);
    text_line("command", s->command);
    if (strcmp(s->type, "exec") != 0)
        text_line("type", s->type);
    if (s->http_status)
        printf("%-10s %d\n", "status", s->http_status);
    text_line("key", s->key);
    user_line(s->uid);
    if (s->pid)
        printf("%-10s %d\n", "pid", (int)s->pid);
    if (s->priority)
        printf("%-10s %d\n", "priority", s->priority);
    if (s->max_attempts > 1)
        printf("%-10s %" PRIu64 " of %" PRIu64 "\n", "attempt", s->attempt, s->max_attempts);
    else if (s->attempt > 1)
        printf("%-10s %" PRIu64 "\n", "attempt", s->attempt);
    if (*s->queue)
        text_line("queue", s->queue);
    line("limits", limits_text(&s->limits, text));
    text_line("retry of", s->retry_of);
    time_line("submitted", s->created_us);
    if (s->state == AW_SCHEDULED)
        time_line("due", s->due_us);
    time_line("started", s->started_us);
    time_line("ended", s->ended_us);
    usage_lines(s);
    time_line("kept until", s->expires_us);
    if (s->abandon_ms && !aw_state_is_final(s->state)) {
        duration_format(text, sizeof(text), s->abandon_ms);
        printf("%-10s %s after nobody wants it any more\n", "cancelled", text);
    }
}

/* What a verdict is about, for one attempt. A code of 0 is all that tells success from a cancel. */
static struct aw_status attempt_status(const struct aw_attempt *a)
{
    enum aw_state state = a->running ? AW_RUNNING : a->exit_code ? AW_CANCELLED : AW_SUCCEEDED;

    return (struct aw_status){
        .state = a->error_class ? AW_FAILED : state,
        .error_class = a->error_class,
        .exit_code = a->exit_code,
        .signal = a->signal,
        .message = a->message,
        .started_us = a->started_us,
        .ended_us = a->ended_us,
    };
}

void print_attempt(const char *id, const struct aw_attempt *a)
{
    struct aw_status s = attempt_status(a);
    char verdict[VERDICT_TEXT], clean[VERDICT_TEXT], started[32], run[32];

    clean_text(verdict_text(&s, verdict), clean, sizeof(clean));
    printf("%s attempt %" PRIu64 ": %s  %s  %s\n", id, a->attempt,
           a->started_us ? time_text(a->started_us, started) : "not started", run_text(&s, run),
           clean);
}

/* What took how long; nothing when it was never measured. */
static void latency_line(const char *name, const struct aw_latency *l)
{
    char p50[TEXT_SMALL], p95[TEXT_SMALL], p99[TEXT_SMALL], max[TEXT_SMALL];

    if (l->count)
        printf("%-14s p50 %s, p95 %s, p99 %s, max %s (of %" PRIu64 ")\n", name,
               latency_text(l->p50_us, p50), latency_text(l->p95_us, p95),
               latency_text(l->p99_us, p99), latency_text(l->max_us, max), l->count);
}

/* ---- Why a job does not run --------------------------------------------------------------- */

static void ids_line(const char *name, uint64_t n, bool more, const char *const *ids)
{
    if (!n)
        return;
    printf("%-10s %" PRIu64 "%s:", name, n, more ? " or more" : "");
    for (uint64_t i = 0; ids[i]; i++)
        printf(" %s%s", ids[i], !ids[i + 1] && (more || i + 1 < n) ? " ..." : "");
    putchar('\n');
}

void print_explanation(const char *id, const struct aw_explanation *why)
{
    line("id", id);
    line("state", aw_state_name(why->state));
    line("reason", why->reason);
    text_line("", why->message);
    if (*why->queue)
        text_line("queue", why->queue);
    time_line("until", why->due_us);
    ids_line("before it", why->n_before, why->more_before, why->before);
    ids_line("needs", why->n_parents, false, why->parents);
}

/* ---- Sets and queues ---------------------------------------------------------------------- */

const char *set_state(const struct aw_set *set)
{
    if (!set->closed)
        return "open";
    return set->n_ended < set->n_members ? "closed" : "complete";
}

void print_set(const struct aw_set_info *info)
{
    const struct aw_set *s = info->set;
    char text[TEXT_SMALL];

    text_line("set", s->name);
    line("state", set_state(s));
    user_line(s->uid);
    printf("%-10s %" PRIu64 ": %" PRIu64 " ended, %" PRIu64 " of them failed\n", "members",
           s->n_members, s->n_ended, s->n_failed);
    time_line("made", s->created_us);
    time_line("closed", s->closed_us);
    if (s->first_us)
        printf("%-10s after %s\n", "first end",
               latency_text(MAX(s->first_us - s->created_us, INT64_C(0)), text));
    if (s->last_us)
        printf("%-10s after %s\n", "last end",
               latency_text(MAX(s->last_us - s->created_us, INT64_C(0)), text));
    latency_line("queue wait", &info->queue_wait);
    latency_line("run", &info->run);
    latency_line("total", &info->total);
}

const char *queue_state(const struct aw_queue *queue)
{
    if (queue->paused)
        return queue->draining ? "paused, draining" : "paused";
    return queue->draining ? "draining" : "open";
}

/* As it is given: in the largest unit that it is a whole number of. */
const char *rate_text(const struct aw_queue *queue, char buf[TEXT_SMALL])
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;

    *buf = '\0';
    if (!queue->rate)
        return buf;
    while (queue->rate_ms % units[i].ms)
        i++;
    if (queue->rate_ms == units[i].ms)
        snprintf(buf, TEXT_SMALL, "%" PRIu32 "/%s", queue->rate, units[i].name);
    else
        snprintf(buf, TEXT_SMALL, "%" PRIu32 "/%" PRId64 "%s", queue->rate,
                 queue->rate_ms / units[i].ms, units[i].name);
    return buf;
}

void print_queue(const struct aw_queue *q)
{
    char text[TEXT_SMALL], limits[LIMITS_TEXT];

    text_line("queue", q->name);
    line("state", queue_state(q));
    if (q->slots)
        printf("%-10s %" PRIu32 " of its own\n", "slots", q->slots);
    else if (q->limit)
        printf("%-10s %" PRIu32 " of the daemon's at most\n", "slots", q->limit);
    else
        line("slots", "the daemon's");
    if (q->priority)
        printf("%-10s %d\n", "priority", q->priority);
    line("rate", rate_text(q, text));
    line("limits", limits_text(&q->limits, limits));
    printf("%-10s %" PRIu64 "\n", "running", q->running);
    printf("%-10s %" PRIu64 "\n", "queued", q->queued);
    printf("%-10s %" PRIu64 "\n", "waiting", q->waiting);
}

/* ---- The daemon --------------------------------------------------------------------------- */

static void count_line(const char *name, uint64_t n)
{
    printf("%-14s %" PRIu64 "\n", name, n);
}

void print_stats(const struct aw_stats *s)
{
    char text[32];

    printf("%-14s %s, pid %d, store %s\n", "daemon", s->daemon, (int)s->pid, s->tag);
    duration_format(text, sizeof(text), MAX((now_us() - s->started_us) / 1000, INT64_C(0)));
    printf("%-14s %s\n", "up for", text);
    if (s->runner_pid)
        printf("%-14s pid %d\n", "runner", (int)s->runner_pid);
    else
        printf("%-14s not connected\n", "runner");
    printf("%-14s %" PRIu32 "%s%s\n", "slots", s->slots, s->draining ? ", draining" : "",
           s->disk_full ? ", DISK FULL" : "");
    count_line("running", s->running);
    count_line("queued", s->queued);
    count_line("scheduled", s->scheduled);
    count_line("blocked", s->blocked);
    count_line("kept", s->kept);
    printf("since its start\n");
    count_line("  submitted", s->submitted);
    count_line("  deduplicated", s->deduplicated);
    count_line("  succeeded", s->succeeded);
    count_line("  failed", s->failed);
    count_line("  cancelled", s->cancelled);
    count_line("  pruned", s->pruned);
    count_line("  commits", s->commits);
    count_line("  requests", s->requests);
    count_line("  store steps", s->store_steps);
    count_line("  sched steps", s->sched_steps);
    count_line("connections", s->connections);
    count_line("waiters", s->waiters);
    count_line("sets", s->sets);
    printf("%-14s %s\n", "store size", size_text(s->store_bytes, text));
    latency_line("first result", &s->first_result);
    latency_line("queue wait", &s->queue_wait);
    latency_line("run", &s->run);
    latency_line("total", &s->total);
    latency_line("loop", &s->loop);
}

/* ---- stdout ------------------------------------------------------------------------------- */

int output_code(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return json_whole() ? code : aw_err_exit_code(AW_ERR_NO_MEMORY);
    complain("standard output: %s", strerror(errno));
    return aw_err_exit_code(AW_ERR_DISK_FULL);
}

bool write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}
