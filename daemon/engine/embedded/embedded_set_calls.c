/* The embedded engine's calls on sets: each is one operation of the store, or several in turn. */
#include "daemon/engine/embedded/embedded_private.h"

#include <event2/util.h>

#include "proto/limits.h"

/* What all calls on one set have. The copy of its name is what comes back in the answer. */
struct set_call {
    struct embedded *em;
    void *arg;
    char name[AW_MAX_SET_NAME];
};

static struct bytes text_copy(char *to, size_t size, struct bytes from)
{
    from.len = MIN(from.len, size);
    if (from.len)
        memcpy(to, from.data, from.len);
    return bytes_of(to, from.len);
}

static struct store_set_name set_call_init(struct set_call *call, struct embedded *em, uint32_t uid,
                                           struct bytes name, void *arg)
{
    call->em = em;
    call->arg = arg;
    return (struct store_set_name){.uid = uid,
                                   .name = text_copy(call->name, sizeof(call->name), name)};
}

/* Somebody looked at it. */
static void touch(struct embedded *em, uint64_t id)
{
    struct set *set = sets_find(&em->sets, id);

    if (set)
        sets_touch(&em->sets, set);
}

/* ---- Add ----------------------------------------------------------------------------------- */

struct add_call {
    struct store_set_add op;
    struct set_call call;
    engine_set_add_fn done;
    struct set *head; /* in case that it is made */
    struct account *account;
    struct job_result *results;
    uint64_t numbers[];
};

static void add_free(struct add_call *add)
{
    set_free(add->head);
    accounts_release(embedded_accounts(add->call.em), add->account);
    store_effects_free(&add->op.effects);
    free(add->results);
    free(add);
}

static void add_done(struct store_op *op)
{
    struct add_call *add = (struct add_call *)op;
    struct embedded *em = add->call.em;

    for (size_t i = 0; !op->error.code && i < add->op.n; i++)
        if (add->results[i].err == AW_ERR_EXPIRED_ID &&
            embedded_is_unknown(em, add->results[i].number))
            add->results[i].err = AW_ERR_UNKNOWN_ID;
    if (!op->error.code) {
        embedded_account(em, &add->op.effects);
        embedded_tell(em, &add->op.effects, &add->head);
        touch(em, add->op.info.id);
    }
    add->done(add->call.arg, op_error(op), &add->op.info, add->results, add->op.n);
    add_free(add);
}

/* One that nobody can guess: who knows it was told it. */
static struct bytes name_make(char name[AW_MAX_SET_NAME])
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint8_t random[26];

    evutil_secure_rng_get_bytes(random, sizeof(random));
    name[0] = '~';
    for (size_t i = 0; i < sizeof(random); i++)
        name[i + 1] = digits[random[i] % 32];
    return bytes_of(name, sizeof(random) + 1);
}

static struct add_call *add_make(struct embedded *em, const struct set_add *what, void *arg)
{
    struct add_call *add = calloc(1, sizeof(*add) + what->n * sizeof(*add->numbers));

    if (!add)
        return NULL;
    add->op.set = set_call_init(&add->call, em, what->uid, what->name, arg);
    add->op.set.max_sets = embedded_limits_of(em, what->uid).max_sets;
    add->op.fresh = what->name.len == 0;
    if (add->op.fresh)
        add->op.set.name = name_make(add->call.name);
    add->results = calloc(what->n + 1, sizeof(*add->results));
    add->head = set_new(add->op.set.name);
    add->account = accounts_hold(embedded_accounts(em), what->uid);
    if (add->results && add->head && add->account)
        return add;
    add_free(add);
    return NULL;
}

void embedded_set_add(struct engine *e, const struct set_add *what, engine_set_add_fn done,
                      void *arg)
{
    struct embedded *em = embedded_of(e);
    struct add_call *add = add_make(em, what, arg);

    if (!add) {
        done(arg, &embedded_no_memory, NULL, NULL, 0);
        return;
    }
    add->done = done;
    if (what->n)
        memcpy(add->numbers, what->numbers, what->n * sizeof(*what->numbers));
    add->op.admin = what->admin;
    add->op.close = what->close;
    add->op.numbers = add->numbers;
    add->op.n = what->n;
    add->op.now_us = now_us();
    add->op.results = add->results;
    add->op.op.done = add_done;
    store_set_add_init(&add->op);
    store_push(em->store, &add->op.op);
}

/* ---- Get and close -------------------------------------------------------------------------- */

struct get_call {
    struct store_set_get op;
    struct set_call call;
    engine_set_fn done;
};

static void get_done(struct store_op *op)
{
    struct get_call *get = (struct get_call *)op;

    if (!op->error.code) {
        embedded_tell(get->call.em, &get->op.effects, NULL);
        touch(get->call.em, get->op.info.id);
    }
    get->done(get->call.arg, op_error(op), &get->op.info);
    store_effects_free(&get->op.effects);
    free(get);
}

static void set_get(struct embedded *em, uint32_t uid, struct bytes name, bool close,
                    engine_set_fn done, void *arg)
{
    struct get_call *get = calloc(1, sizeof(*get));

    if (!get) {
        done(arg, &embedded_no_memory, NULL);
        return;
    }
    get->op.set = set_call_init(&get->call, em, uid, name, arg);
    get->done = done;
    get->op.close = close;
    get->op.now_us = now_us();
    get->op.op.done = get_done;
    store_set_get_init(&get->op);
    store_push(em->store, &get->op.op);
}

void embedded_set_get(struct engine *e, uint32_t uid, struct bytes name, engine_set_fn done,
                      void *arg)
{
    set_get(embedded_of(e), uid, name, false, done, arg);
}

void embedded_set_close(struct engine *e, uint32_t uid, struct bytes name, engine_set_fn done,
                        void *arg)
{
    set_get(embedded_of(e), uid, name, true, done, arg);
}

/* ---- List ---------------------------------------------------------------------------------- */

struct list_call {
    struct store_set_list op;
    engine_set_list_fn done;
    void *arg;
    struct set_info *infos;
    char prefix[AW_MAX_SET_NAME], after[AW_MAX_SET_NAME];
};

static void list_done(struct store_op *op)
{
    struct list_call *list = (struct list_call *)op;

    list->done(list->arg, op_error(op), list->infos, list->op.n, list->op.more);
    store_arena_free(&list->op.arena);
    free(list->infos);
    free(list);
}

void embedded_set_list(struct engine *e, const struct set_list_filter *filter,
                       engine_set_list_fn done, void *arg)
{
    struct embedded *em = embedded_of(e);
    struct list_call *list = calloc(1, sizeof(*list));

    if (list)
        list->infos = calloc(filter->limit + 1, sizeof(*list->infos));
    if (!list || !list->infos) {
        free(list);
        done(arg, &embedded_no_memory, NULL, 0, false);
        return;
    }
    list->done = done;
    list->arg = arg;
    list->op.filter = *filter;
    list->op.filter.prefix = text_copy(list->prefix, sizeof(list->prefix), filter->prefix);
    list->op.filter.after = text_copy(list->after, sizeof(list->after), filter->after);
    list->op.infos = list->infos;
    list->op.op.done = list_done;
    store_set_list_init(&list->op);
    store_push(em->store, &list->op.op);
}

/* ---- Show: slice after slice --------------------------------------------------------------- */

struct show_call {
    struct store_set_times op;
    struct set_call call;
    engine_set_show_fn done;
    struct set_info info;
    struct histogram queue_wait, run, total;
};

static void show_answer(struct show_call *show)
{
    struct set_show_rep rep = {.set = show->info.status};

    histogram_read(&show->queue_wait, &rep.queue_wait);
    histogram_read(&show->run, &rep.run);
    histogram_read(&show->total, &rep.total);
    show->done(show->call.arg, NULL, &rep);
    free(show);
}

static void show_done(struct store_op *op)
{
    struct show_call *show = (struct show_call *)op;

    if (op->error.code) {
        show->done(show->call.arg, &op->error, NULL);
        free(show);
        return;
    }
    if (!show->op.id)
        show->info = show->op.info;
    histogram_merge(&show->queue_wait, &show->op.queue_wait);
    histogram_merge(&show->run, &show->op.run);
    histogram_merge(&show->total, &show->op.total);
    touch(show->call.em, show->info.id);
    if (show->op.last == 0) {
        show_answer(show);
        return;
    }
    show->op.id = show->info.id;
    show->op.after = show->op.last;
    show->op.upto = show->info.status.n_ended;
    store_push(show->call.em->store, op);
}

void embedded_set_show(struct engine *e, uint32_t uid, struct bytes name, engine_set_show_fn done,
                       void *arg)
{
    struct embedded *em = embedded_of(e);
    struct show_call *show = calloc(1, sizeof(*show));

    if (!show) {
        done(arg, &embedded_no_memory, NULL);
        return;
    }
    show->op.set = set_call_init(&show->call, em, uid, name, arg);
    show->done = done;
    show->op.op.done = show_done;
    store_set_times_init(&show->op);
    store_push(em->store, &show->op.op);
}

/* ---- Pages --------------------------------------------------------------------------------- */

struct page_call {
    struct store_set_page op;
    struct set_call call;
    engine_set_page_fn done;
    char consumer[AW_MAX_CONSUMER];
};

static void page_done(struct store_op *op)
{
    struct page_call *page = (struct page_call *)op;

    if (!op->error.code)
        touch(page->call.em, page->op.page.set.id);
    page->done(page->call.arg, op_error(op), &page->op.page);
    store_arena_free(&page->op.arena);
    free(page);
}

static struct page_call *page_make(struct embedded *em, uint32_t uid, struct bytes name,
                                   engine_set_page_fn done, void *arg)
{
    struct page_call *page = calloc(1, sizeof(*page));

    if (!page) {
        done(arg, &embedded_no_memory, NULL);
        return NULL;
    }
    page->op.set = set_call_init(&page->call, em, uid, name, arg);
    page->done = done;
    page->op.op.done = page_done;
    return page;
}

void embedded_set_members(struct engine *e, uint32_t uid, struct bytes name, uint64_t after,
                          size_t limit, engine_set_page_fn done, void *arg)
{
    struct embedded *em = embedded_of(e);
    struct page_call *page = page_make(em, uid, name, done, arg);

    if (!page)
        return;
    page->op.after = (int64_t)MIN(after, (uint64_t)INT64_MAX);
    page->op.limit = limit;
    store_set_page_init(&page->op);
    store_push(em->store, &page->op.op);
}

void embedded_set_read(struct engine *e, const struct set_read *read, engine_set_page_fn done,
                       void *arg)
{
    struct embedded *em = embedded_of(e);
    struct page_call *page = page_make(em, read->uid, read->name, done, arg);

    if (!page)
        return;
    page->op.completions = true;
    page->op.consumer = text_copy(page->consumer, sizeof(page->consumer), read->consumer);
    page->op.after = read->after;
    page->op.ack = read->ack;
    page->op.limit = read->limit;
    store_set_page_init(&page->op);
    store_push(em->store, &page->op.op);
}

/* ---- Forget -------------------------------------------------------------------------------- */

struct forget_call {
    struct store_set_forget op;
    struct set_call call;
    engine_done_fn done;
};

static void forget_done(struct store_op *op)
{
    struct forget_call *forget = (struct forget_call *)op;
    struct embedded *em = forget->call.em;

    if (!op->error.code) {
        embedded_account(em, &forget->op.effects);
        embedded_tell(em, &forget->op.effects, NULL);
        if (forget->op.more)
            embedded_sweep_soon(em);
    }
    forget->done(forget->call.arg, op_error(op));
    store_effects_free(&forget->op.effects);
    free(forget);
}

void embedded_set_forget(struct engine *e, uint32_t uid, struct bytes name, engine_done_fn done,
                         void *arg)
{
    struct embedded *em = embedded_of(e);
    struct forget_call *forget = calloc(1, sizeof(*forget));

    if (!forget) {
        done(arg, &embedded_no_memory);
        return;
    }
    forget->op.set = set_call_init(&forget->call, em, uid, name, arg);
    forget->done = done;
    forget->op.op.done = forget_done;
    store_set_forget_init(&forget->op);
    store_push(em->store, &forget->op.op);
}

/* ---- The sets of a job ---------------------------------------------------------------------- */

struct sets_of_call {
    struct store_sets_of op;
    engine_sets_of_fn done;
    void *arg;
};

static void sets_of_done(struct store_op *op)
{
    struct sets_of_call *call = (struct sets_of_call *)op;

    call->done(call->arg, op_error(op), call->op.ids, call->op.n);
    free(call->op.ids);
    free(call);
}

void embedded_sets_of(struct engine *e, uint64_t number, engine_sets_of_fn done, void *arg)
{
    struct embedded *em = embedded_of(e);
    struct sets_of_call *call = calloc(1, sizeof(*call));

    if (!call) {
        done(arg, &embedded_no_memory, NULL, 0);
        return;
    }
    call->op.number = number;
    call->done = done;
    call->arg = arg;
    call->op.op.done = sets_of_done;
    store_sets_of_init(&call->op);
    store_push(em->store, &call->op.op);
}
