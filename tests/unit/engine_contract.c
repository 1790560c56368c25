#include "tests/unit/engine_contract.h"

static const struct engine_factory *under_test;

static void setup(void)
{
    rig_setup(under_test);
}

static void part_add(Suite *suite, const char *name, void (*add)(TCase *tc))
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, setup, rig_teardown);
    tcase_set_timeout(tc, 60);
    add(tc);
    suite_add_tcase(suite, tc);
}

void engine_contract_add(Suite *suite, const struct engine_factory *factory)
{
    under_test = factory;
    part_add(suite, "submit", contract_submit_add);
    part_add(suite, "claim and finish", contract_run_add);
    part_add(suite, "tried again", contract_retry_add);
    part_add(suite, "cancel and time", contract_cancel_add);
    part_add(suite, "queues", contract_queues_add);
    part_add(suite, "claims from queues", contract_claims_add);
    part_add(suite, "limits of queues", contract_limits_add);
    part_add(suite, "users", contract_users_add);
    part_add(suite, "changes, and why it waits", contract_change_add);
    part_add(suite, "records", contract_records_add);
    part_add(suite, "sets", contract_sets_add);
    part_add(suite, "sets that are read, and go", contract_sets_read_add);
    part_add(suite, "jobs that wait for others", contract_deps_add);
    part_add(suite, "many that wait for others", contract_deps_many_add);
    part_add(suite, "keys that grow old", contract_cache_add);
    part_add(suite, "a copy of all", contract_backup_add);
}
