/*
 * bench.h - figures of awd beside figures of something else, measured in turn in the same run.
 *
 * A case has one figure of awd and one of its floor (a bare system call, SQLite by itself, a
 * program without awd) or of a peer. Rounds of both alternate, so that a machine whose speed
 * drifts harms neither. What counts is the ratio of each round, of which the median, the smallest
 * and the largest are shown; the goal is one for the median. Nothing fails when it is not met:
 * machines are noisy, and who reads the table can judge. With --against the cases run with two
 * sets of awd's programs in turn, and the ratio is that of both.
 *
 * One thread, one process: bench.c runs the cases of all files one after the other.
 */
#ifndef AW_BENCH_H
#define AW_BENCH_H

#include <stdio.h>

#include "proto/base.h"

#define BENCH_MAX_ROUNDS 101

enum bench_goal { GOAL_NONE, GOAL_AT_MOST, GOAL_AT_LEAST };

struct programs;

struct bench {
    const char *dir; /* an empty directory of this case's own, on the disk to be measured */
    struct programs *programs; /* awd's (rig.h) */
    void *state;               /* the case's own */
    double scale;              /* of the work in each round: 1; less for a quick look */
};

/* Another program that does what a case has awd do, measured in the same rounds. */
struct bench_peer {
    const char *text; /* what stands beside awd's figure; stable, figures are compared by it */
    enum bench_goal goal;
    double ratio; /* awd's figure over the peer's */
    /* False: it is not there, or cannot do this. Then a sentence says why. */
    bool (*can)(char why[128]);
    void *(*open)(struct bench *b);
    double (*round)(struct bench *b, void *state);
    void (*close)(void *state);
};

struct bench_case {
    const char *name;  /* short, stable: figures are compared by it */
    const char *text;  /* what is measured */
    const char *unit;  /* of both figures: us, /s, B, ms, ... */
    const char *floor; /* what stands beside it */
    enum bench_goal goal;
    double ratio; /* awd's figure over the floor's */
    void (*open)(struct bench *b);
    void (*round)(struct bench *b, double *ret_awd, double *ret_floor);
    void (*close)(struct bench *b);
    const struct bench_peer *peers; /* the last one without a text; NULL: none */
};

/* Each file of cases has one such list, the last one without a name. */
extern const struct bench_case submit_cases[], run_cases[], wait_cases[], scale_cases[];

/* Ends the program, with errno's text or a sentence. awd, if it runs, is killed. */
_Noreturn void bench_die(const char *what);
_Noreturn void bench_fail(const char *fmt, ...) AW_PRINTF(1, 2);

/* This much work, scaled; one at least. */
static inline size_t bench_count(const struct bench *b, double n)
{
    return (size_t)MAX(n * b->scale, 1.0);
}

/* Microseconds since some time, with their fractions. */
double bench_now_us(void);

/* The median, or another quantile, of n figures, which get sorted. */
double bench_quantile(double *v, size_t n, double q);

/* Microseconds of an operation, one after the other. */
struct samples {
    double *v;
    size_t n, cap;
};
void samples_add(struct samples *s, double us);
/* The median; and none are left. */
double samples_p50(struct samples *s);

/* ---- awd (rig.c) ---------------------------------------------------------------------------- */

struct daemon {
    pid_t pid;
    char dir[256];
    char socket[300];
};

/*
 * Starts awd in the directory `name` below b->dir with these further flags, NULL at the end, and
 * waits until it answers.
 */
void daemon_start(struct bench *b, struct daemon *d, const char *name, const char *const *flags);
/* Ends it as an administrator would. The store stays. */
void daemon_stop(struct daemon *d);

/* ---- What a process takes (rig.c) ----------------------------------------------------------- */

/* Resident bytes. */
double bench_memory(pid_t pid);
/* How often its threads have left the processor, of their own will or not. */
double bench_switches(pid_t pid);
void bench_rest(double seconds);

/* ---- Floors (floors.c) ---------------------------------------------------------------------- */

/* A write of 4 KiB over what is in a file, and fdatasync(): microseconds, the median of n. */
double floor_fdatasync(const char *dir, size_t n);
/* Rows that SQLite inserts in a second, `batch` in a transaction, as the store is set up. */
double floor_sqlite(const char *dir, size_t n, size_t batch);
/* An answer of `len` octets to a message of as many, over a unix socket, by a process that does
 * nothing else: microseconds, the median of n. */
double floor_echo(size_t n, size_t len);
/* `true` by posix_spawn(), two at a time, nothing captured: how many a second. */
double floor_spawn(size_t n);
/* A program from fork to exit, output thrown away: microseconds, the median of n. */
double floor_program(const char *const *argv, size_t n);

#endif
