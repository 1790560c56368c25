#include "daemon/access.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>

#define MAX_ENTRY (1u << 20)

struct rule {
    char *subject;
    struct access_user user;
};

struct access {
    bool has_admin_group, tcp;
    gid_t admin_gid;
    struct access_user tcp_user;
    struct rule *rules;
    size_t n_rules;
};

/* ---- Names --------------------------------------------------------------------------------- */

static bool number_parse(const char *text, uint32_t *ret)
{
    unsigned long long v;
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    v = strtoull(text, &end, 10);
    if (errno || *end || v >= UINT32_MAX) /* the last one means "none" to system calls */
        return false;
    *ret = (uint32_t)v;
    return true;
}

static enum aw_err lookup_failed(const char *key, const char *what, const char *name, int error,
                                 struct aw_error *err)
{
    if (error == ENOMEM)
        return aw_fail(err, AW_ERR_NO_MEMORY, "%s: out of memory", key);
    if (error && error != ENOENT && error != ESRCH)
        return aw_fail(err, AW_ERR_INVALID, "%s: %s %s cannot be looked up: %s", key, what, name,
                       strerror(error));
    return aw_fail(err, AW_ERR_INVALID, "%s: there is no %s %s", key, what, name);
}

static enum aw_err group_find(const char *key, const char *name, gid_t *ret, struct aw_error *err)
{
    _cleanup_free_ char *buf = NULL;
    struct group entry, *found = NULL;
    int error = ERANGE;

    if (number_parse(name, ret))
        return AW_OK;
    for (size_t size = 4096; error == ERANGE && size <= MAX_ENTRY; size *= 4) {
        free(buf);
        buf = malloc(size);
        error = buf ? getgrnam_r(name, &entry, buf, size, &found) : ENOMEM;
    }
    if (!found)
        return lookup_failed(key, "group", name, error, err);
    *ret = found->gr_gid;
    return AW_OK;
}

/* By name or number. *buf is what *ret points into. *ret_found is NULL for a number without one. */
static enum aw_err entry_find(const char *key, const char *name, struct passwd *entry, char **buf,
                              struct passwd **ret_found, struct aw_error *err)
{
    uint32_t uid;
    bool number = number_parse(name, &uid);
    int error = ERANGE;

    for (size_t size = 1024; error == ERANGE && size <= MAX_ENTRY; size *= 4) {
        free(*buf);
        *buf = malloc(size);
        if (!*buf)
            error = ENOMEM;
        else if (number)
            error = getpwuid_r(uid, entry, *buf, size, ret_found);
        else
            error = getpwnam_r(name, entry, *buf, size, ret_found);
    }
    if (*ret_found)
        return AW_OK;
    return lookup_failed(key, "user", name, error, err);
}

static bool has_group(const struct passwd *entry, gid_t gid)
{
    gid_t few[64], *groups = few;
    int n = ARRAY_SIZE(few);
    bool found = entry->pw_gid == gid;

    if (getgrouplist(entry->pw_name, entry->pw_gid, few, &n) < 0) {
        groups = calloc((size_t)n, sizeof(*groups));
        if (!groups || getgrouplist(entry->pw_name, entry->pw_gid, groups, &n) < 0)
            n = 0; /* it is one less that may do everything */
    }
    for (int i = 0; !found && i < n; i++)
        found = groups[i] == gid;
    if (groups != few)
        free(groups);
    return found;
}

static enum aw_err user_find(const struct access *access, const char *key, const char *name,
                             struct access_user *ret, struct aw_error *err)
{
    _cleanup_free_ char *buf = NULL;
    struct passwd entry, *found = NULL;
    enum aw_err e = entry_find(key, name, &entry, &buf, &found, err);

    if (!found)
        return e;
    *ret = (struct access_user){
        .uid = found->pw_uid,
        .gid = found->pw_gid,
        .admin = access->has_admin_group && has_group(found, access->admin_gid),
    };
    return AW_OK;
}

/* ---- Making -------------------------------------------------------------------------------- */

static enum aw_err rule_add(struct access *access, const char *line, struct aw_error *err)
{
    struct rule *rule = &access->rules[access->n_rules];
    const char *equals = strrchr(line, '=');
    enum aw_err e;

    if (!equals || equals == line || !equals[1])
        return aw_fail(err, AW_ERR_INVALID,
                       "tls_user %.80s: must be SUBJECT=USER, as in build.example.org=builder",
                       line);
    e = user_find(access, "tls_user", equals + 1, &rule->user, err);
    if (e)
        return e;
    rule->subject = strndup(line, (size_t)(equals - line));
    if (!rule->subject)
        return aw_fail(err, AW_ERR_NO_MEMORY, "tls_user: out of memory");
    for (size_t i = 0; i < access->n_rules; i++)
        if (!strcmp(access->rules[i].subject, rule->subject)) {
            e = aw_fail(err, AW_ERR_INVALID, "tls_user: %.80s is given twice", rule->subject);
            free(take_ptr(rule->subject));
            return e;
        }
    access->n_rules++;
    return AW_OK;
}

static enum aw_err tcp_fill(struct access *access, const struct config *config,
                            struct aw_error *err)
{
    if (config->tcp_user) {
        access->tcp = true;
        return user_find(access, "tcp_user", config->tcp_user, &access->tcp_user, err);
    }
    access->tcp = !config->system;
    access->tcp_user = (struct access_user){.uid = geteuid(), .gid = getegid()};
    return AW_OK;
}

static enum aw_err access_fill(struct access *access, const struct config *config,
                               struct aw_error *err)
{
    enum aw_err e = AW_OK;

    access->has_admin_group = config->admin_group != NULL;
    if (config->admin_group)
        e = group_find("admin_group", config->admin_group, &access->admin_gid, err);
    if (!e)
        e = tcp_fill(access, config, err);
    if (e)
        return e;
    access->rules = calloc(config->tls_user.n + 1, sizeof(*access->rules));
    if (!access->rules)
        return aw_fail(err, AW_ERR_NO_MEMORY, "tls_user: out of memory");
    for (size_t i = 0; !e && i < config->tls_user.n; i++)
        e = rule_add(access, config->tls_user.v[i], err);
    return e;
}

enum aw_err access_new(const struct config *config, struct access **ret, struct aw_error *err)
{
    struct access *access = calloc(1, sizeof(*access));
    enum aw_err e;

    if (!access)
        return aw_fail(err, AW_ERR_NO_MEMORY, "access: out of memory");
    e = access_fill(access, config, err);
    if (e)
        access_free(access);
    else
        *ret = access;
    return e;
}

void access_free(struct access *access)
{
    if (!access)
        return;
    for (size_t i = 0; i < access->n_rules; i++)
        free(access->rules[i].subject);
    free(access->rules);
    free(access);
}

/* ---- Asking -------------------------------------------------------------------------------- */

bool access_admin_gid(const struct access *access, uint32_t *ret)
{
    if (access->has_admin_group)
        *ret = access->admin_gid;
    return access->has_admin_group;
}

enum aw_err access_tcp(const struct access *access, struct access_user *ret, struct aw_error *err)
{
    if (!access->tcp)
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "over tcp nobody can be told from anybody else: the daemon's configuration "
                       "has no tcp_user as whom to act");
    *ret = access->tcp_user;
    return AW_OK;
}

static const struct rule *rule_find(const struct access *access, const char *subject,
                                    const char *cn)
{
    const struct rule *any = NULL;

    for (size_t i = 0; i < access->n_rules; i++) {
        const struct rule *rule = &access->rules[i];
        const char *name = strchr(rule->subject, '=') ? subject : cn;

        if (name && !strcmp(rule->subject, name))
            return rule;
        if (!strcmp(rule->subject, "*"))
            any = rule;
    }
    return any;
}

enum aw_err access_tls(const struct access *access, const char *subject, const char *cn,
                       struct access_user *ret, struct aw_error *err)
{
    const struct rule *rule = rule_find(access, subject, cn);

    if (!rule)
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "the daemon's configuration has no tls_user for a certificate of '%.300s'",
                       subject ? subject : "a subject that cannot be read");
    *ret = rule->user;
    return AW_OK;
}
