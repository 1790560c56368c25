#include "tests/unit/engine_rig_private.h"

#include <event2/event.h>

struct rig rig;

/* ---- Memory that lives as long as the rig ---------------------------------------------------- */

struct kept {
    struct kept *next;
    max_align_t data[];
};

void *rig_keep(const void *data, size_t size)
{
    struct kept *k = calloc(1, sizeof(*k) + size + 1);

    ck_assert_ptr_nonnull(k);
    k->next = rig.kept;
    rig.kept = k;
    if (data && size)
        memcpy(k->data, data, size);
    return k->data;
}

struct bytes rig_keep_bytes(struct bytes b)
{
    return b.data ? bytes_of(rig_keep(b.data, b.len), b.len) : b;
}

struct answer *rig_answer_new(void)
{
    struct answer *r = rig_keep(NULL, sizeof(*r));

    r->before = rig.replies;
    rig.replies = r;
    return r;
}

/* ---- What comes from the engine -------------------------------------------------------------- */

struct note *rig_note(enum note_kind kind, uint64_t number)
{
    struct note *n;

    if (rig.n_notes == rig.room_notes) {
        rig.room_notes = rig.room_notes * 2 + 64;
        rig.notes = reallocarray(rig.notes, rig.room_notes, sizeof(*rig.notes));
        ck_assert_ptr_nonnull(rig.notes);
    }
    n = &rig.notes[rig.n_notes++];
    *n = (struct note){.kind = kind, .number = number, .at = rig.clock ? rig.clock() : 0};
    return n;
}

static void on_runnable(void *arg)
{
    ck_assert_ptr_eq(arg, &rig);
    rig_note(NOTE_RUNNABLE, 0);
    if (rig.on_runnable)
        rig.on_runnable();
}

static void on_ended(void *arg, const struct ended *jobs, size_t n)
{
    ck_assert_ptr_eq(arg, &rig);
    ck_assert_uint_gt(n, 0);
    for (size_t i = 0; i < n; i++) {
        rig_note(NOTE_ENDED, jobs[i].number)->state = jobs[i].state;
        if (rig.on_ended)
            rig.on_ended(jobs[i].number);
    }
}

static void on_stop(void *arg, uint64_t number, uint64_t claim, int64_t grace_ms)
{
    struct note *n = rig_note(NOTE_STOP, number);

    ck_assert_ptr_eq(arg, &rig);
    n->claim = claim;
    n->grace_ms = grace_ms;
}

static void on_gone(void *arg, const struct gone *jobs, size_t n)
{
    ck_assert_ptr_eq(arg, &rig);
    for (size_t i = 0; i < n; i++)
        rig_note(NOTE_GONE, jobs[i].number)->gone = jobs[i];
}

static void on_down(void *arg, const struct aw_error *err)
{
    ck_assert_ptr_eq(arg, &rig);
    rig_note(NOTE_DOWN, 0)->err = err->code;
}

struct answer *rig_replied(void *arg, const struct aw_error *err, size_t n)
{
    struct answer *r = arg;

    r->times++;
    r->n = n;
    if (err) {
        ck_assert_int_ne(err->code, AW_OK);
        ck_assert_int_gt((int)strlen(err->text), 0);
        r->err = *err;
    }
    rig_note(NOTE_REPLY, 0)->reply = r;
    r->at = rig.notes[rig.n_notes - 1].at;
    return r;
}

/* ---- The rig itself -------------------------------------------------------------------------- */

void rig_open(void)
{
    static const struct engine_events events = {
        .runnable = on_runnable,
        .ended = on_ended,
        .set_changed = rig_on_set_changed,
        .stop = on_stop,
        .gone = on_gone,
        .down = on_down,
    };

    rig.e = rig.factory->open(rig.base, &rig.limits, &events, &rig);
    ck_assert_ptr_nonnull(rig.e);
}

void rig_close(void)
{
    engine_close(rig.e);
    rig.e = NULL;
}

void rig_reopen(void)
{
    rig_close();
    rig_open();
}

void rig_setup(const struct engine_factory *factory)
{
    rig = (struct rig){
        .factory = factory,
        .limits = {.max_queued = 100000, .max_kept = 100000, .retention_ms = 3600 * 1000},
        .base = event_base_new(),
    };
    ck_assert_ptr_nonnull(rig.base);
    factory->prepare();
    rig_open();
}

void rig_teardown(void)
{
    struct kept *next;

    rig_close();
    event_base_free(rig.base);
    for (const struct answer *r = rig.replies; r; r = r->before)
        ck_assert_int_eq(r->times, 1);
    free(rig.notes);
    for (; rig.kept; rig.kept = next) {
        next = rig.kept->next;
        free(rig.kept);
    }
    rig.factory->clean();
}

void rig_turn(void)
{
    ck_assert_int_ge(event_base_loop(rig.base, EVLOOP_ONCE), 0);
}

void rig_await(const struct answer *reply)
{
    while (!reply->times)
        rig_turn();
}

void rig_turn_now(void)
{
    ck_assert_int_ge(event_base_loop(rig.base, EVLOOP_NONBLOCK), 0);
}

int rig_note_at(enum note_kind kind, uint64_t number)
{
    for (size_t i = 0; i < rig.n_notes; i++)
        if (rig.notes[i].kind == kind && (!number || rig.notes[i].number == number))
            return (int)i;
    return -1;
}

int rig_reply_at(const struct answer *reply)
{
    for (size_t i = 0; i < rig.n_notes; i++)
        if (rig.notes[i].kind == NOTE_REPLY && rig.notes[i].reply == reply)
            return (int)i;
    return -1;
}

const struct note *rig_await_note(enum note_kind kind, uint64_t number)
{
    int at;

    while ((at = rig_note_at(kind, number)) < 0)
        rig_turn();
    return &rig.notes[at];
}

int rig_count(enum note_kind kind)
{
    int n = 0;

    for (size_t i = 0; i < rig.n_notes; i++)
        n += rig.notes[i].kind == kind;
    return n;
}

void rig_forget_notes(void)
{
    rig.n_notes = 0;
}

struct answer *rig_awaited(struct answer *r)
{
    rig_await(r);
    return r;
}
