/* The endpoint at its limits, and how it ends. */
#include "tests/unit/endpoint_rig.h"

#include <sys/resource.h>

/* ---- Limits -------------------------------------------------------------------------------- */

/* How many connections are served at once; when one goes, one may come. */
static void *fill_up(void *arg)
{
    int fds[100], n = 0;

    (void)arg;
    for (; n < 100; n++) {
        fds[n] = client_open();
        if (fds[n] < 0 || !client_echo(fds[n], 1, "in?"))
            break;
    }
    if (n == 0)
        return NULL;
    close(fds[--n]);
    while (!server_is_well()) /* the test's time limit ends it */
        continue;
    n++;
    for (int i = 0; i < n - 1; i++)
        close(fds[i]);
    return (void *)(intptr_t)n;
}

START_TEST(connections_beyond_the_limit_are_refused)
{
    struct endpoint_config config = default_config();

    server_stop();
    config.max_connections = 4;
    server_start(&config, on_call, on_gone);
    /* On ipc root and the daemon's own user have 16 more. */
    ck_assert_int_eq((intptr_t)run_beside(fill_up, NULL), use_tcp ? 4 : 20);
}
END_TEST

START_TEST(connections_leave_files_for_the_rest)
{
    struct endpoint_config config = default_config();
    struct rlimit few;

    server_stop();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &few), 0);
    few.rlim_cur = 64;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    server_start(&config, on_call, on_gone);
    few.rlim_cur = few.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0); /* this test's clients need some */
    ck_assert_int_eq((intptr_t)run_beside(fill_up, NULL), use_tcp ? 8 : 48 + 16);
}
END_TEST

static struct rlimit files_before;

static void *use_up_files(void *arg)
{
    int fds[64], n = 0;
    bool well;

    (void)arg;
    /* All numbers below the limit are taken; connecting needs none that is new on this side. */
    for (int i = 0; i < 8; i++)
        fds[n++] = socket(use_tcp ? AF_INET : AF_UNIX, SOCK_STREAM, 0);
    for (int fd; n < 64 && (fd = dup(2)) >= 0;)
        fds[n++] = fd;
    for (int i = 0; i < 8; i++) {
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)tcp_port)};

        in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        snprintf(un.sun_path, sizeof(un.sun_path), "%s", socket_path);
        if (use_tcp ? connect(fds[i], (struct sockaddr *)&in, sizeof(in))
                    : connect(fds[i], (struct sockaddr *)&un, sizeof(un)))
            return NULL;
    }
    usleep(300000); /* long enough for accept() to fail a few times; not judged by it */
    for (int i = 0; i < n; i++)
        close(fds[i]);
    setrlimit(RLIMIT_NOFILE, &files_before);
    well = server_is_well();
    return (void *)(uintptr_t)well;
}

START_TEST(it_goes_on_accepting_after_it_ran_out_of_files)
{
    struct rlimit few;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files_before), 0);
    few = files_before;
    few.rlim_cur = 60;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    ck_assert(run_beside(use_up_files, NULL));
}
END_TEST

/* ---- One user's, by tcp ---------------------------------------------------------------------- */

#define A_USER  4001
#define ANOTHER 4002

static _Atomic uint32_t who_connects;

static uint32_t whose(void *arg, const struct caller *caller)
{
    (void)arg;
    ck_assert(!caller->has_cred);
    return who_connects;
}

static void restart_for_users(struct shares_config shares)
{
    struct endpoint_config config = default_config();

    server_stop();
    config.shares = shares;
    config.whose = whose;
    who_connects = A_USER;
    server_start(&config, on_call, on_gone);
}

static void count_connections(void *arg, const struct share_user *user)
{
    unsigned *n = arg;

    if (user->uid == A_USER)
        *n = user->connections;
}

static unsigned connections_of_a_user(void)
{
    unsigned n = 0;

    endpoint_users(endpoint, count_connections, &n);
    return n;
}

static int user_fds[3];

static void *connect_as_one_then_as_another(void *arg)
{
    bool taken = false;
    int fd;

    for (size_t i = 0; i < ARRAY_SIZE(user_fds); i++) {
        user_fds[i] = client_open();
        if (user_fds[i] < 0 || !client_echo(user_fds[i], 1, "in?"))
            return NULL;
    }
    fd = client_open();
    taken = fd >= 0 && client_echo(fd, 1, "in?");
    close(fd);
    who_connects = ANOTHER;
    return !taken && server_is_well() ? arg : NULL;
}

START_TEST(one_user_has_no_more_connections_than_his_own)
{
    restart_for_users((struct shares_config){.max_connections = ARRAY_SIZE(user_fds)});
    ck_assert_ptr_nonnull(run_beside(connect_as_one_then_as_another, user_fds));
    ck_assert_uint_eq(connections_of_a_user(), ARRAY_SIZE(user_fds));
    for (size_t i = 0; i < ARRAY_SIZE(user_fds); i++)
        close(user_fds[i]);
    LOOP_UNTIL(connections_of_a_user() == 0);
}
END_TEST

static void *ask_for_much(void *arg)
{
    user_fds[0] = client_open();
    return user_fds[0] >= 0 && client_ask_many(user_fds[0], 64, "park") ? arg : NULL;
}

static void *is_another_well(void *arg)
{
    who_connects = ANOTHER;
    return server_is_well() ? arg : NULL;
}

START_TEST(who_does_not_read_is_closed_before_it_is_too_much)
{
    static const char big[1000000];

    restart_for_users((struct shares_config){.max_memory = 8 << 20});
    ck_assert_ptr_nonnull(run_beside(ask_for_much, user_fds));
    LOOP_UNTIL(n_parked == 64);
    while (n_parked)
        call_reply(parked[--n_parked], big, sizeof(big));
    LOOP_UNTIL(connections_of_a_user() == 0);
    ck_assert_ptr_nonnull(run_beside(is_another_well, user_fds));
    close(user_fds[0]);
}
END_TEST

/* ---- One who goes, and what others are answered for that ---------------------------------------
 */

#define UNREAD     "big 3000000"
#define FOR_OTHERS 1500000

static unsigned n_lasting; /* callers of whom all was still known as they went */

/* The same connection's other calls are among them. */
static void answer_others(void *arg, struct call *call)
{
    static const char big[FOR_OTHERS];
    const struct caller *caller = call_caller(call);

    n_lasting +=
        !caller->tls || (!strcmp(caller->subject, last_subject) && !strcmp(caller->cn, last_cn));
    on_gone(arg, call);
    while (n_parked)
        call_reply(parked[--n_parked], big, sizeof(big));
}

static void *ask_and_do_not_read(void *arg)
{
    for (size_t i = 0; i < 2; i++) {
        user_fds[i] = client_open();
        if (user_fds[i] < 0 || !client_ask(user_fds[i], 1, "park", 4))
            return NULL;
    }
    return client_ask(user_fds[0], 2, "park", 4) &&
                   client_ask(user_fds[0], 3, UNREAD, strlen(UNREAD))
               ? arg
               : NULL;
}

static void *read_for_others(void *arg)
{
    uint32_t id;
    size_t len = 0;
    char *answer = client_answer(user_fds[1], &id, &len);

    free(answer);
    return answer && len == FOR_OTHERS ? arg : NULL;
}

/* What he had not read counted, and then the answers of the others were too much with it. */
START_TEST(who_goes_need_not_be_closed_for_his_memory)
{
    struct endpoint_config config = default_config();

    server_stop();
    config.shares.max_memory = 10 << 20;
    server_start(&config, on_call, answer_others);
    ck_assert_ptr_nonnull(run_beside(ask_and_do_not_read, user_fds));
    LOOP_UNTIL(n_calls == 4);
    close(user_fds[0]);
    LOOP_UNTIL(n_gone == 1);
    ck_assert_uint_eq(n_lasting, 1);
    ck_assert_ptr_nonnull(run_beside(read_for_others, user_fds));
    close(user_fds[1]);
    LOOP_UNTIL(connections() == 0);
}
END_TEST

/* ---- Strangers, by TLS ----------------------------------------------------------------------- */

#define STRANGERS 12

/* What one whose handshake is under way costs, and a little more. */
#define TLS_CONNECTION (44u << 10)

/* They connect and say nothing; whoever is one of ours still comes in, and takes their places. */
static void *wait_at_the_door(void *arg)
{
    int fds[STRANGERS], n_closed = 0;
    bool well;
    char byte;

    client_wrap = NULL;
    for (int i = 0; i < STRANGERS; i++)
        fds[i] = client_dial();
    client_wrap = tls_client_wrap;
    well = server_is_well();
    for (int i = 0; i < STRANGERS; i++) {
        n_closed += recv(fds[i], &byte, 1, MSG_DONTWAIT) == 0;
        close(fds[i]);
    }
    return well && n_closed == STRANGERS - *(int *)arg + 1 ? arg : NULL;
}

/* There is an end to all connections, to those of one user, and to his memory. */
START_TEST(strangers_lock_nobody_out)
{
    struct endpoint_config config = default_config();
    int places = _i ? 4 : 5;

    server_stop();
    config.max_connections = _i == 1 ? (unsigned)places : 100;
    config.shares.max_connections = _i ? 100 : (unsigned)places;
    config.shares.max_memory = _i == 2 ? 2 * (size_t)places * TLS_CONNECTION : 0;
    config.whose = whose;
    who_connects = A_USER;
    server_start(&config, on_call, on_gone);
    ck_assert_ptr_nonnull(run_beside(wait_at_the_door, &places));
    LOOP_UNTIL(connections() == 0);
}
END_TEST

/* They have certificates that are good, and no line; then one comes who has one. */
static void *fill_up_without_a_line(void *arg)
{
    int fds[STRANGERS], *places = arg;
    bool good = true;

    for (int i = 0; i < *places; i++) {
        fds[i] = client_open();
        good = good && fds[i] >= 0 && client_echo(fds[i], 1, "in?");
    }
    who_connects = A_USER;
    good = good && server_is_well();
    for (int i = 0; i < *places; i++)
        close(fds[i]);
    return good ? arg : NULL;
}

START_TEST(those_without_a_line_lock_nobody_out)
{
    int places = 4;

    restart_for_users((struct shares_config){.max_connections = (unsigned)places});
    who_connects = UINT32_MAX;
    ck_assert_ptr_nonnull(run_beside(fill_up_without_a_line, &places));
    LOOP_UNTIL(connections() == 0);
}
END_TEST

/* One more than there is memory for; those who were there stay. */
static void *come_as_one_too_many(void *arg)
{
    int fds[STRANGERS], *places = arg, newcomer;
    bool good = true;

    for (int i = 0; i < *places; i++) {
        fds[i] = client_open();
        good = good && fds[i] >= 0 && client_echo(fds[i], 1, "in?");
    }
    newcomer = client_open();
    good = good && (newcomer < 0 || !client_echo(newcomer, 1, "in?"));
    for (int i = 0; i < *places; i++) {
        good = good && client_echo(fds[i], 2, "still there?");
        close(fds[i]);
    }
    if (newcomer >= 0)
        close(newcomer);
    return good ? arg : NULL;
}

START_TEST(a_newcomer_takes_no_place_of_his_users_other_connections)
{
    int places = 5;

    restart_for_users((struct shares_config){.max_memory = 2 * (size_t)places * TLS_CONNECTION});
    ck_assert_ptr_nonnull(run_beside(come_as_one_too_many, &places));
    LOOP_UNTIL(connections() == 0);
}
END_TEST

/* Of a ClientHello that is to be 128 KiB, all but the end; two others have said nothing. */
static void *say_much(void *arg)
{
    struct {
        uint8_t type, version[2], len[2], text[10000];
    } record = {22, {3, 1}, {10000 >> 8, 10000 & 255}, {1, 2, 0, 0, 3, 3}};
    int *fds = arg;

    client_wrap = NULL;
    for (int i = 0; i < 3; i++)
        fds[i] = client_dial();
    for (int i = 0; i < 13 && client_write(fds[1], &record, sizeof(record)); i++)
        memset(record.text, 0, sizeof(record.text));
    return arg;
}

START_TEST(who_says_much_in_his_handshake_pays_for_it)
{
    struct endpoint_config config = default_config();
    struct pollfd gone;
    char byte;
    int fds[3];

    server_stop();
    config.shares.max_memory = 2 * 3 * TLS_CONNECTION;
    config.stall_ms = 600000;
    server_start(&config, on_call, on_gone);
    ck_assert_ptr_nonnull(run_beside(say_much, fds));
    gone = (struct pollfd){.fd = fds[1], .events = POLLRDHUP};
    LOOP_UNTIL(poll(&gone, 1, 0) == 1);
    ck_assert_uint_eq(connections(), 2);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(i == 1 || recv(fds[i], &byte, 1, MSG_DONTWAIT) == -1, 1);
        close(fds[i]);
    }
    LOOP_UNTIL(connections() == 0);
}
END_TEST

/* ---- The end ------------------------------------------------------------------------------- */

static void *ask_for_the_end(void *arg)
{
    int fd = client_open();

    (void)arg;
    return (void *)(intptr_t)(client_ask(fd, 1, "park", 4) ? fd : -1);
}

static void *read_late(void *arg)
{
    uint32_t id;
    size_t len = 0;
    char *answer = client_answer((int)(intptr_t)arg, &id, &len);

    free(answer);
    return (void *)(uintptr_t)(answer && len == AW_MAX_MESSAGE);
}

START_TEST(what_has_been_answered_is_still_sent_at_the_end)
{
    struct endpoint_config config = default_config();
    char *big = calloc(1, AW_MAX_MESSAGE);
    pthread_t reader;
    void *good;
    int fd;

    server_stop();
    config.linger_ms = 60000; /* however slow its client is */
    server_start(&config, on_call, on_gone);
    fd = (int)(intptr_t)run_beside(ask_for_the_end, NULL);
    LOOP_UNTIL(n_parked == 1);
    endpoint_quiet(endpoint);
    pthread_create(&reader, NULL, read_late, (void *)(intptr_t)fd);
    call_reply(parked[--n_parked], big, AW_MAX_MESSAGE);
    endpoint_free(endpoint);
    pthread_join(reader, &good);
    ck_assert(good);
    free(big);
    close(fd);
    event_base_free(base);
    rmdir(dir);
    start();
}
END_TEST

START_TEST(a_client_that_does_not_read_cannot_hold_up_the_end)
{
    int fd = (int)(intptr_t)run_beside(ask_for_the_end, NULL);
    char *big = calloc(1, AW_MAX_MESSAGE);

    LOOP_UNTIL(n_parked == 1);
    call_reply(parked[--n_parked], big, AW_MAX_MESSAGE);
    free(big);
    server_stop(); /* the test's own time limit judges */
    close(fd);
    start();
}
END_TEST

static void *ask_the_deaf(void *arg)
{
    return (void *)(uintptr_t)client_ask((int)(intptr_t)arg, 2, "echo", 4);
}

START_TEST(after_quiet_nothing_is_taken_and_answers_still_go_out)
{
    int fd = (int)(intptr_t)run_beside(ask_for_the_end, NULL);
    uint32_t id;
    size_t len;
    char *answer;

    LOOP_UNTIL(n_parked == 1);
    endpoint_quiet(endpoint);
    ck_assert(run_beside(ask_the_deaf, (void *)(intptr_t)fd));
    release(1);
    event_base_loop(base, EVLOOP_NONBLOCK);
    answer = client_answer(fd, &id, &len);
    ck_assert_str_eq(answer, "now");
    ck_assert_uint_eq(id, 1);
    ck_assert_uint_eq(n_calls, 1);
    free(answer);
    close(fd);
}
END_TEST

static void add_each(TCase *tc)
{
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, connections_beyond_the_limit_are_refused);
    tcase_add_test(tc, it_goes_on_accepting_after_it_ran_out_of_files);
    tcase_add_test(tc, a_client_that_does_not_read_cannot_hold_up_the_end);
    tcase_add_test(tc, connections_leave_files_for_the_rest);
    tcase_add_test(tc, what_has_been_answered_is_still_sent_at_the_end);
    tcase_add_test(tc, after_quiet_nothing_is_taken_and_answers_still_go_out);
    tcase_add_test(tc, who_goes_need_not_be_closed_for_his_memory);
}

static void add_remote(TCase *tc)
{
    tcase_add_test(tc, one_user_has_no_more_connections_than_his_own);
    tcase_add_test(tc, who_does_not_read_is_closed_before_it_is_too_much);
}

int main(void)
{
    Suite *suite = suite_create("endpoint limits");
    TCase *ipc = tcase_create("ipc"), *tcp = tcase_create("tcp"), *tls = tcase_create("tls");
    int rc;

    tcase_add_checked_fixture(ipc, setup_ipc, server_stop);
    add_each(ipc);
    suite_add_tcase(suite, ipc);
    tcase_add_checked_fixture(tcp, setup_tcp, server_stop);
    add_each(tcp);
    add_remote(tcp);
    suite_add_tcase(suite, tcp);
    tcase_add_checked_fixture(tls, setup_tls, teardown_tls);
    add_each(tls);
    add_remote(tls);
    tcase_add_loop_test(tls, strangers_lock_nobody_out, 0, 3);
    tcase_add_test(tls, those_without_a_line_lock_nobody_out);
    tcase_add_test(tls, who_says_much_in_his_handshake_pays_for_it);
    tcase_add_test(tls, a_newcomer_takes_no_place_of_his_users_other_connections);
    if (certificates_make())
        suite_add_tcase(suite, tls);
    rc = unit_run(suite);
    return certificates_remove() ? rc : EXIT_FAILURE;
}
