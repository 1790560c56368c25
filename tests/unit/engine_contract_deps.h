/*
 * engine_contract_deps.h - jobs that end in a chosen way, for the tests of those that wait for
 * them.
 */
#ifndef AW_ENGINE_CONTRACT_DEPS_H
#define AW_ENGINE_CONTRACT_DEPS_H

#include "tests/unit/engine_contract.h"

/* What a parent can come to. */
enum way { SUCCEED, FAIL, CANCEL, EXPIRE, N_WAYS };

/* A job that will come to this. */
uint64_t parent_new(enum way way);
/* It does; it is the next one to be claimed. */
void parent_end(uint64_t number, enum way way);

/* The next one to be claimed, which is this. */
struct claimed claim_of(uint64_t number);

/* What follows from an end is durable a little later than the end. */
void await_state(uint64_t number, enum aw_state state);

/* The child failed because of that parent: "k3f9q-12, which it needs " and then this. */
void assert_message(uint64_t child, uint64_t parent, const char *says);

#endif
