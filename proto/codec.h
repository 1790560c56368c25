/*
 * codec.h - bytes to structs and back, by schema. codec.c alone sees msgpack (values.h walks over
 * it).
 *
 * Reading: codec_open() validates a whole body (one msgpack map, nothing behind it, no deeper and
 * no larger than limits.h allows, every count backed by bytes that are there) before anything is
 * allocated for it; codec_read() then fills structs from its top-level map, as often as wanted.
 * What is read points into the body (strings) and into the codec_doc (arrays): keep both.
 *
 * Writing: one or more structs become the fields of one map in a codec_buf, which grows up to
 * AW_MAX_MESSAGE and can be reused.
 *
 * No global state; each object belongs to one thread at a time.
 */
#ifndef AW_CODEC_H
#define AW_CODEC_H

#include "proto/schema.h"
#include "proto/values.h"

/* A document; all but n_values is private. */
struct codec_doc {
    const void *root;     /* the body's map; NULL: closed */
    struct chunk *chunks; /* the arrays that were read */
    size_t n_values; /* in the body: maps, arrays, keys and what they hold; memory goes by them */
    uint32_t ends[VALUES_MARKS]; /* where its first members end */
};

/*
 * Validates `len` bytes at `body` and opens them.
 * AW_OK: *ret_doc is to be given to codec_close(); the caller keeps owning `body`, which must
 * stay as it is until then. AW_ERR_MALFORMED, AW_ERR_TOO_LARGE, AW_ERR_NO_MEMORY: nothing to
 * close.
 */
AW_MUSTCHECK enum aw_err codec_open(const void *body, size_t len, struct codec_doc *ret_doc,
                                    struct aw_error *err);

/*
 * Memory of the document's, aligned for whatever it is to hold: codec_close() frees it. NULL: there
 * is none.
 */
void *codec_alloc(struct codec_doc *doc, size_t size);

/* Frees what the document and the structs read from it hold. Harmless on a zeroed one. */
void codec_close(struct codec_doc *doc);

/*
 * Fills the struct at `obj` (of type schema->size) from the document's map: defaults first, then
 * what is there. AW_ERR_INVALID names the field and says what would be right; `obj` is then
 * undefined. Fields that the schema does not know are ignored.
 */
AW_MUSTCHECK enum aw_err codec_read(struct codec_doc *doc, const struct schema *schema, void *obj,
                                    struct aw_error *err);

/* Sets every field of a struct to its default. */
void codec_defaults(const struct schema *schema, void *obj);

struct codec_buf {
    char *data;
    size_t len;
    size_t cap;
    enum aw_err failed; /* sticky: AW_ERR_TOO_LARGE or AW_ERR_NO_MEMORY */
};

/* A zeroed codec_buf is empty and ready. */
void codec_buf_reset(struct codec_buf *buf);
void codec_buf_done(struct codec_buf *buf);

struct codec_part {
    const struct schema *schema;
    const void *obj;
};

/*
 * Appends one map with the fields of all parts that differ from their defaults (REQ fields
 * always). Returns buf->failed; then the buffer's content is of no use.
 */
AW_MUSTCHECK enum aw_err codec_write(struct codec_buf *buf, const struct codec_part *parts,
                                     size_t n_parts);

/* An array of maps that is written already, map by map, by codec_write() into another buffer. */
struct codec_array {
    const char *name; /* of the field */
    size_t n;
    struct bytes elements;
};

/* The same, with one more field: an array. No part has a field of that name that is written. */
AW_MUSTCHECK enum aw_err codec_write_array(struct codec_buf *buf, const struct codec_part *parts,
                                           size_t n_parts, const struct codec_array *array);

/*
 * The validator alone: walks the headers of the value that starts at `p` and says whether it is
 * whole, uses all `len` bytes, and keeps within the limits. Allocates nothing.
 */
AW_MUSTCHECK enum aw_err codec_validate(const void *p, size_t len, struct aw_error *err);

#endif
