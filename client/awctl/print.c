#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "client/awctl/awctl.h"
#include "client/awctl/lazy.h"
#include "client/awctl/utf8.h"
#include "proto/text.h"

/*
 * What jobs are called comes from their submitters: control characters could drive the terminal
 * of whoever looks at them.
 */
static void clean_text(const char *text, char *buf, size_t size)
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

static const char *size_text(uint64_t bytes, char buf[32])
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

static const char *time_text(int64_t us, char buf[32])
{
    time_t t = (time_t)(us / 1000000);
    struct tm tm;

    localtime_r(&t, &tm);
    strftime(buf, 32, "%Y-%m-%d %H:%M:%S", &tm);
    return buf;
}

/* How long it ran, or runs by now; "" when it has not started. */
static const char *run_text(const struct aw_status *s, char buf[32])
{
    int64_t end = aw_state_is_final(s->state) ? s->ended_us : now_us();

    *buf = '\0';
    if (s->started_us)
        duration_format(buf, 32, MAX((end - s->started_us) / 1000, INT64_C(0)));
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

static void user_line(uint32_t uid)
{
    struct passwd *pw = getpwuid(uid);

    if (pw)
        printf("%-10s %s\n", "user", pw->pw_name);
    else
        printf("%-10s %" PRIu32 "\n", "user", uid);
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
    text_line("retry of", s->retry_of);
    time_line("submitted", s->created_us);
    if (s->state == AW_SCHEDULED)
        time_line("due", s->due_us);
    time_line("started", s->started_us);
    time_line("ended", s->ended_us);
    usage_lines(s);
    time_line("kept until", s->expires_us);
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

/* ---- Many jobs ---------------------------------------------------------------------------- */

enum { COL_ID, COL_STATE, COL_CODE, COL_AGE, COL_RAN, COL_NAME, COL_COMMAND, N_COLS };

static const struct {
    const char *name;
    double width;
    int flags;
} columns[N_COLS] = {
    [COL_ID] = {"ID", 8, 0},
    [COL_STATE] = {"STATE", 9, 0},
    [COL_CODE] = {"EXIT", 4, SCOLS_FL_RIGHT},
    [COL_AGE] = {"AGE", 6, SCOLS_FL_RIGHT},
    [COL_RAN] = {"RAN", 6, SCOLS_FL_RIGHT},
    [COL_NAME] = {"NAME", 0.1, SCOLS_FL_TRUNC},
    [COL_COMMAND] = {"COMMAND", 0.5, SCOLS_FL_TRUNC | SCOLS_FL_NOEXTREMES},
};

static const char *state_color(const struct aw_status *s)
{
    if (s->err || s->state == AW_FAILED)
        return "red";
    switch (s->state) {
    case AW_SUCCEEDED:
        return "green";
    case AW_RUNNING:
        return "cyan";
    case AW_CANCELLED:
        return "yellow";
    default:
        return NULL;
    }
}

static void code_text(const struct aw_status *s, char buf[32])
{
    const char *name = s->signal ? sigabbrev_np(s->signal) : NULL;

    *buf = '\0';
    if (name)
        snprintf(buf, 32, "%s", name);
    else if (s->signal)
        snprintf(buf, 32, "sig%d", s->signal);
    else if (s->exit_code >= 0)
        snprintf(buf, 32, "%d", s->exit_code);
}

static void table_row(struct libscols_table *table, const struct aw_status *s)
{
    struct libscols_line *row = lazy_scols_table_new_line(table, NULL);
    const char *color = state_color(s);
    char text[1024], small[32];

    if (!row)
        return;
    lazy_scols_line_set_data(row, COL_ID, s->id);
    lazy_scols_line_set_data(row, COL_STATE,
                             s->err ? aw_err_name(s->err) : aw_state_name(s->state));
    if (color)
        lazy_scols_cell_set_color(lazy_scols_line_get_cell(row, COL_STATE), color);
    if (s->err)
        return;
    code_text(s, small);
    lazy_scols_line_set_data(row, COL_CODE, small);
    duration_format(small, sizeof(small), MAX((now_us() - s->created_us) / 1000, INT64_C(0)));
    lazy_scols_line_set_data(row, COL_AGE, small);
    lazy_scols_line_set_data(row, COL_RAN, run_text(s, small));
    clean_text(s->name, text, sizeof(text));
    lazy_scols_line_set_data(row, COL_NAME, text);
    clean_text(*s->command ? s->command : s->type, text, sizeof(text));
    lazy_scols_line_set_data(row, COL_COMMAND, text);
}

int print_table(const struct aw_statuses *list)
{
    const char *no_color = getenv("NO_COLOR");
    size_t n = aw_statuses_count(list);
    struct libscols_table *table;

    if (!lazy_smartcols())
        return aw_err_exit_code(AW_ERR_SYSTEM);
    table = lazy_scols_new_table();
    if (!table) {
        complain("table: out of memory");
        return aw_err_exit_code(AW_ERR_NO_MEMORY);
    }
    for (size_t i = 0; i < N_COLS; i++)
        lazy_scols_table_new_column(table, columns[i].name, columns[i].width, columns[i].flags);
    lazy_scols_table_enable_colors(table, isatty(STDOUT_FILENO) && !(no_color && *no_color));
    for (size_t i = 0; i < n; i++)
        table_row(table, aw_statuses_at(list, i));
    lazy_scols_print_table(table);
    lazy_scols_unref_table(table);
    return 0;
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
    count_line("connections", s->connections);
    count_line("waiters", s->waiters);
    printf("%-14s %s\n", "store size", size_text(s->store_bytes, text));
}

/* ---- stdout ------------------------------------------------------------------------------- */

int output_code(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
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
