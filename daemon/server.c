#include "daemon/server.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include <event2/event.h>

#include "daemon/backup_file.h"
#include "daemon/dispatch.h"
#include "daemon/engine/embedded/embedded.h"
#include "daemon/log.h"
#include "daemon/ops/wakes.h"
#include "daemon/sweep.h"
#include "daemon/turns.h"
#include "proto/future_id.h"

/* ---- What the engine says -------------------------------------------------------------------- */

static void on_runnable(void *arg)
{
    struct server *srv = arg;

    running_runnable(srv->running);
}

static void on_ended(void *arg, const struct ended *jobs, size_t n)
{
    struct server *srv = arg;
    char id[AW_MAX_ID];

    for (size_t i = 0; i < n; i++) {
        turns_note(TURN_END);
        future_id_format(id, srv->engine->tag, jobs[i].number);
        log_job(jobs[i].state == AW_FAILED ? LOG_INFO : LOG_DEBUG, id, "%s",
                aw_state_name(jobs[i].state));
        leases_ended(srv->leases, jobs[i].number);
        watches_tell(srv->watches, jobs[i].number,
                     &(struct watch_news){.event = WATCH_ENDED, .state = jobs[i].state});
    }
}

static void on_set_changed(void *arg, const struct set_info *set, uint64_t place, uint64_t job,
                           enum aw_state state)
{
    struct server *srv = arg;
    char id[AW_MAX_ID];

    turns_note(TURN_SET);
    if (place && !set->status.temporary) {
        future_id_format(id, srv->engine->tag, job);
        log_job(LOG_INFO, id, "set %.*s: %" PRIu64 " of %" PRIu64 " ended: %s %s",
                (int)set->status.name.len, (const char *)set->status.name.data, place,
                set->status.n_members, id, aw_state_name(state));
    }
    if (set->gone)
        watches_notify(srv->set_watches, set->id, WATCH_SET_GONE);
    else
        watches_tell(srv->set_watches, set->id,
                     &(struct watch_news){.event = WATCH_SET, .set = set});
}

static void on_stop(void *arg, uint64_t number, uint64_t claim, int64_t grace_ms)
{
    struct server *srv = arg;

    running_stop(srv->running, number, claim, grace_ms);
}

struct removal {
    const struct spool *spool;
    uint64_t number, attempts;
};

/* On the helper thread. */
static void removal_run(void *arg)
{
    const struct removal *rm = arg;

    for (uint64_t a = 1; a <= rm->attempts; a++)
        spool_remove(rm->spool, rm->number, a);
}

static void on_gone(void *arg, const struct gone *jobs, size_t n)
{
    struct server *srv = arg;

    for (size_t i = 0; i < n; i++) {
        struct removal *rm = jobs[i].spooled ? malloc(sizeof(*rm)) : NULL;

        if (!rm)
            continue; /* without memory now, the next start sweeps them away */
        *rm = (struct removal){&srv->spool, jobs[i].number, jobs[i].attempt};
        if (!offload_run(srv->offload, removal_run, free, rm))
            free(rm);
    }
}

static void on_down(void *arg, const struct aw_error *err)
{
    struct server *srv = arg;

    log_msg(LOG_CRIT, "the store cannot be trusted any more, going down: %s", err->text);
    srv->exit_code = 1;
    server_stop(srv, STOP_LEAVE);
}

static const struct engine_events events = {
    .runnable = on_runnable,
    .ended = on_ended,
    .set_changed = on_set_changed,
    .stop = on_stop,
    .gone = on_gone,
    .down = on_down,
};

/* ---- Starting -------------------------------------------------------------------------------- */

static struct embedded_config engine_config(const struct config *config, const char *path)
{
    return (struct embedded_config){
        .path = path,
        .max_queued = (uint64_t)config->max_queued,
        .max_kept = (uint64_t)config->max_kept,
        .max_bytes = (uint64_t)config->max_bytes,
        .user = {.max_queued = (uint64_t)config->max_user_queued,
                 .max_kept = (uint64_t)config->max_user_kept,
                 .max_bytes = (uint64_t)config->max_user_bytes,
                 .max_sets = (uint64_t)config->max_user_sets,
                 .max_dependencies = (uint64_t)config->max_user_dependencies},
        .retention_ms = config->retention_ms,
    };
}

static enum aw_err engine_start(struct server *srv, struct aw_error *err)
{
    struct embedded_config config;
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/awd.db", srv->dirs->store);
    config = engine_config(srv->config, path);
    return embedded_open(srv->base, &config, &events, srv, &srv->engine, err);
}

/* Runs the loop until the jobs that were running are in the workers' hands. */
static enum aw_err recover(struct server *srv, struct aw_error *err)
{
    running_recover(srv->running);
    while (!srv->recovered && !srv->stopping)
        if (event_base_loop(srv->base, EVLOOP_ONCE) < 0)
            return aw_fail(err, AW_ERR_SYSTEM, "the event loop failed while starting");
    if (srv->stopping)
        return aw_fail(err, AW_ERR_STORE, "the jobs that were running could not be recovered");
    return AW_OK;
}

/* Anew each time that the configuration was read: names may mean somebody else by now. */
static enum aw_err access_make(struct server *srv, struct aw_error *err)
{
    struct access *access = NULL;
    enum aw_err e = access_new(srv->config, &access, err);
    uint32_t gid;

    if (e)
        return e;
    access_free(srv->access);
    srv->access = access;
    endpoint_set_admin_group(srv->endpoint, access_admin_gid(access, &gid) ? &gid : NULL);
    return AW_OK;
}

static enum aw_err listen_all(struct server *srv, struct aw_error *err)
{
    const struct config *config = srv->config;
    struct endpoint_config ep = {
        .tls_cert_key_file = config->tls_cert,
        .tls_ca_file = config->tls_ca,
        .allow_plain_tcp = config->allow_plain_tcp,
        .socket_mode = (unsigned)config->socket_mode,
        .max_connections = (unsigned)config->max_connections,
        .shares = {(size_t)config->max_user_memory, (unsigned)config->max_user_connections},
        .whose = dispatch_whose,
    };
    enum aw_err e =
        endpoint_new(srv->base, &ep, dispatch_call, dispatch_gone, srv, &srv->endpoint, err);

    if (!e)
        e = access_make(srv, err);
    for (size_t i = 0; !e && i < config->listen.n; i++) {
        e = endpoint_listen(srv->endpoint, config->listen.v[i], err);
        if (!e)
            log_msg(LOG_INFO, "listening on %s", config->listen.v[i]);
    }
    return e;
}

static enum aw_err parts_make(struct server *srv, struct aw_error *err)
{
    enum aw_err e = spool_open(srv->dirs->spool, &srv->spool, err);

    if (!e)
        e = offload_new(srv->base, &srv->offload, err);
    srv->watches = watches_new();
    srv->set_watches = watches_new();
    srv->wakes = wakes_new(srv);
    if (!e && (!srv->watches || !srv->set_watches || !srv->wakes))
        e = aw_fail(err, AW_ERR_NO_MEMORY, "watches: out of memory");
    if (!e)
        e = leases_new(srv, &srv->leases, err);
    if (!e)
        e = running_new(srv, &srv->running, err);
    if (!e)
        e = engine_start(srv, err);
    if (!e)
        e = recover(srv, err);
    return e ? e : listen_all(srv, err);
}

enum aw_err server_start(struct event_base *base, const struct config *config,
                         const struct dirs *dirs, struct server **ret, struct aw_error *err)
{
    struct server *srv = calloc(1, sizeof(*srv));
    enum aw_err e;

    if (!srv)
        return aw_fail(err, AW_ERR_NO_MEMORY, "server: out of memory");
    srv->base = base;
    srv->config = config;
    srv->dirs = dirs;
    srv->spool.dir_fd = -1;
    srv->started_us = now_us();
    TAILQ_INIT(&srv->parked);
    e = parts_make(srv, err);
    if (e) {
        server_free(srv);
        return e;
    }
    backup_file_sweep(config->state_dir, srv->engine->tag);
    leases_start(srv->leases);
    sweep_start(srv);
    running_runnable(srv->running);
    *ret = srv;
    return AW_OK;
}

/* ---- Stopping -------------------------------------------------------------------------------- */

/* At the end of the loop's turn; without memory for that, at once. */
static void loop_end(struct server *srv)
{
    if (event_base_loopexit(srv->base, NULL) < 0)
        event_base_loopbreak(srv->base);
}

void server_drained(struct server *srv)
{
    if (srv->stopping > STOP_LEAVE && running_count(srv->running) == 0 &&
        !running_claiming(srv->running))
        loop_end(srv);
}

void server_stop(struct server *srv, enum stop_mode mode)
{
    if (mode == STOP_LEAVE) {
        srv->stopping = mode;
        loop_end(srv);
        return;
    }
    if (srv->stopping == STOP_LEAVE)
        return;
    srv->stopping = MAX(srv->stopping, mode);
    log_msg(LOG_NOTICE, "going down once %zu running jobs have ended", running_count(srv->running));
    running_quiet(srv->running);
    if (mode == STOP_KILL)
        running_stop_all(srv->running);
    server_drained(srv);
}

/*
 * A claim that is on its way to the disk would look, after a restart, like an attempt that was
 * interrupted: it is waited for, and given back.
 */
static void claims_settle(struct server *srv)
{
    running_quiet(srv->running);
    while (running_claiming(srv->running) && event_base_loop(srv->base, EVLOOP_ONCE) == 0)
        continue;
}

void server_free(struct server *srv)
{
    if (!srv)
        return;
    srv->stopping = STOP_LEAVE;
    if (srv->endpoint)
        endpoint_quiet(srv->endpoint);
    if (srv->engine)
        claims_settle(srv);
    dispatch_fail_parked(srv);
    offload_free(srv->offload);
    srv->offload = NULL;
    engine_close(srv->engine);
    running_free(srv->running);
    if (srv->endpoint)
        endpoint_free(srv->endpoint);
    access_free(srv->access);
    leases_free(srv->leases);
    wakes_free(srv->wakes);
    watches_free(srv->watches);
    watches_free(srv->set_watches);
    spool_close(&srv->spool);
    codec_buf_done(&srv->out);
    free(srv);
}

/* ---- While it runs --------------------------------------------------------------------------- */

void server_reconfigure(struct server *srv)
{
    struct embedded_config config = engine_config(srv->config, NULL);
    struct aw_error err;

    embedded_configure(srv->engine, &config);
    running_set_slots(srv->running, (unsigned)srv->config->slots);
    if (access_make(srv, &err))
        log_msg(LOG_ERR, "groups and users stay as they were: %s", err.text);
}

void server_status_line(struct server *srv, char *buf, size_t size)
{
    struct engine_stats stats;

    engine_get_stats(srv->engine, &stats);
    snprintf(buf, size, "%" PRIu64 " running, %" PRIu64 " queued, %" PRIu64 " waiting%s",
             stats.live[AW_RUNNING], stats.live[AW_QUEUED],
             stats.live[AW_SCHEDULED] + stats.live[AW_BLOCKED],
             srv->draining ? "; accepts no new jobs" : "");
}
