/* The embedded engine's users: what each has, may have, and hears when it is too much. */
#include "daemon/engine/embedded/embedded_private.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- What they have ------------------------------------------------------------------------- */

struct accounts *embedded_accounts(const struct embedded *em)
{
    return &sched_queues(em->sched)->shares.accounts;
}

struct account *embedded_account_of(const struct embedded *em, const struct live *job)
{
    return shares_of(&sched_queues(em->sched)->shares, job)->account;
}

enum aw_err embedded_on_account(void *arg, const struct account_change *row)
{
    struct accounts *accounts = embedded_accounts(arg);
    struct account *account = accounts_hold(accounts, row->uid);

    if (!account)
        return AW_ERR_NO_MEMORY;
    accounts_change(accounts, row);
    accounts_release(accounts, account);
    return AW_OK;
}

void embedded_account(struct embedded *em, const struct store_effects *effects)
{
    struct accounts *accounts = embedded_accounts(em);

    for (size_t i = 0; i < effects->accounts.n; i++) {
        accounts_change(accounts, &effects->accounts.v[i]);
        embedded_prune_user(em, accounts_find(accounts, effects->accounts.v[i].uid));
    }
    if (embedded_is_excess(em))
        embedded_prune_at(em, 0);
}

static void excess_look(void *arg, struct numnode *node)
{
    embedded_prune_user(arg, numtable_entry(node, struct account, node));
}

void embedded_prune_excess(struct embedded *em)
{
    numtable_each(&embedded_accounts(em)->table, excess_look, em);
    if (embedded_is_excess(em))
        embedded_prune_at(em, 0);
}

void embedded_account_paced(struct embedded *em, const struct live *job)
{
    int64_t now = boottime_us();

    pace_note(&em->pace, now);
    pace_note(&embedded_account_of(em, job)->pace, now);
}

/* ---- What they may have --------------------------------------------------------------------- */

struct user_limits embedded_limits_of(const struct embedded *em, uint32_t uid)
{
    static const struct user_limits none;

    return uid == 0 || uid == geteuid() ? none : em->config.user;
}

static bool exceeds(uint64_t has, uint64_t most)
{
    return most && has > most;
}

enum submit_full embedded_submit_full(const struct embedded *em, const struct account *account,
                                      size_t n, bool has_parents)
{
    struct user_limits user = embedded_limits_of(em, account_uid(account));

    if (exceeds(account->n_jobs, user.max_queued))
        return FULL_USER;
    if (sched_total(em->sched) + em->pending + n > em->config.max_queued)
        return FULL_QUEUE;
    if (!has_parents)
        return FULL_NOT;
    if (exceeds(account->n_edges, user.max_dependencies))
        return FULL_USER_EDGES;
    return deps_edges(em->deps) > AW_MAX_EDGES ? FULL_EDGES : FULL_NOT;
}

/*
 * The store will count exactly; what goes before that makes room in time, as operations are done in
 * their order.
 */
void embedded_make_room(struct embedded *em, struct account *account, uint64_t bytes)
{
    struct user_limits user = embedded_limits_of(em, account_uid(account));
    const struct accounts *all = embedded_accounts(em);

    if (bytes > (user.max_bytes ? user.max_bytes : UINT64_MAX) ||
        bytes > (em->config.max_bytes ? em->config.max_bytes : UINT64_MAX))
        return; /* there never will be */
    if (account->kept && exceeds(account->bytes + bytes, user.max_bytes)) {
        account->wanted = MAX(account->wanted, bytes);
        embedded_prune_user(em, account);
        embedded_prune(em);
    }
    if (all->kept && exceeds(all->bytes + bytes, em->config.max_bytes)) {
        em->wanted = MAX(em->wanted, bytes);
        embedded_prune(em);
    }
}

/* ---- What they hear ------------------------------------------------------------------------- */

/* As many as are wanted beyond `most`, if that is possible at all. */
static void say_wait(struct aw_error *err, const struct pace *pace, uint64_t has, uint64_t most)
{
    err->retry_after_ms = pace_wait_ms(pace, has > most ? has - most : 1, boottime_us());
}

static void say_jobs(const struct embedded *em, const struct refusal *r, struct aw_error *err)
{
    struct user_limits user = embedded_limits_of(em, account_uid(r->account));
    uint64_t total = sched_total(em->sched) + r->n;

    if (r->full == FULL_USER) {
        aw_fail(err, AW_ERR_QUOTA,
                "submit: user %u has %" PRIu64 " jobs that have not ended, and brings %zu; at most"
                " %" PRIu64 " are taken (max_user_queued)",
                account_uid(r->account), r->account->n_jobs - r->n, r->n, user.max_queued);
        say_wait(err, &r->account->pace, r->account->n_jobs, user.max_queued);
    } else {
        aw_fail(err, AW_ERR_QUEUE_FULL,
                "submit: %" PRIu64 " jobs have not ended, and %zu come; at most %" PRIu64
                " are taken (max_queued)",
                sched_total(em->sched), r->n, em->config.max_queued);
        say_wait(err, &em->pace, total, em->config.max_queued);
    }
}

static void say_edges(const struct embedded *em, const struct refusal *r, struct aw_error *err)
{
    struct user_limits user = embedded_limits_of(em, account_uid(r->account));

    if (r->full == FULL_USER_EDGES) {
        aw_fail(err, AW_ERR_QUOTA,
                "submit: the jobs of user %u that wait for others would have %" PRIu64
                " parents together; at most %" PRIu64 " are possible (max_user_dependencies)",
                account_uid(r->account), r->account->n_edges, user.max_dependencies);
        say_wait(err, &r->account->pace, 1, 0);
    } else {
        aw_fail(err, AW_ERR_QUEUE_FULL,
                "submit: the jobs that wait for others would have %" PRIu64
                " parents together; at most %d are possible",
                deps_edges(em->deps), AW_MAX_EDGES);
        say_wait(err, &em->pace, 1, 0);
    }
}

static void say_bytes(const struct embedded *em, const struct refusal *r, struct aw_error *err)
{
    struct user_limits user = embedded_limits_of(em, account_uid(r->account));
    bool all = r->full == FULL_BYTES;
    uint64_t most = all ? em->config.max_bytes : user.max_bytes;
    enum aw_err code = all ? AW_ERR_QUEUE_FULL : AW_ERR_QUOTA;
    char who[32] = "all users have";

    if (!all)
        snprintf(who, sizeof(who), "user %u has", account_uid(r->account));
    aw_fail(err, r->n == 1 && r->bytes > most ? AW_ERR_LIMIT : code,
            "submit: %s %" PRIu64 " bytes of specifications and output on record, and %" PRIu64
            " come; at most %" PRIu64 " are taken (%s)",
            who, r->has_bytes, r->bytes, most, all ? "max_bytes" : "max_user_bytes");
    /* What has ended makes room at once, and nobody knows how much the rest will. */
    say_wait(err, all ? &em->pace : &r->account->pace, 1, 0);
}

void embedded_refuse(const struct embedded *em, const struct refusal *r, struct aw_error *err)
{
    switch (r->full) {
    case FULL_NOT:
        return; /* it is not the submit that found no room, but the set */
    case FULL_QUEUE:
    case FULL_USER:
        say_jobs(em, r, err);
        break;
    case FULL_EDGES:
    case FULL_USER_EDGES:
        say_edges(em, r, err);
        break;
    case FULL_BYTES:
    case FULL_USER_BYTES:
        say_bytes(em, r, err);
        break;
    }
    if (err->code == AW_ERR_LIMIT)
        err->retry_after_ms = 0;
}

/* ---- The list of them ----------------------------------------------------------------------- */

struct users_call {
    const struct embedded *em;
    void (*fn)(void *arg, const struct engine_user *user);
    void *arg;
};

static void user_tell(void *arg, struct numnode *node)
{
    const struct users_call *call = arg;
    const struct account *account = numtable_entry(node, struct account, node);
    struct engine_user user = {
        .uid = account_uid(account),
        .waiting = account->n_jobs - account->n_active,
        .running = account->n_active,
        .kept = account->kept,
        .bytes = account->bytes,
        .sets = account->sets,
        .dependencies = account->n_edges,
    };

    call->fn(call->arg, &user);
}

void embedded_users(struct engine *e, void (*fn)(void *arg, const struct engine_user *user),
                    void *arg)
{
    struct embedded *em = embedded_of(e);
    struct users_call call = {em, fn, arg};

    numtable_each(&embedded_accounts(em)->table, user_tell, &call);
}

struct user_limits embedded_user_limits(struct engine *e, uint32_t uid)
{
    return embedded_limits_of(embedded_of(e), uid);
}
