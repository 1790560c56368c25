#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include "client/awctl/jobspec.h"

/*
 * Most jobs are short: it is waited for a moment whether this is one of them, and then only its
 * output, if there is any, is left to be asked for. Otherwise two threads follow the job's two
 * streams, on one client; the first thread waits for signals and for their end.
 */
#define MOMENT_MS 20
#define SHORT_OUT (64u << 10) /* bytes that are fetched in no time */

struct run_values {
    struct jobspec spec;
};

static struct run_values values = {.spec = {JOBSPEC_DEFAULTS}};

static const struct opt opts[] = {JOBSPEC_OPTIONS(run_values)};

struct follower {
    struct awctl *ctl;
    const char *id;
    enum aw_stream stream;
    int to_fd, done_fd;
    enum aw_err failed;
    struct aw_error err;
    pthread_t thread;
};

static enum aw_err piece_write(struct follower *f, const struct aw_chunk *chunk)
{
    if (f->ctl->json) {
        flockfile(stdout);
        json_chunk(f->id, f->stream == AW_STDOUT ? "stdout" : "stderr", chunk);
        fflush(stdout);
        funlockfile(stdout);
        return AW_OK;
    }
    if (write_all(f->to_fd, chunk->data, chunk->len))
        return AW_OK;
    return aw_fail(&f->err, AW_ERR_DISK_FULL, "standard %s: %s",
                   f->stream == AW_STDOUT ? "output" : "error", strerror(errno));
}

static void follow_to_end(struct follower *f)
{
    struct log_cursor cursor = {.attempt = 1};
    bool end = false;

    while (!end && !f->failed) {
        struct aw_chunk *chunk;

        f->failed = cursor_next(f->ctl, f->id, f->stream, &cursor, &chunk, &f->err);
        if (f->failed)
            break;
        end = cursor_at_end(chunk);
        if (chunk->len)
            f->failed = piece_write(f, chunk);
        aw_chunk_free(chunk);
    }
}

static void *follow(void *arg)
{
    struct follower *f = arg;
    uint64_t one = 1;

    follow_to_end(f);
    if (write(f->done_fd, &one, sizeof(one)) < 0)
        f->failed = AW_ERR_SYSTEM;
    return NULL;
}

/* The first signal cancels the job; the second one leaves it alone, and awctl ends. */
static void interrupted(struct awctl *ctl, const char *id, unsigned n)
{
    struct aw_outcomes *list;
    struct aw_error err;

    if (n > 1) {
        complain("left %s alone; awctl wait %s sees its end", id, id);
        _exit(EXIT_INTERRUPTED);
    }
    complain("cancelling %s; again to leave it", id);
    if (aw_cancel(ctl->client, &id, 1, -1, &list, &err))
        awctl_fail(&err);
    else
        aw_outcomes_free(list);
}

/* Until both followers are done. Returns how many signals came. */
static unsigned attend(struct awctl *ctl, const char *id, int signal_fd, int done_fd)
{
    struct pollfd fds[2] = {{signal_fd, POLLIN, 0}, {done_fd, POLLIN, 0}};
    unsigned n_signals = 0, n_done = 0;

    while (n_done < 2) {
        struct signalfd_siginfo info;
        uint64_t count;

        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents && read(signal_fd, &info, sizeof(info)) == sizeof(info))
            interrupted(ctl, id, ++n_signals);
        if (fds[1].revents && read(done_fd, &count, sizeof(count)) == sizeof(count))
            n_done += (unsigned)count;
    }
    return n_signals;
}

static int verdict(const struct awctl *ctl, const struct aw_statuses *list)
{
    int code = verdict_all(list, true);

    if (ctl->json)
        json_statuses(list);
    else if (aw_statuses_at(list, 0)->error_class != AW_CLASS_EXIT)
        verdict_complain(list);
    return code;
}

static int finish(struct awctl *ctl, const char *id, unsigned n_signals)
{
    struct aw_statuses *list;
    struct aw_error err;
    int code;

    if (aw_wait(ctl->client, &id, 1, AW_FOREVER, NULL, &list, &err))
        return awctl_fail(&err);
    code = verdict(ctl, list);
    aw_statuses_free(list);
    return n_signals ? EXIT_INTERRUPTED : code;
}

static void followers_init(struct follower f[2], struct awctl *ctl, const char *id, int done_fd)
{
    static const struct follower streams[] = {{.stream = AW_STDOUT, .to_fd = STDOUT_FILENO},
                                              {.stream = AW_STDERR, .to_fd = STDERR_FILENO}};

    for (int i = 0; i < 2; i++) {
        f[i] = streams[i];
        f[i].ctl = ctl;
        f[i].id = id;
        f[i].done_fd = done_fd;
    }
}

static int follow_both(struct awctl *ctl, const char *id, int signal_fd)
{
    _cleanup_close_ int done_fd = eventfd(0, EFD_CLOEXEC);
    struct follower f[2];
    unsigned n_signals;

    followers_init(f, ctl, id, done_fd);
    for (int i = 0; i < 2; i++) {
        errno = done_fd < 0 ? errno : pthread_create(&f[i].thread, NULL, follow, &f[i]);
        if (errno) {
            complain("thread: %s; %s goes on without us", strerror(errno), id);
            _exit(aw_err_exit_code(AW_ERR_SYSTEM));
        }
    }
    n_signals = attend(ctl, id, signal_fd, done_fd);
    for (int i = 0; i < 2; i++)
        pthread_join(f[i].thread, NULL);
    for (int i = 0; i < 2; i++)
        if (f[i].failed)
            return awctl_fail(&f[i].err);
    return finish(ctl, id, n_signals);
}

/* It has ended, and its output is short: no threads are needed to get it. */
static int fetch_both(struct awctl *ctl, const struct aw_statuses *list)
{
    const struct aw_status *s = aw_statuses_at(list, 0);
    const uint64_t sizes[] = {s->stdout_size, s->stderr_size};
    struct follower f[2];

    followers_init(f, ctl, s->id, -1);
    for (int i = 0; i < 2; i++) {
        if (sizes[i])
            follow_to_end(&f[i]);
        if (f[i].failed)
            return awctl_fail(&f[i].err);
    }
    return verdict(ctl, list);
}

static bool is_short(const struct aw_statuses *list)
{
    const struct aw_status *s = aw_statuses_at(list, 0);

    return !s->err && s->attempt <= 1 && s->stdout_size + s->stderr_size <= SHORT_OUT;
}

static int see_through(struct awctl *ctl, const char *id, int signal_fd)
{
    struct aw_statuses *list;
    struct aw_error err;
    enum aw_err e = aw_wait(ctl->client, &id, 1, MOMENT_MS, NULL, &list, &err);
    int code;

    if (e == AW_ERR_TIMED_OUT)
        return follow_both(ctl, id, signal_fd);
    if (e)
        return awctl_fail(&err);
    code = is_short(list) ? fetch_both(ctl, list) : follow_both(ctl, id, signal_fd);
    aw_statuses_free(list);
    return code;
}

static int submit_and_follow(struct awctl *ctl, const struct aw_job *job)
{
    _cleanup_close_ int signal_fd = -1;
    struct aw_future *future;
    struct aw_error err;
    sigset_t set;
    int code;

    /* Before the submit: from there on Ctrl-C means the job. */
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (signal_fd < 0) {
        complain("signalfd: %s", strerror(errno));
        return aw_err_exit_code(AW_ERR_SYSTEM);
    }
    if (aw_submit(ctl->client, job, 1, &future, &err))
        return awctl_fail(&err);
    code = see_through(ctl, aw_future_id(future), signal_fd);
    aw_future_unref(future);
    return code;
}

static int run(struct awctl *ctl, int argc, char **argv)
{
    _cleanup_madejob_ struct madejob m = {0};
    struct aw_error err;
    int code;

    if (jobspec_make(&values.spec, argc, argv, true, &m, &err))
        return err.code == AW_ERR_USAGE ? bad_usage("run", "%s", err.text) : awctl_fail(&err);
    code = awctl_prepare(ctl);
    if (code)
        return code;
    return output_code(submit_and_follow(ctl, &m.job));
}

const struct command command_run = {
    .name = "run",
    .usage = "[OPTION...] [--] COMMAND [ARG...]",
    .help = "submit a job, show its output as it comes, exit as it exits",
    .notes = "Ctrl-C cancels the job; a second one leaves it running and ends awctl.",
    .opts = opts,
    .n_opts = ARRAY_SIZE(opts),
    .values = &values,
    .command_follows = true,
    .max_args = -1,
    .run = run,
};
