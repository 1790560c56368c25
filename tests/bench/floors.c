/* What the machine does without awd. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sqlite3.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/bench/bench.h"
#include "tests/bench/rig.h"

#define PAGE      4096
#define N_PAGES   256
#define SPEC_SIZE 200

double floor_fdatasync(const char *dir, size_t n)
{
    static const char page[PAGE];
    struct samples s = {0};
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/fdatasync", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        bench_die(path);
    for (size_t i = 0; i < N_PAGES; i++)
        if (write(fd, page, sizeof(page)) != sizeof(page))
            bench_die(path);
    if (fdatasync(fd) < 0)
        bench_die(path);
    for (size_t i = 0; i < n; i++) {
        off_t at = (off_t)(i % N_PAGES * sizeof(page));
        double start_us = bench_now_us();

        if (pwrite(fd, page, sizeof(page), at) != sizeof(page) || fdatasync(fd) < 0)
            bench_die(path);
        samples_add(&s, bench_now_us() - start_us);
    }
    close(fd);
    unlink(path);
    return samples_p50(&s);
}

/* ---- A question ----------------------------------------------------------------------------- */

static int echo_pair[2];

/* As a server does it: it waits for what it may read, reads, writes. */
static void echo_run(const void *arg)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    char buf[PAGE];

    (void)arg;
    close(echo_pair[0]);
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, echo_pair[1], &event) < 0)
        bench_die("epoll");
    while (epoll_wait(epoll_fd, &event, 1, -1) == 1) {
        ssize_t n = recv(echo_pair[1], buf, sizeof(buf), 0);

        if (n <= 0 || send(echo_pair[1], buf, (size_t)n, MSG_NOSIGNAL) != n)
            return;
    }
}

double floor_echo(size_t n, size_t len)
{
    char buf[PAGE] = {0};
    struct samples s = {0};
    pid_t pid;

    if (len > sizeof(buf) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, echo_pair) < 0)
        bench_die("socketpair");
    pid = rig_fork(echo_run, NULL);
    close(echo_pair[1]);
    for (size_t i = 0; i < n; i++) {
        double start_us = bench_now_us();

        if (send(echo_pair[0], buf, len, MSG_NOSIGNAL) != (ssize_t)len ||
            recv(echo_pair[0], buf, len, MSG_WAITALL) != (ssize_t)len)
            bench_die("echo");
        samples_add(&s, bench_now_us() - start_us);
    }
    close(echo_pair[0]);
    rig_end(pid);
    return samples_p50(&s);
}

/* ---- SQLite --------------------------------------------------------------------------------- */

static void sql(sqlite3 *db, const char *text)
{
    char *why = NULL;

    if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
        bench_fail("%s: %s", text, why);
}

/* The columns that awd's own insert fills, and its pragmas. */
static sqlite3 *db_open(const char *path)
{
    sqlite3 *db;

    if (sqlite3_open(path, &db) != SQLITE_OK)
        bench_fail("%s: %s", path, sqlite3_errmsg(db));
    sql(db, "PRAGMA journal_mode=WAL");
    sql(db, "PRAGMA synchronous=FULL");
    sql(db, "PRAGMA wal_autocheckpoint=4000");
    sql(db, "CREATE TABLE job (number INTEGER PRIMARY KEY, state INTEGER, flags INTEGER,"
            " priority INTEGER, uid INTEGER, gid INTEGER, created_us INTEGER, due_us INTEGER,"
            " queue INTEGER, spec BLOB)");
    return db;
}

static void row_insert(sqlite3 *db, sqlite3_stmt *insert, size_t number)
{
    static const char spec[SPEC_SIZE];

    sqlite3_bind_int64(insert, 1, (sqlite3_int64)number);
    for (int i = 2; i <= 9; i++)
        sqlite3_bind_int64(insert, i, i == 7 ? now_us() : i);
    sqlite3_bind_blob(insert, 10, spec, sizeof(spec), SQLITE_STATIC);
    if (sqlite3_step(insert) != SQLITE_DONE)
        bench_fail("%s", sqlite3_errmsg(db));
    sqlite3_reset(insert);
}

double floor_sqlite(const char *dir, size_t n, size_t batch)
{
    char path[512];
    sqlite3_stmt *insert;
    int64_t start_us;
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/floor.db", dir);
    db = db_open(path);
    if (sqlite3_prepare_v2(db, "INSERT INTO job VALUES (?,?,?,?,?,?,?,?,?,?)", -1, &insert, NULL) !=
        SQLITE_OK)
        bench_fail("%s", sqlite3_errmsg(db));
    start_us = boottime_us();
    for (size_t i = 0; i < n; i++) {
        if (i % batch == 0)
            sql(db, "BEGIN IMMEDIATE");
        row_insert(db, insert, i + 1);
        if (i % batch == batch - 1 || i == n - 1)
            sql(db, "COMMIT");
    }
    start_us = boottime_us() - start_us;
    sqlite3_finalize(insert);
    sqlite3_close(db);
    unlink(path);
    return (double)n * 1e6 / (double)start_us;
}

/* ---- Programs ------------------------------------------------------------------------------- */

static pid_t program_spawn(const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int error;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    error = posix_spawn(&pid, argv[0], &actions, NULL, (char **)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error)
        bench_fail("%s: %s", argv[0], strerror(error));
    return pid;
}

static void program_wait(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            bench_die("waitpid");
    if (status)
        bench_fail("a program ended with status %d", status);
}

static pid_t bare_spawn(void)
{
    static const char *const argv[] = {"/bin/true", NULL};
    pid_t pid;
    int error = posix_spawn(&pid, argv[0], NULL, NULL, (char **)argv, environ);

    if (error)
        bench_fail("%s: %s", argv[0], strerror(error));
    return pid;
}

/* One of both has ended: which? Others that are our children may end too. */
static size_t bare_wait(const pid_t pids[2])
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, 0);

        if (pid < 0 && errno != EINTR)
            bench_die("waitpid");
        for (size_t i = 0; i < 2; i++)
            if (pid > 0 && pid == pids[i]) {
                if (status)
                    bench_fail("/bin/true ended with status %d", status);
                return i;
            }
    }
}

double floor_spawn(size_t n)
{
    int64_t start_us = boottime_us();
    pid_t pids[2] = {0};
    size_t n_started = 0;

    for (; n_started < MIN(n, (size_t)2); n_started++)
        pids[n_started] = bare_spawn();
    for (size_t i = 0; i < n; i++) {
        size_t k = bare_wait(pids);

        pids[k] = n_started < n ? bare_spawn() : 0;
        n_started += pids[k] != 0;
    }
    return (double)n * 1e6 / (double)(boottime_us() - start_us);
}

double floor_program(const char *const *argv, size_t n)
{
    struct samples s = {0};

    for (size_t i = 0; i < n; i++) {
        double start_us = bench_now_us();

        program_wait(program_spawn(argv));
        samples_add(&s, bench_now_us() - start_us);
    }
    return samples_p50(&s);
}
