/*
 * results.h - operations that do something to several futures and say for each what came of it:
 * what cancel, forget, change and set-add have in common.
 */
#ifndef AW_OPS_RESULTS_H
#define AW_OPS_RESULTS_H

#include "daemon/ops/ids.h"

/* One request on its way through the engine. */
struct many {
    struct exchange *x;
    struct ids ids;
    enum aw_err *errs;     /* what is known beforehand: foreign, somebody else's, ... */
    uint64_t *numbers;     /* the others' */
    enum aw_state *states; /* and theirs, as they were when many_begin() read them */
    size_t n_numbers;
};

/* What is to be done with n of them, from m->numbers[first] on: it ends in one many_acted(). */
typedef void (*many_fn)(struct many *m, size_t first, size_t n);

/* So many at most are given to act() at once. */
#define MANY_SLICE 1000

/*
 * Parses the IDs, reads the records, and sorts out what the sender may not touch. Then has act()
 * called with the rest, a slice after the other, so that nobody else has to wait until ten thousand
 * are done: what the engine does for each is a turn of the loop of its own. On failure the exchange
 * is answered and act() is not called (again).
 */
void many_begin(struct exchange *x, const struct strv *ids, many_fn act);

/*
 * What became of a slice, in `jobs`; err: of all of it. Goes on with the next one, or answers with
 * a struct id_result for each ID: what was known beforehand, or what the engine said. For act() as
 * engine_results_fn.
 */
void many_acted(void *m, const struct aw_error *err, const struct job_result *jobs, size_t n);

/*
 * The same without the records: only foreign IDs are sorted out. NULL: the exchange is answered.
 * The caller owes a many_free().
 */
AW_MUSTCHECK struct many *many_open(struct exchange *x, const struct strv *ids);
void many_free(struct many *m);

/* Those results, for an answer of another form: `jobs` is of all m->n_numbers. */
struct results {
    struct id_result *v;
    size_t n;
    char *text; /* private */
};

/* False: out of memory. On success the caller owes a results_done(). */
AW_MUSTCHECK bool results_make(const struct many *m, const struct job_result *jobs,
                               struct results *ret);
void results_done(struct results *r);

#endif
