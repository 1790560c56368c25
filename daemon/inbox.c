#include "daemon/inbox.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <event2/event.h>

struct inbox {
    pthread_mutex_t mutex;
    struct inbox_item *first, **last; /* by the mutex */
    bool awake; /* by the mutex: the loop will look again by itself, no need to write to fd */
    int fd;
    struct event *event;
    inbox_fn on_item;
    void *arg;
};

/* How often the loop takes what came meanwhile before others get their turn. */
#define ROUNDS 4

static struct inbox_item *take_all(struct inbox *inbox, bool stay_awake)
{
    struct inbox_item *first;

    pthread_mutex_lock(&inbox->mutex);
    first = inbox->first;
    inbox->first = NULL;
    inbox->last = &inbox->first;
    inbox->awake = first && stay_awake;
    pthread_mutex_unlock(&inbox->mutex);
    return first;
}

static void hand_out(struct inbox *inbox, struct inbox_item *item)
{
    while (item) {
        struct inbox_item *next = item->next; /* the item is gone after the call */

        inbox->on_item(inbox->arg, item);
        item = next;
    }
}

static void inbox_ready(evutil_socket_t fd, short what, void *arg)
{
    struct inbox *inbox = arg;
    struct inbox_item *items;
    uint64_t count;

    if (what & EV_READ && read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        return;
    for (int i = 0; i < ROUNDS; i++) {
        items = take_all(inbox, true);
        if (!items)
            return;
        hand_out(inbox, items);
    }
    event_active(inbox->event, EV_TIMEOUT, 0);
}

enum aw_err inbox_new(struct event_base *base, inbox_fn on_item, void *arg, struct inbox **ret,
                      struct aw_error *err)
{
    struct inbox *inbox = calloc(1, sizeof(*inbox));

    if (!inbox)
        return aw_fail(err, AW_ERR_NO_MEMORY, "inbox: out of memory");
    pthread_mutex_init(&inbox->mutex, NULL);
    inbox->last = &inbox->first;
    inbox->on_item = on_item;
    inbox->arg = arg;
    inbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (inbox->fd >= 0)
        inbox->event = event_new(base, inbox->fd, EV_READ | EV_PERSIST, inbox_ready, inbox);
    if (!inbox->event || event_add(inbox->event, NULL) < 0) {
        int saved = errno;

        inbox_free(inbox);
        return aw_fail(err, AW_ERR_SYSTEM, "inbox: no eventfd: %s", strerror(saved));
    }
    *ret = inbox;
    return AW_OK;
}

void inbox_push(struct inbox *inbox, struct inbox_item *item)
{
    const uint64_t one = 1;
    bool wake;

    item->next = NULL;
    pthread_mutex_lock(&inbox->mutex);
    wake = !inbox->first && !inbox->awake;
    *inbox->last = item;
    inbox->last = &item->next;
    pthread_mutex_unlock(&inbox->mutex);
    /* It fails only when the counter is near 2^64: then the loop is awake anyway. */
    if (wake && write(inbox->fd, &one, sizeof(one)) < 0)
        return;
}

void inbox_drain(struct inbox *inbox)
{
    hand_out(inbox, take_all(inbox, false));
}

void inbox_free(struct inbox *inbox)
{
    if (!inbox)
        return;
    if (inbox->event)
        event_free(inbox->event);
    if (inbox->fd >= 0)
        close(inbox->fd);
    pthread_mutex_destroy(&inbox->mutex);
    free(inbox);
}
