/*
 * futures_threads.c - libaw's futures against a real daemon.
 *
 *     futures_threads share ROUNDS   one future, used by four threads at once
 *     futures_threads watch N        N jobs with callbacks, a tenth of which have ended before;
 *                                    says "watching" once all are there, and at the end how often
 *                                    callbacks came. The daemon may be restarted meanwhile.
 *
 * Exits with 0 if all was as it must be.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/aw.h"

static struct aw_error err; /* of the main thread */

static void check(enum aw_err e)
{
    if (!e)
        return;
    fprintf(stderr, "futures_threads: %s\n", err.text);
    exit(1);
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "futures_threads: %s\n", what);
    exit(1);
}

static struct aw_job sleep_job(int64_t ms)
{
    struct aw_job job;

    aw_job_init(&job);
    job.type = "sleep";
    job.sleep_ms = ms;
    return job;
}

/* ---- share ------------------------------------------------------------------------------- */

struct shared {
    struct aw_client *client;
    struct aw_future *future;
    atomic_int n_called;
};

static void *use_result(void *arg)
{
    struct shared *s = arg;
    struct aw_result *result;

    if (aw_future_result(s->future, AW_FOREVER, &result, NULL))
        return s;
    must(result->status->state == AW_CANCELLED, "the result is of another state");
    aw_result_free(result);
    return NULL;
}

static void *use_done(void *arg)
{
    struct shared *s = arg;
    enum aw_state state = AW_QUEUED;
    bool done = false;

    while (!done)
        if (aw_future_done(s->future, &done, NULL))
            return s;
    return aw_future_state(s->future, &state, NULL) || state != AW_CANCELLED ? s : NULL;
}

static void *use_cancel(void *arg)
{
    struct shared *s = arg;

    return aw_future_cancel(s->future, NULL) ? s : NULL;
}

static void count(struct aw_future *future, const struct aw_status *status, void *arg)
{
    struct shared *s = arg;

    s->n_called += future == s->future && status->state == AW_CANCELLED;
}

static void *use_loop(void *arg)
{
    struct shared *s = arg;
    size_t pending = 1;

    for (int i = 0; i < 3; i++)
        if (aw_future_on_done(s->future, count, s, NULL))
            return s;
    while (pending > 0)
        if (aw_client_process(s->client, 1000, &pending, NULL))
            return s;
    return NULL;
}

static void share_once(struct aw_client *client)
{
    static void *(*const uses[])(void *) = {use_result, use_done, use_loop, use_cancel};
    struct shared s = {.client = client};
    struct aw_job job = sleep_job(600000);
    pthread_t threads[4];

    check(aw_submit(client, &job, 1, &s.future, &err));
    for (int i = 0; i < 4; i++)
        must(pthread_create(&threads[i], NULL, uses[i], &s) == 0, "no thread");
    for (int i = 0; i < 4; i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        must(!failed, "a call of a thread has failed");
    }
    must(s.n_called == 3, "callbacks did not come once each");
    aw_future_unref(s.future);
}

static void share(struct aw_client *client, int rounds)
{
    for (int i = 0; i < rounds; i++)
        share_once(client);
    printf("shared\n");
}

/* ---- watch ------------------------------------------------------------------------------- */

struct watched {
    struct aw_future *future;
    int n_called;
};

static void mark(struct aw_future *future, const struct aw_status *status, void *arg)
{
    struct watched *w = arg;

    must(future == w->future && !status->err && status->state == AW_SUCCEEDED &&
             !strcmp(status->id, aw_future_id(future)),
         "a callback with something else");
    w->n_called++;
}

static void watch(struct aw_client *client, int n)
{
    struct watched *all = calloc((size_t)n, sizeof(*all));
    size_t pending = (size_t)n;
    int n_once = 0;

    for (int i = 0; i < n; i++) {
        struct aw_job job = sleep_job(i % 10 ? 200 + i * 2000 / n : 0);

        check(aw_submit(client, &job, 1, &all[i].future, &err));
        if (i % 10 == 0)
            check(aw_future_wait(all[i].future, AW_FOREVER, &err));
        check(aw_future_on_done(all[i].future, mark, &all[i], &err));
    }
    printf("watching\n");
    fflush(stdout);
    while (pending > 0)
        check(aw_client_process(client, AW_FOREVER, &pending, &err));
    for (int i = 0; i < n; i++) {
        n_once += all[i].n_called == 1;
        aw_future_unref(all[i].future);
    }
    free(all);
    printf("%d of %d once\n", n_once, n);
    must(n_once == n, "callbacks did not come once each");
}

int main(int argc, char **argv)
{
    struct aw_client *client;

    must(argc == 3, "share ROUNDS, or watch N");
    check(aw_client_open(NULL, &client, &err));
    if (!strcmp(argv[1], "share"))
        share(client, (int)strtol(argv[2], NULL, 10));
    else
        watch(client, (int)strtol(argv[2], NULL, 10));
    aw_client_close(client);
    return 0;
}
