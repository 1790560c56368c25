#include "proto/http_job.h"

#include <ctype.h>
#include <strings.h>

#define MIN_STATUS 100
#define MAX_STATUS 999

static bool bytes_eq_nocase(struct bytes a, const char *b)
{
    return a.len == strlen(b) && strncasecmp(a.data, b, a.len) == 0;
}

/* ---- Tokens (RFC 9110, 5.6.2) ---------------------------------------------------------------- */

static bool is_token(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)s[i]) && (!s[i] || !strchr("!#$%&'*+-.^_`|~", s[i])))
            return false;
    return len > 0;
}

/* ---- URL ---------------------------------------------------------------------------------------
 */

/* What is between "//" and the path; empty when the URL has no scheme that we speak. */
static struct bytes url_authority(struct bytes url)
{
    const char *s = url.data;
    size_t start, end;

    if (url.len > 7 && strncasecmp(s, "http://", 7) == 0)
        start = 7;
    else if (url.len > 8 && strncasecmp(s, "https://", 8) == 0)
        start = 8;
    else
        return (struct bytes){0};
    for (end = start; end < url.len && !strchr("/?#\\", s[end]); end++)
        continue;
    return bytes_of(s + start, end - start);
}

struct bytes http_host(struct bytes url)
{
    struct bytes host = url_authority(url);
    const char *s = host.data;
    const char *end = host.len && *s == '[' ? memchr(s, ']', host.len) : NULL;
    const char *colon = end ? end + 1 : host.len ? memchr(s, ':', host.len) : NULL;

    if (colon)
        host.len = (size_t)(colon - s);
    return host;
}

static enum aw_err url_check(struct bytes url, struct aw_error *err)
{
    struct bytes authority;

    if (!url.data)
        return aw_fail(err, AW_ERR_INVALID, "url: a job of type http needs one");
    for (size_t i = 0; i < url.len; i++)
        if (!isgraph(((const unsigned char *)url.data)[i]))
            return aw_fail(err, AW_ERR_INVALID,
                           "url: byte %zu is no printable ASCII; it must be %%-encoded", i);
    authority = url_authority(url);
    if (!authority.data)
        return aw_fail(err, AW_ERR_INVALID, "url: must begin with http:// or https://");
    if (http_host(url).len == 0)
        return aw_fail(err, AW_ERR_INVALID, "url: has no host");
    if (memchr(authority.data, '@', authority.len))
        return aw_fail(err, AW_ERR_INVALID,
                       "url: must not hold a user or password; use an Authorization header");
    return AW_OK;
}

/* ---- Method and headers ---------------------------------------------------------------------- */

struct bytes http_method(const struct job *job)
{
    if (job->method.data)
        return job->method;
    return bytes_str(job->body.data ? "POST" : "GET");
}

static enum aw_err method_check(const struct job *job, struct aw_error *err)
{
    struct bytes method = http_method(job);

    if (!is_token(method.data, method.len) || bytes_eq_nocase(method, "CONNECT"))
        return aw_fail(err, AW_ERR_INVALID, "method: '%.*s' is none that can be sent",
                       (int)method.len, (const char *)method.data);
    if (bytes_eq(method, bytes_str("HEAD")) && job->body.data)
        return aw_fail(err, AW_ERR_INVALID, "body: HEAD has none");
    return AW_OK;
}

static struct bytes header_name(struct bytes header)
{
    const char *colon = header.len ? memchr(header.data, ':', header.len) : NULL;

    return bytes_of(header.data, colon ? (size_t)(colon - (const char *)header.data) : 0);
}

bool http_has_header(const struct job *job, const char *name)
{
    for (size_t i = 0; i < job->headers.n; i++)
        if (bytes_eq_nocase(header_name(job->headers.v[i]), name))
            return true;
    return false;
}

static enum aw_err header_check(struct bytes header, size_t i, struct aw_error *err)
{
    struct bytes name = header_name(header);

    if (!is_token(name.data, name.len))
        return aw_fail(err, AW_ERR_INVALID, "headers[%zu]: must be NAME: VALUE", i);
    for (size_t k = name.len; k < header.len; k++) {
        unsigned char c = ((const unsigned char *)header.data)[k];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return aw_fail(err, AW_ERR_INVALID, "headers[%zu]: has a control character", i);
    }
    /* They say where the request ends: two opinions on that are how requests are smuggled. */
    if (bytes_eq_nocase(name, "Content-Length") || bytes_eq_nocase(name, "Transfer-Encoding"))
        return aw_fail(err, AW_ERR_INVALID, "headers[%zu]: %.*s is set by awd", i, (int)name.len,
                       (const char *)name.data);
    return AW_OK;
}

static enum aw_err headers_check(const struct job *job, struct aw_error *err)
{
    size_t total = 0;

    for (size_t i = 0; i < job->headers.n; i++) {
        enum aw_err e = header_check(job->headers.v[i], i, err);

        if (e)
            return e;
        total += job->headers.v[i].len + 1;
    }
    if (total > AW_MAX_HEADERSIZE)
        return aw_fail(err, AW_ERR_TOO_LARGE, "headers: %zu bytes together; at most %u", total,
                       AW_MAX_HEADERSIZE);
    return AW_OK;
}

/* ---- Expected statuses: N or N-M, with commas ------------------------------------------------ */

static bool status_read(const char **p, const char *end, unsigned *ret)
{
    unsigned v = 0;
    const char *s = *p;

    for (; s < end && *s >= '0' && *s <= '9' && v <= MAX_STATUS; s++)
        v = v * 10 + (unsigned)(*s - '0');
    if (v < MIN_STATUS || v > MAX_STATUS)
        return false;
    *p = s;
    *ret = v;
    return true;
}

static bool range_read(const char **p, const char *end, unsigned *ret_low, unsigned *ret_high)
{
    if (!status_read(p, end, ret_low))
        return false;
    *ret_high = *ret_low;
    if (*p < end && **p == '-') {
        ++*p;
        return status_read(p, end, ret_high) && *ret_low <= *ret_high;
    }
    return true;
}

/* False: it is no such list. *ret_has: `status` is in it. */
static bool expect_read(struct bytes expect, unsigned status, bool *ret_has)
{
    const char *p = expect.data, *end = p + expect.len;
    unsigned low, high;

    *ret_has = false;
    for (;;) {
        if (!range_read(&p, end, &low, &high))
            return false;
        *ret_has |= low <= status && status <= high;
        if (p == end)
            return true;
        if (*p++ != ',')
            return false;
    }
}

bool http_status_expected(struct bytes expect, unsigned status)
{
    bool has;

    return expect_read(expect.len ? expect : bytes_str(HTTP_EXPECT_DEFAULT), status, &has) && has;
}

static enum aw_err expect_check(struct bytes expect, struct aw_error *err)
{
    bool has;

    if (expect.len && !expect_read(expect, 0, &has))
        return aw_fail(err, AW_ERR_INVALID,
                       "expect: '%.*s' must be statuses or ranges of them, like 200,300-399",
                       (int)expect.len, (const char *)expect.data);
    return AW_OK;
}

/* ---- All of it ------------------------------------------------------------------------------- */

enum aw_err http_job_check(const struct job *job, struct aw_error *err)
{
    enum aw_err e = url_check(job->url, err);

    if (!e)
        e = method_check(job, err);
    if (!e)
        e = headers_check(job, err);
    return e ? e : expect_check(job->expect, err);
}
