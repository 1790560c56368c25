#include "tests/unit/unit.h"

#include "proto/limits.h"
#include "proto/text.h"

START_TEST(durations_are_seconds_unless_they_name_a_unit)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"90", 90000},
        {"1.5s", 1500},
        {"250ms", 250},
        {"5m", 300000},
        {"2h", 7200000},
        {"1d", 86400000},
        {"1w", 604800000},
        {"0.5", 500},
        {"0.001s", 1},
        {"0.0004s", 0},
        {"0.0005s", 1},
        {"00012", 12000},
        {"1.25h", 4500000},
        {"0ms", 0},
        {"1.0000000000", 1000},
        {"3650d", AW_MAX_DURATION_MS},
        {"0.25m", 15000},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct aw_error err;
        int64_t ms = -7;

        ck_assert_msg(duration_parse(cases[i].text, &ms, &err) == AW_OK, "%s", cases[i].text);
        ck_assert_msg(ms == cases[i].ms, "%s gave %jd", cases[i].text, (intmax_t)ms);
    }
}
END_TEST

START_TEST(what_is_no_duration_is_refused_and_named)
{
    static const char *const wrong[] = {"",
                                        "s",
                                        "ms",
                                        "-1",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1 s",
                                        "1.",
                                        ".5",
                                        "1.s",
                                        "1e3",
                                        "inf",
                                        "nan",
                                        "0x10",
                                        "1S",
                                        "1min",
                                        "1,5s",
                                        "1s1s",
                                        "1.5.5",
                                        "5mm",
                                        "1ms ",
                                        "3651d",
                                        "521.5w",
                                        "99999999999999999999999999999999999",
                                        "1.00000000000000000000000000000000001s"};

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct aw_error err = {0};
        int64_t ms = -7;

        ck_assert_msg(duration_parse(wrong[i], &ms, &err) == AW_ERR_INVALID, "'%s'", wrong[i]);
        ck_assert_int_eq(ms, -7);
        ck_assert_int_eq(err.code, AW_ERR_INVALID);
        ck_assert_msg(strstr(err.text, wrong[i]) != NULL, "%s", err.text);
    }
}
END_TEST

START_TEST(sizes_are_bytes_unless_they_name_a_unit)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {
        {"0", 0},          {"4096", 4096},           {"64K", 65536},
        {"10M", 10485760}, {"2G", INT64_C(2) << 30}, {"1T", INT64_C(1) << 40},
        {"1.5K", 1536},    {"0.5M", 524288},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct aw_error err;
        int64_t bytes = -7;

        ck_assert_msg(size_parse(cases[i].text, &bytes, &err) == AW_OK, "%s", cases[i].text);
        ck_assert_msg(bytes == cases[i].bytes, "%s gave %jd", cases[i].text, (intmax_t)bytes);
    }
}
END_TEST

START_TEST(what_is_no_size_is_refused_and_named)
{
    static const char *const wrong[] = {"",    "K",   "-1",   "1k",   "1KB",      "1 K", "1e6",
                                        "1.K", ".5M", "0x10", "1KiB", "4000000T", "inf"};

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct aw_error err = {0};
        int64_t bytes = -7;

        ck_assert_msg(size_parse(wrong[i], &bytes, &err) == AW_ERR_INVALID, "'%s'", wrong[i]);
        ck_assert_int_eq(bytes, -7);
        ck_assert_msg(strstr(err.text, wrong[i]) != NULL, "%s", err.text);
    }
}
END_TEST

START_TEST(a_duration_is_shown_in_the_units_that_suit_it)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "0ms"},
        {850, "850ms"},
        {999, "999ms"},
        {1000, "1.0s"},
        {1500, "1.5s"},
        {9949, "9.9s"},
        {10000, "10s"},
        {12400, "12s"},
        {59499, "59s"},
        {59500, "1m00s"},
        {200000, "3m20s"},
        {3599499, "59m59s"},
        {3599500, "1h00m"},
        {7260000, "2h01m"},
        {86400000, "1d00h"},
        {90000000, "1d01h"},
        {AW_MAX_DURATION_MS, "3650d00h"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char buf[32];

        ck_assert_uint_eq(duration_format(buf, sizeof(buf), cases[i].ms), strlen(cases[i].text));
        ck_assert_str_eq(buf, cases[i].text);
    }
}
END_TEST

START_TEST(a_shown_duration_never_overflows_its_buffer)
{
    char buf[4] = "???";

    duration_format(buf, sizeof(buf), 200000);
    ck_assert_str_eq(buf, "3m2");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *tc = tcase_create("numbers as people write them");

    suite_add_tcase(suite, tc);
    tcase_add_test(tc, durations_are_seconds_unless_they_name_a_unit);
    tcase_add_test(tc, what_is_no_duration_is_refused_and_named);
    tcase_add_test(tc, sizes_are_bytes_unless_they_name_a_unit);
    tcase_add_test(tc, what_is_no_size_is_refused_and_named);
    tcase_add_test(tc, a_duration_is_shown_in_the_units_that_suit_it);
    tcase_add_test(tc, a_shown_duration_never_overflows_its_buffer);
    return unit_run(suite);
}
