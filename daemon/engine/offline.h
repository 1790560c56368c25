/*
 * offline.h - what can be done to the embedded engine's store while no engine has it open: look
 * whether all is well in it, and make a copy of one the beginning of a new history.
 *
 * A part of the seam, as engine.h: nothing here tells how the store is made. All calls block, and
 * belong to one thread. Nobody else may have the file open: whoever calls holds the daemon's lock,
 * or has a file that is nobody's, such as a backup.
 *
 * Memory is bounded, whatever is in the store.
 */
#ifndef AW_OFFLINE_H
#define AW_OFFLINE_H

#include "proto/base.h"
#include "proto/limits.h"

struct offline;

/*
 * Opens the file to be read; it is left as it is, and so is a log beside it, whose content counts.
 * AW_ERR_SYSTEM: it cannot be opened. AW_ERR_STORE: it is damaged from its first bytes on, or no
 * store of awd's. AW_ERR_BAD_VERSION: made by a newer version; an older one's is looked at as what
 * it is. AW_ERR_NO_MEMORY.
 */
AW_MUSTCHECK enum aw_err offline_open(const char *path, struct offline **ret, struct aw_error *err);
/* Harmless on NULL. */
void offline_close(struct offline *off);

struct offline_info {
    char tag[AW_TAG_LEN + 1];
    uint64_t high;  /* no number above this was given out, as far as the store knows */
    uint64_t epoch; /* how often it was opened */
};
/* AW_ERR_STORE: that cannot be read. */
AW_MUSTCHECK enum aw_err offline_get_info(struct offline *off, struct offline_info *ret,
                                          struct aw_error *err);

/* Output that is in a spool file, by what the store says. */
struct offline_spooled {
    uint64_t number, attempt, size;
    int stream;
};

/* Who is told what is found. */
struct offline_findings {
    /* Something is wrong: one sentence, without a full stop. */
    void (*wrong)(void *arg, const char *text);
    void (*spooled)(void *arg, const struct offline_spooled *file); /* NULL: not asked */
};

/*
 * Looks at everything: that the file is whole, and that its records obey every rule that the
 * engine relies on. Of many faults of one kind, the first ones are told, and how many more there
 * are. AW_OK: it looked at all; what was wrong has been told. AW_ERR_NO_MEMORY.
 */
AW_MUSTCHECK enum aw_err offline_check(struct offline *off, const struct offline_findings *to,
                                       void *arg, struct aw_error *err);

/* Whether there is a job of this number. AW_ERR_STORE. */
AW_MUSTCHECK enum aw_err offline_has_job(struct offline *off, uint64_t number, bool *ret,
                                         struct aw_error *err);

/*
 * Makes the store in the file, a copy of a backup, one that goes on by itself: numbers and claims
 * that were given out after the backup are never given out again. `old`: what is known of the
 * store whose place it takes, or NULL. `hold`: all of its queues are paused. Durable on AW_OK.
 *
 * Numbers go on at the present time in microseconds, or 10^12 above the highest one that is known,
 * whichever is more; so two restores of one backup cannot meet, either. Claims likewise.
 */
AW_MUSTCHECK enum aw_err offline_new_history(const char *path, const struct offline_info *old,
                                             bool hold, struct offline_info *ret,
                                             struct aw_error *err);

#endif
