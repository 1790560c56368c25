#include "tests/unit/power_work.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/unit/power_facts.h"
#include "tests/unit/power_work_private.h"

struct power_work work;

void power_work_begin(uint64_t seed)
{
    memset(&work, 0, sizeof(work));
    work.dice.seed = seed;
}

unsigned power_work_calls(void)
{
    return work.n_calls;
}

static size_t roll(size_t n)
{
    return dice_roll(&work.dice, n);
}

static bool once_in(size_t n)
{
    return dice_once_in(&work.dice, n);
}

/* ---- Names and values ---------------------------------------------------------------------------
 */

const char *power_set(size_t i)
{
    static const char *const names[POWER_SETS] = {"s0", "s1", "s2", "s3", "s4", "s5"};

    return names[i];
}

const char *power_consumer(size_t i)
{
    static const char *const names[POWER_CONSUMERS] = {"reader", "writer"};

    return names[i];
}

const char *power_result_text(const struct record *r)
{
    return fact_name("%s, exit %d", aw_class_name(r->class), r->exit_code);
}

const char *power_queue_text(const struct queue_status *q)
{
    return fact_name("slots %d limit %d priority %d%s%s rate %d in %d", (int)q->slots,
                     (int)q->limit, (int)q->priority, q->paused ? " paused" : "",
                     q->draining ? " draining" : "", (int)q->rate, (int)q->rate_ms);
}

const struct power_job *power_job(uint64_t number)
{
    return &work.jobs[number % POWER_NUMBERS];
}

/* ---- Calls --------------------------------------------------------------------------------------
 */

/* Of those that were told, mostly one of the last. */
static uint64_t some_job(void)
{
    size_t far = once_in(3) ? 400 : 40, back = MIN(work.n_numbers, far);

    return back ? work.numbers[work.n_numbers - 1 - roll(back)] : 1;
}

static struct call *call_new(enum call_kind kind)
{
    struct call *call = &work.burst[work.n_burst++];

    ck_assert_uint_lt(work.n_burst, POWER_BURST);
    *call = (struct call){.kind = kind, .id = ++work.n_calls};
    return call;
}

static void call_finish(void)
{
    struct call *call;
    struct outcome o;
    size_t i;

    if (!work.n_held)
        return;
    i = roll(work.n_held);
    call = call_new(CALL_FINISH);
    call->claim = work.held[i];
    work.held[i] = work.held[--work.n_held];
    o = once_in(10) ? outcome_interrupted() : outcome_exit(once_in(3) ? 7 : 0);
    o.stopped = strstr(fact_last(fact_name("job %" PRIu64 " state", call->claim.number)), "stop");
    if (once_in(2))
        snprintf(call->out, sizeof(call->out), "written by call %u", call->id);
    o.output[STREAM_STDOUT].data = bytes_str(call->out);
    o.output[STREAM_STDOUT].size = o.output[STREAM_STDOUT].data.len;
    call->class = o.class;
    call->exit_code = o.exit_code;
    call->answer = start_finish(&call->claim, &o);
}

static void call_release(void)
{
    struct call *call;
    size_t i;

    if (!work.n_held)
        return;
    i = roll(work.n_held);
    call = call_new(CALL_RELEASE);
    call->claim = work.held[i];
    work.held[i] = work.held[--work.n_held];
    call->answer = start_release(&call->claim);
}

static void call_claim(void)
{
    call_new(CALL_CLAIM)->answer = start_claim(1 + roll(6));
}

static size_t some_jobs(uint64_t numbers[4])
{
    size_t n = 1 + roll(4);

    for (size_t i = 0; i < n; i++)
        numbers[i] = some_job();
    return n;
}

static void call_cancel(void)
{
    uint64_t numbers[4];

    call_new(CALL_CANCEL)->answer = start_cancel(numbers, some_jobs(numbers), 1000);
}

static void call_forget(void)
{
    uint64_t numbers[4];

    call_new(CALL_FORGET)->answer = start_forget(numbers, some_jobs(numbers));
}

static void call_change(void)
{
    struct call *call = call_new(CALL_CHANGE);
    uint64_t numbers[4];
    size_t n = some_jobs(numbers);

    call->priority = (int)roll(9) - 4;
    call->has_priority = !once_in(3);
    call->answer =
        start_change(numbers, n,
                     (struct job_change){.priority = call->has_priority ? &call->priority : NULL,
                                         .now = !call->has_priority});
}

static void call_set_add(void)
{
    struct call *call = call_new(CALL_SET_ADD);
    uint64_t numbers[4];

    call->name = power_set(roll(POWER_SETS));
    call->answer = start_set_add((struct set_add){.name = bytes_str(call->name),
                                                  .close = once_in(12),
                                                  .numbers = numbers,
                                                  .n = some_jobs(numbers)});
}

static void call_set_close(void)
{
    struct call *call = call_new(CALL_SET_CLOSE);

    call->name = power_set(roll(POWER_SETS));
    call->answer = start_set_close(call->name);
}

static void call_set_forget(void)
{
    struct call *call = call_new(CALL_SET_FORGET);

    call->name = power_set(roll(POWER_SETS));
    call->answer = start_set_forget(call->name);
}

/* Reads some of what is new, and the next time acknowledges it, as a consumer does. */
static void call_set_read(void)
{
    struct call *call = call_new(CALL_SET_READ);
    size_t set = roll(POWER_SETS), consumer = roll(POWER_CONSUMERS);

    call->name = power_set(set);
    call->consumer = power_consumer(consumer);
    call->ack_next = &work.acks[set][consumer];
    call->answer = start_set_read((struct reading){.name = bytes_str(call->name),
                                                   .consumer = call->consumer,
                                                   .ack = *call->ack_next,
                                                   .limit = 1 + roll(10)});
}

static void call_queue_set(void)
{
    static const char *const names[] = {"default", "q0", "q1", "q2"};
    size_t which = roll(4);
    struct queue_change change = QUEUE_CHANGE();
    struct call *call;
    int priority = (int)roll(5);

    if (which && once_in(6)) {
        call = call_new(CALL_QUEUE_REMOVE);
        call->name = names[which];
        call->answer = start_queue_remove(call->name);
        return;
    }
    call = call_new(CALL_QUEUE_SET);
    call->name = names[which];
    change.create = strcmp(fact_last(fact_name("queue %s", call->name)), FACT_NONE) == 0;
    if (once_in(3))
        change.slots = (int)roll(4);
    if (once_in(3))
        change.limit = (int)roll(6);
    if (once_in(3))
        change.priority = &priority;
    change.paused = once_in(6);
    change.draining = once_in(6) && which;
    call->answer = start_queue_set(call->name, change);
}

/* ---- Submits ------------------------------------------------------------------------------------
 */

static void want_parents(struct want *want, struct parent *parents)
{
    want->parents = parents;
    want->n_parents = 1 + roll(POWER_MAX_PARENTS);
    for (size_t i = 0; i < want->n_parents; i++)
        parents[i] = (struct parent){some_job(), (enum parent_kind)roll(3)};
}

static void want_make(struct want *want, struct call *call, size_t i)
{
    static const char *const queues[] = {NULL, NULL, "default", "q0", "q1", "q2"};

    snprintf(call->jobs[i].name, sizeof(call->jobs[i].name), "j%u.%zu", call->id, i);
    *want = (struct want){.name = call->jobs[i].name};
    if (once_in(4)) {
        snprintf(call->jobs[i].key, sizeof(call->jobs[i].key), "k%zu", roll(40));
        want->key = call->jobs[i].key;
    }
    want->priority = (int)roll(5) - 2;
    call->jobs[i].priority = want->priority;
    want->delay_ms = once_in(10) ? 3600 * 1000 : 0;
    want->max_attempts = once_in(3) ? 3 : 1;
    want->retry_interrupted = once_in(2);
    want->queue = once_in(3) ? queues[roll(6)] : NULL;
    want->apart = once_in(5);
    if (once_in(3))
        want_parents(want, call->jobs[i].asked.parents);
    call->jobs[i].asked.n_parents = want->n_parents;
}

static void submit(size_t n, const char *request)
{
    struct call *call = call_new(CALL_SUBMIT);
    struct want wants[POWER_BATCH];

    call->n = n;
    for (size_t i = 0; i < n; i++)
        want_make(&wants[i], call, i);
    call->name = once_in(3) ? power_set(roll(POWER_SETS)) : NULL;
    wants[0].set = call->name;
    snprintf(call->request, sizeof(call->request), "%s", request);
    wants[0].request = request[0] ? call->request : NULL;
    call->answer = start_submit(wants, n);
}

static void call_submit(void)
{
    size_t n = once_in(8) ? POWER_BATCH : 1 + roll(4);
    struct asked *asked;

    if (once_in(2) || work.n_asked == POWER_ASKED) {
        submit(n, "");
        return;
    }
    if (work.n_asked && once_in(5)) {
        asked = &work.asked[roll(work.n_asked)];
        submit(asked->n, asked->request);
        return;
    }
    asked = &work.asked[work.n_asked++];
    asked->n = n;
    /* Sixteen bytes. */
    snprintf(asked->request, sizeof(asked->request), "request-%08u", work.n_calls % 100000000);
    submit(n, asked->request);
}

/* ---- The work -----------------------------------------------------------------------------------
 */

static const struct {
    void (*call)(void);
    unsigned weight;
} mix[] = {
    {call_submit, 24},   {call_claim, 24},     {call_finish, 30},   {call_release, 3},
    {call_cancel, 4},    {call_change, 5},     {call_forget, 2},    {call_set_add, 8},
    {call_set_close, 1}, {call_set_forget, 1}, {call_set_read, 12}, {call_queue_set, 4},
};

static void call_any(void)
{
    size_t luck = 0, i = 0;

    for (size_t m = 0; m < sizeof(mix) / sizeof(mix[0]); m++)
        luck += mix[m].weight;
    for (luck = roll(luck); luck >= mix[i].weight; i++)
        luck -= mix[i].weight;
    mix[i].call();
}

static void burst_begin(void)
{
    work.before = work.from;
    work.from = rig.clock();
    work.n_burst = 0;
}

/* A read stands behind all that was asked for before; what follows from that may need another. */
void power_work_await(void)
{
    static const uint64_t any = 1;
    size_t quiet = 0, length = rig.clock(), n_notes = rig.n_notes;

    for (size_t i = 0; i < work.n_burst; i++)
        rig_await(work.burst[i].answer);
    while (quiet < 2) {
        rig_await(start_get(&any, 1, 0));
        rig_turn_now();
        quiet = rig.clock() == length && rig.n_notes == n_notes + 1 ? quiet + 1 : 0;
        length = rig.clock();
        n_notes = rig.n_notes;
    }
}

static void settle(void)
{
    power_work_await();
    power_notes_tell();
    work.n_burst = 0;
}

void power_work(int n)
{
    for (int i = 0; i < n; i++) {
        size_t calls = 1 + roll(once_in(3) ? 24 : 6);

        burst_begin();
        while (calls-- > 0)
            call_any();
        settle();
    }
}

void power_work_reopen(void)
{
    struct answer *held;

    burst_begin();
    rig_reopen();
    held = rig_recover();
    ck_assert_uint_le(held->n, POWER_HELD);
    work.n_held = held->n;
    memcpy(work.held, held->claims, held->n * sizeof(*held->claims));
    settle();
}

void power_work_resend(void)
{
    size_t n = MIN(work.n_asked, (size_t)6);

    burst_begin();
    for (size_t i = 0; i < n; i++) {
        size_t back = i < 3 ? i : roll(work.n_asked);

        submit(work.asked[work.n_asked - 1 - back].n, work.asked[work.n_asked - 1 - back].request);
    }
    settle();
}

void power_work_claim(void)
{
    struct call *call;

    burst_begin();
    call = call_new(CALL_QUEUE_SET);
    call->name = "default";
    call->answer = start_queue_set(call->name, QUEUE_CHANGE(to.paused = 0, to.limit = 0));
    settle();
    burst_begin();
    call_claim();
    settle();
}

void power_work_hold(const struct claimed *claims, size_t n)
{
    ck_assert_uint_le(n, POWER_HELD);
    work.n_held = n;
    memcpy(work.held, claims, n * sizeof(*claims));
    work.from = work.before = 0;
    memset(work.acks, 0, sizeof(work.acks));
    memset(work.sets_gone, 0, sizeof(work.sets_gone));
}
