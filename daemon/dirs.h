/*
 * dirs.h - the daemon's directories: makes them, makes sure that they are ours, and locks them.
 *
 *   <state_dir>/store/  the store         <state_dir>/awd.lock
 *   <state_dir>/spool/  output files      <run_dir>/awd.lock, and the sockets
 *
 * As long as they are open, no other daemon can use either directory; the locks go with the
 * process, however it ends.
 */
#ifndef AW_DIRS_H
#define AW_DIRS_H

#include "proto/base.h"

struct dirs {
    char *store; /* <state_dir>/store */
    char *spool; /* <state_dir>/spool */
    int state_lock, run_lock;
};

/*
 * Makes what is missing (also above: mode 0700; a run_dir of the system's daemon 0755, for
 * others have to reach its socket), and locks both.
 * AW_OK: *ret is to be given to dirs_close(). AW_ERR_NOT_PERMITTED: one of them, or a file of the
 * store, belongs to somebody else, or others may write to it, or to what is above it, or it is a
 * link that it must not be; the sentence says which and what would be right. AW_ERR_WRONG_STATE:
 * another daemon (the sentence has its pid) is there; it is not disturbed. AW_ERR_SYSTEM: anything
 * else. Nothing to close then.
 */
AW_MUSTCHECK enum aw_err dirs_open(const char *state_dir, const char *run_dir, bool system,
                                   struct dirs *ret, struct aw_error *err);

void dirs_close(struct dirs *dirs);

#endif
