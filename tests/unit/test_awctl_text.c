/* What awctl says: verdicts, the bar, and text that is safe to print. */
#include "tests/unit/unit.h"

#include "client/awctl/awctl.h"
#include "client/awctl/bar.h"
#include "client/awctl/utf8.h"

/* ---- Verdicts and text ------------------------------------------------------------------- */

START_TEST(a_verdict_is_what_scripts_can_rely_on)
{
    static const struct {
        struct aw_status status;
        int code, own;
    } cases[] = {
        {{.state = AW_SUCCEEDED}, 0, 0},
        {{.state = AW_FAILED, .error_class = AW_CLASS_EXIT, .exit_code = 3}, 1, 3},
        {{.state = AW_FAILED, .error_class = AW_CLASS_SIGNAL, .exit_code = -1, .signal = 9},
         1,
         137},
        {{.state = AW_FAILED, .error_class = AW_CLASS_SPAWN, .exit_code = -1}, 1, 1},
        {{.state = AW_CANCELLED, .exit_code = -1, .signal = 15}, 1, 143},
        {{.state = AW_CANCELLED, .exit_code = -1}, 1, 1},
        {{.err = AW_ERR_UNKNOWN_ID}, 4, 4},
        {{.err = AW_ERR_EXPIRED_ID}, 4, 4},
        {{.err = AW_ERR_FOREIGN_ID}, 4, 4},
        {{.err = AW_ERR_NOT_PERMITTED}, 5, 5},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ck_assert_int_eq(verdict_code(&cases[i].status, false), cases[i].code);
        ck_assert_int_eq(verdict_code(&cases[i].status, true), cases[i].own);
    }
}
END_TEST

/* One of four has not ended: it does not count. */
START_TEST(the_verdict_on_several_is_on_those_that_have_ended)
{
    static const struct aw_status succeeded = {.state = AW_SUCCEEDED},
                                  failed = {.state = AW_FAILED, .exit_code = 3},
                                  running = {.state = AW_RUNNING, .exit_code = -1},
                                  missing = {.err = AW_ERR_UNKNOWN_ID},
                                  pruned = {.err = AW_ERR_EXPIRED_ID, .state = AW_SUCCEEDED};

    ck_assert_int_eq(verdict_add(0, &running, false), 0);
    ck_assert_int_eq(verdict_add(0, &running, true), 0);
    ck_assert_int_eq(verdict_add(0, &failed, false), 1);
    ck_assert_int_eq(verdict_add(1, &succeeded, false), 1);
    ck_assert_int_eq(verdict_add(1, &missing, false), 4);
    ck_assert_int_eq(verdict_add(4, &failed, false), 4);
    ck_assert_int_eq(verdict_add(0, &failed, true), 3);
    ck_assert_int_eq(verdict_add(9, &failed, true), 9);
    ck_assert_int_eq(verdict_add(0, &pruned, false), 0);
    ck_assert(!verdict_known(&running) && verdict_known(&missing) && verdict_known(&pruned));
}
END_TEST

/* ---- The bar ----------------------------------------------------------------------------- */

static const struct bar_state half = {
    .n = 100, .n_ended = 50, .n_failed = 5, .n_running = 4, .first_us = 98000};

START_TEST(a_bar_says_what_is_done_failed_running_and_left)
{
    char text[BAR_TEXT];

    bar_text(text, &half, 12000000, 120, false);
    ck_assert_str_eq(text,
                     "[##################xx--------------------] 50/100, 5 failed, 4 running, "
                     "50 left, first after 98ms, 12s");
    bar_text(text, &(struct bar_state){.n = 3, .n_running = -1, .open = true}, 500000, 120, false);
    ck_assert_str_eq(text, "[----------------------------------------] 0/3+, 3 left, 500ms");
}
END_TEST

/* Columns that a text takes on a terminal: colours take none. */
static size_t columns_of(const char *text)
{
    size_t n = 0;

    for (; *text; text++, n++)
        if (*text == '\033') {
            text = strchr(text, 'm');
            n--;
        }
    return n;
}

START_TEST(a_bar_is_never_wider_than_the_terminal)
{
    char text[BAR_TEXT];

    for (unsigned width = 0; width < 300; width++) {
        bar_text(text, &half, 12000000, width, width % 2);
        ck_assert_uint_le(columns_of(text), width);
        if (width >= 9)
            ck_assert_ptr_nonnull(strstr(text, "50/100"));
        ck_assert_int_eq(strchr(text, '\033') != NULL, width % 2 && strchr(text, '[') != NULL);
    }
}
END_TEST

START_TEST(a_verdict_says_how_a_job_failed)
{
    struct aw_status s = {.state = AW_FAILED, .message = ""};
    char text[VERDICT_TEXT];

    s.error_class = AW_CLASS_EXIT;
    s.exit_code = 3;
    ck_assert_str_eq(verdict_text(&s, text), "failed: exit code 3");
    s.message = "had as many processes as it may";
    ck_assert_str_eq(verdict_text(&s, text),
                     "failed: exit code 3 (had as many processes as it may)");
    s.error_class = AW_CLASS_SIGNAL;
    s.signal = 24;
    s.message = "killed by SIGXCPU; used more than its limit";
    ck_assert_str_eq(verdict_text(&s, text),
                     "failed: killed by SIGXCPU (used more than its limit)");
    s.message = "killed by SIGKILL";
    s.signal = 9;
    ck_assert_str_eq(verdict_text(&s, text), "failed: killed by SIGKILL");
    s.signal = 40;
    ck_assert_str_eq(verdict_text(&s, text), "failed: killed by signal 40");
    s.error_class = AW_CLASS_SPAWN;
    s.message = "no such program";
    ck_assert_str_eq(verdict_text(&s, text), "failed: spawn (no such program)");
    s.err = AW_ERR_UNKNOWN_ID;
    s.message = "";
    ck_assert_str_eq(verdict_text(&s, text), "unknown: no future with this ID was ever issued");
}
END_TEST

START_TEST(only_well_formed_text_passes_as_text)
{
    static const char *const good[] = {"", "abc", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    static const char *const bad[] = {"\x80",         "\xc0\xaf",         "\xc3", "\xe0\x80\xaf",
                                      "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "a\xe2\x82"};
    _cleanup_free_ char *clean = NULL;
    size_t len;

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        ck_assert(utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert(!utf8_valid(bad[i], strlen(bad[i])));
    clean = utf8_clean("a\xff\xc3\xa4\xe2", 5, &len);
    ck_assert_str_eq(clean, "a\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd");
    ck_assert_uint_eq(len, strlen(clean));
}
END_TEST

START_TEST(base64_is_that_of_the_standard)
{
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"\xff\xff", "//8="},
                                           {"fooba", "Zm9vYmE="}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *got = base64_encode(cases[i][0], strlen(cases[i][0]));

        ck_assert_str_eq(got, cases[i][1]);
    }
}
END_TEST

static Suite *text_suite(void)
{
    Suite *s = suite_create("awctl text");
    TCase *t = tcase_create("text");

    tcase_add_test(t, a_verdict_is_what_scripts_can_rely_on);
    tcase_add_test(t, the_verdict_on_several_is_on_those_that_have_ended);
    tcase_add_test(t, a_bar_says_what_is_done_failed_running_and_left);
    tcase_add_test(t, a_bar_is_never_wider_than_the_terminal);
    tcase_add_test(t, a_verdict_says_how_a_job_failed);
    tcase_add_test(t, only_well_formed_text_passes_as_text);
    tcase_add_test(t, base64_is_that_of_the_standard);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(text_suite());
}
