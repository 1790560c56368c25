/*
 * table.h - the table that is printed, and the JSON lines that it can be printed from again.
 *
 * A line has one row of one run: what was measured beside what, the figures of all rounds, commit,
 * time, machine and load. A file of them grows with every run, so that figures can be compared
 * over time; lines of one run have the same "run".
 */
#ifndef AW_BENCH_TABLE_H
#define AW_BENCH_TABLE_H

#include "tests/bench/bench.h"

struct table_row {
    const char *name;   /* of the case; with `beside` it names the row */
    const char *text;   /* what is measured */
    const char *unit;   /* of both figures */
    const char *beside; /* what stands beside awd */
    enum bench_goal goal;
    double limit;   /* of the ratio's median */
    const char *no; /* why there are no figures; NULL: there are */
    size_t n;       /* rounds */
    double awd[BENCH_MAX_ROUNDS], other[BENCH_MAX_ROUNDS], ratio[BENCH_MAX_ROUNDS];
    /* --against only: awd's processor time over that of the other awd. */
    double cpu[BENCH_MAX_ROUNDS];
};

/* Of a whole run. */
struct table_run {
    const char *commit;
    long long time_s; /* of its begin; names the run */
    double load;      /* the machine's load average at its begin */
    double scale;
};

/* The run that begins now, of the commit in $BENCH_COMMIT. */
struct table_run table_run_now(double scale);

void table_head_print(bool against);
void table_row_print(const struct table_row *row, bool against);

/* Appends a line. */
void table_row_write(FILE *out, struct table_run *run, const struct table_row *row);

/* Prints the last run in a file as Markdown, with a sentence on when and where it was measured. */
void table_markdown(const char *path);

#endif
