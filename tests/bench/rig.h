/*
 * rig.h - where a benchmark lives: a directory of its own, and the daemon in it. Nothing of either
 * is left, whatever ends the program.
 */
#ifndef AW_BENCH_RIG_H
#define AW_BENCH_RIG_H

#include "tests/bench/bench.h"

/* Finds the programs: $AWD_BINDIR, $AWD_SBINDIR, $AWD_LIBEXECDIR, as for the end-to-end tests. */
void rig_open(void);

/* An empty directory below `parent` (NULL: $TMPDIR, or /tmp). One at a time. */
const char *rig_dir_make(const char *parent);
void rig_dir_remove(void);

/* awctl's path, for those who measure it. */
const char *rig_awctl(void);

#endif
