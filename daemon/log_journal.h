/*
 * log_journal.h - the native way into systemd's journal: MESSAGE, PRIORITY and AWD_<KEY> for each
 * field; the job's ID is AWD_JOB.
 *
 * Apart from log.h, so that a program which only writes lines does not link libsystemd: aw-runner
 * stays small.
 */
#ifndef AW_LOG_JOURNAL_H
#define AW_LOG_JOURNAL_H

/* Before anything is logged. Does nothing without libsystemd. */
void log_to_journal(void);

#endif
