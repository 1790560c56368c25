#include "daemon/share.h"

#include "daemon/memory.h"

TAILQ_HEAD(member_line, share_member);

struct share {
    struct shares *all; /* NULL: they are gone */
    LIST_ENTRY(share) entry;
    TAILQ_ENTRY(share) hungry_entry;
    bool hungry;     /* somebody is in line */
    uint64_t who;    /* a uid, or SHARE_UNKNOWN */
    unsigned n_refs; /* members and holds */
    unsigned n_members;
    LIST_HEAD(, share_member) members;
    struct member_line line;
    size_t member_bytes, hold_bytes;
    unsigned works; /* what they weigh */
    size_t work_bytes;
    uint64_t turn; /* that `took` belongs to */
    size_t took;
};

struct shares {
    struct shares_config config;
    void (*on_room)(void *arg);
    void *arg;
    LIST_HEAD(, share) list;
    TAILQ_HEAD(, share) hungry;
    uint64_t turn;
};

struct shares *shares_new(const struct shares_config *config, void (*on_room)(void *arg), void *arg)
{
    struct shares *shares = calloc(1, sizeof(*shares));

    if (!shares)
        return NULL;
    shares->config = *config;
    shares->on_room = on_room;
    shares->arg = arg;
    LIST_INIT(&shares->list);
    TAILQ_INIT(&shares->hungry);
    return shares;
}

static void share_detach(struct share *share)
{
    LIST_REMOVE(share, entry);
    if (share->hungry)
        TAILQ_REMOVE(&share->all->hungry, share, hungry_entry);
    share->hungry = false;
    share->all = NULL;
}

void shares_free(struct shares *shares)
{
    if (!shares)
        return;
    while (!LIST_EMPTY(&shares->list))
        share_detach(LIST_FIRST(&shares->list));
    free(shares);
}

/* ---- Users ----------------------------------------------------------------------------------- */

/* Users are few; whoever was there last is the first to be looked at. */
static struct share *share_of(struct shares *shares, uint64_t who)
{
    struct share *share;

    LIST_FOREACH (share, &shares->list, entry) {
        if (share->who == who) {
            LIST_REMOVE(share, entry);
            LIST_INSERT_HEAD(&shares->list, share, entry);
            return share;
        }
    }
    share = calloc(1, sizeof(*share));
    if (!share)
        return NULL;
    share->all = shares;
    share->who = who;
    LIST_INIT(&share->members);
    TAILQ_INIT(&share->line);
    LIST_INSERT_HEAD(&shares->list, share, entry);
    return share;
}

static void share_unref(struct share *share)
{
    if (--share->n_refs)
        return;
    if (share->all)
        share_detach(share);
    free(share);
}

static size_t half(const struct share *share)
{
    return share->all && share->all->config.max_memory ? share->all->config.max_memory / 2
                                                       : SIZE_MAX;
}

static bool works_room(const struct share *share)
{
    return share->works < SHARE_WORK && share->work_bytes < SHARE_WORK_BYTES;
}

/* Who has had all of this turn may go on in the next. */
static void wake_line(const struct share *share)
{
    if (share->hungry && works_room(share))
        share->all->on_room(share->all->arg);
}

/* ---- Connections ----------------------------------------------------------------------------- */

/* 0: any number. */
static unsigned max_members(const struct share *share)
{
    bool all = share->who == 0 || share->who == geteuid();

    return all ? 0 : share->all->config.max_connections;
}

static bool too_many(const struct share *share)
{
    unsigned max = max_members(share);

    return max && share->n_members >= max;
}

bool share_join(struct shares *shares, uint64_t who, struct share_member *member)
{
    struct share *share = share_of(shares, who);

    if (!share || too_many(share))
        return false;
    share->n_refs++;
    share->n_members++;
    member->share = share;
    LIST_INSERT_HEAD(&share->members, member, entry);
    return true;
}

static void line_leave(struct share_member *member)
{
    struct share *share = member->share;

    TAILQ_REMOVE(&share->line, member, line);
    member->in_line = false;
    if (!TAILQ_EMPTY(&share->line) || !share->hungry)
        return;
    TAILQ_REMOVE(&share->all->hungry, share, hungry_entry);
    share->hungry = false;
}

void share_leave(struct share_member *member)
{
    struct share *share = member->share;

    if (!share)
        return;
    if (member->in_line)
        line_leave(member);
    memory_note(member->memory);
    share_resize(member, 0);
    LIST_REMOVE(member, entry);
    share->n_members--;
    member->share = NULL;
    share_unref(share);
}

void share_resize(struct share_member *member, size_t memory)
{
    member->share->member_bytes += memory - member->memory;
    member->memory = memory;
}

struct share_member *share_excess(const struct share *share)
{
    struct share_member *member, *most;
    bool oldest = share->who == SHARE_UNKNOWN;

    if (share->member_bytes <= half(share))
        return NULL;
    most = LIST_FIRST(&share->members); /* the newest */
    LIST_FOREACH (member, &share->members, entry) {
        if (member->memory > most->memory || (oldest && member->memory == most->memory))
            most = member;
    }
    return most;
}

void share_relieve(const struct share *share)
{
    struct share_member *most;

    while ((most = share_excess(share)))
        most->shut(most);
}

void shares_each(const struct shares *shares, void (*fn)(void *arg, const struct share_user *user),
                 void *arg)
{
    const struct share *share;

    LIST_FOREACH (share, &shares->list, entry) {
        if (share->who != SHARE_UNKNOWN)
            fn(arg,
               &(struct share_user){(uint32_t)share->who, share->n_members, max_members(share)});
    }
}

void share_took(struct share *share, size_t n)
{
    if (share->turn != share->all->turn) {
        share->turn = share->all->turn;
        share->took = 0;
    }
    share->took += n;
}

bool share_may_take(const struct share *share)
{
    return works_room(share) && (share->turn != share->all->turn || share->took < SHARE_TURN);
}

void share_line_up(struct share_member *member)
{
    struct share *share = member->share;

    if (member->in_line)
        return;
    member->in_line = true;
    TAILQ_INSERT_TAIL(&share->line, member, line);
    if (!share->hungry)
        TAILQ_INSERT_TAIL(&share->all->hungry, share, hungry_entry);
    share->hungry = true;
    wake_line(share);
}

struct share_member *shares_next(struct shares *shares, bool first)
{
    struct share_member *member;
    struct share *share;

    if (first)
        shares->turn++;
    TAILQ_FOREACH (share, &shares->hungry, hungry_entry) {
        if (!share_may_take(share))
            continue;
        TAILQ_REMOVE(&shares->hungry, share, hungry_entry);
        TAILQ_INSERT_TAIL(&shares->hungry, share, hungry_entry);
        member = TAILQ_FIRST(&share->line);
        line_leave(member);
        return member;
    }
    TAILQ_FOREACH (share, &shares->hungry, hungry_entry)
        wake_line(share);
    return NULL;
}

/* ---- Requests -------------------------------------------------------------------------------- */

void share_begin(struct share_hold *hold, struct share *share, size_t cost, unsigned weight)
{
    *hold = (struct share_hold){share, cost, weight, true};
    if (!share)
        return;
    share->n_refs++;
    share->works += weight;
    share->work_bytes += cost;
    share->hold_bytes += cost;
}

void share_rest(struct share_hold *hold)
{
    struct share *share = hold->share;

    if (!share || !hold->works)
        return;
    hold->works = false;
    share->works -= hold->weight;
    share->work_bytes -= hold->cost;
    wake_line(share);
}

void share_end(struct share_hold *hold)
{
    struct share *share = hold->share;

    if (!share)
        return;
    share_rest(hold);
    memory_note(hold->cost);
    share->hold_bytes -= hold->cost;
    hold->share = NULL;
    share_unref(share);
}

bool share_has_room(const struct share *share, size_t cost)
{
    return !share || share->hold_bytes == 0 || share->hold_bytes + cost <= half(share);
}
