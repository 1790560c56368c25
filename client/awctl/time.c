#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "client/awctl/options.h"
#include "proto/messages.h"

static enum aw_err no_time(const char *text, struct aw_error *err)
{
    return aw_fail(err, AW_ERR_USAGE,
                   "'%.80s' is no time (14:30, 2030-12-31, '2030-12-31 14:30:59', the same with "
                   "Z for UTC, and @1767225600 are)",
                   text);
}

static enum aw_err epoch_parse(const char *text, int64_t *ret_us, struct aw_error *err)
{
    char *end;
    long long s = strtoll(text + 1, &end, 10);

    if (end == text + 1 || *end || s <= 0 || s > MAX_TIME_US / 1000000)
        return no_time(text, err);
    *ret_us = s * INT64_C(1000000);
    return AW_OK;
}

/* What is left behind a time of day: nothing, or Z for UTC. */
static bool clock_parse(const char *p, struct tm *tm, bool *ret_utc)
{
    const char *end = strptime(p, "%H:%M:%S", tm);

    if (!end) {
        tm->tm_sec = 0;
        end = strptime(p, "%H:%M", tm);
    }
    if (!end)
        return false;
    *ret_utc = *end == 'Z';
    return end[*ret_utc] == '\0';
}

enum aw_err time_parse(const char *text, int64_t *ret_us, struct aw_error *err)
{
    time_t now = time(NULL), then;
    bool utc = false, dated;
    struct tm tm, date;
    const char *rest;

    if (*text == '@')
        return epoch_parse(text, ret_us, err);
    localtime_r(&now, &tm);
    date = tm;
    rest = strptime(text, "%Y-%m-%d", &date);
    dated = rest != NULL;
    if (dated)
        tm = date; /* a failed strptime() has changed it all the same */
    else
        rest = text;
    if (dated && !*rest)
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    else if (!clock_parse(rest + (dated && (*rest == ' ' || *rest == 'T')), &tm, &utc))
        return no_time(text, err);
    tm.tm_isdst = -1;
    then = utc ? timegm(&tm) : mktime(&tm);
    if (!dated && then <= now) {
        tm.tm_mday++; /* a time of day that has passed is tomorrow's */
        tm.tm_isdst = -1;
        then = utc ? timegm(&tm) : mktime(&tm);
    }
    if (then <= 0 || then > MAX_TIME_US / 1000000)
        return no_time(text, err);
    *ret_us = then * INT64_C(1000000);
    return AW_OK;
}
