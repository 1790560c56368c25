/*
 * output.h - what a job writes: out of its pipe, into memory, and from there to a spool file.
 *
 * The first AW_INLINE_OUTPUT bytes of a stream are kept in memory, so that a job that says little
 * touches no disk. With the first byte more, or once output_spill() was called, all of the stream
 * goes to its spool file.
 *
 * Bytes that can not be kept, since the disk is full, are read and dropped: a full disk must not
 * stop the job. They are counted (n_lost), and so are those over the output limit, which the
 * caller enforces by `room`.
 */
#ifndef AW_RUNNER_OUTPUT_H
#define AW_RUNNER_OUTPUT_H

#include "daemon/spool.h"
#include "proto/base.h"
#include "proto/limits.h"

struct stream {
    int fd;          /* of the pipe; -1: closed */
    int file_fd;     /* of the spool file; -1: none */
    bool spooled;    /* all that was kept is in the file */
    bool to_file;    /* whatever comes goes to the file */
    int error;       /* errno of the first write that failed; from then on all is lost */
    uint64_t size;   /* bytes kept */
    uint64_t n_lost; /* bytes dropped */
    char *data;      /* the kept bytes, while not spooled */
    size_t cap;
    struct spool_file name;
};

void stream_init(struct stream *stream, struct spool_file name);
/* Frees the memory and closes both descriptors; the file stays. */
void stream_done(struct stream *stream);

enum stream_read { STREAM_MORE, STREAM_EMPTY, STREAM_EOF };

/*
 * Reads once from the pipe and keeps what it gets, `room` bytes at most. STREAM_EMPTY: nothing is
 * there now. STREAM_EOF: all who could write have closed it (or it is closed on our side).
 */
enum stream_read stream_read(struct stream *stream, const struct spool *spool, uint64_t room);

/* From now on everything, also what is in memory already, goes to the spool file. */
void stream_spill(struct stream *stream, const struct spool *spool);

#endif
