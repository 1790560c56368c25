/* One page: its jobs, and what came of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/ecomarket/dashboard.h"

const char *const section_names[N_SECTIONS] = {"categories", "offers", "products",
                                               "recommendations"};
const char *const fault_names[N_FAULTS] = {"hang", "refused", "500", "none"};

int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (int64_t)1000000 + now.tv_nsec / 1000;
}

void must(enum aw_err e, const struct aw_error *err, const char *what)
{
    if (!e)
        return;
    fflush(stdout);
    fprintf(stderr, "dashboard: %s: %s\n", what, err->text);
    exit(aw_err_exit_code(e));
}

/* ---- Jobs ------------------------------------------------------------------------------------ */

static const char *fault_query(enum fault fault)
{
    switch (fault) {
    case FAULT_500:
        return "?ms=50&status=500";
    case FAULT_NONE:
        return "?ms=50";
    default:
        return "";
    }
}

void page_make(const struct shop *shop, struct page *ret)
{
    for (int i = 0; i < N_SECTIONS; i++) {
        bool faulty = i == RECOMMENDATIONS;
        bool critical = i == OFFERS || i == PRODUCTS;
        struct aw_job *job = &ret->jobs[i];

        snprintf(ret->urls[i], sizeof(ret->urls[i]), "%s/%s%s",
                 faulty && shop->fault == FAULT_REFUSED ? shop->closed : shop->url,
                 section_names[i], faulty ? fault_query(shop->fault) : "");
        aw_job_init(job);
        job->type = "http";
        job->url = ret->urls[i];
        job->name = section_names[i];
        job->queue = shop->queue;
        job->timeout_ms = shop->timeout_ms;
        if (shop->priorities)
            job->priority = critical ? 10 : faulty ? -10 : 0;
    }
}

void page_submit(const struct shop *shop, struct aw_future *ret_futures[N_SECTIONS],
                 struct load *load)
{
    struct aw_future *futures[N_SECTIONS];
    struct aw_job jobs[N_SECTIONS];
    struct aw_error err;
    struct page page;

    page_make(shop, &page);
    for (int i = 0; i < N_SECTIONS; i++)
        jobs[i] = page.jobs[shop->backwards ? N_SECTIONS - 1 - i : i];
    memset(load, 0, sizeof(*load));
    load->begin_us = now_us();
    must(aw_submit(shop->client, jobs, N_SECTIONS, futures, &err), &err, "submit");
    for (int i = 0; i < N_SECTIONS; i++)
        ret_futures[i] = futures[shop->backwards ? N_SECTIONS - 1 - i : i];
}

void page_leave(const struct shop *shop, struct aw_future *futures[N_SECTIONS])
{
    const char *ids[N_SECTIONS];
    struct aw_outcomes *outcomes;
    struct aw_statuses *statuses;
    struct aw_error err;

    for (int i = 0; i < N_SECTIONS; i++)
        ids[i] = aw_future_id(futures[i]);
    must(aw_cancel(shop->client, ids, N_SECTIONS, 0, &outcomes, &err), &err, "cancel");
    aw_outcomes_free(outcomes); /* those that have ended say so; that is fine */
    must(aw_wait(shop->client, ids, N_SECTIONS, AW_FOREVER, NULL, &statuses, &err), &err, "wait");
    aw_statuses_free(statuses);
    for (int i = 0; i < N_SECTIONS; i++)
        aw_future_unref(futures[i]);
}

/* ---- What came of them ----------------------------------------------------------------------- */

void section_stands(struct section *section, const struct aw_status *status)
{
    section->state = status->state;
    section->error_class = status->error_class;
    snprintf(section->message, sizeof(section->message), "%s", status->message);
}

void section_came(struct section *section, struct load *load, const struct aw_status *status,
                  const char *text)
{
    section_stands(section, status);
    if (text)
        snprintf(section->text, sizeof(section->text), "%.*s", (int)strcspn(text, "\n"), text);
    section->at_us = now_us() - load->begin_us;
    section->place = ++load->n_came;
}

bool section_has_datum(const struct section *section)
{
    return section->place && section->state == AW_SUCCEEDED;
}

int64_t load_first_us(const struct load *load)
{
    int64_t first_us = -1;

    for (int i = 0; i < N_SECTIONS; i++) {
        const struct section *s = &load->sections[i];

        if (section_has_datum(s) && (first_us < 0 || s->at_us < first_us))
            first_us = s->at_us;
    }
    return first_us;
}

unsigned load_n_data(const struct load *load)
{
    unsigned n = 0;

    for (int i = 0; i < N_SECTIONS; i++)
        n += section_has_datum(&load->sections[i]);
    return n;
}
