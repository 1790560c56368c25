/*
 * The runner's handling of what jobs write, most of all when it cannot be kept.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "daemon/runner/output.h"

static char dir[64];
static struct spool spool;
static struct stream stream;
static int writer;

static const struct spool_file name = {1, 1, 0};

/*
 * How long a file may become; what is beyond that fails, as on a full disk. It holds only within
 * stream_read(), since Check writes to files, too.
 */
static rlim_t file_max = RLIM_INFINITY;

static enum stream_read read_limited(uint64_t room)
{
    struct rlimit limit = {file_max, RLIM_INFINITY};
    enum stream_read got;

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    got = stream_read(&stream, &spool, room);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    return got;
}

static void setup(void)
{
    struct aw_error err;
    int fds[2];

    snprintf(dir, sizeof(dir), "/tmp/awd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(spool_open(dir, &spool, &err), AW_OK);
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    stream_init(&stream, name);
    stream.fd = fds[0];
    writer = fds[1];
}

static void teardown(void)
{
    file_max = RLIM_INFINITY;
    cleanup_close(&writer);
    stream_done(&stream);
    spool_remove(&spool, 1, 1);
    spool_close(&spool);
    rmdir(dir);
}

/* Writes so many bytes, which count up, and has them read. */
static void feed(size_t len, uint64_t room)
{
    static unsigned char next;
    static unsigned char data[60000];
    uint64_t before = stream.size + stream.n_lost;

    ck_assert_uint_le(len, sizeof(data));
    for (size_t i = 0; i < len; i++)
        data[i] = next++;
    ck_assert_int_eq(write(writer, data, len), (ssize_t)len);
    while (stream.size + stream.n_lost < before + len)
        ck_assert_int_eq(read_limited(room), STREAM_MORE);
}

static bool has_file(uint64_t *size)
{
    return spool_size(&spool, name, size, NULL) == AW_OK;
}

START_TEST(little_stays_in_memory)
{
    uint64_t size;

    feed(AW_INLINE_OUTPUT - 1, UINT64_MAX);
    feed(1, UINT64_MAX);
    ck_assert(!stream.spooled && !has_file(&size));
    ck_assert_uint_eq(stream.size, AW_INLINE_OUTPUT);
    for (size_t i = 1; i < stream.size; i++)
        ck_assert_int_eq((unsigned char)stream.data[i], (unsigned char)(stream.data[i - 1] + 1));
}
END_TEST

START_TEST(one_byte_more_moves_all_to_a_file)
{
    uint64_t size;
    unsigned char *data = malloc(80000);
    size_t len;

    feed(AW_INLINE_OUTPUT, UINT64_MAX);
    feed(1, UINT64_MAX);
    feed(60000, UINT64_MAX);
    ck_assert(stream.spooled);
    ck_assert_int_eq(spool_read(&spool, name, 0, data, 80000, &len, &size, NULL), AW_OK);
    ck_assert_uint_eq(size, AW_INLINE_OUTPUT + 60001);
    ck_assert_uint_eq(stream.size, size);
    for (size_t i = 1; i < len; i++)
        ck_assert_int_eq(data[i], (unsigned char)(data[i - 1] + 1));
    free(data);
}
END_TEST

START_TEST(on_demand_everything_goes_to_the_file)
{
    uint64_t size;

    feed(10, UINT64_MAX);
    stream_spill(&stream, &spool);
    ck_assert(has_file(&size));
    ck_assert_uint_eq(size, 10);
    feed(5, UINT64_MAX);
    ck_assert(has_file(&size));
    ck_assert_uint_eq(size, 15);
}
END_TEST

START_TEST(a_spill_of_nothing_makes_a_file_with_the_first_byte)
{
    uint64_t size;

    stream_spill(&stream, &spool);
    ck_assert(!has_file(&size));
    feed(1, UINT64_MAX);
    ck_assert(has_file(&size));
    ck_assert(stream.spooled);
}
END_TEST

START_TEST(no_more_than_the_room_is_kept)
{
    feed(100, 40);
    ck_assert_uint_eq(stream.size, 40);
    ck_assert_uint_eq(stream.n_lost, 60);
    ck_assert_int_eq(stream.error, 0);
}
END_TEST

START_TEST(an_empty_pipe_and_a_closed_one_are_told_apart)
{
    ck_assert_int_eq(stream_read(&stream, &spool, UINT64_MAX), STREAM_EMPTY);
    close(take_fd(writer));
    ck_assert_int_eq(stream_read(&stream, &spool, UINT64_MAX), STREAM_EOF);
}
END_TEST

START_TEST(when_the_disk_is_full_the_rest_is_counted_and_dropped)
{
    uint64_t size;

    file_max = 30000;
    feed(20000, UINT64_MAX);
    feed(20000, UINT64_MAX);
    feed(20000, UINT64_MAX);
    ck_assert_int_eq(stream.error, EFBIG);
    ck_assert_uint_eq(stream.size, 30000);
    ck_assert_uint_eq(stream.n_lost, 30000);
    ck_assert(has_file(&size));
    ck_assert_uint_eq(size, 30000);
    file_max = RLIM_INFINITY; /* there is room again: still no gap in the middle */
    feed(10, UINT64_MAX);
    ck_assert_uint_eq(stream.size, 30000);
}
END_TEST

START_TEST(when_no_file_can_be_begun_what_was_kept_stays)
{
    uint64_t size;

    file_max = 100;
    feed(AW_INLINE_OUTPUT - 10, UINT64_MAX);
    feed(1000, UINT64_MAX);
    ck_assert(!stream.spooled);
    ck_assert_int_eq(stream.error, EFBIG);
    ck_assert_uint_eq(stream.size, AW_INLINE_OUTPUT);
    ck_assert_uint_eq(stream.n_lost, 990);
    ck_assert(!has_file(&size)); /* none that is half of it */
}
END_TEST

START_TEST(without_a_directory_nothing_breaks)
{
    struct spool none = {.dir_fd = -1};

    ck_assert_int_eq(write(writer, "abc", 3), 3);
    stream_spill(&stream, &none);
    ck_assert_int_eq(stream_read(&stream, &none, UINT64_MAX), STREAM_MORE);
    ck_assert(!stream.spooled);
    ck_assert_int_ne(stream.error, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("runner_output");
    TCase *tcase = tcase_create("output");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, little_stays_in_memory);
    tcase_add_test(tcase, one_byte_more_moves_all_to_a_file);
    tcase_add_test(tcase, on_demand_everything_goes_to_the_file);
    tcase_add_test(tcase, a_spill_of_nothing_makes_a_file_with_the_first_byte);
    tcase_add_test(tcase, no_more_than_the_room_is_kept);
    tcase_add_test(tcase, an_empty_pipe_and_a_closed_one_are_told_apart);
    tcase_add_test(tcase, when_the_disk_is_full_the_rest_is_counted_and_dropped);
    tcase_add_test(tcase, when_no_file_can_be_begun_what_was_kept_stays);
    tcase_add_test(tcase, without_a_directory_nothing_breaks);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
