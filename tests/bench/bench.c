/*
 * Runs the cases of all files, prints one table, and writes it as JSON lines.
 *
 *     bench [--rounds N] [--scale X] [--only NAME[,NAME...]] [--dir DIR] [--json FILE] [--peers]
 *     bench [--rounds N] [--scale X] [--only NAME[,NAME...]] [--dir DIR] --against PREFIX
 *     bench --markdown FILE
 *
 * --rounds    how often each case is measured (5)
 * --scale     how much work a round has: 0.1 is a tenth
 * --only      these cases; an unknown name shows which there are
 * --dir       where stores are made ($TMPDIR, or /tmp)
 * --json      appends the figures to a file, a line for each row
 * --peers     other programs too
 * --against   no floors and peers: awd beside the awd that is installed below PREFIX
 *             (PREFIX/sbin/awd, ...), round by round, with the processor time of both
 * --markdown  prints the table of the last run in a file that --json has written
 */
#include "tests/bench/bench.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <time.h>

#include "tests/bench/rig.h"
#include "tests/bench/table.h"

#define MAX_PEERS 8

struct options {
    size_t n_rounds;
    double scale;
    const char *only, *json, *dir, *against;
    bool peers;
};

struct run {
    struct options o;
    struct programs programs, other; /* the other: --against */
    struct table_run about;
    FILE *json;
    size_t n_cases;
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

/* ---- Running -------------------------------------------------------------------------------- */

static bool wanted(const struct options *o, const struct bench_case *c)
{
    size_t len = strlen(c->name);

    for (const char *p = o->only; p && *p; p += strcspn(p, ","), p += *p == ',')
        if (strncmp(p, c->name, len) == 0 && (p[len] == ',' || !p[len]))
            return true;
    return !o->only;
}

static struct bench bench_open(const struct options *o, const struct bench_case *c,
                               struct programs *programs)
{
    struct bench b = {.dir = rig_dir_make(o->dir), .programs = programs, .scale = o->scale};

    c->open(&b);
    return b;
}

static void row_done(struct run *r, const struct table_row *row)
{
    table_row_print(row, r->o.against);
    if (r->json && !r->o.against)
        table_row_write(r->json, &r->about, row);
}

static struct table_row row_begin(const struct run *r, const struct bench_case *c)
{
    return (struct table_row){.name = c->name,
                              .text = c->text,
                              .unit = c->unit,
                              .beside = c->floor,
                              .goal = c->goal,
                              .limit = c->ratio,
                              .n = r->o.n_rounds};
}

static void row_add(struct table_row *row, size_t i, double awd, double other)
{
    row->awd[i] = awd;
    row->other[i] = other;
    row->ratio[i] = other > 0 ? awd / other : 0;
}

/* ---- awd beside its floor, and beside peers --- */

struct beside {
    struct table_row row;
    void *state;
    char why[128];
};

static size_t peers_open(const struct run *r, const struct bench_case *c, struct bench *b,
                         struct beside beside[MAX_PEERS])
{
    size_t n = 0;

    for (; r->o.peers && c->peers && c->peers[n].text; n++) {
        const struct bench_peer *peer = &c->peers[n];
        struct beside *at = &beside[n];

        if (n == MAX_PEERS)
            bench_fail("%s: too many peers", c->name);
        at->row = row_begin(r, c);
        at->row.beside = peer->text;
        at->row.goal = peer->goal;
        at->row.limit = peer->ratio;
        if (peer->can(at->why))
            at->state = peer->open(b);
        else
            at->row.no = at->why;
    }
    return n;
}

static void case_run(struct run *r, const struct bench_case *c)
{
    static struct beside beside[MAX_PEERS];
    struct bench b = bench_open(&r->o, c, &r->programs);
    struct table_row row = row_begin(r, c);
    size_t n_peers = peers_open(r, c, &b, beside);

    for (size_t i = 0; i < r->o.n_rounds; i++) {
        double awd, floor;

        rig_stop_if_asked();
        c->round(&b, &awd, &floor);
        row_add(&row, i, awd, floor);
        for (size_t k = 0; k < n_peers; k++)
            if (!beside[k].row.no)
                row_add(&beside[k].row, i, awd, c->peers[k].round(&b, beside[k].state));
    }
    for (size_t k = 0; k < n_peers; k++)
        if (!beside[k].row.no)
            c->peers[k].close(beside[k].state);
    c->close(&b);
    rig_dirs_remove();
    row_done(r, &row);
    for (size_t k = 0; k < n_peers; k++)
        row_done(r, &beside[k].row);
}

/* ---- Two sets of awd's programs --- */

static double round_measure(const struct bench_case *c, struct bench *b, double *ret_cpu_us)
{
    double cpu_us = rig_cpu_us(b->programs), awd, floor;

    c->round(b, &awd, &floor);
    *ret_cpu_us = rig_cpu_us(b->programs) - cpu_us;
    return awd;
}

static void case_run_against(struct run *r, const struct bench_case *c)
{
    struct bench new = bench_open(&r->o, c, &r->programs);
    struct bench old = bench_open(&r->o, c, &r->other);
    struct table_row row = row_begin(r, c);

    for (size_t i = 0; i < r->o.n_rounds; i++) {
        double awd = 0, other, new_us = 0, old_us;

        rig_stop_if_asked();
        if (i % 2 == 0)
            awd = round_measure(c, &new, &new_us);
        other = round_measure(c, &old, &old_us);
        if (i % 2 == 1)
            awd = round_measure(c, &new, &new_us);
        row_add(&row, i, awd, other);
        row.cpu[i] = old_us > 0 ? new_us / old_us : 0;
    }
    c->close(&new);
    c->close(&old);
    rig_dirs_remove();
    row_done(r, &row);
}

static void list_run(struct run *r, const struct bench_case *list)
{
    for (; list->name; list++)
        if (wanted(&r->o, list)) {
            if (r->o.against)
                case_run_against(r, list);
            else
                case_run(r, list);
            r->n_cases++;
        }
}

static void usage(void)
{
    fputs("usage: bench [--rounds N] [--scale X] [--only NAME,...] [--dir DIR]\n"
          "             [--json FILE] [--peers] | [--against PREFIX]\n"
          "       bench --markdown FILE\n",
          stderr);
    exit(2);
}

_Noreturn static void markdown(const char *path)
{
    table_markdown(path);
    exit(0);
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
        {"against", required_argument, NULL, 'a'},
        {"markdown", required_argument, NULL, 'm'},
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
        case 'a':
            o.against = optarg;
            break;
        case 'm':
            markdown(optarg);
        default:
            usage();
        }
    if (optind != argc || o.n_rounds < 1 || o.n_rounds > BENCH_MAX_ROUNDS || !(o.scale > 0) ||
        o.scale > 100 || (o.peers && o.against))
        usage();
    return o;
}

static const struct bench_case *const lists[] = {submit_cases, run_cases, wait_cases, scale_cases};

static void names_print(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        for (const struct bench_case *c = lists[i]; c->name; c++)
            fprintf(stderr, "%s\n", c->name);
}

int main(int argc, char **argv)
{
    struct run r = {.o = options_parse(argc, argv)};

    r.about = table_run_now(r.o.scale);
    r.json = r.o.json ? fopen(r.o.json, "ae") : NULL;
    if (r.o.json && !r.json)
        bench_die(r.o.json);
    rig_open();
    rig_programs(&r.programs);
    if (r.o.against)
        rig_programs_below(&r.other, r.o.against);
    table_head_print(r.o.against);
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        list_run(&r, lists[i]);
    if (r.json && fclose(r.json))
        bench_die(r.o.json);
    if (r.n_cases == 0) {
        names_print();
        bench_fail("--only names no case; those above are there");
    }
    return 0;
}
