#include "tests/unit/store_rig.h"

#include <stdio.h>
#include <sys/stat.h>

#include "daemon/engine/embedded/store_ops.h"
#include "tests/unit/private_dir.h"
#include "tests/unit/store_ignore.h"
#include "tests/unit/unit.h"

struct event_base *base;
char db[STORE_PATH], wal[STORE_PATH];

_Static_assert(STORE_PATH == PRIVATE_PATH, "the paths are those of private_dir.h");

void store_setup(void)
{
    private_dir_make();
    private_path(db, "awd.db");
    private_path(wal, "awd.db-wal");
    base = event_base_new();
    ck_assert_ptr_nonnull(base);
}

void store_teardown(void)
{
    event_base_free(base);
    private_dir_remove();
}

const char *store_path(char buf[STORE_PATH], const char *name)
{
    return private_path(buf, name);
}

static enum aw_err count_live(void *arg, const struct store_live *live)
{
    (void)live;
    if (arg)
        ++*(int *)arg;
    return AW_OK;
}

static const struct store_loader loader = {
    .queue = ignore_queue, .account = ignore_account, .live = count_live};

static void unexpected_down(void *arg, const struct aw_error *err)
{
    (void)arg;
    ck_abort_msg("down: %s", err->text);
}

enum aw_err try_open(int *n_live, struct store **ret, struct store_info *info, struct aw_error *err)
{
    return store_open(db, base, &loader, unexpected_down, n_live, ret, info, err);
}

struct store *open_store(int *n_live, struct store_info *info)
{
    struct aw_error err = {0};
    struct store *st = NULL;

    ck_assert_msg(try_open(n_live, &st, info, &err) == AW_OK, "%s", err.text);
    return st;
}

/* ---- Operations -------------------------------------------------------------------------------
 */

struct test_op {
    struct store_submit submit;
    struct submitted answer;
    struct store_birth birth;
    struct store_row row;
    bool done;
};

static void op_done(struct store_op *op)
{
    ((struct test_op *)op)->done = true;
}

void add_job(struct store *st, uint64_t number)
{
    struct test_op op = {
        .row = {.number = number, .state = AW_QUEUED, .spec = bytes_str("a specification")},
        .submit = {.n = 1, .now_us = now_us()},
    };

    op.submit.rows = &op.row;
    op.submit.submitted = &op.answer;
    op.submit.births = &op.birth;
    op.submit.op.done = op_done;
    store_submit_init(&op.submit);
    store_push(st, &op.submit.op);
    while (!op.done)
        event_base_loop(base, EVLOOP_ONCE);
    store_effects_free(&op.submit.effects);
    ck_assert_msg(op.submit.op.error.code == AW_OK, "%s", op.submit.op.error.text);
}

void make_store(int n_jobs)
{
    struct store_info info;
    struct store *st = open_store(NULL, &info);

    for (int i = 1; i <= n_jobs; i++)
        add_job(st, info.high + (uint64_t)i);
    store_close(st);
}

/* ---- Files ------------------------------------------------------------------------------------
 */

struct image read_file(const char *path)
{
    struct image im = {0};
    struct stat sb;
    FILE *f = NULL;

    if (stat(path, &sb) == 0 && S_ISREG(sb.st_mode))
        f = fopen(path, "r");
    if (!f)
        return im;
    im.data = malloc(16 << 20);
    ck_assert_ptr_nonnull(im.data);
    im.len = fread(im.data, 1, 16 << 20, f);
    fclose(f);
    return im;
}

long file_size(const char *path)
{
    struct stat sb;

    return stat(path, &sb) == 0 ? (long)sb.st_size : -1;
}

void write_file(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    if (len)
        ck_assert_uint_eq(fwrite(data, 1, len, f), len);
    fclose(f);
}

void patch_file(const char *path, long offset, const void *data, size_t len)
{
    FILE *f = fopen(path, "r+");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, offset, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(data, 1, len, f), len);
    fclose(f);
}

void assert_unchanged(const char *path, struct image before)
{
    struct image after = read_file(path);

    /* An empty log is no log. */
    ck_assert_msg(before.len == after.len, "%s had %zu bytes and now has %zu", path, before.len,
                  after.len);
    if (before.len)
        ck_assert_msg(memcmp(before.data, after.data, before.len) == 0, "%s changed", path);
    free(before.data);
    free(after.data);
}

void assert_refused(const char *why)
{
    struct image db_before = read_file(db), wal_before = read_file(wal);
    struct store_info info;
    struct aw_error err = {0};
    struct store *st = NULL;

    ck_assert_int_eq(try_open(NULL, &st, &info, &err), AW_ERR_STORE);
    ck_assert_ptr_null(st);
    ck_assert_int_eq(err.code, AW_ERR_STORE);
    ck_assert_msg(strstr(err.text, why) != NULL, "it says: %s", err.text);
    ck_assert_msg(strstr(err.text, "awd.db") != NULL, "it names no file: %s", err.text);
    assert_unchanged(db, db_before);
    assert_unchanged(wal, wal_before);
}
