/* From a job to a request for libcurl, and what libcurl calls while it goes on. */
#include "daemon/workers/http_private.h"

#include <stdio.h>
#include <sys/socket.h>

#include "proto/http_job.h"

/* Longest for name, connection and TLS together, also where the job has no timeout. */
#define CONNECT_TIMEOUT_MS 60000L

#define OK(call) ((call) == CURLE_OK)

/* ---- What comes in -------------------------------------------------------------------------- */

/* "HTTP/1.1 404 Not Found\r\n": keeps the reason, as far as it can be shown. */
static void reason_keep(struct transfer *t, const char *line, size_t len)
{
    size_t n = 0;

    for (int spaces = 0; len > 0 && spaces < 2; line++, len--)
        spaces += *line == ' ';
    for (; len > 0 && n + 1 < sizeof(t->reason) && *line >= ' ' && *line < 0x7f; line++, len--)
        t->reason[n++] = *line;
    t->reason[n] = '\0';
}

static size_t on_header(char *data, size_t one, size_t len, void *arg)
{
    struct transfer *t = arg;
    struct http_stream *s = &t->streams[STREAM_STDERR];
    bool has_cr = len >= 2 && data[len - 2] == '\r';

    (void)one;
    t->n_headers += len;
    if (t->n_headers > AW_MAX_HEADERSIZE) {
        t->headers_too_large = true;
        return 0;
    }
    if (len > 5 && memcmp(data, "HTTP/", 5) == 0)
        reason_keep(t, data, len);
    t->in_head = len > (has_cr ? 2u : 1u);
    t->out_of_memory = !http_stream_add(s, data, len - (has_cr ? 2 : 0)) ||
                       (has_cr && !http_stream_add(s, "\n", 1));
    if (t->watched)
        http_stream_flush(s);
    return t->out_of_memory ? 0 : len;
}

static size_t on_body(char *data, size_t one, size_t len, void *arg)
{
    struct transfer *t = arg;
    struct http_stream *s = &t->streams[STREAM_STDOUT];
    size_t fits = (size_t)MIN((uint64_t)len, t->output_limit - t->n_body);

    (void)one;
    if (http_stream_full(s)) {
        t->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (!s->busy && s->error)
        return 0; /* the disk does not take it */
    t->out_of_memory = !http_stream_add(s, data, fits);
    if (t->out_of_memory)
        return 0;
    t->n_body += fits;
    t->body_too_large = fits < len;
    if (t->watched)
        http_stream_flush(s);
    return fits;
}

void http_request_resume(struct transfer *t)
{
    if (!t->paused || http_stream_full(&t->streams[STREAM_STDOUT]))
        return;
    t->paused = false;
    lazy_curl_easy_pause(t->easy, CURLPAUSE_CONT);
}

/* ---- Connections ---------------------------------------------------------------------------- */

/* The last moment before a connection, whatever names and redirects led here. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *t = arg;

    (void)purpose;
    transfer_connects(t);
    if (address_set_has(t->deny, &address->addr)) {
        address_text(&address->addr, t->denied);
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* The request is about to be sent: maybe on a connection that was there before. */
static int on_connected(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    (void)remote_ip;
    (void)local_ip;
    (void)remote_port;
    (void)local_port;
    transfer_connects(arg);
    return CURL_PREREQFUNC_OK;
}

/* ---- The request ---------------------------------------------------------------------------- */

static bool header_add(struct transfer *t, const char *text)
{
    struct curl_slist *list = lazy_curl_slist_append(t->headers, text);

    if (list)
        t->headers = list;
    return list != NULL;
}

/* Whether doing it twice is the same as doing it once, or nothing (RFC 9110, 9.2.1). */
static bool is_safe(struct bytes method)
{
    return bytes_eq(method, bytes_str("GET")) || bytes_eq(method, bytes_str("HEAD")) ||
           bytes_eq(method, bytes_str("OPTIONS"));
}

static bool set_headers(struct transfer *t, const struct work *work)
{
    const struct job *job = work->job;
    char text[AW_MAX_ID + 32];

    for (size_t i = 0; i < job->headers.n; i++) {
        _cleanup_free_ char *copy = strndup(job->headers.v[i].data, job->headers.v[i].len);

        if (!copy || !header_add(t, copy))
            return false;
    }
    snprintf(text, sizeof(text), "Idempotency-Key: %s", work->id);
    if (!is_safe(http_method(job)) && !http_has_header(job, "Idempotency-Key") &&
        !header_add(t, text))
        return false;
    /* Nobody would be spared anything by asking first: the body is here, and small. */
    if (job->body.data && !http_has_header(job, "Expect") && !header_add(t, "Expect:"))
        return false;
    return !t->headers || OK(lazy_curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers));
}

static bool set_text(CURL *easy, CURLoption option, struct bytes text)
{
    _cleanup_free_ char *copy = strndup(text.data, text.len);

    return copy && OK(lazy_curl_easy_setopt(easy, option, copy));
}

static bool set_body(CURL *easy, struct bytes body)
{
    return OK(lazy_curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body.data));
}

/*
 * GET, HEAD and POST are told to libcurl as such, so that it knows what a redirect makes of them;
 * the others by name.
 */
static bool set_method(CURL *easy, const struct job *job)
{
    struct bytes method = http_method(job);
    bool has_body = job->body.data;

    if (has_body && !set_body(easy, job->body))
        return false;
    if (bytes_eq(method, bytes_str("GET")) && !has_body)
        return true;
    if (bytes_eq(method, bytes_str("HEAD")))
        return OK(lazy_curl_easy_setopt(easy, CURLOPT_NOBODY, 1L));
    if (bytes_eq(method, bytes_str("POST")))
        return has_body || set_body(easy, bytes_of("", 0));
    return set_text(easy, CURLOPT_CUSTOMREQUEST, method);
}

static bool set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return OK(lazy_curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https")) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https"));
#else
    return OK(lazy_curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS,
                                    CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/*
 * From one file alone where there is one: a directory would be trusted beside the file that the
 * configuration names, and keeps libcurl from remembering what it has read. Reading it again for
 * each connection costs the loop 25 ms every time.
 */
static bool set_authorities(CURL *easy, const struct http_config *config)
{
    const char *file = config->ca_file;

    if (!file)
        file = lazy_curl_version_info(CURLVERSION_NOW)->cainfo;
    if (!config->ca_file && (!file || access(file, R_OK) < 0))
        return true;
    return OK(lazy_curl_easy_setopt(easy, CURLOPT_CAINFO, file)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_CAPATH, NULL));
}

static bool set_safety(CURL *easy, const struct http_config *config)
{
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Else a timeout during a lookup would wait, with the whole loop, for the lookup's end. */
    if (!OK(lazy_curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L)))
        return false;
#endif
    return set_protocols(easy) && OK(lazy_curl_easy_setopt(easy, CURLOPT_PROXY, "")) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS)) &&
           set_authorities(easy, config);
}

static bool set_callbacks(struct transfer *t)
{
    CURL *easy = t->easy;

    return OK(lazy_curl_easy_setopt(easy, CURLOPT_PRIVATE, t)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->error)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_HEADERDATA, t)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_WRITEDATA, t)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected)) &&
           OK(lazy_curl_easy_setopt(easy, CURLOPT_PREREQDATA, t));
}

static bool set_request(struct transfer *t, const struct work *work)
{
    const struct job *job = work->job;

    return set_text(t->easy, CURLOPT_URL, job->url) && set_method(t->easy, job) &&
           set_headers(t, work) &&
           OK(lazy_curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "awd/" PACKAGE_VERSION)) &&
           OK(lazy_curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, job->follow ? 1L : 0L)) &&
           OK(lazy_curl_easy_setopt(t->easy, CURLOPT_MAXREDIRS, (long)job->follow));
}

enum aw_err http_request_make(struct transfer *t, const struct http_config *config,
                              const struct work *work, struct aw_error *err)
{
    t->easy = lazy_curl_easy_init();
    if (!t->easy || !set_callbacks(t) || !set_safety(t->easy, config) || !set_request(t, work))
        return aw_fail(err, AW_ERR_NO_MEMORY, "the request could not be made: out of memory");
    return AW_OK;
}
