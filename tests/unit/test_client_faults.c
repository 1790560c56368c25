/*
 * libaw when calls of the C library fail: the first one, the second one, and so on until an action
 * gets by without a failure. Each time the action is done or says why not, gives out nothing then,
 * leaves no descriptor behind (and in a build with sanitizers no memory), and works the next time.
 *
 * The calls are the library's own, wrapped by the linker (-Wl,--wrap); they fail on the test's
 * thread only, so that the fake daemon does not notice.
 */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "tests/unit/client_rig.h"
#include "tests/unit/fake_world.h"

#define N_ENDED  5    /* jobs 1 to 5 have */
#define N_JOBS   1000 /* those behind run, and are what submits get */
#define MOST     1000 /* calls of one kind in an action: more would be a loop */
#define SENTINEL ((void *)&sentinel)

static char sentinel;

/* ---- What fails ------------------------------------------------------------------------------ */

enum kind { MEMORY, DESCRIPTOR, SOCKET, N_KINDS };

static _Thread_local struct {
    bool armed, hit;
    enum kind kind;
    unsigned n, at;
} faults;

static bool fails(enum kind kind, int error)
{
    if (!faults.armed || faults.kind != kind || ++faults.n != faults.at)
        return false;
    faults.hit = true;
    errno = error;
    return true;
}

/* Check allocates, too: what it is told is none of the library's calls. */
#define QUIETLY(assertion)       \
    do {                         \
        bool was = faults.armed; \
                                 \
        faults.armed = false;    \
        assertion;               \
        faults.armed = was;      \
    } while (0)

#define WRAP(kind, error, type, failure, name, params, args)      \
    type __real_##name params;                                    \
    type __wrap_##name params;                                    \
    type __wrap_##name params                                     \
    {                                                             \
        return fails(kind, error) ? failure : __real_##name args; \
    }

/* clang-format off */
WRAP(MEMORY, ENOMEM, void *, NULL, malloc, (size_t size), (size))
WRAP(MEMORY, ENOMEM, void *, NULL, calloc, (size_t n, size_t size), (n, size))
WRAP(MEMORY, ENOMEM, void *, NULL, realloc, (void *p, size_t size), (p, size))
WRAP(MEMORY, ENOMEM, void *, NULL, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP(MEMORY, ENOMEM, char *, NULL, strdup, (const char *s), (s))
WRAP(MEMORY, ENOMEM, char *, NULL, strndup, (const char *s, size_t n), (s, n))
WRAP(DESCRIPTOR, EMFILE, int, -1, socket, (int domain, int type, int protocol),
     (domain, type, protocol))
WRAP(DESCRIPTOR, EMFILE, int, -1, eventfd, (unsigned n, int flags), (n, flags))
WRAP(DESCRIPTOR, ENFILE, int, -1, timerfd_create, (int clock, int flags), (clock, flags))
WRAP(DESCRIPTOR, EMFILE, int, -1, epoll_create1, (int flags), (flags))
WRAP(SOCKET, EAGAIN, int, -1, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(SOCKET, ECONNRESET, ssize_t, -1, sendmsg, (int fd, const struct msghdr *m, int flags),
     (fd, m, flags))
WRAP(SOCKET, ECONNRESET, ssize_t, -1, recv, (int fd, void *p, size_t n, int flags),
     (fd, p, n, flags))
/* clang-format on */

int __real_epoll_ctl(int set, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int set, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int set, int op, int fd, struct epoll_event *event)
{
    if (op == EPOLL_CTL_ADD && fails(DESCRIPTOR, ENOSPC))
        return -1;
    return __real_epoll_ctl(set, op, fd, event);
}

/* ---- What is done ---------------------------------------------------------------------------- */

static const char *const ids[N_ENDED] = {"k3f9q-1", "k3f9q-2", "k3f9q-3", "k3f9q-4", "k3f9q-5"};

typedef enum aw_err (*action)(struct aw_client *client, struct aw_error *err);

/* Calls one function with a place for what it gives, `ret`, and frees that. */
#define ACTION(name, type, call, free_it)                                        \
    static enum aw_err do_##name(struct aw_client *client, struct aw_error *err) \
    {                                                                            \
        type *ret = SENTINEL;                                                    \
        enum aw_err e = call;                                                    \
                                                                                 \
        if (e == AW_OK)                                                          \
            free_it(ret);                                                        \
        else                                                                     \
            QUIETLY(ck_assert_ptr_eq(ret, SENTINEL));                            \
        return e;                                                                \
    }

ACTION(status, struct aw_statuses, aw_status(client, ids, N_ENDED, &ret, err), aw_statuses_free)
ACTION(wait, struct aw_statuses, aw_wait(client, ids, N_ENDED, 5000, NULL, &ret, err),
       aw_statuses_free)
ACTION(gather, struct aw_gathered, aw_gather(client, ids, N_ENDED, NULL, &ret, err),
       aw_gathered_free)
ACTION(lookup, struct aw_future, aw_lookup(client, ids[0], &ret, err), aw_future_unref)
ACTION(result, struct aw_result, aw_result_read(client, ids[1], 0, &ret, err), aw_result_free)
ACTION(cancel, struct aw_outcomes, aw_cancel(client, ids, N_ENDED, -1, &ret, err), aw_outcomes_free)

static enum aw_err do_submit(struct aw_client *client, struct aw_error *err)
{
    struct aw_job job = echo_job();
    struct aw_future *future = SENTINEL;
    enum aw_err e = aw_submit(client, &job, 1, &future, err);

    if (e == AW_OK)
        aw_future_unref(future);
    else
        QUIETLY(ck_assert_ptr_eq(future, SENTINEL));
    return e;
}

static enum aw_err do_future(struct aw_client *client, struct aw_error *err)
{
    struct aw_result *result = SENTINEL;
    struct aw_future *future;
    enum aw_err e = aw_lookup(client, ids[2], &future, err);

    if (e)
        return e;
    e = aw_future_wait(future, 5000, err);
    if (!e)
        e = aw_future_result(future, 5000, &result, err);
    if (e)
        QUIETLY(ck_assert_ptr_eq(result, SENTINEL));
    else
        aw_result_free(result);
    aw_future_unref(future);
    return e;
}

/* Of an iterator that broke off, others can be made. */
static enum aw_err read_all(struct aw_completions *each, unsigned n_want, struct aw_error *err)
{
    const struct aw_status *status;
    unsigned n = 0;
    enum aw_err e;

    while ((e = aw_completions_next(each, &status, err)) == AW_OK && status)
        n++;
    if (e == AW_OK)
        QUIETLY(ck_assert_uint_eq(n, n_want));
    aw_completions_free(each);
    return e;
}

static enum aw_err do_as_completed(struct aw_client *client, struct aw_error *err)
{
    struct aw_completions *each = SENTINEL;
    enum aw_err e = aw_as_completed(client, ids, N_ENDED, 5000, &each, err);

    if (e == AW_OK)
        return read_all(each, N_ENDED, err);
    QUIETLY(ck_assert_ptr_eq(each, SENTINEL));
    return e;
}

static enum aw_err do_set(struct aw_client *client, struct aw_error *err)
{
    struct aw_completions *each = SENTINEL;
    struct aw_read_opts opts;
    enum aw_err e;

    aw_read_opts_init(&opts);
    opts.after = 0;
    opts.timeout_ms = 5000;
    e = aw_set_as_completed(client, "s", &opts, &each, err);
    if (e == AW_OK)
        return read_all(each, N_ENDED, err);
    QUIETLY(ck_assert_ptr_eq(each, SENTINEL));
    return e;
}

static void on_done(struct aw_future *future, const struct aw_status *status, void *arg)
{
    unsigned *n = arg;

    (void)future;
    QUIETLY(ck_assert_int_eq(status->err, AW_OK));
    (*n)++;
}

/* What was promised a call gets one, whatever fails meanwhile. */
static enum aw_err do_on_done(struct aw_client *client, struct aw_error *err)
{
    struct aw_future *future;
    unsigned n = 0;
    size_t pending;
    enum aw_err e = aw_lookup(client, ids[3], &future, err);

    if (e)
        return e;
    e = aw_future_on_done(future, on_done, &n, err);
    aw_future_unref(future);
    for (int i = 0; !e && n == 0 && i < 500; i++)
        if (aw_client_process(client, 100, &pending, err) != AW_OK)
            faults.armed = false; /* it may fail, but goes on when it is called again */
    if (!e)
        QUIETLY(ck_assert_uint_eq(n, 1));
    return e;
}

static const struct {
    const char *name;
    action act;
} actions[] = {
    {"submit", do_submit},   {"status", do_status},
    {"wait", do_wait},       {"lookup", do_lookup},
    {"a future", do_future}, {"result", do_result},
    {"gather", do_gather},   {"as_completed", do_as_completed},
    {"a set", do_set},       {"on_done", do_on_done},
    {"cancel", do_cancel},
};

/* ---- The points ------------------------------------------------------------------------------ */

static unsigned descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static enum aw_err client_make(const char *path, struct aw_client **ret, struct aw_error *err)
{
    struct aw_client_config config;

    aw_client_config_init(&config);
    config.url = path;
    return aw_client_open(&config, ret, err);
}

static bool is_right(enum aw_err e)
{
    return e == AW_OK || e == AW_ERR_NO_MEMORY || e == AW_ERR_UNREACHABLE || e == AW_ERR_SYSTEM;
}

/* One call fails; true: it was made. `warm`: the client is connected before. */
static bool point(struct world *w, action act, const char *name, enum kind kind, unsigned at,
                  bool warm)
{
    struct aw_client *client = SENTINEL;
    struct aw_error err = {0};
    enum aw_err e;

    if (warm) {
        ck_assert_int_eq(client_make(world_path(w), &client, &err), AW_OK);
        ck_assert_int_eq(do_status(client, &err), AW_OK);
    }
    faults.kind = kind;
    faults.n = 0;
    faults.at = at;
    faults.hit = false;
    faults.armed = true;
    e = warm ? AW_OK : client_make(world_path(w), &client, &err);
    if (!e)
        e = act(client, &err);
    faults.armed = false;
    ck_assert_msg(is_right(e), "%s: call %u of kind %d: %d, %s", name, at, (int)kind, (int)e,
                  err.text);
    if (e)
        ck_assert_msg(err.code == e && err.text[0], "%s: an error without a sentence", name);
    if (client == SENTINEL)
        return faults.hit;
    e = act(client, &err);
    ck_assert_msg(e == AW_OK, "%s: after call %u of kind %d failed: %s", name, at, (int)kind,
                  err.text);
    aw_client_close(client);
    return faults.hit;
}

START_TEST(whatever_fails_is_said_and_works_the_next_time)
{
    action act = actions[_i].act;
    struct world *w = world_start(N_JOBS);
    unsigned n_open, at;

    world_end(w, 1, N_ENDED, AW_SUCCEEDED);
    world_set(w, "s", 1, N_ENDED, true);
    n_open = descriptors();
    for (int kind = 0; kind < N_KINDS; kind++)
        for (int warm = 0; warm < 2; warm++) {
            for (at = 1; point(w, act, actions[_i].name, kind, at, warm); at++)
                ck_assert_uint_lt(at, MOST);
            printf("# %s, %s: %u calls of kind %d\n", actions[_i].name, warm ? "warm" : "cold",
                   at - 1, kind);
        }
    world_stop(w);
    ck_assert_uint_le(descriptors(), n_open);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_faults");
    TCase *tcase = tcase_create("faults");

    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, whatever_fails_is_said_and_works_the_next_time, 0,
                        sizeof(actions) / sizeof(actions[0]));
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
