#include "client/libaw/watcher_table.h"

#define MIN_BUCKETS 64

/* ---- Lists -------------------------------------------------------------------------------- */

void watch_list_init(struct watch_list *list)
{
    TAILQ_INIT(&list->head);
    list->n = 0;
}

static void list_remove(struct watch *watch)
{
    if (!watch->list)
        return;
    TAILQ_REMOVE(&watch->list->head, watch, link);
    watch->list->n--;
    watch->list = NULL;
}

void watch_move(struct watch *watch, struct watch_list *to)
{
    list_remove(watch);
    TAILQ_INSERT_TAIL(&to->head, watch, link);
    to->n++;
    watch->list = to;
}

void watch_move_all(struct watch_list *from, struct watch_list *to)
{
    struct watch *watch;

    while (from != to && (watch = TAILQ_LAST(&from->head, watch_queue))) {
        list_remove(watch);
        TAILQ_INSERT_HEAD(&to->head, watch, link);
        to->n++;
        watch->list = to;
    }
}

/* ---- The table ---------------------------------------------------------------------------- */

/* FNV-1a. */
static size_t hash_of(struct bytes id)
{
    const unsigned char *p = id.data;
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ p[i]) * 0x100000001b3;
    return (size_t)(hash ^ hash >> 32);
}

static struct watch_bucket *bucket_of(struct watch_table *t, struct bytes id)
{
    return &t->buckets[hash_of(id) & (t->n_buckets - 1)];
}

struct watch *watch_find(struct watch_table *t, struct bytes id)
{
    struct watch *watch;

    if (!t->buckets)
        return NULL;
    LIST_FOREACH (watch, bucket_of(t, id), bucket)
        if (bytes_eq(bytes_str(watch->id), id))
            return watch;
    return NULL;
}

/* Room for one more. A table that cannot grow gets slower, no more. */
static bool table_grow(struct watch_table *t)
{
    size_t n = t->buckets ? t->n_buckets * 2 : MIN_BUCKETS;
    struct watch_table larger = {.n_buckets = n, .n = t->n, .n_calls = t->n_calls};
    struct watch *watch;

    if (t->buckets && t->n < t->n_buckets)
        return true;
    larger.buckets = calloc(n, sizeof(*larger.buckets));
    if (!larger.buckets)
        return t->buckets != NULL;
    for (size_t i = 0; i < t->n_buckets; i++) {
        while ((watch = LIST_FIRST(&t->buckets[i]))) {
            LIST_REMOVE(watch, bucket);
            LIST_INSERT_HEAD(bucket_of(&larger, bytes_str(watch->id)), watch, bucket);
        }
    }
    free(t->buckets);
    *t = larger;
    return true;
}

static struct watch *watch_new(struct watch_table *t, const struct aw_future *future)
{
    struct watch *watch;

    if (!table_grow(t))
        return NULL;
    watch = calloc(1, sizeof(*watch));
    if (!watch)
        return NULL;
    watch->calls_end = &watch->calls;
    memcpy(watch->id, future->id, sizeof(watch->id));
    LIST_INSERT_HEAD(bucket_of(t, bytes_str(watch->id)), watch, bucket);
    t->n++;
    return watch;
}

bool watch_add(struct watch_table *t, struct aw_future *future, aw_done_fn done, void *arg,
               struct watch **ret, bool *ret_new)
{
    struct watch *watch = watch_find(t, bytes_of(future->id, strlen(future->id)));
    struct watch_call *call = calloc(1, sizeof(*call));
    bool is_new = watch == NULL;

    if (call && is_new)
        watch = watch_new(t, future);
    if (!call || !watch) {
        free(call);
        return false;
    }
    *call = (struct watch_call){.future = aw_future_ref(future), .done = done, .arg = arg};
    *watch->calls_end = call;
    watch->calls_end = &call->next;
    t->n_calls++;
    *ret = watch;
    *ret_new = is_new;
    return true;
}

void watch_detach(struct watch_table *t, struct watch *watch)
{
    list_remove(watch);
    LIST_REMOVE(watch, bucket);
    t->n--;
}

struct watch_call *watch_call_next(struct watch *watch)
{
    struct watch_call *call = watch->calls;

    if (call)
        watch->calls = call->next;
    return call;
}

void watch_free(struct watch *watch)
{
    struct watch_call *call;

    while ((call = watch_call_next(watch))) {
        aw_future_unref(call->future);
        free(call);
    }
    free(watch);
}
