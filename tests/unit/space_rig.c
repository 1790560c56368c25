#include "tests/unit/space_rig.h"

#include <stdio.h>
#include <sys/stat.h>

#include "daemon/engine/embedded/store_sql.h"
#include "tests/unit/private_dir.h"
#include "tests/unit/store_ignore.h"
#include "tests/unit/unit.h"

#define TURNS_MAX 6000 /* what was not done after so many of them will not be done */

/* What one test leaves on the disk at once, generously. */
#define ROOM_MIB 128

struct event_base *base;
char db[SPACE_PATH], wal[SPACE_PATH];
int n_down;
char down_text[AW_ERROR_TEXT];
static int n_turns;

_Static_assert(SPACE_PATH == PRIVATE_PATH, "the paths are those of private_dir.h");

const char *space_dir(void)
{
    return private_dir;
}

void space_setup(void)
{
    private_dir_make_quick(ROOM_MIB);
    private_path(db, "awd.db");
    private_path(wal, "awd.db-wal");
    base = event_base_new();
    ck_assert_ptr_nonnull(base);
    n_down = n_turns = 0;
}

void space_teardown(void)
{
    event_base_free(base);
    private_dir_remove();
}

/* ---- The store ----------------------------------------------------------------------------------
 */

static const struct store_loader loader = {
    .queue = ignore_queue, .account = ignore_account, .live = ignore_live};

static void on_down(void *arg, const struct aw_error *err)
{
    (void)arg;
    snprintf(down_text, sizeof(down_text), "%s", err->text);
    n_down++;
}

struct store *open_store(void)
{
    struct store_info info;
    struct aw_error err = {0};
    struct store *st = NULL;

    ck_assert_msg(store_open(db, base, &loader, on_down, NULL, &st, &info, &err) == AW_OK, "%s",
                  err.text);
    return st;
}

void turn(void)
{
    struct timeval soon = {0, 20000};

    ck_assert_msg(n_turns++ < TURNS_MAX, "nothing comes of it");
    event_base_loopexit(base, &soon);
    event_base_dispatch(base);
}

int64_t size_of(const char *path)
{
    struct stat sb;

    return stat(path, &sb) == 0 ? sb.st_size : 0;
}

void await_size(const char *path, int64_t size)
{
    while (size_of(path) > size) {
        ck_assert_msg(!n_down, "the store has failed at %jd bytes", (intmax_t)size_of(path));
        turn();
    }
}

static bool op_is_done;

static void op_done(struct store_op *op)
{
    (void)op;
    op_is_done = true;
}

enum aw_err run_op(struct store *st, struct store_op *op)
{
    op_is_done = false;
    op->done = op_done;
    store_push(st, op);
    while (!op_is_done)
        event_base_loop(base, EVLOOP_ONCE);
    return op->error.code;
}

/* {"type": "noop"} */
const uint8_t noop_spec[NOOP_SPEC_LEN] = {0x81, 0xa4, 't', 'y', 'p', 'e', 0xa4, 'n', 'o', 'o', 'p'};

enum aw_err submit(struct store *st, uint64_t first, size_t n, struct bytes what)
{
    struct store_row *rows = calloc(n, sizeof(*rows));
    struct submitted *answers = calloc(n, sizeof(*answers));
    struct store_birth *births = calloc(n, sizeof(*births));
    struct store_submit op = {.n = n, .now_us = now_us()};
    enum aw_err e;

    ck_assert(rows && answers && births);
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct store_row){
            .number = first + i, .state = AW_QUEUED, .queue = STORE_DEFAULT_QUEUE, .spec = what};
    op.rows = rows;
    op.submitted = answers;
    op.births = births;
    store_submit_init(&op);
    e = run_op(st, &op.op);
    store_effects_free(&op.effects);
    free(rows);
    free(answers);
    free(births);
    return e;
}

enum aw_err submit_one(struct store *st, uint64_t number)
{
    return submit(st, number, 1, bytes_of(noop_spec, sizeof(noop_spec)));
}

/* ---- Its file -----------------------------------------------------------------------------------
 */

sqlite3 *by_hand(const char *path)
{
    sqlite3 *sql = NULL;

    ck_assert_int_eq(sqlite3_open_v2(path, &sql, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
    return sql;
}

int64_t number_in(const char *path, const char *text)
{
    sqlite3 *sql = by_hand(path);
    sqlite3_stmt *s = NULL;
    int64_t n;

    ck_assert_msg(sqlite3_prepare_v2(sql, text, -1, &s, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(sql));
    ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
    n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(sql);
    return n;
}
