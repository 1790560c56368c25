/*
 * notify.h - tells systemd how the daemon is. Does nothing where systemd did not start it, or
 * without libsystemd.
 *
 * Main thread. Never fails, never blocks.
 */
#ifndef AW_NOTIFY_H
#define AW_NOTIFY_H

#include "proto/base.h"

/* It is up: clients can connect. */
void notify_ready(void);

/* The line that `systemctl status` shows. */
void notify_status(const char *fmt, ...) AW_PRINTF(1, 2);

/* A reload begins; notify_ready() says that it is over. */
void notify_reloading(void);

/* It goes down. */
void notify_stopping(void);

/* It is well: to be said once in notify_watchdog_us() at least. */
void notify_watchdog(void);

/* How often systemd wants to hear notify_watchdog(), in microseconds; 0: it does not. */
uint64_t notify_watchdog_us(void);

#endif
