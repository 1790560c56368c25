/* users: what each user has, and may have; of somebody else only administrators hear. */
#include "daemon/dispatch.h"

struct users {
    const struct exchange *x;
    struct user_status *v;
    size_t n, room;
    bool no_memory;
};

/* A new one. Others may move in memory. NULL: out of memory. */
static struct user_status *user_add(struct users *users, uint32_t uid)
{
    struct user_status *v = users->v;

    if (users->n == users->room) {
        size_t room = MAX(users->room * 2, (size_t)16);

        v = reallocarray(v, room, sizeof(*v));
        if (!v) {
            users->no_memory = true;
            return NULL;
        }
        users->v = v;
        users->room = room;
    }
    v += users->n++;
    *v = (struct user_status){.uid = uid};
    return v;
}

static bool is_wanted(const struct users *users, uint32_t uid)
{
    const struct users_req *req = users->x->args;

    return (int64_t)uid > req->after && exchange_may(users->x, uid);
}

/* The rest of what they may have: connections are the endpoint's. */
static void limits_fill(const struct users *users, struct user_status *status)
{
    struct user_limits limits = engine_user_limits(users->x->srv->engine, (uint32_t)status->uid);

    status->max_queued = limits.max_queued;
    status->max_kept = limits.max_kept;
    status->max_bytes = limits.max_bytes;
    status->max_sets = limits.max_sets;
    status->max_dependencies = limits.max_dependencies;
}

static void engine_has(void *arg, const struct engine_user *user)
{
    struct users *users = arg;
    struct user_status *status = is_wanted(users, user->uid) ? user_add(users, user->uid) : NULL;

    if (!status)
        return;
    status->waiting = user->waiting;
    status->running = user->running;
    status->kept = user->kept;
    status->bytes = user->bytes;
    status->sets = user->sets;
    status->dependencies = user->dependencies;
}

static void endpoint_has(void *arg, const struct share_user *user)
{
    struct users *users = arg;
    bool wanted = user->uid != DISPATCH_STRANGERS && is_wanted(users, user->uid);
    struct user_status *status = wanted ? user_add(users, user->uid) : NULL;

    if (!status)
        return;
    status->connections = user->connections;
    status->max_connections = user->max_connections;
}

static int by_uid(const void *a, const void *b)
{
    const struct user_status *x = a, *y = b;

    return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* What the engine said of one, and what the endpoint: each has nothing where the other has. */
static void user_merge(struct user_status *to, const struct user_status *from)
{
#define X(T, KIND, name, sub, need, min, max, def, text) to->name |= from->name;
    USER_STATUS_FIELDS(X, _)
#undef X
}

/* Of some there are two by now. */
static void users_join(struct users *users)
{
    size_t n = 0;

    if (users->n)
        qsort(users->v, users->n, sizeof(*users->v), by_uid);
    for (size_t i = 0; i < users->n; i++) {
        if (n && users->v[n - 1].uid == users->v[i].uid)
            user_merge(&users->v[n - 1], &users->v[i]);
        else
            users->v[n++] = users->v[i];
    }
    users->n = n;
}

void op_users(struct exchange *x)
{
    const struct users_req *req = x->args;
    struct users users = {.x = x};
    struct users_rep rep = {.next = -1};

    engine_users(x->srv->engine, engine_has, &users);
    endpoint_users(x->srv->endpoint, endpoint_has, &users);
    if (users.no_memory) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "users: out of memory");
    } else {
        users_join(&users);
        rep.users.v = users.v;
        rep.users.n = MIN(users.n, (size_t)req->limit);
        for (size_t i = 0; i < rep.users.n; i++)
            limits_fill(&users, &users.v[i]);
        if (rep.users.n < users.n)
            rep.next = (int64_t)users.v[rep.users.n - 1].uid;
        exchange_reply(x, &rep);
    }
    free(users.v);
}
