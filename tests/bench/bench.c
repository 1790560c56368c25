/*
 * Runs the cases of all files, prints one table, and writes it as JSON lines.
 *
 *     bench [--rounds N] [--scale X] [--only NAME[,NAME...]] [--peers] [--json FILE] [--dir DIR]
 */
#include "tests/bench/bench.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <sys/utsname.h>
#include <time.h>

#include "tests/bench/rig.h"

struct options {
    size_t n_rounds;
    double scale;
    const char *only, *json, *dir;
    bool peers;
};

struct figures {
    double awd[BENCH_MAX_ROUNDS], floor[BENCH_MAX_ROUNDS], ratio[BENCH_MAX_ROUNDS];
};

/* ---- Figures -------------------------------------------------------------------------------- */

double bench_now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_quantile(double *v, size_t n, double q)
{
    qsort(v, n, sizeof(*v), compare);
    return n ? v[MIN((size_t)((double)n * q), n - 1)] : 0;
}

void samples_add(struct samples *s, double us)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 1024;
        s->v = reallocarray(s->v, s->cap, sizeof(*s->v));
        if (!s->v)
            bench_die("samples");
    }
    s->v[s->n++] = us;
}

double samples_p50(struct samples *s)
{
    double p50 = bench_quantile(s->v, s->n, 0.5);

    free(s->v);
    *s = (struct samples){0};
    return p50;
}

/* ---- The table ------------------------------------------------------------------------------ */

static const char *number(double v, char text[32])
{
    snprintf(text, 32, v >= 100000 ? "%.3g" : v >= 1000 ? "%.0f" : v >= 10 ? "%.1f" : "%.3g", v);
    return text;
}

static bool met(const struct bench_case *c, double ratio)
{
    return c->goal == GOAL_AT_MOST ? ratio <= c->ratio : ratio >= c->ratio;
}

static void head_print(void)
{
    printf(
        "| what | awd | beside it | ratio (median, min to max) | goal |\n|---|---|---|---|---|\n");
}

static void row_print(const struct bench_case *c, struct figures *f, size_t n)
{
    char awd[32], floor[32], goal[64] = "-";
    double ratio = bench_quantile(f->ratio, n, 0.5);

    if (c->goal != GOAL_NONE)
        snprintf(goal, sizeof(goal), "%s %.4g: %s",
                 c->goal == GOAL_AT_MOST ? "at most" : "at least", c->ratio,
                 met(c, ratio) ? "met" : "not met");
    printf("| %s | %s %s | %s: %s %s | %.3g (%.3g to %.3g) | %s |\n", c->text,
           number(bench_quantile(f->awd, n, 0.5), awd), c->unit, c->floor,
           number(bench_quantile(f->floor, n, 0.5), floor), c->unit, ratio, f->ratio[0],
           f->ratio[n - 1], goal);
    fflush(stdout);
}

static void list_write(FILE *out, const char *name, const double *v, size_t n)
{
    fprintf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%.6g", i ? "," : "", v[i]);
    fputc(']', out);
}

static void row_write(FILE *out, const struct bench_case *c, const struct figures *f, size_t n,
                      double scale)
{
    const char *commit = getenv("BENCH_COMMIT");
    struct utsname machine;

    if (uname(&machine) < 0)
        bench_die("uname");
    fprintf(out,
            "{\"name\":\"%s\",\"unit\":\"%s\",\"floor_name\":\"%s\",\"commit\":\"%s\","
            "\"time\":%lld,\"kernel\":\"%s\",\"cpus\":%ld,\"scale\":%.3g,\"goal\":%.4g",
            c->name, c->unit, c->floor, commit ? commit : "", (long long)time(NULL),
            machine.release, sysconf(_SC_NPROCESSORS_ONLN), scale,
            c->goal == GOAL_NONE ? 0 : c->ratio);
    list_write(out, "awd", f->awd, n);
    list_write(out, "floor", f->floor, n);
    list_write(out, "ratio", f->ratio, n);
    fputs("}\n", out);
    fflush(out);
}

/* ---- Running -------------------------------------------------------------------------------- */

static bool wanted(const struct options *o, const struct bench_case *c)
{
    size_t len = strlen(c->name);

    if (c->can && !c->can()) {
        fprintf(stderr, "bench: %s: left out, as %s is not there\n", c->name, c->floor);
        return false;
    }
    for (const char *p = o->only; p && *p; p += strcspn(p, ","), p += *p == ',')
        if (strncmp(p, c->name, len) == 0 && (p[len] == ',' || !p[len]))
            return true;
    return !o->only;
}

static void case_run(const struct options *o, const struct bench_case *c, FILE *json)
{
    struct bench b = {.n_rounds = o->n_rounds, .scale = o->scale};
    struct figures f, as_run;

    b.dir = rig_dir_make(o->dir);
    if (c->open)
        c->open(&b);
    for (size_t i = 0; i < o->n_rounds; i++) {
        c->round(&b, &f.awd[i], &f.floor[i]);
        f.ratio[i] = f.floor[i] > 0 ? f.awd[i] / f.floor[i] : 0;
    }
    if (c->close)
        c->close(&b);
    rig_dir_remove();
    as_run = f;
    row_print(c, &f, o->n_rounds);
    if (json)
        row_write(json, c, &as_run, o->n_rounds, o->scale);
}

static void list_run(const struct options *o, const struct bench_case *list, FILE *json)
{
    for (; list->name; list++)
        if (wanted(o, list))
            case_run(o, list, json);
}

static void usage(void)
{
    fputs("usage: bench [--rounds N] [--scale X] [--only NAME,...] [--peers] [--json FILE]"
          " [--dir DIR]\n",
          stderr);
    exit(2);
}

static struct options options_parse(int argc, char **argv)
{
    static const struct option table[] = {
        {"rounds", required_argument, NULL, 'n'},
        {"scale", required_argument, NULL, 's'},
        {"only", required_argument, NULL, 'o'},
        {"peers", no_argument, NULL, 'p'},
        {"json", required_argument, NULL, 'j'},
        {"dir", required_argument, NULL, 'd'},
        {0},
    };
    struct options o = {.n_rounds = 5, .scale = 1};
    int c;

    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1)
        switch (c) {
        case 'n':
            o.n_rounds = (size_t)strtoul(optarg, NULL, 10);
            break;
        case 's':
            o.scale = strtod(optarg, NULL);
            break;
        case 'o':
            o.only = optarg;
            break;
        case 'p':
            o.peers = true;
            break;
        case 'j':
            o.json = optarg;
            break;
        case 'd':
            o.dir = optarg;
            break;
        default:
            usage();
        }
    if (optind != argc || o.n_rounds < 1 || o.n_rounds > BENCH_MAX_ROUNDS || !(o.scale > 0) ||
        o.scale > 100)
        usage();
    return o;
}

int main(int argc, char **argv)
{
    struct options o = options_parse(argc, argv);
    FILE *json = o.json ? fopen(o.json, "a") : NULL;

    if (o.json && !json)
        bench_die(o.json);
    rig_open();
    head_print();
    list_run(&o, submit_cases, json);
    list_run(&o, run_cases, json);
    list_run(&o, wait_cases, json);
    list_run(&o, scale_cases, json);
    if (o.peers)
        list_run(&o, peer_cases, json);
    if (json && fclose(json))
        bench_die(o.json);
    return 0;
}
