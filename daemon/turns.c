#include "daemon/turns.h"

#include <stdio.h>
#include <time.h>

#include "daemon/engine/histogram.h"
#include "daemon/log.h"

#define TELL_EVERY_US 1000000

/* Slow turns of one kind. */
struct slow {
    int64_t told_us; /* 0: never */
    unsigned n_untold;
};

struct turns {
    struct histogram histogram;
    int64_t began_us; /* 0: none is under way */
    uint32_t work[N_TURN_WORK];
    uint32_t requests[N_OPS];
    struct slow slow, very_slow;
};

/* The one loop's; `mine` is set on its thread. */
static struct turns turns;
static _Thread_local bool mine;

/* Not boottime_us(): the C library's fastest clock, and a suspended machine is no slow turn. */
static int64_t clock_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void turns_measure(void)
{
    turns = (struct turns){.began_us = clock_us()};
    mine = true;
}

/* ---- Telling ------------------------------------------------------------------------------- */

/* "; 12 requests, 10 of them wait"; the most frequent one stands for all. */
static int requests_text(char *buf, size_t size)
{
    uint32_t sum = 0;
    enum op most = 0;

    for (enum op op = 0; op < N_OPS; op++) {
        sum += turns.requests[op];
        if (turns.requests[op] > turns.requests[most])
            most = op;
    }
    if (!sum)
        return 0;
    return snprintf(buf, size, "; requests %u (%s %u)", sum, op_info(most)->name,
                    turns.requests[most]);
}

static void work_text(char *buf, size_t size)
{
    static const char *const names[] = {
        [TURN_ANSWER] = "answers",
        [TURN_END] = "ends of jobs",
        [TURN_SET] = "changes of sets",
    };
    int len = requests_text(buf, size);

    for (int i = 0; i < N_TURN_WORK; i++)
        if (turns.work[i] && (size_t)len < size)
            len += snprintf(buf + len, size - (size_t)len, "; %s %u", names[i], turns.work[i]);
}

static void tell(struct slow *slow, int level, int64_t end_us, int64_t us)
{
    char text[160] = "", others[48] = "";

    if (slow->told_us && end_us - slow->told_us < TELL_EVERY_US) {
        slow->n_untold++;
        return;
    }
    work_text(text, sizeof(text));
    if (slow->n_untold)
        snprintf(others, sizeof(others), " (and %u times since the last line)", slow->n_untold);
    log_msg(level, "the loop was away from its events for %lld ms%s%s", (long long)us / 1000, text,
            others);
    *slow = (struct slow){.told_us = end_us};
}

/* ---- Measuring ----------------------------------------------------------------------------- */

void turns_end(void)
{
    int64_t end_us, us;

    if (!mine || !turns.began_us)
        return;
    end_us = clock_us();
    us = end_us - turns.began_us;
    histogram_record(&turns.histogram, us);
    if (us >= VERY_SLOW_US)
        tell(&turns.very_slow, LOG_WARNING, end_us, us);
    else if (us >= SLOW_US)
        tell(&turns.slow, LOG_DEBUG, end_us, us);
    turns.began_us = 0;
}

void turns_begin(void)
{
    if (!mine)
        return;
    memset(turns.work, 0, sizeof(turns.work));
    memset(turns.requests, 0, sizeof(turns.requests));
    turns.began_us = clock_us();
}

void turns_note(enum turn_work what)
{
    turns.work[what] += mine;
}

void turns_note_request(enum op op)
{
    turns.requests[op] += mine;
}

void turns_read(struct latency *ret)
{
    histogram_read(&turns.histogram, ret);
}
