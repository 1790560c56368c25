#include "daemon/runner/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define MAX_CACHED  64
#define CACHE_US    30000000
#define MAX_GROUPS  65536 /* the kernel's limit */
#define MAX_ENTRY   (1u << 20)
#define DUMPABLE    "/proc/sys/fs/suid_dumpable"
#define CHILD_CODE  __attribute__((no_sanitize("address", "undefined"), no_stack_protector))
#define CAP_WORDS   _LINUX_CAPABILITY_U32S_3
#define CAP_MASK(c) (UINT64_C(1) << (c))

struct caps {
    uint64_t effective, permitted, inheritable;
};

CHILD_CODE static bool caps_get(struct caps *ret)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[CAP_WORDS];

    if (syscall(SYS_capget, &head, data) < 0)
        return false;
    ret->effective = data[0].effective | (uint64_t)data[1].effective << 32;
    ret->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
    ret->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
    return true;
}

/* ---- In the child --------------------------------------------------------------------------- */

CHILD_CODE bool identity_drop(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[CAP_WORDS] = {{0}};

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        return false;
    return syscall(SYS_capset, &head, none) == 0;
}

CHILD_CODE static bool refused(void)
{
    errno = EPERM;
    return false;
}

CHILD_CODE static bool groups_are(const struct identity *id)
{
    int n = getgroups((int)id->n_groups + 1, id->room);

    if (n < 0 || (size_t)n != id->n_groups)
        return false;
    for (int i = 0; i < n; i++)
        if (id->room[i] != id->groups[i])
            return false;
    return true;
}

CHILD_CODE static bool is_become(const struct identity *id)
{
    uid_t uid, euid, suid;
    gid_t gid, egid, sgid;

    return getresuid(&uid, &euid, &suid) == 0 && getresgid(&gid, &egid, &sgid) == 0 &&
           uid == id->uid && euid == id->uid && suid == id->uid && gid == id->gid &&
           egid == id->gid && sgid == id->gid && groups_are(id);
}

/* Whoever it was is no more, and root is out of reach. */
CHILD_CODE static bool is_for_good(const struct identity *id)
{
    struct caps caps;

    if (!caps_get(&caps) || caps.effective | caps.permitted | caps.inheritable)
        return false;
    if (setresuid(id->from_uid, id->from_uid, id->from_uid) == 0 || setresuid(0, 0, 0) == 0)
        return false;
    return id->gid == id->from_gid || setresgid(id->from_gid, id->from_gid, id->from_gid) < 0;
}

/* What programs that are set-user-ID, or have capabilities of their own, could give. */
CHILD_CODE static bool forgo_privileges(void)
{
    for (unsigned long cap = 0; cap < 64; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            break; /* no more of them; or it takes a capability that we lack */
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

CHILD_CODE bool identity_assume(const struct identity *id)
{
    if (id->uid != 0 && !id->allow_setuid && !forgo_privileges())
        return false;
    if (setgroups(id->n_groups, id->groups) < 0 || setresgid(id->gid, id->gid, id->gid) < 0 ||
        setresuid(id->uid, id->uid, id->uid) < 0)
        return false;
    /* From one user to another, neither of them root, the kernel leaves capabilities alone. */
    if (id->uid != 0 && !identity_drop())
        return false;
    /* That cleared it, or set it to what the administrator wants of set-user-ID programs. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return false;
    return is_become(id) && (id->uid == 0 || is_for_good(id)) ? true : refused();
}

/* ---- Looking users up ----------------------------------------------------------------------- */

static void identity_free(struct identity *id)
{
    if (!id)
        return;
    free(id->groups);
    free(id->room);
    free(id->name);
    free(id->home);
    free(id->shell);
    free(id);
}

static int group_compare(const void *a, const void *b)
{
    gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

    return (x > y) - (x < y);
}

/* As the kernel keeps and tells them. */
static void groups_sort(struct identity *id)
{
    size_t n = 0;

    qsort(id->groups, id->n_groups, sizeof(*id->groups), group_compare);
    for (size_t i = 0; i < id->n_groups; i++)
        if (i == 0 || id->groups[i] != id->groups[n - 1])
            id->groups[n++] = id->groups[i];
    id->n_groups = n;
}

static enum aw_err groups_find(struct identity *id, struct aw_error *err)
{
    for (int size = 64; size <= MAX_GROUPS; size *= 4) {
        gid_t *grown = reallocarray(id->groups, (size_t)size, sizeof(*grown));
        int n = size;

        if (!grown)
            return aw_fail(err, AW_ERR_NO_MEMORY, "groups: out of memory");
        id->groups = grown;
        if (getgrouplist(id->name, id->gid, id->groups, &n) >= 0) {
            id->n_groups = (size_t)n;
            groups_sort(id);
            return AW_OK;
        }
    }
    return aw_fail(err, AW_ERR_SYSTEM, "user %s is in more than %d groups", id->name, MAX_GROUPS);
}

/* *ret_found is NULL for one who has no entry; what it points to is in *buf. */
static enum aw_err entry_find(uid_t uid, struct passwd *entry, char **buf,
                              struct passwd **ret_found, struct aw_error *err)
{
    int error = ERANGE;

    for (size_t size = 1024; error == ERANGE && size <= MAX_ENTRY; size *= 4) {
        free(*buf);
        *buf = malloc(size);
        if (!*buf)
            return aw_fail(err, AW_ERR_NO_MEMORY, "user %u: out of memory", uid);
        error = getpwuid_r(uid, entry, *buf, size, ret_found);
    }
    /* What some sources of users say of one that they do not know: getpwnam(3). */
    if (error == ENOENT || error == ESRCH)
        *ret_found = NULL;
    else if (error)
        return aw_fail(err, AW_ERR_SYSTEM, "user %u cannot be looked up: %s", uid, strerror(error));
    return AW_OK;
}

static enum aw_err identity_fill(struct identity *id, struct aw_error *err)
{
    _cleanup_free_ char *buf = NULL;
    struct passwd entry, *found = NULL;
    enum aw_err e = entry_find(id->uid, &entry, &buf, &found, err);

    if (e == AW_OK && found) {
        id->gid = found->pw_gid;
        id->name = strdup(found->pw_name);
        id->home = strdup(found->pw_dir);
        id->shell = strdup(found->pw_shell && *found->pw_shell ? found->pw_shell : "/bin/sh");
        if (!id->name || !id->home || !id->shell)
            return aw_fail(err, AW_ERR_NO_MEMORY, "user %u: out of memory", id->uid);
        e = groups_find(id, err);
    }
    if (e != AW_OK)
        return e;
    id->room = calloc(id->n_groups + 1, sizeof(*id->room));
    return id->room ? AW_OK : aw_fail(err, AW_ERR_NO_MEMORY, "user %u: out of memory", id->uid);
}

static enum aw_err identity_new(const struct identities *ids, uid_t uid, gid_t gid,
                                struct identity **ret, struct aw_error *err)
{
    struct identity *id = calloc(1, sizeof(*id));
    enum aw_err e;

    if (!id)
        return aw_fail(err, AW_ERR_NO_MEMORY, "user %u: out of memory", uid);
    id->uid = uid;
    id->gid = id->asked_gid = gid;
    id->allow_setuid = ids->config.allow_setuid;
    id->from_uid = ids->own_uid;
    id->from_gid = ids->own_gid;
    e = identity_fill(id, err);
    if (e != AW_OK)
        identity_free(id);
    else
        *ret = id;
    return e;
}

/* ---- Remembering them ----------------------------------------------------------------------- */

static void cache_drop(struct identities *ids, struct identity *id)
{
    TAILQ_REMOVE(&ids->cache, id, link);
    ids->n_cached--;
    identity_free(id);
}

static struct identity *cache_find(struct identities *ids, uid_t uid, gid_t gid)
{
    struct identity *id;

    TAILQ_FOREACH (id, &ids->cache, link)
        if (id->uid == uid && id->asked_gid == gid)
            break;
    if (id && id->until_us <= boottime_us()) {
        cache_drop(ids, id);
        return NULL;
    }
    if (id)
        TAILQ_REMOVE(&ids->cache, id, link);
    if (id)
        TAILQ_INSERT_HEAD(&ids->cache, id, link);
    return id;
}

static void cache_add(struct identities *ids, struct identity *id)
{
    if (ids->n_cached == MAX_CACHED)
        cache_drop(ids, TAILQ_LAST(&ids->cache, identity_list));
    id->until_us = boottime_us() + CACHE_US;
    TAILQ_INSERT_HEAD(&ids->cache, id, link);
    ids->n_cached++;
}

/* ---- Deciding ------------------------------------------------------------------------------- */

static enum aw_err check_user(const struct identities *ids, uid_t uid, struct aw_error *err)
{
    if (!ids->switches && (ids->own_uid != 0 || uid == 0))
        return AW_OK;
    if (!ids->switches)
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "the runner is root and runs jobs as itself, which is for root's jobs only; "
                       "this one is of user %u",
                       uid);
    if (uid == 0 && !ids->config.allow_root)
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "jobs do not run as root here: submit it as another user, or allow it to "
                       "the runner (root_jobs, --allow-root-jobs)");
    if (uid != 0 && (uid == ids->spool_uid || uid == ids->own_uid))
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "jobs do not run as user %u, to whom the daemon's own files belong: submit "
                       "it as another user",
                       uid);
    return AW_OK;
}

enum aw_err identity_find(struct identities *ids, uint32_t uid, uint32_t gid,
                          const struct identity **ret, struct aw_error *err)
{
    enum aw_err e = check_user(ids, uid, err);
    struct identity *id = NULL;

    if (e != AW_OK)
        return e;
    if (ids->switches && uid != ids->own_uid) {
        id = cache_find(ids, uid, gid);
        if (!id) {
            e = identity_new(ids, uid, gid, &id, err);
            if (e != AW_OK)
                return e;
            cache_add(ids, id);
        }
    }
    *ret = id;
    return AW_OK;
}

void identity_pretend(const struct identity *id)
{
    if (id)
        (void)setfsuid(id->uid);
}

void identity_pretend_end(const struct identity *id)
{
    if (id)
        (void)setfsuid(id->from_uid);
}

/* ---- Opening -------------------------------------------------------------------------------- */

/*
 * With 1, who is to have the child's user could look into it before it has become the program, and
 * in there is what other people's jobs have in their environments.
 */
static bool children_are_dumpable(void)
{
    _cleanup_close_ int fd = open(DUMPABLE, O_RDONLY | O_CLOEXEC);
    char text[8] = "";

    return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && text[0] == '1';
}

static enum aw_err check_switching(const struct caps *caps, struct aw_error *err)
{
    static const struct {
        int cap;
        const char *name;
    } needed[] = {{CAP_SETUID, "CAP_SETUID"}, {CAP_SETGID, "CAP_SETGID"}, {CAP_KILL, "CAP_KILL"}};

    for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
        if (!(caps->effective & CAP_MASK(needed[i].cap)))
            return aw_fail(err, AW_ERR_NOT_PERMITTED,
                           "jobs cannot run as their submitter: that takes CAP_SETUID, CAP_SETGID "
                           "and CAP_KILL, and %s is missing",
                           needed[i].name);
    return AW_OK;
}

static enum aw_err decide(struct identities *ids, struct aw_error *err)
{
    struct caps caps;
    struct aw_error why;

    if (!caps_get(&caps))
        return aw_fail(err, AW_ERR_SYSTEM, "capabilities: %s", strerror(errno));
    ids->privileged = ids->own_uid != 0 && (caps.permitted | caps.inheritable);
    if (ids->config.jobs_as == JOBS_AS_SELF)
        return AW_OK;
    ids->switches = check_switching(&caps, &why) == AW_OK;
    if (!ids->switches && ids->config.jobs_as == JOBS_AS_SUBMITTER)
        return aw_fail(err, why.code, "%s", why.text);
    if (!ids->switches)
        return AW_OK;
    if (children_are_dumpable())
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "jobs cannot run as their submitter while " DUMPABLE " is 1: set it to 0 "
                       "or 2, or run all jobs as the runner (--jobs-as self)");
    /* What the runner holds, and so its children until they are programs, is for nobody to see. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "prctl: %s", strerror(errno));
    return AW_OK;
}

enum aw_err identities_open(const struct identity_config *config, int spool_fd,
                            struct identities *ret, struct aw_error *err)
{
    struct identities ids = {.config = *config, .own_uid = geteuid(), .own_gid = getegid()};
    struct stat st;
    enum aw_err e;

    if (fstat(spool_fd, &st) < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "spool: %s", strerror(errno));
    ids.spool_uid = st.st_uid;
    e = decide(&ids, err);
    if (e != AW_OK)
        return e;
    *ret = ids;
    TAILQ_INIT(&ret->cache);
    return AW_OK;
}

void identities_close(struct identities *ids)
{
    while (ids->n_cached)
        cache_drop(ids, TAILQ_FIRST(&ids->cache));
}
