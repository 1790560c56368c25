#include "daemon/sweep.h"

#include "daemon/log.h"

struct sweep {
    struct server *srv;
    uint64_t *numbers; /* of the files that are there */
    size_t n, cap;
};

static void sweep_free(struct sweep *sw)
{
    free(sw->numbers);
    free(sw);
}

/* On the helper thread; nothing is removed yet. */
static bool collect(void *arg, struct spool_file file)
{
    struct sweep *sw = arg;

    if (sw->n && sw->numbers[sw->n - 1] == file.number)
        return true;
    if (sw->n == sw->cap) {
        size_t cap = sw->cap ? sw->cap * 2 : 64;
        uint64_t *grown = reallocarray(sw->numbers, cap, sizeof(*grown));

        if (!grown)
            return true; /* the next start looks again */
        sw->numbers = grown;
        sw->cap = cap;
    }
    sw->numbers[sw->n++] = file.number;
    return true;
}

static void collect_run(void *arg)
{
    struct sweep *sw = arg;

    if (spool_sweep(&sw->srv->spool, collect, sw) < 0)
        sw->n = 0;
}

/* The list is in no order, and short as a rule: jobs without a record are left by crashes only. */
static bool is_other(void *arg, struct spool_file file)
{
    const struct sweep *sw = arg;

    for (size_t i = 0; i < sw->n; i++)
        if (sw->numbers[i] == file.number)
            return false;
    return true;
}

static void remove_run(void *arg)
{
    struct sweep *sw = arg;
    int n = spool_sweep(&sw->srv->spool, is_other, sw);

    if (n > 0)
        log_msg(LOG_NOTICE, "removed %d spool files that belonged to no job", n);
}

static void remove_done(void *arg)
{
    sweep_free(arg);
}

/* Keeps in the list those that have no record. */
static void got(void *arg, const struct aw_error *err, const struct found *jobs, size_t n)
{
    struct sweep *sw = arg;
    size_t n_gone = 0;

    for (size_t i = 0; !err && i < n; i++)
        if (jobs[i].err)
            sw->numbers[n_gone++] = sw->numbers[i];
    sw->n = n_gone;
    if (n_gone == 0 || !offload_run(sw->srv->offload, remove_run, remove_done, sw))
        sweep_free(sw);
}

static void collect_done(void *arg)
{
    struct sweep *sw = arg;

    if (sw->n && !sw->srv->stopping)
        engine_get(sw->srv->engine, sw->numbers, sw->n, 0, got, sw);
    else
        sweep_free(sw);
}

void sweep_start(struct server *srv)
{
    struct sweep *sw = calloc(1, sizeof(*sw));

    if (!sw)
        return;
    sw->srv = srv;
    if (!offload_run(srv->offload, collect_run, collect_done, sw))
        sweep_free(sw);
}
