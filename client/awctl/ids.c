#include <errno.h>
#include <stdio.h>

#include "client/awctl/awctl.h"
#include "proto/future_id.h"

#define STDIN_MAX (64u << 20) /* a million IDs */

static enum aw_err ids_add(struct ids *ids, size_t *cap, const char *text, struct aw_error *err)
{
    struct future_id id;
    enum aw_err e = future_id_parse(bytes_str(text), &id, err);

    if (e)
        return e;
    if (ids->n == *cap) {
        size_t more = *cap * 2 + 16;
        const char **v = reallocarray(ids->v, more, sizeof(*v));

        if (!v)
            return aw_fail(err, AW_ERR_NO_MEMORY, "IDs: out of memory");
        ids->v = v;
        *cap = more;
    }
    ids->v[ids->n++] = text;
    return AW_OK;
}

static enum aw_err stdin_read(char **ret, struct aw_error *err)
{
    size_t len = 0, cap = 4096;
    char *text = malloc(cap);

    while (text) {
        size_t n = fread(text + len, 1, cap - len - 1, stdin);
        char *grown;

        len += n;
        if (n == 0 && ferror(stdin)) {
            free(text);
            return aw_fail(err, AW_ERR_SYSTEM, "standard input: %s", strerror(errno));
        }
        if (n == 0) {
            text[len] = '\0';
            *ret = text;
            return AW_OK;
        }
        if (len > STDIN_MAX) {
            free(text);
            return aw_fail(err, AW_ERR_TOO_LARGE, "standard input has over %u bytes of IDs",
                           STDIN_MAX);
        }
        cap *= 2;
        grown = realloc(text, cap);
        if (!grown)
            free(text);
        text = grown;
    }
    return aw_fail(err, AW_ERR_NO_MEMORY, "IDs: out of memory");
}

enum aw_err ids_parse(int argc, char **argv, struct ids *ret, struct aw_error *err)
{
    _cleanup_ids_ struct ids ids = {0};
    enum aw_err e = AW_OK;
    size_t cap = 0;
    char *rest = NULL;

    if (argc == 1 && !strcmp(argv[0], "-")) {
        e = stdin_read(&ids.text, err);
        if (!e)
            for (char *p = strtok_r(ids.text, " \t\r\n", &rest); p && !e;
                 p = strtok_r(NULL, " \t\r\n", &rest))
                e = ids_add(&ids, &cap, p, err);
    } else {
        for (int i = 0; i < argc && !e; i++)
            e = ids_add(&ids, &cap, argv[i], err);
    }
    if (!e && ids.n == 0)
        e = aw_fail(err, AW_ERR_USAGE, "no future ID was given");
    if (e)
        return e;
    *ret = ids;
    ids = (struct ids){0};
    return AW_OK;
}

int ids_or_set(const char *command, int argc, char **argv, const char *set, struct ids *ret)
{
    struct aw_error err;

    if (set && argc)
        return bad_usage(command, "IDs and --set exclude each other");
    if (set)
        return 0;
    if (argc == 0)
        return bad_usage(command, "%s needs IDs, or --set", command);
    return ids_parse(argc, argv, ret, &err) ? awctl_fail(&err) : 0;
}

void ids_done(struct ids *ids)
{
    free(ids->v);
    free(ids->text);
    *ids = (struct ids){0};
}
