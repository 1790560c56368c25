/* Memory that is lacking for one call of the embedded engine. */
#include "tests/unit/engine_disk.h"

#include "tests/unit/faulty_alloc.h"

static void refused(void *arg, const struct aw_error *err, const struct claimed *claims, size_t n)
{
    unsigned *n_refused = arg;

    (void)claims;
    ck_assert_ptr_nonnull(err);
    ck_assert_int_eq(err->code, AW_ERR_NO_MEMORY);
    ck_assert_uint_eq(n, 0);
    ++*n_refused;
}

/* Nothing new comes, and nobody would ask again by himself. */
START_TEST(a_claim_that_lacked_memory_is_asked_for_again)
{
    uint64_t number = rig_queue(WANT(.name = "x"));
    unsigned n_refused = 0;

    for (unsigned nth = 1; nth <= 2; nth++) {
        rig_forget_notes();
        faulty_alloc_at(nth);
        engine_claim(rig.e, 1, refused, &n_refused);
        faulty_alloc_at(0);
        ck_assert_uint_eq(n_refused, nth);
        rig_await_note(NOTE_RUNNABLE, 0);
    }
    ck_assert_uint_eq(rig_claim_one().number, number);
}
END_TEST

void no_memory_add(TCase *tc)
{
    tcase_add_test(tc, a_claim_that_lacked_memory_is_asked_for_again);
}
