#include "daemon/ops/ids.h"

enum aw_err ids_parse(const struct strv *texts, struct ids *ret, struct aw_error *err)
{
    struct ids ids = {
        .n = texts->n,
        .v = calloc(texts->n + 1, sizeof(*ids.v)),
        .numbers = calloc(texts->n + 1, sizeof(*ids.numbers)),
    };
    enum aw_err e = AW_OK;

    if (!ids.v || !ids.numbers)
        e = aw_fail(err, AW_ERR_NO_MEMORY, "ids: out of memory");
    for (size_t i = 0; !e && i < ids.n; i++) {
        e = future_id_parse(texts->v[i], &ids.v[i], err);
        ids.numbers[i] = ids.v[i].number;
    }
    if (e)
        ids_done(&ids);
    else
        *ret = ids;
    return e;
}

void ids_done(struct ids *ids)
{
    free(ids->v);
    free(ids->numbers);
    *ids = (struct ids){0};
}

bool id_is_foreign(const struct server *srv, const struct future_id *id)
{
    return id->tag[0] && strcmp(id->tag, srv->engine->tag) != 0;
}

enum aw_err id_parse(const struct server *srv, struct bytes text, uint64_t *ret,
                     struct aw_error *err)
{
    struct future_id id;
    enum aw_err e = future_id_parse(text, &id, err);

    if (e)
        return e;
    if (id_is_foreign(srv, &id))
        return aw_fail(err, AW_ERR_FOREIGN_ID, "%s-%llu: belongs to another store; this one is %s",
                       id.tag, (unsigned long long)id.number, srv->engine->tag);
    *ret = id.number;
    return AW_OK;
}

enum aw_err id_error(const struct exchange *x, const struct future_id *id,
                     const struct found *found)
{
    if (id_is_foreign(x->srv, id))
        return AW_ERR_FOREIGN_ID;
    if (!found->err && !exchange_may(x, found->record.uid))
        return AW_ERR_UNKNOWN_ID;
    return found->err;
}

const char *id_error_text(enum aw_err e)
{
    return e ? aw_err_text(e) : "";
}
