#include <pwd.h>
#include <stdio.h>

#include "client/awctl/awctl.h"
#include "proto/limits.h"

struct list_values {
    struct texts states;
    const char *name, *user, *before;
    int64_t limit;
    bool all, ids;
};

static struct list_values values = {.limit = 50};

static const struct opt opts[] = {
    {"state", 's', OPT_TEXTS, "STATE", "only jobs in this state (may be given again)",
     offsetof(struct list_values, states), 0, 0},
    {"name", 'n', OPT_TEXT, "PREFIX", "only jobs whose name starts so",
     offsetof(struct list_values, name), 0, 0},
    {"user", 'u', OPT_TEXT, "USER", "only jobs of this user (name or number)",
     offsetof(struct list_values, user), 0, 0},
    {"before", 0, OPT_TEXT, "ID", "only jobs older than this one",
     offsetof(struct list_values, before), 0, 0},
    {"limit", 'l', OPT_INT, "N", "at most N jobs (default: 50)",
     offsetof(struct list_values, limit), 1, INT64_MAX},
    {"all", 'a', OPT_FLAG, NULL, "all jobs, however many", offsetof(struct list_values, all), 0, 0},
    {"ids", 'q', OPT_FLAG, NULL, "print IDs only", offsetof(struct list_values, ids), 0, 0},
};

static enum aw_err state_add(const char *text, unsigned *states, struct aw_error *err)
{
#define STATE_NAME(NAME, num, name, meaning) name,
    static const char *const names[] = {AW_STATE_MAP(STATE_NAME)};
    const char *meant;
    enum aw_state state;

    if (aw_state_parse(bytes_str(text), &state)) {
        *states |= 1u << state;
        return AW_OK;
    }
    meant = suggest(text, names, ARRAY_SIZE(names));
    return aw_fail(err, AW_ERR_USAGE, "--state: there is no state '%.40s'%s%s%s", text,
                   meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
}

static enum aw_err user_find(const char *text, int64_t *ret, struct aw_error *err)
{
    struct passwd *pw = getpwnam(text);
    char *end;
    long long uid;

    if (pw) {
        *ret = pw->pw_uid;
        return AW_OK;
    }
    uid = strtoll(text, &end, 10);
    if (end == text || *end || uid < 0 || uid > UINT32_MAX)
        return aw_fail(err, AW_ERR_USAGE, "--user: there is no user '%.80s'", text);
    *ret = uid;
    return AW_OK;
}

static enum aw_err filter_make(struct aw_filter *filter, struct aw_error *err)
{
    enum aw_err e = AW_OK;

    aw_filter_init(filter);
    filter->name_prefix = values.name;
    for (size_t i = 0; i < values.states.n && !e; i++)
        e = state_add(values.states.v[i], &filter->states, err);
    if (!e && values.user)
        e = user_find(values.user, &filter->uid, err);
    return e;
}

static int page_print(const struct awctl *ctl, const struct aw_statuses *page)
{
    if (ctl->json)
        json_statuses(page);
    else if (values.ids)
        for (size_t i = 0; i < aw_statuses_count(page); i++)
            puts(aw_statuses_at(page, i)->id);
    else
        return print_table(page);
    return 0;
}

/* The pages are shown one by one: there may be millions of jobs. A table fits its page. */
static int pages_print(struct awctl *ctl, struct aw_filter *filter)
{
    uint64_t left = values.all ? UINT64_MAX : (uint64_t)values.limit;
    _cleanup_free_ char *before = values.before ? strdup(values.before) : NULL;
    bool more = true, first = true;
    int code = 0;

    while (more && left > 0 && !code) {
        struct aw_statuses *page;
        const char *next;
        struct aw_error err;

        filter->before = before;
        filter->limit = (unsigned)MIN(left, (uint64_t)AW_MAX_PAGE);
        if (aw_list(ctl->client, filter, &page, &next, &err))
            return awctl_fail(&err);
        left -= MIN(left, aw_statuses_count(page));
        if (aw_statuses_count(page) || (first && !next))
            code = page_print(ctl, page);
        first = first && !aw_statuses_count(page);
        free(before);
        before = next ? strdup(next) : NULL;
        more = before != NULL;
        if (next && !before && !code) {
            complain("list: out of memory");
            code = aw_err_exit_code(AW_ERR_NO_MEMORY);
        }
        aw_statuses_free(page);
    }
    if (more && !code && !ctl->json && !values.ids && isatty(STDOUT_FILENO))
        fprintf(stderr, "older ones: awctl list --before %s, or --all\n", before);
    return code;
}

static int run(struct awctl *ctl, int argc, char **argv)
{
    struct aw_filter filter;
    struct aw_error err;
    int code;

    (void)argc;
    (void)argv;
    if (filter_make(&filter, &err))
        return bad_usage("list", "%s", err.text);
    code = awctl_prepare(ctl);
    if (code)
        return code;
    return output_code(pages_print(ctl, &filter));
}

const struct command command_list = {
    .name = "list",
    .usage = "[OPTION...]",
    .help = "list jobs, newest first",
    .opts = opts,
    .n_opts = ARRAY_SIZE(opts),
    .values = &values,
    .run = run,
};
