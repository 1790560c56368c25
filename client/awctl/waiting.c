#include "client/awctl/waiting.h"

#include <signal.h>
#include <stdio.h>

#define LOOK_EVERY_US 1000000 /* how often it is asked what runs: that costs more than waiting */
#define MANY_MS       1000    /* IDs are sent with each look: thousands, not so often */

/* ---- What runs --------------------------------------------------------------------------- */

static void look_at(const struct aw_statuses *list, struct bar_state *state)
{
    int64_t created_us = INT64_MAX, first_us = INT64_MAX;
    size_t n = aw_statuses_count(list);

    state->n_running = 0;
    for (size_t i = 0; i < n; i++) {
        const struct aw_status *s = aw_statuses_at(list, i);

        state->n_running += !s->err && s->state == AW_RUNNING;
        if (s->created_us)
            created_us = MIN(created_us, s->created_us);
        if (s->ended_us)
            first_us = MIN(first_us, s->ended_us);
    }
    if (first_us < INT64_MAX)
        state->first_us = MAX(first_us - created_us, INT64_C(1));
}

void look_at_ids(struct aw_client *client, const char *const *ids, size_t n,
                 struct bar_state *state)
{
    struct aw_statuses *list;

    if (n > LOOK_MAX || aw_status(client, ids, n, &list, NULL))
        return;
    look_at(list, state);
    aw_statuses_free(list);
}

void look_at_set(struct aw_client *client, const char *set, struct bar_state *state)
{
    struct aw_statuses *list;
    struct aw_set_info *info;

    if (aw_set_show(client, set, &info, NULL))
        return;
    state->n = info->set->n_members;
    state->open = !info->set->closed;
    if (info->set->n_members <= LOOK_MAX && !aw_set_members(client, set, &list, NULL)) {
        look_at(list, state);
        aw_statuses_free(list);
    }
    if (info->set->first_us)
        state->first_us = MAX(info->set->first_us - info->set->created_us, INT64_C(1));
    aw_set_info_free(info);
}

/* ---- Waiting ----------------------------------------------------------------------------- */

/* For these, or for a set. */
struct wait {
    struct awctl *ctl;
    const char *set;
    const char *const *ids;
    size_t n;
    const struct aw_until *until;
    struct aw_statuses *list; /* of these, once it is over */
};

/* Leaves the line; the handler is gone by now, so that this ends us as if there had been none. */
static void leave(int sig)
{
    (void)!write(STDERR_FILENO, "\n", 1);
    raise(sig);
}

static enum aw_err wait_once(struct wait *w, int64_t timeout_ms, struct aw_progress *progress,
                             struct aw_error *err)
{
    struct aw_client *client = w->ctl->client;

    if (w->set)
        return aw_set_wait(client, w->set, w->until, timeout_ms, progress, err);
    return aw_wait_until(client, w->ids, w->n, w->until, timeout_ms, progress, &w->list, err);
}

static void wait_look(const struct wait *w, struct bar_state *state)
{
    if (w->set)
        look_at_set(w->ctl->client, w->set, state);
    else
        look_at_ids(w->ctl->client, w->ids, w->n, state);
}

static enum aw_err wait_drawing(struct wait *w, struct bar *bar, int64_t timeout_ms,
                                struct aw_error *err)
{
    int64_t end = timeout_ms < 0 ? INT64_MAX : bar->start_us + timeout_ms * 1000;
    int64_t slice_ms = w->n > LOOK_MAX ? MANY_MS : BAR_EVERY_MS, looked_us = 0;
    struct bar_state state = {.n = w->n, .n_running = -1};
    enum aw_err e;

    for (;;) {
        int64_t left = end == INT64_MAX ? slice_ms : MAX((end - boottime_us()) / 1000, INT64_C(0));
        struct aw_progress progress;

        e = wait_once(w, MIN(left, slice_ms), &progress, err);
        if (e != AW_ERR_TIMED_OUT || boottime_us() >= end)
            break;
        state.n_ended = progress.n_ended;
        state.n_failed = progress.n_failed;
        if (boottime_us() - looked_us >= LOOK_EVERY_US) {
            wait_look(w, &state);
            looked_us = boottime_us();
        }
        bar_draw(bar, &state);
    }
    bar_clear(bar);
    return e;
}

static enum aw_err wait_all(struct wait *w, int64_t timeout_ms, struct aw_error *err)
{
    struct sigaction leaving = {.sa_handler = leave, .sa_flags = (int)SA_RESETHAND}, before;
    struct aw_progress progress;
    struct bar bar;
    enum aw_err e;

    bar_init(&bar);
    if (!bar.on)
        return wait_once(w, timeout_ms, &progress, err);
    sigaction(SIGINT, &leaving, &before);
    e = wait_drawing(w, &bar, timeout_ms, err);
    sigaction(SIGINT, &before, NULL);
    return e;
}

enum aw_err waiting_until(struct awctl *ctl, const char *const *ids, size_t n,
                          const struct aw_until *until, int64_t timeout_ms,
                          struct aw_statuses **ret, struct aw_error *err)
{
    struct wait w = {.ctl = ctl, .ids = ids, .n = n, .until = until};
    enum aw_err e = wait_all(&w, timeout_ms, err);

    if (!e)
        *ret = w.list;
    return e;
}

enum aw_err waiting_for(struct awctl *ctl, const char *const *ids, size_t n, int64_t timeout_ms,
                        struct aw_statuses **ret, struct aw_error *err)
{
    return waiting_until(ctl, ids, n, NULL, timeout_ms, ret, err);
}

enum aw_err waiting_for_set(struct awctl *ctl, const char *set, const struct aw_until *until,
                            int64_t timeout_ms, struct aw_error *err)
{
    struct wait w = {.ctl = ctl, .set = set, .until = until};

    return wait_all(&w, timeout_ms, err);
}
