/* What a page can have beside a timeout: retries, a cache, priorities. */
#include <stdio.h>
#include <unistd.h>

#include "tests/ecomarket/dashboard.h"

void make_queue(const struct shop *shop, const char *name, int slots)
{
    struct aw_queue_change change;
    struct aw_error err;
    enum aw_err e;

    aw_queue_change_init(&change);
    change.create = true;
    change.slots = slots;
    e = aw_queue_set(shop->client, name, &change, NULL, &err);
    if (e != AW_ERR_WRONG_STATE) /* it is there from the last time */
        must(e, &err, "queue");
}

/* ---- Retry ----------------------------------------------------------------------------------- */

static void print_attempts(const struct shop *shop, const char *id)
{
    struct aw_attempts *attempts;
    struct aw_error err;

    must(aw_attempts(shop->client, id, &attempts, &err), &err, "attempts");
    for (size_t i = 0; i < aw_attempts_count(attempts); i++) {
        const struct aw_attempt *attempt = aw_attempts_at(attempts, i);

        printf("%s%d", i ? ", " : "", attempt->http_status);
    }
    aw_attempts_free(attempts);
}

void step_retry(const struct shop *shop)
{
    struct aw_result *result;
    struct aw_error err;
    struct page page;
    struct aw_job *job = &page.jobs[PRODUCTS];
    int64_t start_us = now_us();
    bool good;

    page_make(shop, &page);
    snprintf(page.urls[PRODUCTS], sizeof(page.urls[PRODUCTS]),
             "%s/products?ms=50&fails=2&name=%d-%lld", shop->url, getpid(), (long long)start_us);
    job->max_attempts = 4;
    job->backoff_ms = 100;
    job->no_jitter = true;
    must(aw_run(shop->client, job, AW_FOREVER, &result, &err), &err, "run");
    good = result->status->state == AW_SUCCEEDED;
    if (shop->json) {
        printf("{\"step\":\"retry\",\"succeeded\":%s,", good ? "true" : "false");
        print_json_ms("total_ms", now_us() - start_us);
        printf(",\"statuses\":[");
        print_attempts(shop, result->status->id);
        printf("]}\n");
    } else {
        printf("Retry: products %s after %.3f s; the server answered ",
               good ? "are there" : "failed", (double)(now_us() - start_us) / 1e6);
        print_attempts(shop, result->status->id);
        printf("; pauses of 0.1 and 0.2 s between.\n");
    }
    aw_result_free(result);
}

/* ---- Cache ----------------------------------------------------------------------------------- */

/* Submits the categories, with their key, and waits for them. */
static int64_t categories_us(const struct shop *shop, bool *ret_cached)
{
    int64_t start_us = now_us();
    struct aw_result *result;
    struct aw_future *future;
    struct aw_error err;
    struct page page;
    struct aw_job *job = &page.jobs[CATEGORIES];

    page_make(shop, &page);
    job->key = page.urls[CATEGORIES];
    job->cache_ttl_ms = 3600000;
    must(aw_submit(shop->client, job, 1, &future, &err), &err, "submit");
    must(aw_future_result(future, AW_FOREVER, &result, &err), &err, "result");
    *ret_cached = aw_future_cached(future);
    aw_result_free(result);
    aw_future_unref(future);
    return now_us() - start_us;
}

void step_cache(const struct shop *shop)
{
    for (int i = 0; i < 2; i++) {
        bool cached;
        int64_t us = categories_us(shop, &cached);

        if (shop->json) {
            printf("{\"step\":\"cache\",\"cached\":%s,", cached ? "true" : "false");
            print_json_ms("total_ms", us);
            printf("}\n");
        } else {
            printf("Cache: categories after %.3f s, %s.\n", (double)us / 1e6,
                   cached ? "kept from before" : "asked for, and kept for an hour");
        }
    }
}

/* ---- Priorities ------------------------------------------------------------------------------ */

static void print_order(const struct shop *shop, const struct load *load)
{
    for (unsigned place = 1; place <= N_SECTIONS; place++)
        for (int i = 0; i < N_SECTIONS; i++)
            if (load->sections[i].place == place) {
                fputs(place > 1 ? ", " : "", stdout);
                printf(shop->json ? "\"%s\"" : "%s", section_names[i]);
            }
}

void step_priorities(const struct shop *shop)
{
    struct shop narrow = *shop;
    struct load load;

    narrow.queue = "ecomarket-narrow";
    narrow.backwards = true;
    narrow.timeout_ms = 2000;
    make_queue(shop, narrow.queue, 1);
    for (int i = 0; i < 2; i++) {
        narrow.priorities = i;
        page_load(&narrow, strategy_find("as-completed"), &load);
        if (shop->json) {
            printf("{\"step\":\"priorities\",\"used\":%s,", i ? "true" : "false");
            print_json_ms("first_ms", load_first_us(&load));
            printf(",\"order\":[");
            print_order(shop, &load);
            printf("]}\n");
        } else {
            printf("One slot, %s priorities: first datum after %.3f s; ", i ? "with" : "without",
                   (double)load_first_us(&load) / 1e6);
            print_order(shop, &load);
            printf(".\n");
        }
        fflush(stdout);
    }
}
