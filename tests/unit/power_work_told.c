/* What the engine said, told as facts. */
#include "tests/unit/power_work_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/unit/power_facts.h"

static const char *job_fact(uint64_t number, const char *what)
{
    return fact_name("job %" PRIu64 " %s", number, what);
}

static bool is_none(const char *value)
{
    return strcmp(value, FACT_NONE) == 0;
}

static struct span now_told(const struct answer *r)
{
    return (struct span){work.from, r->at};
}

/* ---- Submits ------------------------------------------------------------------------------------
 */

static void tell_new_job(const struct call *call, size_t i, uint64_t number)
{
    struct span when = now_told(call->answer);
    const char *given = fact_name("number %" PRIu64, number), *key = call->jobs[i].key;

    ck_assert_uint_lt(number, POWER_NUMBERS);
    if (fact_was(given) || !fact_can_be(given, FACT_NONE))
        flaw("number %" PRIu64 " is given out again", number);
    fact_tell(given, when, call->id, "given");
    if (is_none(fact_last(job_fact(number, "state"))))
        fact_tell(job_fact(number, "state"), when, call->id, "waiting");
    fact_tell(job_fact(number, "name"), when, call->id, "%s", call->jobs[i].name);
    fact_tell(job_fact(number, "priority"), when, call->id, "%d", call->jobs[i].priority);
    if (key[0]) {
        if (!fact_can_be(fact_name("key %s", key), FACT_NONE))
            flaw("key %s is job %s's, and job %" PRIu64 " got it, too", key,
                 fact_last(fact_name("key %s", key)), number);
        fact_tell(job_fact(number, "key"), when, call->id, "%s", key);
        fact_tell(fact_name("key %s", key), when, call->id, "%" PRIu64, number);
    }
    work.jobs[number] = call->jobs[i].asked;
    work.numbers[work.n_numbers++ % POWER_NUMBERS] = number;
}

/* The answer to a named request as text. */
static void answer_text(char *text, size_t size, const struct answer *r)
{
    size_t len = 0;

    for (size_t i = 0; i < r->n && len < size; i++)
        len += (size_t)snprintf(text + len, size - len, "%s%" PRIu64, i ? " " : "",
                                r->submitted[i].number);
}

/* Whether nothing happened, as it was an answer that was given before. */
static bool is_resent(const struct call *call)
{
    const char *name = fact_name("request %s", call->request);
    char text[160];

    if (!call->request[0])
        return false;
    answer_text(text, sizeof(text), call->answer);
    if (fact_can_be(name, text)) {
        fact_learned(name, call->answer->at, "%s", text);
        return true;
    }
    if (!fact_can_be(name, FACT_NONE))
        flaw("request %s was answered with %s, and now with %s", call->request, fact_last(name),
             text);
    fact_tell(name, now_told(call->answer), call->id, "%s", text);
    return false;
}

static void tell_submit(const struct call *call)
{
    const struct answer *r = call->answer;

    if (is_resent(call))
        return;
    for (size_t i = 0; i < r->n; i++) {
        uint64_t number = r->submitted[i].number;
        char text[24];

        snprintf(text, sizeof(text), "%" PRIu64, number);
        if (!r->submitted[i].deduplicated)
            tell_new_job(call, i, number);
        else if (!fact_can_be(fact_name("key %s", call->jobs[i].key), text))
            flaw("key %s leads to job %s, not to %s", call->jobs[i].key, text,
                 fact_last(fact_name("key %s", call->jobs[i].key)));
        if (call->name)
            fact_tell(fact_name("set %s holds %s", call->name, text), now_told(r), call->id, "yes");
    }
}

/* ---- Attempts -----------------------------------------------------------------------------------
 */

static void tell_claim(const struct call *call)
{
    const struct answer *r = call->answer;

    for (size_t i = 0; i < r->n; i++) {
        const struct claimed *c = &r->claims[i];
        const char *given = fact_name("claim %" PRIu64, c->claim);

        if (fact_was(given) || !fact_can_be(given, FACT_NONE))
            flaw("claim %" PRIu64 " is given out again", c->claim);
        fact_tell(given, now_told(r), call->id, "given");
        fact_tell(job_fact(c->number, "state"), now_told(r), call->id,
                  "running, attempt %" PRIu64 ", claim %" PRIu64, c->attempt, c->claim);
        ck_assert_uint_lt(work.n_held, POWER_HELD);
        work.held[work.n_held++] = *c;
        work.held[work.n_held - 1].spec = (struct bytes){0};
    }
}

static void tell_finish(const struct call *call)
{
    struct record result = {.class = call->class, .exit_code = call->exit_code};
    uint64_t number = call->claim.number;
    int end = rig_note_at(NOTE_ENDED, number);

    if (call->out[0])
        fact_tell(fact_name("job %" PRIu64 " output %" PRIu64, number, call->claim.attempt),
                  now_told(call->answer), call->id, "%s", call->out);
    if (end < 0)
        fact_tell(job_fact(number, "state"), now_told(call->answer), call->id, "waiting");
    else if (call->kind == CALL_FINISH && rig.notes[end].state != AW_CANCELLED)
        fact_tell(job_fact(number, "result"), now_told(call->answer), call->id, "%s",
                  power_result_text(&result));
}

/* ---- Several jobs -------------------------------------------------------------------------------
 */

static void tell_cancel(const struct call *call, const struct job_result *job)
{
    const char *state = job_fact(job->number, "state"), *now = fact_last(state);

    if (job->state == AW_RUNNING && strncmp(now, "running", 7) == 0 && !strstr(now, "stop"))
        fact_tell(state, now_told(call->answer), call->id, "%s", fact_name("%s, to stop", now));
}

static void tell_results(const struct call *call)
{
    const struct answer *r = call->answer;

    for (size_t i = 0; i < r->n; i++) {
        const struct job_result *job = &r->results[i];

        if (job->err)
            continue;
        if (call->kind == CALL_CANCEL)
            tell_cancel(call, job);
        else if (call->kind == CALL_CHANGE && call->has_priority)
            fact_tell(job_fact(job->number, "priority"), now_told(r), call->id, "%d",
                      call->priority);
        else if (call->kind == CALL_SET_ADD)
            fact_tell(fact_name("set %s holds %" PRIu64, call->name, job->number), now_told(r),
                      call->id, "yes");
    }
}

/* ---- Sets ---------------------------------------------------------------------------------------
 */

static size_t set_index(struct bytes name)
{
    for (size_t i = 0; i < POWER_SETS; i++)
        if (bytes_eq(name, bytes_str(power_set(i))))
            return i;
    ck_abort_msg("a set that nobody named");
}

static void tell_set(const struct set_info *set, struct span when, unsigned call)
{
    size_t i = set_index(set->status.name);

    if (work.sets_gone[i] != set->id)
        fact_tell(fact_name("set %s state", power_set(i)), when, call, "number %" PRIu64 ", %s",
                  set->id, set->status.closed ? "closed" : "open");
}

static void tell_set_gone(const struct call *call)
{
    size_t i = set_index(bytes_str(call->name));
    unsigned long id = 0;

    if (sscanf(fact_last(fact_name("set %s state", call->name)), "number %lu", &id) == 1)
        work.sets_gone[i] = id;
    memset(work.acks[i], 0, sizeof(work.acks[i]));
    fact_tell_none(fact_name("set %s ", call->name), now_told(call->answer), call->id);
}

static void tell_page(const struct call *call)
{
    const struct set_page *page = &call->answer->page;

    for (size_t i = 0; i < page->n; i++)
        fact_tell(fact_name("set %s place %" PRIu64, call->name, page->first + i),
                  now_told(call->answer), 0, "job %" PRIu64 ", %s", page->jobs[i].record.number,
                  aw_state_name(page->jobs[i].record.state));
    if (page->cursor)
        fact_tell(fact_name("set %s read by %s", call->name, call->consumer),
                  now_told(call->answer), call->id, "%" PRIu64, page->cursor);
    *call->ack_next = page->n ? page->first + page->n - 1 : 0;
}

/* ---- All of it ----------------------------------------------------------------------------------
 */

static void tell_call(const struct call *call)
{
    switch (call->kind) {
    case CALL_SUBMIT:
        tell_submit(call);
        break;
    case CALL_CLAIM:
        tell_claim(call);
        break;
    case CALL_FINISH:
    case CALL_RELEASE:
        tell_finish(call);
        break;
    case CALL_SET_ADD:
        tell_set(&call->answer->set, now_told(call->answer), call->id);
        tell_results(call);
        break;
    case CALL_CANCEL:
    case CALL_CHANGE:
    case CALL_FORGET:
        tell_results(call);
        break;
    case CALL_SET_CLOSE:
        tell_set(&call->answer->set, now_told(call->answer), call->id);
        break;
    case CALL_SET_FORGET:
        tell_set_gone(call);
        break;
    case CALL_SET_READ:
        tell_page(call);
        break;
    case CALL_QUEUE_SET:
        fact_tell(fact_name("queue %s", call->name), now_told(call->answer), call->id, "%s",
                  power_queue_text(&call->answer->queues[0]));
        break;
    case CALL_QUEUE_REMOVE:
        fact_tell(fact_name("queue %s", call->name), now_told(call->answer), call->id, FACT_NONE);
        break;
    }
}

static void tell_reply(const struct answer *r)
{
    for (size_t i = 0; i < work.n_burst; i++) {
        if (work.burst[i].answer != r)
            continue;
        if (r->err.code == AW_OK)
            tell_call(&work.burst[i]);
        else if (r->err.code == AW_ERR_IN_DOUBT || r->err.code == AW_ERR_STORE ||
                 r->err.code == AW_ERR_INTERNAL)
            flaw("the engine failed: %s", r->err.text);
        else if (work.burst[i].ack_next)
            *work.burst[i].ack_next = 0;
    }
}

/* It may have gone any time since it ended; but not before the last calls but one. */
static void tell_gone(const struct note *note)
{
    struct span when = {work.before, note->at};
    const char *key = fact_last(job_fact(note->number, "key"));

    if (!is_none(key))
        fact_tell(fact_name("key %s", key), when, 0, FACT_NONE);
    fact_tell_none(fact_name("job %" PRIu64 " ", note->number), when, 0);
}

static void tell_set_note(const struct note *note)
{
    struct span when = {work.from, note->at};

    tell_set(&note->set, when, 0);
    if (note->place)
        fact_tell(fact_name("set %s place %" PRIu64, power_set(set_index(note->set.status.name)),
                            note->place),
                  when, 0, "job %" PRIu64 ", %s", note->number, aw_state_name(note->state));
}

void power_notes_tell(void)
{
    for (size_t i = 0; i < rig.n_notes; i++) {
        const struct note *note = &rig.notes[i];

        switch (note->kind) {
        case NOTE_REPLY:
            tell_reply(note->reply);
            break;
        case NOTE_ENDED:
            fact_tell(job_fact(note->number, "state"), (struct span){work.from, note->at}, 0, "%s",
                      aw_state_name(note->state));
            break;
        case NOTE_SET:
            tell_set_note(note);
            break;
        case NOTE_GONE:
            tell_gone(note);
            break;
        case NOTE_DOWN:
            flaw("the store went down: %s", aw_err_name(note->err));
            break;
        case NOTE_RUNNABLE:
        case NOTE_STOP:
            break;
        }
    }
    rig_forget_notes();
}
