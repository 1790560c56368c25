/* The embedded engine's calls that remove records: forget, and pruning by age and number. */
#include "daemon/engine/embedded/embedded_private.h"

#define PRUNE_MAX 500 /* at once: others want to commit, too */

static void tell_gone(struct embedded *em, const struct gone *gone, size_t n)
{
    if (n)
        em->events->gone(em->arg, gone, n);
}

struct forget_call {
    struct store_remove op;
    struct embedded *em;
    engine_results_fn done;
    void *arg;
    struct job_result *results;
    struct gone *gone;
    uint64_t numbers[];
};

static void forget_done(struct store_op *op)
{
    struct forget_call *call = (struct forget_call *)op;

    if (!op->error.code) {
        embedded_account(call->em, &call->op.effects);
        tell_gone(call->em, call->gone, call->op.n_gone);
        for (size_t i = 0; i < call->op.n; i++)
            if (embedded_is_unknown(call->em, call->results[i].number))
                call->results[i].err = AW_ERR_UNKNOWN_ID;
    }
    call->done(call->arg, op_error(op), call->results, call->op.n);
    store_effects_free(&call->op.effects);
    free(call->results);
    free(call->gone);
    free(call);
}

void embedded_forget(struct engine *e, const uint64_t *numbers, size_t n, engine_results_fn done,
                     void *arg)
{
    struct embedded *em = embedded_of(e);
    struct forget_call *call = calloc(1, sizeof(*call) + n * sizeof(*numbers));

    if (call) {
        call->results = calloc(n + 1, sizeof(*call->results));
        call->gone = calloc(n + 1, sizeof(*call->gone));
    }
    if (!call || !call->results || !call->gone) {
        if (call) {
            free(call->results);
            free(call->gone);
        }
        free(call);
        done(arg, &embedded_no_memory, NULL, 0);
        return;
    }
    memcpy(call->numbers, numbers, n * sizeof(*numbers));
    call->em = em;
    call->done = done;
    call->arg = arg;
    call->op.numbers = call->numbers;
    call->op.n = n;
    call->op.results = call->results;
    call->op.gone = call->gone;
    call->op.op.done = forget_done;
    store_remove_init(&call->op);
    store_push(em->store, &call->op.op);
}

/* ---- Pruning -------------------------------------------------------------------------------- */

/*
 * One operation at a time: of a user who has more than one may have, in turn if there are several,
 * or, if there are none, of all.
 */
struct prune_call {
    struct store_remove op;
    struct embedded *em;
    struct account *account; /* NULL: of all */
    struct gone gone[PRUNE_MAX];
};

static uint64_t beyond(uint64_t has, uint64_t most)
{
    return has > most ? has - most : 0;
}

/* Of what the limit says nothing about, nothing is too much. */
static uint64_t limit_or(uint64_t limit)
{
    return limit ? limit : UINT64_MAX;
}

/* What of the user's is to go, if anything can. */
static bool user_excess(const struct embedded *em, const struct account *account, size_t *ret_n,
                        uint64_t *ret_bytes)
{
    struct user_limits user = embedded_limits_of(em, account_uid(account));

    *ret_n = beyond(account->kept, limit_or(user.max_kept));
    *ret_bytes = beyond(account->bytes + account->wanted, limit_or(user.max_bytes));
    return account->kept && (*ret_n || *ret_bytes);
}

static bool all_excess(const struct embedded *em, size_t *ret_n, uint64_t *ret_bytes)
{
    const struct accounts *all = embedded_accounts(em);

    *ret_n = beyond(all->kept, em->config.max_kept);
    *ret_bytes = beyond(all->bytes + em->wanted, limit_or(em->config.max_bytes));
    return all->kept && (*ret_n || *ret_bytes);
}

bool embedded_is_excess(const struct embedded *em)
{
    uint64_t bytes;
    size_t n;

    return all_excess(em, &n, &bytes);
}

static void user_unlink(struct embedded *em, struct account *account)
{
    TAILQ_REMOVE(&em->excess, account, link);
    account->linked = false;
    account->wanted = 0;
    accounts_release(embedded_accounts(em), account);
}

void embedded_prune_user(struct embedded *em, struct account *account)
{
    uint64_t bytes;
    size_t n;

    if (!account || account->linked || !user_excess(em, account, &n, &bytes))
        return;
    account->linked = true;
    (void)accounts_hold(embedded_accounts(em), account_uid(account)); /* it is there */
    TAILQ_INSERT_TAIL(&em->excess, account, link);
    embedded_prune_at(em, 0);
}

/* The next user who has too much, with how much in the operation. NULL: none has. */
static struct account *user_next(struct embedded *em, struct store_remove *op)
{
    struct account *account;

    while ((account = TAILQ_FIRST(&em->excess))) {
        if (user_excess(em, account, &op->excess, &op->excess_bytes)) {
            op->of_user = true;
            op->uid = account_uid(account);
            return account;
        }
        user_unlink(em, account);
    }
    return NULL;
}

/* To the end of the line, unless nothing of theirs can go. */
static void user_pruned(struct embedded *em, struct account *account, size_t n_gone)
{
    if (n_gone == 0) {
        user_unlink(em, account);
        return;
    }
    TAILQ_REMOVE(&em->excess, account, link);
    TAILQ_INSERT_TAIL(&em->excess, account, link);
}

static void prune_done(struct store_op *op)
{
    struct prune_call *call = (struct prune_call *)op;
    struct embedded *em = call->em;

    em->pruning = false;
    if (op->error.code) {
        embedded_prune_at(em, now_us() + INT64_C(60) * 1000000);
    } else {
        em->counts.pruned += call->op.n_gone;
        embedded_account(em, &call->op.effects);
        if (call->account)
            user_pruned(em, call->account, call->op.n_gone);
        else if (!call->op.more)
            em->wanted = 0;
        tell_gone(em, call->gone, call->op.n_gone);
        if (call->op.more || !TAILQ_EMPTY(&em->excess))
            embedded_prune(em);
        else if (embedded_is_excess(em))
            embedded_prune_at(em, 0); /* what is left has children that are to be told */
        else if (call->op.next_expiry_us)
            embedded_prune_at(em, call->op.next_expiry_us);
    }
    store_effects_free(&call->op.effects);
    free(call);
}

void embedded_prune(struct embedded *em)
{
    struct prune_call *call;

    if (em->pruning || em->closing)
        return;
    call = calloc(1, sizeof(*call));
    if (!call) {
        embedded_prune_at(em, now_us() + INT64_C(60) * 1000000);
        return;
    }
    em->pruning = true;
    call->em = em;
    call->op.prune = true;
    call->op.now_us = now_us();
    call->account = user_next(em, &call->op);
    if (!call->account)
        (void)!all_excess(em, &call->op.excess, &call->op.excess_bytes);
    call->op.max = PRUNE_MAX;
    call->op.gone = call->gone;
    call->op.op.done = prune_done;
    store_remove_init(&call->op);
    store_push(em->store, &call->op.op);
}
