#include "tests/unit/http_rig.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>

#define PATIENCE_US 30000000

/* ---- Names -----------------------------------------------------------------------------------
 *
 * libcurl finds these before those of the C library. They run on its threads.
 */

static pthread_mutex_t resolver_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t resolver_wake = PTHREAD_COND_INITIALIZER;
static int resolver_waiting;
static bool resolver_goes;

static void wait_for_go(void)
{
    pthread_mutex_lock(&resolver_mutex);
    resolver_waiting++;
    while (!resolver_goes)
        pthread_cond_wait(&resolver_wake, &resolver_mutex);
    resolver_waiting--;
    pthread_mutex_unlock(&resolver_mutex);
}

static void resolver_stop(void)
{
    pthread_mutex_lock(&resolver_mutex);
    resolver_goes = false;
    pthread_mutex_unlock(&resolver_mutex);
}

void rig_resolver_go(void)
{
    pthread_mutex_lock(&resolver_mutex);
    resolver_goes = true;
    pthread_cond_broadcast(&resolver_wake);
    pthread_mutex_unlock(&resolver_mutex);
}

int rig_resolver_waiting(void)
{
    int n;

    pthread_mutex_lock(&resolver_mutex);
    n = resolver_waiting;
    pthread_mutex_unlock(&resolver_mutex);
    return n;
}

static struct addrinfo *info_v4(const char *address, int port)
{
    struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in));
    struct sockaddr_in *sin = (struct sockaddr_in *)(info + 1);

    sin->sin_family = AF_INET;
    sin->sin_port = htons((uint16_t)port);
    inet_pton(AF_INET, address, &sin->sin_addr);
    *info = (struct addrinfo){.ai_family = AF_INET,
                              .ai_socktype = SOCK_STREAM,
                              .ai_addrlen = sizeof(*sin),
                              .ai_addr = (struct sockaddr *)sin};
    return info;
}

static struct addrinfo *info_v6(const char *address, int port)
{
    struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in6));
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)(info + 1);

    sin6->sin6_family = AF_INET6;
    sin6->sin6_port = htons((uint16_t)port);
    inet_pton(AF_INET6, address, &sin6->sin6_addr);
    *info = (struct addrinfo){.ai_family = AF_INET6,
                              .ai_socktype = SOCK_STREAM,
                              .ai_addrlen = sizeof(*sin6),
                              .ai_addr = (struct sockaddr *)sin6};
    return info;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **ret)
{
    int port = service ? atoi(service) : 0;

    (void)hints;
    if (!strcmp(name, "slow.test"))
        wait_for_go();
    if (!strcmp(name, "here.test") || !strcmp(name, "slow.test"))
        *ret = info_v4("127.0.0.1", port);
    else if (!strcmp(name, "127.0.0.1")) /* the server asks, too */
        *ret = info_v4(name, port);
    else if (!strcmp(name, "metadata.test"))
        *ret = info_v4("169.254.169.254", port);
    else if (!strcmp(name, "mapped.test"))
        *ret = info_v6("::ffff:169.254.169.254", port);
    else
        return EAI_NONAME;
    return 0;
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *info)
{
    free(info);
}

/* ---- The server ------------------------------------------------------------------------------
 */

static void reply(struct evhttp_request *req, int status, const char *text)
{
    struct evbuffer *body = evbuffer_new();

    evbuffer_add(body, text, strlen(text));
    evhttp_send_reply(req, status, status == 404 ? "Not Found" : "Whatever", body);
    evbuffer_free(body);
}

static void reply_echo(struct evhttp_request *req, const char *method)
{
    struct evkeyval *header;
    struct evbuffer *body = evbuffer_new();

    evbuffer_add_printf(body, "%s\n", method);
    for (header = evhttp_request_get_input_headers(req)->tqh_first; header;
         header = header->next.tqe_next)
        evbuffer_add_printf(body, "%s: %s\n", header->key, header->value);
    evbuffer_add_printf(body, "\n");
    evbuffer_add_buffer(body, evhttp_request_get_input_buffer(req));
    evhttp_send_reply(req, 200, "OK", body);
    evbuffer_free(body);
}

static void reply_redirect(struct evhttp_request *req, const char *to)
{
    evhttp_add_header(evhttp_request_get_output_headers(req), "Location", to);
    reply(req, 302, "over there");
}

static void reply_big(struct evhttp_request *req, size_t len)
{
    char *text = malloc(len + 1);

    memset(text, 'x', len);
    text[len] = '\0';
    reply(req, 200, text);
    free(text);
}

static void reply_header(struct evhttp_request *req, size_t len)
{
    char *text = malloc(len + 1);

    memset(text, 'h', len);
    text[len] = '\0';
    evhttp_add_header(evhttp_request_get_output_headers(req), "X-Long", text);
    reply(req, 200, "short");
    free(text);
}

static void reply_begin(struct evhttp_request *req, const char *text)
{
    struct evbuffer *body = evbuffer_new();

    evbuffer_add(body, text, strlen(text));
    evhttp_send_reply_start(req, 200, "OK");
    evhttp_send_reply_chunk(req, body);
    evbuffer_free(body);
}

static void on_half_written(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    evhttp_connection_free(arg);
}

static void reply_half(struct rig *rig, struct evhttp_request *req)
{
    struct timeval soon = {0, 50000};

    reply_begin(req, "half");
    event_base_once(rig->base, -1, EV_TIMEOUT, on_half_written, evhttp_request_get_connection(req),
                    &soon);
}

static const char *method_name(struct evhttp_request *req)
{
    switch (evhttp_request_get_command(req)) {
    case EVHTTP_REQ_GET:
        return "GET";
    case EVHTTP_REQ_POST:
        return "POST";
    case EVHTTP_REQ_PUT:
        return "PUT";
    case EVHTTP_REQ_DELETE:
        return "DELETE";
    case EVHTTP_REQ_PATCH:
        return "PATCH";
    default:
        return "?";
    }
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void on_request(struct evhttp_request *req, void *arg)
{
    struct rig *rig = arg;
    const char *uri = evhttp_request_get_uri(req);

    if (begins(uri, "/echo"))
        reply_echo(req, method_name(req));
    else if (begins(uri, "/status/"))
        reply(req, atoi(uri + 8), begins(uri + 8, "200") ? "body of 200" : "body of another");
    else if (begins(uri, "/big/"))
        reply_big(req, strtoul(uri + 5, NULL, 10));
    else if (begins(uri, "/header/"))
        reply_header(req, strtoul(uri + 8, NULL, 10));
    else if (begins(uri, "/loop"))
        reply_redirect(req, "/loop");
    else if (begins(uri, "/to?"))
        reply_redirect(req, uri + 4);
    else if (begins(uri, "/half"))
        reply_half(rig, req);
    else if (begins(uri, "/gate"))
        rig->gate[rig->n_gate++] = req;
    else if (begins(uri, "/drip")) {
        rig->gate[rig->n_gate++] = req;
        reply_begin(req, "first ");
    } else if (!begins(uri, "/hang"))
        reply(req, 404, "no such path");
}

void rig_open_gate(struct rig *rig)
{
    for (size_t i = 0; i < rig->n_gate; i++) {
        struct evhttp_request *req = rig->gate[i];

        if (begins(evhttp_request_get_uri(req), "/drip")) {
            struct evbuffer *body = evbuffer_new();

            evbuffer_add_printf(body, "second");
            evhttp_send_reply_chunk(req, body);
            evhttp_send_reply_end(req);
            evbuffer_free(body);
        } else {
            reply(req, 200, "open");
        }
    }
    rig->n_gate = 0;
}

static void server_start(struct rig *rig)
{
    struct evhttp_bound_socket *socket;
    struct sockaddr_in sin = {0};
    socklen_t len = sizeof(sin);

    rig->server = evhttp_new(rig->base);
    evhttp_set_allowed_methods(rig->server, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                                EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                                EVHTTP_REQ_PATCH);
    evhttp_set_gencb(rig->server, on_request, rig);
    socket = evhttp_bind_socket_with_handle(rig->server, "127.0.0.1", 0);
    ck_assert_ptr_nonnull(socket);
    ck_assert_int_eq(getsockname(evhttp_bound_socket_get_fd(socket), (struct sockaddr *)&sin, &len),
                     0);
    rig->port = ntohs(sin.sin_port);
}

/* ---- The host --------------------------------------------------------------------------------
 */

static void on_started(void *arg, uint64_t claim, pid_t pid, int64_t started_us)
{
    (void)arg;
    (void)claim;
    (void)started_us;
    ck_abort_msg("an http job has no process, but %d was told", (int)pid);
}

static void on_grown(void *arg, uint64_t claim, int stream, uint64_t size)
{
    struct rig_job *job = &((struct rig *)arg)->jobs[claim];

    job->n_grown++;
    job->grown[stream] = size;
}

static void on_ended(void *arg, uint64_t claim, const struct outcome *outcome)
{
    struct rig *rig = arg;
    struct rig_job *job = &rig->jobs[claim];

    job->n_ended++;
    job->inside |= rig->in_call;
    job->outcome = *outcome;
    for (int i = 0; i < N_STREAMS; i++) {
        struct bytes data = outcome->output[i].data;

        job->data[i] = malloc(data.len + 1);
        memcpy(job->data[i], data.len ? data.data : "", data.len);
        job->data[i][data.len] = '\0';
    }
    rig->worker->ops->recorded(rig->worker, claim);
}

/* ---- Beginning and end -----------------------------------------------------------------------
 */

struct rig *rig_new_denying(char *const *deny, size_t n)
{
    static const struct worker_host host = {on_started, on_grown, on_ended};
    struct rig *rig = calloc(1, sizeof(*rig));
    struct http_config config;
    struct aw_error err;

    resolver_stop();
    rig->base = event_base_new();
    snprintf(rig->dir, sizeof(rig->dir), "/tmp/awd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig->dir));
    ck_assert_int_eq(spool_open(rig->dir, &rig->spool, &err), AW_OK);
    ck_assert_int_eq(offload_new(rig->base, &rig->offload, &err), AW_OK);
    ck_assert_int_eq(address_set_new(deny, n, &rig->deny, &err), AW_OK);
    config = (struct http_config){&rig->spool, rig->offload, rig->deny, NULL};
    rig->worker = worker_http_new(rig->base, &config, &host, rig);
    ck_assert_ptr_nonnull(rig->worker);
    server_start(rig);
    return rig;
}

struct rig *rig_new(void)
{
    char metadata[] = "metadata";

    return rig_new_denying(&(char *){metadata}, 1);
}

static void remove_dir(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    char file[512];

    while (dir && (entry = readdir(dir))) {
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        unlink(file);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

void rig_free(struct rig *rig)
{
    for (size_t i = 0; i < RIG_MAX_JOBS; i++) {
        ck_assert_uint_le(rig->jobs[i].n_ended, 1);
        ck_assert(!rig->jobs[i].inside);
        free(rig->jobs[i].data[0]);
        free(rig->jobs[i].data[1]);
    }
    offload_free(rig->offload);
    rig->worker->ops->free(rig->worker);
    evhttp_free(rig->server);
    address_set_free(rig->deny);
    spool_close(&rig->spool);
    event_base_free(rig->base);
    remove_dir(rig->dir);
    free(rig);
}

/* ---- Jobs --------------------------------------------------------------------------------------
 */

struct bytes rig_url_at(struct rig *rig, const char *host, const char *path)
{
    snprintf(rig->url, sizeof(rig->url), "http://%s:%u%s", host, rig->port, path);
    return bytes_str(rig->url);
}

struct bytes rig_url(struct rig *rig, const char *path)
{
    return rig_url_at(rig, "127.0.0.1", path);
}

struct job rig_job(struct bytes url)
{
    return (struct job){.type = bytes_str("http"), .url = url};
}

struct job rig_get(struct rig *rig, const char *path)
{
    return rig_job(rig_url(rig, path));
}

static uint64_t begin(struct rig *rig, const struct job *job, uint64_t limit, bool adopt)
{
    struct work work = {
        .claim = ++rig->n_claims,
        .number = rig->n_claims,
        .attempt = 1,
        .id = "abcde-1",
        .job = job,
        .output_limit = limit,
        .started_us = adopt ? now_us() : 0,
    };
    struct aw_error err = {.text = ""};

    ck_assert_uint_lt(work.claim, RIG_MAX_JOBS);
    ck_assert_msg(job_check(job, &err) == AW_OK, "%s", err.text);
    rig->in_call = true;
    (adopt ? rig->worker->ops->adopt : rig->worker->ops->start)(rig->worker, &work);
    rig->in_call = false;
    return work.claim;
}

uint64_t rig_start_limited(struct rig *rig, const struct job *job, uint64_t output_limit)
{
    return begin(rig, job, output_limit, false);
}

uint64_t rig_start(struct rig *rig, const struct job *job)
{
    return begin(rig, job, UINT64_C(1) << 30, false);
}

uint64_t rig_adopt(struct rig *rig, const struct job *job)
{
    return begin(rig, job, UINT64_C(1) << 30, true);
}

void rig_stop(struct rig *rig, uint64_t claim)
{
    rig->in_call = true;
    rig->worker->ops->stop(rig->worker, claim, 0);
    rig->in_call = false;
}

void rig_watch(struct rig *rig, uint64_t claim)
{
    rig->worker->ops->watch(rig->worker, claim);
}

/* ---- Waiting and looking ---------------------------------------------------------------------
 */

void rig_until(struct rig *rig, bool (*fn)(struct rig *rig, const void *arg), const void *arg)
{
    int64_t until = boottime_us() + unit_patience_us(PATIENCE_US);
    const struct timeval tick = {0, 20000};

    while (!fn(rig, arg)) {
        ck_assert_msg(boottime_us() < until, "it took too long");
        event_base_loopexit(rig->base, &tick);
        event_base_loop(rig->base, EVLOOP_ONCE);
    }
}

static bool has_ended(struct rig *rig, const void *claim)
{
    return rig->jobs[*(const uint64_t *)claim].n_ended > 0;
}

const struct outcome *rig_ended(struct rig *rig, uint64_t claim)
{
    rig_until(rig, has_ended, &claim);
    return &rig->jobs[claim].outcome;
}

const struct outcome *rig_run(struct rig *rig, const struct job *job)
{
    return rig_ended(rig, rig_start(rig, job));
}

char *rig_output(struct rig *rig, uint64_t claim, int stream, size_t *ret_len)
{
    const struct output *o = &rig->jobs[claim].outcome.output[stream];
    char *data = malloc(o->size + 1);
    struct aw_error err;
    uint64_t size = o->size;

    *ret_len = o->data.len;
    if (o->spooled)
        ck_assert_int_eq(spool_read(&rig->spool, (struct spool_file){claim, 1, stream}, 0, data,
                                    o->size, ret_len, &size, &err),
                         AW_OK);
    else
        memcpy(data, rig->jobs[claim].data[stream], o->data.len);
    ck_assert_uint_eq(*ret_len, o->size);
    ck_assert_uint_eq(size, o->size);
    data[*ret_len] = '\0';
    return data;
}

void rig_check_stdout(struct rig *rig, uint64_t claim, const char *want)
{
    size_t len;
    char *data = rig_output(rig, claim, STREAM_STDOUT, &len);

    ck_assert_str_eq(data, want);
    free(data);
}

void rig_check_has(struct rig *rig, uint64_t claim, int stream, const char *want)
{
    size_t len;
    char *data = rig_output(rig, claim, stream, &len);

    ck_assert_msg(strstr(data, want), "'%s' is not in:\n%s", want, data);
    free(data);
}

int rig_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    int n = 0;

    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

void rig_check_fails(struct rig *rig, const struct job *job, enum aw_class class,
                     const char *message)
{
    const struct outcome *o = rig_run(rig, job);

    ck_assert_msg(o->class == class, "class %s, '%s'", aw_class_name(o->class), o->message);
    ck_assert_msg(strstr(o->message, message), "'%s' is not in '%s'", message, o->message);
    ck_assert_int_eq(o->exit_code, NO_EXIT_CODE);
    ck_assert(!o->stopped);
}

void rig_check_succeeds(struct rig *rig, const struct job *job)
{
    const struct outcome *o = rig_run(rig, job);

    ck_assert_msg(o->class == AW_CLASS_NONE, "%s", o->message);
    ck_assert_str_eq(o->message, "");
    ck_assert_int_eq(o->exit_code, 0);
}
