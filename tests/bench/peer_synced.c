/*
 * The least that a server can do which answers when a page is on the disk: it reads a request,
 * writes the page, syncs it, and answers. Either its one thread waits for the disk, and for that
 * long nobody is served; or, as in awd, another thread does.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "tests/bench/peers.h"
#include "tests/bench/rig.h"

#define PAGE    4096
#define N_PAGES 256

struct server {
    int socket, file;
    size_t n_synced;
    bool threaded;
    int asked, synced; /* eventfds, if it has a thread for the disk */
};

static const uint8_t page[PAGE];

static void page_sync(struct server *s)
{
    off_t at = (off_t)(s->n_synced++ % N_PAGES * PAGE);

    if (pwrite(s->file, page, PAGE, at) != PAGE || fdatasync(s->file) < 0)
        bench_die("a page");
}

static void *disk_run(void *arg)
{
    struct server *s = arg;
    eventfd_t n;

    while (eventfd_read(s->asked, &n) == 0) {
        page_sync(s);
        eventfd_write(s->synced, 1);
    }
    return NULL;
}

static void watch(int epoll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        bench_die("epoll");
}

static void disk_start(struct server *s, int epoll_fd)
{
    pthread_t thread;

    s->asked = eventfd(0, EFD_CLOEXEC);
    s->synced = eventfd(0, EFD_CLOEXEC);
    if (s->asked < 0 || s->synced < 0 || pthread_create(&thread, NULL, disk_run, s) != 0)
        bench_die("a thread");
    watch(epoll_fd, s->synced);
}

static void server_run(const void *arg)
{
    struct server s = *(const struct server *)arg;
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;
    uint8_t buf[PAGE];
    ssize_t len = 0;
    eventfd_t n;

    watch(epoll_fd, s.socket);
    if (s.threaded)
        disk_start(&s, epoll_fd);
    while (epoll_wait(epoll_fd, &event, 1, -1) == 1) {
        if (event.data.fd != s.socket) {
            eventfd_read(s.synced, &n);
        } else {
            len = recv(s.socket, buf, sizeof(buf), 0);
            if (len <= 0)
                return;
            if (s.threaded) {
                eventfd_write(s.asked, 1);
                continue;
            }
            page_sync(&s);
        }
        if (send(s.socket, buf, (size_t)len, MSG_NOSIGNAL) != len)
            return;
    }
}

static int file_make(const struct bench *b)
{
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/synced", b->dir);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        bench_die(path);
    for (size_t i = 0; i < N_PAGES; i++)
        if (write(fd, page, PAGE) != PAGE)
            bench_die(path);
    if (fdatasync(fd) < 0)
        bench_die(path);
    unlink(path);
    return fd;
}

static double answer_p50(struct bench *b, bool threaded)
{
    struct server s = {.threaded = threaded, .file = file_make(b)};
    struct samples samples = {0};
    uint8_t buf[PEER_JOB_SIZE] = {0};
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        bench_die("socketpair");
    s.socket = pair[1];
    pid = rig_fork(server_run, &s);
    close(pair[1]);
    for (size_t i = 0; i < bench_count(b, 2000); i++) {
        double start_us = bench_now_us();

        if (send(pair[0], buf, sizeof(buf), MSG_NOSIGNAL) != sizeof(buf) ||
            recv(pair[0], buf, sizeof(buf), MSG_WAITALL) != sizeof(buf))
            bench_die("a page");
        samples_add(&samples, bench_now_us() - start_us);
    }
    rig_end(pid);
    close(pair[0]);
    close(s.file);
    return samples_p50(&samples);
}

bool synced_can(char why[128])
{
    (void)why;
    return true;
}

void *synced_open(struct bench *b)
{
    return b;
}

void synced_close(void *state)
{
    (void)state;
}

double synced_p50(struct bench *b, void *state)
{
    (void)state;
    return answer_p50(b, false);
}

double synced_by_thread_p50(struct bench *b, void *state)
{
    (void)state;
    return answer_p50(b, true);
}

double synced_by_thread_twice_p50(struct bench *b, void *state)
{
    (void)state;
    return 2 * answer_p50(b, true);
}
