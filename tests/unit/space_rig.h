/*
 * space_rig.h - a store that is used and left alone by turns, and how large its files are: for
 * tests of what its thread does between two groups.
 */
#ifndef AW_SPACE_RIG_H
#define AW_SPACE_RIG_H

#include <event2/event.h>
#include <sqlite3.h>

#include "daemon/engine/embedded/store_ops.h"

#define SPACE_PATH 512

extern struct event_base *base;
extern char db[SPACE_PATH], wal[SPACE_PATH]; /* the paths of the store and of its log */
extern int n_down;                           /* how often the store has said that it failed */
extern char down_text[AW_ERROR_TEXT];        /* and why */

/* The fixture of each test. */
void space_setup(void);
void space_teardown(void);

/* The directory that they are in. */
const char *space_dir(void);

struct store *open_store(void);

/* Another turn of the loop: it comes after a while, whatever happens. Too many are a failure. */
void turn(void);

int64_t size_of(const char *path); /* 0: there is none */
/* Until a file is this small. */
void await_size(const char *path, int64_t size);

/* Does an operation, and says how it ended. */
enum aw_err run_op(struct store *st, struct store_op *op);

/* {"type": "noop"} */
#define NOOP_SPEC_LEN 11
extern const uint8_t noop_spec[NOOP_SPEC_LEN];

/* Records so many jobs that wait, with numbers from `first` on. */
enum aw_err submit(struct store *st, uint64_t first, size_t n, struct bytes what);
enum aw_err submit_one(struct store *st, uint64_t number);

/* The file of a store that is closed, or of a backup; by the real disk. */
sqlite3 *by_hand(const char *path);
/* What a statement finds there: one number. */
int64_t number_in(const char *path, const char *text);

#endif
