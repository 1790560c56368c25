#include "tests/unit/client_rig.h"

#include <stdio.h>
#include <string.h>

#include "proto/limits.h"
#include "tests/unit/unit.h"

struct aw_client *client_at(const char *url)
{
    struct aw_client_config config;
    struct aw_client *client;

    aw_client_config_init(&config);
    config.url = url;
    ck_assert_int_eq(aw_client_open(&config, &client, NULL), AW_OK);
    return client;
}

void answer_submit(struct fake_request *rq, struct store *s)
{
    struct submit_req req;
    struct submit_rep rep = {0};
    struct bytes ids[AW_MAX_JOBS_PER_SUBMIT];
    static char text[AW_MAX_JOBS_PER_SUBMIT][AW_MAX_ID];
    unsigned key = 0;

    fake_read(rq, &req);
    ck_assert_uint_eq(req.request.len, 16);
    while (key < s->n_keys && memcmp(s->keys[key], req.request.data, 16) != 0)
        key++;
    if (key == s->n_keys) {
        memcpy(s->keys[s->n_keys], req.request.data, 16);
        s->first_of_key[s->n_keys++] = s->n_jobs + 1;
        s->n_jobs += (unsigned)req.jobs.n;
    }
    for (size_t i = 0; i < req.jobs.n; i++) {
        snprintf(text[i], sizeof(text[i]), "k3f9q-%u", (unsigned)(s->first_of_key[key] + i));
        ids[i] = bytes_str(text[i]);
    }
    rep.ids = (struct strv){ids, req.jobs.n};
    fake_reply(rq, &rep);
}

void answer_wait(int fd, uint32_t id, const struct strv *ids, enum aw_state state)
{
    struct job_status *jobs = calloc(ids->n, sizeof(*jobs));
    bool done = state >= AW_SUCCEEDED;
    struct wait_rep rep = {
        .done = done, .n_ended = done ? ids->n : 0, .n_failed = state > AW_SUCCEEDED ? ids->n : 0};

    for (size_t i = 0; i < ids->n; i++) {
        codec_defaults(&job_status_schema, &jobs[i]);
        jobs[i].id = ids->v[i];
        jobs[i].state = state;
    }
    if (done) {
        rep.jobs.v = jobs;
        rep.jobs.n = ids->n;
    }
    fake_reply_to(fd, id, OP_WAIT, &rep);
    free(jobs);
}

void answer_status(struct fake_request *rq, enum aw_state state)
{
    struct status_req req;
    struct status_rep rep = {0};
    struct job_status *jobs;

    fake_read(rq, &req);
    jobs = calloc(req.ids.n, sizeof(*jobs));
    for (size_t i = 0; i < req.ids.n; i++) {
        codec_defaults(&job_status_schema, &jobs[i]);
        jobs[i].id = req.ids.v[i];
        jobs[i].state = state;
        jobs[i].name = bytes_str("backup");
        jobs[i].exit_code = 7;
        if (bytes_eq(req.ids.v[i], bytes_str("404"))) {
            jobs[i].err = AW_ERR_UNKNOWN_ID;
            jobs[i].message = bytes_str("no future 404 was ever issued");
        }
    }
    rep.jobs.v = jobs;
    rep.jobs.n = req.ids.n;
    fake_reply(rq, &rep);
    free(jobs);
}

void well_behaved(struct fake_request *rq, void *arg)
{
    struct wait_req wait;

    switch (rq->op) {
    case OP_SUBMIT:
        answer_submit(rq, arg);
        break;
    case OP_WAIT:
        fake_read(rq, &wait);
        answer_wait(rq->fd, rq->id, &wait.ids, AW_SUCCEEDED);
        break;
    case OP_STATUS:
        answer_status(rq, AW_SUCCEEDED);
        break;
    default:
        fake_error(rq, AW_ERR_UNKNOWN_OP, "the fake does not know this");
    }
}

char *echo_argv[] = {(char *)"echo", (char *)"hello", NULL};

struct aw_job echo_job(void)
{
    struct aw_job job;

    aw_job_init(&job);
    job.argv = echo_argv;
    return job;
}
