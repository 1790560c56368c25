/*
 * The shop whose dashboard is loaded: a web server on loopback that is slow, hangs and fails just
 * as it is told. It serves until it gets SIGTERM.
 *
 *     server [--delay NAME=MS ...] FILE
 *
 * FILE gets two addresses, a line each: http://127.0.0.1:PORT, where it listens, and another one
 * where nobody listens: connections to it are refused for as long as the server is there.
 *
 * GET /offers, /categories, /products, /recommendations answer after 100, 200, 500 ms, and 10 s;
 * /slow after 1 s; or after their --delay. All of them take ?ms=N for another time, ?status=N for
 * another status, and ?name=X&fails=K: the first K requests of that name get a 503.
 * GET /gate answers once /open was asked for. GET /counts says how many requests each got, how many
 * are in flight, and how many were at the most at once.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096 /* a thousand connect at once; the usual 128 would drop some for seconds */

struct endpoint {
    const char *path;
    int ms; /* until it answers; -1: until the gate is opened */
    const char *body;
    unsigned n_requests, n_in_flight, peak;
};

static struct endpoint endpoints[] = {
    {"/offers", 100, "two for one; free delivery\n", 0, 0, 0},
    {"/categories", 200, "tea, soap, seeds\n", 0, 0, 0},
    {"/products", 500, "green tea, olive soap, beans\n", 0, 0, 0},
    {"/recommendations", 10000, "a teapot\n", 0, 0, 0},
    {"/slow", 1000, "slow\n", 0, 0, 0},
    {"/gate", -1, "open\n", 0, 0, 0},
};

#define N_ENDPOINTS (sizeof(endpoints) / sizeof(endpoints[0]))

/* A request that waits for its answer. */
struct held {
    LIST_ENTRY(held) entry;
    struct evhttp_request *request;
    struct endpoint *endpoint;
    struct event timer;
    int status;
};

/* Requests that will still be failed, by name. */
struct flaw {
    LIST_ENTRY(flaw) entry;
    char *name;
    int n_left;
};

static LIST_HEAD(, held) all_held = LIST_HEAD_INITIALIZER(all_held);
static LIST_HEAD(, flaw) flaws = LIST_HEAD_INITIALIZER(flaws);
static struct event_base *base;

static void die(const char *what)
{
    fprintf(stderr, "server: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct endpoint *endpoint_find(const char *path)
{
    for (size_t i = 0; i < N_ENDPOINTS; i++)
        if (!strcmp(endpoints[i].path, path))
            return &endpoints[i];
    return NULL;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void answer(struct evhttp_request *request, int status, const char *text)
{
    struct evbuffer *body = evbuffer_new();

    evbuffer_add(body, text, strlen(text));
    evhttp_send_reply(request, status, status < 300 ? "OK" : "As Asked", body);
    evbuffer_free(body);
}

static void held_free(struct held *held)
{
    held->endpoint->n_in_flight--;
    evtimer_del(&held->timer);
    LIST_REMOVE(held, entry);
    free(held);
}

static void held_answer(struct held *held)
{
    bool good = held->status < 300;

    answer(held->request, held->status, good ? held->endpoint->body : "out of order\n");
    held_free(held);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    held_answer(arg);
}

static void open_gate(void)
{
    struct held *held, *next;

    for (held = LIST_FIRST(&all_held); held; held = next) {
        next = LIST_NEXT(held, entry);
        if (held->endpoint->ms < 0)
            held_answer(held);
    }
}

static void answer_counts(struct evhttp_request *request)
{
    struct evbuffer *body = evbuffer_new();

    for (size_t i = 0; i < N_ENDPOINTS; i++) {
        const struct endpoint *e = &endpoints[i];

        evbuffer_add_printf(body,
                            "{\"path\":\"%s\",\"requests\":%u,\"in_flight\":%u,\"peak\":%u}\n",
                            e->path, e->n_requests, e->n_in_flight, e->peak);
    }
    evhttp_send_reply(request, 200, "OK", body);
    evbuffer_free(body);
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* A number of the query, or another one if it is not there. */
static int query_number(const struct evkeyvalq *query, const char *name, int otherwise)
{
    const char *text = evhttp_find_header(query, name);

    return text ? (int)strtol(text, NULL, 10) : otherwise;
}

/* Whether this request is one of the first ones of its name, which fail. */
static bool is_flawed(const struct evkeyvalq *query)
{
    const char *name = evhttp_find_header(query, "name");
    struct flaw *flaw;

    if (!name)
        return false;
    LIST_FOREACH (flaw, &flaws, entry)
        if (!strcmp(flaw->name, name))
            break;
    if (!flaw) {
        flaw = calloc(1, sizeof(*flaw));
        if (!flaw || !(flaw->name = strdup(name)))
            die("out of memory");
        flaw->n_left = query_number(query, "fails", 0);
        LIST_INSERT_HEAD(&flaws, flaw, entry);
    }
    return flaw->n_left-- > 0;
}

static void hold(struct evhttp_request *request, struct endpoint *endpoint,
                 const struct evkeyvalq *query)
{
    struct held *held = calloc(1, sizeof(*held));
    int ms = query_number(query, "ms", endpoint->ms);
    struct timeval in = {ms / 1000, ms % 1000 * 1000};

    if (!held)
        die("out of memory");
    held->request = request;
    held->endpoint = endpoint;
    held->status = is_flawed(query) ? 503 : query_number(query, "status", 200);
    LIST_INSERT_HEAD(&all_held, held, entry);
    endpoint->n_requests++;
    if (++endpoint->n_in_flight > endpoint->peak)
        endpoint->peak = endpoint->n_in_flight;
    evtimer_assign(&held->timer, base, on_timer, held);
    if (ms >= 0)
        evtimer_add(&held->timer, &in);
}

static void on_request(struct evhttp_request *request, void *arg)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = evhttp_uri_get_path(uri);
    const char *text = evhttp_uri_get_query(uri);
    struct evkeyvalq query = {0};
    struct endpoint *endpoint;

    (void)arg;
    if (!strcmp(path, "/counts")) {
        answer_counts(request);
        return;
    }
    if (!strcmp(path, "/open")) {
        open_gate();
        answer(request, 200, "");
        return;
    }
    endpoint = endpoint_find(path);
    if (!endpoint) {
        answer(request, 404, "no such path\n");
        return;
    }
    evhttp_parse_query_str(text ? text : "", &query);
    hold(request, endpoint, &query);
    evhttp_clear_headers(&query);
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

/* A socket on a port of its own; one that does not listen refuses connections. */
static int bound_socket(bool listens, int *ret_port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(sin);

    if (fd < 0 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
        (listens && listen(fd, BACKLOG) < 0) || getsockname(fd, (struct sockaddr *)&sin, &len) < 0)
        die("socket");
    *ret_port = ntohs(sin.sin_port);
    return fd;
}

/* Whoever waits for the file finds all of it. */
static void write_addresses(const char *path, int port, int closed_port)
{
    char tmp[4096];
    FILE *file;

    if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp)) {
        errno = ENAMETOOLONG;
        die(path);
    }
    file = fopen(tmp, "we");
    if (!file ||
        fprintf(file, "http://127.0.0.1:%d\nhttp://127.0.0.1:%d\n", port, closed_port) < 0 ||
        fclose(file) != 0 || rename(tmp, path) < 0)
        die(path);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(arg);
}

static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* A base whose timers are never over early, not even by a turn of its loop. */
static struct event_base *base_new(void)
{
    struct event_config *config = event_config_new();
    struct event_base *new;

    event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME | EVENT_BASE_FLAG_PRECISE_TIMER);
    new = event_base_new_with_config(config);
    event_config_free(config);
    return new;
}

static void serve(const char *path)
{
    struct event *on_term;
    struct evhttp *http;
    struct flaw *flaw;
    int port, closed_port, listener, closed;

    base = base_new();
    http = evhttp_new(base);
    on_term = evsignal_new(base, SIGTERM, on_signal, base);
    listener = bound_socket(true, &port);
    closed = bound_socket(false, &closed_port);
    if (evhttp_accept_socket(http, listener) < 0 || event_add(on_term, NULL) < 0)
        die("libevent");
    evhttp_set_gencb(http, on_request, NULL);
    write_addresses(path, port, closed_port);
    event_base_dispatch(base);

    while (!LIST_EMPTY(&all_held))
        held_free(LIST_FIRST(&all_held));
    while ((flaw = LIST_FIRST(&flaws))) {
        LIST_REMOVE(flaw, entry);
        free(flaw->name);
        free(flaw);
    }
    evhttp_free(http);
    event_free(on_term);
    event_base_free(base);
    close(closed);
}

static void usage(void)
{
    fprintf(stderr, "usage: server [--delay NAME=MS ...] FILE\n");
    exit(2);
}

/* "offers=250" */
static void delay_take(const char *text)
{
    struct endpoint *endpoint;
    char name[32];
    size_t len = strcspn(text, "=");

    snprintf(name, sizeof(name), "/%.*s", (int)len, text);
    endpoint = endpoint_find(name);
    if (!endpoint || !text[len])
        usage();
    endpoint->ms = (int)strtol(text + len + 1, NULL, 10);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"delay", required_argument, NULL, 'd'}, {0}};
    int c;

    while ((c = getopt_long(argc, argv, "d:", options, NULL)) == 'd')
        delay_take(optarg);
    if (c != -1 || optind != argc - 1)
        usage();
    raise_file_limit();
    serve(argv[optind]);
    return 0;
}
