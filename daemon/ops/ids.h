/*
 * ids.h - the futures that a request names.
 */
#ifndef AW_IDS_H
#define AW_IDS_H

#include "daemon/dispatch.h"
#include "proto/future_id.h"

struct ids {
    size_t n;
    struct future_id *v; /* tag "": as ours */
    uint64_t *numbers;   /* of those that can be ours, for the engine; 0 for foreign ones */
};

/*
 * Parses the texts of a request. A malformed one fails the whole request (AW_ERR_INVALID); a
 * foreign one is for ids_error() to tell. On success the caller owes an ids_done().
 */
AW_MUSTCHECK enum aw_err ids_parse(const struct strv *texts, struct ids *ret, struct aw_error *err);
void ids_done(struct ids *ids);

/* One text. */
AW_MUSTCHECK enum aw_err id_parse(const struct server *srv, struct bytes text, uint64_t *ret,
                                  struct aw_error *err);

/* Whether the tag is another store's. */
bool id_is_foreign(const struct server *srv, const struct future_id *id);

/*
 * What the sender is told of a record that was (or was not) found: AW_OK, unknown, expired,
 * foreign. Somebody else's job is unknown.
 */
enum aw_err id_error(const struct exchange *x, const struct future_id *id,
                     const struct found *found);

/* The sentence for such an error; "" for AW_OK. */
const char *id_error_text(enum aw_err e);

#endif
