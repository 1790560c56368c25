/*
 * store_rows.h - the rows of new jobs, several in one statement: shared by store*.c only.
 *
 * To begin and end a statement on the job table (its cursor and those of its indices) takes as long
 * as half of what a row in it takes. So rows wait until there are STORE_ROWS of them, if whoever
 * adds them asks nothing about jobs (store_op.adds_only): until then they are in no table, and
 * whatever else is run has them written first. What a row points to is the operation's, which is
 * there until its transaction is over. To bind what they have in common once saves as much again.
 *
 * The store's thread only, inside a transaction.
 */
#ifndef AW_STORE_ROWS_H
#define AW_STORE_ROWS_H

#include "daemon/engine/embedded/store_records.h"

/* Adds the row of op's i-th job; births[i] says how it begins. If op adds only, it may wait. */
AW_MUSTCHECK enum aw_err store_row_add(struct store *st, const struct store_submit *op, size_t i,
                                       struct aw_error *err);

/* Writes the rows that wait. On failure they do no more. */
AW_MUSTCHECK enum aw_err store_rows_write(struct store *st, struct aw_error *err);

/* After a rollback: none wait. */
void store_rows_undo(struct store *st);

#endif
