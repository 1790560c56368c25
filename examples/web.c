/*
 * web.c - a small web service whose work is done by jobs, so that it outlives the service.
 *
 *     cc -o web web.c $(pkg-config --cflags --libs libaw libevent) -levent_extra
 *     ./web 8080 &
 *     curl -d 'some text' 'http://127.0.0.1:8080/process?delay=2000'     202, and the task's ID
 *     curl http://127.0.0.1:8080/status/k3f9q-7                          how it stands
 *     curl 'http://127.0.0.1:8080/status/k3f9q-7?wait'                   the same, once it has
 * ended
 *
 * An answer is the state, and below it the result: the text in capital letters. The ID is all that
 * a request has to know of an earlier one: it is good for any instance of the service, and after a
 * restart of it, or of awd. (There are no sessions, no table of tasks, no database here.)
 *
 * The loop is never kept waiting: submit, lookup and result are answered by awd at once, and if awd
 * is away, retry_ms = 0 has them fail at once. What takes time is waited for by a callback.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <aw.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

/* A request that waits for a job's end. */
struct waiting {
    LIST_ENTRY(waiting) link;
    struct evhttp_request *request; /* NULL: who asked is gone */
};

static LIST_HEAD(, waiting) all_waiting = LIST_HEAD_INITIALIZER(all_waiting);
static struct aw_client *client;

static void answer(struct evhttp_request *request, int code, const char *line, const char *data,
                   size_t len)
{
    struct evbuffer *body = evbuffer_new();

    evbuffer_add_printf(body, "%s\n", line);
    evbuffer_add(body, data, len);
    evhttp_send_reply(request, code, NULL, body);
    evbuffer_free(body);
}

static void answer_error(struct evhttp_request *request, const struct aw_error *err)
{
    int code = 500;

    if (aw_err_exit_code(err->code) == 4 || err->code == AW_ERR_INVALID)
        code = 404; /* unknown, expired, of another store, or no ID at all */
    else if (aw_err_retryable(err->code))
        code = 503;
    answer(request, code, err->text, "", 0);
}

/* How a job stands; once it has ended, with its result. */
static void answer_state(struct evhttp_request *request, const char *id, enum aw_state state)
{
    struct aw_result *result;
    struct aw_error err;

    if (state < AW_SUCCEEDED) {
        answer(request, 200, aw_state_name(state), "", 0);
    } else if (aw_result_read(client, id, 0, &result, &err)) {
        answer_error(request, &err);
    } else {
        answer(request, 200, aw_state_name(state), result->data, result->len);
        aw_result_free(result);
    }
}

/* ---- POST /process --------------------------------------------------------------------------- */

static int64_t delay_of(const struct evhttp_uri *uri)
{
    const char *query = evhttp_uri_get_query(uri);

    return query && !strncmp(query, "delay=", 6) ? strtol(query + 6, NULL, 10) : 0;
}

static void process(struct evhttp_request *request)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    char *argv[] = {"tr", "a-z", "A-Z", NULL};
    struct aw_future *future;
    struct aw_error err;
    struct aw_job job;

    aw_job_init(&job);
    job.argv = argv;
    job.name = "web-example";
    job.stdin_len = evbuffer_get_length(body);
    job.stdin_data = evbuffer_pullup(body, -1);
    job.delay_ms = delay_of(evhttp_request_get_evhttp_uri(request));
    if (aw_submit(client, &job, 1, &future, &err)) {
        answer_error(request, &err);
        return;
    }
    answer(request, 202, aw_future_id(future), "", 0);
    aw_future_unref(future);
}

/* ---- GET /status/ID -------------------------------------------------------------------------- */

static void waiting_free(struct waiting *waiting)
{
    LIST_REMOVE(waiting, link);
    free(waiting);
}

static void on_hang_up(struct evhttp_connection *connection, void *arg)
{
    struct waiting *waiting = arg;

    (void)connection;
    waiting->request = NULL;
}

static void on_done(struct aw_future *future, const struct aw_status *status, void *arg)
{
    struct waiting *waiting = arg;
    struct evhttp_request *request = waiting->request;

    if (request) {
        evhttp_connection_set_closecb(evhttp_request_get_connection(request), NULL, NULL);
        if (status->err)
            answer(request, 404, status->message, "", 0);
        else
            answer_state(request, aw_future_id(future), status->state);
    }
    waiting_free(waiting);
}

static void wait_for(struct evhttp_request *request, struct aw_future *future)
{
    struct waiting *waiting = calloc(1, sizeof(*waiting));
    struct aw_error err = {.code = AW_ERR_NO_MEMORY, .text = "out of memory"};

    if (!waiting || aw_future_on_done(future, on_done, waiting, &err)) {
        answer_error(request, &err);
        free(waiting);
        return;
    }
    waiting->request = request;
    LIST_INSERT_HEAD(&all_waiting, waiting, link);
    evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_hang_up, waiting);
}

static void status(struct evhttp_request *request, const char *id)
{
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));
    struct aw_future *future;
    enum aw_state state;
    struct aw_error err;

    if (aw_lookup(client, id, &future, &err)) {
        answer_error(request, &err);
        return;
    }
    if (query && !strcmp(query, "wait"))
        wait_for(request, future);
    else if (aw_future_state(future, &state, &err))
        answer_error(request, &err);
    else
        answer_state(request, aw_future_id(future), state);
    aw_future_unref(future);
}

/* ---- The service ----------------------------------------------------------------------------- */

static void on_request(struct evhttp_request *request, void *arg)
{
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    enum evhttp_cmd_type method = evhttp_request_get_command(request);

    (void)arg;
    if (method == EVHTTP_REQ_POST && !strcmp(path, "/process"))
        process(request);
    else if (method == EVHTTP_REQ_GET && !strncmp(path, "/status/", 8))
        status(request, path + 8);
    else
        answer(request, 404, "POST /process or GET /status/ID", "", 0);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct aw_error err;

    (void)fd;
    (void)what;
    (void)arg;
    if (aw_client_process(client, 0, NULL, &err))
        fprintf(stderr, "web: %s\n", err.text);
}

static void on_signal(evutil_socket_t signal, short what, void *arg)
{
    (void)signal;
    (void)what;
    event_base_loopbreak(arg);
}

static void client_open(int *ret_fd)
{
    struct aw_client_config config;
    struct aw_error err;

    aw_client_config_init(&config);
    config.retry_ms = 0;
    config.answer_ms = 5000;
    if (aw_client_open(&config, &client, &err) || aw_client_fd(client, ret_fd, &err)) {
        fprintf(stderr, "web: %s\n", err.text);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    struct event_base *loop = event_base_new();
    struct evhttp *http = evhttp_new(loop);
    struct event *readable, *term = evsignal_new(loop, SIGTERM, on_signal, loop);
    long port = argc > 1 ? strtol(argv[1], NULL, 10) : 8080;
    int fd;

    client_open(&fd);
    evhttp_set_gencb(http, on_request, NULL);
    evhttp_set_max_body_size(http, 1 << 20);
    if (evhttp_bind_socket(http, "127.0.0.1", (uint16_t)port)) {
        fprintf(stderr, "web: cannot listen on port %ld\n", port);
        return 1;
    }
    readable = event_new(loop, fd, EV_READ | EV_PERSIST, on_readable, NULL);
    event_add(readable, NULL);
    event_add(term, NULL);
    event_base_dispatch(loop);

    event_free(readable);
    event_free(term);
    aw_client_close(client); /* no callback comes after this */
    evhttp_free(http);
    event_base_free(loop);
    while (!LIST_EMPTY(&all_waiting))
        waiting_free(LIST_FIRST(&all_waiting));
    return 0;
}
