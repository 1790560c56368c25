/*
 * set-read: members of a set in the order in which they end; waits for more.
 *
 * What is there is answered at once. When nothing is, the request is parked; an event that tells
 * of a completion behind the place, or that none will come, has it read once more.
 */
#include "daemon/ops/set_watch.h"
#include "daemon/ops/view.h"

struct reader {
    struct parked_set parked; /* first */
    struct set_read read;
    uint64_t place; /* completions behind this one are wanted */
    bool again;     /* something happened while it was being read */
    char text[];    /* the set's name, and the consumer's */
};

static struct reader *reader_of(struct parked_set *p)
{
    return (struct reader *)p;
}

static void reader_fail(struct reader *r, enum aw_err e, const char *text)
{
    struct aw_error err;

    aw_fail(&err, e, "%s", text);
    parked_set_fail(&r->parked, &err);
}

static void reader_answer(struct reader *r, const struct set_page *page)
{
    const struct set_status *set = &page->set.status;
    struct set_read_rep rep = {
        .set = *set,
        .first = page->n ? page->first : 0,
        .cursor = page->cursor,
        .done = set_is_complete(set) && r->place + page->n >= set->n_ended,
    };
    struct view view;

    if (!view_init(&view, r->parked.x->srv, page->n)) {
        reader_fail(r, AW_ERR_NO_MEMORY, "set-read: out of memory");
        return;
    }
    for (size_t i = 0; i < page->n; i++)
        view_set_found(&view, i, &page->jobs[i]);
    rep.jobs.v = view.jobs;
    rep.jobs.n = page->n;
    parked_set_reply(&r->parked, &rep);
    view_done(&view);
}

static void reader_look(struct reader *r);

static void got(void *arg, const struct aw_error *err, const struct set_page *page)
{
    struct reader *r = arg;
    struct parked_set *p = &r->parked;
    const struct set_status *set;

    if (!parked_set_back(p))
        return;
    if (err) {
        parked_set_fail(p, err);
        return;
    }
    set = &page->set.status;
    r->read.ack = 0; /* it is done */
    r->place = r->read.after < 0 ? page->cursor : (uint64_t)r->read.after;
    if (!parked_set_watch(p, page->set.id))
        reader_fail(r, AW_ERR_NO_MEMORY, "set-read: out of memory");
    else if (page->n || r->read.limit == 0 || p->over ||
             (set_is_complete(set) && r->place >= set->n_ended))
        reader_answer(r, page);
    else if (r->again)
        reader_look(r);
}

static void reader_look(struct reader *r)
{
    r->parked.reading = true;
    r->again = false;
    engine_set_read(r->parked.x->srv->engine, &r->read, got, r);
}

static void changed(struct parked_set *p, const struct set_info *set)
{
    struct reader *r = reader_of(p);

    if (p->reading)
        r->again = true;
    else if (set->status.n_ended > r->place || set_is_complete(&set->status))
        reader_look(r);
}

/* Once more, for the set as it is by now. */
static void timeout(struct parked_set *p)
{
    reader_look(reader_of(p));
}

static struct bytes keep(char **at, struct bytes b)
{
    struct bytes kept = {*at, b.len};

    if (b.len)
        memcpy(*at, b.data, b.len);
    *at += b.len;
    return kept;
}

void op_set_read(struct exchange *x)
{
    const struct set_read_req *req = x->args;
    int64_t timeout_ms = (int64_t)req->timeout_ms;
    struct reader *r = calloc(1, sizeof(*r) + req->set.len + req->consumer.len);
    char *at = r ? r->text : NULL;

    if (!r) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "set-read: out of memory");
        return;
    }
    r->read = (struct set_read){
        .uid = exchange_uid(x),
        .name = keep(&at, req->set),
        .consumer = keep(&at, req->consumer),
        .after = req->after,
        .ack = req->ack,
        .limit = (size_t)req->limit,
    };
    r->parked.changed = changed;
    r->parked.timeout = timeout;
    parked_set_init(&r->parked, x, timeout_ms);
    reader_look(r);
}
