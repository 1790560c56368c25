#include "client/libaw/watcher.h"

#include <stdio.h>

#define RETRY_MS  1000
#define ANSWER_MS 60000

const char *aw_version(void)
{
    return PACKAGE_VERSION;
}

void aw_client_config_init_sized(struct aw_client_config *config, size_t size)
{
    struct aw_client_config defaults = {
        .size = size, .retry_ms = RETRY_MS, .wait_retry_ms = AW_FOREVER, .answer_ms = ANSWER_MS};

    memset(config, 0, size);
    memcpy(config, &defaults, MIN(size, sizeof(defaults)));
}

/* What we know of the caller's struct, which may be older or newer than ours. */
static enum aw_err config_take(const struct aw_client_config *from, struct aw_client_config *ret,
                               struct aw_error *err)
{
    aw_client_config_init(ret);
    if (!from)
        return AW_OK;
    if (from->size < sizeof(from->size) || from->size > 4096)
        return aw_fail(err, AW_ERR_USAGE,
                       "struct aw_client_config was not set up by aw_client_config_init()");
    memcpy(ret, from, MIN(from->size, sizeof(*ret)));
    return AW_OK;
}

static bool copy_text(const char *from, char **to)
{
    if (!from)
        return true;
    *to = strdup(from);
    return *to != NULL;
}

static enum aw_err client_configure(struct aw_client *client, const struct aw_client_config *config,
                                    struct aw_error *err)
{
    struct mux *m = &client->mux;

    client->retry_ms = config->retry_ms;
    client->wait_retry_ms = config->wait_retry_ms;
    client->answer_ms = config->answer_ms;
    m->notice = config->notice;
    m->notice_arg = config->notice_arg;
    if (!copy_text(config->tls_ca_file, &m->tls_ca_file) ||
        !copy_text(config->tls_cert_key_file, &m->tls_cert_key_file))
        return aw_fail(err, AW_ERR_NO_MEMORY, "client: out of memory");
    return AW_OK;
}

/* A wrong address is said now, not when it is first used; modules are loaded later. */
static enum aw_err addresses_check(const struct mux *m, struct aw_error *err)
{
    const struct stream_ops *ops;

    for (size_t i = 0; i < m->address.n; i++)
        if (m->address.v[i][0] != '/' && !strstr(m->address.v[i], "tcp://"))
            return stream_ops_find(m->address.v[i], &ops, err);
    return AW_OK;
}

enum aw_err aw_client_open(const struct aw_client_config *config, struct aw_client **ret,
                           struct aw_error *err)
{
    struct aw_client_config ours;
    enum aw_err e = config_take(config, &ours, err);
    struct aw_client *client;

    if (e)
        return e;
    client = calloc(1, sizeof(*client));
    if (!client)
        return aw_fail(err, AW_ERR_NO_MEMORY, "client: out of memory");
    client->watcher = watcher_new();
    if (!client->watcher)
        e = aw_fail(err, AW_ERR_NO_MEMORY, "client: out of memory");
    if (!e)
        e = mux_init(&client->mux, ours.url, err);
    if (e) {
        watcher_free(client->watcher);
        free(client);
        return e;
    }
    atomic_init(&client->n_refs, 1);
    e = client_configure(client, &ours, err);
    if (!e)
        e = addresses_check(&client->mux, err);
    if (e) {
        client_unref(client);
        return e;
    }
    *ret = client;
    return AW_OK;
}

struct aw_client *client_ref(struct aw_client *client)
{
    atomic_fetch_add_explicit(&client->n_refs, 1, memory_order_relaxed);
    return client;
}

void client_unref(struct aw_client *client)
{
    if (atomic_fetch_sub_explicit(&client->n_refs, 1, memory_order_acq_rel) != 1)
        return;
    mux_done(&client->mux);
    watcher_free(client->watcher);
    free(client);
}

void aw_client_close(struct aw_client *client)
{
    if (!client)
        return;
    if (mux_is_ours(&client->mux)) {
        watcher_farewell(client);
        mux_close(&client->mux);
    }
    watcher_close(client->watcher, mux_is_ours(&client->mux));
    client_unref(client);
}

void aw_client_address(struct aw_client *client, char *buf, size_t size)
{
    struct mux *m = &client->mux;

    if (size == 0)
        return;
    *buf = '\0';
    if (!mux_is_ours(m))
        return;
    pthread_mutex_lock(&m->lock);
    if (m->settled)
        snprintf(buf, size, "%s", m->address.v[m->at]);
    pthread_mutex_unlock(&m->lock);
}
