#include "tests/unit/unit.h"

#include "proto/future_id.h"

START_TEST(an_id_is_a_tag_a_dash_and_a_number)
{
    struct aw_error err;
    struct future_id id;

    ck_assert_int_eq(future_id_parse(bytes_str("k3f9q-1042"), &id, &err), AW_OK);
    ck_assert_str_eq(id.tag, "k3f9q");
    ck_assert_uint_eq(id.number, 1042);
}
END_TEST

START_TEST(people_may_leave_the_tag_out)
{
    struct aw_error err;
    struct future_id id;

    ck_assert_int_eq(future_id_parse(bytes_str("1042"), &id, &err), AW_OK);
    ck_assert_str_eq(id.tag, "");
    ck_assert_uint_eq(id.number, 1042);
}
END_TEST

START_TEST(the_largest_number_is_that_of_int64)
{
    struct aw_error err;
    struct future_id id;

    ck_assert_int_eq(future_id_parse(bytes_str("9223372036854775807"), &id, &err), AW_OK);
    ck_assert_uint_eq(id.number, INT64_MAX);
    ck_assert_int_eq(future_id_parse(bytes_str("9223372036854775808"), &id, &err), AW_ERR_INVALID);
    ck_assert_int_eq(future_id_parse(bytes_str("9999999999999999999"), &id, &err), AW_ERR_INVALID);
}
END_TEST

START_TEST(what_is_no_id_is_refused_and_named)
{
    static const char *const wrong[] = {
        "",
        "-",
        "-1",
        "k3f9q",
        "k3f9q-",
        "k3f9q-0",
        "k3f9q-01",
        "k3f9q--1",
        "k3f9q-1-2",
        "k3f9-1",
        "k3f9qq-1",
        "K3F9Q-1",
        "k3f9i-1",
        "k3f9l-1",
        "k3f9o-1",
        "k3f9u-1",
        "k3f9q-1 ",
        " 1",
        "1 ",
        "0",
        "01",
        "+1",
        "1x",
        "0x1",
        "1e3",
        "k3f9q-1.0",
        "k3f9q- 1",
        "k3f9q_1",
        "12345678901234567890",
    };

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct future_id id = {.number = 77};
        struct aw_error err = {0};

        ck_assert_msg(future_id_parse(bytes_str(wrong[i]), &id, &err) == AW_ERR_INVALID, "'%s'",
                      wrong[i]);
        ck_assert_uint_eq(id.number, 77);
        ck_assert_msg(strstr(err.text, wrong[i]) && strstr(err.text, "k3f9q-1042"), "%s", err.text);
    }
}
END_TEST

START_TEST(an_id_with_a_nul_or_of_endless_length_is_refused)
{
    struct future_id id;
    struct aw_error err;
    size_t len = 1 << 20;
    char *text = malloc(len);

    ck_assert_int_eq(future_id_parse(bytes_of("k3f9\0-1", 7), &id, &err), AW_ERR_INVALID);
    ck_assert_int_eq(future_id_parse(bytes_of("k3f9q-1\0", 8), &id, &err), AW_ERR_INVALID);
    ck_assert_int_eq(future_id_parse(bytes_str(NULL), &id, &err), AW_ERR_INVALID);
    memset(text, '1', len);
    ck_assert_int_eq(future_id_parse(bytes_of(text, len), &id, &err), AW_ERR_INVALID);
    memset(text, '-', len);
    ck_assert_int_eq(future_id_parse(bytes_of(text, len), &id, &err), AW_ERR_INVALID);
    free(text);
}
END_TEST

START_TEST(what_is_formatted_reads_back_the_same)
{
    static const uint64_t numbers[] = {1, 9, 10, 99, 100, 1042, UINT32_MAX, INT64_MAX};

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        char buf[AW_MAX_ID];
        size_t len = future_id_format(buf, "zzz00", numbers[i]);
        struct aw_error err;
        struct future_id id;

        ck_assert_uint_eq(len, strlen(buf));
        ck_assert_uint_lt(len, AW_MAX_ID);
        ck_assert_int_eq(future_id_parse(bytes_of(buf, len), &id, &err), AW_OK);
        ck_assert_str_eq(id.tag, "zzz00");
        ck_assert_uint_eq(id.number, numbers[i]);
    }
}
END_TEST

START_TEST(a_new_tag_is_valid_and_as_good_as_never_the_same)
{
    char first[AW_TAG_LEN + 1], tag[AW_TAG_LEN + 1];
    struct aw_error err;
    int same = 0;

    ck_assert_int_eq(future_tag_make(first, &err), AW_OK);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(future_tag_make(tag, &err), AW_OK);
        ck_assert_uint_eq(strlen(tag), AW_TAG_LEN);
        ck_assert(future_tag_valid(bytes_str(tag)));
        same += !strcmp(first, tag);
    }
    ck_assert_int_le(same, 1); /* by chance: once in 335,000 runs; twice: never */
}
END_TEST

START_TEST(a_tag_uses_an_alphabet_without_look_alikes)
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

    for (int c = 0; c < 256; c++) {
        char tag[AW_TAG_LEN] = {'a', 'b', (char)c, 'd', 'e'};

        ck_assert_int_eq(future_tag_valid(bytes_of(tag, sizeof(tag))),
                         c != 0 && strchr(alphabet, c) != NULL);
    }
    ck_assert(!future_tag_valid(bytes_str("abcd")));
    ck_assert(!future_tag_valid(bytes_str("abcdef")));
    ck_assert(!future_tag_valid(bytes_str("")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("future_id");
    TCase *tc = tcase_create("future IDs");

    suite_add_tcase(suite, tc);
    tcase_add_test(tc, an_id_is_a_tag_a_dash_and_a_number);
    tcase_add_test(tc, people_may_leave_the_tag_out);
    tcase_add_test(tc, the_largest_number_is_that_of_int64);
    tcase_add_test(tc, what_is_no_id_is_refused_and_named);
    tcase_add_test(tc, an_id_with_a_nul_or_of_endless_length_is_refused);
    tcase_add_test(tc, what_is_formatted_reads_back_the_same);
    tcase_add_test(tc, a_new_tag_is_valid_and_as_good_as_never_the_same);
    tcase_add_test(tc, a_tag_uses_an_alphabet_without_look_alikes);
    return unit_run(suite);
}
