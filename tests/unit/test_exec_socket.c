/* The runner's socket: who else may listen or speak on it, and what that does. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "proto/runner_wire.h"
#include "tests/unit/exec_rig.h"

static struct rig *rig;

static void setup(void)
{
    rig = rig_new();
}

static void setup_bare(void)
{
    rig = rig_new_bare();
}

static void teardown(void)
{
    rig_free(rig);
}

/* Starts a runner by a shell, which sets up what its text says, and closes `listen_fd`. */
static pid_t start_by_hand(const char *text, int listen_fd)
{
    const char *argv[] = {"sh", "-c", text, NULL};
    char runner[256], dir[80];
    const char *envp[] = {runner, dir, "PATH=/usr/bin:/bin", NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;

    snprintf(runner, sizeof(runner), "RUNNER=%s", rig->runner_path);
    snprintf(dir, sizeof(dir), "D=%s", rig->dir);
    posix_spawn_file_actions_init(&actions);
    if (listen_fd >= 0)
        posix_spawn_file_actions_adddup2(&actions, listen_fd, 3);
    ck_assert_int_eq(posix_spawn(&pid, "/bin/sh", &actions, NULL, (char **)argv, (char **)envp), 0);
    posix_spawn_file_actions_destroy(&actions);
    if (listen_fd >= 0)
        close(listen_fd);
    return pid;
}

static int bind_as_systemd(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", rig->socket_path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

static int listen_as_systemd(void)
{
    int fd = bind_as_systemd();

    ck_assert_int_eq(listen(fd, 16), 0);
    return fd;
}

START_TEST(a_runner_takes_the_socket_that_systemd_passes)
{
    pid_t runner;

    runner = start_by_hand("export LISTEN_PID=$$ LISTEN_FDS=1; exec $RUNNER --spool $D/spool"
                           " --allow-root-jobs",
                           listen_as_systemd());
    rig->runner_path = NULL; /* it is not awd's to start */
    rig_worker_new(rig);
    worker_exec_adopted_all(rig->worker);
    ck_assert_int_eq(rig_ended(rig, rig_sh(rig, "exit 3"))->exit_code, 3);
    ck_assert_int_eq(worker_exec_runner_pid(rig->worker), runner);
}
END_TEST

START_TEST(a_worker_waits_for_a_runner_that_is_not_its_to_start)
{
    uint64_t claim;
    const char *path = rig->runner_path;

    rig->runner_path = NULL;
    rig_worker_new(rig);
    worker_exec_adopted_all(rig->worker);
    claim = rig_sh(rig, "exit 3");
    rig_run_ms(rig, 50);
    rig->runner_path = path;
    start_by_hand("exec $RUNNER --spool $D/spool --socket $D/runner.sock"
                  " --allow-root-jobs",
                  -1);
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 3);
}
END_TEST

START_TEST(a_second_runner_on_the_same_path_is_refused)
{
    int status;
    pid_t pid;

    rig_worker_new(rig);
    worker_exec_adopted_all(rig->worker);
    rig_ended(rig, rig_sh(rig, "exit 0"));
    pid = start_by_hand("exec $RUNNER --spool $D/spool --socket $D/runner.sock", -1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 1 << 8);
    ck_assert_int_eq(rig_ended(rig, rig_sh(rig, "exit 3"))->exit_code, 3);
}
END_TEST

START_TEST(a_runner_that_is_alone_ends_after_its_idle_time)
{
    pid_t pid = start_by_hand("exec $RUNNER --spool $D/spool --socket $D/runner.sock --idle 0", -1);
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_runner_whose_socket_is_gone_does_not_wait_for_ever_with_a_record)
{
    pid_t runner =
        start_by_hand("exec $RUNNER --spool $D/spool --socket $D/runner.sock --idle 1", -1);
    int status;

    rig->runner_path = NULL;
    rig->leave_unrecorded = true;
    rig_worker_new(rig);
    worker_exec_adopted_all(rig->worker);
    rig_ended(rig, rig_sh(rig, "exit 0"));
    rig_worker_free(rig);
    rig_run_ms(rig, 1500);
    ck_assert_int_eq(waitpid(runner, &status, WNOHANG), 0);
    unlink(rig->socket_path);
    ck_assert_int_eq(waitpid(runner, &status, 0), runner);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* A process that listens as another user; it writes to *ret_fd for whatever it is told. */
static pid_t listen_as(uid_t uid, int *ret_fd)
{
    int fd = bind_as_systemd(), told[2];
    char c = 'r';
    pid_t pid;

    ck_assert_int_eq(pipe2(told, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0 && (setuid(uid) < 0 || listen(fd, 16) < 0 || write(told[1], &c, 1) != 1))
        _exit(1);
    while (pid == 0) {
        int conn = accept(fd, NULL, NULL);

        while (conn >= 0 && recv(conn, &c, 1, 0) > 0)
            if (write(told[1], &c, 1) != 1)
                _exit(1);
        close(conn);
    }
    close(fd);
    close(told[1]);
    ck_assert_int_eq(read(told[0], &c, 1), 1);
    *ret_fd = told[0];
    return pid;
}

static bool log_says(struct rig *r, const void *text)
{
    char path[128], line[1000];
    bool found = false;
    FILE *log;

    snprintf(path, sizeof(path), "%s/log", r->dir);
    log = fopen(path, "r");
    while (log && !found && fgets(line, sizeof(line), log))
        found = strstr(line, text) != NULL;
    if (log)
        fclose(log);
    return found;
}

START_TEST(a_listener_of_another_user_is_told_nothing)
{
    const char *path = rig->runner_path;
    uint64_t claim;
    int told;
    pid_t pid;
    char c;

    if (geteuid() != 0)
        return; /* nobody else can be had */
    pid = listen_as(65534, &told);
    rig->runner_path = NULL;
    rig_worker_new(rig);
    worker_exec_adopted_all(rig->worker);
    claim = rig_sh(rig, "exit 3");
    rig_until(rig, log_says, "a process of uid 65534 listens there");
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(read(told, &c, 1), 0);
    close(told);
    rig->runner_path = path;
    start_by_hand("exec $RUNNER --spool $D/spool --socket $D/runner.sock --allow-root-jobs", -1);
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 3);
}
END_TEST

/* ---- Others on the socket ------------------------------------------------------------------- */

static int connect_raw(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", rig->socket_path);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

static void expect_dropped(int fd)
{
    struct timeval patience = {30, 0};
    char buf[1024];
    ssize_t n;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    do
        n = recv(fd, buf, sizeof(buf), 0);
    while (n > 0 || (n < 0 && errno == EINTR)); /* by a stop and a continuation: signal(7) */
    ck_assert_int_le(n, 0);
    ck_assert(n == 0 || errno == ECONNRESET);
    close(fd);
}

static void send_raw(const void *data, size_t len)
{
    int fd = connect_raw();

    ck_assert_int_eq(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
    expect_dropped(fd);
}

static struct runner_packet *packet_of(const struct runner_msg *msg)
{
    static struct runner_packet packet;

    packet.len = 0;
    ck_assert(runner_packet_add(&packet, msg));
    return &packet;
}

START_TEST(garbage_on_the_socket_harms_nobody)
{
    struct runner_msg stop = {.type = RUNNER_STOP, .stop = {1, 0}};
    struct runner_msg ready = {.type = RUNNER_READY};
    struct runner_msg old = {.type = RUNNER_HELLO, .hello = {99}};
    struct runner_packet *p;
    uint64_t claim = rig_sh(rig, UNTIL_GO "exit 3");
    pid_t runner = rig_until_connected(rig);

    rig_started(rig, claim);
    send_raw("\xff\xff\xff\xff garbage", 12);
    send_raw("x", 1);
    p = packet_of(&stop); /* before HELLO */
    send_raw(p->data, p->len);
    p = packet_of(&ready); /* only a runner sends it */
    send_raw(p->data, p->len);
    p = packet_of(&old);
    send_raw(p->data, p->len);
    for (int i = 0; i < 100; i++)
        close(connect_raw());
    rig_write(rig, "go", "");
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 3);
    ck_assert_int_eq(rig_until_connected(rig), runner);
}
END_TEST

static void send_with_fds(const struct runner_msg *msg, const int *fds, size_t n_fds)
{
    struct runner_msg hello = {.type = RUNNER_HELLO, .hello = {RUNNER_WIRE_VERSION}};
    struct runner_packet *p;
    int fd = connect_raw();

    p = packet_of(&hello);
    ck_assert_int_eq(runner_send(fd, p->data, p->len, NULL, 0, NULL), AW_OK);
    p = packet_of(msg);
    ck_assert_int_eq(runner_send(fd, p->data, p->len, fds, n_fds, NULL), AW_OK);
    expect_dropped(fd);
}

START_TEST(a_start_by_descriptor_must_be_sealed_and_whole)
{
    struct runner_msg msg = {.type = RUNNER_START_FD, .start_fd = {7, false}};
    char path[128];
    int fd, pair[2];

    rig_ended(rig, rig_sh(rig, "exit 0"));
    send_with_fds(&msg, NULL, 0);

    snprintf(path, sizeof(path), "%s/file", rig->dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(write(fd, "0123456789", 10), 10);
    send_with_fds(&msg, &fd, 1); /* not a memfd */
    close(fd);

    ck_assert_int_eq(runner_memfd_new("bad", bytes_str("no message"), &fd, NULL), AW_OK);
    send_with_fds(&msg, &fd, 1);
    pair[0] = pair[1] = fd;
    send_with_fds(&msg, pair, 2); /* one more than it says */
    close(fd);
    ck_assert_int_eq(rig_ended(rig, rig_sh(rig, "exit 3"))->exit_code, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("exec_socket");
    TCase *tcase = tcase_create("by hand");

    tcase_add_checked_fixture(tcase, setup_bare, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_runner_takes_the_socket_that_systemd_passes);
    tcase_add_test(tcase, a_worker_waits_for_a_runner_that_is_not_its_to_start);
    tcase_add_test(tcase, a_second_runner_on_the_same_path_is_refused);
    tcase_add_test(tcase, a_listener_of_another_user_is_told_nothing);
    tcase_add_test(tcase, a_runner_that_is_alone_ends_after_its_idle_time);
    tcase_add_test(tcase, a_runner_whose_socket_is_gone_does_not_wait_for_ever_with_a_record);
    suite_add_tcase(suite, tcase);
    RIG_SUITE_ADD(suite, "others", garbage_on_the_socket_harms_nobody,
                  a_start_by_descriptor_must_be_sealed_and_whole);
    return unit_run(suite);
}
