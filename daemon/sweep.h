/*
 * sweep.h - removes spool files that belong to nobody: a crash between the removal of a record and
 * that of its files leaves some.
 */
#ifndef AW_SWEEP_H
#define AW_SWEEP_H

#include "daemon/server.h"

/* Looks once, in the background. Files of jobs on record stay. */
void sweep_start(struct server *srv);

#endif
