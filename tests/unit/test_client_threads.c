/* libaw in many threads, and in a child process. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <sys/wait.h>

#include "tests/unit/client_rig.h"

struct load {
    struct aw_client *client;
    int n_each;
};

static void *submit_and_wait(void *arg)
{
    struct load *load = arg;

    for (int i = 0; i < load->n_each; i++) {
        struct aw_job job = echo_job();
        struct aw_future *future;

        if (aw_submit(load->client, &job, 1, &future, NULL) ||
            aw_future_wait(future, AW_FOREVER, NULL))
            return load;
        aw_future_unref(future);
    }
    return NULL;
}

static void counts_jobs(struct fake_request *rq, void *arg)
{
    struct store *store = arg;

    store->n_keys = 0; /* more submits than the table has room for; none comes twice here */
    well_behaved(rq, arg);
}

START_TEST(many_threads_share_one_client_and_one_connection)
{
    enum { N_THREADS = 16, N_EACH = 50 };
    struct store store = {0};
    struct fake *fake = fake_start(counts_jobs, &store);
    struct load load = {client_at(fake_path(fake)), N_EACH};
    pthread_t threads[N_THREADS];

    for (int i = 0; i < N_THREADS; i++)
        pthread_create(&threads[i], NULL, submit_and_wait, &load);
    for (int i = 0; i < N_THREADS; i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    ck_assert_uint_eq(store.n_jobs, N_THREADS * N_EACH);
    fake_await_requests(fake, 2 * N_THREADS * N_EACH);
    ck_assert_uint_eq(fake_requests(fake), 2 * N_THREADS * N_EACH);
    fake_await_connections(fake, 1);
    aw_client_close(load.client);
    fake_stop(fake);
}
END_TEST

static void parks(struct fake_request *rq, void *arg)
{
    (void)rq;
    (void)arg;
}

static void *wait_for_one(void *arg)
{
    const char *id = "k3f9q-1";
    struct aw_statuses *list;

    return (void *)(intptr_t)aw_wait(arg, &id, 1, AW_FOREVER, NULL, &list, NULL);
}

START_TEST(closing_a_client_ends_the_waits_of_all_threads)
{
    struct fake *fake = fake_start(parks, NULL);
    struct aw_client *client = client_at(fake_path(fake));
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, wait_for_one, client);
    fake_await_requests(fake, 4);
    aw_client_close(client);
    for (int i = 0; i < 4; i++) {
        void *e;

        pthread_join(threads[i], &e);
        ck_assert_int_eq((intptr_t)e, AW_ERR_CLOSED);
    }
    fake_stop(fake);
}
END_TEST

/* ---- Fork -------------------------------------------------------------------------------- */

START_TEST(a_child_cannot_use_its_parents_client_and_does_not_disturb_it)
{
    struct store store = {0};
    static struct fake *fake; /* static, so that leak checkers find it in the child as well */
    struct aw_client *client;
    struct aw_job job = echo_job();
    struct aw_future *future;
    int status;
    pid_t pid;

    fake = fake_start(well_behaved, &store);
    client = client_at(fake_path(fake));
    ck_assert_int_eq(aw_submit(client, &job, 1, &future, NULL), AW_OK);
    pid = fork();
    if (pid == 0) {
        struct aw_future *mine;
        int e = aw_submit(client, &job, 1, &mine, NULL);

        aw_future_unref(future);
        aw_client_close(client);
        _exit(e == AW_ERR_USAGE ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    aw_future_unref(future);
    ck_assert_int_eq(aw_submit(client, &job, 1, &future, NULL), AW_OK);
    ck_assert_str_eq(aw_future_id(future), "k3f9q-2");
    aw_future_unref(future);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

static Suite *threads_suite(void)
{
    Suite *s = suite_create("client threads");
    TCase *t = tcase_create("threads");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, many_threads_share_one_client_and_one_connection);
    tcase_add_test(t, closing_a_client_ends_the_waits_of_all_threads);
    tcase_add_test(t, a_child_cannot_use_its_parents_client_and_does_not_disturb_it);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(threads_suite());
}
