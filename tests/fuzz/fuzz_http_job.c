/*
 * Jobs of type http: URL, method, headers, expected statuses.
 *
 * The input's lines are URL, method, expected statuses, "body" or not, and then headers. A job
 * that is accepted must be one that cannot end a line of the request, or say two things about
 * where it goes and how long it is.
 */
#include "tests/fuzz/fuzz.h"

#include <strings.h>

#include "proto/codec.h"
#include "proto/http_job.h"

#define MAX_LINES 16

static bool has_line_end(struct bytes b)
{
    return b.len && (memchr(b.data, '\r', b.len) || memchr(b.data, '\n', b.len));
}

static bool begins(struct bytes b, const char *prefix)
{
    return b.len >= strlen(prefix) && !strncasecmp(b.data, prefix, strlen(prefix));
}

static void url_must_be_plain(struct bytes url)
{
    struct bytes host = http_host(url);
    const char *start = url.data, *at = host.data;

    fuzz_check(begins(url, "http://") || begins(url, "https://"), "another scheme");
    for (size_t i = 0; i < url.len; i++)
        fuzz_check(start[i] > ' ' && start[i] < 0x7f, "byte %zu", i);
    fuzz_check(host.len > 0 && at > start && at + host.len <= start + url.len, "host elsewhere");
    fuzz_check(at[-1] == '/', "the host begins behind byte %02x", at[-1]);
    for (size_t i = 0; i < host.len; i++)
        fuzz_check(!strchr("/?#@\\", at[i]), "'%c' in the host", at[i]);
}

static void headers_must_be_plain(const struct job *job)
{
    for (size_t i = 0; i < job->headers.n; i++) {
        struct bytes header = job->headers.v[i];

        fuzz_check(!has_line_end(header), "headers[%zu] has a line's end", i);
        fuzz_check(!begins(header, "content-length:") && !begins(header, "transfer-encoding:"),
                   "headers[%zu] says how long the request is", i);
        fuzz_check(header.len && memchr(header.data, ':', header.len), "headers[%zu]", i);
    }
    fuzz_check(!http_has_header(job, "Content-Length"), "Content-Length");
}

static void accepted(const struct job *job)
{
    struct bytes method = http_method(job);

    url_must_be_plain(job->url);
    headers_must_be_plain(job);
    fuzz_check(method.len && !has_line_end(method) && !memchr(method.data, ' ', method.len),
               "method");
    for (unsigned status = 100; status < 1000; status += 50)
        (void)!http_status_expected(job->expect, status);
}

/* The line as a field: an empty one is no field. Copies are kept in copies[]. */
static struct bytes line_field(struct input *in, void **copies, size_t *n)
{
    struct bytes line = input_line(in);

    if (line.len == 0)
        return (struct bytes){0};
    copies[*n] = fuzz_copy(line, false);
    return bytes_of(copies[(*n)++], line.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct bytes headers[MAX_LINES];
    void *copies[MAX_LINES + 4];
    struct aw_error err = {.text = ""};
    struct job job;
    size_t n = 0;

    codec_defaults(&job_schema, &job);
    job.type = bytes_str("http");
    job.url = line_field(&in, copies, &n);
    job.method = line_field(&in, copies, &n);
    job.expect = line_field(&in, copies, &n);
    job.body = line_field(&in, copies, &n);
    job.headers.v = headers;
    while (in.left && job.headers.n < MAX_LINES)
        headers[job.headers.n++] = line_field(&in, copies, &n);
    if (job_check(&job, &err))
        fuzz_check(err.text[0], "no reason was given");
    else
        accepted(&job);
    while (n)
        free(copies[--n]);
    return 0;
}
