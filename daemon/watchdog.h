/*
 * watchdog.h - finds out whether the daemon still answers, by asking it as a client would.
 *
 * At half of the interval it dials the daemon's own ipc socket, shakes hands, sends `hello` and
 * waits for the answer, all on the event loop: so the listener, the loop and the dispatch have
 * proved that they work whenever on_alive is called. A question that has no answer when the next
 * one is due is given up and logged; then on_alive is not called, and systemd draws its conclusion.
 *
 * Loop thread; blocks nowhere.
 */
#ifndef AW_WATCHDOG_H
#define AW_WATCHDOG_H

#include "proto/base.h"

struct event_base;
struct watchdog;

typedef void (*watchdog_alive_fn)(void *arg);

/*
 * `path` is the socket's; `interval_us` what notify_watchdog_us() says, not 0. The first question
 * goes out at once. AW_ERR_NO_MEMORY, AW_ERR_INVALID (the path is too long).
 */
AW_MUSTCHECK enum aw_err watchdog_new(struct event_base *base, const char *path,
                                      uint64_t interval_us, watchdog_alive_fn on_alive, void *arg,
                                      struct watchdog **ret, struct aw_error *err);

void watchdog_free(struct watchdog *watchdog);

#endif
