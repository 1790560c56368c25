/*
 * statuses.h - an answer with the status of each of many futures, made in slices.
 *
 * A status takes 2 us to make. For ten thousand of them the loop would be away from everybody else
 * for 20 ms: so they are read and written a slice at a time, each in a turn of the loop of its own.
 * Each is as the future stands when its slice is read.
 */
#ifndef AW_OPS_STATUSES_H
#define AW_OPS_STATUSES_H

#include "daemon/dispatch.h"
#include "daemon/ops/ids.h"

/* So many are made in one turn. */
#define STATUSES_SLICE 1000

/*
 * Reads the futures and answers. It takes *ids over, and the exchange: what was parked with is not
 * used any more. rep: what else the answer to a wait says; NULL: it is one to a status.
 */
void statuses_answer(struct exchange *x, struct ids *ids, const struct wait_rep *rep);

#endif
