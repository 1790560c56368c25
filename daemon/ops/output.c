#include "daemon/ops/output.h"

struct spool_job {
    const struct spool *spool;
    struct output_want want;
    output_fn done;
    void *arg;
    struct aw_error err;
    size_t len;
    char data[];
};

/* On the helper thread. */
static void spool_job_run(void *arg)
{
    struct spool_job *job = arg;
    struct spool_file file = {job->want.number, job->want.attempt, job->want.stream};
    uint64_t size;

    job->err.code = spool_read(job->spool, file, job->want.offset, job->data, job->want.max,
                               &job->len, &size, &job->err);
    /* The attempt said that it is there: it was removed behind our back. */
    if (job->err.code == AW_ERR_UNKNOWN_ID)
        aw_fail(&job->err, AW_ERR_STORE, "the spool file of this output is missing");
}

static void spool_job_done(void *arg)
{
    struct spool_job *job = arg;

    job->done(job->arg, job->err.code ? &job->err : NULL, bytes_of(job->data, job->len));
    free(job);
}

static void spool_output(struct server *srv, const struct output_want *want, output_fn done,
                         void *arg)
{
    struct spool_job *job = calloc(1, sizeof(*job) + want->max);
    struct aw_error err;

    if (job) {
        job->spool = &srv->spool;
        job->want = *want;
        job->done = done;
        job->arg = arg;
        if (offload_run(srv->offload, spool_job_run, spool_job_done, job))
            return;
        free(job);
    }
    aw_fail(&err, AW_ERR_NO_MEMORY, "output: out of memory");
    done(arg, &err, (struct bytes){0});
}

void output_read(struct server *srv, const struct output_want *want, output_fn done, void *arg)
{
    if (want->spooled)
        spool_output(srv, want, done, arg);
    else
        engine_output(srv->engine, want->number, want->attempt, want->stream, want->offset,
                      want->max, done, arg);
}
