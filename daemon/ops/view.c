#include "daemon/ops/view.h"

#include "proto/future_id.h"
#include "proto/http_job.h"

struct view_part {
    char id[AW_MAX_ID];
    char retry_of[AW_MAX_ID];
    char command[AW_MAX_COMMAND];
    struct codec_doc doc;
};

bool view_init(struct view *v, struct server *srv, size_t n)
{
    *v = (struct view){.srv = srv,
                       .n = n,
                       .parts = calloc(n + 1, sizeof(*v->parts)),
                       .jobs = calloc(n + 1, sizeof(*v->jobs))};
    if (v->parts && v->jobs)
        return true;
    view_done(v);
    return false;
}

void view_done(struct view *v)
{
    for (size_t i = 0; v->parts && i < v->n; i++)
        codec_close(&v->parts[i].doc);
    free(v->parts);
    free(v->jobs);
    *v = (struct view){0};
}

static struct bytes id_text(const struct view *v, char buf[AW_MAX_ID], const char *tag,
                            uint64_t number)
{
    return bytes_of(buf, future_id_format(buf, tag[0] ? tag : v->srv->engine->tag, number));
}

/* The arguments with spaces between them, cut where the room ends. */
static struct bytes command_join(char buf[AW_MAX_COMMAND], const struct strv *argv)
{
    size_t len = 0;

    for (size_t i = 0; i < argv->n && len < AW_MAX_COMMAND; i++) {
        size_t n = MIN(argv->v[i].len, AW_MAX_COMMAND - len);

        memcpy(buf + len, argv->v[i].data, n);
        len += n;
        if (i + 1 < argv->n && len < AW_MAX_COMMAND)
            buf[len++] = ' ';
    }
    return bytes_of(buf, len);
}

static void set_spec(struct view *v, size_t i, struct bytes spec)
{
    struct view_part *part = &v->parts[i];
    struct job_status *out = &v->jobs[i];
    struct job job;

    out->type = bytes_str("exec");
    if (codec_open(spec.data, spec.len, &part->doc, NULL) ||
        codec_read(&part->doc, &job_schema, &job, NULL))
        return;
    if (job.type.data)
        out->type = job.type;
    out->name = job.name;
    out->max_attempts = job.max_attempts;
    out->queue = job.queue;
    out->abandon_ms = job.abandon_ms;
    out->limits = job.limits;
    if (job.argv.n)
        out->command = command_join(part->command, &job.argv);
    if (job.url.data)
        out->command = command_join(
            part->command, &(struct strv){(struct bytes[]){http_method(&job), job.url}, 2});
}

/* One that is held was claimed, and that is all: users need not know. */
static void set_running(struct job_status *out, const struct running_info *running)
{
    out->pid = (uint64_t)running->pid;
    if (!running->held)
        return;
    out->state = AW_QUEUED;
    out->attempt--;
    out->started_us = 0;
}

void view_set(struct view *v, size_t i, const struct record *r)
{
    struct job_status *out = &v->jobs[i];
    struct running_info running;

    codec_defaults(&job_status_schema, out);
    out->id = id_text(v, v->parts[i].id, "", r->number);
    out->message = r->message;
    out->state = r->state;
    out->class = r->class;
    out->exit_code = r->exit_code;
    out->signal = (uint64_t)r->signal;
    out->http_status = r->http_status;
    out->key = r->key;
    out->priority = r->priority;
    out->attempt = r->attempt;
    out->uid = r->uid;
    out->cancel_requested = r->state == AW_RUNNING && r->flags & RECORD_CANCEL_REQUESTED;
    out->created_us = (uint64_t)r->created_us;
    out->due_us = (uint64_t)r->due_us;
    out->started_us = (uint64_t)r->started_us;
    out->ended_us = (uint64_t)r->ended_us;
    out->expires_us = (uint64_t)r->expires_us;
    out->stdout_size = r->size[STREAM_STDOUT];
    out->stderr_size = r->size[STREAM_STDERR];
    out->cpu_user_us = r->cpu_user_us;
    out->cpu_sys_us = r->cpu_sys_us;
    out->max_rss_kib = r->max_rss_kib;
    if (r->retry_of)
        out->retry_of = id_text(v, v->parts[i].retry_of, "", r->retry_of);
    if (r->state == AW_RUNNING && running_find(v->srv->running, r->number, &running))
        set_running(out, &running);
    set_spec(v, i, r->spec);
}

void view_set_error(struct view *v, size_t i, const char *tag, uint64_t number, enum aw_err e)
{
    struct job_status *out = &v->jobs[i];

    codec_defaults(&job_status_schema, out);
    out->id = id_text(v, v->parts[i].id, tag, number);
    out->err = (uint64_t)e;
    out->message = bytes_str(aw_err_text(e));
}

void view_set_found(struct view *v, size_t i, const struct found *f)
{
    if (!f->err) {
        view_set(v, i, &f->record);
        return;
    }
    view_set_error(v, i, "", f->record.number, f->err);
    v->jobs[i].state = f->record.state;
    v->jobs[i].class = f->record.class;
}

void view_set_all(struct view *v, const struct exchange *x, const struct ids *ids,
                  const struct found *jobs)
{
    for (size_t i = 0; i < ids->n; i++) {
        enum aw_err e = id_error(x, &ids->v[i], &jobs[i]);

        if (e)
            view_set_error(v, i, ids->v[i].tag, ids->v[i].number, e);
        else
            view_set(v, i, &jobs[i].record);
    }
}
