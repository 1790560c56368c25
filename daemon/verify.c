#include "daemon/verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/dirs.h"
#include "daemon/engine/offline.h"
#include "daemon/spool.h"

#define EXIT_WRONG  1
#define EXIT_CANNOT 3

struct verify {
    struct offline *off;
    struct spool spool; /* dir_fd -1: there is none to look at */
    uint64_t n_wrong;
    bool quiet;
};

static void on_wrong(void *arg, const char *text)
{
    struct verify *v = arg;

    v->n_wrong++;
    if (!v->quiet)
        printf("%s\n", text);
}

static void wrong(struct verify *v, const char *fmt, ...) AW_PRINTF(2, 3);
static void wrong(struct verify *v, const char *fmt, ...)
{
    char text[AW_ERROR_TEXT];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    on_wrong(v, text);
}

/* ---- The spool ------------------------------------------------------------------------------ */

static void on_spooled(void *arg, const struct offline_spooled *s)
{
    struct verify *v = arg;
    struct spool_file file = {s->number, s->attempt, s->stream};
    uint64_t size = 0;
    struct aw_error err;

    if (v->spool.dir_fd < 0)
        return;
    if (spool_size(&v->spool, file, &size, &err))
        wrong(v, "job %" PRIu64 ": %s", s->number, err.text);
    else if (size < s->size)
        wrong(v, "job %" PRIu64 ": its %s of %" PRIu64 " bytes is a file of %" PRIu64, s->number,
              s->stream ? "stderr" : "stdout", s->size, size);
}

static enum aw_err look_at_file(struct verify *v, const char *name, struct aw_error *err)
{
    struct spool_file file;
    struct stat st;
    bool known = false;
    enum aw_err e;

    if (!strcmp(name, ".") || !strcmp(name, ".."))
        return AW_OK;
    if (!spool_name_parse(name, &file)) {
        wrong(v, "spool: '%.100s' is not the name of an output file", name);
        return AW_OK;
    }
    e = offline_has_job(v->off, file.number, &known, err);
    if (e)
        return e;
    if (!known && !v->quiet)
        printf("remark: spool: %s belongs to no job; it will be removed at the next start\n", name);
    if (fstatat(v->spool.dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077))
        wrong(v, "spool: %s is not a file of ours alone (mode %06o)", name, st.st_mode);
    return AW_OK;
}

static enum aw_err look_at_spool(struct verify *v, struct aw_error *err)
{
    int fd = openat(v->spool.dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    enum aw_err e = AW_OK;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return aw_fail(err, AW_ERR_SYSTEM, "spool: %s", strerror(errno));
    }
    while (!e && (entry = readdir(dir)))
        e = look_at_file(v, entry->d_name, err);
    closedir(dir);
    return e;
}

/* ---- The whole ------------------------------------------------------------------------------ */

static enum aw_err look(struct verify *v, const char *path, struct aw_error *err)
{
    static const struct offline_findings findings = {on_wrong, on_spooled};
    enum aw_err e = offline_open(path, &v->off, err);

    if (!e)
        e = offline_check(v->off, &findings, v, err);
    if (!e && v->spool.dir_fd >= 0)
        e = look_at_spool(v, err);
    offline_close(v->off);
    v->off = NULL;
    if (e != AW_ERR_STORE)
        return e;
    /* It could be looked at, and is worth nothing. */
    on_wrong(v, err->text);
    return AW_OK;
}

enum aw_err verify_file(const char *path, uint64_t *ret_wrong, struct aw_error *err)
{
    struct verify v = {.spool = {.dir_fd = -1}, .quiet = true};
    struct aw_error why;
    enum aw_err e = look(&v, path, &why);

    if (e)
        return aw_fail(err, e, "%s", why.text);
    *ret_wrong = v.n_wrong;
    return AW_OK;
}

/* The lock's owner is the only one who may look: a daemon changes what is read. */
static enum aw_err look_at_daemon(struct verify *v, const struct config *config,
                                  struct aw_error *err)
{
    struct dirs dirs = {.state_lock = -1, .run_lock = -1};
    char path[PATH_MAX];
    struct stat st;
    enum aw_err e;

    /* Before the lock, for which directories are made. */
    snprintf(path, sizeof(path), "%s/store/awd.db", config->state_dir);
    if (stat(path, &st) < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "%.160s: %s", path, strerror(errno));
    e = dirs_open(config->state_dir, config->run_dir, config->system, &dirs, err);
    if (e)
        return e;
    e = spool_open(dirs.spool, &v->spool, err);
    if (!e)
        e = look(v, path, err);
    spool_close(&v->spool);
    dirs_close(&dirs);
    return e;
}

int verify_run(const struct config *config)
{
    struct verify v = {.spool = {.dir_fd = -1}};
    struct aw_error err;
    char path[PATH_MAX];
    enum aw_err e;

    if (!config->target)
        e = look_at_daemon(&v, config, &err);
    else if (!realpath(config->target, path))
        e = aw_fail(&err, AW_ERR_SYSTEM, "%.160s: %s", config->target, strerror(errno));
    else
        e = look(&v, path, &err);
    if (e)
        fprintf(stderr, "awd: %s\n", err.text);
    if (fflush(stdout) != 0 || e)
        return EXIT_CANNOT;
    return v.n_wrong ? EXIT_WRONG : 0;
}
