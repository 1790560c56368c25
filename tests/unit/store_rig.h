/*
 * store_rig.h - a store in a directory of its own, and its files as bytes: to be damaged, and to be
 * compared.
 */
#ifndef AW_STORE_RIG_H
#define AW_STORE_RIG_H

#include <event2/event.h>

#include "daemon/engine/embedded/store.h"

#define STORE_PATH 512

extern struct event_base *base;
extern char db[STORE_PATH], wal[STORE_PATH]; /* the paths of the store and of its log */

/* The fixture of each test. */
void store_setup(void);
void store_teardown(void);

/* The path of a name in the store's directory, in buf. */
const char *store_path(char buf[STORE_PATH], const char *name);

/* Opens the store at `db`, and counts its jobs in *n_live, unless that is NULL. */
enum aw_err try_open(int *n_live, struct store **ret, struct store_info *info,
                     struct aw_error *err);
/* The same, and it must succeed. */
struct store *open_store(int *n_live, struct store_info *info);

/* Records one queued job and waits for the commit. */
void add_job(struct store *st, uint64_t number);

/* A store with so many jobs in it, closed. */
void make_store(int n_jobs);

/* ---- Files -------------------------------------------------------------------------------- */

struct image {
    char *data;
    size_t len;
};

/* What is in a file; nothing, if there is none. The caller frees the data. */
struct image read_file(const char *path);
long file_size(const char *path); /* -1: there is none */
void write_file(const char *path, const void *data, size_t len);
void patch_file(const char *path, long offset, const void *data, size_t len);

/* That the file is as it was; frees that. */
void assert_unchanged(const char *path, struct image before);

/* Opening must fail, say why, and leave file and log byte for byte. */
void assert_refused(const char *why);

#endif
