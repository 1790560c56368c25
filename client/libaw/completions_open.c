/* Completions: beginning with them, over IDs or over a set; and what is left. */
#include "client/libaw/completions.h"
#include "proto/future_id.h"

#define MIN_SLOTS 16
#define FORGET_MS 500

/* ---- Which ID is it ---------------------------------------------------------------------- */

/* Only futures of this store get into the table, so that the number alone says which it is. */
static uint64_t number_of(const char *id)
{
    struct future_id parsed;

    return future_id_parse(bytes_str(id), &parsed, NULL) ? 0 : parsed.number;
}

/* Where it is, or where it would be. */
static size_t *slot_of(const struct aw_completions *each, uint64_t number)
{
    size_t i = (size_t)(number * 0x9e3779b97f4a7c15) & (each->n_slots - 1);

    while (each->slots[i] && number_of(each->ids[each->slots[i] - 1]) != number)
        i = (i + 1) & (each->n_slots - 1);
    return &each->slots[i];
}

size_t completions_find(const struct aw_completions *each, const char *id)
{
    return *slot_of(each, number_of(id)) - 1;
}

/* A member of the set; or the same as one before it. */
static void index_add(struct aw_completions *each, size_t i)
{
    size_t *slot = slot_of(each, number_of(each->ids[i]));

    if (!*slot)
        *slot = i + 1;
    if (*slot == i + 1)
        return;
    each->same_as[i] = *slot - 1;
    each->states[i] = COMPLETION_SAME;
}

/* ---- The set of those that have not come ------------------------------------------------- */

static enum aw_err missing_take(struct aw_completions *each, const size_t *at,
                                const struct set_add_rep *rep, struct aw_error *err)
{
    _cleanup_free_ struct job_status *jobs = calloc(rep->jobs.n + 1, sizeof(*jobs));
    size_t n = 0;

    if (!jobs)
        return list_failed(OP_SET_ADD, err);
    for (size_t i = 0; i < rep->jobs.n; i++) {
        if (!rep->jobs.v[i].err)
            continue;
        codec_defaults(&job_status_schema, &jobs[n]);
        jobs[n].id = rep->jobs.v[i].id;
        jobs[n].err = rep->jobs.v[i].err;
        jobs[n++].message = rep->jobs.v[i].message;
    }
    if (n == 0)
        return AW_OK;
    *each->missing_end = statuses_copy(jobs, n, bytes_of(NULL, 0), NULL);
    if (!*each->missing_end)
        return list_failed(OP_SET_ADD, err);
    each->missing_end = &(*each->missing_end)->next;
    for (size_t i = 0; i < rep->jobs.n; i++) {
        if (!rep->jobs.v[i].err)
            continue;
        each->states[at[i]] = COMPLETION_MISSING;
        each->missing_at[each->n_missing++] = at[i];
    }
    return AW_OK;
}

/* Makes those at `at` members of the set; of a new one, if there is none. */
static enum aw_err members_add(struct aw_completions *each, const size_t *at, size_t n, bool close,
                               struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    _cleanup_free_ struct bytes *v = calloc(n + 1, sizeof(*v));
    struct set_add_req req = {.set = bytes_or_none(each->set), .ids = {v, n}, .close = close};
    struct call call = {.op = OP_SET_ADD, .req = &req, .deadline_us = NEVER_US};
    struct set_add_rep rep;
    enum aw_err e;

    if (!v)
        return list_failed(call.op, err);
    for (size_t i = 0; i < n; i++)
        v[i] = bytes_str(each->ids[at[i]]);
    e = call_make(each->client, &call, &rep, &answer, err);
    if (!e)
        e = count_check(call.op, rep.jobs.n, n, err);
    if (!e)
        e = missing_take(each, at, &rep, err);
    if (e)
        return e;
    memcpy(each->set, rep.set.name.data, rep.set.name.len);
    each->set[rep.set.name.len] = '\0';
    for (size_t i = 0; i < n; i++)
        if (!rep.jobs.v[i].err)
            index_add(each, at[i]);
    completions_progress(each, &rep.set);
    return AW_OK;
}

/* All that have not come; the last ones close it. */
static enum aw_err set_make(struct aw_completions *each, struct aw_error *err)
{
    _cleanup_free_ size_t *at = calloc(each->n_ids, sizeof(*at));
    size_t n = 0, i = 0;
    enum aw_err e = AW_OK;

    if (!at)
        return list_failed(OP_SET_ADD, err);
    for (size_t id = 0; id < each->n_ids; id++)
        if (each->states[id] == COMPLETION_OPEN)
            at[n++] = id;
    each->set[0] = '\0';
    do {
        size_t some = MIN(n - i, (size_t)AW_MAX_IDS);

        e = members_add(each, at + i, some, i + some == n, err);
        i += some;
    } while (!e && i < n);
    return e;
}

enum aw_err completions_renew(struct aw_completions *each, struct aw_error *err)
{
    each->n_before += each->taken_to;
    each->n_failed_before = each->n_failed_out;
    each->taken_to = each->read_to = 0;
    each->late = false;
    each->renewed = true;
    completions_leave_page(each);
    return set_make(each, err);
}

/* ---- Opening ----------------------------------------------------------------------------- */

static struct aw_completions *completions_new(struct aw_client *client, int64_t timeout_ms)
{
    struct aw_completions *each = calloc(1, sizeof(*each));

    if (!each)
        return NULL;
    each->client = client_ref(client);
    each->missing_end = &each->missing;
    each->deadline_us = deadline_us(timeout_ms);
    return each;
}

static void completions_destroy(struct aw_completions *each)
{
    if (each->ids)
        free(each->ids[0]);
    free(each->ids);
    free(each->states);
    free(each->same_as);
    free(each->slots);
    free(each->missing_at);
    aw_statuses_free(each->missing);
    aw_statuses_free(each->page);
    aw_statuses_free(each->kept);
    client_unref(each->client);
    free(each);
}

/* One block holds all texts. */
static bool ids_copy(struct aw_completions *each, const char *const *ids, size_t n)
{
    size_t size = 1;
    char *next;

    for (size_t i = 0; i < n; i++)
        size += strlen(ids[i]) + 1;
    next = malloc(size);
    if (!next)
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(ids[i]) + 1;

        each->ids[i] = memcpy(next, ids[i], len);
        next += len;
    }
    return true;
}

static bool ids_take(struct aw_completions *each, const char *const *ids, size_t n)
{
    each->n_slots = MIN_SLOTS;
    while (each->n_slots < n * 2)
        each->n_slots *= 2;
    each->ids = calloc(n, sizeof(*each->ids));
    each->states = calloc(n, sizeof(*each->states));
    each->same_as = calloc(n, sizeof(*each->same_as));
    each->missing_at = calloc(n, sizeof(*each->missing_at));
    each->slots = calloc(each->n_slots, sizeof(*each->slots));
    if (!each->ids || !each->states || !each->same_as || !each->missing_at || !each->slots ||
        !ids_copy(each, ids, n))
        return false;
    each->n_ids = n;
    for (size_t i = 0; i < n; i++)
        each->same_as[i] = i;
    return true;
}

enum aw_err aw_as_completed(struct aw_client *client, const char *const *ids, size_t n,
                            int64_t timeout_ms, struct aw_completions **ret, struct aw_error *err)
{
    _hold_client_(client);
    struct aw_completions *each;
    enum aw_err e;

    if (n == 0)
        return aw_fail(err, AW_ERR_USAGE, "no future ID was given");
    each = completions_new(client, timeout_ms);
    if (!each)
        return aw_fail(err, AW_ERR_NO_MEMORY, "completions: out of memory");
    if (ids_take(each, ids, n))
        e = set_make(each, err);
    else
        e = aw_fail(err, AW_ERR_NO_MEMORY, "completions: out of memory");
    if (e)
        completions_destroy(each);
    else
        *ret = each;
    return e;
}

void aw_read_opts_init_sized(struct aw_read_opts *opts, size_t size)
{
    struct aw_read_opts defaults = {.size = size, .after = -1, .timeout_ms = AW_FOREVER};

    memset(opts, 0, size);
    memcpy(opts, &defaults, MIN(size, sizeof(defaults)));
}

static enum aw_err name_take(const char *name, const char *what, char *to, size_t size,
                             struct aw_error *err)
{
    size_t len = name ? strlen(name) : 0;

    if (len >= size)
        return aw_fail(err, AW_ERR_USAGE, "%s of %zu bytes; at most %zu", what, len, size - 1);
    if (len > 0)
        memcpy(to, name, len + 1);
    return AW_OK;
}

enum aw_err aw_set_as_completed(struct aw_client *client, const char *set,
                                const struct aw_read_opts *opts, struct aw_completions **ret,
                                struct aw_error *err)
{
    _hold_client_(client);
    struct aw_completions *each;
    struct aw_read_opts ours;
    enum aw_err e;

    if (!set || !*set)
        return aw_fail(err, AW_ERR_USAGE, "no name of a set was given");
    aw_read_opts_init(&ours);
    if (opts)
        memcpy(&ours, opts, MIN(opts->size, sizeof(ours)));
    each = completions_new(client, ours.timeout_ms);
    if (!each)
        return aw_fail(err, AW_ERR_NO_MEMORY, "completions: out of memory");
    e = name_take(set, "name of a set", each->set, sizeof(each->set), err);
    if (!e)
        e = name_take(ours.consumer, "name of a consumer", each->consumer, sizeof(each->consumer),
                      err);
    each->from_cursor = ours.after < 0;
    each->read_to = (uint64_t)MAX(ours.after, INT64_C(0));
    if (!e)
        e = completions_look(each, err);
    if (e)
        completions_destroy(each);
    else
        *ret = each;
    return e;
}

/* The daemon forgets the set by itself some time; it is just told that it may do so now. */
static void set_forget(struct aw_completions *each)
{
    _cleanup_answer_ struct answer answer = {0};
    struct set_forget_req req = {.set = bytes_str(each->set)};
    struct call call = {.op = OP_SET_FORGET,
                        .req = &req,
                        .once = true,
                        .hasty = true,
                        .deadline_us = deadline_us(FORGET_MS)};
    struct set_forget_rep rep;

    if (call_make(each->client, &call, &rep, &answer, NULL))
        return;
}

void aw_completions_free(struct aw_completions *each)
{
    if (!each)
        return;
    if (each->n_ids && each->set[0])
        set_forget(each);
    completions_destroy(each);
}
