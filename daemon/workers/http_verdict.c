/* What became of a transfer: its class, its sentence, and the lines about it. */
#include "daemon/workers/http_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "proto/http_job.h"

/* X(code, CLASS): whatever is missing is a matter of the connection. */
#define CODE_MAP(X)                        \
    X(CURLE_UNSUPPORTED_PROTOCOL, HTTP)    \
    X(CURLE_URL_MALFORMAT, HTTP)           \
    X(CURLE_WEIRD_SERVER_REPLY, HTTP)      \
    X(CURLE_TOO_MANY_REDIRECTS, HTTP)      \
    X(CURLE_LOGIN_DENIED, HTTP)            \
    X(CURLE_BAD_CONTENT_ENCODING, HTTP)    \
    X(CURLE_SSL_CONNECT_ERROR, TLS)        \
    X(CURLE_SSL_CERTPROBLEM, TLS)          \
    X(CURLE_SSL_CIPHER, TLS)               \
    X(CURLE_PEER_FAILED_VERIFICATION, TLS) \
    X(CURLE_SSL_ENGINE_NOTFOUND, TLS)      \
    X(CURLE_SSL_ENGINE_SETFAILED, TLS)     \
    X(CURLE_SSL_ENGINE_INITFAILED, TLS)    \
    X(CURLE_SSL_CACERT_BADFILE, TLS)       \
    X(CURLE_SSL_CRL_BADFILE, TLS)          \
    X(CURLE_SSL_ISSUER_ERROR, TLS)         \
    X(CURLE_SSL_PINNEDPUBKEYNOTMATCH, TLS) \
    X(CURLE_SSL_INVALIDCERTSTATUS, TLS)    \
    X(CURLE_SSL_CLIENTCERT, TLS)

static enum aw_class class_of(CURLcode code)
{
    static const struct {
        CURLcode code;
        enum aw_class class;
    } classes[] = {
#define X(code, CLASS) {code, AW_CLASS_##CLASS},
        CODE_MAP(X)
#undef X
    };

    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (classes[i].code == code)
            return classes[i].class;
    return AW_CLASS_CONNECTION;
}

static long info_long(const struct transfer *t, CURLINFO info)
{
    long v = 0;

    lazy_curl_easy_getinfo(t->easy, info, &v);
    return v;
}

static const char *info_text(const struct transfer *t, CURLINFO info)
{
    const char *v = NULL;

    lazy_curl_easy_getinfo(t->easy, info, &v);
    return v ? v : "";
}

/* ---- The verdict ---------------------------------------------------------------------------- */

static void fail(struct transfer *t, enum aw_class class, const char *fmt, ...) AW_PRINTF(3, 4);
static void fail(struct transfer *t, enum aw_class class, const char *fmt, ...)
{
    va_list ap;

    t->outcome.class = class;
    va_start(ap, fmt);
    vsnprintf(t->outcome.message, sizeof(t->outcome.message), fmt, ap);
    va_end(ap);
}

static void judge_status(struct transfer *t)
{
    const char *to = info_text(t, CURLINFO_REDIRECT_URL);

    if (http_status_expected(t->expect, t->outcome.http_status)) {
        t->outcome.exit_code = 0;
        return;
    }
    fail(t, AW_CLASS_HTTP, "the answer was %u%s%s, not %.*s%s%.200s", t->outcome.http_status,
         t->reason[0] ? " " : "", t->reason,
         t->expect.len ? (int)t->expect.len : (int)strlen(HTTP_EXPECT_DEFAULT),
         t->expect.len ? (const char *)t->expect.data : HTTP_EXPECT_DEFAULT,
         *to ? "; it redirects to " : "", to);
}

void http_verdict(struct transfer *t, CURLcode result)
{
    if (t->body_too_large)
        fail(t, AW_CLASS_OUTPUT_LIMIT, "the answer has more than the limit of %" PRIu64 " bytes",
             t->output_limit);
    else if (t->headers_too_large)
        fail(t, AW_CLASS_HTTP, "the headers of the answer have more than %u bytes",
             AW_MAX_HEADERSIZE);
    else if (result == CURLE_OK)
        judge_status(t);
    else if (result == CURLE_OUT_OF_MEMORY || t->out_of_memory)
        fail(t, AW_CLASS_CONNECTION, "out of memory while the answer came");
    else if (t->denied[0] && result == CURLE_COULDNT_CONNECT)
        fail(t, AW_CLASS_CONNECTION,
             "connections to %s are denied by the configuration (http_deny)", t->denied);
    else
        fail(t, class_of(result), "%s", t->error[0] ? t->error : lazy_curl_easy_strerror(result));
}

/* ---- The summary ---------------------------------------------------------------------------- */

static void line(struct transfer *t, const char *fmt, ...) AW_PRINTF(2, 3);
static void line(struct transfer *t, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    /* Without memory there is a line less. */
    (void)!http_stream_add(&t->streams[STREAM_STDERR], text,
                           MIN((size_t)MAX(len, 0), sizeof(text) - 1));
}

static void line_time(struct transfer *t, const char *name, CURLINFO info)
{
    curl_off_t us = 0;

    lazy_curl_easy_getinfo(t->easy, info, &us);
    line(t, "%s: %" PRId64 ".%03d\n", name, (int64_t)(us / 1000), (int)(us % 1000));
}

void http_summary(struct transfer *t)
{
    const char *address = info_text(t, CURLINFO_PRIMARY_IP);
    long status = info_long(t, CURLINFO_RESPONSE_CODE);

    t->outcome.http_status = (unsigned)MIN(MAX(status, 0L), 999L);
    line(t, "%surl: ", t->in_head ? "\n" : "");
    /* As long as it may be, it is the one thing that must not be cut. */
    (void)!http_stream_add(&t->streams[STREAM_STDERR], info_text(t, CURLINFO_EFFECTIVE_URL),
                           strlen(info_text(t, CURLINFO_EFFECTIVE_URL)));
    line(t, "\n");
    if (*address)
        line(t, "address: %s port %ld\n", address, info_long(t, CURLINFO_PRIMARY_PORT));
    line(t, "redirects: %ld\n", info_long(t, CURLINFO_REDIRECT_COUNT));
    line_time(t, "redirect_ms", CURLINFO_REDIRECT_TIME_T);
    line_time(t, "name_ms", CURLINFO_NAMELOOKUP_TIME_T);
    line_time(t, "connect_ms", CURLINFO_CONNECT_TIME_T);
    line_time(t, "tls_ms", CURLINFO_APPCONNECT_TIME_T);
    line_time(t, "first_byte_ms", CURLINFO_STARTTRANSFER_TIME_T);
    line_time(t, "total_ms", CURLINFO_TOTAL_TIME_T);
}
