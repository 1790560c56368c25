#include "daemon/runner/output.h"

#include <errno.h>
#include <fcntl.h>

/* As much as a pipe holds, and how much a pipe is made to hold once its job turns out to be loud.
 */
#define CHUNK     (64u << 10)
#define LOUD_PIPE (256 << 10)

void stream_init(struct stream *stream, struct spool_file name)
{
    *stream = (struct stream){.fd = -1, .file_fd = -1, .name = name};
}

void stream_done(struct stream *stream)
{
    if (stream->fd >= 0)
        close(stream->fd);
    if (stream->file_fd >= 0)
        close(stream->file_fd);
    free(stream->data);
    stream_init(stream, stream->name);
}

static void file_append(struct stream *stream, const char *data, size_t len)
{
    while (len > 0 && !stream->error) {
        ssize_t n = write(stream->file_fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            stream->error = errno;
            break;
        }
        stream->size += (uint64_t)n;
        data += n;
        len -= (size_t)n;
    }
    stream->n_lost += len;
}

static void file_discard(struct stream *stream, const struct spool *spool)
{
    char name[SPOOL_NAME];

    close(take_fd(stream->file_fd));
    spool_name(stream->name, name);
    unlinkat(spool->dir_fd, name, 0);
}

/* Moves what is in memory to a new file. If that fails, what was kept stays where it is. */
static void file_begin(struct stream *stream, const struct spool *spool)
{
    uint64_t size = stream->size;

    stream->file_fd = spool_create(spool, stream->name);
    if (stream->file_fd < 0) {
        stream->error = errno;
        return;
    }
    stream->size = 0;
    file_append(stream, stream->data, size);
    if (stream->error) {
        stream->size = size;
        stream->n_lost = 0;
        file_discard(stream, spool);
        return;
    }
    stream->spooled = true;
    free(take_ptr(stream->data));
    if (stream->fd >= 0)
        (void)fcntl(stream->fd, F_SETPIPE_SZ, LOUD_PIPE);
}

static bool memory_append(struct stream *stream, const char *data, size_t len)
{
    size_t need = stream->size + len;

    if (need > stream->cap) {
        size_t cap = MAX(need, MIN(stream->cap * 2, AW_INLINE_OUTPUT));
        char *p = realloc(stream->data, cap);

        if (!p)
            return false;
        stream->data = p;
        stream->cap = cap;
    }
    memcpy(stream->data + stream->size, data, len);
    stream->size += len;
    return true;
}

static void stream_keep(struct stream *stream, const struct spool *spool, const char *data,
                        size_t len)
{
    if (len == 0)
        return;
    if (!stream->spooled && !stream->error &&
        (stream->to_file || stream->size + len > AW_INLINE_OUTPUT))
        file_begin(stream, spool);
    if (stream->spooled) {
        file_append(stream, data, len);
        return;
    }
    if (stream->size + len > AW_INLINE_OUTPUT) { /* there is no file to be had */
        size_t kept = AW_INLINE_OUTPUT - stream->size;

        stream->n_lost += len - kept;
        len = kept;
    }
    if (!memory_append(stream, data, len)) {
        stream->error = ENOMEM;
        stream->n_lost += len;
    }
}

enum stream_read stream_read(struct stream *stream, const struct spool *spool, uint64_t room)
{
    static char chunk[LOUD_PIPE]; /* one for all: it is empty again when this returns */
    size_t max = stream->spooled ? sizeof(chunk) : CHUNK, kept;
    ssize_t n;

    if (stream->fd < 0)
        return STREAM_EOF;
    do
        n = read(stream->fd, chunk, max);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return STREAM_EMPTY;
    if (n <= 0)
        return STREAM_EOF;
    kept = MIN((uint64_t)n, room);
    stream_keep(stream, spool, chunk, kept);
    stream->n_lost += (size_t)n - kept;
    return STREAM_MORE;
}

void stream_spill(struct stream *stream, const struct spool *spool)
{
    stream->to_file = true;
    if (!stream->spooled && !stream->error && stream->size > 0)
        file_begin(stream, spool);
}
