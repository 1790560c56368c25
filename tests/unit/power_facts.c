#include "tests/unit/power_facts.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT 200

struct version {
    struct span when;
    int life; /* counts the cuts */
    unsigned call;
    char *value;
};

struct fact {
    struct fact *next; /* in its bucket */
    char *name;
    struct version *versions; /* versions[0] is certain; the others may be */
    size_t n;
    bool was, found;
};

#define N_BUCKETS 4096

static struct {
    struct fact *buckets[N_BUCKETS];
    struct fact **all;
    size_t n, room;
    int life;
    uint8_t *calls; /* CALL_*, by number: after a cut */
    size_t n_calls;
    int flaws;
    bool quiet;
} facts;

enum { CALL_THERE = 1, CALL_MISSING = 2 };

static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

void flaw(const char *format, ...)
{
    va_list args;

    facts.flaws++;
    if (facts.quiet)
        return;
    fputs("# flaw: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int flaws(void)
{
    return facts.flaws;
}

void flaws_quiet(bool quiet)
{
    facts.quiet = quiet;
}

const char *fact_name(const char *format, ...)
{
    static char texts[4][MAX_TEXT];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    va_list args;

    va_start(args, format);
    vsnprintf(text, MAX_TEXT, format, args);
    va_end(args);
    return text;
}

/* ---- The table ----------------------------------------------------------------------------------
 */

static struct fact **slot_of(const char *name)
{
    uint32_t hash = 2166136261u;
    struct fact **slot;

    for (const char *c = name; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    slot = &facts.buckets[hash % N_BUCKETS];
    while (*slot && strcmp((*slot)->name, name) != 0)
        slot = &(*slot)->next;
    return slot;
}

static void version_add(struct fact *fact, struct version version, const char *value)
{
    fact->versions = need(reallocarray(fact->versions, fact->n + 1, sizeof(*fact->versions)));
    version.value = need(strdup(value));
    fact->versions[fact->n++] = version;
}

static struct fact *fact_make(const char *name)
{
    struct fact **slot = slot_of(name);

    if (*slot)
        return *slot;
    *slot = need(calloc(1, sizeof(**slot)));
    (*slot)->name = need(strdup(name));
    version_add(*slot, (struct version){0}, FACT_NONE);
    if (facts.n == facts.room) {
        facts.room = facts.room * 2 + 256;
        facts.all = need(reallocarray(facts.all, facts.room, sizeof(struct fact *)));
    }
    facts.all[facts.n++] = *slot;
    return *slot;
}

static bool is_none(const char *value)
{
    return strcmp(value, FACT_NONE) == 0;
}

static const char *fact_value(const struct fact *fact)
{
    return fact->versions[fact->n - 1].value;
}

static bool is_of_this_life(const struct fact *fact)
{
    return fact->n > 1 && fact->versions[fact->n - 1].life == facts.life;
}

static void tell(struct fact *fact, struct span when, unsigned call, const char *value)
{
    /* Told again: known since the first time, if it was in this life. */
    if (strcmp(fact_value(fact), value) == 0 && (fact->n == 1 || is_of_this_life(fact)))
        return;
    version_add(fact, (struct version){.when = when, .life = facts.life, .call = call}, value);
}

void fact_tell(const char *name, struct span when, unsigned call, const char *format, ...)
{
    char value[MAX_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    tell(fact_make(name), when, call, value);
}

void fact_tell_none(const char *prefix, struct span when, unsigned call)
{
    for (size_t i = 0; i < facts.n; i++)
        if (strncmp(facts.all[i]->name, prefix, strlen(prefix)) == 0)
            tell(facts.all[i], when, call, FACT_NONE);
}

const char *fact_last(const char *name)
{
    const struct fact *fact = *slot_of(name);

    return fact ? fact_value(fact) : FACT_NONE;
}

void facts_reset(void)
{
    for (size_t i = 0; i < facts.n; i++) {
        struct fact *fact = facts.all[i];

        while (fact->n)
            free(fact->versions[--fact->n].value);
        free(fact->versions);
        free(fact->name);
        free(fact);
    }
    free(facts.all);
    free(facts.calls);
    memset(&facts, 0, sizeof(facts));
}

/* ---- The cut ------------------------------------------------------------------------------------
 */

static void forget_before(struct fact *fact, size_t first)
{
    for (size_t i = 0; i < first; i++)
        free(fact->versions[i].value);
    fact->n -= first;
    memmove(fact->versions, fact->versions + first, fact->n * sizeof(*fact->versions));
}

static void fact_cut(struct fact *fact, size_t cut)
{
    size_t certain = 0, n = 1;

    for (size_t i = 1; i < fact->n; i++) {
        const struct version *v = &fact->versions[i];

        /* One from an earlier life that was never looked at stays possible. */
        if (v->life == facts.life && v->when.told <= cut)
            certain = i;
        if (v->life < facts.life || v->when.from <= cut)
            n = i + 1;
    }
    for (size_t i = 0; i <= certain; i++)
        fact->was |= !is_none(fact->versions[i].value);
    while (fact->n > n)
        free(fact->versions[--fact->n].value);
    forget_before(fact, certain);
    fact->found = false;
}

void facts_cut(size_t cut)
{
    for (size_t i = 0; i < facts.n; i++)
        fact_cut(facts.all[i], cut);
    facts.life++;
    free(facts.calls);
    facts.calls = NULL;
    facts.n_calls = 0;
}

/* ---- After it -----------------------------------------------------------------------------------
 */

static void call_note(unsigned call, int what)
{
    if (call >= facts.n_calls) {
        facts.calls = need(realloc(facts.calls, call + 64));
        memset(facts.calls + facts.n_calls, 0, call + 64 - facts.n_calls);
        facts.n_calls = call + 64;
    }
    facts.calls[call] |= (uint8_t)what;
}

static bool value_in(const struct fact *fact, size_t from, size_t end, const char *value)
{
    for (size_t i = from; i < end; i++)
        if (strcmp(fact->versions[i].value, value) == 0)
            return true;
    return false;
}

/* Is what each call brought there? Unless the value does not tell. */
static void calls_judge(const struct fact *fact, const char *value)
{
    for (size_t i = 1; i < fact->n; i++) {
        const struct version *v = &fact->versions[i];
        bool before = value_in(fact, 0, i, value), since = value_in(fact, i, fact->n, value);

        if (v->call && v->life < facts.life && before != since)
            call_note(v->call, since ? CALL_THERE : CALL_MISSING);
    }
}

static void complain(const struct fact *fact, const char *value)
{
    char could[MAX_TEXT * 2];
    size_t len = 0;

    could[0] = 0;
    for (size_t i = 1; i < fact->n && len < sizeof(could); i++)
        len += (size_t)snprintf(could + len, sizeof(could) - len, ", or '%s'",
                                fact->versions[i].value);
    flaw("%s is '%s', not '%s'%s", fact->name, value, fact->versions[0].value, could);
}

static void found(struct fact *fact, const char *value)
{
    if (fact->found && strcmp(fact_value(fact), value) != 0)
        flaw("%s is '%s' and '%s'", fact->name, fact_value(fact), value);
    if (fact->found)
        return;
    if (!value_in(fact, 0, fact->n, value))
        complain(fact, value);
    else
        calls_judge(fact, value);
    fact->found = true;
    /* It came to be so in this life: what was before may come back with the next cut. */
    if (is_of_this_life(fact) && strcmp(fact_value(fact), value) == 0)
        return;
    fact->was |= !is_none(value);
    version_add(fact, (struct version){0}, value);
    forget_before(fact, fact->n - 1);
}

void fact_found(const char *name, const char *format, ...)
{
    char value[MAX_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    found(fact_make(name), value);
}

void fact_learned(const char *name, size_t now, const char *format, ...)
{
    struct fact *fact = fact_make(name);
    char value[MAX_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    if (is_none(fact_value(fact)) && !value_in(fact, 0, fact->n, value))
        tell(fact, (struct span){0, now}, 0, value);
    found(fact, value);
}

bool fact_can_be(const char *name, const char *value)
{
    const struct fact *fact = *slot_of(name);

    if (!fact)
        return is_none(value);
    return value_in(fact, is_of_this_life(fact) ? fact->n - 1 : 0, fact->n, value);
}

bool fact_was(const char *name)
{
    const struct fact *fact = *slot_of(name);

    return fact && fact->was;
}

static void version_drop(struct fact *fact, size_t i)
{
    free(fact->versions[i].value);
    fact->n--;
    memmove(&fact->versions[i], &fact->versions[i + 1], (fact->n - i) * sizeof(*fact->versions));
}

/* What cannot be looked at is as its call is. */
static void settle_by_call(struct fact *fact)
{
    for (size_t i = fact->n - 1; i > 0; i--) {
        const struct version *v = &fact->versions[i];
        int seen = v->call < facts.n_calls ? facts.calls[v->call] : 0;

        if (v->life == facts.life)
            continue;
        if (seen == CALL_MISSING)
            version_drop(fact, i);
        if (seen != CALL_THERE)
            continue;
        fact->was |= !is_none(v->value);
        forget_before(fact, i);
        return;
    }
}

void facts_found_all(const char *const prefixes[], size_t n)
{
    for (size_t i = 0; i < facts.n; i++)
        for (size_t p = 0; p < n && !facts.all[i]->found; p++)
            if (strncmp(facts.all[i]->name, prefixes[p], strlen(prefixes[p])) == 0)
                found(facts.all[i], FACT_NONE);
    for (size_t call = 0; call < facts.n_calls; call++)
        if (facts.calls[call] == (CALL_THERE | CALL_MISSING))
            flaw("call %zu is there in part", call);
    for (size_t i = 0; i < facts.n; i++)
        settle_by_call(facts.all[i]);
}

void facts_in_doubt(size_t *ret_there, size_t *ret_missing)
{
    *ret_there = *ret_missing = 0;
    for (size_t call = 0; call < facts.n_calls; call++) {
        *ret_there += facts.calls[call] == CALL_THERE;
        *ret_missing += facts.calls[call] == CALL_MISSING;
    }
}
