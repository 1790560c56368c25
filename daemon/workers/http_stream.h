/*
 * http_stream.h - what a transfer brings in for one of its streams: kept in memory while it is
 * little, then written to the attempt's spool file by the helper thread.
 *
 * One piece at most is on its way to the disk; what comes meanwhile gathers. While
 * http_stream_full(), nothing should be added: the source is to be paused until idle() is called.
 * A file that cannot be written (error) takes no more, and what comes is dropped.
 *
 * Loop thread only.
 */
#ifndef AW_HTTP_STREAM_H
#define AW_HTTP_STREAM_H

#include "daemon/engine/outcome.h"
#include "daemon/offload.h"
#include "daemon/spool.h"

struct http_stream {
    struct spool_file file;
    const struct spool *spool;
    struct offload *offload;
    void (*idle)(void *arg, struct http_stream *s); /* what was on its way has been written */
    void *arg;

    char *gathered; /* since the last write began */
    size_t len, cap;
    char *writing;      /* the helper thread's, while busy */
    size_t writing_len; /* and what is left of it */
    uint64_t written;   /* bytes in the file: the helper's while busy */
    int fd;             /* the same; -1: no file yet */
    int error;          /* the same; errno of the first failure */
    bool busy;
    bool spooled; /* it goes to a file from now on */
};

void http_stream_init(struct http_stream *s, struct spool_file file, const struct spool *spool,
                      struct offload *offload);
/* Not while busy. */
void http_stream_done(struct http_stream *s);

bool http_stream_full(const struct http_stream *s);

/* False: out of memory; nothing was added. */
AW_MUSTCHECK bool http_stream_add(struct http_stream *s, const void *data, size_t len);

/* From now on everything goes to the file, at once. */
void http_stream_spill(struct http_stream *s);

/* Writes what has gathered, if it goes to a file; idle() is called unless false is returned. */
bool http_stream_flush(struct http_stream *s);

/* All of it, once it is flushed and not busy; valid until http_stream_done(). */
struct output http_stream_output(const struct http_stream *s);

#endif
