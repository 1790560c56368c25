/*
 * A crowd of bad clients at a running daemon, and an honest one beside them.
 *
 *     hostile SOCKET PID CONNECTIONS SECONDS MAX_MIB BACK_MIB [ACT]
 *
 * Each act takes so many seconds with so many connections; at last all of them at once. Before, in
 * between and after, an honest client submits a job and waits for its end, again and again. How
 * long that took is printed for each act, with what the daemon's process had at most.
 *
 * Exit status 1, and a sentence for each, when a request with something wrong in it was accepted,
 * when a job of the honest client is not what it should be, when (as root) it was refused anything,
 * when the daemon is gone, when it had more than MAX_MIB of memory, or when in the end it keeps
 * BACK_MIB more than in the beginning, or descriptors or threads.
 *
 * As root, crowd and honest client are two users; the daemon's own is neither.
 */
#include "tests/fault/hostile.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/fault/watch_proc.h"

#define CROWD_UID  4002
#define HONEST_UID 4001
#define SAMPLE_MS  100
#define SETTLE_S   60 /* for the daemon to let go of what is gone */

struct test {
    const char *path;
    const char *only; /* acts with this in their name; NULL: all, and then all at once */
    pid_t pid;
    unsigned n_conns, seconds;
    unsigned long max_kib, back_kib;
    struct shared *shared;
    struct proc_sample before;
    unsigned n_faults;
    int n_phases;
};

void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(2);
}

void become(uint32_t uid)
{
    if (uid &&
        (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
        die("setuid");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void fault(struct test *t, const char *fmt, ...) AW_PRINTF(2, 3);
static void fault(struct test *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    t->n_faults++;
}

static uint32_t user(uint32_t uid)
{
    return geteuid() == 0 ? uid : 0;
}

/* ---- One act --------------------------------------------------------------------------------- */

static int by_us(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Prints what the honest client measured in a phase. */
static void print_latency(const struct shared *s, uint32_t phase)
{
    unsigned n = 0, total = atomic_load(&s->n_samples), half, hundredth;
    uint32_t *us = malloc((total + 1) * sizeof(*us));

    if (!us)
        die("memory");
    for (unsigned i = 0; i < total; i++)
        if (s->samples[i].phase == phase)
            us[n++] = s->samples[i].us;
    half = n / 2;
    hundredth = n / 100;
    qsort(us, n, sizeof(*us), by_us);
    if (n)
        printf("%7u %8.2f %8.2f %8.2f", n, us[half] / 1e3, us[n - 1 - hundredth] / 1e3,
               us[n - 1] / 1e3);
    else
        printf("%7s %8s %8s %8s", "0", "-", "-", "-");
    printf(" %7u", atomic_load(&s->refused[phase]));
    free(us);
}

static void sleep_ms(long ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&ts, NULL);
}

static void sample_max(struct test *t, struct proc_sample *max)
{
    struct proc_sample now;

    if (!proc_sample(t->pid, &now)) {
        fault(t, "the daemon is gone");
        exit(1);
    }
    proc_sample_max(max, &now);
}

static pid_t crowd_start(const struct test *t, const struct act *first, size_t n)
{
    struct crowd crowd = {t->path, first, n, t->n_conns, user(CROWD_UID)};
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        crowd_run(&crowd, t->shared);
        _exit(0);
    }
    return pid;
}

static void crowd_end(struct test *t, pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
        fault(t, "the crowd ended by itself");
}

/* `n` acts at once; none: the honest client is alone. */
static void run_phase(struct test *t, const char *name, const struct act *first, size_t n)
{
    struct shared *s = t->shared;
    struct proc_sample max = {0};
    unsigned long opened = atomic_load(&s->opened), hung_up = atomic_load(&s->hung_up);
    int64_t end = boottime_us() + (int64_t)t->seconds * 1000000;
    int phase = t->n_phases++;
    pid_t crowd = n ? crowd_start(t, first, n) : 0;

    atomic_store(&s->phase, phase);
    while (boottime_us() < end) {
        sleep_ms(SAMPLE_MS);
        sample_max(t, &max);
    }
    if (crowd)
        crowd_end(t, crowd);
    printf("# %-40s", name);
    print_latency(s, (uint32_t)phase);
    printf(" %8lu %8lu %7.1f %7.1f %6lu\n", atomic_load(&s->opened) - opened,
           atomic_load(&s->hung_up) - hung_up, (double)max.rss_kib / 1024,
           (double)max.pss_kib / 1024, max.n_fds);
    if (max.rss_kib > t->max_kib)
        fault(t, "%s: the daemon had %lu MiB of memory; at most %lu", name, max.rss_kib / 1024,
              t->max_kib / 1024);
}

/* ---- Before and after ------------------------------------------------------------------------ */

static void job_of_the_crowd(struct test *t)
{
    struct submit_req req;
    struct submit_rep rep;
    struct codec_doc doc;
    struct job job;
    uint64_t retry_ms;
    uint8_t *body;
    int fd, status;
    pid_t pid = fork();

    if (pid == 0) {
        become(user(CROWD_UID));
        codec_defaults(&job_schema, &job);
        codec_defaults(&submit_req_schema, &req);
        job.type = bytes_str("noop");
        job.delay_ms = 86400000;
        req.jobs.v = &job;
        req.jobs.n = 1;
        fd = plain_dial(t->path);
        if (fd < 0 || plain_ask(fd, OP_SUBMIT, &req, &rep, &doc, &body, &retry_ms))
            _exit(1);
        snprintf(t->shared->id, sizeof(t->shared->id), "%.*s", (int)rep.ids.v[0].len,
                 (const char *)rep.ids.v[0].data);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        die("the daemon takes no job");
}

static pid_t honest_start(const struct test *t)
{
    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    if (pid == 0) {
        honest_run(t->path, user(HONEST_UID), t->shared);
        _exit(0);
    }
    return pid;
}

static bool is_back(const struct test *t, const struct proc_sample *now)
{
    return now->rss_kib <= t->before.rss_kib + t->back_kib && now->n_fds <= t->before.n_fds &&
           now->n_threads <= t->before.n_threads;
}

/* What it took is given back: at once, or once stalled connections were given up. */
static void look_back(struct test *t)
{
    const struct proc_sample *b = &t->before;
    struct proc_sample now = {0};
    int64_t begin = boottime_us();

    do {
        sleep_ms(SAMPLE_MS);
        now = (struct proc_sample){0};
        sample_max(t, &now);
    } while (!is_back(t, &now) && boottime_us() - begin < SETTLE_S * INT64_C(1000000));
    printf("# before: %.1f MiB (PSS %.1f), %lu descriptors, %lu threads\n",
           (double)b->rss_kib / 1024, (double)b->pss_kib / 1024, b->n_fds, b->n_threads);
    printf("# after:  %.1f MiB (PSS %.1f), %lu descriptors, %lu threads; after %.1f s\n",
           (double)now.rss_kib / 1024, (double)now.pss_kib / 1024, now.n_fds, now.n_threads,
           (double)(boottime_us() - begin) / 1e6);
    if (!is_back(t, &now))
        fault(t, "the daemon keeps what it took: %lu MiB, %lu descriptors, %lu threads",
              now.rss_kib / 1024, now.n_fds, now.n_threads);
}

static void files_raise(unsigned n)
{
    struct rlimit limit = {n, n};

    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        die("more descriptors");
}

static unsigned n_refused(const struct shared *s)
{
    unsigned n = 0;

    for (int i = 0; i < MAX_PHASES; i++)
        n += atomic_load(&s->refused[i]);
    return n;
}

static void judge(struct test *t)
{
    struct shared *s = t->shared;

    printf("# %lu connections, %lu MiB written, %lu answers; %lu wrong requests refused; %lu jobs "
           "flooded, %lu times refused\n",
           atomic_load(&s->opened), atomic_load(&s->bytes) >> 20, atomic_load(&s->answers),
           atomic_load(&s->wrong), atomic_load(&s->flooded), atomic_load(&s->flood_refused));
    if (atomic_load(&s->accepted))
        fault(t, "%lu wrong requests were accepted, the first: %s", atomic_load(&s->accepted),
              s->accepted_name);
    if (atomic_load(&s->n_lost))
        fault(t, "%u jobs of the honest client are not what they should be, the first: %s",
              atomic_load(&s->n_lost), s->lost);
    if (geteuid() == 0 && n_refused(s))
        fault(t, "the honest client was refused %u times, for what another user did", n_refused(s));
    if (!t->only &&
        (!atomic_load(&s->wrong) || !atomic_load(&s->flooded) || !atomic_load(&s->n_samples)))
        fault(t, "nothing was tested");
}

static void run_all(struct test *t)
{
    int status;
    pid_t honest = honest_start(t);

    printf("# %-40s%7s %8s %8s %8s %7s %8s %8s %7s %7s %6s\n", "", "jobs", "p50 ms", "p99 ms",
           "max ms", "refused", "opened", "hung up", "RSS MiB", "PSS MiB", "files");
    run_phase(t, "nobody else", NULL, 0);
    if (!proc_sample(t->pid, &t->before))
        die("the daemon");
    t->before.n_fds++; /* the honest client comes and goes */
    for (size_t i = 0; i < n_acts; i++)
        if (!t->only || strstr(acts[i].name, t->only))
            run_phase(t, acts[i].name, &acts[i], 1);
    if (!t->only)
        run_phase(t, "all at once", acts, n_acts);
    run_phase(t, "nobody else again", NULL, 0);
    look_back(t);
    atomic_store(&t->shared->stop, true);
    if (waitpid(honest, &status, 0) != honest || status != 0)
        fault(t, "the honest client failed");
}

int main(int argc, char **argv)
{
    struct test t = {0};

    if (argc != 7 && argc != 8) {
        fputs("usage: hostile SOCKET PID CONNECTIONS SECONDS MAX_MIB BACK_MIB [ACT]\n", stderr);
        return 2;
    }
    t.path = argv[1];
    t.pid = (pid_t)atol(argv[2]);
    t.n_conns = (unsigned)atol(argv[3]);
    t.seconds = (unsigned)atol(argv[4]);
    t.max_kib = strtoul(argv[5], NULL, 10) * 1024;
    t.back_kib = strtoul(argv[6], NULL, 10) * 1024;
    t.only = argv[7];
    t.shared =
        mmap(NULL, sizeof(*t.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (t.shared == MAP_FAILED)
        die("memory");
    setvbuf(stdout, NULL, _IOLBF, 0);
    files_raise(t.n_conns + 64);
    job_of_the_crowd(&t);
    run_all(&t);
    judge(&t);
    return t.n_faults ? 1 : 0;
}
