#include "tests/unit/unit.h"

#include "proto/base.h"

static const struct {
    enum aw_state state;
    const char *name;
} states[] = {
#define X(NAME, num, name, text) {AW_##NAME, name},
    AW_STATE_MAP(X)
#undef X
};

static const struct {
    enum aw_class class;
    const char *name;
} classes[] = {
#define X(NAME, num, name, text) {AW_CLASS_##NAME, name},
    AW_CLASS_MAP(X)
#undef X
};

static const struct {
    enum aw_err code;
    const char *name, *text;
    bool retryable;
    int exit_code;
} errors[] = {
#define X(NAME, num, name, text, retryable, exit_code) \
    {AW_ERR_##NAME, name, text, retryable, exit_code},
    AW_ERR_MAP(X)
#undef X
};

START_TEST(every_state_has_a_name_that_leads_back_to_it)
{
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        enum aw_state back = (enum aw_state)99;

        ck_assert_str_eq(aw_state_name(states[i].state), states[i].name);
        ck_assert(aw_state_parse(bytes_str(states[i].name), &back));
        ck_assert_int_eq(back, states[i].state);
    }
}
END_TEST

START_TEST(every_class_has_a_name_that_leads_back_to_it)
{
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
        enum aw_class back = (enum aw_class)99;

        ck_assert_str_eq(aw_class_name(classes[i].class), classes[i].name);
        ck_assert(aw_class_parse(bytes_str(classes[i].name), &back));
        ck_assert_int_eq(back, classes[i].class);
    }
}
END_TEST

START_TEST(a_name_of_nothing_leaves_the_output_untouched)
{
    static const char *const wrong[] = {"", "q", "queue", "queuedd", "Queued", "queued ", "?"};
    enum aw_state state = AW_RUNNING;
    enum aw_class class = AW_CLASS_HTTP;

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        ck_assert(!aw_state_parse(bytes_str(wrong[i]), &state));
        ck_assert(!aw_class_parse(bytes_str(wrong[i]), &class));
    }
    ck_assert(!aw_state_parse(bytes_str(NULL), &state));
    ck_assert(!aw_state_parse(bytes_of("queued\0", 7), &state));
    ck_assert_int_eq(state, AW_RUNNING);
    ck_assert_int_eq(class, AW_CLASS_HTTP);
}
END_TEST

START_TEST(a_number_of_nothing_has_a_question_mark_for_a_name)
{
    ck_assert_str_eq(aw_state_name((enum aw_state)99), "?");
    ck_assert_str_eq(aw_class_name((enum aw_class)99), "?");
    ck_assert_str_eq(aw_err_name((enum aw_err)99), "?");
    ck_assert_int_ne(aw_err_exit_code((enum aw_err)99), 0);
    ck_assert(!aw_err_retryable((enum aw_err)99));
}
END_TEST

START_TEST(every_error_says_what_its_table_says)
{
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        ck_assert_str_eq(aw_err_name(errors[i].code), errors[i].name);
        ck_assert_str_eq(aw_err_text(errors[i].code), errors[i].text);
        ck_assert_int_eq(aw_err_retryable(errors[i].code), errors[i].retryable);
        ck_assert_int_eq(aw_err_exit_code(errors[i].code), errors[i].exit_code);
    }
}
END_TEST

/* Numbers travel and are stored: two entries with one number, or one name, would be fatal. */
START_TEST(no_two_entries_share_a_number_or_a_name)
{
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        for (size_t j = 0; j < i; j++) {
            ck_assert_int_ne(errors[i].code, errors[j].code);
            ck_assert_str_ne(errors[i].name, errors[j].name);
        }
    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        for (size_t j = 0; j < i; j++) {
            ck_assert_int_ne(states[i].state, states[j].state);
            ck_assert_str_ne(states[i].name, states[j].name);
        }
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        for (size_t j = 0; j < i; j++) {
            ck_assert_int_ne(classes[i].class, classes[j].class);
            ck_assert_str_ne(classes[i].name, classes[j].name);
        }
}
END_TEST

/* These are in other people's stores and programs; whoever changes one has to change this too. */
START_TEST(numbers_on_the_wire_and_in_the_store_stay_what_they_are)
{
    ck_assert_int_eq(AW_SCHEDULED, 0);
    ck_assert_int_eq(AW_QUEUED, 2);
    ck_assert_int_eq(AW_RUNNING, 3);
    ck_assert_int_eq(AW_SUCCEEDED, 4);
    ck_assert_int_eq(AW_CANCELLED, 6);
    ck_assert_int_eq(AW_CLASS_EXIT, 1);
    ck_assert_int_eq(AW_CLASS_INTERRUPTED, 10);
    ck_assert_int_eq(AW_ERR_MALFORMED, 1);
    ck_assert_int_eq(AW_ERR_UNKNOWN_ID, 10);
    ck_assert_int_eq(AW_ERR_NOT_PERMITTED, 20);
    ck_assert_int_eq(AW_ERR_QUEUE_FULL, 30);
    ck_assert_int_eq(AW_ERR_WRONG_STATE, 40);
    ck_assert_int_eq(AW_ERR_TIMED_OUT, 102);
}
END_TEST

START_TEST(only_the_last_three_states_are_final)
{
    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        ck_assert_int_eq(aw_state_is_final(states[i].state), i >= ARRAY_SIZE(states) - 3);
}
END_TEST

START_TEST(an_exit_code_is_one_that_awctl_documents)
{
    static const int known[] = {0, 1, 2, 3, 4, 5, 6, 124};

    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        bool found = false;

        for (size_t k = 0; k < ARRAY_SIZE(known); k++)
            found |= errors[i].exit_code == known[k];
        ck_assert_msg(found, "%s", errors[i].name);
        ck_assert_int_eq(errors[i].exit_code == 0, errors[i].code == AW_OK);
    }
}
END_TEST

START_TEST(failing_fills_the_error_and_hands_on_the_code)
{
    struct aw_error err = {.retry_after_ms = 77};

    ck_assert_int_eq(aw_fail(&err, AW_ERR_INVALID, "job %d: %s", 7, "no"), AW_ERR_INVALID);
    ck_assert_int_eq(err.code, AW_ERR_INVALID);
    ck_assert_str_eq(err.text, "job 7: no");
    ck_assert_uint_eq(err.retry_after_ms, 0);
}
END_TEST

START_TEST(failing_without_an_error_to_fill_only_hands_on_the_code)
{
    ck_assert_int_eq(aw_fail(NULL, AW_ERR_STORE, "%s", "x"), AW_ERR_STORE);
}
END_TEST

START_TEST(a_sentence_that_is_too_long_is_cut_and_terminated)
{
    struct aw_error err;
    char text[2 * AW_ERROR_TEXT];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    memset(&err, 'z', sizeof(err));
    ck_assert_int_eq(aw_fail(&err, AW_ERR_STORE, "%s", text), AW_ERR_STORE);
    ck_assert_uint_eq(strlen(err.text), AW_ERROR_TEXT - 1);
}
END_TEST

START_TEST(slices_are_equal_when_their_bytes_are)
{
    ck_assert(bytes_eq(bytes_str("ab"), bytes_of("abc", 2)));
    ck_assert(!bytes_eq(bytes_str("ab"), bytes_str("abc")));
    ck_assert(!bytes_eq(bytes_str("ab"), bytes_str("ac")));
    ck_assert(bytes_eq(bytes_str(""), bytes_str(NULL)));
    ck_assert(bytes_eq(bytes_of("a\0b", 3), bytes_of("a\0b", 3)));
    ck_assert(!bytes_eq(bytes_of("a\0b", 3), bytes_of("a\0c", 3)));
}
END_TEST

static char *pointer_kept(void)
{
    _cleanup_free_ char *p = malloc(1);

    return take_ptr(p);
}

START_TEST(what_is_taken_is_not_cleaned_up)
{
    char *p = pointer_kept();
    int fd = dup(0), taken;

    ck_assert_ptr_nonnull(p);
    *p = 'x'; /* a sanitizer would object if it had been freed */
    free(p);
    ck_assert_int_ge(fd, 0);
    {
        _cleanup_close_ int guarded = fd;

        taken = take_fd(guarded);
        ck_assert_int_eq(guarded, -1);
    }
    ck_assert_int_eq(taken, fd);
    ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(what_is_not_taken_is_closed)
{
    int fd = dup(0);

    ck_assert_int_ge(fd, 0);
    {
        _cleanup_close_ int guarded = fd;

        ck_assert_int_ge(guarded, 0);
    }
    ck_assert_int_eq(close(fd), -1);
}
END_TEST

START_TEST(clocks_count_microseconds_forwards)
{
    int64_t boot = boottime_us(), wall = now_us();

    ck_assert_int_gt(boot, 0);
    ck_assert_int_ge(boottime_us(), boot);
    ck_assert_int_gt(wall, INT64_C(1600000000) * 1000000);
    ck_assert_int_lt(wall, INT64_C(4102444800) * 1000000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base");
    TCase *tables = tcase_create("tables"), *idioms = tcase_create("idioms");

    suite_add_tcase(suite, tables);
    tcase_add_test(tables, every_state_has_a_name_that_leads_back_to_it);
    tcase_add_test(tables, every_class_has_a_name_that_leads_back_to_it);
    tcase_add_test(tables, a_name_of_nothing_leaves_the_output_untouched);
    tcase_add_test(tables, a_number_of_nothing_has_a_question_mark_for_a_name);
    tcase_add_test(tables, every_error_says_what_its_table_says);
    tcase_add_test(tables, no_two_entries_share_a_number_or_a_name);
    tcase_add_test(tables, numbers_on_the_wire_and_in_the_store_stay_what_they_are);
    tcase_add_test(tables, only_the_last_three_states_are_final);
    tcase_add_test(tables, an_exit_code_is_one_that_awctl_documents);
    suite_add_tcase(suite, idioms);
    tcase_add_test(idioms, failing_fills_the_error_and_hands_on_the_code);
    tcase_add_test(idioms, failing_without_an_error_to_fill_only_hands_on_the_code);
    tcase_add_test(idioms, a_sentence_that_is_too_long_is_cut_and_terminated);
    tcase_add_test(idioms, slices_are_equal_when_their_bytes_are);
    tcase_add_test(idioms, what_is_taken_is_not_cleaned_up);
    tcase_add_test(idioms, what_is_not_taken_is_closed);
    tcase_add_test(idioms, clocks_count_microseconds_forwards);
    return unit_run(suite);
}
