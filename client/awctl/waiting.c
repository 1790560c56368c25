#include "client/awctl/waiting.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "proto/text.h"

#define SLICE_MS 1000 /* how often the line is drawn anew; a shorter wait shows none */

static void line_draw(const struct aw_progress *p, size_t n, int64_t since_us)
{
    char time[32], failed[48] = "";

    duration_format(time, sizeof(time), (boottime_us() - since_us) / 1000);
    if (p->n_failed)
        snprintf(failed, sizeof(failed), ", %" PRIu64 " failed", p->n_failed);
    fprintf(stderr, "\r%" PRIu64 " of %zu ended%s, %s\033[K", p->n_ended, n, failed, time);
}

static void line_clear(void)
{
    fputs("\r\033[K", stderr);
}

/* Leaves the line; the handler is gone by now, so that this ends us as if there had been none. */
static void leave(int sig)
{
    (void)!write(STDERR_FILENO, "\n", 1);
    raise(sig);
}

static enum aw_err wait_drawing(struct awctl *ctl, const char *const *ids, size_t n,
                                int64_t timeout_ms, struct aw_statuses **ret, struct aw_error *err)
{
    int64_t start = boottime_us();
    int64_t end = timeout_ms < 0 ? INT64_MAX : start + timeout_ms * 1000;
    struct sigaction leaving = {.sa_handler = leave, .sa_flags = (int)SA_RESETHAND}, before;
    bool drawn = false;
    enum aw_err e;

    sigaction(SIGINT, &leaving, &before);
    for (;;) {
        int64_t left = end == INT64_MAX ? SLICE_MS : MAX((end - boottime_us()) / 1000, INT64_C(0));
        struct aw_progress progress;

        e = aw_wait(ctl->client, ids, n, MIN(left, (int64_t)SLICE_MS), &progress, ret, err);
        if (e != AW_ERR_TIMED_OUT || boottime_us() >= end)
            break;
        line_draw(&progress, n, start);
        drawn = true;
    }
    sigaction(SIGINT, &before, NULL);
    if (drawn)
        line_clear();
    return e;
}

enum aw_err waiting_for(struct awctl *ctl, const char *const *ids, size_t n, int64_t timeout_ms,
                        struct aw_statuses **ret, struct aw_error *err)
{
    if (isatty(STDERR_FILENO))
        return wait_drawing(ctl, ids, n, timeout_ms, ret, err);
    return aw_wait(ctl->client, ids, n, timeout_ms, NULL, ret, err);
}
