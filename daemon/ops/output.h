/*
 * output.h - reading what a job wrote, wherever it is: in the store, in a spool file, or still with
 * the runner. What result and logs have in common.
 */
#ifndef AW_OPS_OUTPUT_H
#define AW_OPS_OUTPUT_H

#include "daemon/dispatch.h"

/* What is read. */
struct output_want {
    uint64_t number, attempt;
    int stream;
    bool spooled;
    uint64_t offset;
    size_t max;
};

/* `err` NULL: here they are; `data` is valid during the call. */
typedef void (*output_fn)(void *arg, const struct aw_error *err, struct bytes data);

/* Calls back exactly once, from the loop. The disk is read by the helper thread. */
void output_read(struct server *srv, const struct output_want *want, output_fn done, void *arg);

#endif
