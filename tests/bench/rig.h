/*
 * rig.h - where a benchmark lives: a directory of its own, and the daemon in it. Nothing of either
 * is left, whatever ends the program.
 */
#ifndef AW_BENCH_RIG_H
#define AW_BENCH_RIG_H

#include "tests/bench/bench.h"

/* awd's programs, as installed. */
struct programs {
    char awd[512], awctl[512], runner[512];
    double cpu_us; /* private: what daemons that are no more have used */
};

/* From now on nothing is left behind at the end of the program. */
void rig_open(void);

/* Ends the program if SIGINT or SIGTERM has come; to be called now and then. */
void rig_stop_if_asked(void);
/* Those of $AWD_BINDIR, $AWD_SBINDIR, $AWD_LIBEXECDIR, as for the end-to-end tests. */
void rig_programs(struct programs *ret);
/* Those installed below a prefix. */
void rig_programs_below(struct programs *ret, const char *prefix);

/* Empty directories below `parent` (NULL: $TMPDIR, or /tmp); two at a time. */
const char *rig_dir_make(const char *parent);
/* Removes all. */
void rig_dirs_remove(void);

/*
 * Starts a program in the background, with nothing on its stdin and its output appended to a log;
 * it is ended, if it still runs, when this program ends. argv[0] is a path.
 */
pid_t rig_start(const char *const *argv, const char *log);
/* SIGTERM, and waits for the end. */
void rig_end(pid_t pid);
/* True once it has ended by itself; then it is no more to be ended. */
bool rig_has_ended(pid_t pid);

/* The same for a function of ours, in a process of its own; it ends when run() returns. */
pid_t rig_fork(void (*run)(const void *arg), const void *arg);

/*
 * Microseconds of processor time that the daemons started from these programs, and their runners,
 * have used so far. What the jobs themselves took is not in it.
 */
double rig_cpu_us(const struct programs *programs);

#endif
