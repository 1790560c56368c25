#include "tests/unit/fake_daemon.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/sp.h"

#define HEADER   (SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN)
#define MAX_CONN 256

enum wish { WISH_NONE, WISH_DOWN, WISH_UP, WISH_STOP };

struct fake_connection {
    int fd;
    unsigned number;
    bool greeted;
};

struct fake {
    char dir[64], path[96];
    fake_handler handler;
    void (*closed)(int fd, void *arg);
    void *arg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum wish wish; /* what the test wants of the thread; back to none when it is done */
    int wake_fd;
    uint8_t greeting[64];
    size_t greeting_len;
    unsigned n_begun, n_requests, n_connections; /* requests: read; and done with */
    /* The thread's own. */
    int listen_fd;
    struct fake_connection conn[MAX_CONN];
    size_t n_conn;
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "fake daemon: %s: %s\n", what, strerror(errno));
    abort();
}

static void fake_listen(struct fake *f)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->path);
    f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(f->listen_fd >= 0, "socket");
    must(bind(f->listen_fd, (struct sockaddr *)&sun, sizeof(sun)) == 0, "bind");
    must(listen(f->listen_fd, 128) == 0, "listen");
}

static void conn_close(struct fake *f, size_t i)
{
    if (f->closed)
        f->closed(f->conn[i].fd, f->arg);
    close(f->conn[i].fd);
    f->conn[i] = f->conn[--f->n_conn];
}

static void fake_unlisten(struct fake *f)
{
    if (f->listen_fd < 0)
        return;
    unlink(f->path);
    close(f->listen_fd);
    f->listen_fd = -1;
    while (f->n_conn)
        conn_close(f, f->n_conn - 1);
}

void fake_meet(void)
{
    static _Atomic unsigned n;

    atomic_fetch_add(&n, 1);
}

void fake_raw(int fd, const void *bytes, size_t len)
{
    const char *p = bytes;

    fake_meet();
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

        if (n < 0)
            return; /* the client is gone: not our concern */
        p += n;
        len -= (size_t)n;
    }
}

static void conn_accept(struct fake *f)
{
    int fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    must(fd >= 0 && f->n_conn < MAX_CONN, "accept");
    pthread_mutex_lock(&f->lock);
    fake_raw(fd, f->greeting, f->greeting_len);
    f->conn[f->n_conn++] = (struct fake_connection){fd, f->n_connections++, false};
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static bool read_all(int fd, void *buf, size_t len)
{
    return recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len;
}

/* One message. False: the connection is over. */
static bool conn_request(struct fake *f, struct fake_connection *c)
{
    struct fake_request rq = {.fake = f, .fd = c->fd, .n_connection = c->number};
    uint8_t header[HEADER];
    struct request env;
    size_t len;
    char *body;
    bool ok;

    if (!read_all(c->fd, header, sizeof(header)))
        return false;
    must(sp_ipc_header_read(header, &rq.id, &len, NULL) == AW_OK, "the client's header");
    body = malloc(len + 1);
    must(body && read_all(c->fd, body, len), "the client's body");
    must(codec_open(body, len, &rq.doc, NULL) == AW_OK, "the client's msgpack");
    must(codec_read(&rq.doc, &request_schema, &env, NULL) == AW_OK, "the client's envelope");
    must(op_parse(env.op, &rq.op), "the client's operation");
    pthread_mutex_lock(&f->lock);
    rq.n = f->n_requests;
    f->n_begun++;
    pthread_mutex_unlock(&f->lock);
    fake_meet();
    f->handler(&rq, f->arg);
    ok = rq.fd >= 0;
    codec_close(&rq.doc);
    free(body);
    pthread_mutex_lock(&f->lock);
    f->n_requests++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return ok;
}

static bool conn_serve(struct fake *f, struct fake_connection *c)
{
    uint8_t hello[SP_HANDSHAKE_LEN];

    if (c->greeted)
        return conn_request(f, c);
    c->greeted = true;
    return read_all(c->fd, hello, sizeof(hello)) &&
           sp_handshake_check(hello, SP_REQ, NULL) == AW_OK;
}

/* False: the thread is to end. */
static bool fake_wish(struct fake *f)
{
    enum wish wish;

    pthread_mutex_lock(&f->lock);
    wish = f->wish;
    if (wish == WISH_DOWN || wish == WISH_STOP)
        fake_unlisten(f);
    if (wish == WISH_UP)
        fake_listen(f);
    f->wish = WISH_NONE;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return wish != WISH_STOP;
}

static void *fake_main(void *arg)
{
    struct fake *f = arg;

    for (;;) {
        struct pollfd fds[2 + MAX_CONN] = {{f->wake_fd, POLLIN, 0}, {f->listen_fd, POLLIN, 0}};
        size_t n = f->n_conn;
        uint64_t count;

        for (size_t i = 0; i < n; i++)
            fds[2 + i] = (struct pollfd){f->conn[i].fd, POLLIN, 0};
        must(poll(fds, 2 + n, -1) > 0, "poll");
        for (size_t i = n; i-- > 0;)
            if (fds[2 + i].revents && !conn_serve(f, &f->conn[i]))
                conn_close(f, i);
        if (fds[1].revents)
            conn_accept(f);
        if (fds[0].revents) {
            must(read(f->wake_fd, &count, sizeof(count)) > 0, "eventfd");
            if (!fake_wish(f))
                return NULL;
        }
    }
}

struct fake *fake_start(fake_handler handler, void *arg)
{
    struct fake *f = calloc(1, sizeof(*f));

    must(f != NULL, "memory");
    f->handler = handler;
    f->arg = arg;
    snprintf(f->dir, sizeof(f->dir), "/tmp/fake-awd-XXXXXX");
    must(mkdtemp(f->dir) != NULL, "mkdtemp");
    snprintf(f->path, sizeof(f->path), "%s/awd.sock", f->dir);
    sp_handshake_write(f->greeting, SP_REP);
    f->greeting_len = SP_HANDSHAKE_LEN;
    f->wake_fd = eventfd(0, EFD_CLOEXEC);
    must(f->wake_fd >= 0, "eventfd");
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    fake_listen(f);
    must(pthread_create(&f->thread, NULL, fake_main, f) == 0, "thread");
    return f;
}

static void fake_tell(struct fake *f, enum wish wish)
{
    uint64_t one = 1;

    pthread_mutex_lock(&f->lock);
    f->wish = wish;
    must(write(f->wake_fd, &one, sizeof(one)) > 0, "eventfd");
    while (f->wish)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

void fake_down(struct fake *f)
{
    fake_tell(f, WISH_DOWN);
}

void fake_up(struct fake *f)
{
    fake_tell(f, WISH_UP);
}

void fake_stop(struct fake *f)
{
    fake_tell(f, WISH_STOP);
    pthread_join(f->thread, NULL);
    close(f->wake_fd);
    rmdir(f->dir);
    free(f);
}

const char *fake_path(const struct fake *f)
{
    return f->path;
}

void fake_on_close(struct fake *f, void (*closed)(int fd, void *arg))
{
    pthread_mutex_lock(&f->lock);
    f->closed = closed;
    pthread_mutex_unlock(&f->lock);
}

void fake_greet(struct fake *f, const void *bytes, size_t len)
{
    pthread_mutex_lock(&f->lock);
    must(len <= sizeof(f->greeting), "greeting");
    memcpy(f->greeting, bytes, len);
    f->greeting_len = len;
    pthread_mutex_unlock(&f->lock);
}

void fake_await_requests(struct fake *f, unsigned n)
{
    pthread_mutex_lock(&f->lock);
    while (f->n_requests < n)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

void fake_await_connections(struct fake *f, unsigned n)
{
    pthread_mutex_lock(&f->lock);
    while (f->n_connections < n)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

unsigned fake_requests(struct fake *f)
{
    unsigned n;

    pthread_mutex_lock(&f->lock);
    n = f->n_begun;
    pthread_mutex_unlock(&f->lock);
    return n;
}

/* ---- For handlers ------------------------------------------------------------------------ */

void fake_read(struct fake_request *rq, void *req)
{
    struct aw_error err;

    if (codec_read(&rq->doc, op_info(rq->op)->req, req, &err)) {
        fprintf(stderr, "fake daemon: %s: %s\n", op_info(rq->op)->name, err.text);
        abort();
    }
}

void fake_body(int fd, uint32_t id, const void *body, size_t len)
{
    uint8_t header[HEADER];

    sp_ipc_header_write(header, id, len);
    fake_raw(fd, header, sizeof(header));
    fake_raw(fd, body, len);
}

static void fake_send(int fd, uint32_t id, const struct codec_part *parts, size_t n)
{
    struct codec_buf buf = {0};

    must(codec_write(&buf, parts, n) == AW_OK, "reply");
    fake_body(fd, id, buf.data, buf.len);
    codec_buf_done(&buf);
}

void fake_reply_to(int fd, uint32_t id, enum op op, const void *rep)
{
    struct reply ok = {0};

    fake_send(fd, id, (struct codec_part[]){{&reply_schema, &ok}, {op_info(op)->rep, rep}}, 2);
}

void fake_reply(struct fake_request *rq, const void *rep)
{
    fake_reply_to(rq->fd, rq->id, rq->op, rep);
}

void fake_error(struct fake_request *rq, enum aw_err code, const char *message)
{
    struct reply no = {
        .err = code, .error = bytes_str(aw_err_name(code)), .message = bytes_str(message)};

    fake_send(rq->fd, rq->id, &(struct codec_part){&reply_schema, &no}, 1);
}

void fake_hang_up(struct fake_request *rq)
{
    rq->fd = -1;
}
