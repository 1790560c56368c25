#include "daemon/offload.h"

#include <pthread.h>
#include <signal.h>

#include <event2/event.h>

#include "daemon/inbox.h"
#include "tests/unit/unit.h"

static struct event_base *base;
static struct offload *offload;
static pthread_t loop;
static int n_run, n_done, order[20000];
static bool wrong_thread;

static void setup(void)
{
    base = event_base_new();
    loop = pthread_self();
    ck_assert_int_eq(offload_new(base, &offload, NULL), AW_OK);
}

static void teardown(void)
{
    offload_free(offload);
    event_base_free(base);
}

static void run(void *arg)
{
    if (pthread_equal(pthread_self(), loop))
        wrong_thread = true;
    order[n_run++] = *(int *)arg;
}

static void done(void *arg)
{
    if (!pthread_equal(pthread_self(), loop))
        wrong_thread = true;
    n_done++;
    free(arg);
}

static bool give(int number)
{
    int *arg = malloc(sizeof(*arg));

    *arg = number;
    if (offload_run(offload, run, done, arg))
        return true;
    free(arg);
    return false;
}

START_TEST(each_piece_is_run_beside_the_loop_and_reported_on_it_in_order)
{
    for (int i = 0; i < 1000; i++)
        ck_assert(give(i));
    while (n_done < 1000)
        event_base_loop(base, EVLOOP_ONCE);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(order[i], i);
    ck_assert(!wrong_thread);
}
END_TEST

START_TEST(the_end_waits_for_what_was_taken)
{
    for (int i = 0; i < 500; i++)
        ck_assert(give(i));
    offload_free(offload);
    offload = NULL;
    ck_assert_int_eq(n_run, 500);
    ck_assert_int_eq(n_done, 500);
}
END_TEST

START_TEST(no_more_than_its_limit_waits)
{
    int taken = 0;

    /* What is not reported counts: the loop does not turn here. */
    while (give(taken))
        taken++;
    ck_assert_int_eq(taken, OFFLOAD_MAX);
    while (n_done < taken)
        event_base_loop(base, EVLOOP_ONCE);
    ck_assert(give(0));
}
END_TEST

static void give_more(void *arg)
{
    done(arg);
    ck_assert(!give(1));
}

START_TEST(nothing_is_taken_at_the_end)
{
    int *arg = malloc(sizeof(*arg));

    *arg = 0;
    ck_assert(offload_run(offload, run, give_more, arg));
    offload_free(offload);
    offload = NULL;
    ck_assert_int_eq(n_done, 1);
}
END_TEST

/* ---- The inbox below it -------------------------------------------------------------------- */

#define N_PUSHERS 4
#define N_EACH    20000

struct note {
    struct inbox_item item;
    int pusher, number;
};

static int next_of[N_PUSHERS], n_notes;

static void note_arrived(void *arg, struct inbox_item *item)
{
    struct note *note = (struct note *)item;

    (void)arg;
    ck_assert_int_eq(note->number, next_of[note->pusher]++);
    n_notes++;
    free(note);
}

struct pusher {
    struct inbox *inbox;
    int number;
};

static void *push_many(void *arg)
{
    struct pusher *pusher = arg;

    for (int i = 0; i < N_EACH; i++) {
        struct note *note = malloc(sizeof(*note));

        note->pusher = pusher->number;
        note->number = i;
        inbox_push(pusher->inbox, &note->item);
    }
    return NULL;
}

START_TEST(what_threads_push_arrives_once_and_in_their_order)
{
    struct pusher pushers[N_PUSHERS];
    pthread_t threads[N_PUSHERS];
    struct inbox *inbox;

    ck_assert_int_eq(inbox_new(base, note_arrived, NULL, &inbox, NULL), AW_OK);
    for (int i = 0; i < N_PUSHERS; i++) {
        pushers[i] = (struct pusher){inbox, i};
        pthread_create(&threads[i], NULL, push_many, &pushers[i]);
    }
    while (n_notes < N_PUSHERS * N_EACH)
        event_base_loop(base, EVLOOP_ONCE);
    for (int i = 0; i < N_PUSHERS; i++)
        pthread_join(threads[i], NULL);
    inbox_free(inbox);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("offload");
    TCase *tc = tcase_create("offload");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, each_piece_is_run_beside_the_loop_and_reported_on_it_in_order);
    tcase_add_test(tc, the_end_waits_for_what_was_taken);
    tcase_add_test(tc, no_more_than_its_limit_waits);
    tcase_add_test(tc, nothing_is_taken_at_the_end);
    tcase_add_test(tc, what_threads_push_arrives_once_and_in_their_order);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
