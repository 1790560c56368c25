/*
 * power_check.h - is all that was told there, and nothing else?
 */
#ifndef AW_POWER_CHECK_H
#define AW_POWER_CHECK_H

/* Right after the rig's engine was opened on what a power loss left: compares with the facts. */
void power_check(void);

/* A database that nobody has open: PRAGMA integrity_check. */
void power_check_file(const char *path);

#endif
