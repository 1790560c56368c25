#include "daemon/ops/wakes.h"

#include <event2/event.h>

/*
 * What it costs to answer one, in units of less than 2 us: with the answer that was just given to
 * another one, or with a record of its own.
 */
#define COST_AGAIN  1
#define COST_RECORD 4

/* One call of the engine is for so much, and all that are under way for no more than this. */
#define MAX_BATCH   512
#define MAX_READING 1024

TAILQ_HEAD(wake_line, wake);

struct batch {
    struct wakes *wakes;
    struct wake_line line;
    size_t cost;
    size_t n;
    uint64_t numbers[];
};

struct wakes {
    struct server *srv;
    struct wake_line line;
    size_t reading;     /* the cost of all that is being read */
    struct batch *open; /* read in this turn: who wants the same record can still join */
    struct event *turn; /* its end */
};

/* ---- Batches ------------------------------------------------------------------------------- */

/* Whether the last of these numbers is all that it wants. */
static bool is_again(const struct wake *w, const uint64_t *numbers, size_t n)
{
    return n > 0 && w->n == 1 && w->numbers[0] == numbers[n - 1];
}

static size_t cost_of(const struct wake *w, bool again)
{
    return again ? COST_AGAIN : w->n * COST_RECORD;
}

/* How many numbers the line's first want together, as far as they have room in one batch. */
static size_t line_numbers(const struct wakes *wakes)
{
    const struct wake *w, *last = NULL;
    size_t cost = 0, n = 0;

    TAILQ_FOREACH (w, &wakes->line, entry) {
        bool again = last && is_again(w, last->numbers, last->n);

        cost += cost_of(w, again);
        if (last && cost > MAX_BATCH)
            break;
        n += again ? 0 : w->n;
        last = w;
    }
    return n;
}

static struct batch *batch_new(struct wakes *wakes, size_t max_numbers)
{
    struct batch *b = malloc(sizeof(*b) + max_numbers * sizeof(b->numbers[0]));

    if (!b)
        return NULL;
    *b = (struct batch){.wakes = wakes};
    TAILQ_INIT(&b->line);
    return b;
}

static void batch_add(struct batch *b, struct wake *w)
{
    bool again = is_again(w, b->numbers, b->n);
    size_t cost = cost_of(w, again);

    if (!again) {
        memcpy(&b->numbers[b->n], w->numbers, w->n * sizeof(*w->numbers));
        b->n += w->n;
    }
    w->state = WAKE_READING;
    TAILQ_INSERT_TAIL(&b->line, w, entry);
    b->cost += cost;
    b->wakes->reading += cost;
}

static void line_read(struct wakes *wakes);

/* In the order in which they were added, which is that of the numbers. */
static void got(void *arg, const struct aw_error *err, const struct found *jobs, size_t n)
{
    struct batch *b = arg;
    struct wakes *wakes = b->wakes;
    struct wake *w, *next;
    size_t at = 0; /* behind the numbers of the last one */

    (void)n;
    if (wakes->open == b)
        wakes->open = NULL;
    exchange_forget_answer(wakes->srv);
    for (w = TAILQ_FIRST(&b->line); w; w = next) {
        next = TAILQ_NEXT(w, entry); /* it may be freed */
        if (!is_again(w, b->numbers, at))
            at += w->n;
        w->state = WAKE_NOT;
        w->fn(w, err, err ? NULL : &jobs[at - w->n]);
    }
    wakes->reading -= b->cost;
    free(b);
    line_read(wakes);
}

static void batch_read(struct batch *b)
{
    engine_get(b->wakes->srv->engine, b->numbers, b->n, 0, got, b);
}

/* ---- The line ------------------------------------------------------------------------------ */

/* Without memory for a batch it is told so, as the engine would have told it. */
static void no_memory(struct wake *w)
{
    static const struct aw_error err = {AW_ERR_NO_MEMORY, 0, "wait: out of memory"};

    w->state = WAKE_NOT;
    w->fn(w, &err, NULL);
}

static struct wake *line_take(struct wakes *wakes)
{
    struct wake *w = TAILQ_FIRST(&wakes->line);

    TAILQ_REMOVE(&wakes->line, w, entry);
    return w;
}

/* Reads for the first in the line, as far as others have come back. */
static void line_read(struct wakes *wakes)
{
    while (!TAILQ_EMPTY(&wakes->line) &&
           (wakes->reading == 0 || wakes->reading + MAX_BATCH <= MAX_READING)) {
        size_t n = line_numbers(wakes);
        struct batch *b = batch_new(wakes, n);
        const struct wake *w;

        if (!b) {
            no_memory(line_take(wakes));
            continue;
        }
        while ((w = TAILQ_FIRST(&wakes->line)) &&
               (b->n < n || (b->cost < MAX_BATCH && is_again(w, b->numbers, b->n))))
            batch_add(b, line_take(wakes));
        batch_read(b);
    }
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct wakes *wakes = arg;

    (void)fd;
    (void)what;
    wakes->open = NULL;
}

void wake_line_up(struct wakes *wakes, struct wake *w)
{
    struct batch *b = wakes->open;
    bool nobody = TAILQ_EMPTY(&wakes->line);

    if (nobody && b && is_again(w, b->numbers, b->n) && b->cost < MAX_BATCH) {
        batch_add(b, w);
        return;
    }
    if (!nobody || (wakes->reading && wakes->reading + cost_of(w, false) > MAX_READING)) {
        w->state = WAKE_LINED_UP;
        TAILQ_INSERT_TAIL(&wakes->line, w, entry);
        return;
    }
    b = batch_new(wakes, w->n);
    if (!b) {
        no_memory(w);
        return;
    }
    batch_add(b, w);
    wakes->open = b;
    event_active(wakes->turn, EV_TIMEOUT, 0);
    batch_read(b);
}

bool wake_leave(struct wakes *wakes, struct wake *w)
{
    if (w->state == WAKE_READING)
        return false;
    if (w->state == WAKE_LINED_UP)
        TAILQ_REMOVE(&wakes->line, w, entry);
    w->state = WAKE_NOT;
    return true;
}

struct wakes *wakes_new(struct server *srv)
{
    struct wakes *wakes = calloc(1, sizeof(*wakes));

    if (!wakes)
        return NULL;
    wakes->srv = srv;
    TAILQ_INIT(&wakes->line);
    wakes->turn = event_new(srv->base, -1, 0, on_turn, wakes);
    if (wakes->turn)
        return wakes;
    wakes_free(wakes);
    return NULL;
}

void wakes_free(struct wakes *wakes)
{
    if (wakes && wakes->turn)
        event_free(wakes->turn);
    free(wakes);
}
