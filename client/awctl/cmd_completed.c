/* as-completed: what has ended, one line each, in the order in which it did. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include "client/awctl/print.h"
#include "client/awctl/waiting.h"

/*
 * The first thread asks for completions and prints them. A second one attends to signals, and
 * draws the bar. On a signal it closes the client, so that the first one comes back from wherever
 * it waits; nothing is printed from then on, and what was printed last is acknowledged by a client
 * of its own. A second signal does not wait for all that.
 */

#define ACK_MS        2000 /* for the acknowledgement after a signal */
#define LOOK_EVERY_US 1000000

struct completed_values {
    const char *set, *consumer;
    int64_t after, timeout_ms;
    bool output;
};

static struct completed_values values = {.after = -1, .timeout_ms = AW_FOREVER};

static const struct opt opts[] = {
    {"set", 0, OPT_TEXT, "NAME", "the members of a set, until it is closed",
     offsetof(struct completed_values, set), 0, 0},
    {"consumer", 0, OPT_TEXT, "NAME", "--set: whose cursor is used; each has its own",
     offsetof(struct completed_values, consumer), 0, 0},
    {"after", 0, OPT_INT, "PLACE", "--set: from behind this place (0: all), not the cursor",
     offsetof(struct completed_values, after), 0, INT64_MAX},
    {"timeout", 't', OPT_DURATION, "TIME", "wait no longer for all (default: for ever)",
     offsetof(struct completed_values, timeout_ms), 0, 0},
    {"output", 'o', OPT_FLAG, NULL, "with what each has written, a tab before each line",
     offsetof(struct completed_values, output), 0, 0},
};

struct stream {
    struct awctl *ctl;
    struct ids ids;
    struct aw_completions *each;
    uint64_t place; /* of the last one that was printed */
    int code;       /* what the exit code is so far */
    int signal_fd, over_fd;
    pthread_t attendant;

    pthread_mutex_t lock; /* the terminal, and what is below */
    struct bar bar;
    struct bar_state state;
    atomic_bool stopped; /* set with the lock, so that nothing is printed from then on */
};

/* ---- One completion ----------------------------------------------------------------------- */

/* What it has written, each line behind a tab, so that no output looks like a completion. */
static void output_print(FILE *to, const char *data, size_t len)
{
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) : len;

        putc('\t', to);
        fwrite(data, 1, n, to);
        putc('\n', to);
        n += end != NULL;
        data += n;
        len -= n;
    }
}

static void line_print(FILE *to, uint64_t place, const struct aw_status *s,
                       const struct aw_result *result)
{
    char verdict[VERDICT_TEXT], clean[VERDICT_TEXT], run[TEXT_SMALL];
    bool missing = verdict_missing(s);

    fprintf(to, "%" PRIu64 " %s %s %s", place, s->id,
            missing ? aw_err_name(s->err) : aw_state_name(s->state), *run_text(s, run) ? run : "-");
    if (verdict_code(s, false) && strcmp(verdict_text(s, verdict), aw_state_name(s->state)) != 0) {
        clean_text(verdict, clean, sizeof(clean));
        fprintf(to, " %s", clean);
    }
    putc('\n', to);
    if (result)
        output_print(to, result->data, result->len);
}

/* All of it at once: a reader never sees half a line, and nor does a file that we are killed on. */
static bool write_out(struct stream *st, const struct aw_status *s, const struct aw_result *result)
{
    _cleanup_free_ char *text = NULL;
    uint64_t place = aw_completions_place(st->each);
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    bool written;

    if (!to)
        return false;
    if (st->ctl->json)
        json_completed(to, place, s, result);
    else
        line_print(to, place, s, result);
    if (fclose(to) != 0 || !json_whole())
        return false;
    written = write_all(STDOUT_FILENO, text, len);
    if (written && place)
        st->place = place;
    return written;
}

/* All of its output, when that takes more than one reply. */
static enum aw_err long_output_get(struct stream *st, const struct aw_status *s,
                                   struct aw_result **ret, struct aw_error *err)
{
    struct aw_future *future;
    enum aw_err e = aw_lookup(st->ctl->client, s->id, &future, err);

    if (e)
        return e;
    e = aw_future_result(future, AW_FOREVER, ret, err);
    aw_future_unref(future);
    return e;
}

/* The output of one that has some, or NULL. */
static enum aw_err output_get(struct stream *st, const struct aw_status *s, struct aw_result **ret,
                              struct aw_error *err)
{
    enum aw_err e;

    *ret = NULL;
    if (!values.output || s->err)
        return AW_OK;
    e = aw_result_read(st->ctl->client, s->id, 0, ret, err);
    if (!e && !(*ret)->eof) {
        aw_result_free(*ret);
        *ret = NULL;
        e = long_output_get(st, s, ret, err);
    }
    /* Forgotten since it ended: its completion is news all the same. */
    return e == AW_ERR_EXPIRED_ID ? AW_OK : e;
}

/* False: over, for st->code. */
static bool completion_print(struct stream *st, const struct aw_status *s)
{
    struct aw_result *result;
    struct aw_error err;
    bool written = true;

    if (output_get(st, s, &result, &err)) {
        st->code = st->stopped ? EXIT_INTERRUPTED : awctl_fail(&err);
        return false;
    }
    pthread_mutex_lock(&st->lock);
    if (!st->stopped) {
        bar_clear(&st->bar);
        written = write_out(st, s, result);
        st->code = verdict_add(st->code, s, false);
    }
    pthread_mutex_unlock(&st->lock);
    aw_result_free(result);
    if (written)
        return !st->stopped;
    if (json_whole())
        complain("standard output: %s", strerror(errno));
    st->code = aw_err_exit_code(AW_ERR_DISK_FULL);
    return false;
}

/* ---- The attendant ------------------------------------------------------------------------ */

static void interrupted(struct stream *st)
{
    if (st->stopped)
        _exit(EXIT_INTERRUPTED);
    pthread_mutex_lock(&st->lock);
    bar_clear(&st->bar);
    st->stopped = true;
    pthread_mutex_unlock(&st->lock);
    aw_client_close(st->ctl->client); /* its memory stays: st->each holds it */
}

/* By a client of its own: however long the daemon takes, signals are attended to. */
static void look(struct stream *st, struct aw_client *client)
{
    struct bar_state seen = {.n_running = -1};

    if (values.set)
        look_at_set(client, values.set, &seen);
    else
        look_at_ids(client, st->ids.v, st->ids.n, &seen);
    pthread_mutex_lock(&st->lock);
    st->state.n_running = seen.n_running;
    st->state.open = seen.open;
    st->state.n = MAX(st->state.n, seen.n);
    if (seen.first_us)
        st->state.first_us = seen.first_us;
    pthread_mutex_unlock(&st->lock);
}

static void draw(struct stream *st)
{
    pthread_mutex_lock(&st->lock);
    bar_draw(&st->bar, &st->state);
    pthread_mutex_unlock(&st->lock);
}

static void *attend(void *arg)
{
    struct stream *st = arg;
    struct pollfd fds[2] = {{st->signal_fd, POLLIN, 0}, {st->over_fd, POLLIN, 0}};
    struct aw_client *looker = st->bar.on ? awctl_hasty_client(st->ctl) : NULL;
    int64_t looked_us = 0;

    while (!fds[1].revents) {
        bool drawing = st->bar.on && !st->stopped;
        struct signalfd_siginfo info;
        int n = poll(fds, 2, drawing ? BAR_EVERY_MS : -1);

        if (n > 0 && fds[0].revents && read(st->signal_fd, &info, sizeof(info)) == sizeof(info))
            interrupted(st);
        if (n != 0)
            continue;
        if (looker && boottime_us() - looked_us >= LOOK_EVERY_US) {
            look(st, looker);
            looked_us = boottime_us();
        }
        draw(st);
    }
    aw_client_close(looker);
    return NULL;
}

/* ---- All completions ---------------------------------------------------------------------- */

static void state_take(struct stream *st)
{
    struct aw_completions_progress progress;

    aw_completions_get_progress(st->each, &progress);
    pthread_mutex_lock(&st->lock);
    st->state.n = MAX(st->state.n, progress.n);
    st->state.n_ended = progress.n_ended;
    st->state.n_failed = progress.n_failed;
    pthread_mutex_unlock(&st->lock);
}

/* Time is over: names those that have not ended. */
static int left_print(struct stream *st, const struct aw_error *over)
{
    struct aw_statuses *list;
    struct aw_error err;

    if (aw_completions_left(st->each, &list, &err))
        return awctl_fail(&err);
    for (size_t i = 0; i < aw_statuses_count(list); i++) {
        const struct aw_status *s = aw_statuses_at(list, i);

        if (st->ctl->json)
            json_completed(stdout, 0, s, NULL);
        else if (verdict_known(s))
            complain("%s has ended only now", s->id);
        else
            complain("%s has not ended (%s)", s->id, aw_state_name(s->state));
    }
    aw_statuses_free(list);
    return awctl_fail(over);
}

/* After a signal: the last one that was printed is done with, and nothing behind it. */
static void ack_printed(struct stream *st)
{
    const struct aw_status *s = NULL;
    struct aw_completions *each;
    struct aw_read_opts read;
    struct aw_error err;
    enum aw_err e;

    if (!values.set || !st->place || awctl_prepare(st->ctl))
        return;
    aw_read_opts_init(&read);
    read.consumer = values.consumer;
    read.after = (int64_t)st->place - 1;
    read.timeout_ms = ACK_MS;
    e = aw_set_as_completed(st->ctl->client, values.set, &read, &each, &err);
    if (!e) {
        e = aw_completions_next(each, &s, &err);
        if (!e)
            e = aw_completions_ack(each, &err);
        aw_completions_free(each);
    }
    if (e)
        complain("place %" PRIu64 " could not be acknowledged (%s); it may come again", st->place,
                 err.text);
}

static void print_all(struct stream *st)
{
    const struct aw_status *s;
    struct aw_error err;
    enum aw_err e;

    do {
        e = aw_completions_next(st->each, &s, &err);
        state_take(st);
    } while (!e && s && completion_print(st, s));
    pthread_mutex_lock(&st->lock);
    bar_clear(&st->bar);
    pthread_mutex_unlock(&st->lock);
    if (st->stopped)
        return;
    if (e == AW_ERR_TIMED_OUT)
        st->code = left_print(st, &err);
    else if (e)
        st->code = awctl_fail(&err);
    if (values.set && st->place && (e == AW_ERR_TIMED_OUT || (!e && !s)) &&
        aw_completions_ack(st->each, &err))
        st->code = awctl_fail(&err);
}

static enum aw_err stream_open(struct stream *st, struct aw_error *err)
{
    struct aw_read_opts read;

    if (!values.set)
        return aw_as_completed(st->ctl->client, st->ids.v, st->ids.n, values.timeout_ms, &st->each,
                               err);
    aw_read_opts_init(&read);
    read.consumer = values.consumer;
    read.after = values.after;
    read.timeout_ms = values.timeout_ms;
    return aw_set_as_completed(st->ctl->client, values.set, &read, &st->each, err);
}

static int attendant_start(struct stream *st)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    st->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    st->over_fd = eventfd(0, EFD_CLOEXEC);
    errno = st->signal_fd < 0 || st->over_fd < 0 ? errno
                                                 : pthread_create(&st->attendant, NULL, attend, st);
    if (!errno)
        return 0;
    complain("signals: %s", strerror(errno));
    return aw_err_exit_code(AW_ERR_SYSTEM);
}

static int stream_run(struct stream *st)
{
    struct aw_error err;
    uint64_t one = 1;
    int code;

    /* A signal that comes before the attendant is there ends us: nothing has been printed yet. */
    if (stream_open(st, &err))
        return awctl_fail(&err);
    code = attendant_start(st);
    if (!code) {
        print_all(st);
        if (write(st->over_fd, &one, sizeof(one)) < 0)
            _exit(aw_err_exit_code(AW_ERR_SYSTEM));
        pthread_join(st->attendant, NULL);
        code = st->code;
    }
    aw_completions_free(st->each);
    if (st->stopped) {
        st->ctl->client = NULL; /* closed by the attendant */
        ack_printed(st);
        code = EXIT_INTERRUPTED;
    }
    return output_code(code);
}

static int run(struct awctl *ctl, int argc, char **argv)
{
    struct stream st = {.ctl = ctl, .state.n_running = -1, .signal_fd = -1, .over_fd = -1};
    int code;

    if (!values.set && (values.consumer || values.after >= 0))
        return bad_usage("as-completed", "--consumer and --after need --set");
    code = ids_or_set("as-completed", argc, argv, values.set, &st.ids);
    if (!code)
        code = awctl_prepare(ctl);
    if (!code) {
        st.state.n = st.ids.n;
        pthread_mutex_init(&st.lock, NULL);
        bar_init(&st.bar);
        code = stream_run(&st);
    }
    ids_done(&st.ids);
    return code;
}

const struct command command_as_completed = {
    .name = "as-completed",
    .usage = "[OPTION...] ID... | --set NAME",
    .help = "print what has ended, one line each, as soon as it has",
    .notes = "Lines have the place in the order of completion (0: there is no such future), the\n"
             "ID, the state, how long it ran, and how it failed. Of a set only those come that\n"
             "the consumer has not had: a line counts as had once it is written. Exits like wait.",
    .opts = opts,
    .n_opts = ARRAY_SIZE(opts),
    .values = &values,
    .max_args = -1,
    .run = run,
};
