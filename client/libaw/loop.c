/* A client in an event loop: its fd, what it does when that is readable, and callbacks. */
#include <poll.h>

#include "client/libaw/watcher.h"

enum aw_err aw_client_fd(struct aw_client *client, int *ret, struct aw_error *err)
{
    return mux_loop_open(&client->mux, ret, err);
}

enum aw_err aw_future_on_done(struct aw_future *future, aw_done_fn done, void *arg,
                              struct aw_error *err)
{
    if (!mux_is_ours(&future->client->mux))
        return mux_not_ours(err);
    if (!done)
        return aw_fail(err, AW_ERR_USAGE, "no function to call back was given");
    return watcher_add(future, done, arg, err);
}

/* All that there is to do now. *n counts callbacks. */
static enum aw_err process_now(struct aw_client *client, size_t *n, struct aw_error *err)
{
    struct exchange *x;
    enum aw_err e = mux_turn(&client->mux, err);

    if (e)
        return e;
    while ((x = mux_take(&client->mux)))
        *n += watcher_take(client, x);
    watcher_step(client);
    return AW_OK;
}

/* False: time is over, or a signal came, which is the caller's to see to. */
static bool process_wait(int fd, int64_t end_us)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    int64_t left_us = end_us == NEVER_US ? 0 : end_us - mono_us();
    struct timespec left = {left_us / 1000000, left_us % 1000000 * 1000};

    if (left_us < 0)
        return false;
    return ppoll(&pfd, 1, end_us == NEVER_US ? NULL : &left, NULL) > 0;
}

static enum aw_err process(struct aw_client *client, int64_t end_us, struct aw_error *err)
{
    enum aw_err e;
    size_t n = 0;
    int fd;

    e = mux_loop_open(&client->mux, &fd, err);
    if (e)
        return e;
    do {
        e = process_now(client, &n, err);
        mux_rest(&client->mux);
    } while (!e && n == 0 && process_wait(fd, end_us));
    return e;
}

enum aw_err aw_client_process(struct aw_client *client, int64_t timeout_ms, size_t *ret_pending,
                              struct aw_error *err)
{
    _hold_client_(client);
    enum aw_err e;

    if (!mux_is_ours(&client->mux))
        return mux_not_ours(err);
    if (!watcher_enter(client->watcher))
        return aw_fail(err, AW_ERR_USAGE,
                       "another thread, or the caller of this callback, is in aw_client_process()");
    e = process(client, deadline_us(timeout_ms), err);
    watcher_leave(client->watcher);
    if (!e && ret_pending)
        *ret_pending = watcher_pending(client->watcher);
    return e;
}
