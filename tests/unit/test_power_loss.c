/*
 * The power goes, at any moment: what was acknowledged is there, what was not is there as a whole
 * or not at all.
 *
 * One run of random work (power_work.h) on a recorded disk (powerloss_vfs.h), then many cuts of
 * that record. Each is looked at in a process of its own, by an engine that is opened on what is
 * left (power_check.h). It works on, and the power goes again, often while it is just being
 * opened: LIVES times in all.
 *
 * POWER_LOSS_SEED=n repeats a run, POWER_LOSS_CUT=n one cut of it; POWER_LOSS_POINTS=n asks for
 * more cuts, some in each of several runs (make power-loss POINTS=n).
 */
#include "tests/unit/engine_rig.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/engine/embedded/embedded.h"
#include "tests/unit/power_check.h"
#include "tests/unit/power_facts.h"
#include "tests/unit/power_work.h"
#include "tests/unit/powerloss_vfs.h"
#include "tests/unit/private_dir.h"

#define LIVES      3
#define FEW_POINTS 60
#define RUN_POINTS 60 /* cuts in each run */
#define EACH_TRIES 2

static struct {
    char dir[64]; /* of the disk that is in use */
    uint64_t seed;
    size_t cut;
    enum powerloss_lie lie;
    const char *damage; /* done to what the first cut leaves */
    bool each;          /* the first changes, one after the other, not any of all */
    bool quiet;
    int log_pages; /* that are moved into the database at once */
    int life;
    struct figures {
        size_t opened, there, missing;
    } * figures; /* of all processes */
} power;

/* ---- An engine on that disk ---------------------------------------------------------------------
 */

static const char *power_path(const char *name)
{
    static char path[sizeof(power.dir) + 32];

    snprintf(path, sizeof(path), "%s/%s", power.dir, name);
    return path;
}

/* In memory if there is such a place. */
static void disk_make(void)
{
    snprintf(power.dir, sizeof(power.dir), "%s/awd-power-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(power.dir));
}

static void disk_remove(void)
{
    unlink(power_path("awd.db"));
    unlink(power_path("awd.db-wal"));
    unlink(power_path("awd.db-journal"));
    rmdir(power.dir);
}

/* SQLite calls it for each database: its log is to be emptied often, as that is when files change
 * that hold what is known. */
static int database_opened(sqlite3 *db, char **error, const struct sqlite3_api_routines *api)
{
    (void)error;
    (void)api;
    return sqlite3_wal_autocheckpoint(db, power.log_pages);
}

static void nothing(void)
{
}

/* A process that looks at a cut ends here. */
_Noreturn static void life_end(void)
{
    if (flaws() && !power.quiet)
        fprintf(stderr,
                "# %d flaws: POWER_LOSS_SEED=%" PRIu64 " POWER_LOSS_CUT=%zu, life %d; the disk is "
                "left in %s\n",
                flaws(), power.seed, power.cut, power.life, power.dir);
    else
        disk_remove();
    _exit(flaws() ? 1 : 0);
}

static struct engine *open_embedded(struct event_base *base, const struct engine_limits *limits,
                                    const struct engine_events *events, void *arg)
{
    struct embedded_config config = {
        .path = power_path("awd.db"),
        .max_queued = limits->max_queued,
        .max_kept = 150,
        .retention_ms = limits->retention_ms,
    };
    struct engine *e = NULL;
    struct aw_error err = {0};

    if (embedded_open(base, &config, events, arg, &e, &err) != AW_OK) {
        flaw("the store does not open: %s", err.text);
        ck_assert_int_gt(power.life, 0);
        life_end();
    }
    return e;
}

static const struct engine_factory embedded = {nothing, nothing, open_embedded};

static void engine_start(void)
{
    powerloss_vfs_start(power.dir);
    rig_setup(&embedded);
    rig.clock = powerloss_vfs_length;
}

/* ---- A run --------------------------------------------------------------------------------------
 */

static void run(uint64_t seed)
{
    static const int log_pages[] = {4, 25, 100, 1000};

    power.figures = mmap(NULL, sizeof(*power.figures), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(power.figures, MAP_FAILED);
    power.seed = seed;
    power.life = 0;
    power.log_pages = log_pages[seed % 4];
    power_work_begin(seed);
    disk_make();
    engine_start();
    fact_tell("queue default", (struct span){0}, 0, "slots 0 limit 0 priority 0 rate 0 in 0");
    for (int i = 0; i < 3; i++) {
        power_work(40);
        power_work_reopen();
    }
    power_work_claim();
    power_work(12);
    power_work_claim();
    rig_teardown();
    disk_remove();
    ck_assert_int_eq(flaws(), 0);
}

/* ---- A cut --------------------------------------------------------------------------------------
 */

/* Most cuts are made anywhere; some near the beginning, when a database is made or repaired; some
 * when all is written and nothing is safe. */
static size_t cut_place(struct dice *dice)
{
    size_t length = powerloss_vfs_length(), place;

    if (power.life == 0 && power.damage)
        return length;
    if (power.life == 0 && power.each)
        return power.cut / EACH_TRIES;
    place = dice_roll(dice, (dice_once_in(dice, 8) && length > 60 ? 60 : length) + 1);
    return dice_once_in(dice, 3) ? powerloss_vfs_next_sync(place) : place;
}

static void damage(void)
{
    sqlite3 *db = NULL;
    char *text = NULL;

    if (sqlite3_open_v2(power_path("awd.db"), &db, SQLITE_OPEN_READWRITE, "unix") != SQLITE_OK ||
        sqlite3_exec(db, power.damage, NULL, NULL, &text) != SQLITE_OK || !sqlite3_changes(db))
        flaw("the damage was not done: %s", text ? text : "nothing matches");
    sqlite3_close(db);
    if (flaws())
        _exit(2);
}

static void disk_cut(size_t cut, struct dice *dice)
{
    facts_cut(cut);
    if (power.life++ > 0)
        disk_remove();
    disk_make();
    powerloss_vfs_image(cut, power.lie, dice, power.dir);
    if (power.damage && power.life == 1)
        damage();
}

static void figures_add(void)
{
    size_t there, missing;

    facts_in_doubt(&there, &missing);
    power.figures->opened++;
    power.figures->there += there;
    power.figures->missing += missing;
}

/* Does not return. */
static void look_at_cut(size_t which)
{
    struct dice dice = {power.seed * 1000003 + which};

    power.cut = which;
    flaws_quiet(power.quiet);
    disk_cut(cut_place(&dice), &dice);
    while (!flaws()) {
        size_t opened;

        engine_start();
        power_check();
        opened = powerloss_vfs_length();
        figures_add();
        if (!flaws()) {
            power_work_resend();
            power_work_claim();
            power_work(4);
        }
        rig_teardown();
        power_check_file(power_path("awd.db"));
        if (flaws() || power.life == LIVES)
            break;
        disk_cut(dice_once_in(&dice, 2) ? dice_roll(&dice, opened + 1) : cut_place(&dice), &dice);
    }
    life_end();
}

/* Whether the cut shows flaws. */
static bool cut_is_flawed(size_t which)
{
    int status;
    pid_t pid;

    fflush(stderr);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        look_at_cut(which);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(!WIFEXITED(status) || WEXITSTATUS(status) != 2, "%s: not done", power.damage);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static size_t n_flawed(size_t n)
{
    size_t flawed = 0;

    for (size_t i = 0; i < n; i++)
        flawed += cut_is_flawed(i);
    return flawed;
}

/* ---- Tests --------------------------------------------------------------------------------------
 */

/* For CK_FORK=no: one process is all tests. */
static void setup(void)
{
    memset(&power, 0, sizeof(power));
    facts_reset();
}

static void teardown(void)
{
    if (power.figures)
        munmap(power.figures, sizeof(*power.figures));
    facts_reset();
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

START_TEST(nothing_that_was_acknowledged_is_lost_with_the_power)
{
    size_t points = number_of("POWER_LOSS_POINTS", FEW_POINTS), flawed = 0;
    uint64_t seed = number_of("POWER_LOSS_SEED", (uint64_t)now_us() % 1000000);
    size_t n = points > (size_t)_i * RUN_POINTS ? points - (size_t)_i * RUN_POINTS : 0;

    seed += (uint64_t)_i;
    run(seed);
    if (getenv("POWER_LOSS_CUT"))
        flawed = cut_is_flawed(number_of("POWER_LOSS_CUT", 0));
    else
        flawed = n_flawed(n < RUN_POINTS ? n : RUN_POINTS);
    printf("# seed %" PRIu64 ": %u calls, %zu changes of the disk, %zu cuts, opened %zu times; of "
           "the calls under way %zu were there, %zu not\n",
           seed, power_work_calls(), powerloss_vfs_length(), n < RUN_POINTS ? n : RUN_POINTS,
           power.figures->opened, power.figures->there, power.figures->missing);
    ck_assert_msg(flawed == 0, "%zu cuts show flaws", flawed);
}
END_TEST

START_TEST(a_store_that_is_just_being_made_opens)
{
    power.each = true;
    run(1);
    ck_assert_uint_eq(n_flawed(40 * EACH_TRIES), 0);
}
END_TEST

/* ---- Would it be found? -------------------------------------------------------------------------
 */

/* What a disk may do that says that it has done what it has not. */
static const enum powerloss_lie lies[] = {POWERLOSS_NO_LOG_SYNC, POWERLOSS_NO_DATABASE_SYNC,
                                          POWERLOSS_NO_DIRECTORY_SYNC};

START_TEST(a_disk_that_does_not_sync_is_found_out)
{
    power.quiet = true;
    run(4);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        size_t n = 0;

        power.lie = lies[i];
        while (n < 60 && !cut_is_flawed(n))
            n++;
        ck_assert_msg(n < 60, "lie %zu: not found out", i);
    }
}
END_TEST

/* Each is something that must not happen, done by hand to a store in which all is well. */
#define SOME_JOB " WHERE number = (SELECT max(number) FROM job WHERE state "
#define SOME_SET " WHERE id = (SELECT max(id) FROM bag)"
static const char *const damages[] = {
    "DELETE FROM job" SOME_JOB "= 2)",
    "DELETE FROM job" SOME_JOB "> 3)",
    "UPDATE job SET state = 2, ended_us = 0, expires_us = NULL" SOME_JOB "= 4)",
    "UPDATE job SET state = 5" SOME_JOB "= 4)",
    "UPDATE job SET state = 2, claim = 0" SOME_JOB "= 3)",
    "UPDATE job SET claim = claim + 1" SOME_JOB "= 3)",
    "UPDATE job SET exit_code = exit_code + 1" SOME_JOB "= 4)",
    "UPDATE job SET priority = priority + 1" SOME_JOB "= 2)",
    "UPDATE job SET key = NULL WHERE number = (SELECT max(number) FROM job WHERE key NOT NULL)",
    "UPDATE job SET key = 'new' WHERE number = (SELECT max(number) FROM job WHERE key IS NULL)",
    "INSERT INTO job SELECT number + 1000, state, class, flags, priority, uid, gid, attempt, claim,"
    " exit_code, signal, http_status, created_us, due_us, deadline_us, overall_us, uncounted,"
    " started_us, ended_us, expires_us, retention_ms, stdout_size, stderr_size, cpu_user_us,"
    " cpu_sys_us, max_rss_kib, retry_of, queue, abandon_ms, NULL, message, spec FROM job" SOME_JOB
    "= 2)",
    "DELETE FROM output WHERE number = (SELECT max(number) FROM output)",
    "UPDATE meta SET value = value - 1 WHERE name = 'epoch'",
    "DELETE FROM request",
    "DELETE FROM queue WHERE id = (SELECT max(id) FROM queue WHERE id > 1)",
    "UPDATE queue SET paused = NOT paused",
    "DELETE FROM dep",
    "DELETE FROM bag" SOME_SET,
    "UPDATE bag SET closed = NOT closed" SOME_SET,
    "UPDATE bag SET n_ended = n_ended + 1" SOME_SET,
    "DELETE FROM member WHERE position = 1",
    "INSERT INTO member (bag, position, number) SELECT id, n_members + 1, 1 FROM bag;"
    "UPDATE bag SET n_members = n_members + 1",
    "DELETE FROM completion WHERE place = 1",
    "UPDATE member SET place = 3 - place WHERE place IN (1, 2);"
    "UPDATE completion SET place = 1000 + place WHERE place < 3;"
    "UPDATE completion SET place = 1003 - place WHERE place > 1000",
    "UPDATE consumer SET cursor = cursor - 1",
    "DELETE FROM consumer",
    "UPDATE job SET state = 1" SOME_JOB "= 2)",
};

START_TEST(what_must_not_happen_is_found_out)
{
    run(3);
    ck_assert_msg(!cut_is_flawed(0), "a store that is not damaged");
    power.quiet = true;
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        power.damage = damages[i];
        ck_assert_msg(cut_is_flawed(0), "%s: not found out", damages[i]);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("power_loss");
    TCase *tc = tcase_create("power loss");
    size_t points = number_of("POWER_LOSS_POINTS", FEW_POINTS);

    tcase_set_timeout(tc, 600);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, nothing_that_was_acknowledged_is_lost_with_the_power, 0,
                        (int)((points + RUN_POINTS - 1) / RUN_POINTS));
    tcase_add_test(tc, a_store_that_is_just_being_made_opens);
    tcase_add_test(tc, a_disk_that_does_not_sync_is_found_out);
    tcase_add_test(tc, what_must_not_happen_is_found_out);
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    if (sqlite3_auto_extension((void (*)(void))database_opened) != SQLITE_OK)
        return EXIT_FAILURE;
    return unit_run(suite());
}
