/* The endpoint: what is asked and answered, calls that are parked, clients that misbehave. */
#include "tests/unit/endpoint_rig.h"

#include "proto/limits.h"

/* ---- The ordinary -------------------------------------------------------------------------- */

static void *ask_thrice(void *arg)
{
    int fd = client_open();
    bool good = fd >= 0 && client_echo(fd, 1, "one") && client_echo(fd, 2, "") &&
                client_echo(fd, 3, "three");

    (void)arg;
    close(fd);
    return (void *)(uintptr_t)good;
}

START_TEST(requests_are_answered_with_their_own_id)
{
    struct endpoint_stats stats;

    ck_assert(run_beside(ask_thrice, NULL));
    endpoint_stats(endpoint, &stats);
    ck_assert_uint_eq(stats.requests, 3);
    ck_assert_uint_eq(stats.unanswered, 0);
    LOOP_UNTIL(connections() == 0);
}
END_TEST

START_TEST(the_peer_is_known_on_ipc_and_by_its_certificate)
{
    ck_assert(run_beside(ask_thrice, NULL));
    ck_assert_int_eq(last_caller.has_cred, !use_tcp);
    ck_assert_int_eq(last_caller.tls, tls_cert != NULL);
    ck_assert_str_eq(last_subject, tls_cert ? "C=DE, O=a\\, b, CN=client" : "");
    ck_assert_str_eq(last_cn, tls_cert ? "client" : "");
    if (use_tcp)
        return;
    ck_assert_uint_eq(last_caller.uid, getuid());
    ck_assert_uint_eq(last_caller.gid, getgid());
    ck_assert_int_eq(last_caller.pid, getpid());
    ck_assert_uint_eq(last_caller.n_inflight, 1);
}
END_TEST

static void *ask_big(void *arg)
{
    static char body[AW_MAX_MESSAGE];
    int fd = client_open();
    uint32_t id;
    size_t len;
    char *answer;
    bool good;

    (void)arg;
    memset(body, 'x', sizeof(body));
    good = client_ask(fd, 1, body, sizeof(body)) && (answer = client_answer(fd, &id, &len)) &&
           len == sizeof(body) && !memcmp(answer, body, len);
    if (good)
        free(answer);
    good = good && client_echo(fd, 2, "and a small one behind it");
    close(fd);
    return (void *)(uintptr_t)good;
}

START_TEST(the_largest_message_goes_through_both_ways)
{
    ck_assert(run_beside(ask_big, NULL));
}
END_TEST

/* One byte at a time: nothing hangs on how the bytes arrive. */
static void *ask_slowly(void *arg)
{
    uint8_t bytes[SP_HANDSHAKE_LEN + SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN + 3], hello[8];
    size_t type = use_tcp ? SP_HANDSHAKE_LEN : SIZE_MAX; /* tcp's header does not have it */
    uint32_t id;
    size_t len;
    char *answer = NULL;
    int fd = client_dial();

    (void)arg;
    sp_handshake_write(bytes, SP_REQ);
    sp_ipc_header_write(bytes + SP_HANDSHAKE_LEN, 7, 3);
    memcpy(bytes + sizeof(bytes) - 3, "abc", 3);
    for (size_t i = 0; i < sizeof(bytes); i++)
        if (i != type && !client_write(fd, &bytes[i], 1))
            return NULL;
    if (client_read(fd, hello, sizeof(hello)))
        answer = client_answer(fd, &id, &len);
    close(fd);
    return answer && !strcmp(answer, "abc") ? (free(answer), (void *)1) : NULL;
}

START_TEST(a_request_may_come_byte_by_byte)
{
    ck_assert(run_beside(ask_slowly, NULL));
}
END_TEST

/* ---- Parked calls -------------------------------------------------------------------------- */

#define MANY 10000

static void *park_many(void *arg)
{
    int fd = client_open();

    (void)arg;
    return client_ask_many(fd, MANY, "park") ? (void *)(intptr_t)fd : NULL;
}

/* Each id once. */
static void *take_many(void *arg)
{
    static bool seen[MANY + 1];
    int fd = (int)(intptr_t)arg;
    bool good = true;
    uint32_t id;
    size_t len;
    char *answer;

    for (uint32_t i = 1; good && i <= MANY; i++) {
        answer = client_answer(fd, &id, &len);
        good = answer && id <= MANY && !seen[id] && !strcmp(answer, "now");
        if (good)
            seen[id] = true;
        free(answer);
    }
    close(fd);
    return (void *)(uintptr_t)good;
}

START_TEST(ten_thousand_parked_calls_of_one_client_are_all_answered_at_once)
{
    int fd = (int)(intptr_t)run_beside(park_many, NULL);

    ck_assert_int_gt(fd, 0);
    LOOP_UNTIL(n_parked == MANY);
    ck_assert_uint_eq(call_caller(parked[0])->n_inflight, MANY);
    release(MANY);
    ck_assert(run_beside(take_many, (void *)(intptr_t)fd));
    ck_assert_uint_eq(n_gone, 0);
    LOOP_UNTIL(connections() == 0);
}
END_TEST

static void release_slice(evutil_socket_t fd, short what, void *arg)
{
    struct event *event = *(struct event **)arg;

    (void)fd, (void)what;
    release(100);
    if (n_parked)
        event_active(event, EV_TIMEOUT, 0);
}

START_TEST(ten_thousand_parked_calls_are_all_answered_in_slices)
{
    int fd = (int)(intptr_t)run_beside(park_many, NULL);
    struct event *slice = event_new(base, -1, 0, release_slice, &slice);

    LOOP_UNTIL(n_parked == MANY);
    event_active(slice, EV_TIMEOUT, 0);
    ck_assert(run_beside(take_many, (void *)(intptr_t)fd));
    event_free(slice);
}
END_TEST

START_TEST(a_client_that_goes_is_gone_once_for_each_of_its_calls)
{
    int fd = (int)(intptr_t)run_beside(park_many, NULL);
    struct endpoint_stats stats;

    LOOP_UNTIL(n_parked == MANY);
    release(10);
    close(fd);
    LOOP_UNTIL(connections() == 0);
    ck_assert_uint_eq(n_gone, MANY - 10);
    ck_assert_uint_eq(n_parked, 0);
    endpoint_stats(endpoint, &stats);
    ck_assert_uint_eq(stats.unanswered, 0);
}
END_TEST

static void *ask_only(void *arg)
{
    int fd = client_open();

    (void)arg;
    return (void *)(intptr_t)(client_ask(fd, 1, "body of one", sizeof("body of one")) ? fd : -1);
}

START_TEST(a_body_can_outlive_its_client)
{
    int fd = (int)(intptr_t)run_beside(ask_only, NULL);

    ck_assert_int_ge(fd, 0);
    LOOP_UNTIL(kept_body);
    close(fd);
    LOOP_UNTIL(n_gone == 1 && connections() == 0);
    ck_assert_ptr_nonnull(kept.free);
    ck_assert_str_eq(kept_body, "body of one");
    kept.free(kept.memory);
}
END_TEST

START_TEST(parked_calls_are_dropped_in_silence_at_the_end)
{
    int fd = (int)(intptr_t)run_beside(park_many, NULL);

    LOOP_UNTIL(n_parked == MANY);
    server_stop();
    ck_assert_uint_eq(n_gone, 0);
    close(fd);
    start();
}
END_TEST

/* ---- Many at once ------------------------------------------------------------------------------
 */

#define CROWD 800

static void *open_crowd(void *arg)
{
    int *fds = arg;

    for (int i = 0; i < CROWD; i++) {
        fds[i] = client_open();
        if (fds[i] < 0)
            return NULL;
    }
    return arg;
}

/* All are one user's, more than have their turn in one, and each has its request there. */
START_TEST(a_crowd_that_asks_at_once_is_served)
{
    int fds[CROWD];

    start_for_many();
    ck_assert_ptr_nonnull(run_beside(open_crowd, fds));
    for (int i = 0; i < CROWD; i++)
        ck_assert(client_ask_many(fds[i], 1, "echo"));
    LOOP_UNTIL(n_calls == CROWD);
    for (int i = 0; i < CROWD; i++)
        close(fds[i]);
    LOOP_UNTIL(connections() == 0);
}
END_TEST

/* ---- Clients that misbehave ---------------------------------------------------------------- */

/*
 * Politely; with a reset; and with a reset after an end, so that the server's greeting meets EPIPE.
 */
static void *connect_and_close(void *arg)
{
    struct linger at_once = {.l_onoff = 1};

    (void)arg;
    for (int i = 0; i < 1000; i++) {
        int fd = client_dial();

        if (fd < 0)
            continue;
        if (i % 3 == 2)
            shutdown(fd, SHUT_WR);
        if (i % 3)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close(fd);
    }
    return (void *)(uintptr_t)server_is_well();
}

START_TEST(a_thousand_that_connect_and_close_do_no_harm)
{
    ck_assert(run_beside(connect_and_close, NULL));
}
END_TEST

static void *send_garbage(void *arg)
{
    static const struct {
        const char *bytes;
        size_t len;
    } garbage[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27},                                /* no SP */
        {"\0SP", 3},                                                              /* half of it */
        {"\0SP\0\0\x31\0\0", 8},                                                  /* a server */
        {"\0SP\0\0\x30\0\0\7\0\0\0\0\0\0\0\4\x80\0\0\1", 21},                     /* type */
        {"\0SP\0\0\x30\0\0\1\0\0\0\0\0\0\0\3\x80\0\0\1", 21},                     /* too short */
        {"\0SP\0\0\x30\0\0\1\0\0\0\0\0\0\0\4\x00\0\0\1", 21},                     /* no id */
        {"\0SP\0\0\x30\0\0\1\xff\xff\xff\xff\xff\xff\xff\xff\x80\0\0\1xxxx", 25}, /* huge */
        {"\0SP\0\0\x30\0\0\1\0\0\0\0\0\x80\0\5\x80\0\0\1xxxx", 25},               /* over by 1 */
        {"\0SP\0\0\x30\0\0\1\0\0\0\0\0\0\1\0\x80\0\0\1part of it", 30},           /* cut off */
    };

    (void)arg;
    for (size_t i = 0; i < 20 * ARRAY_SIZE(garbage); i++) {
        size_t k = i % ARRAY_SIZE(garbage);
        int fd = client_dial();

        client_write(fd, garbage[k].bytes, garbage[k].len);
        close(fd);
    }
    return (void *)(uintptr_t)server_is_well();
}

START_TEST(garbage_costs_its_sender_the_connection_and_nobody_else)
{
    ck_assert(run_beside(send_garbage, NULL));
    LOOP_UNTIL(connections() == 0);
    ck_assert_uint_eq(n_gone, 0);
}
END_TEST

static void *send_oversize(void *arg)
{
    char head[] = "\1\0\0\0\0\0\x80\0\5\x80\0\0\1"; /* AW_MAX_MESSAGE and one byte */
    char byte;
    int fd = client_open();
    bool closed = client_write(fd, head + use_tcp, 13 - use_tcp) && !client_read(fd, &byte, 1);

    (void)arg;
    close(fd);
    return (void *)(uintptr_t)(closed && server_is_well());
}

START_TEST(a_message_that_announces_too_much_is_not_waited_for)
{
    ck_assert(run_beside(send_oversize, NULL));
    ck_assert_uint_eq(n_calls, 1);
}
END_TEST

static void *ask_and_vanish(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < (tls_cert ? 60 : 300); i++) {
        int fd = client_open();
        char part[3000];

        if (!client_ask_many(fd, 400, i % 3 ? "echo" : "big 100000") ||
            !client_read(fd, part, sizeof(part)))
            return NULL;
        close(fd);
    }
    return (void *)(uintptr_t)server_is_well();
}

START_TEST(clients_that_vanish_amid_their_answers_are_cleared_away)
{
    ck_assert(run_beside(ask_and_vanish, NULL));
    LOOP_UNTIL(connections() == 0);
}
END_TEST

/* It asks for 400 MB, by TLS for a quarter of that, and reads nothing until the server is seen to
 * serve others. */
static void *never_read(void *arg)
{
    uint32_t n = *(uint32_t *)arg, id;
    int fd = client_open();
    size_t len;
    bool good;

    good = client_ask_many(fd, n, "big 1000000") && server_is_well();
    ck_assert_uint_lt(n_calls, 50);
    for (uint32_t i = 1; good && i <= n; i++) {
        char *answer = client_answer(fd, &id, &len);

        good = answer && id == i && len == 1000000;
        free(answer);
    }
    close(fd);
    return good ? arg : NULL;
}

START_TEST(who_does_not_read_is_not_read_from_and_still_loses_nothing)
{
    uint32_t n = tls_cert ? 100 : 400;

    ck_assert(run_beside(never_read, &n));
    ck_assert_uint_eq(n_calls, n + 1);
}
END_TEST

static void add_each(TCase *tc)
{
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, requests_are_answered_with_their_own_id);
    tcase_add_test(tc, the_peer_is_known_on_ipc_and_by_its_certificate);
    tcase_add_test(tc, the_largest_message_goes_through_both_ways);
    tcase_add_test(tc, ten_thousand_parked_calls_of_one_client_are_all_answered_at_once);
    tcase_add_test(tc, ten_thousand_parked_calls_are_all_answered_in_slices);
    tcase_add_test(tc, a_client_that_goes_is_gone_once_for_each_of_its_calls);
    tcase_add_test(tc, a_body_can_outlive_its_client);
    tcase_add_test(tc, parked_calls_are_dropped_in_silence_at_the_end);
    tcase_add_test(tc, a_thousand_that_connect_and_close_do_no_harm);
    tcase_add_test(tc, garbage_costs_its_sender_the_connection_and_nobody_else);
    tcase_add_test(tc, a_message_that_announces_too_much_is_not_waited_for);
    tcase_add_test(tc, a_request_may_come_byte_by_byte);
    tcase_add_test(tc, clients_that_vanish_amid_their_answers_are_cleared_away);
    tcase_add_test(tc, who_does_not_read_is_not_read_from_and_still_loses_nothing);
}

int main(void)
{
    Suite *suite = suite_create("endpoint");
    TCase *ipc = tcase_create("ipc"), *tcp = tcase_create("tcp"), *tls = tcase_create("tls");
    int rc;

    tcase_add_checked_fixture(ipc, setup_ipc, server_stop);
    add_each(ipc);
    tcase_add_test(ipc, a_crowd_that_asks_at_once_is_served);
    suite_add_tcase(suite, ipc);
    tcase_add_checked_fixture(tcp, setup_tcp, server_stop);
    add_each(tcp);
    tcase_add_test(tcp, a_crowd_that_asks_at_once_is_served);
    suite_add_tcase(suite, tcp);
    tcase_add_checked_fixture(tls, setup_tls, teardown_tls);
    add_each(tls);
    if (certificates_make())
        suite_add_tcase(suite, tls);
    rc = unit_run(suite);
    return certificates_remove() ? rc : EXIT_FAILURE;
}
