/*
 * view.h - a job as clients see it: from the engine's record to the wire's struct job_status.
 */
#ifndef AW_VIEW_H
#define AW_VIEW_H

#include "daemon/dispatch.h"
#include "daemon/ops/ids.h"

/* Holds what the statuses point to, until the answer is written. */
struct view {
    struct server *srv;
    struct view_part *parts;
    struct job_status *jobs;
    size_t n;
};

/* Makes room for n statuses; false: out of memory. */
AW_MUSTCHECK bool view_init(struct view *v, struct server *srv, size_t n);
void view_done(struct view *v);

/* Fills v->jobs[i] from a record; its strings must live as long as the view. */
void view_set(struct view *v, size_t i, const struct record *r);

/* Fills v->jobs[i] with what is wrong with that ID. */
void view_set_error(struct view *v, size_t i, const char *tag, uint64_t number, enum aw_err e);

/* A member of a set: of one whose record is gone, its state and class are still told. */
void view_set_found(struct view *v, size_t i, const struct found *f);

/* All of a request's IDs, found or not, as their sender may see them. */
void view_set_all(struct view *v, const struct exchange *x, const struct ids *ids,
                  const struct found *jobs);

#endif
