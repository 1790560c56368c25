#include "daemon/runner/rlimits.h"

#define CPU_GRACE_S 5 /* between the SIGXCPU and the SIGKILL */

/* As in linux/ioprio.h, which not every system's headers have. */
#define IOPRIO_BEST_EFFORT (2 << 13)
#define IOPRIO_IDLE        (3 << 13)

static void add(struct rlimits *limits, int resource, struct rlimit limit, const char *what)
{
    struct rlimit own;

    if (getrlimit((__rlimit_resource_t)resource, &own) == 0) {
        limit.rlim_max = MIN(limit.rlim_max, own.rlim_max);
        limit.rlim_cur = MIN(limit.rlim_cur, limit.rlim_max);
    }
    limits->v[limits->n++] = (struct one_rlimit){resource, limit, what};
}

static struct rlimit both(uint64_t v)
{
    return (struct rlimit){(rlim_t)v, (rlim_t)v};
}

void rlimits_make(const struct limits *limits, const struct rlimit *nofile, bool data,
                  struct rlimits *ret)
{
    rlim_t seconds = (rlim_t)(limits->cpu_time_ms / 1000 + (limits->cpu_time_ms % 1000 > 0));

    ret->n = 0;
    add(ret, RLIMIT_NOFILE, limits->files ? both(limits->files) : *nofile, "limit on open files");
    if (seconds)
        add(ret, RLIMIT_CPU, (struct rlimit){seconds, seconds + CPU_GRACE_S},
            "limit on processor time");
    if (limits->file_size)
        add(ret, RLIMIT_FSIZE, both(limits->file_size), "limit on the size of files");
    if (limits->memory && data)
        add(ret, RLIMIT_DATA, both(limits->memory), "limit on memory");
}

int rlimits_nice(const struct limits *limits, int nice, int runners)
{
    int now = nice ? nice : runners;

    return limits->nice && (int)limits->nice > now ? (int)limits->nice : nice;
}

int rlimits_ioprio(const struct limits *limits)
{
    if (limits->io_priority == 0)
        return -1;
    return limits->io_priority > 8 ? IOPRIO_IDLE
                                   : IOPRIO_BEST_EFFORT + (int)limits->io_priority - 1;
}
