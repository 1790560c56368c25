#include <errno.h>
#include <stdio.h>

#include "client/awctl/waiting.h"

struct result_values {
    int64_t timeout_ms;
    bool exit_status;
};

static struct result_values values = {.timeout_ms = AW_FOREVER};

static const struct opt opts[] = {
    {"timeout", 't', OPT_DURATION, "TIME", "wait no longer (0: look once; default: for ever)",
     offsetof(struct result_values, timeout_ms), 0, 0},
    {"exit-status", 'x', OPT_FLAG, NULL, "exit with the job's own code, or 128 and its signal",
     offsetof(struct result_values, exit_status), 0, 0},
};

/* The whole output in one object: held in memory, and cut at AW_RESULT_MAX. */
static int result_json(struct awctl *ctl, const char *id)
{
    struct aw_future *future;
    struct aw_result *result;
    struct aw_error err;
    enum aw_err e = aw_lookup(ctl->client, id, &future, &err);

    if (e)
        return awctl_fail(&err);
    e = aw_future_result(future, AW_FOREVER, &result, &err);
    aw_future_unref(future);
    if (e)
        return awctl_fail(&err);
    json_result(result->status, result->data, result->len, result->size);
    aw_result_free(result);
    return 0;
}

static int result_copy_out(struct awctl *ctl, const char *id)
{
    uint64_t offset = 0;
    bool eof = false;

    while (!eof) {
        struct aw_result *result;
        struct aw_error err;
        bool written;

        if (aw_result_read(ctl->client, id, offset, &result, &err))
            return awctl_fail(&err);
        written = write_all(STDOUT_FILENO, result->data, result->len);
        offset += result->len;
        eof = result->eof || result->len == 0;
        aw_result_free(result);
        if (!written) {
            complain("standard output: %s", strerror(errno));
            return aw_err_exit_code(AW_ERR_DISK_FULL);
        }
    }
    return 0;
}

static int run(struct awctl *ctl, int argc, char **argv)
{
    _cleanup_ids_ struct ids ids = {0};
    struct aw_statuses *list;
    struct aw_error err;
    int code, failed = 0;

    if (ids_parse(argc, argv, &ids, &err))
        return awctl_fail(&err);
    code = awctl_prepare(ctl);
    if (code)
        return code;
    if (waiting_for(ctl, ids.v, 1, values.timeout_ms, &list, &err))
        return awctl_fail(&err);
    code = verdict_all(list, values.exit_status);
    if (!aw_statuses_at(list, 0)->err)
        failed = ctl->json ? result_json(ctl, ids.v[0]) : result_copy_out(ctl, ids.v[0]);
    else if (ctl->json)
        json_result(aw_statuses_at(list, 0), "", 0, 0);
    if (!ctl->json)
        verdict_complain(list);
    aw_statuses_free(list);
    return output_code(failed ? failed : code);
}

const struct command command_result = {
    .name = "result",
    .usage = "[OPTION...] ID",
    .help = "wait until it has ended, then print its standard output",
    .notes = "Exits like wait.",
    .opts = opts,
    .n_opts = ARRAY_SIZE(opts),
    .values = &values,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
