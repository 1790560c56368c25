/* The five ways to wait for a page. */
#include <string.h>

#include "tests/ecomarket/dashboard.h"

/* Of one that is known to have ended: fetches its datum, if there is one. */
static void take(const struct shop *shop, const struct aw_status *status, struct section *section,
                 struct load *load)
{
    struct aw_result *result = NULL;
    struct aw_error err;

    if (status->state == AW_SUCCEEDED)
        must(aw_result_read(shop->client, status->id, 0, &result, &err), &err, "result");
    section_came(section, load, status, result ? result->data : NULL);
    aw_result_free(result);
}

/* ---- Gather: all of them, in the order of the page ------------------------------------------- */

static void gather(const struct shop *shop, const char *const ids[N_SECTIONS], bool strict,
                   struct load *load)
{
    struct aw_gather_opts opts;
    struct aw_gathered *all;
    struct aw_error err;

    aw_gather_opts_init(&opts);
    opts.strict = strict;
    must(aw_gather(shop->client, ids, N_SECTIONS, &opts, &all, &err), &err, "gather");
    for (size_t i = 0; i < N_SECTIONS; i++) {
        const struct aw_result *result = aw_gathered_at(all, i);
        const struct aw_status *status = result->status;

        if (status->state >= AW_SUCCEEDED)
            section_came(&load->sections[i], load, status,
                         status->state == AW_SUCCEEDED ? result->data : NULL);
        else
            section_stands(&load->sections[i], status);
    }
    aw_gathered_free(all);
}

static void gather_tolerant(const struct shop *shop, const char *const ids[N_SECTIONS],
                            struct load *load)
{
    gather(shop, ids, false, load);
}

static void gather_strict(const struct shop *shop, const char *const ids[N_SECTIONS],
                          struct load *load)
{
    gather(shop, ids, true, load);
}

/* ---- Wait: until something has come about, and then see what there is ------------------------ */

static void wait_until(const struct shop *shop, const char *const ids[N_SECTIONS],
                       const struct aw_until *until, struct load *load)
{
    struct aw_statuses *statuses;
    struct aw_error err;

    must(aw_wait_until(shop->client, ids, N_SECTIONS, until, AW_FOREVER, NULL, &statuses, &err),
         &err, "wait");
    for (size_t i = 0; i < N_SECTIONS; i++) {
        const struct aw_status *status = aw_statuses_at(statuses, i);

        if (status->state >= AW_SUCCEEDED)
            take(shop, status, &load->sections[i], load);
        else
            section_stands(&load->sections[i], status);
    }
    aw_statuses_free(statuses);
}

static void first_completed(const struct shop *shop, const char *const ids[N_SECTIONS],
                            struct load *load)
{
    struct aw_until until;

    aw_until_init(&until);
    until.n_ended = 1;
    wait_until(shop, ids, &until, load);
}

static void first_exception(const struct shop *shop, const char *const ids[N_SECTIONS],
                            struct load *load)
{
    struct aw_until until;

    aw_until_init(&until);
    until.first_error = true;
    wait_until(shop, ids, &until, load);
}

/* ---- As completed: each once it is there ----------------------------------------------------- */

static size_t index_of(const char *id, const char *const ids[N_SECTIONS])
{
    size_t i = 0;

    while (strcmp(id, ids[i]) != 0)
        i++;
    return i;
}

static void as_completed(const struct shop *shop, const char *const ids[N_SECTIONS],
                         struct load *load)
{
    const struct aw_status *status;
    struct aw_completions *each;
    struct aw_error err;
    enum aw_err e;

    must(aw_as_completed(shop->client, ids, N_SECTIONS, AW_FOREVER, &each, &err), &err,
         "as-completed");
    while ((e = aw_completions_next(each, &status, &err)) == AW_OK && status)
        take(shop, status, &load->sections[index_of(status->id, ids)], load);
    must(e, &err, "as-completed");
    aw_completions_free(each);
}

/* ---- The five -------------------------------------------------------------------------------- */

const struct strategy strategies[N_STRATEGIES] = {
    {"gather", "gather, tolerant", gather_tolerant},
    {"gather-strict", "gather, strict", gather_strict},
    {"first-completed", "first completed", first_completed},
    {"as-completed", "as completed", as_completed},
    {"first-exception", "first exception", first_exception},
};

const struct strategy *strategy_find(const char *name)
{
    for (size_t i = 0; i < N_STRATEGIES; i++)
        if (!strcmp(strategies[i].name, name))
            return &strategies[i];
    return NULL;
}

void page_load(const struct shop *shop, const struct strategy *strategy, struct load *ret)
{
    struct aw_future *futures[N_SECTIONS];
    const char *ids[N_SECTIONS];

    page_submit(shop, futures, ret);
    for (int i = 0; i < N_SECTIONS; i++)
        ids[i] = aw_future_id(futures[i]);
    strategy->wait(shop, ids, ret);
    ret->total_us = now_us() - ret->begin_us;
    page_leave(shop, futures);
}
