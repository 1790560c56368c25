#include "daemon/offload.h"

#include <pthread.h>
#include <signal.h>

#include "daemon/inbox.h"

/* In one of two queues: the thread's, and then the loop's inbox. */
struct work {
    struct inbox_item item;
    struct work *next;
    offload_fn run, done;
    void *arg;
};

struct offload {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct work *first, **last; /* by the mutex */
    bool stop;                  /* by the mutex (the loop writes it): end once nothing is left */
    struct inbox *inbox;
    size_t n_taken; /* loop thread: not yet reported */
};

/* NULL: it is time to end. */
static struct work *next_work(struct offload *offload)
{
    struct work *work;

    pthread_mutex_lock(&offload->mutex);
    while (!offload->first && !offload->stop)
        pthread_cond_wait(&offload->wake, &offload->mutex);
    work = offload->first;
    if (work) {
        offload->first = work->next;
        if (!offload->first)
            offload->last = &offload->first;
    }
    pthread_mutex_unlock(&offload->mutex);
    return work;
}

static void *offload_thread(void *arg)
{
    struct offload *offload = arg;
    struct work *work;

    while ((work = next_work(offload))) {
        work->run(work->arg);
        inbox_push(offload->inbox, &work->item);
    }
    return NULL;
}

static void work_done(void *arg, struct inbox_item *item)
{
    struct work *work = (struct work *)item;
    struct offload *offload = arg;

    offload->n_taken--;
    work->done(work->arg);
    free(work);
}

/* Signals are the main thread's. */
static int start_thread(struct offload *offload)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&offload->thread, NULL, offload_thread, offload);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

enum aw_err offload_new(struct event_base *base, struct offload **ret, struct aw_error *err)
{
    struct offload *offload = calloc(1, sizeof(*offload));
    enum aw_err e;
    int rc;

    if (!offload)
        return aw_fail(err, AW_ERR_NO_MEMORY, "helper thread: out of memory");
    offload->last = &offload->first;
    pthread_mutex_init(&offload->mutex, NULL);
    pthread_cond_init(&offload->wake, NULL);
    e = inbox_new(base, work_done, offload, &offload->inbox, err);
    if (!e && (rc = start_thread(offload))) {
        inbox_free(offload->inbox);
        e = aw_fail(err, AW_ERR_SYSTEM, "helper thread: %s", strerror(rc));
    }
    if (e)
        free(offload);
    else
        *ret = offload;
    return e;
}

bool offload_run(struct offload *offload, offload_fn run, offload_fn done, void *arg)
{
    struct work *work;

    if (offload->stop || offload->n_taken >= OFFLOAD_MAX)
        return false;
    work = calloc(1, sizeof(*work));
    if (!work)
        return false;
    work->run = run;
    work->done = done;
    work->arg = arg;
    offload->n_taken++;
    pthread_mutex_lock(&offload->mutex);
    *offload->last = work;
    offload->last = &work->next;
    pthread_cond_signal(&offload->wake);
    pthread_mutex_unlock(&offload->mutex);
    return true;
}

void offload_free(struct offload *offload)
{
    if (!offload)
        return;
    pthread_mutex_lock(&offload->mutex);
    offload->stop = true;
    pthread_cond_signal(&offload->wake);
    pthread_mutex_unlock(&offload->mutex);
    pthread_join(offload->thread, NULL);
    inbox_drain(offload->inbox);
    inbox_free(offload->inbox);
    pthread_cond_destroy(&offload->wake);
    pthread_mutex_destroy(&offload->mutex);
    free(offload);
}
