#include "daemon/engine/embedded/accounts.h"

/* ---- Paces ---------------------------------------------------------------------------------- */

#define PACE_WEIGHT 8 /* of all that was before, against the last one */

void pace_note(struct pace *p, int64_t boottime_us)
{
    int64_t since = boottime_us - p->last_us;

    if (p->last_us)
        p->every_us += (since - p->every_us) / (p->every_us ? PACE_WEIGHT : 1);
    p->last_us = MAX(boottime_us, 1);
}

unsigned pace_wait_ms(const struct pace *p, uint64_t n, int64_t boottime_us)
{
    uint64_t every_us, most_us = PACE_MAX_MS * UINT64_C(1000);

    if (!p->last_us)
        return PACE_UNKNOWN_MS;
    /* If nothing has ended for long, it is not as it was of late. */
    every_us = (uint64_t)MAX(p->every_us, MAX(boottime_us - p->last_us, INT64_C(0)));
    if (every_us && n > most_us / every_us)
        return PACE_MAX_MS;
    return (unsigned)MAX(every_us * n / 1000, (uint64_t)PACE_MIN_MS);
}

/* ---- Accounts ------------------------------------------------------------------------------- */

bool accounts_init(struct accounts *a)
{
    *a = (struct accounts){0};
    return numtable_init(&a->table);
}

static void account_free(void *arg, struct numnode *node)
{
    (void)arg;
    free(numtable_entry(node, struct account, node));
}

void accounts_done(struct accounts *a)
{
    if (a->table.segments)
        numtable_each(&a->table, account_free, NULL);
    numtable_done(&a->table);
    *a = (struct accounts){0};
}

struct account *accounts_find(const struct accounts *a, uint32_t uid)
{
    return numtable_entry(numtable_find(&a->table, uid), struct account, node);
}

struct account *accounts_hold(struct accounts *a, uint32_t uid)
{
    struct account *account = accounts_find(a, uid);

    if (!account) {
        account = calloc(1, sizeof(*account));
        if (!account)
            return NULL;
        account->node.number = uid;
        numtable_insert(&a->table, &account->node);
    }
    account->n_refs++;
    return account;
}

static void remove_if_empty(struct accounts *a, struct account *account)
{
    if (account->n_refs || account->kept || account->bytes || account->sets)
        return;
    numtable_remove(&a->table, &account->node);
    free(account);
}

void accounts_release(struct accounts *a, struct account *account)
{
    if (!account)
        return;
    account->n_refs--;
    remove_if_empty(a, account);
}

void accounts_change(struct accounts *a, const struct account_change *change)
{
    struct account *account = accounts_find(a, change->uid);

    if (!account)
        return; /* impossible: see above */
    account->kept += (uint64_t)change->kept;
    account->bytes += (uint64_t)change->bytes;
    account->sets += (uint64_t)change->sets;
    a->kept += (uint64_t)change->kept;
    a->bytes += (uint64_t)change->bytes;
    remove_if_empty(a, account);
}
