/*
 * store_accounts.h - what each user has on record, kept up with every change: shared by store*.c
 * only.
 *
 * Every operation that adds a job, ends one for good, records output, removes a record, makes a set
 * or removes one says so here, in its transaction. What they say is added up and written once, at
 * the transaction's end; the table (account, see store_sql.h) is therefore always right on disk.
 * The same changes stand in the operation's effects, for the loop.
 *
 * The store's thread only.
 */
#ifndef AW_STORE_ACCOUNTS_H
#define AW_STORE_ACCOUNTS_H

#include "daemon/engine/embedded/store_effects.h"
#include "daemon/engine/embedded/store_private.h"

/* To be called after what it is about was written. AW_ERR_NO_MEMORY. */
AW_MUSTCHECK enum aw_err store_account_add(struct store *st, const struct account_change *change,
                                           struct store_effects *effects, struct aw_error *err);

/* Before a commit. */
AW_MUSTCHECK enum aw_err store_accounts_save(struct store *st, struct aw_error *err);
/* After a rollback. */
void store_accounts_undo(struct store *st);

/* What a user has, in the middle of a transaction, too. */
AW_MUSTCHECK enum aw_err store_account_read(struct store *st, uint32_t uid,
                                            struct account_change *ret, struct aw_error *err);
/* The bytes of all users. */
AW_MUSTCHECK enum aw_err store_bytes_read(struct store *st, uint64_t *ret, struct aw_error *err);

#endif
