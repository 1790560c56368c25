#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include <ini.h>

#include "daemon/config_value.h"

struct reader {
    FILE *in;
    const char *path;
    struct config *config;
    bool *seen;
    int line;    /* that ini_parse_stream() is at */
    bool failed; /* `err` says why; what comes behind is not looked at */
    enum aw_err code;
    struct aw_error *err;
};

static int line_failed(struct reader *r, enum aw_err code, const char *fmt, ...) AW_PRINTF(3, 4);

static int line_failed(struct reader *r, enum aw_err code, const char *fmt, ...)
{
    char text[AW_ERROR_TEXT];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (!r->failed)
        r->code = aw_fail(r->err, code, "%s line %d: %s", r->path, r->line, text);
    r->failed = true;
    return 0;
}

static int unknown_key(struct reader *r, const char *name)
{
    const struct config_key *near = config_key_near(name, strlen(name));

    if (near)
        return line_failed(r, AW_ERR_INVALID, "no such key '%.40s'; did you mean '%s'?", name,
                           near->name);
    return line_failed(r, AW_ERR_INVALID, "no such key '%.40s'; awd --help lists them", name);
}

/* Called by inih for each `name = value`. */
static int key_found(void *arg, const char *section, const char *name, const char *value)
{
    const struct config_key *key = config_key_find(name, strlen(name));
    struct reader *r = arg;
    struct aw_error why;

    if (r->failed)
        return 0;
    if (*section)
        return line_failed(r, AW_ERR_INVALID, "there are no sections; remove [%.40s]", section);
    if (!key)
        return unknown_key(r, name);
    if (r->seen[key - config_keys] && key->kind != CONFIG_LIST)
        return line_failed(r, AW_ERR_INVALID, "%s is given twice", key->name);
    if (!*value)
        return line_failed(r, AW_ERR_INVALID, "%s has no value", key->name);
    if (*value == ';') /* inih takes it for one behind a space only */
        return line_failed(r, AW_ERR_INVALID, "%s has no value: ';' begins a comment", key->name);
    if (!r->seen[key - config_keys])
        value_clear(key, r->config); /* a list that is given replaces the default one */
    r->seen[key - config_keys] = true;
    if (value_set(key, r->config, value, &why))
        return line_failed(r, why.code, "%s = %.60s: %s", key->name, value, why.text);
    return 1;
}

/* fgets() that counts lines and refuses those that inih's buffer would cut in two. */
static char *read_line(char *buf, int size, void *stream)
{
    struct reader *r = stream;
    size_t len;

    if (r->failed || !fgets(buf, size, r->in))
        return NULL;
    r->line++;
    len = strlen(buf);
    if (len + 1 == (size_t)size && buf[len - 1] != '\n') {
        line_failed(r, AW_ERR_INVALID, "longer than %d characters", size - 2);
        return NULL;
    }
    return buf;
}

/* Who can write to it can have programs run, and say as whom. */
static enum aw_err check_mode(FILE *in, const char *path, struct aw_error *err)
{
    struct stat st;

    if (fstat(fileno(in), &st) < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "cannot look at %s: %s", path, strerror(errno));
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "%s belongs to uid %u: it must be root's, or of uid %u, as whom this runs",
                       path, st.st_uid, geteuid());
    if (S_ISREG(st.st_mode) && st.st_mode & S_IWOTH)
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "anybody may write to %s (mode %04o): chmod o-w it", path,
                       st.st_mode & 07777);
    return AW_OK;
}

enum aw_err config_file_read(const char *path, struct config *config, bool *seen,
                             struct aw_error *err)
{
    struct reader r = {
        .in = fopen(path, "re"), .path = path, .config = config, .seen = seen, .err = err};
    int rc;

    if (!r.in)
        return aw_fail(err, AW_ERR_SYSTEM, "cannot read %s: %s", path, strerror(errno));
    r.code = check_mode(r.in, path, err);
    if (r.code) {
        fclose(r.in);
        return r.code;
    }
    ini_allow_multiline = false; /* an indented line is a line as any other */
    rc = ini_parse_stream(read_line, &r, key_found, &r);
    if (!r.failed && ferror(r.in))
        line_failed(&r, AW_ERR_SYSTEM, "cannot be read: %s", strerror(errno));
    fclose(r.in);
    if (r.failed)
        return r.code;
    if (rc > 0)
        return aw_fail(err, AW_ERR_INVALID, "%s line %d: neither 'key = value' nor a comment", path,
                       rc);
    if (rc < 0)
        return aw_fail(err, AW_ERR_NO_MEMORY, "%s: out of memory", path);
    return AW_OK;
}
