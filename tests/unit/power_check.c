#include "tests/unit/power_check.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>

#include "proto/codec.h"
#include "tests/unit/power_facts.h"
#include "tests/unit/power_work_private.h"

/* What was found of each job, by number. */
static struct job_found {
    bool there;
    struct record record;
} found[POWER_NUMBERS];

static bool told_to_stop[POWER_NUMBERS];

static const char *job_fact(uint64_t number, const char *what)
{
    return fact_name("job %" PRIu64 " %s", number, what);
}

/* ---- Jobs ---------------------------------------------------------------------------------------
 */

static const char *state_text(const struct record *r)
{
    if (r->state < AW_RUNNING)
        return "waiting";
    if (r->state > AW_RUNNING)
        return aw_state_name(r->state);
    return fact_name("running, attempt %" PRIu64 ", claim %" PRIu64 "%s", r->attempt, r->claim,
                     r->flags & RECORD_CANCEL_REQUESTED ? ", to stop" : "");
}

static void find_name(const struct record *r)
{
    struct codec_doc doc = {0};
    struct job job;

    if (codec_open(r->spec.data, r->spec.len, &doc, NULL) ||
        codec_read(&doc, &job_schema, &job, NULL))
        flaw("job %" PRIu64 " has a damaged specification", r->number);
    else
        fact_found(job_fact(r->number, "name"), "%.*s", (int)job.name.len,
                   (const char *)job.name.data);
    codec_close(&doc);
}

static void find_outputs(const struct record *r)
{
    for (uint64_t i = 1; i <= r->attempt; i++) {
        const struct answer *out = rig_output(r->number, i, STREAM_STDOUT, 0, 100);

        if (out->data.len)
            fact_found(fact_name("job %" PRIu64 " output %" PRIu64, r->number, i), "%.*s",
                       (int)out->data.len, (const char *)out->data.data);
    }
}

static void find_job(const struct record *r)
{
    if (r->number >= POWER_NUMBERS) {
        flaw("job %" PRIu64 " is there, and was never heard of", r->number);
        return;
    }
    found[r->number] = (struct job_found){true, *r};
    fact_found(job_fact(r->number, "state"), "%s", state_text(r));
    fact_found(job_fact(r->number, "priority"), "%d", r->priority);
    find_name(r);
    if (r->key.len) {
        fact_found(job_fact(r->number, "key"), "%.*s", (int)r->key.len, (const char *)r->key.data);
        fact_found(fact_name("key %.*s", (int)r->key.len, (const char *)r->key.data), "%" PRIu64,
                   r->number);
    }
    if (r->state > AW_RUNNING)
        fact_learned(job_fact(r->number, "result"), rig.clock(), "%s", power_result_text(r));
    find_outputs(r);
}

static void find_jobs(void)
{
    uint64_t next = 0;

    memset(found, 0, sizeof(found));
    do {
        const struct answer *r =
            rig_list((struct list_filter){.uid = -1, .limit = AW_MAX_PAGE, .before = next});

        if (r->err.code) {
            flaw("jobs cannot be listed: %s", r->err.text);
            return;
        }
        for (size_t i = 0; i < r->n; i++)
            find_job(&r->records[i]);
        next = r->next;
    } while (next);
}

/* ---- Sets ---------------------------------------------------------------------------------------
 */

/* The members; how many have ended. */
static size_t find_members(const char *set, size_t *ret_ended)
{
    uint64_t after = 0;
    size_t n = 0;

    *ret_ended = 0;
    do {
        const struct answer *r = rig_set_members(set, after, AW_MAX_PAGE);

        for (size_t i = 0; i < r->n; i++, n++) {
            const struct found *job = &r->page.jobs[i];

            fact_found(fact_name("set %s holds %" PRIu64, set, job->record.number), "yes");
            *ret_ended += job->record.state > AW_RUNNING;
        }
        after = r->page.cursor;
        if (r->err.code)
            flaw("the members of set %s cannot be read: %s", set, r->err.text);
    } while (after);
    return n;
}

/* The completions, each of a job of its own. */
static size_t find_places(const char *set)
{
    static size_t seen[POWER_NUMBERS], turn;
    uint64_t n = 0;
    const struct answer *r;

    turn++;
    while ((r = rig_set_read_at(set, n, AW_MAX_PAGE))->n > 0)
        for (size_t i = 0; i < r->n; i++) {
            const struct record *job = &r->page.jobs[i].record;

            if (r->page.first + i != ++n)
                flaw("set %s: place %" PRIu64 " follows after %" PRIu64, set, r->page.first + i,
                     n - 1);
            if (seen[job->number % POWER_NUMBERS] == turn)
                flaw("set %s: job %" PRIu64 " has ended twice", set, job->number);
            seen[job->number % POWER_NUMBERS] = turn;
            fact_learned(fact_name("set %s place %" PRIu64, set, n), rig.clock(),
                         "job %" PRIu64 ", %s", job->number, aw_state_name(job->state));
        }
    if (r->err.code)
        flaw("the completions of set %s cannot be read: %s", set, r->err.text);
    return n;
}

static void find_cursors(const char *set)
{
    for (size_t i = 0; i < POWER_CONSUMERS; i++) {
        const struct answer *r = rig_set_read(
            (struct reading){.name = bytes_str(set), .consumer = power_consumer(i), .limit = 1});

        if (r->page.cursor)
            fact_found(fact_name("set %s read by %s", set, power_consumer(i)), "%" PRIu64,
                       r->page.cursor);
    }
}

static void find_set(const char *name)
{
    const struct answer *r = rig_set_get(name);
    const struct set_status *status = &r->set.status;
    size_t members, ended, places;

    if (r->err.code == AW_ERR_NO_SET)
        return;
    if (r->err.code) {
        flaw("set %s cannot be read: %s", name, r->err.text);
        return;
    }
    fact_found(fact_name("set %s state", name), "number %" PRIu64 ", %s", r->set.id,
               status->closed ? "closed" : "open");
    members = find_members(name, &ended);
    places = find_places(name);
    find_cursors(name);
    if (members != status->n_members || ended != status->n_ended || places != status->n_ended)
        flaw("set %s counts %d members, %d ended; it has %zu, %zu, at %zu places", name,
             (int)status->n_members, (int)status->n_ended, members, ended, places);
}

/* ---- Queues -------------------------------------------------------------------------------------
 */

static void find_queues(void)
{
    const struct answer *r = rig_queue_list();

    for (size_t i = 0; i < r->n; i++)
        fact_found(fact_name("queue %.*s", (int)r->queues[i].name.len,
                             (const char *)r->queues[i].name.data),
                   "%s", power_queue_text(&r->queues[i]));
}

/* ---- What follows from it -----------------------------------------------------------------------
 */

static bool does(enum parent_kind kind, enum aw_state state)
{
    return kind == PARENT_ENDED || (kind == PARENT_SUCCEEDED) == (state == AW_SUCCEEDED);
}

/* Does the engine know that the one waits for the other? */
static bool is_named(uint64_t number, uint64_t parent)
{
    const struct explanation why = rig_why(number);

    for (size_t i = 0; i < why.n_parents_named; i++)
        if (why.parents[i] == parent)
            return true;
    return false;
}

/* A job waits for others exactly as long as they have not ended. */
static void judge_child(uint64_t number)
{
    const struct power_job *asked = power_job(number);
    const struct record *child = &found[number].record;
    bool waits = false, fails = false;

    for (size_t i = 0; i < asked->n_parents; i++) {
        const struct parent *parent = &asked->parents[i];
        const struct job_found *p = &found[parent->number % POWER_NUMBERS];

        if (!p->there)
            continue; /* its record went after the child was told */
        waits |= p->record.state <= AW_RUNNING;
        if (child->state == AW_BLOCKED && p->record.state <= AW_RUNNING &&
            !is_named(number, parent->number))
            flaw("job %" PRIu64 " has forgotten that it waits for job %" PRIu64, number,
                 parent->number);
        fails |= p->record.state > AW_RUNNING && !does(parent->kind, p->record.state);
    }
    if (child->state == AW_BLOCKED && !waits)
        flaw("job %" PRIu64 " waits for others, which have all ended", number);
    if (child->state <= AW_RUNNING && fails)
        flaw("job %" PRIu64 " is '%s', and should have failed", number,
             aw_state_name(child->state));
    if (child->state <= AW_RUNNING && child->state != AW_BLOCKED && waits)
        flaw("job %" PRIu64 " is '%s', but what it waits for has not ended", number,
             aw_state_name(child->state));
}

/* What runs is known to the engine, and is its last claim. */
static void judge_claims(const struct answer *held)
{
    size_t running = 0;

    for (size_t i = 0; i < POWER_NUMBERS; i++)
        running += found[i].there && found[i].record.state == AW_RUNNING;
    for (size_t i = 0; i < held->n; i++) {
        const struct job_found *job = &found[held->claims[i].number % POWER_NUMBERS];

        if (!job->there || job->record.state != AW_RUNNING ||
            job->record.claim != held->claims[i].claim)
            flaw("claim %" PRIu64 " of job %" PRIu64 " is held, but not on record",
                 held->claims[i].claim, held->claims[i].number);
        if ((job->record.flags & RECORD_CANCEL_REQUESTED) &&
            !told_to_stop[held->claims[i].number % POWER_NUMBERS])
            flaw("job %" PRIu64 " is to stop, and its holder was not told", held->claims[i].number);
    }
    if (running != held->n)
        flaw("%zu jobs run, %zu claims are held", running, held->n);
}

void power_check(void)
{
    static const char *const prefixes[] = {"job ", "key ", "set ", "queue "};
    const struct answer *held = rig_recover();

    memset(told_to_stop, 0, sizeof(told_to_stop));
    if (held->err.code) {
        flaw("what ran cannot be found: %s", held->err.text);
        return;
    }
    power_work_hold(held->claims, held->n);
    power_work_await();
    for (size_t i = 0; i < held->n; i++)
        if (rig_note_at(NOTE_STOP, held->claims[i].number) >= 0)
            told_to_stop[held->claims[i].number % POWER_NUMBERS] = true;
    power_notes_tell();
    find_jobs();
    judge_claims(held);
    for (size_t i = 0; i < POWER_SETS; i++)
        find_set(power_set(i));
    find_queues();
    for (uint64_t i = 0; i < POWER_NUMBERS; i++)
        if (found[i].there)
            judge_child(i);
    power_notes_tell();
    facts_found_all(prefixes, sizeof(prefixes) / sizeof(prefixes[0]));
}

static int integrity_row(void *arg, int n, char **values, char **names)
{
    (void)names;
    if (n != 1 || !values[0] || strcmp(values[0], "ok") != 0)
        flaw("%s: damaged: %s", (const char *)arg, n && values[0] ? values[0] : "?");
    return 0;
}

void power_check_file(const char *path)
{
    char copy[512];
    sqlite3 *db;

    snprintf(copy, sizeof(copy), "%s", path);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix") != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA integrity_check", integrity_row, copy, NULL) != SQLITE_OK)
        flaw("%s: %s", path, sqlite3_errmsg(db));
    sqlite3_close(db);
}
