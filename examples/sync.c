/*
 * sync.c - a script: run one job, take many as they complete, and gather them in their order.
 *
 *     cc -o sync sync.c $(pkg-config --cflags --libs libaw)
 *     ./sync
 *
 * Nothing of it is lost when this program is: the jobs go on, and their IDs stay good.
 */
#include <stdio.h>
#include <stdlib.h>

#include <aw.h>

#define N 3

static struct aw_error err;

static void check(enum aw_err e)
{
    if (!e)
        return;
    fprintf(stderr, "sync: %s\n", err.text);
    exit(aw_err_exit_code(e));
}

static void run_one(struct aw_client *client)
{
    char *argv[] = {"echo", "hello from a job", NULL};
    struct aw_result *result;
    struct aw_job job;

    aw_job_init(&job);
    job.argv = argv;
    check(aw_run(client, &job, AW_FOREVER, &result, &err));
    printf("run: %s", result->data);
    aw_result_free(result);
}

/* Three jobs, the first of them the slowest. */
static void submit(struct aw_client *client, struct aw_future *futures[N])
{
    char *argv[N][4] = {{"sh", "-c", "sleep 0.6; echo first", NULL},
                        {"sh", "-c", "sleep 0.3; echo second", NULL},
                        {"sh", "-c", "echo third", NULL}};
    struct aw_job jobs[N];

    for (int i = 0; i < N; i++) {
        aw_job_init(&jobs[i]);
        jobs[i].argv = argv[i];
        jobs[i].cwd = "/";
    }
    check(aw_submit(client, jobs, N, futures, &err));
}

int main(void)
{
    struct aw_future *futures[N];
    struct aw_completions *each;
    const struct aw_status *status;
    struct aw_gathered *all;
    struct aw_client *client;
    const char *ids[N];

    check(aw_client_open(NULL, &client, &err));
    run_one(client);
    submit(client, futures);
    for (int i = 0; i < N; i++)
        ids[i] = aw_future_id(futures[i]);

    /* Each as soon as it has ended: the slowest keeps nobody waiting. */
    check(aw_as_completed(client, ids, N, AW_FOREVER, &each, &err));
    for (;;) {
        check(aw_completions_next(each, &status, &err));
        if (!status)
            break;
        printf("as completed: %s %s\n", aw_state_name(status->state), status->command);
    }
    aw_completions_free(each);

    /* All of them, in the order in which they were submitted. A failure would be a value, too. */
    check(aw_gather(client, ids, N, NULL, &all, &err));
    for (size_t i = 0; i < aw_gathered_count(all); i++)
        printf("gather: %s", aw_gathered_at(all, i)->data);
    aw_gathered_free(all);

    for (int i = 0; i < N; i++)
        aw_future_unref(futures[i]);
    aw_client_close(client);
    return 0;
}
