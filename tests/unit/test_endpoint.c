#include "tests/unit/sp_client.h"

#include <dirent.h>
#include <sys/resource.h>

#include "proto/limits.h"

/* What the server of a test does with its calls: the body's first letter says. */
static struct call *parked[20000];
static unsigned n_parked, n_gone;
static _Atomic unsigned n_calls; /* clients look at it */
static struct caller last_caller;

/* A body that outlives its call. */
static const char *kept_body;
static struct body_owner kept;

static void unpark(struct call *call)
{
    size_t i = (size_t)(uintptr_t)call_user(call);

    parked[i] = parked[--n_parked];
    if (i < n_parked)
        call_set_user(parked[i], (void *)(uintptr_t)i);
}

static void on_gone(void *arg, struct call *call)
{
    (void)arg;
    if (call_user(call) == &kept)
        call_take_body(call, &kept);
    else
        unpark(call);
    n_gone++;
}

/* "park": kept. "body": not even answered, and its body is wanted. "big N": answered with N bytes.
 * Everything else: echo. */
static void on_call(void *arg, struct call *call, const void *body, size_t len)
{
    char text[32] = "";
    size_t size;
    char *big;

    (void)arg;
    n_calls++;
    last_caller = *call_caller(call);
    memcpy(text, body, MIN(len, sizeof(text) - 1));
    if (!strncmp(text, "park", 4)) {
        ck_assert_uint_lt(n_parked, ARRAY_SIZE(parked));
        call_set_user(call, (void *)(uintptr_t)n_parked);
        parked[n_parked++] = call;
        call_park(call);
    } else if (!strncmp(text, "body", 4)) {
        call_set_user(call, &kept);
        kept_body = body;
    } else if (sscanf(text, "big %zu", &size) == 1) {
        big = calloc(1, size);
        call_reply(call, big, size);
        free(big);
    } else {
        call_reply(call, body, len);
    }
}

static void release(unsigned count)
{
    while (count-- && n_parked)
        call_reply(parked[--n_parked], "now", 3);
}

static void start(void)
{
    struct endpoint_config config = default_config();

    server_start(&config, on_call, on_gone);
}

static void setup_ipc(void)
{
    use_tcp = false;
    start();
}

static void setup_tcp(void)
{
    use_tcp = true;
    start();
}

static unsigned connections(void)
{
    struct endpoint_stats stats;

    endpoint_stats(endpoint, &stats);
    return stats.connections;
}

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

START_TEST(the_peer_is_known_on_ipc_and_only_there)
{
    ck_assert(run_beside(ask_thrice, NULL));
    ck_assert_int_eq(last_caller.has_cred, !use_tcp);
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
    uint32_t id;
    size_t len;
    char *answer = NULL;
    int fd = client_dial();

    (void)arg;
    sp_handshake_write(bytes, SP_REQ);
    sp_ipc_header_write(bytes + SP_HANDSHAKE_LEN, 7, 3);
    memcpy(bytes + sizeof(bytes) - 3, "abc", 3);
    for (size_t i = 0; i < sizeof(bytes); i++)
        if (!client_write(fd, &bytes[i], 1))
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

/* ---- Clients that misbehave ---------------------------------------------------------------- */

/*
 * Politely; with a reset; and with a reset after an end, so that the server's greeting meets EPIPE:
 * that is what switches a listener of nng 1.5.2 off (sendmsg.c).
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
    for (unsigned i = 0; i < 300; i++) {
        int fd = client_open();
        char part[3000];

        if (!client_ask_many(fd, 400, i % 3 ? "echo" : "big 100000") ||
            recv(fd, part, sizeof(part), 0) <= 0)
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

/* Over tcp the same makes nng's cleaning thread wait for ever (transport.h). The end still comes.
 */
START_TEST(not_even_nng_can_hold_up_the_end)
{
    run_beside(ask_and_vanish, NULL);
    server_stop();
    start();
}
END_TEST

/* It asks for 2 GB and reads nothing until the server is seen to serve others. */
static void *never_read(void *arg)
{
    int fd = client_open();
    uint32_t id;
    size_t len;
    bool good;

    (void)arg;
    good = client_ask_many(fd, 2000, "big 1000000") && server_is_well();
    ck_assert_uint_lt(n_calls, 100);
    for (uint32_t i = 1; good && i <= 2000; i++) {
        char *answer = client_answer(fd, &id, &len);

        good = answer && id == i && len == 1000000;
        free(answer);
    }
    close(fd);
    return (void *)(uintptr_t)good;
}

START_TEST(who_does_not_read_is_not_read_from_and_still_loses_nothing)
{
    ck_assert(run_beside(never_read, NULL));
    ck_assert_uint_eq(n_calls, 2001);
}
END_TEST

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
    ck_assert_int_eq((intptr_t)run_beside(fill_up, NULL), 48 + 16);
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
    int fd = (int)(intptr_t)run_beside(ask_for_the_end, NULL);
    char *big = calloc(1, AW_MAX_MESSAGE);
    pthread_t reader;
    void *good;

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

/* Bits of the signal mask of each thread but this one: nng's must take no signal of ours. */
START_TEST(signals_come_to_nobody_but_the_main_thread)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    int others = 0;

    while ((task = readdir(tasks))) {
        char path[300], line[128];
        unsigned long long blocked = 0;
        FILE *status;

        if (atoi(task->d_name) <= 0 || atoi(task->d_name) == getpid())
            continue;
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", task->d_name);
        status = fopen(path, "r");
        while (status && fgets(line, sizeof(line), status))
            sscanf(line, "SigBlk: %llx", &blocked);
        fclose(status);
        ck_assert_uint_eq(blocked >> 14 & 1, 1); /* SIGTERM */
        others++;
    }
    closedir(tasks);
    ck_assert(others > 0 || !use_tcp);
}
END_TEST

static void add_both(TCase *tc)
{
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, requests_are_answered_with_their_own_id);
    tcase_add_test(tc, the_peer_is_known_on_ipc_and_only_there);
    tcase_add_test(tc, the_largest_message_goes_through_both_ways);
    tcase_add_test(tc, ten_thousand_parked_calls_of_one_client_are_all_answered_at_once);
    tcase_add_test(tc, ten_thousand_parked_calls_are_all_answered_in_slices);
    tcase_add_test(tc, a_client_that_goes_is_gone_once_for_each_of_its_calls);
    tcase_add_test(tc, a_body_can_outlive_its_client);
    tcase_add_test(tc, parked_calls_are_dropped_in_silence_at_the_end);
    tcase_add_test(tc, a_thousand_that_connect_and_close_do_no_harm);
    tcase_add_test(tc, garbage_costs_its_sender_the_connection_and_nobody_else);
    tcase_add_test(tc, a_message_that_announces_too_much_is_not_waited_for);
    tcase_add_test(tc, connections_beyond_the_limit_are_refused);
    tcase_add_test(tc, it_goes_on_accepting_after_it_ran_out_of_files);
    tcase_add_test(tc, a_client_that_does_not_read_cannot_hold_up_the_end);
    tcase_add_test(tc, signals_come_to_nobody_but_the_main_thread);
}

int main(void)
{
    Suite *suite = suite_create("endpoint");
    TCase *ipc = tcase_create("ipc"), *tcp = tcase_create("tcp");

    tcase_add_checked_fixture(ipc, setup_ipc, server_stop);
    add_both(ipc);
    tcase_add_test(ipc, a_request_may_come_byte_by_byte);
    tcase_add_test(ipc, connections_leave_files_for_the_rest);
    tcase_add_test(ipc, clients_that_vanish_amid_their_answers_are_cleared_away);
    tcase_add_test(ipc, who_does_not_read_is_not_read_from_and_still_loses_nothing);
    tcase_add_test(ipc, what_has_been_answered_is_still_sent_at_the_end);
    tcase_add_test(ipc, after_quiet_nothing_is_taken_and_answers_still_go_out);
    suite_add_tcase(suite, ipc);
    tcase_add_checked_fixture(tcp, setup_tcp, server_stop);
    add_both(tcp);
    tcase_add_test(tcp, not_even_nng_can_hold_up_the_end);
    suite_add_tcase(suite, tcp);
    return unit_run(suite);
}
