/*
 * engine_contract.h - what engine.h promises, as tests. They run against any engine: its own test
 * program hands in a factory.
 */
#ifndef AW_ENGINE_CONTRACT_H
#define AW_ENGINE_CONTRACT_H

#include "tests/unit/engine_rig.h"

/* Adds all of them to a suite. `factory` must stay as it is. */
void engine_contract_add(Suite *suite, const struct engine_factory *factory);

/* One file for each part of the contract; the test case brings the rig. */
void contract_submit_add(TCase *tc);
void contract_run_add(TCase *tc);
void contract_retry_add(TCase *tc);
void contract_cancel_add(TCase *tc);
void contract_queues_add(TCase *tc);
void contract_claims_add(TCase *tc);
void contract_limits_add(TCase *tc);
void contract_users_add(TCase *tc);
void contract_change_add(TCase *tc);
void contract_records_add(TCase *tc);
void contract_sets_add(TCase *tc);
void contract_sets_read_add(TCase *tc);
void contract_deps_add(TCase *tc);
void contract_deps_many_add(TCase *tc);
void contract_cache_add(TCase *tc);
void contract_backup_add(TCase *tc);

#endif
