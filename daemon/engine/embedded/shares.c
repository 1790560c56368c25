#include "daemon/engine/embedded/shares.h"

#include "daemon/engine/embedded/queues.h"

#define MAX_SHARES (1u << LIVE_SHARE_BITS)

static uint64_t key_of(const struct queue *q, uint32_t uid)
{
    return (uint64_t)uid << 8 | q->index;
}

bool shares_init(struct shares *s)
{
    *s = (struct shares){0};
    if (numtable_init(&s->table) && accounts_init(&s->accounts))
        return true;
    shares_done(s);
    return false;
}

void shares_done(struct shares *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        free(s->by_index[i]);
    accounts_done(&s->accounts);
    numtable_done(&s->table);
    free(s->by_index);
    free(s->free);
    *s = (struct shares){0};
}

/* ---- Shares --------------------------------------------------------------------------------- */

/* Room for one more index. */
static bool index_reserve(struct shares *s)
{
    uint32_t cap = s->cap ? s->cap * 2 : 16;
    struct share **by_index;
    uint32_t *free_list;

    if (s->n_free > 0 || s->n < s->cap)
        return true;
    if (s->n == MAX_SHARES)
        return false;
    by_index = reallocarray(s->by_index, cap, sizeof(struct share *));
    if (!by_index)
        return false;
    s->by_index = by_index;
    free_list = reallocarray(s->free, cap, sizeof(*free_list));
    if (!free_list)
        return false;
    s->free = free_list;
    s->cap = cap;
    return true;
}

static struct share *share_make(struct shares *s, struct queue *q, uint32_t uid)
{
    struct share *share = index_reserve(s) ? calloc(1, sizeof(*share)) : NULL;
    struct account *account = share ? accounts_hold(&s->accounts, uid) : NULL;

    if (!account) {
        free(share);
        return NULL;
    }
    share->node.number = key_of(q, uid);
    share->index = s->n_free > 0 ? s->free[--s->n_free] : s->n++;
    share->queue = q;
    share->account = account;
    for (size_t i = 0; i < N_PRIORITIES; i++) {
        TAILQ_INIT(&share->lanes[i].jobs);
        share->lanes[i].share = share;
    }
    s->by_index[share->index] = share;
    numtable_insert(&s->table, &share->node);
    LIST_INSERT_HEAD(&q->shares, share, of_queue);
    return share;
}

struct share *shares_hold(struct shares *s, struct queue *q, uint32_t uid)
{
    struct share *share = LIST_FIRST(&q->shares); /* most queues are used by one user at a time */

    if (!share || share_uid(share) != uid)
        share = numtable_entry(numtable_find(&s->table, key_of(q, uid)), struct share, node);
    if (!share)
        share = share_make(s, q, uid);
    if (!share)
        return NULL;
    share->n_jobs++;
    share->account->n_jobs++;
    return share;
}

void shares_release(struct shares *s, struct share *share)
{
    share->account->n_jobs--;
    if (--share->n_jobs > 0)
        return;
    LIST_REMOVE(share, of_queue);
    numtable_remove(&s->table, &share->node);
    accounts_release(&s->accounts, share->account);
    s->by_index[share->index] = NULL;
    s->free[s->n_free++] = share->index;
    free(share);
}
