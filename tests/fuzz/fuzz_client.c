/*
 * A hostile daemon: what libaw makes of the answers that it gets.
 *
 * The input's first byte chooses a call of aw.h, the second how the connection behaves; the rest
 * is a script of what the daemon sends (hostile_daemon.h). When it is over the daemon is gone for
 * good, and the call must come back. What it hands out is read to the last byte.
 */
#include "tests/fuzz/hostile_daemon.h"

#include "client/aw.h"

/* Beside how the connection behaves: gather is strict. */
#define STRICT 4

static unsigned behaviour;

/* ---- What was handed out is read to its end -------------------------------------------------- */

static volatile unsigned sum;

static void read_bytes(const void *data, size_t len)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < len; i++)
        sum += p[i];
}

static void read_text(const char *text)
{
    fuzz_check(text != NULL, "a text is NULL");
    sum += (unsigned)strlen(text);
}

static void read_limits(const struct aw_limits *limits)
{
    sum += (unsigned)(limits->memory + limits->cpu + limits->processes + limits->files);
    sum += (unsigned)(limits->file_size + (uint64_t)limits->cpu_time_ms);
    sum += (unsigned)(limits->nice + limits->io_priority);
}

static void read_status(const struct aw_status *s)
{
    const char *const texts[] = {s->id,      s->message, s->type,     s->name,
                                 s->command, s->key,     s->retry_of, s->queue};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        read_text(texts[i]);
    read_limits(&s->limits);
    read_text(aw_state_name(s->state));
    read_text(aw_class_name(s->error_class));
}

static void read_statuses(struct aw_statuses *list)
{
    for (size_t i = 0; i < aw_statuses_count(list); i++)
        read_status(aw_statuses_at(list, i));
    aw_statuses_free(list);
}

static void read_outcomes(struct aw_outcomes *list)
{
    for (size_t i = 0; i < aw_outcomes_count(list); i++) {
        const struct aw_outcome *o = aw_outcomes_at(list, i);

        read_text(o->id);
        read_text(o->message);
        read_text(o->new_id);
    }
    aw_outcomes_free(list);
}

static void read_result(const struct aw_result *result)
{
    read_status(result->status);
    read_bytes(result->data, result->len + 1);
    fuzz_check(result->data[result->len] == '\0', "no NUL behind the data");
}

static void read_chunk(struct aw_chunk *chunk)
{
    read_bytes(chunk->data, chunk->len + 1);
    fuzz_check(chunk->data[chunk->len] == '\0', "no NUL behind the data");
    aw_chunk_free(chunk);
}

static void read_texts(const char *const *texts)
{
    for (; *texts; texts++)
        read_text(*texts);
}

static void read_sets(struct aw_sets *list)
{
    for (size_t i = 0; i < aw_sets_count(list); i++)
        read_text(aw_sets_at(list, i)->name);
    aw_sets_free(list);
}

static void read_queues(struct aw_queues *list)
{
    for (size_t i = 0; i < aw_queues_count(list); i++) {
        read_text(aw_queues_at(list, i)->name);
        read_limits(&aw_queues_at(list, i)->limits);
    }
    aw_queues_free(list);
}

static void read_users(struct aw_users *list)
{
    for (size_t i = 0; i < aw_users_count(list); i++)
        sum += (unsigned)(aw_users_at(list, i)->uid + aw_users_at(list, i)->bytes);
    aw_users_free(list);
}

/* ---- The calls: one function for each kind of answer ----------------------------------------- */

#define SOON_MS 20 /* no limit that matters: the daemon is gone before */

static const char *const ids[] = {"k3f9q-1042", "7"};
#define N_IDS ARRAY_SIZE(ids)

typedef enum aw_err (*call_fn)(struct aw_client *client, struct aw_error *err);

static enum aw_err call_hello(struct aw_client *client, struct aw_error *err)
{
    struct aw_hello *hello;
    enum aw_err e = aw_hello(client, &hello, err);

    if (!e) {
        read_text(hello->tag);
        read_text(hello->daemon);
        aw_hello_free(hello);
    }
    return e;
}

static enum aw_err call_stats(struct aw_client *client, struct aw_error *err)
{
    struct aw_stats *stats;
    enum aw_err e = aw_stats(client, &stats, err);

    if (!e) {
        read_text(stats->tag);
        read_text(stats->daemon);
        aw_stats_free(stats);
    }
    return e;
}

static void use_future(struct aw_future *future)
{
    struct aw_result *result;
    enum aw_class class;
    enum aw_state state;

    read_text(aw_future_id(future));
    if (!aw_future_state(future, &state, NULL))
        read_text(aw_state_name(state));
    if (!aw_future_exception(future, &class, NULL))
        read_text(aw_class_name(class));
    if (!aw_future_result(future, SOON_MS, &result, NULL)) {
        read_result(result);
        aw_result_free(result);
    }
    (void)aw_future_cancel(future, NULL);
    aw_future_unref(future);
}

static enum aw_err call_submit(struct aw_client *client, struct aw_error *err)
{
    static char *const argv[] = {(char *)"true", (char *)"x", NULL};
    struct aw_future *futures[2];
    struct aw_job jobs[2];
    enum aw_err e;

    aw_job_init(&jobs[0]);
    aw_job_init(&jobs[1]);
    jobs[0].argv = argv;
    jobs[0].limits.files = 64;
    jobs[1].type = "noop";
    jobs[1].key = "mail";
    jobs[1].after = (char *const[]){(char *)ids[0], NULL};
    e = aw_submit(client, jobs, 2, futures, err);
    if (!e) {
        use_future(futures[0]);
        use_future(futures[1]);
    }
    return e;
}

static enum aw_err call_lookup(struct aw_client *client, struct aw_error *err)
{
    struct aw_future *future;
    enum aw_err e = aw_lookup(client, ids[0], &future, err);

    if (!e)
        use_future(future);
    return e;
}

static enum aw_err call_status(struct aw_client *client, struct aw_error *err)
{
    struct aw_statuses *list;
    enum aw_err e = aw_status(client, ids, N_IDS, &list, err);

    if (!e)
        read_statuses(list);
    return e;
}

static enum aw_err call_wait(struct aw_client *client, struct aw_error *err)
{
    struct aw_progress progress;
    struct aw_statuses *list;
    enum aw_err e = aw_wait(client, ids, N_IDS, SOON_MS, &progress, &list, err);

    if (!e)
        read_statuses(list);
    return e;
}

static enum aw_err call_wait_until(struct aw_client *client, struct aw_error *err)
{
    struct aw_statuses *list;
    struct aw_until until;
    enum aw_err e;

    aw_until_init(&until);
    until.n_ended = 1;
    until.first_error = true;
    e = aw_wait_until(client, ids, N_IDS, &until, SOON_MS, NULL, &list, err);
    if (!e)
        read_statuses(list);
    return e;
}

static enum aw_err call_list(struct aw_client *client, struct aw_error *err)
{
    struct aw_statuses *list;
    struct aw_filter filter;
    const char *next;
    enum aw_err e;

    aw_filter_init(&filter);
    filter.states = 1u << AW_FAILED;
    e = aw_list(client, &filter, &list, &next, err);
    if (!e) {
        if (next)
            read_text(next);
        read_statuses(list);
    }
    return e;
}

static enum aw_err call_attempts(struct aw_client *client, struct aw_error *err)
{
    struct aw_attempts *list;
    enum aw_err e = aw_attempts(client, ids[0], &list, err);

    for (size_t i = 0; !e && i < aw_attempts_count(list); i++)
        read_text(aw_attempts_at(list, i)->message);
    if (!e)
        aw_attempts_free(list);
    return e;
}

static enum aw_err call_result(struct aw_client *client, struct aw_error *err)
{
    struct aw_result *result;
    enum aw_err e = aw_result_read(client, ids[0], 3, &result, err);

    if (!e) {
        read_result(result);
        aw_result_free(result);
    }
    return e;
}

static enum aw_err call_logs(struct aw_client *client, struct aw_error *err)
{
    struct aw_chunk *chunk;
    enum aw_err e = aw_logs(client, ids[0], AW_STDERR, -10, SOON_MS, &chunk, err);

    if (!e) {
        read_chunk(chunk);
        e = aw_logs_attempt(client, ids[0], 2, AW_STDOUT, 5, SOON_MS, &chunk, err);
    }
    if (!e)
        read_chunk(chunk);
    return e;
}

static enum aw_err call_cancel(struct aw_client *client, struct aw_error *err)
{
    struct aw_outcomes *list;
    enum aw_err e = aw_cancel(client, ids, N_IDS, -1, &list, err);

    if (!e)
        read_outcomes(list);
    return e;
}

static enum aw_err call_retry(struct aw_client *client, struct aw_error *err)
{
    struct aw_outcomes *list;
    enum aw_err e = aw_retry(client, ids, N_IDS, &list, err);

    if (!e)
        read_outcomes(list);
    return e;
}

static enum aw_err call_forget(struct aw_client *client, struct aw_error *err)
{
    struct aw_outcomes *list;
    enum aw_err e = aw_forget(client, ids, N_IDS, &list, err);

    if (!e)
        read_outcomes(list);
    return e;
}

static enum aw_err call_change(struct aw_client *client, struct aw_error *err)
{
    struct aw_outcomes *list;
    enum aw_err e = aw_set_priority(client, ids, N_IDS, 5, &list, err);

    if (!e)
        read_outcomes(list);
    return e;
}

static enum aw_err call_explain(struct aw_client *client, struct aw_error *err)
{
    struct aw_explanation *why;
    enum aw_err e = aw_explain(client, ids[0], &why, err);

    if (!e) {
        read_text(why->reason);
        read_text(why->message);
        read_text(why->queue);
        read_texts(why->before);
        read_texts(why->parents);
        aw_explanation_free(why);
    }
    return e;
}

static enum aw_err call_set_add(struct aw_client *client, struct aw_error *err)
{
    struct aw_outcomes *list;
    enum aw_err e = aw_set_add(client, "night", ids, N_IDS, true, &list, err);

    if (!e)
        read_outcomes(list);
    return e;
}

static enum aw_err call_set_list(struct aw_client *client, struct aw_error *err)
{
    struct aw_sets *list;
    enum aw_err e = aw_set_list(client, "n", &list, err);

    if (!e)
        read_sets(list);
    return e;
}

static enum aw_err call_set_show(struct aw_client *client, struct aw_error *err)
{
    struct aw_set_info *info;
    enum aw_err e = aw_set_show(client, "night", &info, err);

    if (!e) {
        read_text(info->set->name);
        aw_set_info_free(info);
    }
    return e;
}

static enum aw_err call_set_members(struct aw_client *client, struct aw_error *err)
{
    struct aw_statuses *list;
    enum aw_err e = aw_set_members(client, "night", &list, err);

    if (!e)
        read_statuses(list);
    return e;
}

static enum aw_err call_set_wait(struct aw_client *client, struct aw_error *err)
{
    struct aw_progress progress;

    return aw_set_wait(client, "night", NULL, SOON_MS, &progress, err);
}

static enum aw_err call_set_end(struct aw_client *client, struct aw_error *err)
{
    uint64_t cancelled, stopping;
    enum aw_err e = aw_set_close(client, "night", err);

    if (!e)
        e = aw_set_cancel(client, "night", 5, &cancelled, &stopping, err);
    return e ? e : aw_set_forget(client, "night", true, err);
}

static enum aw_err call_queue_list(struct aw_client *client, struct aw_error *err)
{
    struct aw_queues *list;
    enum aw_err e = aw_queue_list(client, &list, err);

    if (!e)
        read_queues(list);
    return e;
}

static enum aw_err call_users(struct aw_client *client, struct aw_error *err)
{
    struct aw_users *list;
    enum aw_err e = aw_user_list(client, &list, err);

    if (!e)
        read_users(list);
    return e;
}

static enum aw_err call_queue_set(struct aw_client *client, struct aw_error *err)
{
    static const char *const only[] = {"memory", "nice", NULL};
    const struct aw_limits limits = {.memory = 1 << 30, .nice = 5};
    struct aw_queue_change change;
    struct aw_queues *list;
    enum aw_err e;

    aw_queue_change_init(&change);
    change.slots = 3;
    change.limits = &limits;
    change.only_limits = only;
    e = aw_queue_set(client, "mail", &change, &list, err);
    if (!e) {
        read_queues(list);
        e = aw_queue_remove(client, "mail", err);
    }
    return e;
}

static enum aw_err call_control(struct aw_client *client, struct aw_error *err)
{
    unsigned slots;
    uint64_t n;
    enum aw_err e = aw_slots(client, 4, &slots, &n, err);

    if (!e)
        e = aw_drain(client, true, &n, err);
    return e ? e : aw_shutdown(client, AW_SHUTDOWN_KILL, &n, err);
}

static enum aw_err completions_read(struct aw_completions *each, struct aw_error *err)
{
    struct aw_completions_progress progress;
    const struct aw_status *status = NULL;
    struct aw_statuses *left;
    enum aw_err e;

    while (!(e = aw_completions_next(each, &status, err)) && status) {
        read_status(status);
        sum += (unsigned)aw_completions_place(each);
        aw_completions_get_progress(each, &progress);
    }
    if (!aw_completions_left(each, &left, NULL))
        read_statuses(left);
    (void)aw_completions_ack(each, NULL);
    aw_completions_free(each);
    return e;
}

static enum aw_err call_as_completed(struct aw_client *client, struct aw_error *err)
{
    struct aw_completions *each;
    enum aw_err e = aw_as_completed(client, ids, N_IDS, SOON_MS, &each, err);

    return e ? e : completions_read(each, err);
}

static enum aw_err call_set_as_completed(struct aw_client *client, struct aw_error *err)
{
    struct aw_completions *each;
    struct aw_read_opts opts;
    enum aw_err e;

    aw_read_opts_init(&opts);
    opts.consumer = "c";
    opts.timeout_ms = SOON_MS;
    e = aw_set_as_completed(client, "night", &opts, &each, err);
    return e ? e : completions_read(each, err);
}

static enum aw_err call_gather(struct aw_client *client, struct aw_error *err)
{
    struct aw_gather_opts opts;
    struct aw_gathered *all = NULL;
    enum aw_err e;

    aw_gather_opts_init(&opts);
    opts.strict = opts.cancel_rest = behaviour & STRICT;
    opts.timeout_ms = SOON_MS;
    e = aw_gather(client, ids, N_IDS, &opts, &all, err);
    for (size_t i = 0; all && i < aw_gathered_count(all); i++)
        read_result(aw_gathered_at(all, i));
    aw_gathered_free(all);
    return e;
}

static void on_done(struct aw_future *future, const struct aw_status *status, void *arg)
{
    size_t *n_done = arg;

    read_text(aw_future_id(future));
    read_status(status);
    ++*n_done;
}

/* Callbacks in an event loop, while other calls go on. */
static enum aw_err call_on_done(struct aw_client *client, struct aw_error *err)
{
    struct aw_future *future;
    size_t pending = 1, n_done = 0;
    enum aw_err e = aw_lookup(client, ids[0], &future, err);
    int fd;

    if (e)
        return e;
    e = aw_client_fd(client, &fd, err);
    if (!e)
        e = aw_future_on_done(future, on_done, &n_done, err);
    for (int turns = 0; !e && pending && turns < 1000 && !hostile_daemon_done(); turns++)
        e = aw_client_process(client, 0, &pending, err);
    /* It would go on trying to connect for as long as it is asked. */
    if (!e && pending)
        e = aw_client_process(client, 1, &pending, err);
    aw_future_unref(future);
    fuzz_check(n_done <= 1 && (e || pending || n_done == 1), "called back %zu times", n_done);
    return e;
}

/* New ones come last, so that the corpus goes on meaning what it means. */
static const call_fn calls[] = {
    call_hello,      call_stats,        call_submit,
    call_lookup,     call_status,       call_wait,
    call_wait_until, call_list,         call_attempts,
    call_result,     call_logs,         call_cancel,
    call_retry,      call_forget,       call_change,
    call_explain,    call_set_add,      call_set_list,
    call_set_show,   call_set_members,  call_set_wait,
    call_set_end,    call_queue_list,   call_queue_set,
    call_control,    call_as_completed, call_set_as_completed,
    call_gather,     call_on_done,      call_users,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct aw_client_config config;
    struct aw_client *client;
    struct aw_error err = {.text = ""};
    struct input in = {data, size};
    call_fn call = calls[input_byte(&in) % ARRAY_SIZE(calls)];
    enum aw_err e;

    behaviour = input_byte(&in);
    hostile_daemon_start(in, behaviour);
    aw_client_config_init(&config);
    config.url = "/nowhere";
    config.retry_ms = config.wait_retry_ms = 0;
    fuzz_check(!aw_client_open(&config, &client, &err), "%s", err.text);
    e = call(client, &err);
    fuzz_check(!e || (err.code == e && err.text[0]), "%s: no reason was given", aw_err_name(e));
    aw_client_close(client);
    return 0;
}
