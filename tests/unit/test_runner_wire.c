#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "proto/runner_wire.h"

static struct runner_packet packet;

static void put(const struct runner_msg *msg)
{
    packet.len = 0;
    ck_assert(runner_packet_add(&packet, msg));
}

/* There and back again. */
static struct runner_msg trip(const struct runner_msg *msg)
{
    struct runner_msg got;
    struct bytes rest;
    struct aw_error err;

    put(msg);
    rest = bytes_of(packet.data, packet.len);
    ck_assert_msg(runner_msg_get(&rest, &got, &err) == AW_OK, "%s", err.text);
    ck_assert_uint_eq(rest.len, 0);
    ck_assert_int_eq(got.type, msg->type);
    return got;
}

static bool refused(const void *data, size_t len)
{
    struct bytes rest = bytes_of(data, len);
    struct runner_msg got;
    struct aw_error err;

    return runner_msg_get(&rest, &got, &err) == AW_ERR_PROTOCOL;
}

static struct runner_exited an_exit(void)
{
    return (struct runner_exited){
        .claim = 7,
        .class = AW_CLASS_EXIT,
        .exit_code = 3,
        .started_us = 1000,
        .ended_us = 2000,
        .cpu_user_us = 11,
        .cpu_sys_us = 12,
        .max_rss_kib = 13,
        .output = {{3, false, bytes_str("out")}, {70000, true, {NULL, 0}}},
        .message = bytes_str("why"),
    };
}

START_TEST(small_messages_arrive_as_they_were_sent)
{
    struct runner_msg msg = {.type = RUNNER_STOP, .stop = {42, 5000}}, got = trip(&msg);

    ck_assert_uint_eq(got.stop.claim, 42);
    ck_assert_uint_eq(got.stop.grace_ms, 5000);
    msg = (struct runner_msg){.type = RUNNER_STARTED, .running = {INT64_MAX, 123, 456}};
    got = trip(&msg);
    ck_assert_uint_eq(got.running.claim, INT64_MAX);
    ck_assert_int_eq(got.running.started_us, 123);
    ck_assert_int_eq(got.running.pid, 456);
    msg = (struct runner_msg){.type = RUNNER_GROWN, .grown = {1, RUNNER_STDERR, 1u << 31}};
    got = trip(&msg);
    ck_assert_int_eq(got.grown.stream, RUNNER_STDERR);
    ck_assert_uint_eq(got.grown.size, 1u << 31);
    msg = (struct runner_msg){.type = RUNNER_CLEAN, .clean = {5, 99, 0, bytes_str("k3f9q-5")}};
    got = trip(&msg);
    ck_assert_bytes_eq(got.clean.id, "k3f9q-5");
    msg = (struct runner_msg){.type = RUNNER_WELCOME, .welcome = {1, 2, 3, UINT64_MAX}};
    got = trip(&msg);
    ck_assert_uint_eq(got.welcome.instance, UINT64_MAX);
    msg = (struct runner_msg){.type = RUNNER_READY};
    trip(&msg);
}
END_TEST

START_TEST(an_exit_arrives_with_its_output)
{
    struct runner_msg msg = {.type = RUNNER_EXITED, .exited = an_exit()}, got = trip(&msg);

    ck_assert_int_eq(got.exited.class, AW_CLASS_EXIT);
    ck_assert_int_eq(got.exited.exit_code, 3);
    ck_assert_int_eq(got.exited.signal, 0);
    ck_assert_uint_eq(got.exited.max_rss_kib, 13);
    ck_assert_bytes_eq(got.exited.output[0].data, "out");
    ck_assert(got.exited.output[1].spooled);
    ck_assert_uint_eq(got.exited.output[1].size, 70000);
    ck_assert_bytes_eq(got.exited.message, "why");
}
END_TEST

START_TEST(the_largest_exit_fits_into_a_packet)
{
    static char data[AW_INLINE_OUTPUT], text[AW_MAX_MESSAGE_TEXT - 1];
    struct runner_msg msg = {.type = RUNNER_EXITED, .exited = an_exit()}, got;

    memset(text, 't', sizeof(text));
    for (int i = 0; i < RUNNER_STREAMS; i++)
        msg.exited.output[i] =
            (struct runner_output){sizeof(data), false, bytes_of(data, sizeof(data))};
    msg.exited.message = bytes_of(text, sizeof(text));
    got = trip(&msg);
    ck_assert_uint_eq(got.exited.output[1].data.len, sizeof(data));
    ck_assert_uint_eq(got.exited.message.len, sizeof(text));
}
END_TEST

START_TEST(several_messages_share_a_packet)
{
    struct runner_msg msg = {.type = RUNNER_ACK, .claim = {1}}, got;
    struct bytes rest;
    unsigned n = 0;

    packet.len = 0;
    for (; runner_packet_add(&packet, &msg); n++)
        msg.claim.claim++;
    ck_assert_uint_eq(n, RUNNER_MAX_PACKET / 16);
    rest = bytes_of(packet.data, packet.len);
    for (unsigned i = 1; i <= n; i++) {
        ck_assert_int_eq(runner_msg_get(&rest, &got, NULL), AW_OK);
        ck_assert_uint_eq(got.claim.claim, i);
    }
    ck_assert_uint_eq(rest.len, 0);
}
END_TEST

/* ---- START ---------------------------------------------------------------------------------- */

static struct runner_start a_start(void)
{
    return (struct runner_start){
        .claim = 1,
        .number = 2,
        .attempt = 3,
        .output_limit = 4,
        .timeout_ms = 5,
        .grace_ms = 6,
        .umask = -1,
        .nice = -20,
        .merge_stderr = true,
        .stdin_kind = RUNNER_STDIN_FILE,
        .id = bytes_str("abcde-2"),
        .cwd = bytes_str("/tmp"),
        .stdin_file = bytes_str("/dev/zero"),
    };
}

static struct bytes args[] = {{"prog", 4}, {"", 0}, {"last", 4}};
static struct bytes vars[] = {{"A=1", 3}};
static const struct strv argv = {args, 3}, env = {vars, 1};

static void *start_new(const struct runner_start *start, size_t *len)
{
    struct aw_error err;
    void *msg = NULL;

    ck_assert_msg(runner_start_new(start, argv, env, &msg, len, &err) == AW_OK, "%s", err.text);
    return msg;
}

START_TEST(a_start_arrives_ready_for_exec)
{
    struct runner_start start = a_start();
    struct runner_msg got;
    struct bytes rest;
    size_t len;
    void *msg = start_new(&start, &len);
    const char *s;

    rest = bytes_of(msg, len);
    ck_assert_int_eq(runner_msg_get(&rest, &got, NULL), AW_OK);
    ck_assert_int_eq(got.type, RUNNER_START);
    ck_assert_int_eq(got.start.umask, -1);
    ck_assert_int_eq(got.start.nice, -20);
    ck_assert(got.start.merge_stderr);
    ck_assert_int_eq(got.start.stdin_kind, RUNNER_STDIN_FILE);
    ck_assert_str_eq(got.start.id.data, "abcde-2");
    ck_assert_str_eq(got.start.cwd.data, "/tmp");
    ck_assert_str_eq(got.start.stdin_file.data, "/dev/zero");
    ck_assert_uint_eq(got.start.argv.n, 3);
    s = got.start.argv.data;
    ck_assert_str_eq(s, "prog");
    s = runner_strings_next(s);
    ck_assert_str_eq(s, "");
    s = runner_strings_next(s);
    ck_assert_str_eq(s, "last");
    ck_assert_uint_eq(got.start.env.n, 1);
    ck_assert_str_eq(got.start.env.data, "A=1");
    free(msg);
}
END_TEST

START_TEST(a_start_that_cannot_be_is_refused_with_a_sentence)
{
    struct runner_start start = a_start();
    struct bytes nul[] = {{"a\0b", 3}};
    static struct bytes many[AW_MAX_ARGS + 1];
    static char big[AW_MAX_ARG];
    struct aw_error err;
    void *msg = NULL;
    size_t len;

    ck_assert_int_eq(runner_start_new(&start, (struct strv){nul, 1}, env, &msg, &len, &err),
                     AW_ERR_INVALID);
    ck_assert_str_eq(err.text, "argv[0]: has a NUL byte in it");
    ck_assert_int_eq(runner_start_new(&start, (struct strv){NULL, 0}, env, &msg, &len, &err),
                     AW_ERR_INVALID);
    ck_assert_int_eq(
        runner_start_new(&start, argv, (struct strv){many, AW_MAX_ARGS + 1}, &msg, &len, &err),
        AW_ERR_TOO_LARGE);
    memset(big, 'x', sizeof(big));
    for (size_t i = 0; i < 17; i++)
        many[i] = bytes_of(big, sizeof(big));
    ck_assert_int_eq(runner_start_new(&start, argv, (struct strv){many, 17}, &msg, &len, &err),
                     AW_ERR_TOO_LARGE);
    start.nice = 20;
    ck_assert_int_eq(runner_start_new(&start, argv, env, &msg, &len, &err), AW_ERR_INVALID);
    ck_assert_ptr_null(msg);
}
END_TEST

/* ---- What cannot be right ------------------------------------------------------------------- */

START_TEST(every_message_that_is_cut_off_is_refused)
{
    struct runner_msg msg = {.type = RUNNER_EXITED, .exited = an_exit()};
    struct runner_start start = a_start();
    size_t len;
    void *whole = start_new(&start, &len);

    for (size_t n = 0; n < len; n++)
        ck_assert_msg(refused(whole, n), "START of %zu bytes", n);
    free(whole);
    put(&msg);
    for (size_t n = 0; n < packet.len; n++)
        ck_assert_msg(refused(packet.data, n), "EXITED of %zu bytes", n);
}
END_TEST

/* The length says that the message ends earlier: the rest would be taken for another one. */
START_TEST(a_length_that_does_not_fit_the_fields_is_refused)
{
    struct runner_msg msg = {.type = RUNNER_EXITED, .exited = an_exit()};
    uint32_t len;

    put(&msg);
    for (len = 0; len <= packet.len + 1; len++) {
        memcpy(packet.data, &len, sizeof(len));
        ck_assert_int_eq(refused(packet.data, packet.len), len != packet.len);
    }
}
END_TEST

START_TEST(values_out_of_their_range_are_refused)
{
    static const struct {
        struct runner_msg msg;
    } cases[] = {
        {{.type = RUNNER_ACK, .claim = {0}}},
        {{.type = RUNNER_ACK, .claim = {(uint64_t)INT64_MAX + 1}}},
        {{.type = RUNNER_STOP, .stop = {1, AW_MAX_DURATION_MS + 1}}},
        {{.type = RUNNER_GROWN, .grown = {1, 2, 0}}},
        {{.type = RUNNER_GROWN, .grown = {1, -1, 0}}},
        {{.type = RUNNER_RUNNING, .running = {1, -1, 1}}},
        {{.type = RUNNER_RUNNING, .running = {1, 1, 0}}},
        {{.type = RUNNER_CLEAN, .clean = {1, 1, 1, {NULL, 0}}}},
        {{.type = RUNNER_CLEAN, .clean = {1, 1, 1, {"a\0b", 3}}}},
        {{.type = (enum runner_msg_type)99}},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        packet.len = 0;
        ck_assert_msg(!runner_packet_add(&packet, &cases[i].msg), "case %zu", i);
        ck_assert_uint_eq(packet.len, 0);
    }
}
END_TEST

/*
 * Every byte of good messages, changed to everything: either it is refused, or it is a message
 * that can be written again, which means that all its fields are within their limits. Runs under
 * the sanitizers, too.
 */
static void check_all_changes(unsigned char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char was = data[i];

        for (int v = 0; v < 256; v++) {
            struct bytes rest = bytes_of(data, len);
            struct runner_msg got;

            data[i] = (unsigned char)v;
            if (runner_msg_get(&rest, &got, NULL) != AW_OK || got.type == RUNNER_START)
                continue;
            put(&got);
        }
        data[i] = was;
    }
}

START_TEST(no_change_of_a_byte_gets_a_bad_field_through)
{
    struct runner_msg msg = {.type = RUNNER_EXITED, .exited = an_exit()};
    struct runner_start start = a_start();
    size_t len;
    unsigned char *data = start_new(&start, &len);

    check_all_changes(data, len);
    free(data);
    put(&msg);
    len = packet.len;
    data = malloc(len); /* of the exact size, so that reading too far is noticed */
    memcpy(data, packet.data, len);
    check_all_changes(data, len);
    free(data);
}
END_TEST

START_TEST(each_type_has_a_name_and_a_sender)
{
    ck_assert_str_eq(runner_msg_name(RUNNER_START_FD), "START_FD");
    ck_assert_str_eq(runner_msg_name((enum runner_msg_type)99), "?");
    ck_assert(runner_msg_from_awd(RUNNER_RELEASE));
    ck_assert(!runner_msg_from_awd(RUNNER_CLEANED));
}
END_TEST

/* ---- Sockets and memfds --------------------------------------------------------------------- */

static int pair[2];

static void setup(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void teardown(void)
{
    cleanup_close(&pair[0]);
    cleanup_close(&pair[1]);
}

static enum aw_err receive(size_t *len, int *fds, size_t *n_fds)
{
    static unsigned char buf[RUNNER_MAX_PACKET];

    *n_fds = 0;
    return runner_recv(pair[1], buf, len, fds, n_fds, NULL);
}

START_TEST(descriptors_travel_with_a_packet)
{
    int fds[2] = {-1, -1}, got[2] = {-1, -1};
    size_t len, n;
    char text[8] = "";

    ck_assert_int_eq(runner_memfd_new("a", bytes_str("first"), &fds[0], NULL), AW_OK);
    ck_assert_int_eq(runner_memfd_new("b", bytes_str("second"), &fds[1], NULL), AW_OK);
    ck_assert_int_eq(runner_send(pair[0], "packet", 6, fds, 2, NULL), AW_OK);
    ck_assert_int_eq(receive(&len, got, &n), AW_OK);
    ck_assert_uint_eq(len, 6);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(read(got[1], text, sizeof(text)), 6);
    ck_assert_str_eq(text, "second");
    ck_assert_int_eq(fcntl(got[0], F_GETFD), FD_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        close(fds[i]);
        close(got[i]);
    }
}
END_TEST

START_TEST(sending_and_receiving_never_wait)
{
    static char data[RUNNER_MAX_PACKET];
    int fds[2];
    size_t len, n;
    enum aw_err e;

    ck_assert_int_eq(receive(&len, fds, &n), AW_ERR_BUSY);
    do
        e = runner_send(pair[0], data, sizeof(data), NULL, 0, NULL);
    while (e == AW_OK);
    ck_assert_int_eq(e, AW_ERR_BUSY);
}
END_TEST

START_TEST(a_peer_that_is_gone_is_told_apart)
{
    int fds[2];
    size_t len, n;

    ck_assert_int_eq(runner_send(pair[0], "last", 4, NULL, 0, NULL), AW_OK);
    close(take_fd(pair[0]));
    ck_assert_int_eq(receive(&len, fds, &n), AW_OK);
    ck_assert_int_eq(receive(&len, fds, &n), AW_ERR_UNREACHABLE);
    ck_assert_int_eq(runner_send(pair[1], "x", 1, NULL, 0, NULL), AW_ERR_UNREACHABLE);
}
END_TEST

START_TEST(a_packet_that_is_too_long_is_refused_and_its_descriptors_are_closed)
{
    static char data[RUNNER_MAX_PACKET + 1];
    int fds[2], pipe_fds[2];
    size_t len, n;
    char c;

    ck_assert_int_eq(pipe(pipe_fds), 0);
    ck_assert_int_eq(runner_send(pair[0], data, sizeof(data), &pipe_fds[1], 1, NULL), AW_OK);
    close(pipe_fds[1]);
    ck_assert_int_eq(receive(&len, fds, &n), AW_ERR_PROTOCOL);
    ck_assert_int_eq(read(pipe_fds[0], &c, 1), 0); /* no writer is left */
    close(pipe_fds[0]);
}
END_TEST

START_TEST(a_sealed_memfd_can_be_mapped)
{
    struct bytes map;
    int fd;

    ck_assert_int_eq(runner_memfd_new("x", bytes_str("content"), &fd, NULL), AW_OK);
    ck_assert_int_eq(runner_memfd_map(fd, 7, &map, NULL), AW_OK);
    ck_assert_bytes_eq(map, "content");
    munmap((void *)map.data, map.len);
    ck_assert_int_eq(runner_memfd_map(fd, 6, &map, NULL), AW_ERR_PROTOCOL);
    ck_assert_int_eq(write(fd, "y", 1), -1);
    ck_assert_int_eq(ftruncate(fd, 0), -1);
    close(fd);
}
END_TEST

START_TEST(what_could_change_or_shrink_is_not_mapped)
{
    struct bytes map;
    int fd = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING), fds[2];

    ck_assert_int_eq(write(fd, "content", 7), 7);
    ck_assert_int_eq(runner_memfd_map(fd, 100, &map, NULL), AW_ERR_PROTOCOL);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    ck_assert_int_eq(runner_memfd_map(fd, 100, &map, NULL), AW_ERR_PROTOCOL);
    close(fd);
    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(runner_memfd_map(fds[0], 100, &map, NULL), AW_ERR_PROTOCOL);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("runner_wire");
    TCase *tcase = tcase_create("messages");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, small_messages_arrive_as_they_were_sent);
    tcase_add_test(tcase, an_exit_arrives_with_its_output);
    tcase_add_test(tcase, the_largest_exit_fits_into_a_packet);
    tcase_add_test(tcase, several_messages_share_a_packet);
    tcase_add_test(tcase, a_start_arrives_ready_for_exec);
    tcase_add_test(tcase, a_start_that_cannot_be_is_refused_with_a_sentence);
    tcase_add_test(tcase, every_message_that_is_cut_off_is_refused);
    tcase_add_test(tcase, a_length_that_does_not_fit_the_fields_is_refused);
    tcase_add_test(tcase, values_out_of_their_range_are_refused);
    tcase_add_test(tcase, no_change_of_a_byte_gets_a_bad_field_through);
    tcase_add_test(tcase, each_type_has_a_name_and_a_sender);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("sockets");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, descriptors_travel_with_a_packet);
    tcase_add_test(tcase, sending_and_receiving_never_wait);
    tcase_add_test(tcase, a_peer_that_is_gone_is_told_apart);
    tcase_add_test(tcase, a_packet_that_is_too_long_is_refused_and_its_descriptors_are_closed);
    tcase_add_test(tcase, a_sealed_memfd_can_be_mapped);
    tcase_add_test(tcase, what_could_change_or_shrink_is_not_mapped);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
