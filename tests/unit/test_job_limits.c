/* Limits of a job and of its queue, put together. */
#include "tests/unit/unit.h"

#include "proto/codec.h"
#include "proto/job_limits.h"

/* All of them, each another number. */
static struct limits filled(uint64_t from)
{
    struct limits limits;

#define X(T, KIND, name, sub, need, min, max, def, text) limits.name = from + LIMIT_##name;
    LIMITS_FIELDS(X, _)
#undef X
    return limits;
}

static void assert_same(struct limits a, struct limits b)
{
    ck_assert_mem_eq(&a, &b, sizeof(a));
}

START_TEST(of_two_amounts_the_smaller_wins_and_none_is_larger_than_any)
{
    struct limits a = {.memory = 5, .cpu = 50, .cpu_time_ms = 10, .files = 7},
                  b = {.memory = 6, .cpu = 0, .cpu_time_ms = 9, .processes = 3, .file_size = 8};
    struct limits want = {
        .memory = 5, .cpu = 50, .cpu_time_ms = 9, .files = 7, .processes = 3, .file_size = 8};

    assert_same(limits_stricter(&a, &b), want);
    assert_same(limits_stricter(&b, &a), want);
}
END_TEST

START_TEST(of_two_ranks_the_later_wins)
{
    struct limits a = {.nice = 3, .io_priority = 1}, b = {.nice = 0, .io_priority = 9};
    struct limits want = {.nice = 3, .io_priority = 9};

    assert_same(limits_stricter(&a, &b), want);
    assert_same(limits_stricter(&b, &a), want);
}
END_TEST

START_TEST(no_limits_make_nothing_stricter)
{
    struct limits none = {0}, some = filled(1);

    assert_same(limits_stricter(&none, &some), some);
    assert_same(limits_stricter(&some, &some), some);
    ck_assert(limits_none(&none));
    ck_assert(!limits_none(&some));
    none.io_priority = 1;
    ck_assert(!limits_none(&none));
}
END_TEST

START_TEST(each_limit_has_a_name_and_changes_by_itself)
{
    struct limits from = filled(100), to = filled(1);

    for (size_t i = 0; i < N_LIMITS; i++) {
        const struct field *field = &limits_schema.fields[i];
        struct limits got, want = from;
        enum limit limit;

        ck_assert(limit_find(bytes_str(field->name), &limit));
        ck_assert_int_eq(limit, i);
        memcpy((char *)&want + field->offset, (char *)&to + field->offset, sizeof(uint64_t));
        got = limits_changed(&from, &to, 1u << limit);
        assert_same(got, want);
    }
    assert_same(limits_changed(&from, &to, 0), from);
    assert_same(limits_changed(&from, &to, (1u << N_LIMITS) - 1), to);
}
END_TEST

START_TEST(other_names_are_none)
{
    static const char *const names[] = {"", "mem", "memoryy", "MEMORY", "cpu_time"};
    enum limit limit = N_LIMITS;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        ck_assert(!limit_find(bytes_str(names[i]), &limit));
    ck_assert_int_eq(limit, N_LIMITS);
}
END_TEST

START_TEST(limits_read_back_as_they_were_written)
{
    struct limits some = filled(1), got;
    struct codec_part part = {&limits_schema, &some};
    struct codec_buf buf = {0};
    struct codec_doc doc;

    ck_assert_int_eq(codec_write(&buf, &part, 1), AW_OK);
    ck_assert_int_eq(codec_open(buf.data, buf.len, &doc, NULL), AW_OK);
    ck_assert_int_eq(codec_read(&doc, &limits_schema, &got, NULL), AW_OK);
    assert_same(got, some);
    codec_close(&doc);
    codec_buf_done(&buf);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job_limits");
    TCase *tc = tcase_create("limits");

    suite_add_tcase(suite, tc);
    tcase_add_test(tc, of_two_amounts_the_smaller_wins_and_none_is_larger_than_any);
    tcase_add_test(tc, of_two_ranks_the_later_wins);
    tcase_add_test(tc, no_limits_make_nothing_stricter);
    tcase_add_test(tc, each_limit_has_a_name_and_changes_by_itself);
    tcase_add_test(tc, other_names_are_none);
    tcase_add_test(tc, limits_read_back_as_they_were_written);
    return unit_run(suite);
}
