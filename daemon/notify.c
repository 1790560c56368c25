#include "daemon/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#ifdef HAVE_LIBSYSTEMD

#include <systemd/sd-daemon.h>

static void tell(const char *state)
{
    (void)sd_notify(0, state);
}

uint64_t notify_watchdog_us(void)
{
    uint64_t us;

    return sd_watchdog_enabled(0, &us) > 0 ? us : 0;
}

#else

static void tell(const char *state)
{
    (void)state;
}

uint64_t notify_watchdog_us(void)
{
    return 0;
}

#endif

void notify_ready(void)
{
    tell("READY=1");
}

void notify_status(const char *fmt, ...)
{
    char state[512] = "STATUS=";
    size_t len = strlen(state);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(state + len, sizeof(state) - len, fmt, ap);
    va_end(ap);
    /* A line of its own would be another assignment. */
    for (char *p = state; *p; p++)
        if (*p == '\n')
            *p = ' ';
    tell(state);
}

/* The time is what Type=notify-reload asks for: it tells this reload from an earlier one. */
void notify_reloading(void)
{
    char state[64];
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
             (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    tell(state);
}

void notify_stopping(void)
{
    tell("STOPPING=1");
}

void notify_watchdog(void)
{
    tell("WATCHDOG=1");
}
