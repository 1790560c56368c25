/*
 * Loads the dashboard of a shop, which tests/ecomarket/server plays, in every way that there is to
 * wait for several futures, and prints how each did. See usage() for the options, and
 * `make ecomarket` for all of it at once.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ecomarket/dashboard.h"

struct options {
    struct shop shop;
    const struct strategy *chosen[N_STRATEGIES];
    size_t n_chosen;
    bool steps, progressive;
};

static void usage(int status)
{
    fprintf(status ? stderr : stdout,
            "usage: dashboard [option ...] URL [URL-THAT-REFUSES]\n\n"
            "  -s, --strategy NAME  only this one; may be given again: gather, gather-strict,\n"
            "                       first-completed, as-completed, first-exception\n"
            "  -f, --fault FAULT    what is wrong with the recommendations: hang (default),\n"
            "                       refused, 500, none\n"
            "  -t, --timeout MS     for each section; 0 (default): none\n"
            "      --steps          instead: retry, cache, priorities\n"
            "      --progressive    instead: the page, each section once it is there\n"
            "      --json           for programs: one object a line\n");
    exit(status);
}

static enum fault fault_find(const char *name)
{
    int i = 0;

    while (i < N_FAULTS && strcmp(fault_names[i], name) != 0)
        i++;
    if (i == N_FAULTS)
        usage(2);
    return (enum fault)i;
}

static void choose(struct options *o, const char *name)
{
    const struct strategy *strategy = strategy_find(name);

    if (!strategy || o->n_chosen == N_STRATEGIES)
        usage(2);
    o->chosen[o->n_chosen++] = strategy;
}

static int64_t number(const char *text)
{
    char *end;
    long long value = strtoll(text, &end, 10);

    if (end == text || *end || value < 0)
        usage(2);
    return value;
}

static void option_take(struct options *o, int c)
{
    switch (c) {
    case 's':
        choose(o, optarg);
        break;
    case 'f':
        o->shop.fault = fault_find(optarg);
        break;
    case 't':
        o->shop.timeout_ms = number(optarg);
        break;
    case 'S':
        o->steps = true;
        break;
    case 'p':
        o->progressive = true;
        break;
    case 'j':
        o->shop.json = true;
        break;
    default:
        usage(c == 'h' ? 0 : 2);
    }
}

static void options_read(struct options *o, int argc, char **argv)
{
    static const struct option options[] = {
        {"strategy", required_argument, NULL, 's'}, {"fault", required_argument, NULL, 'f'},
        {"timeout", required_argument, NULL, 't'},  {"steps", no_argument, NULL, 'S'},
        {"progressive", no_argument, NULL, 'p'},    {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},           {0}};
    int c;

    while ((c = getopt_long(argc, argv, "s:f:t:h", options, NULL)) != -1)
        option_take(o, c);
    if (optind == argc || argc - optind > 2)
        usage(2);
    o->shop.url = argv[optind];
    o->shop.closed = argv[optind + 1];
    if (o->shop.fault == FAULT_REFUSED && !o->shop.closed)
        usage(2);
    if (!o->n_chosen)
        for (size_t i = 0; i < N_STRATEGIES; i++)
            o->chosen[o->n_chosen++] = &strategies[i];
}

static void table(const struct options *o)
{
    struct load load;

    print_table_head(&o->shop);
    for (size_t i = 0; i < o->n_chosen; i++) {
        page_load(&o->shop, o->chosen[i], &load);
        print_load(&o->shop, o->chosen[i], &load);
    }
    print_table_foot(&o->shop, &load);
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct aw_error err;

    options_read(&o, argc, argv);
    must(aw_client_open(NULL, &o.shop.client, &err), &err, "open");
    /* All sections run at once, however few CPUs there are: they only wait. */
    o.shop.queue = "ecomarket";
    make_queue(&o.shop, o.shop.queue, 16);
    if (o.steps) {
        step_retry(&o.shop);
        step_cache(&o.shop);
        step_priorities(&o.shop);
    } else if (o.progressive) {
        page_show_progressively(&o.shop);
    } else {
        table(&o);
    }
    aw_client_close(o.shop.client);
    return 0;
}
