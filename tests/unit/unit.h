/*
 * unit.h - what every unit test program needs: Check, and a main() that prints TAP.
 *
 * Each test runs in a process of its own (CK_FORK=no in the environment turns that off, for
 * debuggers and valgrind). The exit status says the same as the TAP output.
 */
#ifndef AW_UNIT_H
#define AW_UNIT_H

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * How long to wait for what is sure to come, before a test says that it does not: `us`, or as many
 * times longer as Check's own limits are, where all is slow (CK_TIMEOUT_MULTIPLIER, as with
 * valgrind).
 */
static inline int64_t unit_patience_us(int64_t us)
{
    const char *text = getenv("CK_TIMEOUT_MULTIPLIER");
    double times = text ? strtod(text, NULL) : 1;

    return times > 1 ? (int64_t)((double)us * times) : us;
}

static inline int unit_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Compares a struct bytes with a C string. */
#define ck_assert_bytes_eq(got, want)                                                     \
    ck_assert_msg(bytes_eq((got), bytes_str(want)), "'%.*s' is not '%s'", (int)(got).len, \
                  (const char *)(got).data, (want))

#endif
