#include <errno.h>
#include <stdio.h>

#include "client/awctl/batch.h"
#include "client/awctl/jobspec.h"

/* A message is kept well below what the protocol allows: 8 MiB and 262,144 values. */
#define BATCH_BYTES (4u << 20)
#define BATCH_TEXTS 200000

struct submit_values {
    struct jobspec spec;
    const char *batch, *set;
};

static struct submit_values values = {.spec = {JOBSPEC_DEFAULTS}};

static const struct opt opts[] = {
    JOBSPEC_OPTIONS(submit_values),
    {"batch", 'b', OPT_TEXT, "FILE", "one job a line, as JSON objects (- reads stdin)",
     offsetof(struct submit_values, batch), 0, 0},
    {"set", 0, OPT_TEXT, "NAME", "they become members of this set; made if it is not there",
     offsetof(struct submit_values, set), 0, 0},
};

static void future_print(const struct awctl *ctl, const struct aw_future *f)
{
    static const char *const specs[] = {"id:s", "deduplicated:b", "cached:b"};

    if (ctl->json)
        JSON_LINE(specs, aw_future_id(f), (int)aw_future_deduplicated(f), (int)aw_future_cached(f));
    else
        puts(aw_future_id(f));
}

static enum aw_err submit(struct awctl *ctl, const struct aw_job *jobs, size_t n,
                          struct aw_error *err)
{
    struct aw_future *futures[AW_MAX_JOBS_PER_SUBMIT];
    enum aw_err e = values.set ? aw_submit_to_set(ctl->client, values.set, jobs, n, futures, err)
                               : aw_submit(ctl->client, jobs, n, futures, err);

    for (size_t i = 0; !e && i < n; i++) {
        future_print(ctl, futures[i]);
        aw_future_unref(futures[i]);
    }
    if (!e)
        fflush(stdout);
    return e;
}

/* ---- --batch ------------------------------------------------------------------------------- */

struct batch {
    struct awctl *ctl;
    const struct aw_job *defaults;
    struct batch_job jobs[AW_MAX_JOBS_PER_SUBMIT];
    size_t n, size, n_texts;
    size_t line, first_line, n_submitted;
};

static void batch_drop(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        batch_job_done(&b->jobs[i]);
    b->n = b->size = b->n_texts = 0;
}

static enum aw_err batch_flush(struct batch *b, struct aw_error *err)
{
    struct aw_job jobs[AW_MAX_JOBS_PER_SUBMIT];
    enum aw_err e = AW_OK;

    for (size_t i = 0; i < b->n; i++)
        jobs[i] = b->jobs[i].job;
    if (b->n && ferror(stdout)) /* nobody would know what became of them */
        e = aw_fail(err, AW_ERR_DISK_FULL, "batch: IDs cannot be written to standard output");
    else if (b->n)
        e = submit(b->ctl, jobs, b->n, err);
    if (!e)
        b->n_submitted += b->n;
    batch_drop(b);
    return e;
}

static enum aw_err batch_line(struct batch *b, const char *line, size_t len, struct aw_error *err)
{
    struct aw_error why;
    struct batch_job job;
    enum aw_err e = AW_OK;

    b->line++;
    if (strspn(line, " \t\r\n") == len)
        return AW_OK;
    if (batch_job_read(line, len, b->defaults, &job, &why))
        return aw_fail(err, why.code, "line %zu: %.200s", b->line, why.text);
    if (b->n == AW_MAX_JOBS_PER_SUBMIT || b->size + job.size > BATCH_BYTES ||
        b->n_texts + job.n_texts > BATCH_TEXTS)
        e = batch_flush(b, err);
    if (e) {
        batch_job_done(&job);
        return e;
    }
    if (b->n == 0)
        b->first_line = b->line;
    b->size += job.size;
    b->n_texts += job.n_texts;
    b->jobs[b->n++] = job;
    return AW_OK;
}

static enum aw_err batch_read(struct batch *b, FILE *in, struct aw_error *err)
{
    _cleanup_free_ char *line = NULL;
    enum aw_err e = AW_OK;
    size_t cap = 0;
    ssize_t len;

    while (!e && (len = getline(&line, &cap, in)) >= 0)
        e = batch_line(b, line, (size_t)len, err);
    if (!e && ferror(in))
        e = aw_fail(err, AW_ERR_SYSTEM, "batch: %s", strerror(errno));
    return e ? e : batch_flush(b, err);
}

static int batch_run(struct awctl *ctl, const struct aw_job *defaults, const char *file)
{
    FILE *in = strcmp(file, "-") != 0 ? fopen(file, "re") : stdin;
    struct batch *b = calloc(1, sizeof(*b));
    struct aw_error err;
    enum aw_err e;
    int code = 0;

    if (!in || !b) {
        complain("%s: %s", file, strerror(errno));
        free(b);
        return EXIT_BAD_USAGE;
    }
    b->ctl = ctl;
    b->defaults = defaults;
    e = batch_read(b, in, &err);
    if (e) {
        code = awctl_fail(&err);
        complain("%zu jobs were submitted (their IDs are above); from line %zu on none was",
                 b->n_submitted, b->first_line ? b->first_line : b->line);
    }
    batch_drop(b);
    free(b);
    if (in != stdin)
        fclose(in);
    return code;
}

/* ---- The command --------------------------------------------------------------------------- */

static int run(struct awctl *ctl, int argc, char **argv)
{
    const struct submit_values *v = &values;
    _cleanup_madejob_ struct madejob m = {0};
    struct aw_error err;
    int code;

    if (v->batch && (argc || v->spec.shell || v->spec.http))
        return bad_usage("submit", "--batch and a command exclude each other");
    if (v->batch && v->spec.stdin_bytes)
        return bad_usage("submit", "--batch and --stdin exclude each other");
    if (jobspec_make(&v->spec, argc, argv, !v->batch, &m, &err))
        return err.code == AW_ERR_USAGE ? bad_usage("submit", "%s", err.text) : awctl_fail(&err);
    if (v->batch && !json_ready())
        return aw_err_exit_code(AW_ERR_SYSTEM);
    code = awctl_prepare(ctl);
    if (code)
        return code;
    if (v->batch)
        return output_code(batch_run(ctl, &m.job, v->batch));
    if (submit(ctl, &m.job, 1, &err))
        return awctl_fail(&err);
    return output_code(0);
}

const struct command command_submit = {
    .name = "submit",
    .usage = "[OPTION...] [--] COMMAND [ARG...]",
    .help = "submit a job and print the ID of its future",
    .notes = "The command is not given to a shell, unless --shell says so. Its environment and\n"
             "directory are those of awctl.",
    .opts = opts,
    .n_opts = ARRAY_SIZE(opts),
    .values = &values,
    .command_follows = true,
    .max_args = -1,
    .run = run,
};
