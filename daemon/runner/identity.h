/*
 * identity.h - as whom a job runs: as who submitted it, or as the runner itself.
 *
 * A runner that may become anybody (CAP_SETUID, CAP_SETGID, and CAP_KILL to end what it started)
 * runs each job with the user, group and groups of its submitter and without any privilege, for
 * good: no capabilities, no way back, and nothing to be gained from set-user-ID programs unless
 * that is allowed. It need not be root; it should be a user of its own. One that may not runs all
 * jobs as itself.
 *
 * Nobody's job runs as root unless root submitted it and the runner was told to allow that. Jobs of
 * the owner of the spool directory are refused where jobs run as others: they could change what
 * awd has stored.
 *
 * Users are looked up in the runner, before a job's process exists, since none of that may be done
 * in the child; a few are remembered for half a minute. A user who has no entry gets the group that
 * was recorded, and no others. Limits that PAM sets at login are not consulted.
 *
 * One thread. identity_assume() and identity_drop() belong to the child.
 */
#ifndef AW_RUNNER_IDENTITY_H
#define AW_RUNNER_IDENTITY_H

#include <sys/queue.h>
#include <sys/types.h>

#include "proto/base.h"

enum jobs_as {
    JOBS_AS_SELF,      /* all of them as the runner */
    JOBS_AS_SUBMITTER, /* an error where the runner may not */
    JOBS_AS_AUTO,      /* the latter where it may, else the former */
};

struct identity_config {
    enum jobs_as jobs_as;
    bool allow_root;   /* jobs that root submitted run as root; else they are refused */
    bool allow_setuid; /* jobs may run sudo, ping and others that give privileges */
};

/* A user, as a job's process is to have it. Immutable once made. */
struct identity {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* rising, each once */
    size_t n_groups;
    gid_t *room; /* private: n_groups + 1 of them, for the child */
    bool allow_setuid;
    uid_t from_uid; /* the runner's own */
    gid_t from_gid;
    char *name, *home, *shell; /* NULL: the user has no entry */

    gid_t asked_gid; /* private, as all that follows: of the cache */
    int64_t until_us;
    TAILQ_ENTRY(identity) link;
};

struct identities {
    struct identity_config config;
    bool switches;   /* jobs run as their submitter */
    bool privileged; /* the runner has capabilities, which no job is to inherit */
    uid_t own_uid, spool_uid;
    gid_t own_gid;
    TAILQ_HEAD(identity_list, identity) cache; /* the one used last comes first */
    size_t n_cached;
};

/*
 * Finds out what the runner may do. `spool_fd` is the spool directory.
 * AW_ERR_NOT_PERMITTED: it is told to run jobs as their submitter and may not, or cannot do so
 * safely on this machine; the sentence says what is missing. Nothing to close then.
 */
AW_MUSTCHECK enum aw_err identities_open(const struct identity_config *config, int spool_fd,
                                         struct identities *ret, struct aw_error *err);
/* Harmless on a zeroed one. */
void identities_close(struct identities *ids);

/*
 * As whom the job of this submitter runs: *ret is NULL for the runner itself, else valid until the
 * next call. May block for as long as looking up a user does.
 * AW_ERR_NOT_PERMITTED: not at all. AW_ERR_SYSTEM: the user cannot be looked up. AW_ERR_NO_MEMORY.
 */
AW_MUSTCHECK enum aw_err identity_find(struct identities *ids, uint32_t uid, uint32_t gid,
                                       const struct identity **ret, struct aw_error *err);

/*
 * What the runner makes from here on belongs to that user: pipes, so that a job can open its
 * /dev/stdout by name. Undone by identity_pretend_end(). NULL: nothing happens.
 */
void identity_pretend(const struct identity *id);
void identity_pretend_end(const struct identity *id);

/*
 * In a child that has memory of its own: becomes that user, and makes sure of it. False, with
 * errno: the child must end, whoever it is by now.
 */
AW_MUSTCHECK bool identity_assume(const struct identity *id);

/* In a child, which may be borrowing the runner's memory: gives all capabilities away. */
AW_MUSTCHECK bool identity_drop(void);

#endif
