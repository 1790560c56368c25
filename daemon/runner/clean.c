#include "daemon/runner/clean.h"

#include <signal.h>
#include <stdio.h>

#include "daemon/runner/runner.h"

#define GRACE_US     2000000
#define GIVE_UP_US   15000000
#define PAUSE_US     10000
#define PAUSE_MAX_US 500000
#define SAME_TIME_US 2000000 /* two clocks that say the same, one of which may have been set */

/* A process, and what its environment says. */
struct seen {
    struct proc proc;
    uint64_t claim; /* 0: nothing */
    char id[AW_MAX_ID];
    bool member; /* of the attempt that is looked at */
};

struct snapshot {
    struct seen *v;
    size_t n;
};

void clean_init(struct cleaner *cleaner)
{
    TAILQ_INIT(&cleaner->tasks);
    TAILQ_INIT(&cleaner->done);
    cleaner->due_us = INT64_MAX;
}

void clean_task_free(struct clean_task *task)
{
    free(task->found);
    free(task);
}

static void list_free(struct clean_list *list)
{
    struct clean_task *task;

    while ((task = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, task, link);
        clean_task_free(task);
    }
}

void clean_close(struct cleaner *cleaner)
{
    list_free(&cleaner->tasks);
    list_free(&cleaner->done);
}

bool clean_add(struct cleaner *cleaner, const struct runner_clean *clean)
{
    struct clean_task *task;

    TAILQ_FOREACH (task, &cleaner->tasks, link)
        if (task->claim == clean->claim)
            return true;
    task = calloc(1, sizeof(*task));
    if (!task)
        return false;
    task->claim = clean->claim;
    task->pid = clean->pid;
    task->started_us = clean->started_us;
    snprintf(task->id, sizeof(task->id), "%s", (const char *)clean->id.data);
    TAILQ_INSERT_TAIL(&cleaner->tasks, task, link);
    cleaner->due_us = 0;
    cleaner->pause_us = PAUSE_US;
    return true;
}

/* ---- Finding -------------------------------------------------------------------------------- */

static bool snapshot_take(struct snapshot *shot)
{
    struct pids pids = {0};

    *shot = (struct snapshot){0};
    if (proc_list(&pids))
        shot->v = calloc(pids.n, sizeof(*shot->v));
    for (size_t i = 0; shot->v && i < pids.n; i++) {
        struct seen *seen = &shot->v[shot->n];

        if (!proc_read(pids.v[i], &seen->proc) || strchr("ZX", seen->proc.state))
            continue;
        if (!proc_env(pids.v[i], seen->id, sizeof(seen->id), &seen->claim))
            seen->claim = 0;
        shot->n++;
    }
    pids_done(&pids);
    return shot->v;
}

/* Whether the process is the main one of the attempt, and not a later one of the same number. */
static bool is_main(const struct clean_task *task, const struct proc *proc)
{
    int64_t started_us = now_us() - boottime_us() + proc->started_us;
    int64_t off_us = started_us - task->started_us;

    return proc->pid == task->pid && off_us < SAME_TIME_US && off_us > -SAME_TIME_US;
}

/* Never ourselves, who started us, and who asks us to: they may have been started by a job. */
static bool is_exempt(const struct runner *runner, pid_t pid)
{
    return pid == getpid() || pid == getppid() || pid == runner->peer.pid || pid == 1;
}

/* One that is dying has no environment any more, and yet has not ended. */
static bool was_found(const struct clean_task *task, const struct proc *proc)
{
    for (uint32_t i = 0; task->found && i < task->n_left; i++)
        if (task->found[i].pid == proc->pid && task->found[i].started_us == proc->started_us)
            return true;
    return false;
}

static bool parent_is_member(const struct snapshot *shot, pid_t ppid)
{
    for (size_t i = 0; i < shot->n; i++)
        if (shot->v[i].proc.pid == ppid)
            return shot->v[i].member;
    return false;
}

/* Marks the attempt's processes; returns how many. */
static uint32_t members_mark(const struct runner *runner, struct snapshot *shot,
                             const struct clean_task *task)
{
    bool session = false, more = false;
    uint32_t n = 0;

    for (size_t i = 0; i < shot->n; i++) {
        struct seen *seen = &shot->v[i];

        seen->member = (seen->claim == task->claim && strcmp(seen->id, task->id) == 0) ||
                       is_main(task, &seen->proc) || was_found(task, &seen->proc);
        seen->member = seen->member && !is_exempt(runner, seen->proc.pid);
        session |= seen->member && seen->proc.sid == task->pid;
        more |= seen->member;
        n += seen->member;
    }
    while (more) {
        more = false;
        for (size_t i = 0; i < shot->n; i++) {
            struct seen *seen = &shot->v[i];

            if (seen->member || is_exempt(runner, seen->proc.pid) ||
                !((session && seen->proc.sid == task->pid) ||
                  parent_is_member(shot, seen->proc.ppid)))
                continue;
            seen->member = more = true;
            n++;
        }
    }
    return n;
}

/* ---- Ending --------------------------------------------------------------------------------- */

static void members_signal(const struct snapshot *shot, int sig)
{
    for (size_t i = 0; i < shot->n; i++)
        if (shot->v[i].member)
            proc_signal_same(&shot->v[i].proc, sig);
}

/* Remembers them for the next look. Without memory for that it is only less exact. */
static void members_keep(const struct snapshot *shot, struct clean_task *task, uint32_t n)
{
    struct proc *found = n ? calloc(n, sizeof(*found)) : NULL;
    uint32_t k = 0;

    for (size_t i = 0; found && i < shot->n; i++)
        if (shot->v[i].member)
            found[k++] = shot->v[i].proc;
    free(task->found);
    task->found = found;
    task->n_left = n;
}

/* True when the task is over. */
static bool task_work(const struct runner *runner, struct clean_task *task, struct snapshot *shot,
                      int64_t boot_us)
{
    members_keep(shot, task, members_mark(runner, shot, task));
    if (task->n_left == 0)
        return !cgroups_pending(&runner->cgroups); /* whose they are is not always to be seen */
    if (!task->termed) {
        task->termed = true;
        task->kill_us = boot_us + GRACE_US;
        task->give_up_us = boot_us + GIVE_UP_US;
        members_signal(shot, SIGTERM);
        members_signal(shot, SIGCONT);
    } else if (boot_us >= task->kill_us) {
        members_signal(shot, SIGKILL);
    }
    return boot_us >= task->give_up_us;
}

void clean_tick(struct runner *runner, int64_t boot_us)
{
    struct cleaner *cleaner = &runner->cleaner;
    struct clean_task *task, *next;
    struct snapshot shot;

    if (boot_us < cleaner->due_us)
        return;
    if (snapshot_take(&shot))
        for (task = TAILQ_FIRST(&cleaner->tasks); task; task = next) {
            next = TAILQ_NEXT(task, link);
            if (!task_work(runner, task, &shot, boot_us))
                continue;
            TAILQ_REMOVE(&cleaner->tasks, task, link);
            TAILQ_INSERT_TAIL(&cleaner->done, task, link);
        }
    free(shot.v);
    cleaner->due_us = TAILQ_EMPTY(&cleaner->tasks) ? INT64_MAX : boot_us + cleaner->pause_us;
    cleaner->pause_us = MIN(cleaner->pause_us * 2, PAUSE_MAX_US);
}
