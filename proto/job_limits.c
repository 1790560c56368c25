#include "proto/job_limits.h"

SCHEMA_DEFINE(limits, LIMITS_FIELDS)

/* Where 0 means no limit. */
static uint64_t lower(uint64_t a, uint64_t b)
{
    return a && b ? MIN(a, b) : MAX(a, b);
}

struct limits limits_stricter(const struct limits *a, const struct limits *b)
{
    return (struct limits){
        .memory = lower(a->memory, b->memory),
        .cpu = lower(a->cpu, b->cpu),
        .cpu_time_ms = lower(a->cpu_time_ms, b->cpu_time_ms),
        .processes = lower(a->processes, b->processes),
        .files = lower(a->files, b->files),
        .file_size = lower(a->file_size, b->file_size),
        .nice = MAX(a->nice, b->nice),
        .io_priority = MAX(a->io_priority, b->io_priority),
    };
}

bool limit_find(struct bytes name, enum limit *ret)
{
    for (size_t i = 0; i < N_LIMITS; i++)
        if (bytes_eq(name, bytes_str(limits_schema.fields[i].name))) {
            *ret = (enum limit)i;
            return true;
        }
    return false;
}

struct limits limits_changed(const struct limits *from, const struct limits *to, unsigned mask)
{
    return (struct limits){
#define X(T, KIND, name, sub, need, min, max, def, text) \
    .name = (mask & 1u << LIMIT_##name ? to : from)->name,
        LIMITS_FIELDS(X, _)
#undef X
    };
}

bool limits_none(const struct limits *limits)
{
    static const struct limits none;

    return memcmp(limits, &none, sizeof(none)) == 0;
}
