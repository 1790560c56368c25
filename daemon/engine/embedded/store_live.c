/*
 * The jobs that have not ended, read when the store is opened.
 *
 * There may be millions, and nobody is served before all are in memory. So they come in chunks of
 * neighbouring numbers, and where there is much to read two threads share the work: a helper reads
 * chunks, and the one that opens the store tells the loader of them, in their order, and reads
 * chunks itself while the next in turn is not there yet. They take at most CHUNKS of them ahead.
 *
 * Each reads by a connection of its own. The helper's knows neither locks nor SQLite's log, which
 * is right only while nothing is in the log (nobody writes before all is read). Otherwise, as after
 * a crash, only the helper reads, by the store's connection.
 */
#include "daemon/engine/embedded/store_private.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#define CHUNKS 4
#define SPAN   8192 /* numbers that a chunk is of; so large that its memory is given back */

/* A database smaller than this is read before a second thread has begun. */
#define HELP_SIZE (4 << 20)

struct live_chunk {
    int64_t first, last; /* numbers */
    bool ready;          /* it has been read, and not been told of */
    size_t n;
    struct store_live *rows;
};

struct live_load {
    pthread_mutex_t lock; /* guards all below; what is in a chunk is its reader's until it is ready,
                           * and then the teller's */
    pthread_cond_t changed;
    size_t n_taken, n_told;           /* chunks; chunk i has its place at i % CHUNKS */
    struct live_chunk chunks[CHUNKS]; /* of those that were taken and not told of */
    int64_t next;                     /* no number that is less is still to be taken */
    bool all_taken;
    struct aw_error failed; /* code not AW_OK: it ends */
};

struct live_reader {
    struct live_load *load;
    sqlite3 *db; /* NULL: it does not read */
    sqlite3_stmt *find, *read;
    struct live_chunk *into;
};

/* ---- One chunk ------------------------------------------------------------------------------ */

static struct store_live live_read(sqlite3_value **v)
{
    return (struct store_live){
        .number = (uint64_t)sqlite3_value_int64(v[0]),
        .state = sqlite3_value_int(v[1]),
        .priority = sqlite3_value_int(v[2]),
        .flags = (unsigned)sqlite3_value_int(v[3]),
        .attempt = (uint64_t)sqlite3_value_int64(v[4]),
        .claim = (uint64_t)sqlite3_value_int64(v[5]),
        .due_us = sqlite3_value_int64(v[6]),
        .deadline_us = sqlite3_value_int64(v[7]),
        .overall_us = sqlite3_value_int64(v[8]),
        .queue = sqlite3_value_int(v[9]),
        .abandon_ms = sqlite3_value_int64(v[10]),
        .uid = (uint32_t)sqlite3_value_int64(v[11]),
    };
}

static void live_note(sqlite3_context *c, int n, sqlite3_value **v)
{
    struct live_reader *r = sqlite3_user_data(c);
    struct live_chunk *chunk = r->into;

    (void)n;
    if (chunk->n == SPAN)
        sqlite3_result_error_code(c,
                                  SQLITE_INTERNAL); /* impossible: as many as there are numbers */
    else
        chunk->rows[chunk->n++] = live_read(v);
}

static const char find_sql[] = "SELECT number FROM job WHERE number >= ? ORDER BY number LIMIT 1";

/*
 * A function that the statement calls for each row has its columns at hand; to step to each row and
 * ask for them one by one takes a quarter more time. It finds no row.
 */
static const char read_sql[] =
    "SELECT NULL FROM job WHERE number BETWEEN ? AND ? AND CASE WHEN state < 4 THEN"
    " live_note(number, state, priority, flags, attempt, claim, due_us, deadline_us, overall_us,"
    " queue, abandon_ms, uid) END ORDER BY number";

enum { N_COLUMNS = 12, FLAGS = SQLITE_UTF8 | SQLITE_DIRECTONLY };

static enum aw_err reader_fail(const struct live_reader *r, struct aw_error *err)
{
    return store_fail_of(r->db, err, "reading what is there");
}

static enum aw_err reader_open(struct live_reader *r, sqlite3 *db, struct aw_error *err)
{
    r->db = db;
    if (sqlite3_create_function(db, "live_note", N_COLUMNS, FLAGS, r, live_note, NULL, NULL) !=
            SQLITE_OK ||
        sqlite3_prepare_v2(db, find_sql, -1, &r->find, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, read_sql, -1, &r->read, NULL) != SQLITE_OK)
        return reader_fail(r, err);
    return AW_OK;
}

static void reader_close(struct live_reader *r)
{
    sqlite3_finalize(r->find);
    sqlite3_finalize(r->read);
    if (r->db)
        sqlite3_create_function(r->db, "live_note", N_COLUMNS, FLAGS, NULL, NULL, NULL, NULL);
}

static enum aw_err chunk_read(struct live_reader *r, struct live_chunk *chunk, struct aw_error *err)
{
    enum aw_err e = AW_OK;

    chunk->n = 0;
    r->into = chunk;
    sqlite3_bind_int64(r->read, 1, chunk->first);
    sqlite3_bind_int64(r->read, 2, chunk->last);
    if (sqlite3_step(r->read) != SQLITE_DONE)
        e = reader_fail(r, err);
    sqlite3_reset(r->read);
    return e;
}

/* ---- Which chunk is whose (with the lock) ---------------------------------------------------- */

/* Nothing is to be read any more. */
static bool is_over(const struct live_load *load)
{
    return load->all_taken || load->failed.code;
}

/* Nothing is to be told of any more. */
static bool is_done(const struct live_load *load)
{
    return load->failed.code || (load->all_taken && load->n_told == load->n_taken);
}

/* The next one begins at a number that is there: gaps, however wide, cost nothing. */
static void next_find(struct live_reader *r)
{
    struct live_load *load = r->load;
    int rc;

    sqlite3_bind_int64(r->find, 1, load->next);
    rc = sqlite3_step(r->find);
    if (rc == SQLITE_ROW)
        load->next = sqlite3_column_int64(r->find, 0);
    else if (rc == SQLITE_DONE)
        load->all_taken = true;
    else
        reader_fail(r, &load->failed);
    sqlite3_reset(r->find);
}

/* NULL: there is none to read, or none now. */
static struct live_chunk *chunk_take(struct live_reader *r)
{
    struct live_load *load = r->load;
    struct live_chunk *chunk = &load->chunks[load->n_taken % CHUNKS];

    if (!r->db || is_over(load) || load->n_taken - load->n_told == CHUNKS)
        return NULL;
    if (!chunk->rows)
        chunk->rows = malloc(SPAN * sizeof(*chunk->rows));
    if (!chunk->rows)
        aw_fail(&load->failed, AW_ERR_NO_MEMORY, "reading what is there: out of memory");
    else
        next_find(r);
    if (is_over(load))
        return NULL;
    chunk->first = load->next;
    load->all_taken = chunk->first > INT64_MAX - SPAN;
    chunk->last = load->all_taken ? INT64_MAX : chunk->first + SPAN - 1;
    load->next = load->all_taken ? INT64_MAX : chunk->last + 1;
    load->n_taken++;
    return chunk;
}

/* Reads it, without the lock meanwhile. */
static void chunk_fill(struct live_reader *r, struct live_chunk *chunk)
{
    struct live_load *load = r->load;
    struct aw_error err = {0};

    pthread_mutex_unlock(&load->lock);
    (void)!chunk_read(r, chunk, &err);
    pthread_mutex_lock(&load->lock);
    chunk->ready = true;
    if (err.code && !load->failed.code)
        load->failed = err;
    pthread_cond_broadcast(&load->changed);
}

/* ---- The helper ------------------------------------------------------------------------------ */

static void *helper_main(void *arg)
{
    struct live_reader *r = arg;
    struct live_load *load = r->load;
    struct live_chunk *chunk;

    pthread_setname_np(pthread_self(), "awd-load");
    pthread_mutex_lock(&load->lock);
    while (!is_over(load)) {
        chunk = chunk_take(r);
        if (chunk)
            chunk_fill(r, chunk);
        else if (!is_over(load))
            pthread_cond_wait(&load->changed, &load->lock);
    }
    pthread_cond_broadcast(&load->changed);
    pthread_mutex_unlock(&load->lock);
    return NULL;
}

/* Signals are not for it. */
static bool helper_start(struct live_reader *r, pthread_t *ret)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(ret, NULL, helper_main, r);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc == 0;
}

/* ---- Whoever opens the store ----------------------------------------------------------------- */

/* Tells of the chunk that is next, without the lock meanwhile. */
static void chunk_tell(struct live_load *load, struct live_chunk *chunk,
                       const struct store_loader *loader, void *arg)
{
    enum aw_err e = AW_OK;

    pthread_mutex_unlock(&load->lock);
    for (size_t i = 0; !e && i < chunk->n; i++)
        e = loader->live(arg, &chunk->rows[i]);
    pthread_mutex_lock(&load->lock);
    chunk->ready = false;
    load->n_told++;
    if (e && !load->failed.code)
        aw_fail(&load->failed, e, "reading what is there: %s", aw_err_text(e));
    pthread_cond_broadcast(&load->changed);
}

/* Until all is told of, or something failed. If r does not read a helper does. */
static void load_run(struct live_reader *r, const struct store_loader *loader, void *arg)
{
    struct live_load *load = r->load;

    pthread_mutex_lock(&load->lock);
    while (!is_done(load)) {
        struct live_chunk *next = &load->chunks[load->n_told % CHUNKS], *taken;

        if (next->ready)
            chunk_tell(load, next, loader, arg);
        else if ((taken = chunk_take(r)))
            chunk_fill(r, taken);
        else if (!is_done(load))
            pthread_cond_wait(&load->changed, &load->lock);
    }
    pthread_cond_broadcast(&load->changed);
    pthread_mutex_unlock(&load->lock);
}

static bool is_large(const struct store *st)
{
    struct stat sb;

    return stat(st->path, &sb) == 0 && sb.st_size >= HELP_SIZE;
}

/* Shares the work with a helper. False: it could not be started. */
static bool load_shared(struct store *st, struct live_load *load, const struct store_loader *loader,
                        void *arg)
{
    struct live_reader own = {.load = load}, helpers = {.load = load};
    sqlite3 *second = store_db_second(st);
    struct aw_error *err = &load->failed;
    pthread_t helper;
    bool started = false;

    if (!reader_open(&helpers, second ? second : st->db, err) &&
        !(second && reader_open(&own, st->db, err)))
        started = helper_start(&helpers, &helper);
    if (started) {
        load_run(&own, loader, arg);
        pthread_join(helper, NULL);
    }
    reader_close(&own);
    reader_close(&helpers);
    sqlite3_close(second);
    return started || load->failed.code;
}

static void load_alone(struct store *st, struct live_load *load, const struct store_loader *loader,
                       void *arg)
{
    struct live_reader own = {.load = load};

    if (!reader_open(&own, st->db, &load->failed))
        load_run(&own, loader, arg);
    reader_close(&own);
}

enum aw_err store_live_load(struct store *st, const struct store_loader *loader, void *arg,
                            struct aw_error *err)
{
    struct live_load load = {
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .next = INT64_MIN};

    if (!is_large(st) || !load_shared(st, &load, loader, arg))
        load_alone(st, &load, loader, arg);
    for (size_t i = 0; i < CHUNKS; i++)
        free(load.chunks[i].rows);
    pthread_mutex_destroy(&load.lock);
    pthread_cond_destroy(&load.changed);
    if (load.failed.code && err)
        *err = load.failed;
    return load.failed.code;
}
