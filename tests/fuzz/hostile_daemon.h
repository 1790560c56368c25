/*
 * hostile_daemon.h - the other end of libaw's stream, in memory: says what a script says.
 *
 * libaw finds it under any address, as stream_ops_find() is replaced. A script is a row of steps:
 * answers to the oldest or the newest request or to nobody's, bytes as they are, nothing, the end
 * of the connection. When it is over nobody listens any more. What libaw sends is checked: whole
 * requests, as the protocol knows them.
 *
 * There is one, for one client at a time.
 */
#ifndef AW_HOSTILE_DAEMON_H
#define AW_HOSTILE_DAEMON_H

#include "tests/fuzz/fuzz.h"

/* How its connections behave; the rest of the byte is the harness's. */
enum { ODD_GREETING = 1, SLOW_WRITES = 2 };

void hostile_daemon_start(struct input script, unsigned behaviour);

/* The script is over. */
bool hostile_daemon_done(void);

#endif
