/* The rig's calls on sets. */
#include "tests/unit/engine_rig_private.h"

static struct set_info keep_set(struct set_info set)
{
    set.status.name = rig_keep_bytes(set.status.name);
    return set;
}

void rig_on_set_changed(void *arg, const struct set_info *set, uint64_t place, uint64_t job,
                        enum aw_state state)
{
    struct note *n = rig_note(NOTE_SET, job);

    ck_assert_ptr_eq(arg, &rig);
    n->set = keep_set(*set);
    n->place = place;
    n->state = state;
}

static void replied_set(void *arg, const struct aw_error *err, const struct set_info *set)
{
    struct answer *r = rig_replied(arg, err, 0);

    if (!err)
        r->set = keep_set(*set);
}

static void replied_add(void *arg, const struct aw_error *err, const struct set_info *set,
                        const struct job_result *jobs, size_t n)
{
    struct answer *r = rig_replied(arg, err, n);

    if (err)
        return;
    r->set = keep_set(*set);
    r->results = rig_keep(jobs, n * sizeof(*jobs));
}

static void replied_list(void *arg, const struct aw_error *err, const struct set_info *sets,
                         size_t n, bool more)
{
    struct answer *r = rig_replied(arg, err, n);

    if (err)
        return;
    r->sets = rig_keep(sets, n * sizeof(*sets));
    for (size_t i = 0; i < n; i++)
        r->sets[i] = keep_set(sets[i]);
    r->more = more;
}

static void replied_page(void *arg, const struct aw_error *err, const struct set_page *page)
{
    struct answer *r = rig_replied(arg, err, err ? 0 : page->n);
    struct found *jobs;

    if (err)
        return;
    r->page = *page;
    r->page.set = keep_set(page->set);
    jobs = rig_keep(page->jobs, page->n * sizeof(*jobs));
    for (size_t i = 0; i < page->n; i++)
        if (!jobs[i].err)
            jobs[i].record = rig_keep_record(jobs[i].record);
    r->page.jobs = jobs;
}

static void replied_show(void *arg, const struct aw_error *err, const struct set_show_rep *show)
{
    struct answer *r = rig_replied(arg, err, 0);

    if (err)
        return;
    r->show = *show;
    r->show.set.name = rig_keep_bytes(show->set.name);
}

static void replied_ids(void *arg, const struct aw_error *err, const uint64_t *ids, size_t n)
{
    struct answer *r = rig_replied(arg, err, n);

    if (!err)
        r->ids = rig_keep(ids, n * sizeof(*ids));
}

static void replied_done(void *arg, const struct aw_error *err)
{
    rig_replied(arg, err, 0);
}

struct answer *start_set_add(struct set_add add)
{
    struct answer *r = rig_answer_new();

    engine_set_add(rig.e, &add, replied_add, r);
    return r;
}

struct answer *rig_set_make(struct set_add add)
{
    return rig_awaited(start_set_add(add));
}

struct answer *rig_set_add(const char *name, const uint64_t *numbers, size_t n)
{
    return rig_set_make((struct set_add){.name = bytes_str(name), .numbers = numbers, .n = n});
}

struct answer *rig_set_get(const char *name)
{
    struct answer *r = rig_answer_new();

    engine_set_get(rig.e, 0, bytes_str(name), replied_set, r);
    return rig_awaited(r);
}

struct answer *start_set_close(const char *name)
{
    struct answer *r = rig_answer_new();

    engine_set_close(rig.e, 0, bytes_str(name), replied_set, r);
    return r;
}

struct answer *rig_set_close(const char *name)
{
    return rig_awaited(start_set_close(name));
}

struct answer *start_set_forget(const char *name)
{
    struct answer *r = rig_answer_new();

    engine_set_forget(rig.e, 0, bytes_str(name), replied_done, r);
    return r;
}

struct answer *rig_set_forget(const char *name)
{
    return rig_awaited(start_set_forget(name));
}

struct answer *rig_set_list(struct set_list_filter filter)
{
    struct answer *r = rig_answer_new();

    engine_set_list(rig.e, &filter, replied_list, r);
    return rig_awaited(r);
}

struct answer *start_set_show(const char *name)
{
    struct answer *r = rig_answer_new();

    engine_set_show(rig.e, 0, bytes_str(name), replied_show, r);
    return r;
}

struct answer *rig_set_show(const char *name)
{
    return rig_awaited(start_set_show(name));
}

struct answer *rig_set_members(const char *name, uint64_t after, size_t limit)
{
    struct answer *r = rig_answer_new();

    engine_set_members(rig.e, 0, bytes_str(name), after, limit, replied_page, r);
    return rig_awaited(r);
}

static struct answer *set_read(const struct set_read *read)
{
    struct answer *r = rig_answer_new();

    engine_set_read(rig.e, read, replied_page, r);
    return r;
}

struct answer *start_set_read(struct reading reading)
{
    return set_read(&(struct set_read){
        .name = reading.name,
        .consumer = bytes_str(reading.consumer),
        .after = -1,
        .ack = reading.ack,
        .limit = reading.limit ? reading.limit : AW_MAX_PAGE,
    });
}

struct answer *rig_set_read(struct reading reading)
{
    return rig_awaited(start_set_read(reading));
}

struct answer *rig_set_read_at(const char *name, uint64_t after, size_t limit)
{
    return rig_awaited(set_read(
        &(struct set_read){.name = bytes_str(name), .after = (int64_t)after, .limit = limit}));
}

struct answer *rig_sets_of(uint64_t number)
{
    struct answer *r = rig_answer_new();

    engine_sets_of(rig.e, number, replied_ids, r);
    return rig_awaited(r);
}

struct set_status rig_set_status(const char *name)
{
    struct answer *r = rig_set_get(name);

    ck_assert_ok(r);
    ck_assert_bytes_eq(r->set.status.name, name);
    return r->set.status;
}

struct answer *rig_read(struct reading reading)
{
    struct answer *r = rig_set_read(reading);

    ck_assert_ok(r);
    return r;
}

void rig_assert_completions(const uint64_t *numbers, size_t n)
{
    struct answer *r = rig_set_read_at("s", 0, AW_MAX_PAGE);

    ck_assert_ok(r);
    ck_assert_uint_eq(r->n, n);
    ck_assert_uint_eq(r->page.first, 1);
    ck_assert_uint_eq(r->page.set.status.n_ended, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(r->page.jobs[i].record.number, numbers[i]);
}

struct claimed *rig_three_running(uint64_t numbers[3])
{
    struct answer *r;

    for (int i = 0; i < 3; i++)
        numbers[i] = rig_queue(WANT(.name = "x", .set = "s"));
    r = rig_claim(3);
    ck_assert_uint_eq(r->n, 3);
    return r->claims;
}
