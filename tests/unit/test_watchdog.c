#include "daemon/watchdog.h"

#include "proto/codec.h"
#include "proto/messages.h"
#include "tests/unit/sp_client.h"

static struct watchdog *watchdog;
static struct call *unanswered;
static int n_alive, n_asked;
static enum { ANSWER, FAIL, SILENCE } behaviour;

static void alive(void *arg)
{
    (void)arg;
    n_alive++;
}

static void answer(struct call *call, enum aw_err code)
{
    struct codec_buf buf = {0};
    struct reply reply = {.err = code};
    struct hello_rep hello;
    struct codec_part parts[] = {{&reply_schema, &reply}, {&hello_rep_schema, &hello}};

    codec_defaults(&hello_rep_schema, &hello);
    hello.version = 1;
    hello.tag = bytes_str("abcde");
    hello.daemon = bytes_str("awd");
    ck_assert_int_eq(codec_write(&buf, parts, code ? 1 : 2), AW_OK);
    call_reply(call, buf.data, buf.len);
    codec_buf_done(&buf);
}

static void on_call(void *arg, struct call *call, const void *body, size_t len)
{
    struct codec_doc doc;
    struct request request;

    (void)arg;
    ck_assert_int_eq(codec_open(body, len, &doc, NULL), AW_OK);
    ck_assert_int_eq(codec_read(&doc, &request_schema, &request, NULL), AW_OK);
    ck_assert_bytes_eq(request.op, "hello");
    codec_close(&doc);
    n_asked++;
    if (behaviour == SILENCE)
        unanswered = call;
    else
        answer(call, behaviour == FAIL ? AW_ERR_STOPPING : AW_OK);
}

static void on_gone(void *arg, struct call *call)
{
    (void)arg;
    ck_assert_ptr_eq(call, unanswered);
    unanswered = NULL;
}

static void setup(void)
{
    struct endpoint_config config = default_config();
    struct aw_error err = {.text = ""};

    server_start(&config, on_call, on_gone);
    ck_assert_msg(!watchdog_new(base, socket_path, 40000, alive, NULL, &watchdog, &err), "%s",
                  err.text);
}

static void teardown(void)
{
    watchdog_free(watchdog);
    server_stop();
}

START_TEST(a_daemon_that_answers_is_alive_again_and_again)
{
    LOOP_UNTIL(n_alive >= 3);
    ck_assert_int_le(n_alive, n_asked);
}
END_TEST

START_TEST(an_answer_that_says_no_is_no_sign_of_life)
{
    behaviour = FAIL;
    LOOP_UNTIL(n_asked >= 3);
    ck_assert_int_eq(n_alive, 0);
    behaviour = ANSWER;
    LOOP_UNTIL(n_alive >= 1);
}
END_TEST

START_TEST(a_question_without_answer_is_given_up_and_asked_again)
{
    behaviour = SILENCE;
    LOOP_UNTIL(n_asked >= 3);
    ck_assert_int_eq(n_alive, 0);
    behaviour = ANSWER;
    LOOP_UNTIL(n_alive >= 1);
    LOOP_UNTIL(!unanswered);
}
END_TEST

START_TEST(without_its_socket_a_daemon_is_not_alive)
{
    int before;

    LOOP_UNTIL(n_alive >= 1);
    ck_assert_int_eq(unlink(socket_path), 0);
    before = n_asked;
    for (int i = 0; i < 10; i++) {
        struct timeval tick = {.tv_usec = 20000};

        event_base_loopexit(base, &tick);
        event_base_dispatch(base);
    }
    ck_assert_int_le(n_asked, before + 1); /* one was perhaps on its way */
    ck_assert_int_le(n_alive, n_asked);
}
END_TEST

START_TEST(a_path_that_no_socket_can_have_is_refused)
{
    char path[200];
    struct watchdog *none = NULL;

    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    ck_assert_int_eq(watchdog_new(base, path, 40000, alive, NULL, &none, NULL), AW_ERR_INVALID);
    ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watchdog");
    TCase *tc = tcase_create("watchdog");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_daemon_that_answers_is_alive_again_and_again);
    tcase_add_test(tc, an_answer_that_says_no_is_no_sign_of_life);
    tcase_add_test(tc, a_question_without_answer_is_given_up_and_asked_again);
    tcase_add_test(tc, without_its_socket_a_daemon_is_not_alive);
    tcase_add_test(tc, a_path_that_no_socket_can_have_is_refused);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
