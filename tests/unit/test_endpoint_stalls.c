/* The endpoint and clients that stop in the middle: how long they are waited for. */
#include "tests/unit/endpoint_rig.h"

/* The time is not judged, only who is closed by it, and who before whom. */
#define STALL_MS 100

struct piece {
    const char *bytes;
    size_t len;
    bool bare; /* with nothing between it and the socket, TLS neither */
};

static void restart(endpoint_call_fn call)
{
    struct endpoint_config config = default_config();

    server_stop();
    config.stall_ms = STALL_MS;
    server_start(&config, call, on_gone);
}

/* Whether it is closed, by the other side and not by our patience. */
static bool is_closed(int fd)
{
    char bytes[100];
    ssize_t n;

    while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        continue;
    return n == 0 || errno != EAGAIN;
}

/* ---- Handshakes ------------------------------------------------------------------------------ */

/* Where this machine is so busy that shaking hands takes longer, once more. */
static int open_patiently(void)
{
    int fd = -1;

    for (int i = 0; i < 100 && fd < 0; i++)
        fd = client_open();
    return fd;
}

/* In one piece. */
static bool is_answered(int fd)
{
    uint32_t id;
    size_t len;
    char *answer = client_ask_many(fd, 1, "still there?") ? client_answer(fd, &id, &len) : NULL;

    free(answer);
    return answer != NULL;
}

/* One who has shaken hands and says nothing may stay. */
static bool all_are_closed(const struct piece *pieces, size_t n)
{
    int idle = open_patiently(), fds[8];
    bool good = idle >= 0;

    ck_assert_uint_le(n, ARRAY_SIZE(fds));
    for (size_t i = 0; i < n; i++) {
        fds[i] = pieces[i].bare ? dial_bare() : client_dial();
        good = good && client_write(fds[i], pieces[i].bytes, pieces[i].len);
    }
    for (size_t i = 0; i < n; i++) {
        good = good && is_closed(fds[i]);
        close(fds[i]);
    }
    good = good && is_answered(idle);
    close(idle);
    return good;
}

static void *leave_handshakes(void *arg)
{
    size_t hello_len;
    char *hello = tls_client_hello(&hello_len);
    struct piece pieces[] = {
        {"", 0, true},   {"\0SP\0\0\x30\0", 7, false}, {"", 0, false},
        {"\0", 1, true}, {"\x16\x03\x01", 3, true},    {hello, hello_len, true}};
    bool good = all_are_closed(pieces, tls_cert ? ARRAY_SIZE(pieces) : 4);

    free(hello);
    return good ? arg : NULL;
}

START_TEST(who_does_not_finish_a_handshake_is_closed)
{
    restart(on_call);
    ck_assert_ptr_nonnull(run_beside(leave_handshakes, base));
    LOOP_UNTIL(connections() == 0);
    ck_assert_uint_eq(n_calls, 1);
}
END_TEST

/* A greeting, or a ClientHello of many bytes, in small pieces. */
static const struct piece slow[] = {
    {"\0SP\0\0\x30\0", 7, false},
    {"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03 many of them", 24, true},
};

/* Sends it piece by piece while two others who say nothing come and go, one after the other. */
static void *trickle(void *arg)
{
    const struct piece *p = arg;
    int fd = p->bare ? dial_bare() : client_dial();
    size_t sent = 0;

    for (int i = 0; i < 2; i++) {
        int silent = dial_bare();
        struct pollfd pfd = {.fd = silent, .events = POLLRDHUP};

        do {
            if (sent < p->len)
                sent += client_write(fd, p->bytes + sent, 1);
        } while (poll(&pfd, 1, STALL_MS / 4) == 0);
        close(silent);
    }
    return (void *)(intptr_t)fd;
}

START_TEST(bytes_do_not_make_a_handshake_longer)
{
    intptr_t fd;

    restart(on_call);
    fd = (intptr_t)run_beside(trickle, (void *)&slow[_i]);
    ck_assert_uint_eq(connections(), 0);
    close((int)fd);
}
END_TEST

/* ---- Messages -------------------------------------------------------------------------------- */

#define HELLO  "\0SP\0\0\x30\0\0"
#define HEADER "\1\0\0\0\0\0\0\x20\x04\x80\0\0\1" /* 8 KiB */

static void *leave_messages(void *arg)
{
    static const size_t lens[] = {1, 12, 13, 14, 8192};
    struct piece pieces[ARRAY_SIZE(lens)];
    char bytes[ARRAY_SIZE(lens)][8 + 13 + 8192] = {0};

    for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
        memcpy(bytes[i], HELLO, 8);
        memcpy(bytes[i] + 8, HEADER + use_tcp, 13 - use_tcp);
        pieces[i] = (struct piece){bytes[i], 8 + lens[i] - use_tcp * (lens[i] > 1), false};
    }
    return all_are_closed(pieces, ARRAY_SIZE(lens)) ? arg : NULL;
}

START_TEST(who_does_not_finish_a_message_is_closed)
{
    restart(on_call);
    ck_assert_ptr_nonnull(run_beside(leave_messages, base));
    LOOP_UNTIL(connections() == 0);
    ck_assert_uint_eq(n_calls, 1);
}
END_TEST

/* ---- Without memory ---------------------------------------------------------------------------
 */

static _Atomic bool poor;

/* Of libevent, for what grows: the heap of its timers. */
static void *grow(void *memory, size_t size)
{
    return poor ? NULL : realloc(memory, size);
}

/* More than the heap has room for. */
static void *stop_while_memory_is_out(void *arg)
{
    bool good = true;
    int fds[20];

    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = open_patiently();
        good = good && fds[i] >= 0;
    }
    poor = true;
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        good = good && client_write(fds[i], HEADER + use_tcp, 13 - use_tcp);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        good = good && is_closed(fds[i]);
        close(fds[i]);
    }
    poor = false;
    return good ? arg : NULL;
}

START_TEST(nobody_is_waited_for_without_a_timer)
{
    restart(on_call);
    ck_assert_ptr_nonnull(run_beside(stop_while_memory_is_out, base));
    LOOP_UNTIL(connections() == 0);
}
END_TEST

/* ---- Where the daemon was the slow one ---------------------------------------------------------
 */

static int slow_fd;

/* The second request has come in part. Its rest comes, and it is long until the loop looks. */
static void be_away(void *arg, struct call *call, const void *body, size_t len)
{
    struct timespec long_time = {.tv_nsec = STALL_MS * 2 * 1000000L};

    if (n_calls == 0) {
        ck_assert(client_write(slow_fd, "ond", 3));
        nanosleep(&long_time, NULL);
    }
    on_call(arg, call, body, len);
}

START_TEST(what_has_come_is_read_though_the_loop_was_away_for_long)
{
    uint8_t hello[SP_HANDSHAKE_LEN], head[SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN];

    restart(be_away);
    slow_fd = client_dial(); /* all that before the loop runs */
    sp_handshake_write(hello, SP_REQ);
    ck_assert(client_write(slow_fd, hello, sizeof(hello)));
    ck_assert(client_ask(slow_fd, 1, "first", 5));
    sp_ipc_header_write(head, 2, 6);
    ck_assert(client_write(slow_fd, head + use_tcp, sizeof(head) - use_tcp));
    ck_assert(client_write(slow_fd, "sec", 3));
    LOOP_UNTIL(n_calls > 0);
    LOOP_UNTIL(n_calls == 2 || connections() == 0);
    ck_assert_uint_eq(n_calls, 2);
    close(slow_fd);
}
END_TEST

static void add_each(TCase *tc, int n_slow)
{
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, who_does_not_finish_a_handshake_is_closed);
    tcase_add_loop_test(tc, bytes_do_not_make_a_handshake_longer, 0, n_slow);
    tcase_add_test(tc, who_does_not_finish_a_message_is_closed);
    tcase_add_test(tc, nobody_is_waited_for_without_a_timer);
}

int main(void)
{
    Suite *suite = suite_create("endpoint_stalls");
    TCase *ipc = tcase_create("ipc"), *tcp = tcase_create("tcp"), *tls = tcase_create("tls");
    int rc;

    event_set_mem_functions(malloc, grow, free);
    tcase_add_checked_fixture(ipc, setup_ipc, server_stop);
    add_each(ipc, 1);
    tcase_add_test(ipc, what_has_come_is_read_though_the_loop_was_away_for_long);
    suite_add_tcase(suite, ipc);
    tcase_add_checked_fixture(tcp, setup_tcp, server_stop);
    add_each(tcp, 1);
    tcase_add_test(tcp, what_has_come_is_read_though_the_loop_was_away_for_long);
    suite_add_tcase(suite, tcp);
    tcase_add_checked_fixture(tls, setup_tls, teardown_tls);
    add_each(tls, 2);
    if (certificates_make())
        suite_add_tcase(suite, tls);
    rc = unit_run(suite);
    return certificates_remove() ? rc : EXIT_FAILURE;
}
