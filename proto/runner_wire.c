#include "proto/runner_wire.h"

/*
 * Each message has one function that lists its fields, and that both writes and reads them (`io`
 * says which), so that the two directions cannot drift apart.
 */

struct head {
    uint32_t len; /* of the message, this head included */
    uint16_t type;
    uint16_t zero;
};

struct io {
    bool writing;
    unsigned char *out;      /* writing; NULL: only counts */
    const unsigned char *in; /* reading */
    size_t pos, end;
    const char *bad; /* the first field that is wrong */
};

static void io_bad(struct io *io, const char *what)
{
    if (!io->bad)
        io->bad = what;
}

/* Moves `len` bytes between the message and *p; zeroes *p when the message is too short. */
static void io_raw(struct io *io, void *p, size_t len, const char *what)
{
    if (io->end - io->pos < len) {
        io_bad(io, what);
        if (!io->writing)
            memset(p, 0, len);
        return;
    }
    if (!io->writing)
        memcpy(p, io->in + io->pos, len);
    else if (io->out && len > 0)
        memcpy(io->out + io->pos, p, len);
    io->pos += len;
}

static void io_u64(struct io *io, uint64_t *v, uint64_t min, uint64_t max, const char *what)
{
    io_raw(io, v, sizeof(*v), what);
    if (*v < min || *v > max)
        io_bad(io, what);
}

static void io_time(struct io *io, int64_t *v, const char *what)
{
    io_raw(io, v, sizeof(*v), what);
    if (*v < 0)
        io_bad(io, what);
}

static void io_i32(struct io *io, int *v, int min, int max, const char *what)
{
    int32_t x = *v;

    io_raw(io, &x, sizeof(x), what);
    if (x < min || x > max)
        io_bad(io, what);
    *v = x;
}

static void io_u32(struct io *io, uint32_t *v, const char *what)
{
    io_raw(io, v, sizeof(*v), what);
}

static void io_bool(struct io *io, bool *v, const char *what)
{
    unsigned char c = io->writing && *v;

    io_raw(io, &c, 1, what);
    if (c > 1)
        io_bad(io, what);
    *v = c == 1;
}

static void io_claim(struct io *io, uint64_t *v)
{
    io_u64(io, v, 1, INT64_MAX, "claim");
}

static uint32_t io_len(struct io *io, size_t len, size_t max, const char *what)
{
    uint32_t n = (uint32_t)len;

    if (len > max)
        io_bad(io, what);
    io_u32(io, &n, what);
    if (n > max || n > io->end - io->pos)
        io_bad(io, what);
    return io->bad ? 0 : n;
}

static void io_bytes(struct io *io, struct bytes *v, size_t max, const char *what)
{
    uint32_t n = io_len(io, v->len, max, what);

    if (io->writing) {
        io_raw(io, (void *)v->data, n, what);
    } else {
        *v = n ? bytes_of(io->in + io->pos, n) : bytes_of("", 0);
        io->pos += n;
    }
}

/* A string: no NUL in it, one behind it. */
static void io_str(struct io *io, struct bytes *v, size_t min, size_t max, const char *what)
{
    unsigned char nul = 0;

    io_bytes(io, v, max, what);
    io_raw(io, &nul, 1, what);
    if (nul || v->len < min || (v->len > 0 && memchr(v->data, 0, v->len)))
        io_bad(io, what);
}

/* Reading: `len` bytes that are exactly `n` strings. */
static void strings_check(struct io *io, struct runner_strings *v, const char *what)
{
    const char *p = v->data, *end = p + v->len;
    size_t n = 0;

    while (p < end) {
        const char *nul = memchr(p, 0, (size_t)(end - p));

        if (!nul || nul - p > AW_MAX_ARG) {
            io_bad(io, what);
            return;
        }
        p = nul + 1;
        n++;
    }
    if (n != v->n)
        io_bad(io, what);
}

static void io_strings(struct io *io, struct runner_strings *v, const char *what)
{
    uint32_t n = (uint32_t)v->n;
    struct bytes block = {v->data, v->len};

    io_u32(io, &n, what);
    io_bytes(io, &block, AW_MAX_ARGSIZE, what);
    if (n > AW_MAX_ARGS)
        io_bad(io, what);
    if (!io->writing) {
        *v = (struct runner_strings){block.data, block.len, n};
        strings_check(io, v, what);
    }
}

static void io_hello(struct io *io, struct runner_hello *m)
{
    io_u32(io, &m->version, "version");
}

static void io_welcome(struct io *io, struct runner_welcome *m)
{
    io_u32(io, &m->version, "version");
    io_i32(io, &m->pid, 1, INT32_MAX, "pid");
    io_time(io, &m->started_us, "started_us");
    io_u64(io, &m->instance, 0, UINT64_MAX, "instance");
}

static void io_limits(struct io *io, struct limits *m)
{
    io_u64(io, &m->memory, 0, INT64_MAX, "memory");
    io_u64(io, &m->cpu, 0, AW_MAX_CPU, "cpu");
    io_u64(io, &m->cpu_time_ms, 0, AW_MAX_DURATION_MS, "cpu_time_ms");
    io_u64(io, &m->processes, 0, AW_MAX_PROCESSES, "processes");
    io_u64(io, &m->files, 0, AW_MAX_FILES, "files");
    io_u64(io, &m->file_size, 0, INT64_MAX, "file_size");
    io_u64(io, &m->nice, 0, 19, "nice");
    io_u64(io, &m->io_priority, 0, 9, "io_priority");
}

static void io_start_fields(struct io *io, struct runner_start *m)
{
    int kind = (int)m->stdin_kind;

    io_claim(io, &m->claim);
    io_u64(io, &m->number, 1, INT64_MAX, "number");
    io_u64(io, &m->attempt, 1, INT64_MAX, "attempt");
    io_u64(io, &m->output_limit, 0, INT64_MAX, "output_limit");
    io_u64(io, &m->timeout_ms, 0, AW_MAX_DURATION_MS, "timeout_ms");
    io_u64(io, &m->grace_ms, 0, AW_MAX_DURATION_MS, "grace_ms");
    io_i32(io, &m->umask, -1, 0777, "umask");
    io_i32(io, &m->nice, -20, 19, "nice");
    io_bool(io, &m->merge_stderr, "merge_stderr");
    io_u32(io, &m->uid, "uid");
    io_u32(io, &m->gid, "gid");
    io_limits(io, &m->limits);
    io_i32(io, &kind, RUNNER_STDIN_NULL, RUNNER_STDIN_FILE, "stdin_kind");
    m->stdin_kind = (enum runner_stdin)kind;
    io_str(io, &m->id, 1, AW_MAX_ID - 1, "id");
    io_str(io, &m->cwd, 0, AW_MAX_PATH, "cwd");
    io_str(io, &m->stdin_file, 0, AW_MAX_PATH, "stdin_file");
    if ((kind == RUNNER_STDIN_FILE) != (m->stdin_file.len > 0))
        io_bad(io, "stdin_file");
}

static void io_start(struct io *io, struct runner_start *m)
{
    io_start_fields(io, m);
    io_strings(io, &m->argv, "argv");
    io_strings(io, &m->env, "env");
    if (m->argv.n == 0 || m->argv.len + m->env.len > AW_MAX_ARGSIZE)
        io_bad(io, "argv");
}

static void io_start_fd(struct io *io, struct runner_start_fd *m)
{
    io_claim(io, &m->claim);
    io_bool(io, &m->has_stdin, "has_stdin");
}

static void io_claim_only(struct io *io, struct runner_claim *m)
{
    io_claim(io, &m->claim);
}

static void io_stop(struct io *io, struct runner_stop *m)
{
    io_claim(io, &m->claim);
    io_u64(io, &m->grace_ms, 0, AW_MAX_DURATION_MS, "grace_ms");
}

static void io_clean(struct io *io, struct runner_clean *m)
{
    io_claim(io, &m->claim);
    io_time(io, &m->started_us, "started_us");
    io_i32(io, &m->pid, 0, INT32_MAX, "pid");
    io_str(io, &m->id, 1, AW_MAX_ID - 1, "id");
}

static void io_running(struct io *io, struct runner_running *m)
{
    io_claim(io, &m->claim);
    io_time(io, &m->started_us, "started_us");
    io_i32(io, &m->pid, 1, INT32_MAX, "pid");
}

static void io_output(struct io *io, struct runner_output *m)
{
    io_u64(io, &m->size, 0, INT64_MAX, "size");
    io_bool(io, &m->spooled, "spooled");
    io_bytes(io, &m->data, AW_INLINE_OUTPUT, "data");
    if (m->spooled ? m->data.len > 0 : m->data.len != m->size)
        io_bad(io, "size");
}

static void io_class(struct io *io, enum aw_class *v)
{
    int class = (int)*v;

    io_i32(io, &class, AW_CLASS_NONE, AW_CLASS_OOM, "class");
    *v = (enum aw_class) class;
}

static void io_exited(struct io *io, struct runner_exited *m)
{
    io_claim(io, &m->claim);
    io_class(io, &m->class);
    io_bool(io, &m->stopped, "stopped");
    io_i32(io, &m->exit_code, -1, 255, "exit_code");
    io_i32(io, &m->signal, 0, 128, "signal");
    io_time(io, &m->started_us, "started_us");
    io_time(io, &m->ended_us, "ended_us");
    io_u64(io, &m->cpu_user_us, 0, INT64_MAX, "cpu_user_us");
    io_u64(io, &m->cpu_sys_us, 0, INT64_MAX, "cpu_sys_us");
    io_u64(io, &m->max_rss_kib, 0, INT64_MAX, "max_rss_kib");
    for (int i = 0; i < RUNNER_STREAMS; i++)
        io_output(io, &m->output[i]);
    io_str(io, &m->message, 0, AW_MAX_MESSAGE_TEXT - 1, "message");
}

static void io_grown(struct io *io, struct runner_grown *m)
{
    io_claim(io, &m->claim);
    io_i32(io, &m->stream, 0, RUNNER_STREAMS - 1, "stream");
    io_u64(io, &m->size, 0, INT64_MAX, "size");
}

static void io_cleaned(struct io *io, struct runner_cleaned *m)
{
    io_claim(io, &m->claim);
    io_u32(io, &m->n_left, "n_left");
}

/* RELEASE and READY say all by their type. */
static void io_none(struct io *io, const struct runner_none *m)
{
    (void)io;
    (void)m;
}

static void io_member(struct io *io, struct runner_msg *m)
{
    switch (m->type) {
    case RUNNER_HELLO:
        return io_hello(io, &m->hello);
    case RUNNER_START:
        return io_start(io, &m->start);
    case RUNNER_START_FD:
        return io_start_fd(io, &m->start_fd);
    case RUNNER_STOP:
        return io_stop(io, &m->stop);
    case RUNNER_ACK:
    case RUNNER_WATCH:
        return io_claim_only(io, &m->claim);
    case RUNNER_CLEAN:
        return io_clean(io, &m->clean);
    case RUNNER_WELCOME:
        return io_welcome(io, &m->welcome);
    case RUNNER_RUNNING:
    case RUNNER_STARTED:
        return io_running(io, &m->running);
    case RUNNER_EXITED:
        return io_exited(io, &m->exited);
    case RUNNER_GROWN:
        return io_grown(io, &m->grown);
    case RUNNER_CLEANED:
        return io_cleaned(io, &m->cleaned);
    case RUNNER_RELEASE:
    case RUNNER_READY:
        return io_none(io, &m->none);
    }
    io_bad(io, "type");
}

const char *runner_msg_name(enum runner_msg_type type)
{
    switch (type) {
#define X(NAME, num, member, from) \
    case RUNNER_##NAME:            \
        return #NAME;
        RUNNER_MSG_MAP(X)
#undef X
    }
    return "?";
}

bool runner_msg_from_awd(enum runner_msg_type type)
{
    enum { FROM_AWD, FROM_RUNNER };

    switch (type) {
#define X(NAME, num, member, from) \
    case RUNNER_##NAME:            \
        return FROM_##from == FROM_AWD;
        RUNNER_MSG_MAP(X)
#undef X
    }
    return false;
}

/* ---- Writing -------------------------------------------------------------------------------- */

static bool msg_write(const struct runner_msg *msg, struct io *io)
{
    struct runner_msg copy = *msg;
    struct head head = {.type = (uint16_t)msg->type};
    size_t start = io->pos;

    io_raw(io, &head, sizeof(head), "head");
    io_member(io, &copy);
    head.len = (uint32_t)(io->pos - start);
    if (!io->bad && io->out)
        memcpy(io->out + start, &head, sizeof(head));
    return !io->bad;
}

bool runner_packet_add(struct runner_packet *packet, const struct runner_msg *msg)
{
    struct io io = {
        .writing = true, .out = packet->data, .pos = packet->len, .end = sizeof(packet->data)};

    if (!msg_write(msg, &io))
        return false;
    packet->len = io.pos;
    return true;
}

bool runner_packet_add_raw(struct runner_packet *packet, const void *msg, size_t len)
{
    if (len > sizeof(packet->data) - packet->len)
        return false;
    memcpy(packet->data + packet->len, msg, len);
    packet->len += len;
    return true;
}

/* Counts what an array of strings needs as a block. */
static enum aw_err block_measure(struct strv strings, const char *what, size_t *len,
                                 struct aw_error *err)
{
    size_t sum = 0;

    if (strings.n > AW_MAX_ARGS)
        return aw_fail(err, AW_ERR_TOO_LARGE, "%s: %zu strings; at most %d", what, strings.n,
                       AW_MAX_ARGS);
    for (size_t i = 0; i < strings.n; i++) {
        struct bytes s = strings.v[i];

        if (s.len > AW_MAX_ARG)
            return aw_fail(err, AW_ERR_TOO_LARGE, "%s[%zu]: %zu bytes; at most %d", what, i, s.len,
                           AW_MAX_ARG);
        if (s.len > 0 && memchr(s.data, 0, s.len))
            return aw_fail(err, AW_ERR_INVALID, "%s[%zu]: has a NUL byte in it", what, i);
        sum += s.len + 1;
    }
    *len = sum;
    return AW_OK;
}

static void block_write(struct io *io, struct strv strings, size_t len)
{
    uint32_t n = (uint32_t)strings.n;

    io_u32(io, &n, "n");
    io_len(io, len, AW_MAX_ARGSIZE, "len");
    for (size_t i = 0; i < strings.n; i++) {
        char nul = 0;

        io_raw(io, (void *)strings.v[i].data, strings.v[i].len, "string");
        io_raw(io, &nul, 1, "string");
    }
}

/* Writes it all; with io->out NULL this only counts. False: a field is out of its range. */
static bool start_write(const struct runner_start *start, struct strv argv, size_t argv_len,
                        struct strv env, size_t env_len, struct io *io)
{
    struct runner_start copy = *start;
    struct head head = {.len = (uint32_t)io->end, .type = RUNNER_START};

    io_raw(io, &head, sizeof(head), "head");
    io_start_fields(io, &copy);
    block_write(io, argv, argv_len);
    block_write(io, env, env_len);
    return !io->bad;
}

enum aw_err runner_start_new(const struct runner_start *start, struct strv argv, struct strv env,
                             void **ret_msg, size_t *ret_len, struct aw_error *err)
{
    struct io io = {.writing = true, .end = RUNNER_MAX_START};
    size_t argv_len, env_len;
    enum aw_err e;

    e = block_measure(argv, "argv", &argv_len, err);
    if (e == AW_OK)
        e = block_measure(env, "env", &env_len, err);
    if (e != AW_OK)
        return e;
    if (argv.n == 0)
        return aw_fail(err, AW_ERR_INVALID, "argv: there is no program to run");
    if (argv_len + env_len > AW_MAX_ARGSIZE)
        return aw_fail(err, AW_ERR_TOO_LARGE, "argv and env have %zu bytes together; at most %u",
                       argv_len + env_len, AW_MAX_ARGSIZE);
    if (!start_write(start, argv, argv_len, env, env_len, &io))
        return aw_fail(err, AW_ERR_INVALID, "%s: not possible", io.bad);

    _cleanup_free_ void *msg = malloc(io.pos);
    if (!msg)
        return aw_fail(err, AW_ERR_NO_MEMORY, "start: out of memory");
    io = (struct io){.writing = true, .out = msg, .end = io.pos};
    if (!start_write(start, argv, argv_len, env, env_len, &io))
        return aw_fail(err, AW_ERR_INTERNAL, "%s: cannot be encoded", io.bad);
    *ret_len = io.pos;
    *ret_msg = take_ptr(msg);
    return AW_OK;
}

/* ---- Reading -------------------------------------------------------------------------------- */

enum aw_err runner_msg_get(struct bytes *rest, struct runner_msg *ret, struct aw_error *err)
{
    struct head head;
    struct io io;

    if (rest->len < sizeof(head))
        return aw_fail(err, AW_ERR_PROTOCOL, "runner message: ends within its head");
    memcpy(&head, rest->data, sizeof(head));
    if (head.len < sizeof(head) || head.len > rest->len || head.zero)
        return aw_fail(err, AW_ERR_PROTOCOL, "runner message: says it has %u bytes; there are %zu",
                       head.len, rest->len);
    io = (struct io){.in = rest->data, .pos = sizeof(head), .end = head.len};
    *ret = (struct runner_msg){.type = head.type};
    io_member(&io, ret);
    if (!io.bad && io.pos != io.end)
        io_bad(&io, "length");
    if (io.bad)
        return aw_fail(err, AW_ERR_PROTOCOL, "runner message %s (%u): bad %s",
                       runner_msg_name(ret->type), head.type, io.bad);
    *rest = bytes_of((const char *)rest->data + head.len, rest->len - head.len);
    return AW_OK;
}
