/*
 * event_loop.c - a program whose event loop also waits for jobs: one fd, no thread, no polling.
 *
 *     cc -o event_loop event_loop.c $(pkg-config --cflags --libs libaw libevent)
 *     ./event_loop 5
 *
 * submits five jobs, of which the first is the slowest, and says when each has ended. Meanwhile the
 * loop does what else it has to do: here, it ticks. Restart awd while it runs: nothing is missed.
 */
#include <stdio.h>
#include <stdlib.h>

#include <aw.h>
#include <event2/event.h>

struct program {
    struct event_base *loop;
    struct aw_client *client;
    unsigned n_ticks;
};

static struct aw_error err;

static void check(enum aw_err e)
{
    if (!e)
        return;
    fprintf(stderr, "event_loop: %s\n", err.text);
    exit(aw_err_exit_code(e));
}

/* A job has ended. Comes from aw_client_process(), so on this thread and at a known time. */
static void on_done(struct aw_future *future, const struct aw_status *status, void *arg)
{
    (void)arg;
    printf("%s: %s\n", aw_future_id(future),
           status->err ? status->message : aw_state_name(status->state));
}

/* The client's fd is readable: it has something to do. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct program *program = arg;
    size_t pending;

    (void)fd;
    (void)what;
    check(aw_client_process(program->client, 0, &pending, &err));
    if (pending == 0)
        event_base_loopbreak(program->loop);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct program *program = arg;

    (void)fd;
    (void)what;
    program->n_ticks++;
}

static void submit(struct aw_client *client, int n)
{
    for (int i = 0; i < n; i++) {
        struct aw_future *future;
        struct aw_job job;

        aw_job_init(&job);
        job.type = "sleep";
        job.sleep_ms = 100 * (n - i);
        check(aw_submit(client, &job, 1, &future, &err));
        check(aw_future_on_done(future, on_done, NULL, &err));
        aw_future_unref(future); /* the client holds it until then */
    }
}

int main(int argc, char **argv)
{
    struct program program = {.loop = event_base_new()};
    struct timeval tick = {0, 20000};
    struct event *readable, *ticks;
    int fd;

    check(aw_client_open(NULL, &program.client, &err));
    check(aw_client_fd(program.client, &fd, &err));
    readable = event_new(program.loop, fd, EV_READ | EV_PERSIST, on_readable, &program);
    ticks = event_new(program.loop, -1, EV_PERSIST, on_tick, &program);
    event_add(readable, NULL);
    event_add(ticks, &tick);
    submit(program.client, argc > 1 ? (int)strtol(argv[1], NULL, 10) : 5);
    event_base_dispatch(program.loop);
    printf("done; the loop has ticked %s\n", program.n_ticks ? "meanwhile" : "never");

    event_free(readable);
    event_free(ticks);
    event_base_free(program.loop);
    aw_client_close(program.client);
    return 0;
}
