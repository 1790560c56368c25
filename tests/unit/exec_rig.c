#include "tests/unit/exec_rig.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#define PATIENCE_US 30000000

/* ---- The host ------------------------------------------------------------------------------- */

static struct rig_job *job_of(struct rig *rig, uint64_t claim)
{
    ck_assert_uint_gt(claim, 0);
    ck_assert_uint_lt(claim, RIG_MAX_JOBS);
    return &rig->jobs[claim];
}

static void on_started(void *arg, uint64_t claim, pid_t pid, int64_t started_us)
{
    struct rig_job *job = job_of(arg, claim);

    job->n_started++;
    job->pid = pid;
    job->started_us = started_us;
}

static void on_grown(void *arg, uint64_t claim, int stream, uint64_t size)
{
    struct rig_job *job = job_of(arg, claim);

    job->n_grown++;
    job->grown[stream] = size;
}

static void on_ended(void *arg, uint64_t claim, const struct outcome *outcome)
{
    struct rig *rig = arg;
    struct rig_job *job = job_of(rig, claim);

    job->n_ended++;
    job->outcome = *outcome;
    for (int i = 0; i < N_STREAMS; i++) {
        struct bytes data = outcome->output[i].data;

        free(job->data[i]);
        job->data[i] = malloc(data.len + 1);
        memcpy(job->data[i], data.data ? data.data : "", data.len);
        job->data[i][data.len] = '\0';
        job->outcome.output[i].data.data = job->data[i];
    }
    if (!rig->leave_unrecorded)
        rig->worker->ops->recorded(rig->worker, claim);
}

static const struct worker_host host = {on_started, on_grown, on_ended};

/* ---- Beginning and end ---------------------------------------------------------------------- */

/* A runner that outlives a test that failed must not hold on to what `make check` reads. */
static void log_to_file(const struct rig *rig)
{
    char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof(path), "%s/log", rig->dir);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    close(fd);
}

struct rig *rig_new_bare(void)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct aw_error err;

    rig->real_runner_path = getenv("AW_RUNNER_UNDER_TEST");
    if (!rig->real_runner_path)
        rig->real_runner_path = AW_RUNNER_BUILT;
    snprintf(rig->dir, sizeof(rig->dir), "/tmp/awd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig->dir));
    log_to_file(rig);
    ck_assert_int_eq(future_tag_make(rig->tag, &err), AW_OK);
    snprintf(rig->socket_path, sizeof(rig->socket_path), "%s/runner.sock", rig->dir);
    snprintf(rig->spool_dir, sizeof(rig->spool_dir), "%s/spool", rig->dir);
    ck_assert_int_eq(spool_open(rig->spool_dir, &rig->spool, &err), AW_OK);
    rig->base = event_base_new();
    ck_assert_ptr_nonnull(rig->base);
    rig_use_cgroups(rig, getenv("AWD_TEST_CGROUP") != NULL);
    return rig;
}

/* The runner's environment and arguments are the worker's business: a script adds the option. */
void rig_use_cgroups(struct rig *rig, bool use)
{
    const char *parent = getenv("AWD_TEST_CGROUP");
    char text[PATH_MAX];

    if (rig->cgroup_dir[0])
        rmdir(rig->cgroup_dir);
    rig->cgroup_dir[0] = '\0';
    if (use) {
        ck_assert_ptr_nonnull(parent);
        snprintf(rig->cgroup_dir, sizeof(rig->cgroup_dir), "%.120s/%s", parent, rig->tag);
        ck_assert_msg(mkdir(rig->cgroup_dir, 0755) == 0 || errno == EEXIST, "%s: %s",
                      rig->cgroup_dir, strerror(errno));
    }
    snprintf(text, sizeof(text), "#!/bin/sh\nexec %s --cgroup %s \"$@\"\n", rig->real_runner_path,
             use ? rig->cgroup_dir : "none");
    rig_write(rig, "runner", text);
    snprintf(rig->runner_script, sizeof(rig->runner_script), "%s/runner", rig->dir);
    ck_assert_int_eq(chmod(rig->runner_script, 0700), 0);
    rig->runner_path = rig->runner_script;
}

void rig_worker_new(struct rig *rig)
{
    struct exec_config config = {rig->socket_path, rig->runner_path, rig->spool_dir, true};

    rig->worker = worker_exec_new(rig->base, &config, &host, rig);
    ck_assert_ptr_nonnull(rig->worker);
}

void rig_worker_free(struct rig *rig)
{
    if (rig->worker)
        rig->worker->ops->free(rig->worker);
    rig->worker = NULL;
}

struct rig *rig_new(void)
{
    struct rig *rig = rig_new_bare();

    rig_worker_new(rig);
    worker_exec_adopted_all(rig->worker);
    return rig;
}

static void tree_remove(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        char sub[PATH_MAX];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(sub, sizeof(sub), "%s/%s", path, entry->d_name);
        if (unlink(sub) < 0)
            tree_remove(sub);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

/* The files in a group's directory cannot be unlinked, nor need they be. */
static void groups_remove(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        char sub[PATH_MAX];

        snprintf(sub, sizeof(sub), "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            groups_remove(sub);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

/* What was killed may need a moment to be gone, and its group is not removed before. */
static void cgroups_remove(struct rig *rig)
{
    char path[192];
    FILE *f;

    snprintf(path, sizeof(path), "%s/cgroup.kill", rig->cgroup_dir);
    f = fopen(path, "we");
    if (f) {
        fputs("1", f);
        fclose(f);
    }
    for (int i = 0; i < 200 && access(rig->cgroup_dir, F_OK) == 0; i++) {
        groups_remove(rig->cgroup_dir);
        rig_run_ms(rig, 10);
    }
}

void rig_free(struct rig *rig)
{
    pid_t runner = rig->worker ? worker_exec_runner_pid(rig->worker) : 0;

    rig_worker_free(rig);
    if (runner) {
        kill(runner, SIGKILL);
        for (int i = 0; i < RIG_MAX_JOBS; i++)
            if (rig->jobs[i].pid && !rig->jobs[i].n_ended)
                kill(-rig->jobs[i].pid, SIGKILL);
    }
    if (rig->cgroup_dir[0])
        cgroups_remove(rig);
    event_base_free(rig->base);
    spool_close(&rig->spool);
    tree_remove(rig->dir);
    for (int i = 0; i < RIG_MAX_JOBS; i++)
        for (int k = 0; k < N_STREAMS; k++)
            free(rig->jobs[i].data[k]);
    free(rig);
}

/* ---- Jobs ----------------------------------------------------------------------------------- */

void rig_job_init(const struct rig *rig, struct job *job, const char *const *argv)
{
    static struct bytes args[RIG_MAX_ARGS];
    static struct bytes env[2];
    static char dir[80];

    *job = (struct job){.umask = -1, .grace_ms = 5000};
    job->argv.v = args;
    while (argv[job->argv.n]) {
        ck_assert_uint_lt(job->argv.n, RIG_MAX_ARGS);
        args[job->argv.n] = bytes_str(argv[job->argv.n]);
        job->argv.n++;
    }
    env[0] = bytes_str("PATH=/usr/local/bin:/usr/bin:/bin");
    snprintf(dir, sizeof(dir), "D=%s", rig->dir);
    env[1] = bytes_str(dir);
    job->env = (struct strv){env, ARRAY_SIZE(env)};
}

static struct work work_of(struct rig *rig, uint64_t claim, const struct job *job)
{
    static char id[AW_MAX_ID];

    job_of(rig, claim)->number = 1000 + claim;
    future_id_format(id, rig->tag, 1000 + claim);
    return (struct work){.claim = claim,
                         .number = 1000 + claim,
                         .attempt = 1,
                         .id = id,
                         .job = job,
                         .limits = job->limits};
}

uint64_t rig_start_limited(struct rig *rig, const struct job *job, uint64_t output_limit)
{
    struct work work = work_of(rig, ++rig->n_claims, job);

    work.output_limit = output_limit;
    rig->worker->ops->start(rig->worker, &work);
    return work.claim;
}

uint64_t rig_start(struct rig *rig, const struct job *job)
{
    return rig_start_limited(rig, job, 0);
}

uint64_t rig_sh(struct rig *rig, const char *text)
{
    struct job job;

    rig_job_init(rig, &job, RIG_SH(text));
    return rig_start(rig, &job);
}

void rig_adopt(struct rig *rig, uint64_t claim, const struct job *job, int64_t claimed_us)
{
    struct work work = work_of(rig, claim, job);

    work.started_us = claimed_us;
    rig->worker->ops->adopt(rig->worker, &work);
}

/* ---- Waiting -------------------------------------------------------------------------------- */

static void nothing(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

/* One turn of the loop, of 10 ms at most. */
static void turn(struct rig *rig)
{
    struct timeval tv = {0, 10000};

    event_base_once(rig->base, -1, EV_TIMEOUT, nothing, NULL, &tv);
    event_base_loop(rig->base, EVLOOP_ONCE);
}

void rig_until(struct rig *rig, bool (*fn)(struct rig *rig, const void *arg), const void *arg)
{
    int64_t end_us = boottime_us() + unit_patience_us(PATIENCE_US);

    while (!fn(rig, arg)) {
        ck_assert_msg(boottime_us() < end_us, "waited in vain");
        turn(rig);
    }
}

void rig_run_ms(struct rig *rig, int ms)
{
    int64_t end_us = boottime_us() + (int64_t)ms * 1000;

    while (boottime_us() < end_us)
        turn(rig);
}

static bool has_ended(struct rig *rig, const void *arg)
{
    return job_of(rig, *(const uint64_t *)arg)->n_ended > 0;
}

const struct outcome *rig_ended(struct rig *rig, uint64_t claim)
{
    rig_until(rig, has_ended, &claim);
    ck_assert_uint_eq(job_of(rig, claim)->n_ended, 1);
    return &job_of(rig, claim)->outcome;
}

static bool has_started(struct rig *rig, const void *arg)
{
    const struct rig_job *job = job_of(rig, *(const uint64_t *)arg);

    ck_assert_msg(!job->n_ended || job->n_started, "ended too soon: %s", job->outcome.message);
    return job->n_started > 0;
}

pid_t rig_started(struct rig *rig, uint64_t claim)
{
    rig_until(rig, has_started, &claim);
    return job_of(rig, claim)->pid;
}

bool process_runs(pid_t pid)
{
    char path[32], line[512], *p;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    f = fopen(path, "re");
    if (!f)
        return false;
    p = fgets(line, sizeof(line), f);
    fclose(f);
    p = p ? strrchr(line, ')') : NULL;
    return p && p[2] != 'Z' && p[2] != 'X';
}

void rig_write(const struct rig *rig, const char *name, const char *text)
{
    char path[PATH_MAX];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", rig->dir, name);
    f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static bool is_gone(struct rig *rig, const void *arg)
{
    (void)rig;
    return !process_runs(*(const pid_t *)arg);
}

void rig_until_gone(struct rig *rig, pid_t pid)
{
    rig_until(rig, is_gone, &pid);
}

static bool number_read(const struct rig *rig, const char *name, long *ret)
{
    char path[PATH_MAX], line[64];
    bool good;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", rig->dir, name);
    f = fopen(path, "re");
    if (!f)
        return false;
    good = fgets(line, sizeof(line), f) && strchr(line, '\n');
    fclose(f);
    if (good)
        *ret = strtol(line, NULL, 10);
    return good;
}

struct wanted_number {
    const char *name;
    long *ret;
};

static bool has_number(struct rig *rig, const void *arg)
{
    const struct wanted_number *want = arg;

    return number_read(rig, want->name, want->ret);
}

/* It may be written again at any time, and is read once. */
long rig_until_number(struct rig *rig, const char *name)
{
    long number = 0;

    rig_until(rig, has_number, &(struct wanted_number){name, &number});
    return number;
}

static bool is_connected(struct rig *rig, const void *arg)
{
    (void)arg;
    return worker_exec_runner_pid(rig->worker) != 0;
}

pid_t rig_until_connected(struct rig *rig)
{
    rig_until(rig, is_connected, NULL);
    return worker_exec_runner_pid(rig->worker);
}

/* ---- Output --------------------------------------------------------------------------------- */

char *rig_output(struct rig *rig, uint64_t claim, int stream, size_t *ret_len)
{
    const struct rig_job *job = job_of(rig, claim);
    const struct output *output = &job->outcome.output[stream];
    struct spool_file file = {job->number, 1, stream};
    char *text = malloc(output->size + 1);
    struct aw_error err;
    uint64_t size;

    if (output->spooled) {
        ck_assert_int_eq(spool_read(&rig->spool, file, 0, text, output->size, ret_len, &size, &err),
                         AW_OK);
        ck_assert_uint_eq(size, output->size);
    } else {
        memcpy(text, job->data[stream], output->size);
        *ret_len = output->size;
    }
    text[*ret_len] = '\0';
    return text;
}

void rig_check_output(struct rig *rig, uint64_t claim, int stream, const char *want)
{
    size_t len;
    char *got = rig_output(rig, claim, stream, &len);

    ck_assert_str_eq(got, want);
    ck_assert_uint_eq(len, strlen(want));
    free(got);
}
