#include "daemon/workers/http_stream.h"

#include <errno.h>

/* As much gathers before it is worth a write. */
#define PIECE (128u << 10)

void http_stream_init(struct http_stream *s, struct spool_file file, const struct spool *spool,
                      struct offload *offload)
{
    *s = (struct http_stream){.file = file, .spool = spool, .offload = offload, .fd = -1};
}

void http_stream_done(struct http_stream *s)
{
    if (s->fd >= 0)
        close(s->fd);
    free(s->gathered);
    free(s->writing);
}

bool http_stream_full(const struct http_stream *s)
{
    return s->busy && s->len >= PIECE;
}

/* ---- On the helper thread --------------------------------------------------------------------
 */

static void write_run(void *arg)
{
    struct http_stream *s = arg;
    const char *at = s->writing;

    if (s->fd < 0 && !s->error && (s->fd = spool_create(s->spool, s->file)) < 0)
        s->error = errno;
    while (s->writing_len > 0 && !s->error) {
        ssize_t n = write(s->fd, at, s->writing_len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            s->error = errno;
            break;
        }
        at += n;
        s->writing_len -= (size_t)n;
        s->written += (uint64_t)n;
    }
}

/* ---- On the loop -------------------------------------------------------------------------------
 */

static void write_done(void *arg)
{
    struct http_stream *s = arg;

    free(take_ptr(s->writing));
    s->busy = false;
    s->idle(s->arg, s);
}

bool http_stream_flush(struct http_stream *s)
{
    if (!s->spooled || s->busy || s->len == 0)
        return s->busy;
    s->writing = take_ptr(s->gathered);
    s->writing_len = s->len;
    s->len = s->cap = 0;
    s->busy = offload_run(s->offload, write_run, write_done, s);
    if (!s->busy) {
        write_run(s); /* the helper has too much to do, or is no more */
        free(take_ptr(s->writing));
    }
    return s->busy;
}

static bool reserve(struct http_stream *s, size_t len)
{
    size_t cap = MAX(s->cap, (size_t)1024);
    char *grown;

    if (len <= s->cap)
        return true;
    while (cap < len)
        cap *= 2;
    grown = realloc(s->gathered, cap);
    if (!grown)
        return false;
    s->gathered = grown;
    s->cap = cap;
    return true;
}

bool http_stream_add(struct http_stream *s, const void *data, size_t len)
{
    if (len == 0)
        return true;
    if (!reserve(s, s->len + len))
        return false;
    memcpy(s->gathered + s->len, data, len);
    s->len += len;
    if (!s->spooled && s->len > AW_INLINE_OUTPUT)
        s->spooled = true;
    if (s->len >= PIECE)
        http_stream_flush(s);
    return true;
}

void http_stream_spill(struct http_stream *s)
{
    s->spooled = true;
    http_stream_flush(s);
}

struct output http_stream_output(const struct http_stream *s)
{
    if (s->spooled)
        return (struct output){.size = s->written, .spooled = s->fd >= 0};
    return (struct output){.size = s->len, .data = bytes_of(s->gathered, s->len)};
}
